"""From a family of backbones and a source of weights to a flat, frozen model of raw pixels."""

import dataclasses
import os
import pathlib
import urllib.parse
import urllib.request

import keras
import numpy as np

# Seconds to wait for the server of the ImageNet weights before giving up with advice.
CONNECTION_TIMEOUT_S = 8


@dataclasses.dataclass(frozen=True)
class Family:
    """What one file in `models/` says of its backbone.

    Parameters
    ----------
    name : str
    builder : callable
        `builder(input_tensor=..., include_top=False, weights=None)` of `keras.applications`.
    input_size_px : int
        The published input size.
    scale : float
    offset : tuple of float
        Pre-processing is `x * scale + offset`, per channel, after `reverse_channels`.
    reverse_channels : bool
        Whether the network was trained on BGR.
    weights_url : str
        File without the classifier, as `keras.applications` asks for it.
    weights_hash : str
        Its MD5, as in `keras.applications`.
    last_conv : str
        Layer that Grad-CAM reads.
    """

    name: str
    builder: object
    input_size_px: int
    scale: float
    offset: tuple
    reverse_channels: bool
    weights_url: str
    weights_hash: str
    last_conv: str


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A frozen network from raw RGB pixels in [0, 255] to a feature map.

    Parameters
    ----------
    model : keras.Model
        Flat; input (size, size, 3), output (height, width, channels).
    name : str
        The architecture.
    weights : str
        "imagenet", "random (seed 0)" or the name on a saved backbone's card.
    key : str
        What identifies architecture and weights, for the feature bank.
    last_conv : str
        The layer whose output Grad-CAM reads.
    """

    model: keras.Model
    name: str
    weights: str
    key: str
    last_conv: str

    @property
    def size_px(self):
        return self.model.input_shape[1]


def add_preprocessing(pixels, scale, offset, reverse_channels=False):
    """Append `x * scale + offset` to a tensor of raw RGB pixels, as one frozen 1x1 convolution.

    A convolution is an ordinary layer: it is saved without code (a `Lambda` is not) and keeps the
    graph flat.
    """
    mixing = np.eye(3, dtype=np.float32) * scale
    if reverse_channels:
        mixing = mixing[::-1]
    layer = keras.layers.Conv2D(3, 1, name="preprocessing", trainable=False)
    output = layer(pixels)
    layer.set_weights([mixing.reshape(1, 1, 3, 3), np.asarray(offset, dtype=np.float32)])
    return output


def build_family(family, source, size_px, seed):
    """Build one family's frozen backbone with "imagenet" or "random" weights."""
    pixels = keras.Input((size_px, size_px, 3), name="pixels")
    prepared = add_preprocessing(pixels, family.scale, family.offset, family.reverse_channels)
    built = family.builder(input_tensor=prepared, include_top=False, weights=None)
    model = keras.Model(pixels, built.output, name=family.name)
    if source == "imagenet":
        _load_imagenet_weights(model, family)
        label = "imagenet"
    else:
        fill_random_weights(model, seed)
        label = f"random (seed {seed})"
    model.trainable = False
    return Backbone(model, family.name, label, f"{family.name}/{label}", family.last_conv)


def fill_random_weights(model, seed):
    """Draw every kernel from He's normal distribution and set every bias to zero.

    Keras' own default (Glorot) shrinks the signal of a deep ReLU network layer by layer; He et al.
    2015 (arXiv 1502.01852) keeps its variance. The layer named "preprocessing" stays as it is.
    """
    layers = [layer for layer in model.layers if layer.name != "preprocessing" and layer.weights]
    for number, layer in enumerate(layers):
        values = []
        for weight in layer.weights:
            if weight.name == "kernel":
                initialize = keras.initializers.HeNormal(seed=seed * 10_007 + number)
                values.append(keras.ops.convert_to_numpy(initialize(weight.shape)))
            elif weight.name in ("gamma", "moving_variance"):
                values.append(np.ones(weight.shape, np.float32))
            else:
                values.append(np.zeros(weight.shape, np.float32))
        layer.set_weights(values)


def copy_with_random_weights(model, seed):
    """Copy a model and forget what it learnt: the null for its explanations (arXiv 1810.03292).

    Parameters
    ----------
    model : keras.Model
        Flat; its pre-processing is kept.
    seed : int
        Seed of the random weights.

    Returns
    -------
    keras.Model
        The same architecture with He-normal kernels. A map that looks the same without anything
        learnt explains nothing.
    """
    copy = keras.models.clone_model(model)
    for layer in copy.layers:
        if layer.name == "preprocessing":
            layer.set_weights(model.get_layer("preprocessing").get_weights())
    fill_random_weights(copy, seed)
    return copy


def _load_imagenet_weights(model, family):
    """Load Keras' published weights, from its cache or else from its server."""
    file_name = pathlib.PurePosixPath(urllib.parse.urlparse(family.weights_url).path).name
    cached = _get_keras_home() / "models" / file_name
    if not cached.exists():
        _check_server(family, cached)
        # Where the folder is missing, get_file silently uses /tmp instead.
        cached.parent.mkdir(parents=True, exist_ok=True)
    try:
        path = keras.utils.get_file(
            file_name,
            family.weights_url,
            cache_dir=_get_keras_home(),
            cache_subdir="models",
            file_hash=family.weights_hash,
        )
    except Exception as error:  # get_file wraps every cause in a bare Exception
        raise ConnectionError(_explain_no_weights(family, cached, error)) from error
    # By name, because the flat model has one more layer in front (the pre-processing).
    model.load_weights(path, by_name=True, skip_mismatch=False)


def _check_server(family, cached):
    request = urllib.request.Request(family.weights_url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=CONNECTION_TIMEOUT_S):
            pass
    except OSError as error:
        raise ConnectionError(_explain_no_weights(family, cached, error)) from error


def _explain_no_weights(family, cached, error):
    return (
        f"The ImageNet weights of {family.name} could not be downloaded ({error}). Expected "
        f"{family.weights_url} to answer, or the file at {_shorten(cached)}. Ways forward: "
        f"(1) run again with a network; (2) download that file elsewhere and put it there; "
        f"(3) -p weights PATH with a saved Keras backbone and its JSON card; (4) -p weights "
        f"random -p feature_scaling standard, which shows what an untrained network makes of "
        f"the shortcuts."
    )


def _get_keras_home():
    """Return the folder in which `keras.utils.get_file` keeps its files."""
    return pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))


def _shorten(path):
    home = os.path.expanduser("~")
    return str(path).replace(home, "~", 1)
