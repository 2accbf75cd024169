"""COVID-Net (Wang et al. 2020, doi 10.1038/s41598-020-76550-z), as system S5 rebuilt it.

Four stages of PEPX modules (project, expand, depth-wise, project, extend). Within a stage every
module but the first takes the sum of all modules before it and of the stage's 1x1 "upper"
convolution; the sum of all of them goes on to the next stage. There is no normalisation.
"""

import keras
import numpy as np
import pandas as pd

from leakage.networks import heads

# PEPX modules in each stage; stage s has 2 ** (s - 1) * num_filters channels.
STAGES = (3, 4, 6, 3)
STEM_FILTERS = 64
# The very first module does not follow the rule of the others (half, three quarters, half).
FIRST_WIDTHS = (32, 48, 32)
# Length of the vector that the siamese net compares.
NUM_FEATURES = 256
DROPOUT_FLATTENED, DROPOUT_DENSE = 0.5, 0.2
# ITU-R BT.601, as OpenCV turns colour into gray.
GRAY_WEIGHTS = (0.299, 0.587, 0.114)
# A class activation map of fewer pixels a side says little about where.
MIN_MAP_PX = 7


def build_covid_net(
    size_px=224,
    num_classes=3,
    num_filters=128,
    num_units=1024,
    gray_scaling=(0.0, 1.0),
    seed=0,
    *,
    stages=STAGES,
    dropout="own",
):
    """Build COVID-Net for raw pixels, as one flat functional graph.

    Parameters
    ----------
    size_px : int
        Side of the square input, in pixels; at least 32, since it is halved five times.
    num_classes : int or None
        Classes of the softmax; None leaves it out: the tower of a siamese net, which ends in
        a vector of 256 features.
    num_filters : int
        Channels of the first stage, a multiple of 4: 128 by the report's figure, 256 by a
        comment in its code.
    num_units : int
        Width of the first dense layer.
    gray_scaling : tuple of float
        Mean and deviation of the gray training images in [0, 1], as `measure_gray_scaling`
        returns them: they are part of the model.
    seed : int
        Seed of the initial weights (Keras' default, Glorot) and of the dropout.
    stages : sequence of int
        PEPX modules in each of the four stages, as published by default.
    dropout : {"own", "shared"}
        "own": each image of a batch loses units of its own, as published. "shared": all lose the
        same ones, so that what dropout does to a distance between two of them is no noise.

    Returns
    -------
    keras.Model
        Input "pixels" (size_px, size_px, 3) in [0, 255]; output (num_classes,) or (256,).

    Raises
    ------
    ValueError
        If the image is too small, the number of filters no multiple of 4, a stage empty, the
        dropout unknown, or the deviation of the training images not positive.
    """
    _check(size_px, num_filters, gray_scaling, stages, dropout)
    pixels = keras.Input((size_px, size_px, 3), name="pixels")
    make = _LayerMaker(seed, dropout)
    maps = make.convolve(_add_gray_scaling(pixels, gray_scaling), STEM_FILTERS, 7, "stem", stride=2)
    widths = FIRST_WIDTHS
    for stage, num_modules in enumerate(stages, start=1):
        channels = num_filters * 2 ** (stage - 1)
        maps = _add_stage(make, maps, stage, num_modules, channels, widths)
        widths = _list_widths(channels)
    hidden = keras.layers.Flatten(name="flatten")(maps)
    hidden = make.drop(hidden, DROPOUT_FLATTENED, "flatten_dropout")
    for name, width in (("hidden", num_units), ("features", NUM_FEATURES)):
        hidden = make.connect(hidden, width, "relu", name)
        hidden = make.drop(hidden, DROPOUT_DENSE, f"{name}_dropout")
    if num_classes is not None:
        hidden = make.connect(hidden, num_classes, "softmax", "scores")
    return keras.Model(pixels, hidden, name="covid_net")


def measure_gray_scaling(pixels):
    """Measure the mean and the deviation of all gray pixels of the training images.

    Parameters
    ----------
    pixels : ndarray of shape (n_images, size, size, 3), in [0, 255]
        Training images only: the numbers become part of the model.

    Returns
    -------
    mean, deviation : float
        Of gray values in [0, 1].
    """
    sums = np.zeros(2)
    for image in pixels:
        gray = image.astype(np.float64) @ np.array(GRAY_WEIGHTS) / 255
        sums += gray.mean(), (gray**2).mean()
    mean, square = sums / len(pixels)
    return float(mean), float(np.sqrt(max(square - mean**2, 0.0)))


def tabulate_blocks(model):
    """Tabulate the blocks of a COVID-Net: modules, upper convolutions, head.

    Parameters
    ----------
    model : keras.Model
        From `build_covid_net`.

    Returns
    -------
    DataFrame
        One row a block in the order of computation: `block`, `stage` (0 for stem and head),
        `widths` (channels of its layers, text), `side_px` (of the output map, missing in the
        head), `channels` and `parameters`.
    """
    blocks = {}
    for layer in model.layers:
        if layer.weights:
            parts = layer.name.split("_")
            length = {"pepx": 3, "upper": 2}.get(parts[0], len(parts))
            blocks.setdefault("_".join(parts[:length]), []).append(layer)
    rows = []
    for name, layers in blocks.items():
        pooled = [layer for layer in model.layers if layer.name == f"{name}_pool"]
        shape = (pooled or layers)[-1].output.shape
        parts = name.split("_")
        rows.append(
            {
                "block": name,
                "stage": int(parts[1]) if parts[0] in ("pepx", "upper") else 0,
                "widths": "-".join(str(layer.output.shape[-1]) for layer in layers),
                "side_px": shape[1] if len(shape) == 4 else pd.NA,
                "channels": shape[-1],
                "parameters": sum(layer.count_params() for layer in layers),
            }
        )
    return pd.DataFrame(rows).astype({"side_px": "Int64"})


def choose_cam_layer(model):
    """Name the last stage whose map is at least 7 pixels a side (of a small image, the first)."""
    names = [f"stage_{number}" for number in range(1, len(STAGES) + 1)]
    large = [name for name in names if model.get_layer(name).output.shape[1] >= MIN_MAP_PX]
    return large[-1] if large else names[0]


class _LayerMaker:
    """Make layers whose initial weights depend on the seed and their place alone."""

    def __init__(self, seed, dropout):
        self._seed = seed
        self._dropout = dropout
        self._number = 0

    def _count(self):
        self._number += 1
        return self._number

    def convolve(self, maps, filters, side, name, stride=1):
        initializer = heads.make_initializer(self._seed, self._count())
        return keras.layers.Conv2D(
            filters, side, strides=stride, padding="same", activation="relu",
            kernel_initializer=initializer, name=name,
        )(maps)  # fmt: skip

    def filter_depthwise(self, maps, name):
        initializer = heads.make_initializer(self._seed, self._count())
        return keras.layers.DepthwiseConv2D(
            3, padding="same", activation="relu", depthwise_initializer=initializer, name=name
        )(maps)

    def connect(self, values, width, activation, name):
        return heads.build_dense(width, activation, name, self._seed, self._count())(values)

    def drop(self, values, rate, name):
        seed = self._seed * heads.SEEDS_PER_MODEL + self._count()
        mask = (1, values.shape[-1]) if self._dropout == "shared" else None
        return keras.layers.Dropout(rate, noise_shape=mask, seed=seed, name=name)(values)


def _list_widths(channels):
    return channels // 2, 3 * channels // 4, channels // 2


def _add_stage(make, maps, stage, num_modules, channels, first_widths):
    """Add one stage; its first module and its upper convolution are pooled."""
    upper = make.convolve(maps, channels, 1, f"upper_{stage}")
    first = _add_pepx(make, maps, first_widths, channels, f"pepx_{stage}_1")
    outputs = [
        keras.layers.MaxPooling2D(2, name=f"upper_{stage}_pool")(upper),
        keras.layers.MaxPooling2D(2, name=f"pepx_{stage}_1_pool")(first),
    ]
    for number in range(2, num_modules + 1):
        name = f"pepx_{stage}_{number}"
        total = keras.layers.Add(name=f"{name}_sum")(outputs)
        outputs.append(_add_pepx(make, total, _list_widths(channels), channels, name))
    return keras.layers.Add(name=f"stage_{stage}")(outputs)


def _add_pepx(make, maps, widths, channels, name):
    project, expand, project_again = widths
    maps = make.convolve(maps, project, 1, f"{name}_project")
    maps = make.convolve(maps, expand, 1, f"{name}_expand")
    maps = make.filter_depthwise(maps, f"{name}_depthwise")
    maps = make.convolve(maps, project_again, 1, f"{name}_project_again")
    return make.convolve(maps, channels, 1, f"{name}_extend")


def _add_gray_scaling(pixels, gray_scaling):
    """Turn RGB in [0, 255] into standardised gray, as one frozen 1x1 convolution."""
    mean, deviation = gray_scaling
    layer = keras.layers.Conv2D(1, 1, name="preprocessing", trainable=False)
    output = layer(pixels)
    kernel = np.array(GRAY_WEIGHTS, dtype=np.float32) / (255 * deviation)
    layer.set_weights([kernel.reshape(1, 1, 3, 1), np.array([-mean / deviation], np.float32)])
    return output


def _check(size_px, num_filters, gray_scaling, stages, dropout):
    if dropout not in ("own", "shared"):
        raise ValueError(f'Unknown dropout. Expected "own" or "shared". Received: {dropout!r}.')
    if size_px < 32 or num_filters < 4 or num_filters % 4 or len(stages) != 4 or min(stages) < 1:
        raise ValueError(
            "COVID-Net halves its maps five times and splits its filters into quarters. Expected "
            "size_px of at least 32, num_filters a multiple of 4 and at least one module in each "
            f"of four stages. Received: size_px={size_px}, num_filters={num_filters}, "
            f"stages={stages}."
        )
    if not gray_scaling[1] > 0:
        raise ValueError(
            "The training images do not vary, so they cannot be standardised. Expected a positive "
            "deviation (look for images that are all one colour). Received: "
            f"gray_scaling={gray_scaling}."
        )
