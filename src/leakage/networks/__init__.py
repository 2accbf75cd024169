"""Flat Keras models: a backbone is one file with one `Family` that is named in `BACKBONES`.

Every model is one flat functional graph that takes raw pixels in [0, 255], its own
pre-processing included: Grad-CAM then finds the convolution by name and cannot be fed images on
the wrong scale.
"""

from leakage.networks import (
    baselines,
    heads,
    keras_families,
    resnet18,
    saved,
    vgg,
    weights,
)
from leakage.networks.heads import (
    HEADS,
    build_head,
    build_scaling,
    join_backbone_and_head,
    set_initial_weights,
)
from leakage.networks.saved import save_backbone
from leakage.networks.weights import Backbone, copy_with_random_weights

BACKBONES = {
    family.name: family
    for family in (
        vgg.VGG16,
        vgg.VGG19,
        vgg.VGG16_FC1,
        vgg.VGG16_FC2,
        vgg.VGG16_FC3,
        resnet18.RESNET18,
        keras_families.RESNET50,
        keras_families.MOBILENET_V2,
        keras_families.XCEPTION,
        keras_families.INCEPTION_V3,
        baselines.PIXELS,
        baselines.ONE_CONVOLUTION,
        baselines.LUNG_CNN,
    )
}


def build_backbone(name, weights_source, size_px, seed=0):
    """Build a frozen backbone for raw pixels.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`; ignored if `weights_source` is the path of a saved backbone.
    weights_source : str
        "imagenet" (Keras' own files, downloaded once), "random" (seeded, He-normal), or the path
        of a ``.keras`` file with its ``.json`` card beside it, which then decides the backbone.
    size_px : int
        Side of the square input image, in pixels.
    seed : int
        Seed of random weights.

    Returns
    -------
    Backbone

    Raises
    ------
    ValueError
        If the name or the source of weights is unknown, Keras has no ImageNet
        weights of this backbone, or the images are too small for it.
    ConnectionError
        If ImageNet weights are neither in Keras' cache nor to be had from the network.
    """
    if weights_source == "nih":
        raise ValueError(
            'Weights "nih" are trained here, not downloaded. Expected a backbone from '
            "`transfer.pretrain_on_findings`, or the path of one that `networks.save_backbone` "
            f"wrote. Received: weights={weights_source!r}."
        )
    if weights_source not in ("imagenet", "random"):
        return saved.load_backbone(weights_source, size_px)
    if name not in BACKBONES:
        raise ValueError(
            f"Unknown backbone. Expected one of {sorted(BACKBONES)}. Received: {name!r}."
        )
    return weights.build_family(BACKBONES[name], weights_source, size_px, seed)
