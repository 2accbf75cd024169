"""From a family of backbones and a source of weights to a flat, frozen model of raw pixels."""

import dataclasses

import keras
import numpy as np

from leakage.networks import imagenet

FROM_SCRATCH = "from scratch"


@dataclasses.dataclass(frozen=True)
class Family:
    """What one file in `networks/` says of its backbone.

    Parameters
    ----------
    name : str
    builder : callable
        `builder(input_tensor=..., include_top=..., weights=None)`, as in `keras.applications`.
    input_size_px : int
        The published input size.
    scale : float or tuple of float
    offset : tuple of float
        Pre-processing is `x * scale + offset`, per channel, after `reverse_channels`.
    reverse_channels : bool
        Whether the network was trained on BGR.
    weights_url : str or None
        File of ImageNet weights, as `keras.applications` asks for it; None where it has none.
    weights_hash : str or None
        Its MD5, as in `keras.applications`.
    last_conv : str
        Layer that Grad-CAM reads.
    minimum_size_px : int
        Smallest input that leaves a feature map.
    last_layer : str, optional
        Layer of the network with its classifier at which the backbone ends (`include_top`).
    is_pretrainable : bool
        False for the baselines without transfer, whose weights are "from scratch".
    """

    name: str
    builder: object
    input_size_px: int
    scale: float | tuple
    offset: tuple
    reverse_channels: bool
    weights_url: str | None
    weights_hash: str | None
    last_conv: str
    minimum_size_px: int = 32
    last_layer: str | None = None
    is_pretrainable: bool = True


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
        "imagenet", "random (seed 0)", "from scratch" or the name on a saved backbone's card.
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
    if size_px < family.minimum_size_px:
        raise ValueError(
            f"The images are too small for {family.name}. Expected a side of at least "
            f"{family.minimum_size_px} pixels (its published size is {family.input_size_px}). "
            f"Received: size_px={size_px}."
        )
    pixels = keras.Input((size_px, size_px, 3), name="pixels")
    prepared = add_preprocessing(pixels, family.scale, family.offset, family.reverse_channels)
    model = keras.Model(pixels, _build_layers(family, prepared), name=family.name)
    if source == "imagenet":
        imagenet.load_weights(model, family)
        label = "imagenet"
    else:
        fill_random_weights(model, seed)
        label = f"random (seed {seed})" if family.is_pretrainable else FROM_SCRATCH
    model.trainable = False
    return Backbone(model, family.name, label, f"{family.name}/{label}", family.last_conv)


def _build_layers(family, prepared):
    if family.last_layer is None:
        return family.builder(input_tensor=prepared, include_top=False, weights=None).output
    whole = family.builder(
        input_tensor=prepared, include_top=True, weights=None, classifier_activation=None
    )
    return whole.get_layer(family.last_layer).output


def fill_random_weights(model, seed):
    """Draw every kernel from He's normal distribution and set every bias to zero.

    Keras' own default (Glorot) shrinks the signal of a deep ReLU network layer by layer; He et al.
    2015 (arXiv 1502.01852) keeps its variance. Pre-processing stays as it is, and batch
    normalisation starts as no change (statistics 0 and 1).
    """
    layers = [layer for layer in model.layers if layer.weights and not is_preprocessing(layer)]
    for number, layer in enumerate(layers):
        layer.set_weights(
            [_draw_weight(layer, weight, seed * 10_007 + number) for weight in layer.weights]
        )


def is_preprocessing(layer):
    """Tell the layer that prepares pixels, whose weights are never trained or drawn."""
    return layer.name in ("preprocessing", "own_preprocessing")


def _draw_weight(layer, weight, seed):
    if weight.name in ("gamma", "moving_variance"):
        return np.ones(weight.shape, np.float32)
    if "kernel" not in weight.name:
        return np.zeros(weight.shape, np.float32)
    # A depthwise filter sees one channel: Keras would count the others as inputs too.
    is_depthwise = weight.name == "depthwise_kernel" or isinstance(
        layer, keras.layers.DepthwiseConv2D
    )
    if is_depthwise:
        height, width, channels, multiplier = weight.shape
        initialize = keras.initializers.HeNormal(seed=seed)
        drawn = initialize((height, width, 1, channels * multiplier))
        return keras.ops.convert_to_numpy(drawn).reshape(weight.shape)
    # The second kernel of a separable convolution must not repeat the draw of the first.
    number = seed + 5_003 if weight.name == "pointwise_kernel" else seed
    return keras.ops.convert_to_numpy(keras.initializers.HeNormal(seed=number)(weight.shape))


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
        if is_preprocessing(layer):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    fill_random_weights(copy, seed)
    return copy
