"""VGG19 (Simonyan & Zisserman 2014, arXiv 1409.1556), trained by its authors on BGR pixels."""

import keras

from leakage.models import weights

# Mean of the ImageNet training images in BGR order (the "caffe" mode of `preprocess_input`).
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
URL = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"

VGG19 = weights.Family(
    name="vgg19",
    builder=keras.applications.VGG19,
    input_size_px=224,
    scale=1.0,
    offset=tuple(-mean for mean in IMAGENET_MEAN_BGR),
    reverse_channels=True,
    weights_url=URL + "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_hash="253f8cb515780f3b799900260a226db6",
    last_conv="block5_conv4",
)
