"""Every backbone, its pre-processing and its weights, against what Keras has."""

import dataclasses
import functools
import hashlib
import http.server
import threading
import time

import h5py
import keras
import numpy as np
import pytest
import toys

from leakage import explain, networks
from leakage.networks import baselines, imagenet, keras_families, resnet18, vgg, weights

PUBLISHED = {
    "vgg19": (vgg.VGG19, keras.applications.vgg19),
    "vgg16": (vgg.VGG16, keras.applications.vgg16),
    "vgg16_fc2": (vgg.VGG16_FC2, keras.applications.vgg16),
    "resnet50": (keras_families.RESNET50, keras.applications.resnet50),
    "mobilenet_v2": (keras_families.MOBILENET_V2, keras.applications.mobilenet_v2),
    "xception": (keras_families.XCEPTION, keras.applications.xception),
    "inception_v3": (keras_families.INCEPTION_V3, keras.applications.inception_v3),
}
every_published = pytest.mark.parametrize("name", PUBLISHED)
every_family = pytest.mark.parametrize("name", networks.BACKBONES)


def prepare(family, pixels):
    inputs = keras.Input((None, None, 3))
    options = (family.scale, family.offset, family.reverse_channels)
    return keras.Model(inputs, weights.add_preprocessing(inputs, *options))(pixels)


@every_published
def test_pixels_are_prepared_as_keras_does(name):
    family, module = PUBLISHED[name]
    pixels = toys.make_pixels(8)
    expected = module.preprocess_input(pixels.copy())
    np.testing.assert_allclose(prepare(family, pixels), expected, atol=1e-4)


def test_resnet18_prepares_pixels_as_torchvision_does():
    pixels = toys.make_pixels(8)
    expected = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(prepare(resnet18.RESNET18, pixels), expected, atol=1e-5)


def draw_zeros(monkeypatch):
    """Draw no initial weights: VGG16 has 138 million, and none is read that is loaded after."""
    zeros = keras.initializers.Zeros()
    draw = "keras.initializers.GlorotUniform.__call__"
    monkeypatch.setattr(draw, lambda self, *args, **options: zeros(*args, **options))


class Asked(Exception):
    """Raised in place of a download."""


@every_published
def test_keras_asks_for_the_same_file_with_the_same_hash(name, monkeypatch):
    family, module = PUBLISHED[name]

    def refuse(file_name, origin, file_hash=None, **options):
        raise Asked(origin, file_hash)

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    draw_zeros(monkeypatch)
    size_px = family.input_size_px
    with pytest.raises(Asked) as asked:
        family.builder(
            weights="imagenet",
            include_top=family.last_layer is not None,
            input_shape=(size_px, size_px, 3),
        )
    assert asked.value.args == (family.weights_url, family.weights_hash)


@every_published
def test_without_a_network_it_fails_within_20_seconds_with_the_ways_forward(
    name, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    family = dataclasses.replace(PUBLISHED[name][0], weights_url="http://127.0.0.1:9/weights.h5")
    pixels = keras.Input((family.input_size_px, family.input_size_px, 3))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=f"{name} .*-p weights random .*standard"):
        imagenet.load_weights(keras.Model(pixels, pixels), family)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("name", ["resnet18", "lung_cnn"])
def test_a_backbone_without_imagenet_weights_names_the_alternatives(name):
    with pytest.raises(ValueError, match='no ImageNet weights for .*"random".*resnet50'):
        networks.build_backbone(name, "imagenet", 64)


@pytest.mark.parametrize(("name", "least"), [("xception", 71), ("inception_v3", 75)])
def test_images_that_are_too_small_are_refused_with_the_least_size(name, least):
    with pytest.raises(ValueError, match=f"at least {least} pixels.*Received: size_px=70"):
        networks.build_backbone(name, "random", 70)


def test_nih_weights_lead_to_the_function_that_makes_them():
    with pytest.raises(ValueError, match="pretrain_on_findings"):
        networks.build_backbone("resnet18", "nih", 64)


def test_dense_layers_with_imagenet_weights_take_one_size():
    pixels = keras.Input((96, 96, 3))
    with pytest.raises(ValueError, match="size_px=224.*Received: size_px=96"):
        imagenet.load_weights(keras.Model(pixels, pixels), vgg.VGG16_FC1)


def build_nameless(input_tensor, include_top=False, weights=None, classifier_activation=None):
    """A network with branches whose layers are numbered by what was built before, as Xception."""
    maps = keras.layers.Conv2D(4, 3)(input_tensor)
    branch = keras.layers.Conv2D(4, 1, use_bias=False)(maps)
    maps = keras.layers.Add()([keras.layers.BatchNormalization()(maps), branch])
    if include_top:
        flat = keras.layers.Flatten()(maps)
        maps = keras.layers.Dense(5, name="fc1")(flat)
        maps = keras.layers.Dense(3, name="predictions")(maps)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], maps)


def write_legacy_weights(model, path):
    """Write a model's weights in the HDF5 layout of `keras.applications`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.0"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)


def make_nameless(path, url, last_layer=None):
    """A small network whose weights are in a file, and its family."""
    plain = build_nameless(keras.Input((16, 16, 3)), include_top=last_layer is not None)
    weights.fill_random_weights(plain, 3)
    write_legacy_weights(plain, path)
    build_nameless(keras.Input((16, 16, 3)))  # moves the numbers in the names on
    return plain, dataclasses.replace(
        keras_families.MOBILENET_V2,
        name="nameless",
        builder=build_nameless,
        input_size_px=16,
        minimum_size_px=8,
        weights_url=url,
        last_layer=last_layer,
    )


def check_nameless(plain, family):
    built = weights.build_family(family, "imagenet", 16, seed=0)
    pixels = toys.make_pixels(16)
    oracle = plain
    if family.last_layer:
        oracle = keras.Model(plain.input, plain.get_layer(family.last_layer).output)
    expected = keras.ops.convert_to_numpy(oracle(pixels / 127.5 - 1))
    np.testing.assert_allclose(built.model(pixels), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("last_layer", [None, "fc1"])
def test_weights_in_the_cache_of_keras_need_no_network_and_no_names(
    last_layer, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    path, url = tmp_path / "models" / "nameless.h5", "http://127.0.0.1:9/nameless.h5"
    check_nameless(*make_nameless(path, url, last_layer))


@pytest.fixture
def served(tmp_path):
    """A folder, and the server of its files on the loopback."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, server
    server.shutdown()
    server.server_close()


def test_imagenet_weights_are_fetched_once_and_land_in_the_right_layers(
    served, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    folder, server = served
    url = f"http://127.0.0.1:{server.server_address[1]}/nameless.h5"
    plain, family = make_nameless(folder / "nameless.h5", url)
    digest = hashlib.md5((folder / "nameless.h5").read_bytes()).hexdigest()
    family = dataclasses.replace(family, weights_hash=digest)
    check_nameless(plain, family)
    server.shutdown()
    check_nameless(plain, family)  # no server any more


def test_random_depthwise_filters_count_the_one_channel_that_they_see():
    inputs = keras.Input((8, 8, 64))
    maps = keras.layers.DepthwiseConv2D(3)(inputs)
    maps = keras.layers.SeparableConv2D(64, 3)(maps)
    model = keras.Model(inputs, keras.layers.BatchNormalization()(maps))
    weights.fill_random_weights(model, seed=0)
    found = {weight.path.split("/", 1)[1]: np.asarray(weight) for weight in model.weights}
    spread = {name: values.std() for name, values in found.items()}
    # He et al.: a deviation of sqrt(2 / number of inputs).
    assert spread["kernel"] == pytest.approx(np.sqrt(2 / 9), rel=0.1)
    assert spread["depthwise_kernel"] == pytest.approx(np.sqrt(2 / 9), rel=0.1)
    assert spread["pointwise_kernel"] == pytest.approx(np.sqrt(2 / 64), rel=0.1)
    assert not np.allclose(found["kernel"], found["depthwise_kernel"])
    assert (found["gamma"] == 1).all() and (found["moving_mean"] == 0).all()


def test_resnet18_has_the_shapes_and_names_of_the_published_one():
    model = networks.build_backbone("resnet18", "random", 224).model
    assert model.output_shape == (None, 7, 7, 512)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    # 17 and the three of the shortcuts, and the pre-processing
    assert len(convolutions) == 17 + 3 + 1
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    assert networks.build_backbone("resnet18", "random", 33).model.output_shape == (None, 2, 2, 512)


def test_the_lung_cnn_is_the_published_one_and_fits_small_images():
    model = networks.build_backbone("lung_cnn", "random", 200).model
    assert model.output_shape == (None, 1, 1, 256)  # "Linear(256, 512)" in the source
    assert networks.build_backbone("lung_cnn", "random", 48).model.output_shape[1:3] == (1, 1)
    counted = sum(
        9 * a * b + b
        for a, b in zip((3, 64, 64, 128, 128, 256), (64, 64, 128, 128, 256, 256), strict=True)
    )
    assert model.count_params() == counted + 12  # and the pre-processing


def test_baselines_are_never_called_untrained():
    assert networks.build_backbone("pixels", "random", 16).weights == weights.FROM_SCRATCH
    assert not baselines.LUNG_CNN.is_pretrainable


@pytest.mark.slow
@every_family
def test_every_model_is_flat_saved_loaded_and_explained(name, tmp_path, monkeypatch):
    size_px = max(32, networks.BACKBONES[name].minimum_size_px)
    backbone = networks.build_backbone(name, "random", size_px)
    head = networks.build_head("dense_64", backbone.model.output_shape[1:], 3, seed=0)
    model = networks.join_backbone_and_head(backbone, head)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    pixels = toys.make_pixels(size_px)
    expected = keras.ops.convert_to_numpy(model(pixels))
    assert np.ptp(expected) > 0
    model.save(tmp_path / "model.keras")
    draw_zeros(monkeypatch)
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(pixels), expected, atol=1e-5)
    maps = explain.compute_grad_cams(loaded, pixels, [0, 1], backbone.last_conv)
    assert maps.shape == (2, size_px, size_px) and np.isfinite(maps).all()
