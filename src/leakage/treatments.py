"""What is done to the pixels of an image before a network sees it, by name.

The counterfactual versions ask what a classifier still knows when the part of the image that
holds the disease is taken away, or is all that is left. One kind of mask serves all classes of a
comparison: true masks for some and boxes for others would be a new shortcut. Where masks are not
complete, a centre box stands for the lungs, as in Maguolo & Nanni (arXiv 2004.12823).
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from leakage import images, progress

# Side of the centre box, as a share of the image's: the lungs of a frontal chest X-ray lie in it.
BOX_SHARE = 0.7
# Width of the border, as a share of the side: letters, frames and collimation lie in it.
BORDER_SHARE = 0.1
THUMBNAIL_PX = 16
# What stands where pixels are taken away: the air around a patient.
FILL_VALUE = 0.0


@dataclasses.dataclass(frozen=True)
class Treatment:
    """One treatment.

    Attributes
    ----------
    name : str
        Named in results, and part of the feature bank's key.
    apply : callable
        `apply(image, mask)` returns a new image of the same shape; `mask` is None unless asked
        for. The image is an ndarray of shape (size, size, 3), float32, in [0, 255].
    needs_mask : bool
        Whether it needs the image's own mask (lungs or animal).
    """

    name: str
    apply: Callable
    needs_mask: bool = False


def apply_treatment(name, image, mask=None):
    """Return a treated copy of an image.

    Parameters
    ----------
    name : str
        A key of `TREATMENTS`.
    image : ndarray of shape (size, size, 3), dtype=float32, in [0, 255]
    mask : ndarray of shape (size, size), dtype=bool, optional
        Lungs or animal, for the treatments that need it.

    Returns
    -------
    ndarray of the shape and range of `image`

    Raises
    ------
    ValueError
        If the name is unknown, or a mask is missing or of another size.
    """
    if name not in TREATMENTS:
        raise ValueError(
            f"Unknown treatment. Expected one of {sorted(TREATMENTS)}. Received: {name!r}."
        )
    if TREATMENTS[name].needs_mask and (mask is None or mask.shape != image.shape[:2]):
        raise ValueError(
            f"Treatment {name!r} needs the mask of each image. Expected a mask of shape "
            f"{image.shape[:2]}. Use its box version, such as 'centre box only', where masks are "
            f"not complete. Received: {None if mask is None else mask.shape}."
        )
    return TREATMENTS[name].apply(image, mask)


def load_treated_image(row, size_px, name):
    """Decode, resize and treat one image.

    Parameters
    ----------
    row : Series
        With `path`, and `mask_path` for the treatments that need it.
    size_px : int
    name : str
        A key of `TREATMENTS`.

    Returns
    -------
    ndarray of shape (size_px, size_px, 3), dtype=float32, in [0, 255]
    """
    image = images.resize_image(images.decode_image(row["path"]), size_px).astype(np.float32)
    mask = None
    if TREATMENTS[name].needs_mask:
        mask = images.load_masks([row["mask_path"]], size_px, num_jobs=1)[0]
    return apply_treatment(name, image, mask)


def load_treated_images(table, size_px, name):
    """Decode, resize and treat every image of a table.

    Parameters
    ----------
    table : DataFrame
    size_px : int
    name : str

    Returns
    -------
    ndarray of shape (n_images, size_px, size_px, 3), dtype=float32, in [0, 255]
    """
    rows = progress.track(table.to_dict("records"), f"load images, {name}")
    return np.stack([load_treated_image(row, size_px, name) for row in rows])


def choose_counterfactuals(table):
    """Choose the counterfactual versions that every row of a table allows.

    Parameters
    ----------
    table : DataFrame
        Rows of the table contract.

    Returns
    -------
    tuple of str
        Names in `TREATMENTS`: with the images' own masks if every row has one, else with the
        centre box for all.
    """
    own = bool(table["mask_path"].notna().all())
    inside, outside = (
        ("mask only", "mask removed")
        if own
        else (
            "centre box only",
            "centre box removed",
        )
    )
    return (inside, outside, "border only", "thumbnail 16x16")


def make_box(size_px):
    """Return the centre box as a mask, ndarray of shape (size_px, size_px), dtype=bool."""
    return _make_square(size_px, BOX_SHARE)


def _make_square(size_px, share):
    margin = round(size_px * (1 - share) / 2)
    box = np.zeros((size_px, size_px), dtype=bool)
    box[margin : size_px - margin, margin : size_px - margin] = True
    return box


def _keep(image, mask):
    return np.where(mask[..., np.newaxis], image, np.float32(FILL_VALUE))


def _leave(image, mask):
    return image.copy()


def _keep_box(image, mask):
    return _keep(image, make_box(len(image)))


def _remove_box(image, mask):
    return _keep(image, ~make_box(len(image)))


def _remove_mask(image, mask):
    return _keep(image, ~mask)


def _keep_border(image, mask):
    return _keep(image, ~_make_square(len(image), 1 - 2 * BORDER_SHARE))


def _shrink(image, mask):
    small = images.resize_image(image, THUMBNAIL_PX)
    return images.resize_image(small, len(image))


TREATMENTS = {
    treatment.name: treatment
    for treatment in (
        Treatment("none", _leave),
        Treatment("mask only", _keep, needs_mask=True),
        Treatment("mask removed", _remove_mask, needs_mask=True),
        Treatment("centre box only", _keep_box),
        Treatment("centre box removed", _remove_box),
        Treatment("border only", _keep_border),
        Treatment("thumbnail 16x16", _shrink),
    )
}
