"""Decode image files of any kind into one form, and resize them without aliasing."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from leakcard import files

# Part of every cache key: raise it whenever decoding or resizing gives other pixels.
DECODER_VERSION = "2"

# Pillow warns from its limit on and refuses twice as much; about 10 bytes a pixel are needed at
# once. `allow_pixels` changes it.
MAX_PIXELS = 2 * Image.MAX_IMAGE_PIXELS
ORIENTATION = 0x0112  # the EXIF tag
# What a 16-bit sample is divided by, so that 65535 becomes 255.
SIXTEEN_TO_EIGHT_BITS = 257
# Threads: Pillow and OpenCV release the interpreter lock meanwhile.
NUM_JOBS = 2


class Refused(ValueError):
    """An image that is whole, but of which it is not certain what it shows, or too large."""


def allow_pixels(num_pixels):
    """Set how large an image may be: Pillow's limit, for the whole process.

    Parameters
    ----------
    num_pixels : int
        Width times height, rounded up to an even number; `MAX_PIXELS` by default.
    """
    Image.MAX_IMAGE_PIXELS = -(-num_pixels // 2)


def _scale_sixteen_bits(image, path):
    # Pillow opens 16-bit gray as "I;16" or, in some versions, as "I"; its own convert("RGB")
    # clips everything above 255 to white.
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise Refused(
            f"An image holds gray values that are not of 8 or 16 bits: {path}. Expected values "
            f"in [0, 65535]. Save it as 16-bit PNG. Received: values in "
            f"[{values.min()}, {values.max()}]"
        )
    gray = ((values + SIXTEEN_TO_EIGHT_BITS // 2) // SIXTEEN_TO_EIGHT_BITS).astype(np.uint8)
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def _scale_floats(image, path):
    values = np.asarray(image, dtype=np.float64)
    low, high = float(np.min(values)), float(np.max(values))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 255:
        raise Refused(
            f"An image holds numbers of which it is not certain how bright they are: {path}. "
            f"Expected values in [0, 1] or in [0, 255]. Save it as PNG. Received: values in "
            f"[{low:g}, {high:g}]"
        )
    gray = np.round(values * 255 if high <= 1 else values).astype(np.uint8)
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def _to_rgb(image, path):
    if image.mode == "F":
        return _scale_floats(image, path)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _scale_sixteen_bits(image, path)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        # Black is the air around a patient; Pillow's convert would show whatever colour the
        # writer left under transparent pixels.
        background = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(background, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _decode(content, path):
    """Return (RGB array, file format) of the bytes of one image file."""
    if content[128:132] == b"DICM":
        return _decode_dicom(content, path), "DICOM"
    try:
        with Image.open(io.BytesIO(content)) as image:
            file_format = str(image.format)
            image.load()  # open() reads only the header: half a file passes it
            if image.getexif().get(ORIENTATION, 1) != 1:
                image = ImageOps.exif_transpose(image)  # as every viewer shows it
            return _to_rgb(image, path), file_format
    except Refused:
        raise
    except Image.DecompressionBombError as error:
        raise Refused(_tell_too_large(path, str(error))) from error
    except Exception as error:  # of damaged files decoders raise anything, RuntimeError among it
        told = "of no known format" if isinstance(error, UnidentifiedImageError) else error
        raise ValueError(
            f"An image cannot be decoded: {path}. Expected a whole JPEG, PNG or other image "
            f"file. Delete it and download it again. Received: {len(content)} bytes, {told}"
        ) from error


def _tell_too_large(path, what):
    return (
        f"An image is too large: {path}. Expected at most {2 * Image.MAX_IMAGE_PIXELS} pixels, "
        f"since decoding needs about 10 bytes for each. To read it, make it smaller, or "
        f"allow more: leakcard audit --max-pixels N (in Python: leakcard.images.allow_pixels(N)). "
        f"Received: {what}"
    )


def _decode_dicom(content, path):
    try:
        import pydicom
    except ImportError as error:
        raise ValueError(
            f"An image is DICOM: {path}. To read it: pip install 'leakage[dicom]'"
        ) from error
    try:
        data = pydicom.dcmread(io.BytesIO(content))
        values = pydicom.pixels.apply_voi_lut(data.pixel_array, data).astype(np.float64)
    except Exception as error:  # decoders of damaged files raise anything
        raise ValueError(f"A DICOM file cannot be decoded: {path}. Received: {error}") from error
    values = values[0] if int(data.get("NumberOfFrames", 1) or 1) > 1 else values
    span = values.max() - values.min()
    scaled = np.round(255 * (values - values.min()) / (span if span else 1)).astype(np.uint8)
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        scaled = 255 - scaled
    return scaled if scaled.ndim == 3 else np.repeat(scaled[..., np.newaxis], 3, axis=2)


def decode_image(path):
    """Decode one image file as stored, in full.

    Parameters
    ----------
    path : str or Path
        JPEG, PNG or another file that Pillow reads.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype=uint8, in [0, 255]
        RGB. Gray is repeated; 16-bit gray keeps its full range (65535 becomes 255); palettes
        are looked up; transparency is laid over black; CMYK is converted; EXIF orientation is
        applied, as viewers do (Keras does not); floats in [0, 1] are scaled. Of several frames,
        the first.

    Raises
    ------
    ValueError
        If the file is truncated, too large, no image, or holds numbers that say nothing of how
        bright they are; the message names it.
    FileNotFoundError
        If there is no such file.
    """
    return _decode(Path(path).read_bytes(), path)[0]


def inspect_image(path):
    """Decode one image file in full and say what it is.

    Parameters
    ----------
    path : str or Path
        An image file.

    Returns
    -------
    dict
        `width_px`, `height_px`, `file_format` (such as `"JPEG"`), `num_bytes` and `sha256`
        (of the file, hexadecimal).

    Raises
    ------
    ValueError, FileNotFoundError
        As `decode_image`.
    """
    content = Path(path).read_bytes()
    pixels, file_format = _decode(content, path)
    return {
        "width_px": pixels.shape[1],
        "height_px": pixels.shape[0],
        "file_format": file_format,
        "num_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def resize_image(image, size_px):
    """Resize an image to a square; the aspect ratio is not kept, as in the published studies.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels), uint8 or float32
        Any range.
    size_px : int
        Side of the result.

    Returns
    -------
    ndarray of shape (size_px, size_px[, channels]), dtype as given
        An axis that shrinks is averaged over areas (OpenCV `INTER_AREA`, no aliasing), one
        that grows is interpolated linearly. Values stay within the range of the input.
    """
    if size_px < 1:
        raise ValueError(
            f"An image was to be resized to nothing. Expected `size_px` of at least 1. "
            f"Received: size_px={size_px}"
        )
    height, width = image.shape[:2]
    # INTER_AREA antialiases only if both axes shrink: shrink first, then enlarge.
    shrunk = (min(width, size_px), min(height, size_px))
    image = np.ascontiguousarray(image)
    if shrunk != (width, height):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (size_px, size_px):
        image = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    return image


def map_threads(function, items, description):
    """Yield what a function gives for each of many items, in their order, from `NUM_JOBS` threads.

    Parameters
    ----------
    function : callable
        Of one item.
    items : sequence
    description : str
        What the progress bar says.
    """
    with ThreadPoolExecutor(NUM_JOBS) as pool:
        yield from tqdm(pool.map(function, items), description, total=len(items), leave=False)


def load_images(paths, size_px, description="load images"):
    """Decode and resize many images.

    Parameters
    ----------
    paths : sequence of str or Path
        Image files; a path may occur more than once.
    size_px : int
        Side of the result.
    description : str
        What the progress bar says.

    Returns
    -------
    ndarray of shape (n_images, size_px, size_px, 3), dtype=float32, in [0, 255]
        In the order of `paths`; decoded as `decode_image`, resized as `resize_image`.

    Raises
    ------
    ValueError, FileNotFoundError
        Naming the file, as `decode_image`.
    """
    paths = list(paths)
    unique = sorted({str(path) for path in paths})  # draws with replacement repeat files
    loaded = np.empty((len(unique), size_px, size_px, 3), dtype=np.float32)

    def load(path):
        return resize_image(decode_image(path), size_px)

    for row, image in enumerate(map_threads(load, unique, description)):
        loaded[row] = image
    if [str(path) for path in paths] == unique:
        return loaded
    positions = {path: row for row, path in enumerate(unique)}
    return loaded[[positions[str(path)] for path in paths]]


def load_masks(paths, size_px):
    """Decode and resize many masks.

    Parameters
    ----------
    paths : sequence of str or Path
        Image files, white inside and black outside; each row must have one.
    size_px : int
        As for `load_images`.

    Returns
    -------
    ndarray of shape (n_images, size_px, size_px), dtype=bool
        True where at least half of a pixel's area is inside.

    Raises
    ------
    ValueError
        If a path is missing (NaN) or a file cannot be decoded.
    """
    paths = list(paths)
    missing = [row for row, path in enumerate(paths) if not isinstance(path, (str, Path))]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(paths)} rows have no mask. Expected a path in each. Select "
            f"the rows with `table[table['mask_path'].notna()]`. Received: {paths[missing[0]]!r} "
            f"in row {missing[0]}"
        )

    def load(path):
        return resize_image(decode_image(path)[..., 0].astype(np.float32), size_px) >= 127.5

    masks = np.empty((len(paths), size_px, size_px), dtype=bool)
    for row, mask in enumerate(map_threads(load, paths, "load masks")):
        masks[row] = mask
    return masks


def write_by_content(folder, pixels, suffix=".png", options=()):
    """Write a picture to a file named by its content: processes may share the folder.

    Parameters
    ----------
    folder : str or Path
    pixels : ndarray of shape (height, width[, 3]), dtype=uint8
    suffix : {".png", ".jpg", ".jpeg"}
    options : sequence of int
        As `cv2.imencode` takes them.

    Returns
    -------
    Path
    """
    ordered = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    content = cv2.imencode(suffix, ordered, list(options))[1].tobytes()
    path = Path(folder) / f"{hashlib.sha256(content).hexdigest()[:24]}{suffix}"
    if not path.exists():
        with files.open_atomic(path, "wb") as stream:
            stream.write(content)
    return path
