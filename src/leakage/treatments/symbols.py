"""Paint over symbols burned into radiographs, found by their form or by a threshold alone."""

from leakage.treatments._common import Treatment
from leakcard.symbols import find_symbols, paint_out, to_gray

BRIGHT_THRESHOLD = 200  # of the threshold alone


def find_bright(image):
    """Threshold alone: every pixel of at least 200. Carries bone and tissue along, on purpose.

    Returns
    -------
    ndarray of shape (height, width), dtype=bool
    """
    return to_gray(image) >= BRIGHT_THRESHOLD


def _paint_over(find):
    return lambda image, mask: paint_out(image, find(image))


TREATMENTS = (
    Treatment("inpaint", _paint_over(find_symbols), at_full_size=True, version=1),
    Treatment("threshold inpaint", _paint_over(find_bright), at_full_size=True, version=1),
)
