"""Even out brightness: per image, or by the statistics of the training images."""

import cv2
import numpy as np

from leakage.treatments._common import MAX_VALUE, Treatment
from leakcard.symbols import to_gray

# Zuiderveld 1994, in "Graphics Gems IV": 8 x 8 tiles. OpenCV's default clip limit of 40 turns grain
# into texture; 2 is what radiograph pipelines use.
CLIP_LIMIT, NUM_TILES = 2.0, 8
# Where the mean and deviation of the training set are moved to: those of natural images (ImageNet:
# 0.449 and 0.226 of 255), which the pretrained backbones have seen.
TARGET_MEAN, TARGET_STD = 114.5, 57.6
MINIMUM_STD = 1.0


def equalize(image, mask):
    """Contrast-limited adaptive histogram equalisation (CLAHE) of the brightness."""
    gray = to_gray(image)
    tiles = min(NUM_TILES, *gray.shape)
    if gray.max() == gray.min():
        return image.copy()  # a flat image has no histogram to even out
    even = cv2.createCLAHE(CLIP_LIMIT, (tiles, tiles)).apply(gray)
    # Colours keep their ratio to the brightness.
    gain = even.astype(np.float32) / np.maximum(gray, 1)
    return np.clip(image * gain[..., np.newaxis], 0, MAX_VALUE).astype(np.float32)


def fit_statistics(pictures, rows):
    """Mean and deviation of all pixels of the training images; every image counts the same."""
    pictures = (image.astype(np.float64) for image in pictures)
    sums = np.array([[image.mean(), np.square(image).mean()] for image in pictures])
    mean, square = sums.mean(axis=0)
    return {"mean": np.array(mean), "std": np.array(np.sqrt(max(0.0, square - mean**2)))}


def normalize(image, mask, state):
    """Move the mean and deviation of the training set to those of natural images."""
    scale = TARGET_STD / max(float(state["std"]), MINIMUM_STD)
    moved = (image - np.float32(state["mean"])) * np.float32(scale) + np.float32(TARGET_MEAN)
    return np.clip(moved, 0, MAX_VALUE).astype(np.float32)


TREATMENTS = (
    Treatment("clahe", equalize, at_full_size=True, version=1),
    Treatment("normalise", normalize, at_full_size=True, fit=fit_statistics, version=1),
)
