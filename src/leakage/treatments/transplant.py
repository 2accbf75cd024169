"""Carry the symbols of one class's training images over to all images.

What every image bears says nothing about its class. The report "COVID-19 Transfer Learning Using
Lung Images" pasted all that a threshold found and so carried bone and tissue along: that is
"threshold transplant", the wrong half of the pair. It pasted on one class only; a treatment that
depends on the label would itself be a label, so here all images receive symbols, the donors too.
"""

import zlib

import cv2
import numpy as np

from leakage.treatments import symbols
from leakage.treatments._common import Treatment

MAX_DONORS = 64
# A share of the donor: what is less than a letter of a line of text is no use as a symbol.
MIN_SHARE = 0.0003


def make_fit(find):
    """Return a fit that collects what `find` finds on the donors.

    The bank holds, for each donor, the box of its symbols: pixels, mask, and where the box lies
    (top, left, height, width as shares of the donor's).
    """

    def fit(pictures, rows):
        bank = {}
        for picture in pictures:
            found = find(picture)
            if found.mean() >= MIN_SHARE and len(bank) < 3 * MAX_DONORS:
                bank |= _pack(picture, found, len(bank) // 3)
        return bank

    return fit


def paste(image, mask, state):
    """Paste the symbols of one donor, which follows from the image's own pixels.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=float32, in [0, 255]
    mask : ignored
    state : dict
        The bank.

    Returns
    -------
    ndarray of the shape of `image`
        Unchanged if the bank is empty.
    """
    num_donors = len(state) // 3
    if not num_donors:
        return image.copy()
    donor = zlib.crc32(np.ascontiguousarray(image).tobytes()) % num_donors
    pixels, found, place = (state[f"{name}_{donor}"] for name in ("pixels", "found", "place"))
    sides = np.array(image.shape[:2] * 2)
    top, left, height, width = np.maximum(np.rint(place * sides), [0, 0, 1, 1]).astype(int)
    height, width = min(height, sides[0]), min(width, sides[1])
    top, left = min(top, sides[0] - height), min(left, sides[1] - width)
    if (height, width) != found.shape:
        smaller = height * width < found.size
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        found = cv2.resize(found.astype(np.float32), (width, height), interpolation=how) >= 0.5
        pixels = cv2.resize(pixels, (width, height), interpolation=how)
    treated = image.copy()
    target = treated[top : top + height, left : left + width]
    target[found] = pixels[found][:, np.newaxis]
    return treated


def _pack(picture, found, number):
    rows, columns = (np.flatnonzero(found.any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = found[box]
    place = np.array([rows[0], columns[0], *inside.shape]) / np.array(found.shape * 2)
    pixels = picture[box].max(axis=2)
    # Outside, the colour of the symbols: resizing then mixes no tissue into their edges.
    pixels = np.where(inside, pixels, np.median(pixels[inside])).astype(np.uint8)
    return {f"pixels_{number}": pixels, f"found_{number}": inside, f"place_{number}": place}


def _find_strictly(picture):
    return symbols.find_symbols(picture, strict=True)


TREATMENTS = (
    Treatment(
        "transplant",
        paste,
        at_full_size=True,
        fit=make_fit(_find_strictly),
        needs_donors=True,
        version=1,
    ),
    Treatment(
        "threshold transplant",
        paste,
        at_full_size=True,
        fit=make_fit(symbols.find_bright),
        needs_donors=True,
        version=1,
    ),
)
