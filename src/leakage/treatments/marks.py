"""Plant a mark on the images of one class: a shortcut whose truth is known."""

import pathlib
import zlib

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from leakcard import images

MARKS = ("letter", "frame")
TEXT = "ERECT"  # as technicians write it
LETTER_HEIGHT = 0.09  # of the image's height, as the letters of real X-rays
LETTER_VALUE = 245
FRAME_WIDTH = (0.05, 0.08)  # of the shorter side
FRAME_VALUE = 4
OVERSAMPLING = 4  # putText has no soft edges of its own at this size
JPEG_QUALITY = 92


def mark_images(table, folder, mark, labels, seed=0):
    """Write copies of images, those of some classes with a mark.

    Parameters
    ----------
    table : DataFrame
        Rows of the table contract.
    folder : str or Path
        Made if it is not there; files are named by their content, so others may use it too.
    mark : {"letter", "frame"}
        White letters near the upper edge, or a dark frame around the image.
    labels : sequence of str
        Whose images get it. Draw the swapped set by naming the other classes.
    seed : int
        With the image's id, decides place and width of its mark: the same whatever its class.

    Returns
    -------
    DataFrame
        The rows with `path`, `symbol_mask_path` (old symbols and the planted letters together) and
        what follows from the files; a further column `marked`.

    Raises
    ------
    ValueError
        If the mark is unknown or a label is not in the table.
    """
    unknown = sorted(set(labels) - set(table["label"]))
    if mark not in MARKS or unknown:
        raise ValueError(
            f"A mark cannot be planted. Expected one of {list(MARKS)} on labels of the table, "
            f"{sorted(set(table['label']))}. Received: mark={mark!r}, labels not there: {unknown}."
        )
    rows = []
    for row in tqdm(table.to_dict("records"), f"plant a {mark}", leave=False):
        marked = row["label"] in set(labels)
        rows.append(_write_copy(row, folder, mark, marked, seed) | {"marked": marked})
    result = pd.DataFrame(rows, index=table.index)
    return result[[*table.columns, *(name for name in ["marked"] if name not in table)]]


def draw_mark(image, mark, rng):
    """Draw a mark on one image.

    Parameters
    ----------
    image : ndarray of shape (height, width), dtype=uint8
    mark : {"letter", "frame"}
    rng : numpy.random.Generator

    Returns
    -------
    image : ndarray of shape (height, width), dtype=uint8
    symbols : ndarray of shape (height, width), dtype=bool
        Where the letters are; nowhere for a frame.
    covered : ndarray of shape (height, width), dtype=bool
        What a frame hides.
    """
    height, width = image.shape
    if mark == "frame":
        edge = max(2, round(rng.uniform(*FRAME_WIDTH) * min(image.shape)))
        framed = np.full_like(image, FRAME_VALUE)
        framed[edge : height - edge, edge : width - edge] = image[edge:-edge, edge:-edge]
        covered = np.ones(image.shape, dtype=bool)
        covered[edge : height - edge, edge : width - edge] = False
        return framed, np.zeros(image.shape, dtype=bool), covered
    tall = max(5, round(LETTER_HEIGHT * height))
    canvas = np.zeros((height * OVERSAMPLING, width * OVERSAMPLING), np.uint8)
    thickness = max(1, round(tall * OVERSAMPLING / 6))
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = cv2.getFontScaleFromHeight(font, tall * OVERSAMPLING, thickness)
    left, top = rng.uniform(0.52, 0.58) * width, rng.uniform(0.03, 0.06) * height
    place = round(left * OVERSAMPLING), round((top + tall) * OVERSAMPLING)
    cv2.putText(canvas, TEXT, place, font, scale, 255, thickness, cv2.LINE_AA)
    layer = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
    drawn = image * (1 - layer) + LETTER_VALUE * layer
    return np.rint(drawn).astype(np.uint8), layer > 0.3, np.zeros(image.shape, dtype=bool)


def _write_copy(row, folder, mark, marked, seed):
    image = images.decode_image(row["path"])[..., 0]
    symbols = np.zeros(image.shape, dtype=bool)
    if isinstance(row["symbol_mask_path"], str):
        symbols = images.decode_image(row["symbol_mask_path"])[..., 0] > 127
    if marked:
        rng = np.random.default_rng([seed, zlib.crc32(str(row["image_id"]).encode())])
        image, letters, covered = draw_mark(image, mark, rng)
        symbols = (symbols | letters) & ~covered
    suffix = pathlib.Path(row["path"]).suffix
    options = [] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    path = images.write_by_content(folder, image, suffix, options)
    changed = {"path": str(path), "symbol_mask_path": np.nan} | images.inspect_image(path)
    if symbols.any():
        own_mask = images.write_by_content(folder, symbols.astype(np.uint8) * 255)
        changed["symbol_mask_path"] = str(own_mask)
    return row | changed
