"""Progress of long loops, shown where the reader looks."""

import os
import sys
from contextlib import contextmanager

from tqdm import tqdm

# A runner that shows several notebooks at once reads the tail of this file; more than a
# few redraws a second would only cost disk writes.
FILE_INTERVAL_SECONDS = 1.0


@contextmanager
def _open_stream():
    path = os.environ.get("LEAKAGE_PROGRESS_FILE")
    if not path:
        yield sys.stderr, {}
        return
    with open(path, "a", encoding="utf-8") as stream:
        yield stream, {"mininterval": FILE_INTERVAL_SECONDS, "ascii": True, "ncols": 70}


def track(iterable, description, total=None):
    """Iterate with a progress bar that vanishes when the loop ends.

    Parameters
    ----------
    iterable : iterable
        What to loop over.
    description : str
        What is being done, such as `"decode images"`.
    total : int, optional
        Number of items, where `len(iterable)` does not tell.

    Yields
    ------
    object
        The items, unchanged. If `$LEAKAGE_PROGRESS_FILE` is set, the bar goes to that file
        and leaves the executed notebook clean; else to standard error.
    """
    with _open_stream() as (stream, options):
        bar = tqdm(iterable, desc=description, total=total, leave=False, file=stream, **options)
        yield from bar
