"""Sort out cheaply which pairs of similar hashes may be copies, from thumbnails alone."""

import cv2
import numpy as np

from leakcard.copies import fingerprints

TANGENT_PX = 32
# Smoothed, a thumbnail changes almost linearly over the few pixels that a crop moves it.
TANGENT_SIGMA_PX = 2.0
# Share of variance explained: copies reach 0.96, 98 % of the pairs of different patients within the
# hash radius stay below 0.95 (see benchmarks/calibrate_copies.py).
MIN_TANGENT_SCORE = 0.95


def _make_matrix(view, side, size_px):
    """Affine matrix from a view of `size_px` to the whole of `side`; pixel centres at halves."""
    left, right, top, bottom = view
    scales = np.array([1 - left - right, 1 - top - bottom]) * side / size_px
    offsets = np.array([left, top]) * side + 0.5 * scales - 0.5
    return np.array([[scales[0], 0, offsets[0]], [0, scales[1], offsets[1]]], dtype=np.float32)


def _smooth(thumbnail):
    """Small and smooth, and the same for any gamma or brightness."""
    image = cv2.resize(
        cv2.equalizeHist(thumbnail), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
    )
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), TANGENT_SIGMA_PX)


def _cut_view(image, query):
    mirrored, view = divmod(int(query), len(fingerprints.VIEWS))
    image = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
    matrix = _make_matrix(fingerprints.VIEWS[view], len(image), TANGENT_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (TANGENT_PX, TANGENT_PX)
    return cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


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
    thumbnails : list of ndarray of shape (THUMBNAIL_PX, THUMBNAIL_PX), dtype=uint8
        Of `fingerprints.Fingerprint`.
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
