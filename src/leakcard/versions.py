"""Counterfactual versions of one image: parts taken away, blurred, painted out, or of another."""

import cv2
import numpy as np

from leakcard import images, symbols

# Shares of the image's sides: the centre box holds the lungs of a frontal chest X-ray, the border
# letters, frames and collimation.
CENTRE_SHARE = 0.7
BORDER_SHARE = 0.1
BLUR_SHARE = 0.02  # sigma, of the longer side
THUMBNAIL_PX = 16
FILL_PX = 128  # what lies behind a subject is guessed at this size
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
    centre, inner = (symbols.make_centre(shape, s) for s in (CENTRE_SHARE, 1 - 2 * BORDER_SHARE))
    painted = symbols.paint_out(image, symbols.find_symbols(image))
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
        marks = _fit(symbols.find_symbols(donor).astype(np.float32), shape) >= 0.5
        made[f"border_of_{kind}"] = _paste(image, inner, fitted)
        made[f"marks_of_{kind}"] = _paste(fitted, marks, painted)
        if mask is not None and donor_mask is not None:
            behind = _fit(_fill_subject(donor, donor_mask), shape)
            made[f"background_of_{kind}"] = _paste(image, mask, behind)
    return made


def _keep(image, mask):
    return cv2.copyTo(image, mask.astype(np.uint8))  # onto zeros


def _paste(image, mask, ground):
    """As np.where, which takes ten times as long for a mask that all channels share."""
    return cv2.copyTo(image, mask.astype(np.uint8), ground.copy())


def _enlarge(image, shape):
    return cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR)


def _fit(image, shape):
    if image.shape[:2] == shape:
        return image
    shrinks = shape[0] <= image.shape[0] and shape[1] <= image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, shape[::-1], interpolation=how)


def _fill_subject(image, mask):
    """Guess, smoothly, what lies behind a subject."""
    share = min(1, FILL_PX / max(mask.shape))
    small = tuple(max(1, round(side * share)) for side in mask.shape)
    hole = _fit(mask.astype(np.float32), small) > 0
    hole = cv2.dilate(hole.astype(np.uint8), SQUARE, iterations=2)
    filled = cv2.inpaint(_fit(image, small), hole, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    return _paste(_enlarge(filled, mask.shape), mask, image)
