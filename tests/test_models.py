"""Backbones, heads and the join, checked against Keras' own."""

import json

import keras
import numpy as np
import pytest
import toys

from leakage import networks, training
from leakage.networks import heads, saved


@pytest.fixture(scope="module")
def vgg19():
    return networks.build_backbone("vgg19", "random", 64).model


def test_vgg19_prepares_pixels_as_keras_does(vgg19):
    pixels = toys.make_pixels(64)
    front = keras.Model(vgg19.input, vgg19.get_layer("preprocessing").output)
    prepared = training.predict_scores(front, pixels)
    expected = keras.applications.vgg19.preprocess_input(pixels.copy())
    np.testing.assert_allclose(prepared, expected, atol=1e-4)


def test_vgg19_is_flat_frozen_and_of_the_published_size(vgg19):
    assert not any(isinstance(layer, keras.Model) for layer in vgg19.layers)
    assert vgg19.trainable_weights == []
    reference = keras.applications.VGG19(include_top=False, weights=None)
    assert vgg19.count_params() == reference.count_params() + 12  # and the pre-processing


def test_random_weights_are_seeded_and_keep_the_signal_alive(vgg19):
    pixels = toys.make_pixels(64)
    first, again, other = (
        training.predict_scores(
            networks.build_backbone("lung_cnn", "random", 64, seed=seed).model, pixels
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    # with Keras' default initialiser this is below 0.1
    assert training.predict_scores(vgg19, pixels).std() > 1.0


def test_the_published_head_has_the_published_layers():
    head = networks.build_head("paper", (7, 7, 512), 3, seed=0)
    assert [layer.units for layer in head.layers if hasattr(layer, "units")] == [1024, 512, 3]
    assert head.count_params() == 25088 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 3 + 3


def test_head_weights_depend_on_the_seed_and_on_nothing_built_before():
    first = networks.build_head("paper", (2, 2, 4), 3, seed=5).get_weights()[0]
    networks.build_head("paper", (2, 2, 8), 3, seed=9)
    again = networks.build_head("paper", (2, 2, 4), 3, seed=5).get_weights()[0]
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(
        first, networks.build_head("paper", (2, 2, 4), 3, seed=6).get_weights()[0]
    )


def test_scaling_standardises_the_training_features_and_survives_constant_ones():
    rng = np.random.default_rng(0)
    features = rng.normal(50, 7, (200, 2, 2, 3)).astype(np.float32)
    features[:, 0, 0, 0] = 4.0
    scaling = heads.build_head("paper", (2, 2, 3), 3, 0, features).layers[1]
    scaled = keras.ops.convert_to_numpy(scaling(features.reshape(200, -1)))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled[:, 1:].std(axis=0), 1, atol=1e-3)
    moved = keras.ops.convert_to_numpy(scaling(np.full((1, 12), 5.0, np.float32)))
    assert abs(moved[0, 0]) < 2.0


def test_joined_saved_and_loaded_the_model_gives_the_answers_of_bank_and_head(tmp_path):
    backbone = networks.build_backbone("lung_cnn", "random", 32)
    pixels = toys.make_pixels(32, 5)
    features = training.predict_scores(backbone.model, pixels)
    head = networks.build_head("paper", features.shape[1:], 3, 0, features)
    joined = networks.join_backbone_and_head(backbone, head)
    expected = training.predict_scores(head, features)
    np.testing.assert_allclose(training.predict_scores(joined, pixels), expected, atol=1e-5)
    joined.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(training.predict_scores(loaded, pixels), expected, atol=1e-5)
    assert not any(isinstance(layer, keras.Model) for layer in loaded.layers)


def write_saved_backbone(folder, card=None):
    pixels = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(4, 3, name="first", activation="relu")(pixels)
    branch = keras.layers.Conv2D(4, 1, name="branch")(maps)
    model = keras.Model(pixels, keras.layers.Add(name="sum")([maps, branch]))
    model.save(folder / "tiny.keras")
    card = card or {
        "name": "tiny",
        "weights": "made here",
        "input_size_px": 16,
        "input_range": [-1.0, 1.0],
    }
    (folder / "tiny.json").write_text(json.dumps(card))
    return model, folder / "tiny.keras"


def test_a_saved_backbone_takes_raw_pixels_and_decides_the_name(tmp_path):
    stored, path = write_saved_backbone(tmp_path)
    backbone = networks.build_backbone("vgg19", str(path), 16)
    pixels = toys.make_pixels(16)
    np.testing.assert_allclose(
        training.predict_scores(backbone.model, pixels),
        training.predict_scores(stored, pixels / 127.5 - 1),
        atol=1e-4,
    )
    assert (backbone.name, backbone.weights, backbone.last_conv) == ("tiny", "made here", "sum")


def test_a_missing_backbone_or_card_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match='"imagenet", "random" or the path'):
        saved.load_backbone(tmp_path / "nowhere.keras", 16)
    _, path = write_saved_backbone(tmp_path, {"name": "tiny"})
    with pytest.raises(ValueError, match="lacks .*'input_range'"):
        saved.load_backbone(path, 16)


def test_the_card_of_a_saved_backbone_need_not_say_its_size(tmp_path):
    card = {"name": "tiny", "weights": "made here", "input_range": [-1.0, 1.0]}
    _, path = write_saved_backbone(tmp_path, card)
    assert saved.load_backbone(path, 24).size_px == 24


def test_a_backbone_with_code_in_it_is_refused(tmp_path):
    pixels = keras.Input((8, 8, 3))
    model = keras.Model(pixels, keras.layers.Lambda(lambda x: x * 2)(pixels))
    model.save(tmp_path / "tiny.keras")
    (tmp_path / "tiny.json").write_text(
        json.dumps({"name": "x", "weights": "x", "input_size_px": 8, "input_range": [0, 1]})
    )
    with pytest.raises(ValueError, match="without Python code"):
        saved.load_backbone(tmp_path / "tiny.keras", 8)


def test_an_unknown_backbone_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="vgg19.*Received: 'vgg91'"):
        networks.build_backbone("vgg91", "random", 32)


def test_a_copy_with_random_weights_forgets_all_but_the_preprocessing():
    backbone = networks.build_backbone("lung_cnn", "random", 32)
    head = networks.build_head("paper", backbone.model.output_shape[1:], 3, seed=0)
    model = networks.join_backbone_and_head(backbone, head)
    before = [weights.copy() for weights in model.get_weights()]
    forgotten = networks.copy_with_random_weights(model, seed=9)
    for old, kept in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)
    for name, same in (("preprocessing", True), ("conv_1", False), ("hidden_1", False)):
        pair = [each.get_layer(name).get_weights()[0] for each in (model, forgotten)]
        assert np.array_equal(*pair) == same, name


def test_the_small_cnn_is_the_published_one():
    model = toys.build_small_cnn(256, 2, seed=0)
    # Worked out by hand: 254/127, 125/62, 60/30 pixels after each convolution and pooling.
    expected = (27 * 64 + 64) + (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128)
    expected += 30 * 30 * 128 * 64 + 64 + 64 * 2 + 2
    assert model.count_params() == expected


def test_layers_written_without_a_seed_get_the_weights_of_the_networks_that_have_one():
    reference = networks.build_head("paper", (2, 2, 3), 3, seed=27)
    model = keras.models.clone_model(reference)
    networks.set_initial_weights(model, 28)
    assert not np.array_equal(model.get_weights()[0], reference.get_weights()[0])
    networks.set_initial_weights(model, 27)
    for mine, theirs in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_layers_of_the_small_cnn_are_counted_from_one():
    kernels = toys.build_small_cnn(32, 2, seed=27).get_weights()[::2]
    for number, kernel in enumerate(kernels, start=1):
        np.testing.assert_array_equal(kernel, heads.make_initializer(27, number)(kernel.shape))
