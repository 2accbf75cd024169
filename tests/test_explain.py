"""Grad-CAM against an independent implementation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from leakage import explain, models


def compute_by_tape(model, pixels, class_index, layer_name):
    """Grad-CAM from its definition, for one image: the oracle."""
    scores_layer = model.layers[-1]
    tower = keras.Model(model.input, [model.get_layer(layer_name).output, scores_layer.input])
    kernel, bias = scores_layer.get_weights()
    with tf.GradientTape() as tape:
        maps, hidden = tower(pixels[None])
        score = (hidden @ kernel + bias)[0, class_index]
    weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2))[0]
    return np.maximum((maps[0].numpy() * weights.numpy()).sum(axis=-1), 0)


@pytest.fixture(scope="module")
def model():
    return models.build_small_cnn((48, 48, 3), 3, seed=0)


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


def test_a_joined_backbone_and_head_can_be_explained():
    backbone = models.build_backbone("vgg19", "random", 64)
    head = models.build_paper_head(backbone.model.output_shape[1:], 3, seed=0)
    joined = models.join_backbone_and_head(backbone, head)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    maps = explain.compute_grad_cams(joined, pixels, [0, 1], backbone.last_conv)
    assert maps.shape == (2, 64, 64) and maps.max() > 0


def test_a_class_without_evidence_gives_a_map_of_zeros(pixels):
    model = models.build_small_cnn((48, 48, 3), 2, seed=0)
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
