"""Apply treatments to images and to the files of a table's rows."""

import cv2
import numpy as np

from leakage.treatments import _names, crop
from leakage.treatments._common import MAX_VALUE, check_image, check_mask
from leakcard import images

# Symbols are looked for at this size of the longer side; larger images are shrunk first.
WORKING_PX = 512
# A mask of another resolution than its image is resized; one of another shape is another image's.
SHAPE_TOLERANCE = 0.02
MASK_THRESHOLD = 127.5


def apply_treatment(name, image, mask=None):
    """Return a treated copy of an image.

    Parameters
    ----------
    name : str or Fitted
        A key of `TREATMENTS`, several joined by "+", or what `fit_treatment` returned.
    image : ndarray of shape (height, width, 3), uint8 or float32, in [0, 255]
    mask : ndarray of shape (height, width), dtype=bool, optional
        Lungs or animal, for the treatments that need it.

    Returns
    -------
    ndarray of the shape and range of `image`, dtype=float32
        What cannot be treated (flat, tiny, nothing found) comes back unchanged; `report_changes`
        says which and why.

    Raises
    ------
    ValueError
        If a name is unknown or not fitted, the image has another type or range, or a mask is
        missing, empty or of another size.
    """
    check_image(image)
    steps = _names.split_name(name)
    shape = image.shape[:2]
    treated, _ = run_steps(steps, image.astype(np.float32), mask, name)
    if treated.shape[:2] == shape:
        return treated
    return crop.enlarge(treated, shape)


def run_steps(steps, image, mask, treatment):
    """Apply steps in order; return image and mask, both smaller where a step cuts."""
    states = treatment.states if isinstance(treatment, _names.Fitted) else {}
    _names.check_fitted(steps, states)
    image = image.copy() if not steps else image
    for step in steps:
        if step.needs_mask:
            check_mask(mask, image, step.name)
        if step.find_box:
            box = step.find_box(image, mask)
            image = np.ascontiguousarray(image[box])
            mask = None if mask is None else np.ascontiguousarray(mask[box])
        elif step.fit:
            image = step.apply(image, mask, states[step.name])
        else:
            image = step.apply(image, mask)
    return image, mask


def load_treated_image(row, size_px, name):
    """Decode, treat and resize one image.

    Parameters
    ----------
    row : Series or dict
        With `path`, and `mask_path` for the treatments that need it.
    size_px : int
    name : str or Fitted
        As `apply_treatment` takes it. What is applied to the whole image is applied at its own
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
    steps = _names.split_name(name)
    needed = any(step.needs_mask for step in steps) if with_mask is None else with_mask
    image = images.decode_image(row["path"])
    mask = read_mask(row, image.shape[:2]) if needed else None
    whole = [step for step in steps if step.at_full_size]
    if whole:
        image, mask = run_steps(whole, *shrink(image, mask), name)
        mask = None if mask is None else mask.astype(np.float32) * MAX_VALUE
    image = images.resize_image(image, size_px).astype(np.float32)
    if mask is not None:
        mask = images.resize_image(mask, size_px) >= MASK_THRESHOLD
    return run_steps([step for step in steps if not step.at_full_size], image, mask, name)


def read_mask(row, shape):
    """Read the mask of an image of the given shape (height, width).

    Returns
    -------
    ndarray, dtype=float32, in [0, 255]
        As stored; it may have another resolution than the image.

    Raises
    ------
    ValueError
        If there is none, or it has another aspect ratio than the image.
    """
    path = row["mask_path"]
    if not isinstance(path, str):
        raise ValueError(
            f"An image has no mask: {row['path']}. Expected a path in `mask_path`. Select the rows "
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


def load_whole(row, steps, treatment):
    """Decode one image and apply steps at its own size; return it and its mask.

    Returns
    -------
    image : ndarray of shape (height, width, 3), dtype=float32, in [0, 255]
    mask : ndarray of shape (height, width), dtype=bool, or None
    """
    image = images.decode_image(row["path"])
    needed = any(step.needs_mask for step in steps)
    mask = read_mask(row, image.shape[:2]) if needed else None
    return run_steps(steps, *shrink(image, mask), treatment)


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
