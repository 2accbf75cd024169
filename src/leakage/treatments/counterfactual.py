"""What is left of an image: inside a mask, outside it, the border, a thumbnail."""

import numpy as np

from leakage.treatments._common import FILL_VALUE, Treatment
from leakcard import images
from leakcard.symbols import make_centre

# Side of the centre box, as a share of the image's: the lungs of a frontal chest X-ray lie in it.
BOX_SHARE = 0.7
# Width of the border, as a share of the side: letters, frames and collimation lie in it.
BORDER_SHARE = 0.1
THUMBNAIL_PX = 16


def _keep(image, mask):
    return np.where(mask[..., np.newaxis], image, np.float32(FILL_VALUE))


def _remove_mask(image, mask):
    return _keep(image, ~mask)


def _keep_box(image, mask):
    return _keep(image, make_centre(image.shape[:2], BOX_SHARE))


def _remove_box(image, mask):
    return _keep(image, ~make_centre(image.shape[:2], BOX_SHARE))


def _keep_border(image, mask):
    return _keep(image, ~make_centre(image.shape[:2], 1 - 2 * BORDER_SHARE))


def _shrink(image, mask):
    small = images.resize_image(image, THUMBNAIL_PX)
    enlarged = images.resize_image(small, max(image.shape[:2]))
    return enlarged[: image.shape[0], : image.shape[1]]


TREATMENTS = (
    Treatment("none"),
    Treatment("mask only", _keep, needs_mask=True),
    Treatment("mask removed", _remove_mask, needs_mask=True),
    Treatment("centre box only", _keep_box),
    Treatment("centre box removed", _remove_box),
    Treatment("border only", _keep_border),
    Treatment("thumbnail 16x16", _shrink),
)
