"""The small convolutional network of the wolf/husky notebook (system S1)."""

import keras

from leakage.networks import heads


def build_small_cnn(input_shape=(256, 256, 3), num_classes=2, seed=0):
    """Build three convolutions (64, 128, 128), Dense 64 and a softmax, for raw pixels.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width, 3), pixels in [0, 255].
    num_classes : int
    seed : int
        Seed of the initial weights.

    Returns
    -------
    keras.Model
        A flat functional model; Grad-CAM reads its layer "conv_3".
    """
    pixels = keras.Input(input_shape, name="pixels")
    maps = keras.layers.Rescaling(1 / 255, name="rescaling")(pixels)
    for number, filters in enumerate((64, 128, 128), start=1):
        maps = keras.layers.Conv2D(
            filters,
            3,
            activation="relu",
            name=f"conv_{number}",
            kernel_initializer=heads.make_initializer(seed, number),
        )(maps)
        maps = keras.layers.MaxPooling2D(2, name=f"pool_{number}")(maps)
    hidden = keras.layers.Flatten(name="flatten")(maps)
    hidden = heads.build_dense(64, "relu", "hidden", seed, 4)(hidden)
    scores = heads.build_dense(num_classes, "softmax", "scores", seed, 5)(hidden)
    return keras.Model(pixels, scores, name="small_cnn")
