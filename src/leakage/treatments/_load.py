"""Read an image and its mask, at the size at which a treatment is applied, and treat them."""

import cv2
import numpy as np

from leakage.treatments import _compose
from leakage.treatments._common import MAX_VALUE
from leakcard import images

# Symbols are looked for at this size of the longer side; larger images are shrunk first.
WORKING_PX = 512
# A mask of another resolution than its image is resized; one of another shape is another image's.
SHAPE_TOLERANCE = 0.02
MASK_THRESHOLD = 127.5


def load_treated_image(row, size_px, name):
    """Decode, treat and resize one image.

    Parameters
    ----------
    row : Series or dict
        With `path`, and `mask_path` for the treatments that need it.
    size_px : int
    name : str or Fitted
        As `split_name` takes it. What is applied to the whole image is applied at its own
        size, or at 512 pixels of the longer side if that is less; the rest at `size_px`.

    Returns
    -------
    ndarray of shape (size_px, size_px, 3), dtype=float32, in [0, 255]
    """
    return load_treated_pair(row, size_px, name)[0]


def load_treated_pair(row, size_px, name, with_mask=None):
    """Load one image and its mask as `load_treated_image`; the mask goes where the image goes.

    Parameters
    ----------
    row, size_px, name
        As `load_treated_image`.
    with_mask : bool, optional
        Whether to read `mask_path`; default, if the treatment needs it.

    Returns
    -------
    image : ndarray of shape (size_px, size_px, 3), dtype=float32, in [0, 255]
    mask : ndarray of shape (size_px, size_px), dtype=bool, or None
    """
    steps = _compose.split_name(name)
    image = images.decode_image(row["path"])
    mask = None
    if with_mask or (with_mask is None and _compose.needs_mask(name)):
        mask = read_mask(row["mask_path"], row["path"], image.shape[:2])
    whole = [step for step in steps if step.at_full_size]
    if whole:
        image, mask = _compose.run_steps(whole, *shrink(image, mask), name)
        mask = None if mask is None else mask.astype(np.float32) * MAX_VALUE
    image = images.resize_image(image, size_px).astype(np.float32)
    if mask is not None:
        mask = images.resize_image(mask, size_px) >= MASK_THRESHOLD
    small = [step for step in steps if not step.at_full_size]
    return _compose.run_steps(small, image, mask, name)


def load_whole(row, steps, treatment):
    """Decode one image and apply steps at its own size, or the working size if that is less."""
    image, mask = images.decode_image(row["path"]), None
    if any(step.needs_mask for step in steps):
        mask = read_mask(row["mask_path"], row["path"], image.shape[:2])
    return _compose.run_steps(steps, *shrink(image, mask), treatment)[0]


def read_mask(path, image_path, shape):
    """Read the mask of an image of a shape (height, width), as stored: float32, in [0, 255]."""
    if not isinstance(path, str):
        raise ValueError(
            f"An image has no mask: {image_path}. Expected a path in `mask_path`. Select the rows "
            f"with `table[table['mask_path'].notna()]`. Received: {path!r}"
        )
    values = images.decode_image(path)[..., 0].astype(np.float32)
    ratio = (values.shape[1] / values.shape[0]) / (shape[1] / shape[0])
    if abs(np.log(ratio)) > SHAPE_TOLERANCE:
        raise ValueError(
            f"A mask has another shape than its image: {path}. Expected {shape[1]} x {shape[0]} "
            "pixels, or the same aspect ratio. Received: "
            f"{values.shape[1]} x {values.shape[0]} pixels."
        )
    return values


def shrink(image, mask):
    """Shrink an image to the working size, and bring its mask, as stored, to the same."""
    scale = min(1.0, WORKING_PX / max(image.shape[:2]))
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if mask is not None:
        if mask.shape != image.shape[:2]:
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_AREA)
        mask = mask >= MASK_THRESHOLD
    return image.astype(np.float32), mask
