"""A backbone in mixed_bfloat16: recorded, and never trained, saved or explained."""

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leakage import evaluation, explain, features, networks
from leakage.networks import precision
from leakage.transfer import fine_tuning
from leakcard import images

SIZE_PX = 32
CUT = "block5_conv4"


@pytest.fixture(scope="module")
def exact():
    return networks.build_backbone("vgg16", "random", SIZE_PX)


@pytest.fixture(scope="module")
def reduced():
    return networks.build_backbone("vgg16", "random", SIZE_PX, dtype="mixed_bfloat16")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).uniform(0, 255, (3, SIZE_PX, SIZE_PX, 3)).astype(np.float32)


def pass_through(model, pixels):
    return np.asarray(model.predict_on_batch(pixels), dtype=np.float32)


def test_the_layers_compute_in_bfloat16_from_the_same_float32_weights(exact, reduced, pixels):
    for layer in reduced.model.layers[2:]:  # after the pixels and their pre-processing
        assert layer.compute_dtype == "bfloat16", layer.name
    pairs = zip(exact.model.get_weights(), reduced.model.get_weights(), strict=True)
    assert all(a.dtype == b.dtype == np.float32 and np.array_equal(a, b) for a, b in pairs)
    expected, found = (pass_through(one.model, pixels) for one in (exact, reduced))
    assert not np.array_equal(expected, found)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.999
    # rounded to 8 significant bits, as nothing that was computed in float32 is
    assert np.all(found.view(np.uint32) & 0xFFFF == 0)
    assert not reduced.model.trainable_weights


def test_pixels_are_prepared_in_float32_before_they_are_rounded(exact, reduced, pixels):
    prepared = [
        keras.Model(one.model.input, one.model.get_layer("preprocessing").output)(pixels)
        for one in (exact, reduced)
    ]
    assert prepared[1].dtype == "float32"
    np.testing.assert_array_equal(*prepared)


def test_the_label_names_the_precision_wherever_weights_are_named(exact, reduced):
    assert exact.weights == "random (seed 0)"
    assert reduced.weights == "random (seed 0), mixed_bfloat16"
    told = evaluation.describe_provenance("real", reduced.name, reduced.weights)
    assert told.endswith("weights: random (seed 0), mixed_bfloat16")
    assert "random" in evaluation.describe_obstacles("real", "vgg16", reduced.weights, None)


def test_the_bank_keeps_the_features_of_both_apart(exact, reduced, tmp_path):
    path = tmp_path / "0.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(path)
    table = pd.DataFrame([{"path": str(path), **images.inspect_image(path)}])
    found = [
        features.FeatureBank(one, cache_dir=tmp_path / "bank").extract(table)
        for one in (exact, reduced, exact)
    ]
    assert all(maps.dtype == np.float32 for maps in found)
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_back_and_forth_changes_nothing(exact, reduced, pixels):
    again = precision.convert_backbone(reduced, "float32")
    assert (again.weights, again.key) == (exact.weights, exact.key)
    np.testing.assert_array_equal(*(pass_through(one.model, pixels) for one in (exact, again)))
    assert precision.convert_backbone(exact, "float32").model is exact.model
    assert precision.convert_backbone(reduced, "mixed_bfloat16").weights == reduced.weights


def test_a_global_policy_cannot_reduce_the_precision_unseen(exact, pixels):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = networks.build_backbone("vgg16", "random", SIZE_PX)
    finally:
        keras.config.set_dtype_policy("float32")
    assert precision.list_reduced_layers(built.model) == []
    np.testing.assert_array_equal(*(pass_through(one.model, pixels) for one in (exact, built)))


def test_joined_to_a_head_it_is_explained_in_float32(exact, reduced, pixels):
    head = networks.build_head("dense_64", exact.model.output_shape[1:], 3, seed=0)
    joined = [networks.join_backbone_and_head(one, head) for one in (exact, reduced)]
    assert all(precision.list_reduced_layers(model) == [] for model in joined)
    maps = [explain.compute_grad_cams(one, pixels, [0, 1, 2], exact.last_conv) for one in joined]
    np.testing.assert_allclose(*maps, rtol=1e-4, atol=1e-5 * maps[0].max())


def test_grad_cam_refuses_what_computes_in_less(reduced, pixels):
    output = keras.layers.Dense(3, name="scores")(keras.layers.Flatten()(reduced.model.output))
    model = keras.Model(reduced.model.input, output, name="planted")
    with pytest.raises(ValueError, match="needs float32.*Received: 'planted' with 18 layers"):
        explain.compute_grad_cams(model, pixels, [0, 1, 2], reduced.last_conv)


def test_it_is_neither_trained_in_part_nor_saved(reduced, tmp_path):
    with pytest.raises(ValueError, match="cannot be trained in part.*dtype='float32'"):
        fine_tuning.cut_backbone(reduced, CUT)
    with pytest.raises(ValueError, match="cannot be trained in part"):
        fine_tuning.copy_tail(reduced, "everything", seed=0)
    with pytest.raises(ValueError, match="cannot be saved.*mixed_bfloat16"):
        networks.save_backbone(reduced, tmp_path / "x.keras")
    assert (
        fine_tuning.cut_backbone(reduced, "head") is reduced
    )  # all of it frozen: it is extracted from


def test_a_saved_backbone_can_be_read_in_either_precision(exact, reduced, tmp_path, pixels):
    path = networks.save_backbone(exact, tmp_path / "saved.keras")
    found = [networks.build_backbone("", str(path), SIZE_PX, dtype=one) for one in precision.DTYPES]
    assert [one.weights for one in found] == [exact.weights, reduced.weights]
    kept = {layer.name: layer.compute_dtype for layer in found[1].model.layers}
    assert kept["preprocessing"] == kept["own_preprocessing"] == "float32"
    for given, again in zip((exact, reduced), found, strict=True):
        expected = pass_through(given.model, pixels)
        np.testing.assert_allclose(pass_through(again.model, pixels), expected, rtol=1e-3)


def test_unknown_precisions_and_networks_trained_from_scratch_are_refused():
    with pytest.raises(ValueError, match="Unknown dtype.*Received: 'float16'"):
        networks.build_backbone("vgg16", "random", SIZE_PX, dtype="float16")
    with pytest.raises(ValueError, match="lung_cnn, which is trained here from scratch"):
        networks.build_backbone("lung_cnn", "random", 48, dtype="mixed_bfloat16")
