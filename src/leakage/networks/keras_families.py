"""ResNet50, MobileNetV2, Xception and InceptionV3, as `keras.applications` has them.

He et al. 2016 (arXiv 1512.03385), Sandler et al. 2018 (arXiv 1801.04381), Chollet 2017
(arXiv 1610.02357), Szegedy et al. 2016 (arXiv 1512.00567).
"""

import keras

from leakage.networks import vgg, weights

# The "tf" mode of `preprocess_input`: x / 127.5 - 1, in RGB order.
TO_UNIT = {"scale": 1 / 127.5, "offset": (-1.0,) * 3, "reverse_channels": False}

RESNET50 = weights.Family(
    name="resnet50",
    builder=keras.applications.ResNet50,
    input_size_px=224,
    scale=vgg.VGG19.scale,
    offset=vgg.VGG19.offset,
    reverse_channels=True,
    weights_url=vgg.URL + "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_hash="4d473c1dd8becc155b73f8504c6f6626",
    last_conv="conv5_block3_out",
)
MOBILENET_V2 = weights.Family(
    name="mobilenet_v2",
    builder=keras.applications.MobileNetV2,
    input_size_px=224,
    weights_url=vgg.URL + "mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    weights_hash=None,  # Keras has none either
    last_conv="out_relu",
    **TO_UNIT,
)
XCEPTION = weights.Family(
    name="xception",
    builder=keras.applications.Xception,
    input_size_px=299,
    weights_url=vgg.URL + "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_hash="b0042744bf5b25fce3cb969f33bebb97",
    last_conv="block14_sepconv2_act",
    minimum_size_px=71,
    **TO_UNIT,
)
INCEPTION_V3 = weights.Family(
    name="inception_v3",
    builder=keras.applications.InceptionV3,
    input_size_px=299,
    weights_url=vgg.URL + "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_hash="bcbd6486424b2319ff4ef7d526e38f63",
    last_conv="mixed10",
    minimum_size_px=75,
    **TO_UNIT,
)
