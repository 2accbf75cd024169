"""Write files so that a reader never sees half of one: beside their place, then moved there."""

import json
import math
import numbers
import os
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

# More digits than any score here can mean, fewer than float64 holds: stable text for equal runs.
NUM_DIGITS = 10


@contextmanager
def open_atomic(path, mode="w"):
    """Open a temporary file beside `path`; it takes its place when the block ends well.

    Parameters
    ----------
    path : str or Path
        Where the file goes; its folder is made. After an error nothing is left behind.
    mode : {"w", "wb"}
        Text is UTF-8 with line feeds.

    Yields
    ------
    file object
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(partial, mode, **text) as stream:
            yield stream
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_writable(folder, option="--out"):
    """Make a folder and see whether a file can be written into it, before anything takes long.

    Raises
    ------
    ValueError
        If not.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"Nothing can be written there. Expected a folder that may be written to: choose one "
            f"with {option}. Received: {folder} ({error.strerror or error})"
        ) from error


def write_text(path, text):
    """Write a text file atomically and return its path."""
    with open_atomic(path) as stream:
        stream.write(text)
    return Path(path)


def write_json(path, content):
    """Write JSON with sorted keys atomically and return its path. NaN becomes null."""
    text = json.dumps(to_plain(content), indent=1, sort_keys=True, ensure_ascii=False)
    return write_text(path, text + "\n")


def write_csv(path, frame):
    """Write a table without its index as CSV, atomically, and return its path."""
    text = frame.to_csv(index=False, lineterminator="\n", float_format=f"%.{NUM_DIGITS}g")
    return write_text(path, text)


def to_plain(value):
    """Return what JSON can hold: numpy and pandas scalars unpacked, missing values as None."""
    if isinstance(value, dict):
        return {str(name): to_plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (bool, str)):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return to_plain(value.item())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = round(float(value), NUM_DIGITS) + 0.0  # + 0.0: no minus zero
        return number if math.isfinite(number) else None
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    return str(value)
