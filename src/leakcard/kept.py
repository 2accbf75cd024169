"""What was measured of a picture, kept by the content of its file: a second look is quick."""

import hashlib
import warnings
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL

from leakcard import files, images

DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class Store:
    """A folder of arrays, one file a picture: processes may share it, and it may be deleted.

    Parameters
    ----------
    cache_dir : str or Path, optional
        Nothing is kept where there is none.
    kind : str
        What is measured, with a version that changes whenever the measure does.
    """

    def __init__(self, cache_dir, kind):
        # What decodes and measures is part of the key: another version may give other values.
        versions = f"{images.DECODER_VERSION}-pillow{PIL.__version__}-opencv{cv2.__version__}"
        self.folder = cache_dir and Path(cache_dir) / "pictures" / f"{kind}-{versions}"

    def recall(self, path, measure):
        """Return what `measure(path)` gives, a dict of arrays, or gave for a file of these bytes.

        Raises
        ------
        OSError, ValueError
            As `measure`, and if there is no such file.
        """
        folder = self.folder  # another thread may find that nothing can be kept
        if not folder:
            return measure(path)
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        place = folder / digest[:2] / f"{digest}.npz"
        try:
            with np.load(place, allow_pickle=False) as arrays:
                return dict(arrays)
        except DAMAGED:  # or not there
            measured = measure(path)
        try:
            with files.open_atomic(place, "wb") as stream:
                np.savez(stream, **measured)
        except OSError as error:
            self.folder = None
            warnings.warn(
                f"What is measured of the pictures cannot be kept, and will be measured again: "
                f"{error}. Expected a cache folder that can be written to.",
                stacklevel=2,
            )
        return measured
