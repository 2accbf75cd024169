"""What of an image should not matter, measured in one pass: border, thumbnail, patches ..."""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from leakcard import images, kept, patches, quality

CANVAS_PX = 160
# 10 % on each side: letters and collimators lie there, lungs hardly do.
RING_PX = 16
THUMBNAIL_PX = 16
LOOKS_VERSION = "1"  # raise it whenever a measure gives other values
NUM_BINS = 32
MEASURES = (*quality.SIMPLE_COLUMNS, *quality.BRISQUE_COLUMNS)
# Shape of each field, without its first axis, and how exactly it is kept.
FIELDS = {
    "thumbnails": ((THUMBNAIL_PX**2,), np.float32),
    "borders": ((108,), np.float32),
    "insides": ((108,), np.float32),
    "histograms": ((NUM_BINS,), np.float32),
    "qualities": ((len(MEASURES),), np.float32),
    "patches": ((patches.NUM_PATCHES, patches.PATCH_PX**2), np.float16),
    "places": ((patches.NUM_PATCHES, 3), np.float16),
}


@dataclass(frozen=True)
class Looks:
    """Features of images, one row an image that could be read.

    Attributes
    ----------
    image_ids : pandas.Index of length n_images
    thumbnails : ndarray of shape (n_images, 256), dtype=float32, in [0, 255]
        The image at 16x16.
    borders : ndarray of shape (n_images, 108), dtype=float32, in [0, 255]
        Mean, deviation and maximum of each of 36 squares around the image, 10 % of it wide.
    insides : ndarray of shape (n_images, 108), dtype=float32, in [0, 255]
        The same of the 36 squares in the middle.
    histograms : ndarray of shape (n_images, 32), dtype=float32, in [0, 1]
        Square root of the share of pixels in each range of brightness.
    qualities : ndarray of shape (n_images, 39), dtype=float32
        Sharpness, contrast, noise and the 36 features of BRISQUE (0 where they are missing).
    patches : ndarray of shape (n_images, 32, 64), dtype=float16
        Small patches that stand out, wherever they lie, see `patches.measure_patches`.
    places : ndarray of shape (n_images, 32, 3), dtype=float16, in [0, 1]
        Left, top and side of each, as shares of the image.
    """

    image_ids: pd.Index
    thumbnails: np.ndarray
    borders: np.ndarray
    insides: np.ndarray
    histograms: np.ndarray
    qualities: np.ndarray
    patches: np.ndarray
    places: np.ndarray

    def select(self, image_ids, field):
        """Return the features of some images, in their order, and which of them there are.

        Returns
        -------
        features : ndarray of shape (n_found, n_features)
        found : ndarray of shape (n_images,), dtype=bool
        """
        places = self.image_ids.get_indexer(list(image_ids))
        return getattr(self, field)[places[places >= 0]], places >= 0


def measure_looks(table, cache_dir=None):
    """Decode every image once and keep what should not matter.

    Parameters
    ----------
    table : DataFrame
        With `image_id` and `path`; repeated rows are measured once.
    cache_dir : str or Path, optional
        Where it is kept, as for `leakcard.audit`; nowhere by default.

    Returns
    -------
    Looks
        Images without a path or that cannot be read are left out.
    """
    rows = table.loc[table["path"].notna()].drop_duplicates("image_id")
    kind = "looks" if quality.can_compute_brisque() else "simple-looks"
    store = kept.Store(cache_dir, kind + LOOKS_VERSION)

    def recall(path):
        try:
            return store.recall(path, _measure)
        except (OSError, ValueError):
            return None

    results = list(images.map_threads(recall, rows["path"], "look at images"))
    found = [result is not None for result in results]
    features = {
        name: np.array(
            [result[name] for result in results if result is not None], exactness
        ).reshape(-1, *shape)
        for name, (shape, exactness) in FIELDS.items()
    }
    return Looks(pd.Index(rows["image_id"][found]), **features)


def _measure(path):
    full = cv2.cvtColor(images.decode_image(path), cv2.COLOR_RGB2GRAY)
    gray = images.resize_image(full, CANVAS_PX)
    thumbnail = images.resize_image(gray.astype(np.float32), THUMBNAIL_PX)
    counts = np.bincount(gray.ravel() // (256 // NUM_BINS), minlength=NUM_BINS)
    measures = quality.describe_image(gray)
    qualities = np.nan_to_num([measures[name] for name in MEASURES])
    histogram = np.sqrt(counts / gray.size)
    border, inside = measure_squares(gray)
    measured = (
        *(thumbnail.ravel(), border, inside, histogram, qualities),
        *patches.measure_patches(full),
    )
    return dict(zip(FIELDS, measured, strict=True))


def measure_squares(gray):
    """Mean, deviation and maximum of 36 squares around an image of 160x160 pixels, and inside.

    Returns
    -------
    border, inside : ndarray of shape (108,), dtype=float32
        Of the outermost tenth, and of the 36 squares in the middle.
    """
    num = CANVAS_PX // RING_PX
    squares = gray.reshape(num, RING_PX, num, RING_PX).swapaxes(1, 2).astype(np.float32)
    in_border = np.ones((num, num), dtype=bool)
    in_border[1:-1, 1:-1] = False
    in_middle = np.zeros((num, num), dtype=bool)
    in_middle[2:-2, 2:-2] = True
    found = []
    for some in (in_border, in_middle):
        chosen = squares[some].reshape(-1, RING_PX**2)
        found.append(np.concatenate([chosen.mean(axis=1), chosen.std(axis=1), chosen.max(axis=1)]))
    return found
