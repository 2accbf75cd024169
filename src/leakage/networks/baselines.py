"""Networks without transfer: none, one or six convolutions before the dense layers.

As backbones, so that the same code trains, saves and explains them; their weights are always
drawn anew ("from scratch").
"""

import keras

from leakage.networks import weights

# S3 does not say how many filters its one convolution has.
NUM_FILTERS_OF_ONE = 8
LUNG_CNN_FILTERS = (64, 64, 128, 128, 256, 256)
# Six valid convolutions, each with pooling, leave nothing of an image smaller than this.
LUNG_CNN_VALID_FROM_PX = 190


def build_pixels(input_tensor, include_top=False, weights=None):
    """Nothing but the pixels, for "Flatten, Dense 64" (S3)."""
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], input_tensor, name="pixels")


def build_one_convolution(input_tensor, include_top=False, weights=None):
    """One 3x3 convolution, ReLU (S3); its number of filters is ours."""
    maps = keras.layers.Conv2D(NUM_FILTERS_OF_ONE, 3, activation="relu", name="conv_1")(
        input_tensor
    )
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], maps, name="one_convolution")


def build_lung_cnn(input_tensor, include_top=False, weights=None):
    """Six 3x3 convolutions, ReLU, each with 2x2 max-pooling (S4).

    Valid convolutions as published; images of less than 190 pixels, of which those would leave
    nothing, are padded instead.
    """
    padding = "valid" if input_tensor.shape[1] >= LUNG_CNN_VALID_FROM_PX else "same"
    maps = input_tensor
    for number, filters in enumerate(LUNG_CNN_FILTERS, start=1):
        name = f"conv_{number}"
        maps = keras.layers.Conv2D(filters, 3, activation="relu", padding=padding, name=name)(maps)
        maps = keras.layers.MaxPooling2D(2, padding=padding, name=f"pool_{number}")(maps)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], maps, name="lung_cnn")


def _define(name, builder, input_size_px, last_conv):
    return weights.Family(
        name=name,
        builder=builder,
        input_size_px=input_size_px,
        scale=1 / 255,
        offset=(0.0,) * 3,
        reverse_channels=False,
        weights_url=None,
        weights_hash=None,
        last_conv=last_conv,
        minimum_size_px=8,
        is_pretrainable=False,
    )


# Without a convolution of its own, Grad-CAM reads the prepared pixels themselves.
PIXELS = _define("pixels", build_pixels, 224, "preprocessing")
ONE_CONVOLUTION = _define("one_convolution", build_one_convolution, 224, "conv_1")
LUNG_CNN = _define("lung_cnn", build_lung_cnn, 200, "conv_6")
