"""Lay two images that share points over each other, and measure how well they agree."""

import dataclasses

import cv2
import numpy as np

from leakcard import stats
from leakcard.copies import points

# A match is the nearest of both sides, nearer than this times the second nearest (Lowe 2004).
MAX_RATIO = 0.86
# First a similarity, roughly, then an affine map, ever more closely. Two patients of one build, or
# two images of one patient, fit roughly; only a copy fits to the point.
ROUGH_ERROR_PX = 4.0
FINE_ERRORS_PX = (3.0, 2.5, 2.0, 1.5, 1.5)
MAX_SCALE = 4.0

# Of thumbnails: what is coarser than lungs and finer than noise is left out; gain and shift are
# measured in windows of this size, of which those count that have structure, in gray levels.
DETAIL_SIGMAS_PX = (0.7, 4.0)
WINDOW_SIGMA_PX = 5.0
MIN_DEVIATION = 0.5
BORDER_PX = 4
NUM_STEPS = 1
# In common must be nearly half of the smaller frame, and a fifth of it with structure: of less, a
# line of letters that a station writes on every image can be the greater part.
MIN_SEEN, MIN_SHARE = 0.45, 0.2
# A copy: copies have 17 points, 0.77 and 0.28 px at worst (50 real X-rays of two sources, in 37
# ways); images of one patient are 0.45 px apart at best, those of two patients 0.85 px, phantoms of
# two patients 0.40 px. All in results/calibration/duplicates.md.
MIN_POINTS = 12
MIN_CORRELATION = 0.6
MAX_SHIFT_PX = 0.35
# Less is not told: it is within the error of a map by few points.
MIN_ANGLE, MIN_OUTSIDE = 1.0, 0.02
MAX_OUTSIDE = 0.2  # a frame cut by 5 % on every side is nearly the same


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
    if len(rows) < MIN_POINTS:
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
        if kept.sum() < MIN_POINTS:
            return None
        matrix = np.linalg.lstsq(start[kept], end[kept], rcond=None)[0].T
        kept = np.linalg.norm(start @ matrix.T - end, axis=1) < error
    scales = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if kept.sum() < MIN_POINTS or scales.max() > MAX_SCALE or scales.min() < 1 / MAX_SCALE:
        return None
    # SIFT gives one place several directions: it counts once.
    num_points = min(len(np.unique(side[kept].round(), axis=0)) for side in (start, end))
    return Fit(matrix @ mirror, is_negative, num_points)


def _average(values, sigma_px=WINDOW_SIGMA_PX):
    return cv2.GaussianBlur(values, (0, 0), sigma_px)


def _compare_detail(matrix, one, two):
    """Details of one picture laid over another, and where both have some.

    Details have mean 0 and deviation 1 in every window; so contrast and brightness do not matter.
    """
    size = two.shape[::-1]
    warped = cv2.warpAffine(one, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(np.ones_like(one), matrix, size) > 0.999
    near = np.ones((2 * BORDER_PX + 1,) * 2, np.uint8)
    seen = cv2.erode(seen.astype(np.float32), near, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    weights = np.maximum(_average(seen), 1e-6)
    details, counts = [], seen > 0
    for image in (warped, two):
        detail = np.subtract(*(_average(image, sigma) for sigma in DETAIL_SIGMAS_PX))
        detail -= _average(detail * seen) / weights
        deviation = np.sqrt(_average(detail * detail * seen) / weights)
        counts &= deviation > MIN_DEVIATION
        details.append((detail * seen / np.maximum(deviation, MIN_DEVIATION), deviation))
    (left, deviation), (right, other) = details
    product = _average(left * right * deviation * other) / np.maximum(deviation * other, 1e-6)
    counts &= seen.mean() >= MIN_SEEN
    return left, right, product / weights, counts


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
        With `correlation` and `shift_px` where enough is in common. The map is made precise by
        steps of Lucas and Kanade (1981) first; the shift is one such step in every window.
    """
    matrix = np.vstack([fit.matrix, [0, 0, 1]])
    if abs(np.linalg.det(matrix)) < 1:  # enlarge, which loses nothing
        matrix, one, two = np.linalg.inv(matrix), two, one
    scale = len(one) / points.SIDE_PX  # pixel centres are at halves
    zoom = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    matrix = zoom @ matrix @ np.linalg.inv(zoom)
    one, two = one.astype(np.float32), two.astype(np.float32)
    one = -one if fit.is_negative else one
    for step in range(NUM_STEPS + 1):
        left, right, correlation, counts = _compare_detail(matrix[:2], one, two)
        if counts.mean() < MIN_SHARE:
            return fit
        down, across = np.gradient((left + right) / 2)
        if step < NUM_STEPS:
            y, x = np.nonzero(counts)
            places = np.stack([x, y, np.ones(len(x))])
            slopes = np.concatenate([across[counts] * places, down[counts] * places])
            moved = np.linalg.lstsq(slopes @ slopes.T, slopes @ (right - left)[counts], rcond=None)
            move = np.vstack([moved[0].reshape(2, 3), np.zeros(3)])
            matrix = np.linalg.inv(np.eye(3) + move) @ matrix
    xx, yy, xy = _average(across * across), _average(down * down), _average(across * down)
    x, y = _average(across * (right - left)), _average(down * (right - left))
    scale = np.maximum(xx * yy - xy * xy, 1e-9)
    shifts = np.hypot(yy * x - xy * y, xx * y - xy * x) / scale
    correlation, shift_px = (float(stats.find_median(one[counts])) for one in (correlation, shifts))
    return dataclasses.replace(fit, correlation=correlation, shift_px=shift_px)


def is_copy(fit):
    """Whether two pictures agree as closely as only copies do."""
    return (
        fit.num_points >= MIN_POINTS
        and fit.correlation >= MIN_CORRELATION
        and fit.shift_px <= MAX_SHIFT_PX
    )


def describe_transform(fit):
    """Say in words how one image lies on another.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    kind : {"near", "mirror", "changed"}
        In nearly the same frame, mirrored in it, or neither.
    transform : str
        Such as "turned 3°, mirrored, cut or padded by 36%" (of the larger frame, by area); "" if
        the frames are the same and neither is the negative of the other.
    """
    linear = fit.matrix[:, :2]
    is_mirrored = np.linalg.det(linear) < 0
    turned = linear * [-1, 1] if is_mirrored else linear
    angle = np.degrees(np.arctan2(turned[1, 0] - turned[0, 1], turned[0, 0] + turned[1, 1]))
    side = points.SIDE_PX
    frame = np.float32([[0, 0], [side, 0], [side, side], [0, side]]) - 0.5
    moved = np.float32(frame @ linear.T + fit.matrix[:, 2])
    common = cv2.intersectConvexConvex(moved, frame)[0] / side**2
    outside = 1 - common / max(1, abs(np.linalg.det(linear)))
    words = [
        f"turned {abs(angle):.0f}°" if abs(angle) >= MIN_ANGLE else "",
        "mirrored" if is_mirrored else "",
        "negative" if fit.is_negative else "",
        f"cut or padded by {outside:.0%}" if outside >= MIN_OUTSIDE else "",
    ]
    if words[0] or fit.is_negative or outside > MAX_OUTSIDE:
        kind = "changed"
    else:
        kind = "mirror" if is_mirrored else "near"
    return kind, ", ".join(filter(None, words))
