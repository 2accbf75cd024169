"""Flat Keras models: a backbone is one file with one `Family` that is named in `BACKBONES`.

Every model is one flat functional graph that takes raw pixels in [0, 255], its own
pre-processing included: Grad-CAM then finds the convolution by name and cannot be fed images on
the wrong scale.
"""

from leakage.models import (
    baselines,
    covid_net,
    heads,
    keras_families,
    precision,
    resnet18,
    saved,
    siamese,
    small_cnn,
    tails,
    vgg,
    weights,
)
from leakage.models.covid_net import build_covid_net
from leakage.models.heads import HEADS, build_head, build_paper_head, join_backbone_and_head
from leakage.models.saved import save_backbone
from leakage.models.siamese import build_siamese
from leakage.models.small_cnn import build_small_cnn
from leakage.models.tails import (
    copy_tail,
    count_weights,
    cut_backbone,
    join_frozen_and_trained,
    join_tail_and_head,
)
from leakage.models.weights import Backbone, copy_with_random_weights

__all__ = [
    "BACKBONES",
    "HEADS",
    "Backbone",
    "build_backbone",
    "build_covid_net",
    "build_head",
    "build_paper_head",
    "build_siamese",
    "build_small_cnn",
    "copy_tail",
    "copy_with_random_weights",
    "count_weights",
    "covid_net",
    "cut_backbone",
    "heads",
    "join_backbone_and_head",
    "join_frozen_and_trained",
    "join_tail_and_head",
    "precision",
    "save_backbone",
    "saved",
    "siamese",
    "small_cnn",
    "tails",
    "weights",
]

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


def build_backbone(name, weights_source, size_px, seed=0, dtype="float32"):
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
    dtype : {"float32", "mixed_bfloat16"}
        What it computes in; see `leakage.models.precision`.

    Returns
    -------
    Backbone

    Raises
    ------
    ValueError
        If the name, the source of weights or the precision is unknown, Keras has no ImageNet
        weights of this backbone, or the images are too small for it.
    ConnectionError
        If ImageNet weights are neither in Keras' cache nor to be had from the network.
    """
    if weights_source == "nih":
        raise ValueError(
            'Weights "nih" are trained here, not downloaded. Expected a backbone from '
            "`training.pretrain_on_findings`, or the path of one that `models.save_backbone` "
            f"wrote. Received: weights={weights_source!r}."
        )
    if weights_source not in ("imagenet", "random"):
        backbone = saved.load_backbone(weights_source, size_px)
    elif name in BACKBONES:
        backbone = weights.build_family(BACKBONES[name], weights_source, size_px, seed)
    else:
        raise ValueError(
            f"Unknown backbone. Expected one of {sorted(BACKBONES)}. Received: {name!r}."
        )
    return precision.convert_backbone(backbone, dtype)
