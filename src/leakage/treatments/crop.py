"""Cut an image: to its centre, or to the box around its mask."""

import numpy as np

from leakage.treatments import counterfactual
from leakage.treatments._common import Treatment

# The crop leaves just what the counterfactual "border only" shows.
CROP_SHARE = 1 - 2 * counterfactual.BORDER_SHARE
# Room around the mask, as a share of its box: the edge of the lungs is part of the picture.
MASK_MARGIN = 0.05


def find_centre(image, mask):
    """Return the slices of the centre: 80 % of the height and of the width."""
    return _find_extent(counterfactual.make_centre(image.shape[:2], CROP_SHARE))


def find_mask_box(image, mask):
    """Return the slices of the box around a mask, with a margin, within the image."""
    rows, columns = _find_extent(mask)
    grown = []
    for part, side in zip((rows, columns), mask.shape, strict=True):
        margin = round((part.stop - part.start) * MASK_MARGIN)
        grown.append(slice(max(0, part.start - margin), min(side, part.stop + margin)))
    return tuple(grown)


def _find_extent(mask):
    extents = []
    for axis in (1, 0):
        inside = np.flatnonzero(mask.any(axis=axis))
        extents.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(extents)


TREATMENTS = (
    Treatment("crop", at_full_size=True, find_box=find_centre, version=1),
    Treatment(
        "mask crop",
        needs_mask=True,
        at_full_size=True,
        find_box=find_mask_box,
        version=1,
    ),
)
