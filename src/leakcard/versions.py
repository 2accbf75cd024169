"""Counterfactual versions of one image: parts taken away, blurred, painted out, or of another."""

import cv2
import numpy as np

from leakcard import images

# Shares of the image's sides: the centre box holds the lungs of a frontal chest X-ray, the border
# letters, frames and collimation.
CENTRE_SHARE = 0.7
BORDER_SHARE = 0.1
BLUR_SHARE = 0.02  # sigma, of the longer side
THUMBNAIL_PX = 16
FILL_PX = 128  # what lies behind a subject is guessed at this size
# Marks: wider than any stroke is the kernel; so many gray values above the ground; the step at the
# outline as a share of that rise, which bones and soft lesions do not reach; small; and not so much
# of the image, nor so many, that it cannot be writing.
KERNEL_SHARE = 0.06
MIN_RISE = 40
MIN_SHARPNESS = 0.4
MIN_AREA_PX, MAX_AREA_SHARE, MAX_EXTENT_SHARE = 4, 0.01, 0.16
MAX_TOTAL_SHARE, MAX_PARTS = 0.02, 40  # more is a texture
INPAINT_RADIUS_PX = 3
SQUARE = np.ones((3, 3), np.uint8)


def make_versions(image, mask=None, donors=None):
    """Make every version of an image that can be made.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
    mask : ndarray of shape (height, width), dtype=bool, optional
        The subject; without it there are no versions of the background.
    donors : dict of str to (image, mask or None), optional
        Images of which parts are pasted, by the end of the version's name, such as "other_class".

    Returns
    -------
    dict of str to ndarray of shape (height, width, 3), dtype=uint8
        By name, "original" first.
    """
    shape = image.shape[:2]
    centre, inner = (_make_centre(shape, s) for s in (CENTRE_SHARE, 1 - 2 * BORDER_SHARE))
    painted = paint_out(image, find_marks(image))
    made = {
        "original": image,
        "centre_only": _keep(image, centre),
        "centre_removed": _keep(image, ~centre),
        "border_only": _keep(image, ~inner),
        "thumbnail_16x16": _enlarge(images.resize_image(image, THUMBNAIL_PX), shape),
        "blurred": cv2.GaussianBlur(image, (0, 0), BLUR_SHARE * max(shape)),
        "mirrored": np.ascontiguousarray(image[:, ::-1]),
        "marks_painted_out": painted,
    }
    if mask is not None:
        made |= {"subject_only": _keep(image, mask), "background_only": _keep(image, ~mask)}
    for kind, (donor, donor_mask) in (donors or {}).items():
        fitted = _fit(donor, shape)
        marks = _fit(find_marks(donor).astype(np.float32), shape) >= 0.5
        made[f"border_of_{kind}"] = np.where(inner[..., np.newaxis], image, fitted)
        made[f"marks_of_{kind}"] = np.where(marks[..., np.newaxis], fitted, painted)
        if mask is not None and donor_mask is not None:
            behind = _fit(_fill_subject(donor, donor_mask), shape)
            made[f"background_of_{kind}"] = np.where(mask[..., np.newaxis], image, behind)
    return made


def _make_centre(shape, share):
    box = np.zeros(shape, dtype=bool)
    rows, columns = (round(side * (1 - share) / 2) for side in shape)
    box[rows : shape[0] - rows, columns : shape[1] - columns] = True
    return box


def _keep(image, mask):
    return np.where(mask[..., np.newaxis], image, np.uint8(0))


def _enlarge(image, shape):
    return cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR)


def _fit(image, shape):
    if image.shape[:2] == shape:
        return image
    shrinks = shape[0] <= image.shape[0] and shape[1] <= image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, shape[::-1], interpolation=how)


def find_marks(image):
    """Find letters, arrows and other small marks: brighter than their ground, with a sharp edge.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8

    Returns
    -------
    ndarray of shape (height, width), dtype=bool
        All False where so much is found that it cannot be writing. Not found: dark and faint
        marks, large ones, and what touches the edge of the image. Found though they are no marks:
        whatever else is small, bright and sharp, such as wires, clips and some calcifications.
    """
    gray = image.max(axis=2)
    width = max(7, round(KERNEL_SHARE * max(gray.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (width, width))
    rise = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, kernel)
    candidates = (rise >= MIN_RISE).astype(np.uint8)
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *axis, scale=0.25) for axis in ((1, 0), (0, 1)))
    # On both sides of the outline, each pixel at the part that it is next to.
    outline = cv2.morphologyEx(candidates, cv2.MORPH_GRADIENT, SQUARE) > 0
    owners = cv2.dilate(numbers.astype(np.float32), SQUARE)[outline].astype(int)
    steps = np.bincount(owners, cv2.magnitude(across, down)[outline], count)
    steps = steps / np.maximum(np.bincount(owners, minlength=count), 1)
    x, y, wide, high, area = stats.T
    rises = np.bincount(numbers.ravel(), rise.ravel(), count) / np.maximum(area, 1)
    kept = (steps >= MIN_SHARPNESS * rises) & (area >= MIN_AREA_PX)
    kept &= area <= MAX_AREA_SHARE * gray.size
    kept &= np.maximum(wide, high) <= MAX_EXTENT_SHARE * max(gray.shape)
    # What runs out of the image is anatomy or a frame.
    kept &= (x > 0) & (y > 0) & (x + wide < gray.shape[1]) & (y + high < gray.shape[0])
    kept[0] = False
    found = kept[numbers]
    is_texture = found.mean() > MAX_TOTAL_SHARE or kept.sum() > MAX_PARTS
    return np.zeros_like(found) if is_texture else found


def paint_out(image, found):
    """Paint over pixels, and their soft edge, from their surroundings (Telea 2004).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8
    found : ndarray of shape (height, width), dtype=bool

    Returns
    -------
    ndarray of the shape of `image`
    """
    if not found.any():
        return image
    reach = 2 * max(1, round(max(found.shape) / 300)) + 1  # or its edge would still spell a letter
    hole = cv2.dilate(found.astype(np.uint8), np.ones((reach, reach), np.uint8))
    return cv2.inpaint(np.ascontiguousarray(image), hole, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)


def _fill_subject(image, mask):
    """Guess, smoothly, what lies behind a subject."""
    share = min(1, FILL_PX / max(mask.shape))
    small = tuple(max(1, round(side * share)) for side in mask.shape)
    hole = _fit(mask.astype(np.float32), small) > 0
    hole = cv2.dilate(hole.astype(np.uint8), SQUARE, iterations=2)
    filled = cv2.inpaint(_fit(image, small), hole, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    return np.where(mask[..., np.newaxis], _enlarge(filled, mask.shape), image)
