"""Grad-CAM against an independent implementation."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import toys
from PIL import Image
from scipy import ndimage

from leakage import explain, networks, training
from leakcard import images


def compute_by_tape(model, pixels, class_index, layer_name):
    """Grad-CAM from its definition, for one image: the oracle."""
    scores_layer = model.layers[-1]
    tower = keras.Model(model.inputs[0], [model.get_layer(layer_name).output, scores_layer.input])
    kernel, bias = scores_layer.get_weights()
    with tf.GradientTape() as tape:
        maps, hidden = tower(pixels[None])
        score = (hidden @ kernel + bias)[0, class_index]
    weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2))[0]
    return np.maximum((maps[0].numpy() * weights.numpy()).sum(axis=-1), 0)


@pytest.fixture(scope="module")
def model():
    return toys.build_small_cnn(48, 3, seed=0)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).uniform(0, 255, (5, 48, 48, 3)).astype(np.float32)


def test_the_maps_are_those_of_the_definition(model, pixels):
    explained = [0, 1, 2, 0, 1]
    maps = explain.compute_grad_cams(model, pixels, explained, "conv_3", batch_size=2)
    assert maps.shape == (5, 48, 48)
    for image, class_index, found in zip(pixels, explained, maps, strict=True):
        expected = compute_by_tape(model, image, class_index, "conv_3")
        factors = np.array(found.shape) / expected.shape
        enlarged = ndimage.zoom(expected, factors, order=1)  # as tf-keras-vis enlarges
        np.testing.assert_allclose(found, enlarged, atol=1e-3 * expected.max())


def test_layers_that_are_part_of_other_models_too_are_explained_alike(model, pixels):
    grown = keras.Sequential()
    for layer in model.layers:  # each step is a model, to Keras, and each layer part of them all
        grown.add(layer)
    before = grown.predict(pixels, verbose=0)
    maps = [explain.compute_grad_cams(one, pixels, [0] * 5, "conv_3") for one in (model, grown)]
    np.testing.assert_array_equal(*maps)
    np.testing.assert_array_equal(grown.predict(pixels, verbose=0), before)


def test_a_joined_backbone_and_head_can_be_explained():
    backbone = networks.build_backbone("vgg19", "random", 64)
    head = networks.build_head("paper", backbone.model.output_shape[1:], 3, seed=0)
    joined = networks.join_backbone_and_head(backbone, head)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    maps = explain.compute_grad_cams(joined, pixels, [0, 1], backbone.last_conv)
    assert maps.shape == (2, 64, 64) and maps.max() > 0


def test_a_class_without_evidence_gives_a_map_of_zeros(pixels):
    model = toys.build_small_cnn(48, 2, seed=0)
    kernel, bias = model.layers[-1].get_weights()
    kernel[:, 1] = 0
    model.layers[-1].set_weights([kernel, bias])
    maps = explain.compute_grad_cams(model, pixels[:1], [1], "conv_3")
    assert np.abs(maps).max() == 0


def test_nested_models_unknown_layers_and_missing_classes_are_refused(model, pixels):
    nested_input = keras.Input((48, 48, 3))
    nested = keras.Model(nested_input, model(nested_input))
    with pytest.raises(ValueError, match="nested"):
        explain.compute_grad_cams(nested, pixels, [0] * 5, "conv_3")
    with pytest.raises(ValueError, match="'conv_9'"):
        explain.compute_grad_cams(model, pixels, [0] * 5, "conv_9")
    with pytest.raises(ValueError, match="5 images and 2 classes"):
        explain.compute_grad_cams(model, pixels, [0, 1], "conv_3")


def test_energy_is_measured_for_a_network_and_for_its_null(model, pixels, tmp_path):
    rows = []
    for number, image in enumerate(pixels):
        path, mask_path = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        Image.fromarray(image.astype(np.uint8)).save(path)
        mask = np.zeros((48, 48), np.uint8)
        mask[:, :24] = 255
        Image.fromarray(mask).save(mask_path)
        rows.append({"path": path, "mask_path": mask_path, "label": "a", "patient_id": number})
    table = pd.DataFrame(rows)
    energy = explain.measure_energy(model, table, "conv_3")
    assert energy["network"].value_counts().to_dict() == {"trained": 5, "random weights": 5}
    np.testing.assert_allclose(energy["area"], 0.5)
    stored = images.load_images(table["path"], 48)
    predicted = training.predict_scores(model, stored).argmax(axis=1)
    maps = explain.compute_grad_cams(model, stored, predicted, "conv_3")
    expected = maps[:, :, :24].sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    np.testing.assert_allclose(energy["energy"][:5], expected, rtol=1e-5)
    assert not np.allclose(energy["energy"][:5], energy["energy"][5:])
