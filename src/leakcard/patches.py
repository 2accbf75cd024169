"""Small patches of an image, wherever they lie, and words for those that are alike."""

import cv2
import numpy as np

from leakcard import images, stats

# A letter of 3 % of the height is seven pixels high here.
CANVAS_PX = 256
# The canvas and its half: patches are 3 % and 6 % of the image wide.
NUM_SCALES = 2
PATCH_PX = 8
PATCHES_A_SCALE = 16
NUM_PATCHES = NUM_SCALES * PATCHES_A_SCALE
# Peaks lie a pixel off where a mark lies between pixels; smoothing makes patches alike again.
SMOOTHING_PX = 0.7
NUM_WORDS = 96


def measure_patches(gray):
    """Cut out the patches of an image that stand out most from what is around them.

    Parameters
    ----------
    gray : ndarray of shape (height, width), dtype=uint8

    Returns
    -------
    patches : ndarray of shape (32, 64), dtype=float16
        8 x 8 pixels each without their mean, of a length from 0 (weaker by far than what is usual
        in the image) to 1; 0 where there are fewer.
    places : ndarray of shape (32, 3), dtype=float16, in [0, 1]
        Left and upper edge and side of each patch, as shares of the image's width and height.
    """
    patches = np.zeros((NUM_SCALES, PATCHES_A_SCALE, PATCH_PX**2), np.float16)
    places = np.zeros((NUM_SCALES, PATCHES_A_SCALE, 3), np.float16)
    canvas = images.resize_image(gray, CANVAS_PX).astype(np.float32)
    for number in range(NUM_SCALES):
        layer = images.resize_image(canvas, CANVAS_PX >> number)
        layer = cv2.GaussianBlur(layer, (0, 0), SMOOTHING_PX)
        detail = layer - cv2.GaussianBlur(layer, (0, 0), PATCH_PX / 2)
        usual = float(stats.find_median(np.abs(detail))) + 1e-3
        half = PATCH_PX // 2
        for order, (y, x) in enumerate(_find_peaks(detail)):
            cut = detail[y - half : y + half, x - half : x + half].ravel()
            cut = cut - cut.mean()
            patches[number, order] = cut / (np.linalg.norm(cut) + PATCH_PX * usual)
            places[number, order] = np.array([x - half, y - half, PATCH_PX]) / len(layer)
    return patches.reshape(NUM_PATCHES, -1), places.reshape(NUM_PATCHES, 3)


def _find_peaks(detail):
    """Where detail is strongest, strongest first, no two within one patch: (row, column)."""
    half = PATCH_PX // 2
    energy = cv2.GaussianBlur(detail**2, (0, 0), PATCH_PX / 4)
    highest = cv2.dilate(energy, np.ones((PATCH_PX - 1, PATCH_PX - 1), np.uint8))
    inside = np.zeros(detail.shape, dtype=bool)
    inside[half:-half, half:-half] = True
    peaks = np.flatnonzero((energy >= highest) & (energy > 0) & inside)
    order = np.argsort(-energy.ravel()[peaks], kind="stable")
    return np.column_stack(np.divmod(peaks[order[:PATCHES_A_SCALE]], detail.shape[1]))


def compare_with_words(patches, seed):
    """Find kinds of patches that recur in a set, and how near each image comes to each.

    Parameters
    ----------
    patches : ndarray of shape (n_images, 32, 64)
    seed : int

    Returns
    -------
    features : ndarray of shape (n_images, n_words), dtype=float32
        Minus the distance of the image's nearest patch to each word: 0 is equal.
    nearest : ndarray of shape (n_images, n_words), dtype=int
        Which patch that is.
    """
    from sklearn import cluster  # waited for only here

    flat = patches.reshape(-1, patches.shape[-1]).astype(np.float32)
    # Words are learned without a look at any label.
    words = cluster.MiniBatchKMeans(
        min(NUM_WORDS, len(flat)), batch_size=2048, n_init=3, random_state=seed
    ).fit(flat)
    distances = words.transform(flat).reshape(*patches.shape[:2], -1)
    return -distances.min(axis=1).astype(np.float32), distances.argmin(axis=1)
