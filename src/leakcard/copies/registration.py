"""Decide whether two thumbnails show the same picture, whatever was cut off or brightened."""

import cv2
import numpy as np

from leakcard.copies import fingerprints

TANGENT_PX = 32
# Smoothed, a thumbnail changes almost linearly over the few pixels that a crop moves it.
TANGENT_SIGMA_PX = 2.0
# Share of variance explained: copies reach 0.96, 98 % of the pairs of different patients within the
# hash radius stay below 0.95 (see benchmarks/calibrate_copies.py).
MIN_TANGENT_SCORE = 0.95

# First at half the size and roughly, where most pairs turn out not to fit, then in full.
ECC_TERMS = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS
ECC_CRITERIA = {0.5: (ECC_TERMS, 40, 1e-4), 1.0: (ECC_TERMS, 60, 1e-5)}
ECC_FILTER_PX = 5
# The rough registration may be off by this many times the limits below.
ROUGH_FACTOR = 4
# A copy is cut and stretched, neither turned nor shifted out of the frame: one of the two contains
# the other. Another exposure of the same patient fits only turned or shifted.
MAX_SHEAR = 0.005
MAX_OUTSIDE = 0.005
MIN_OVERLAP = 0.70
# Structures between these two scales (in pixels of a thumbnail of 128) are a patient's own; below
# them JPEG at quality 50 leaves little. Copies reach 0.85, different patients at most 0.77.
DETAIL_SIGMAS_PX = (0.7, 2.0)
MIN_DETAIL = 0.80
BORDER_PX = 3


def _make_matrix(view, side, size_px):
    """Affine matrix from a view of `size_px` to the whole of `side`; pixel centres at halves."""
    left, right, top, bottom = view
    scales = np.array([1 - left - right, 1 - top - bottom]) * side / size_px
    offsets = np.array([left, top]) * side + 0.5 * scales - 0.5
    return np.array([[scales[0], 0, offsets[0]], [0, scales[1], offsets[1]]], dtype=np.float32)


def _warp(image, matrix, size_px, border=cv2.BORDER_REPLICATE):
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (size_px, size_px), flags=flags, borderMode=border)


def _smooth(thumbnail):
    image = cv2.resize(thumbnail, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), TANGENT_SIGMA_PX)


def _cut_view(image, query):
    mirrored, view = divmod(int(query), len(fingerprints.VIEWS))
    image = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
    return _warp(image, _make_matrix(fingerprints.VIEWS[view], len(image), TANGENT_PX), TANGENT_PX)


def _make_tangents(image):
    """Orthonormal basis of the image, a constant, and its shifts and stretches along x and y."""
    across = np.gradient(image, axis=1)
    down = np.gradient(image, axis=0)
    ramp = np.linspace(-1, 1, len(image), dtype=np.float32)
    columns = [np.ones_like(image), image, across, down, across * ramp, down * ramp[:, np.newaxis]]
    return np.linalg.qr(np.stack(columns).reshape(len(columns), -1).T)[0]


def score_tangents(thumbnails, first, queries, second):
    """Score pairs cheaply: how well small shifts and stretches of one explain the other.

    The tangent distance of Simard et al. (1993) between a view of the first image and the second.

    Parameters
    ----------
    thumbnails : ndarray of shape (n_images, THUMBNAIL_PX, THUMBNAIL_PX), dtype=uint8
        Of `fingerprints.Fingerprints`.
    first, second : ndarray of shape (n_pairs,), dtype=int
        Rows of `thumbnails`.
    queries : ndarray of shape (n_pairs,), dtype=int, in [0, NUM_QUERIES)
        Which view of the first image, mirrored or not.

    Returns
    -------
    ndarray of shape (n_pairs,), dtype=float32, in [0, 1]
        Share of the variance of the second image that is explained.
    """
    scores = np.zeros(len(first), dtype=np.float32)
    small = {}
    for row in np.unique(second):
        image = _cut_view(_smooth(thumbnails[row]), 0).ravel()
        image = image - image.mean()
        small[row] = image / max(float(np.linalg.norm(image)), 1e-6)
    order = np.lexsort([queries, first])
    cuts = np.flatnonzero(np.diff(first[order]) | np.diff(queries[order])) + 1
    last, smooth = None, None
    for pairs in np.split(order, cuts) if len(order) else []:
        row = first[pairs[0]]
        if row != last:
            last, smooth = row, _smooth(thumbnails[row])
        tangents = _make_tangents(_cut_view(smooth, queries[pairs[0]]))
        others = np.stack([small[other] for other in second[pairs]])
        scores[pairs] = np.square(others @ tangents).sum(axis=1)
    return scores


def _register(image, other, view):
    """The affine matrix from `other` to `image`, or None if no copy fits so."""
    matrix = None
    for scale, criteria in ECC_CRITERIA.items():
        side = round(len(image) * scale)
        if matrix is None:
            matrix = _make_matrix(fingerprints.VIEWS[view], side, side)
        else:  # x at the full size is 2 x + 0.5 of that at half the size
            matrix[:, 2] = 2 * matrix[:, 2] + 0.5 - 0.5 * matrix[:, :2].sum(axis=1)
        pair = [
            cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in (other, image)
        ]
        try:
            matrix = cv2.findTransformECC(
                *pair, matrix, cv2.MOTION_AFFINE, criteria, None, ECC_FILTER_PX
            )[1]
        except cv2.error:
            return None  # it did not converge: no shift and stretch brings the two together
        if not _is_cut_from(matrix, side, ROUGH_FACTOR if scale < 1 else 1):
            return None
    return matrix


def _is_cut_from(matrix, side, leeway):
    """Whether one frame lies within the other, neither of them turned."""
    if max(abs(matrix[0, 1]), abs(matrix[1, 0])) > MAX_SHEAR * leeway:
        return False
    middle = (side - 1) / 2
    ends = np.array([-0.5, side - 0.5])
    across = matrix[0, 0] * ends + matrix[0, 1] * middle + matrix[0, 2]
    down = matrix[1, 1] * ends + matrix[1, 0] * middle + matrix[1, 2]
    cuts = np.array([across[0] + 0.5, down[0] + 0.5, side - 0.5 - across[1], side - 0.5 - down[1]])
    tolerance = MAX_OUTSIDE * side * leeway
    return bool(np.all(cuts >= -tolerance) or np.all(cuts <= tolerance))


def _correlate(one, two):
    one, two = one - one.mean(), two - two.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / norm if norm > 0 else 0.0


def _select_detail(image):
    fine, coarse = (cv2.GaussianBlur(image, (0, 0), sigma) for sigma in DETAIL_SIGMAS_PX)
    return fine - coarse


def register_pair(thumbnail, query, other):
    """Lay one thumbnail over another and correlate what they share.

    Parameters
    ----------
    thumbnail, other : ndarray of shape (THUMBNAIL_PX, THUMBNAIL_PX), dtype=uint8
        Histogram equalised.
    query : int in [0, NUM_QUERIES)
        The view of `thumbnail` that resembles `other`: where the search starts.

    Returns
    -------
    float in [-1, 1]
        Pearson correlation where both are seen after an affine registration (OpenCV's enhanced
        correlation coefficient). 0 if that leaves less than 70 % in common, neither frame lies
        within the other, one had to be turned or sheared, or the fine detail (where a copy agrees
        and another patient of the same build does not) correlates by less than 0.8.
    """
    mirrored, view = divmod(int(query), len(fingerprints.VIEWS))
    image = np.ascontiguousarray(thumbnail[:, ::-1] if mirrored else thumbnail).astype(np.float32)
    other = other.astype(np.float32)
    side = len(image)
    matrix = _register(image, other, view)
    if matrix is None:
        return 0.0
    warped = _warp(image, matrix, side)
    seen = _warp(np.ones_like(image), matrix, side, cv2.BORDER_CONSTANT) > 0.999
    border = np.zeros_like(seen)
    border[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    seen &= border
    if seen.mean() < MIN_OVERLAP:
        return 0.0
    detail = _correlate(_select_detail(warped)[seen], _select_detail(other)[seen])
    return _correlate(warped[seen], other[seen]) if detail >= MIN_DETAIL else 0.0
