"""Flat Keras models: a backbone is one file with one `Family` that is named in `BACKBONES`.

Every model is one flat functional graph that takes raw pixels in [0, 255], its own
pre-processing included: Grad-CAM then finds the convolution by name and cannot be fed images on
the wrong scale.
"""

from leakage.models import heads, saved, small_cnn, vgg, weights
from leakage.models.heads import build_paper_head, join_backbone_and_head
from leakage.models.small_cnn import build_small_cnn
from leakage.models.weights import Backbone, copy_with_random_weights

__all__ = [
    "BACKBONES",
    "Backbone",
    "build_backbone",
    "build_paper_head",
    "build_small_cnn",
    "copy_with_random_weights",
    "heads",
    "join_backbone_and_head",
    "saved",
    "small_cnn",
    "weights",
]

BACKBONES = {"vgg19": vgg.VGG19}


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
        If the name or the source of weights is unknown.
    ConnectionError
        If ImageNet weights are neither in Keras' cache nor to be had from the network.
    """
    if weights_source not in ("imagenet", "random"):
        return saved.load_backbone(weights_source, size_px)
    if name not in BACKBONES:
        raise ValueError(
            f"Unknown backbone. Expected one of {sorted(BACKBONES)}. Received: {name!r}."
        )
    return weights.build_family(BACKBONES[name], weights_source, size_px, seed)
