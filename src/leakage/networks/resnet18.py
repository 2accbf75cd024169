"""ResNet18 (He et al. 2016, arXiv 1512.03385), flat and layer for layer as torchvision has it.

11,176,512 weights without the classifier, the moving statistics of batch normalisation not
counted; with the last layer of the second system (S2) 11,180,610.
"""

import keras

from leakage.networks import weights

# Mean and deviation of the ImageNet training images in RGB, pixels in [0, 1] (torchvision).
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
NUM_BLOCKS_PER_STAGE = 2
STAGE_FILTERS = (64, 128, 256, 512)
# torchvision's batch normalisation: epsilon 1e-5, and 0.9 of the old statistics kept.
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}


def build_resnet18(input_tensor, include_top=False, weights=None):
    """Build the convolutions on a prepared tensor; layers have names of their own.

    Parameters
    ----------
    input_tensor : KerasTensor of shape (None, height, width, 3)
    include_top, weights
        False and None, as `Family.builder` is called: no weights of this network are published.

    Returns
    -------
    keras.Model
        Output of a 32nd of the input's side, rounded up, with 512 channels.
    """
    maps = _convolve(input_tensor, 64, 7, 2, "stem")
    maps = keras.layers.Activation("relu", name="stem_relu")(maps)
    maps = keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(maps)
    maps = keras.layers.MaxPooling2D(3, strides=2, name="stem_pool")(maps)
    for stage, filters in enumerate(STAGE_FILTERS, start=1):
        for block in range(1, NUM_BLOCKS_PER_STAGE + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            maps = _add_block(maps, filters, strides, f"stage{stage}_block{block}")
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], maps, name="resnet18")


def _add_block(maps, filters, strides, name):
    shortcut = maps
    if strides != 1:
        shortcut = _convolve(maps, filters, 1, strides, f"{name}_shortcut")
    inner = _convolve(maps, filters, 3, strides, f"{name}_1")
    inner = keras.layers.Activation("relu", name=f"{name}_1_relu")(inner)
    inner = _convolve(inner, filters, 3, 1, f"{name}_2")
    added = keras.layers.Add(name=f"{name}_add")([shortcut, inner])
    return keras.layers.Activation("relu", name=f"{name}_out")(added)


def _convolve(maps, filters, kernel_size, strides, name):
    # Padded by hand: Keras' "same" pads a stride of 2 on one side only, torchvision on both.
    if kernel_size > 1:
        maps = keras.layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(maps)
    maps = keras.layers.Conv2D(
        filters, kernel_size, strides=strides, use_bias=False, name=f"{name}_conv"
    )(maps)
    return keras.layers.BatchNormalization(name=f"{name}_bn", **BATCH_NORM)(maps)


RESNET18 = weights.Family(
    name="resnet18",
    builder=build_resnet18,
    input_size_px=224,
    scale=tuple(1 / (255 * deviation) for deviation in DEVIATION),
    offset=tuple(-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)),
    reverse_channels=False,
    weights_url=None,
    weights_hash=None,
    last_conv="stage4_block2_out",
)
