"""Lay two images that share points over each other, and measure how well they agree."""

import dataclasses

import cv2
import numpy as np

from leakcard.copies import points

MIN_MATCHES = 6
# A match is the nearest of both sides, nearer than this times the second nearest (Lowe 2004).
MAX_RATIO = 0.86
# First a similarity, roughly, then an affine map, ever more closely. Two patients of one build, or
# two images of one patient, fit roughly; only a copy fits to the point.
ROUGH_ERROR_PX = 4.0
FINE_ERRORS_PX = (3.0, 2.5, 2.0, 1.5, 1.5)
MAX_SCALE = 5.0

# Of thumbnails: what is coarser than lungs and finer than noise is left out; gain and shift are
# measured in windows of this size, of which those count that have structure, in gray levels.
DETAIL_SIGMAS_PX = (0.7, 4.0)
WINDOW_SIGMA_PX = 5.0
MIN_VARIANCE = 0.5
BORDER_PX = 4
MIN_PIXELS = 200


@dataclasses.dataclass(frozen=True)
class Fit:
    """How one image lies on another.

    Attributes
    ----------
    matrix : ndarray of shape (2, 3), dtype=float64
        Affine, from places of the first image, as stored, to those of the second.
    is_negative : bool
        Dark where the other is bright.
    num_points : int
        Points of different places that agree to 1.5 of 256 pixels.
    correlation : float in [-1, 1]
        Median, over the windows of the common part, of the correlation of details. Whatever is
        changed in less than half of the picture, such as letters, does not matter, nor does
        contrast.
    shift_px : float
        Median by which details are still displaced, in pixels of a thumbnail.
    """

    matrix: np.ndarray
    is_negative: bool
    num_points: int
    correlation: float = 0.0
    shift_px: float = np.inf


def _match_points(one, two, signs):
    left = (one.descriptors * signs).astype(np.float32)
    likeness = left @ two.descriptors.astype(np.float32).T / points.UNIT**2
    rows, others = np.arange(len(left)), likeness.argmax(axis=1)
    is_mutual = likeness.argmax(axis=0)[others] == rows
    rows, others = rows[is_mutual], others[is_mutual]
    best = likeness[rows, others]
    likeness[rows, others] = -1
    is_clear = 1 - best < MAX_RATIO**2 * (1 - likeness[rows].max(axis=1))
    return rows[is_clear], others[is_clear]


def register_points(one, two, variant):
    """Find the affine map that lays the points of one image on those of another.

    Parameters
    ----------
    one, two : points.Points
    variant : int
        Position in `points.VARIANTS`: how the first image is seen.

    Returns
    -------
    Fit or None
        Without `correlation` and `shift_px`; None if no map fits.
    """
    rows, others = _match_points(one, two, points.SIGNS[variant])
    if len(rows) < MIN_MATCHES:
        return None
    is_mirrored, is_negative = points.VARIANTS[variant]
    mirror = np.diag([-1.0 if is_mirrored else 1.0, 1.0, 1.0])
    mirror[0, 2] = points.SIDE_PX - 1 if is_mirrored else 0
    start = np.column_stack([one.places[rows], np.ones(len(rows))]) @ mirror.T
    end = two.places[others].astype(float)
    matrix, kept = cv2.estimateAffinePartial2D(
        np.ascontiguousarray(start[:, :2]),
        end,
        method=cv2.RANSAC,
        ransacReprojThreshold=ROUGH_ERROR_PX,
    )
    if matrix is None:
        return None
    kept = kept.ravel() > 0
    for error in FINE_ERRORS_PX:
        if kept.sum() < MIN_MATCHES:
            return None
        matrix = np.linalg.lstsq(start[kept], end[kept], rcond=None)[0].T
        kept = np.linalg.norm(start @ matrix.T - end, axis=1) < error
    scales = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if kept.sum() < MIN_MATCHES or scales.max() > MAX_SCALE or scales.min() < 1 / MAX_SCALE:
        return None
    # SIFT gives one place several directions: it counts once.
    num_points = min(len(np.unique(side[kept].round(), axis=0)) for side in (start, end))
    return Fit(matrix @ mirror, is_negative, num_points)


def _select_detail(image):
    fine, coarse = (cv2.GaussianBlur(image, (0, 0), sigma) for sigma in DETAIL_SIGMAS_PX)
    return fine - coarse


def compare_pictures(fit, one, two):
    """Measure how well two thumbnails agree once laid over each other.

    Parameters
    ----------
    fit : Fit
        From `register_points`.
    one, two : ndarray of shape (side, side), dtype=uint8
        Gray, of one size.

    Returns
    -------
    Fit
        With `correlation` and `shift_px` where enough is in common. The shift is one step of Lucas
        and Kanade (1981) in every window.
    """
    matrix = np.vstack([fit.matrix, [0, 0, 1]])
    if abs(np.linalg.det(matrix)) < 1:  # enlarge, which loses nothing
        matrix, one, two = np.linalg.inv(matrix), two, one
    scale = len(one) / points.SIDE_PX  # pixel centres are at halves
    zoom = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    matrix = (zoom @ matrix @ np.linalg.inv(zoom))[:2]
    one, two = one.astype(np.float32), two.astype(np.float32)
    size = two.shape[::-1]
    warped = cv2.warpAffine(one, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(np.ones_like(one), matrix, size) > 0.999
    near = np.ones((2 * BORDER_PX + 1,) * 2, np.uint8)
    seen = cv2.erode(
        seen.astype(np.uint8), near, borderType=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(np.float32)
    weights = cv2.GaussianBlur(seen, (0, 0), WINDOW_SIGMA_PX) + 1e-6

    def average(values):
        return cv2.GaussianBlur(values * seen, (0, 0), WINDOW_SIGMA_PX) / weights

    left, right = _select_detail(warped), _select_detail(two)
    left = -left if fit.is_negative else left
    left, right = left - average(left), right - average(right)
    variances = average(left * left), average(right * right)
    counts = (seen > 0) & (variances[0] > MIN_VARIANCE) & (variances[1] > MIN_VARIANCE)
    if counts.sum() < MIN_PIXELS:
        return fit
    left, right = (
        side / np.sqrt(np.maximum(variance, MIN_VARIANCE))
        for side, variance in zip((left, right), variances, strict=True)
    )
    correlation = float(np.median(average(left * right)[counts]))
    down, across = (np.float32(slope) for slope in np.gradient((left + right) / 2))
    xx, yy, xy = average(across * across), average(down * down), average(across * down)
    x, y = average(across * (right - left)), average(down * (right - left))
    scale = np.maximum(xx * yy - xy * xy, 1e-9)
    shifts = np.hypot(yy * x - xy * y, xx * y - xy * x) / scale
    return dataclasses.replace(
        fit, correlation=correlation, shift_px=float(np.median(shifts[counts]))
    )
