"""L1.2 and L1.3: what a record of the training run says of its statistics and its choices.

A record is JSON, written by the training code::

    {"fitted_statistics": {"mean": 0.48, "std": 0.24, "value_range": [0, 1], "size_px": 224,
                           "fitted_on": ["<sha256 of an image file>", ...]},
     "selection": {"metric": "accuracy", "on": "val", "images": ["<sha256>", ...],
                   "candidates": [{"name": "epoch 7", "val": 0.91, "test": 0.88}, ...],
                   "chosen": "epoch 7", "lower_is_better": false}}

All fields are optional; what is missing is a question. `lower_is_better` is for a metric whose name
does not tell it, as "loss", "error" or "accuracy" do. `mean` and `std` are over all pixels and
channels of the images decoded and resized as `images.load_images(paths, size_px)` does and scaled
from [0, 255] to `value_range`.
"""

import json
from pathlib import Path

import numpy as np

from leakcard import images


def read_record(path):
    """Read a training record.

    Raises
    ------
    ValueError
        If the file is no JSON object or has none of the known parts.
    FileNotFoundError
        If there is no such file.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The training record is no JSON: {path}. Received: {error}") from error
    return check_record(record)


def check_record(record):
    """Return a record that has a known part and of it only objects, or refuse it."""
    parts = ("fitted_statistics", "selection")
    given = record if isinstance(record, dict) else {}
    known = [given[part] for part in parts if given.get(part) is not None]
    if not known or not all(isinstance(part, dict) for part in known):
        types = {name: type(value).__name__ for name, value in given.items()}
        found = types or type(record).__name__
        raise ValueError(
            f"A training record is a JSON object with one or both of {', '.join(parts)}, each an "
            f"object (see leakcard.training_record). Received: {found}"
        )
    return record


def make_record(fitted_on=None, *, size_px=None, value_range=(0, 255), selection=None):
    """Make the record of a run: statistics of the images it was fitted on, and its selection.

    Parameters
    ----------
    fitted_on : DataFrame, optional
        The images whose mean and deviation were used, with `path` and `sha256`.
    size_px : int, optional
        Side to which images were resized; None for their own size.
    value_range : tuple of two floats
        What 0 and 255 were scaled to.
    selection : dict, optional
        `metric`, `on` ("val" or "test"), and if kept `images`, `candidates`, `chosen`,
        `lower_is_better`.

    Returns
    -------
    dict
        To be written as JSON.
    """
    record = {}
    if fitted_on is not None:
        sums = measure_pixels(fitted_on["path"], size_px)
        mean, deviation = pool_pixels(sums, value_range)
        record["fitted_statistics"] = {
            "mean": mean,
            "std": deviation,
            "value_range": list(value_range),
            "size_px": size_px,
            "fitted_on": sorted(set(fitted_on["sha256"])),
        }
    if selection is not None:
        record["selection"] = dict(selection)
    return record


def measure_pixels(paths, size_px=None):
    """Return (number, sum, sum of squares) of the pixel values of each image, in [0, 255]."""

    def measure(path):
        image = images.decode_image(path)
        if size_px is not None:
            image = images.resize_image(image, int(size_px))  # as images.load_images does
        values = image.astype(np.float64)
        return values.size, values.sum(), (values**2).sum()

    measured = images.map_threads(measure, list(paths), "measure pixels")
    return np.array(list(measured)).reshape(-1, 3)


def pool_pixels(sums, value_range):
    """Return mean and deviation over all pixels of some images, scaled to `value_range`."""
    number, total, squares = np.asarray(sums).sum(axis=0)
    low, high = (float(bound) for bound in value_range)
    mean = total / number
    deviation = np.sqrt(max(0.0, squares / number - mean**2))
    return float(low + mean * (high - low) / 255), float(deviation * (high - low) / 255)
