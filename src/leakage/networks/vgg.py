"""VGG16 and VGG19 (Simonyan & Zisserman 2014, arXiv 1409.1556), trained by them on BGR pixels.

`VGG16_FC1` to `VGG16_FC3` keep one to three of VGG16's own fully connected layers, as the third
system does (S3): the ImageNet weights of those take images of 224 pixels, and the last has its
1,000 outputs without their softmax. With random weights the structure is kept, at any size.
"""

import dataclasses

import keras

from leakage.networks import weights

# Mean of the ImageNet training images in BGR order (the "caffe" mode of `preprocess_input`).
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
URL = "https://storage.googleapis.com/tensorflow/keras-applications/"

VGG19 = weights.Family(
    name="vgg19",
    builder=keras.applications.VGG19,
    input_size_px=224,
    scale=1.0,
    offset=tuple(-mean for mean in IMAGENET_MEAN_BGR),
    reverse_channels=True,
    weights_url=URL + "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_hash="253f8cb515780f3b799900260a226db6",
    last_conv="block5_conv4",
)
VGG16 = dataclasses.replace(
    VGG19,
    name="vgg16",
    builder=keras.applications.VGG16,
    weights_url=URL + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_hash="6d6bbae143d832006294945121d1f1fc",
    last_conv="block5_conv3",
)


def _keep_dense(number, last_layer):
    return dataclasses.replace(
        VGG16,
        name=f"vgg16_fc{number}",
        weights_url=URL + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        weights_hash="64373286793e3c8b2b4e3219cbf3544b",
        last_layer=last_layer,
    )


VGG16_FC1 = _keep_dense(1, "fc1")
VGG16_FC2 = _keep_dense(2, "fc2")
VGG16_FC3 = _keep_dense(3, "predictions")
