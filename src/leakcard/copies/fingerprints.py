"""What an image looks like in a few bytes: hashes of its file, pixels and views, a thumbnail."""

import hashlib
from typing import NamedTuple

import cv2
import imagehash
import numpy as np
import threadpoolctl
from PIL import Image
from tqdm import tqdm

from leakcard import images, kept
from leakcard.copies.points import Points, describe_points

# Sides cut off (left, right, top, bottom), as shares: the whole image, 5 % off every side, and 5 %
# off two sides that meet. A crop of up to 5 % a side is close to one of them, where the perceptual
# hash of the whole image alone finds 39 % of them at the radius in use (see
# benchmarks/calibrate_copies.py).
VIEWS = (
    (0.00, 0.00, 0.00, 0.00),
    (0.05, 0.05, 0.05, 0.05),
    (0.05, 0.00, 0.05, 0.00),
    (0.00, 0.05, 0.05, 0.00),
    (0.05, 0.00, 0.00, 0.05),
    (0.00, 0.05, 0.00, 0.05),
)
NUM_QUERIES = 2 * len(VIEWS)  # every view, then every view of the mirror image

# Fine enough for ribs and bronchi to tell two patients of one build apart; 16 kB an image.
THUMBNAIL_PX = 128
# Raise it whenever a fingerprint becomes another.
FINGERPRINT_VERSION = "1"
# Gray levels; under it a picture is one colour, and a correlation with it means nothing.
MIN_DEVIATION = 1.0


class Fingerprint(NamedTuple):
    """What is kept of an image.

    Attributes
    ----------
    pixels : str
        Hash of the decoded RGB pixels and their shape, hexadecimal.
    queries : ndarray of shape (NUM_QUERIES,), dtype=uint64
        Perceptual hash (DCT of 32x32 pixels, 64 bits) of every view of the image, the whole image
        first, then of every view of its mirror image.
    thumbnail : ndarray of shape (THUMBNAIL_PX, THUMBNAIL_PX), dtype=uint8
        Gray.
    is_flat : bool
        One colour all over.
    points : points.Points or None
        None where they were not asked for.
    """

    pixels: str
    queries: np.ndarray
    thumbnail: np.ndarray
    is_flat: bool
    points: object


def crop_view(image, view):
    """Cut the sides of a view off an image, to whole pixels.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Any type.
    view : tuple of float
        Shares to cut off left, right, top and bottom, each in [0, 0.5).

    Returns
    -------
    ndarray of shape (smaller height, smaller width)
        A view into `image`.
    """
    height, width = image.shape[:2]
    left, right, top, bottom = view
    return image[
        round(height * top) : height - round(height * bottom),
        round(width * left) : width - round(width * right),
    ]


def _hash(gray):
    bits = imagehash.phash(Image.fromarray(gray)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def compute_fingerprint(image, with_points=True):
    """Compute the fingerprint of one decoded image.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype=uint8, in [0, 255]
        RGB.
    with_points : bool
        They take 20 ms an image, the rest 3.

    Returns
    -------
    Fingerprint
    """
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image))
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumbnail = images.resize_image(gray, THUMBNAIL_PX)
    is_flat = float(thumbnail.std()) < MIN_DEVIATION
    points = None
    if with_points:  # of one colour, what is left is noise
        points = describe_points(np.zeros_like(gray) if is_flat else gray)
    mirrored = np.ascontiguousarray(thumbnail[:, ::-1])
    queries = [_hash(crop_view(side, view)) for side in (thumbnail, mirrored) for view in VIEWS]
    queries = np.array(queries, dtype=np.uint64)
    return Fingerprint(digest.hexdigest(), queries, thumbnail, is_flat, points)


def _to_arrays(one):
    parts = one._asdict()
    points = parts.pop("points")
    parts |= vars(points) if points else {}
    return {name: np.asarray(part) for name, part in parts.items()}


def _from_arrays(arrays):
    parts = {name: part if part.ndim else part.item() for name, part in arrays.items()}
    points = {name: parts.pop(name) for name in set(parts) - set(Fingerprint._fields)}
    return Fingerprint(**parts, points=Points(**points) if points else None)


def compute_fingerprints(paths, with_points=True, cache_dir=None):
    """Decode files and compute their fingerprints.

    Parameters
    ----------
    paths : sequence of str or Path
        Image files; a path that occurs twice is decoded once.
    with_points : bool
        As for `compute_fingerprint`.
    cache_dir : str or Path, optional
        Where fingerprints are kept, by the content of the files; nowhere by default.

    Returns
    -------
    prints : dict of str to Fingerprint
        Of the readable files, each once, in the order of their first occurrence.
    unreadable : list of dict
        `path` and `reason` of the others.
    """
    store = kept.Store(
        cache_dir, f"{'full' if with_points else 'fast'}-fingerprints{FINGERPRINT_VERSION}"
    )

    def measure(path):
        return _to_arrays(compute_fingerprint(images.decode_image(path), with_points))

    def recall(path):
        try:
            return _from_arrays(store.recall(path, measure))
        except (ValueError, OSError) as error:
            return str(error)

    paths = list(dict.fromkeys(str(path) for path in paths))
    # Small matrices: further BLAS threads only wait, and take the cores from these.
    with threadpoolctl.threadpool_limits(1, "blas"):
        results = images.map_threads(recall, paths, "fingerprint images")
        found = dict(zip(paths, results, strict=True))
    prints = {path: one for path, one in found.items() if isinstance(one, Fingerprint)}
    return prints, [{"path": path, "reason": found[path]} for path in found if path not in prints]


def _hash_file(path):
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def hash_files(paths, known):
    """Hash the bytes of files.

    Parameters
    ----------
    paths : sequence of str, Path or NaN
        Files; a path may occur more than once.
    known : sequence of str or NaN
        The sha256 of each where it is known already.

    Returns
    -------
    list of str or None
        sha256, hexadecimal; None for a file that is missing or cannot be read.
    """
    pairs = list(zip(map(str, paths), known, strict=True))
    wanted = sorted({path for path, digest in pairs if not isinstance(digest, str)})
    fresh = {path: _hash_file(path) for path in tqdm(wanted, "hash files", leave=False)}
    return [digest if isinstance(digest, str) else fresh[path] for path, digest in pairs]
