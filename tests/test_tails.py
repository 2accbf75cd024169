"""Cutting backbones: what is frozen is what is not trained."""

import functools

import keras
import numpy as np
import pytest
import toys

from leakage import explain, networks
from leakage.networks import weights
from leakage.transfer import fine_tuning


def build_toy(weights_label="random (seed 0)"):
    """A small residual network with batch normalisation, as a backbone."""
    pixels = keras.Input((16, 16, 3), name="pixels")
    maps = weights.add_preprocessing(pixels, 1 / 127.5, (-1.0,) * 3)
    maps = keras.layers.Conv2D(4, 3, name="first")(maps)
    maps = keras.layers.BatchNormalization(name="first_bn")(maps)
    inner = keras.layers.Conv2D(4, 3, padding="same", name="inner")(maps)
    maps = keras.layers.Add(name="sum")([maps, inner])
    maps = keras.layers.Conv2D(4, 3, name="last")(maps)
    model = keras.Model(pixels, keras.layers.BatchNormalization(name="last_bn")(maps))
    weights.fill_random_weights(model, 0)
    model.trainable = False
    return networks.Backbone(model, "toy", weights_label, f"toy/{weights_label}", "last")


def build_parts(backbone, train_from, head="dense_64"):
    frozen = fine_tuning.cut_backbone(backbone, train_from)
    trained = networks.build_head(head, backbone.model.output_shape[1:], 2, seed=0)
    if train_from != "head":
        trained = fine_tuning.join_tail_and_head(
            fine_tuning.copy_tail(backbone, train_from, 1), trained
        )
    return frozen, trained, fine_tuning.join_frozen_and_trained(frozen, trained)


@pytest.mark.parametrize("train_from", ["head", "last", "first", "everything"])
def test_frozen_part_and_trained_part_together_are_the_whole(train_from, tmp_path):
    backbone = build_toy()
    frozen, trained, whole = build_parts(backbone, train_from)
    pixels = toys.make_pixels(16, 6)
    features = pixels if frozen is None else frozen.model(pixels)
    expected = keras.ops.convert_to_numpy(trained(features))
    np.testing.assert_allclose(whole(pixels), expected, atol=1e-6)
    assert not any(isinstance(layer, keras.Model) for layer in whole.layers)
    whole.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(pixels), expected, atol=1e-6)
    assert explain.compute_grad_cams(loaded, pixels, [0] * 6, "last").shape == (6, 16, 16)


def test_training_changes_what_is_counted_as_trained_and_nothing_else():
    backbone = build_toy("imagenet")
    before = [values.copy() for values in backbone.model.get_weights()]
    frozen, trained, whole = build_parts(backbone, "last")
    start = {layer.name: layer.get_weights() for layer in whole.layers}
    counted = sum(int(np.prod(weight.shape)) for weight in trained.trainable_weights)
    assert fine_tuning.count_weights(whole)[0] == counted
    trained.compile("sgd", loss="sparse_categorical_crossentropy")
    features = keras.ops.convert_to_numpy(frozen.model(toys.make_pixels(16, 6)))
    trained.fit(features, np.array([0, 1] * 3), epochs=2, verbose=0)
    for layer in whole.layers:
        for old, new in zip(start[layer.name], layer.get_weights(), strict=True):
            is_tail = layer.name in ("last", "last_bn", "hidden_1", "scores")
            assert np.array_equal(old, new) != is_tail, layer.name
    for old, new in zip(before, backbone.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # the next seed starts where this one did


def test_frozen_batch_norm_stays_in_inference_mode():
    _, _, whole = build_parts(build_toy(), "head")
    pixels = toys.make_pixels(16, 6)
    as_used = keras.ops.convert_to_numpy(whole(pixels, training=False))
    np.testing.assert_allclose(whole(pixels, training=True), as_used, atol=1e-6)


def test_untrained_tails_are_drawn_by_the_seed_and_pretrained_ones_copied():
    random, pretrained = build_toy(), build_toy("imagenet")
    first, second = (
        fine_tuning.copy_tail(random, "last", seed).get_weights()[0] for seed in (1, 2)
    )
    assert not np.allclose(first, second)
    copied = fine_tuning.copy_tail(pretrained, "last", 1).get_layer("last").get_weights()[0]
    np.testing.assert_array_equal(copied, pretrained.model.get_layer("last").get_weights()[0])


@pytest.mark.parametrize("train_from", ["last", "first"])
def test_a_saved_backbone_can_be_cut_as_the_one_it_was(train_from, tmp_path):
    backbone, pixels = build_toy("imagenet"), toys.make_pixels(16, 6)
    loaded = networks.build_backbone(
        "any", str(networks.save_backbone(backbone, tmp_path / "toy.keras")), 16
    )
    frozen = fine_tuning.cut_backbone(loaded, train_from)
    tail = fine_tuning.copy_tail(loaded, train_from, seed=1)
    np.testing.assert_allclose(
        tail(frozen.model(pixels)), backbone.model(pixels), rtol=1e-4, atol=1e-4
    )


def test_a_cut_that_other_layers_go_around_is_refused():
    with pytest.raises(ValueError, match="only way through.*Received: 'sum'|cannot be cut"):
        fine_tuning.cut_backbone(build_around(), "branch_2")
    with pytest.raises(ValueError, match="no layer to train from.*Received: 'nowhere'"):
        fine_tuning.cut_backbone(build_toy(), "nowhere")


def build_around():
    pixels = keras.Input((16, 16, 3), name="pixels")
    maps = weights.add_preprocessing(pixels, 1.0, (0.0,) * 3)
    branch = keras.layers.Conv2D(3, 1, name="branch_1")(maps)
    branch = keras.layers.Conv2D(3, 1, name="branch_2")(branch)
    model = keras.Model(pixels, keras.layers.Add()([maps, branch]))
    return networks.Backbone(model, "around", "random (seed 0)", "around", "branch_2")


def test_the_same_frozen_layers_have_the_same_key_whatever_they_are_called():
    keys = [fine_tuning.cut_backbone(build_toy(label), "last").key for label in ("a", "b")]
    assert keys[0] == keys[1]
    changed = build_toy()
    kernel, bias = changed.model.get_layer("first").get_weights()
    changed.model.get_layer("first").set_weights([kernel * 1.01, bias])
    assert fine_tuning.cut_backbone(changed, "last").key != keys[0]
    assert fine_tuning.cut_backbone(build_toy(), "first").key != keys[0]


@pytest.fixture(scope="module")
def build_resnet18():
    """Build it by size, once for all cuts: a tail has weights of its own."""
    return functools.cache(lambda size_px: networks.build_backbone("resnet18", "random", size_px))


@pytest.mark.parametrize(
    ("size_px", "train_from", "expected"),
    [
        (256, "everything", (11_180_610, 11_180_610)),
        # 9,408 weights of the first convolution and 128 of its normalisation
        (256, "stage1_block1_1_pad", (11_180_610 - 9_536, 11_180_610)),
        (256, "head", (4_098, 11_180_610)),
        (64, "everything", (11_177_538, 11_177_538)),
    ],
)
def test_resnet18_has_the_published_counts(build_resnet18, size_px, train_from, expected):
    _, _, whole = build_parts(build_resnet18(size_px), train_from, head="average_pool")
    assert fine_tuning.count_weights(whole) == expected


def test_a_saved_backbone_is_loaded_as_it_was(tmp_path):
    backbone = build_toy("nih (5 images)")
    loaded = networks.build_backbone(
        "x", str(networks.save_backbone(backbone, tmp_path / "b.keras")), 16
    )
    pixels = toys.make_pixels(16, 6)
    expected = keras.ops.convert_to_numpy(backbone.model(pixels))
    np.testing.assert_allclose(loaded.model(pixels), expected, atol=1e-5)
    assert (loaded.name, loaded.weights) == ("toy", "nih (5 images)")


def test_heads_have_the_layers_of_their_sources():
    shape = (2, 2, 8)
    widths = {
        kind: [
            layer.units
            for layer in networks.build_head(kind, shape, 4, 0).layers
            if hasattr(layer, "units")
        ]
        for kind in networks.HEADS
    }
    assert widths == {
        "paper": [1024, 512, 4], "average_pool": [4], "dense_64": [64, 4],
        "dense_512": [512, 4], "scores": [4],
    }  # fmt: skip
    dropouts = [
        x for x in networks.build_head("dense_512", shape, 4, 0).layers if hasattr(x, "rate")
    ]
    assert [layer.rate for layer in dropouts] == [0.2]
    with pytest.raises(ValueError, match="Received: 'dense_9'"):
        networks.build_head("dense_9", shape, 4, 0)


def test_scaling_behind_a_pooling_standardises_the_pooled_features():
    rng = np.random.default_rng(0)
    features = rng.normal(50, 7, (300, 4, 4, 3)).astype(np.float32)
    head = networks.build_head("average_pool", (4, 4, 3), 2, 0, features)
    scaled = features
    for layer in head.layers[:-1]:
        scaled = layer(scaled)
    scaled = keras.ops.convert_to_numpy(scaled)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-2)
