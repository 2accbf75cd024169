"""Ways in which pictures change as they travel between data sets, to measure the search by."""

import io

import cv2
import numpy as np
from PIL import Image

from leakcard import images
from leakcard.copies import fingerprints


def fingerprint_images(decoded, with_points=True):
    return [
        fingerprints.compute_fingerprint(np.ascontiguousarray(image), with_points)
        for image in decoded
    ]


def _compress(image, quality=50):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def _apply_gamma(image, gamma):
    return np.round(255 * (image / 255.0) ** gamma).astype(np.uint8)


def brighten(image, levels=30):
    return np.clip(image.astype(int) + levels, 0, 255).astype(np.uint8)


def _combine(image, rng, gamma, mirrored):
    image = fingerprints.crop_view(image, rng.uniform(0, 0.05, 4))
    image = image[:, ::-1] if mirrored else image
    return _compress(images.resize_image(_apply_gamma(image, gamma), 224))


def turn(image, rng, degrees):
    """Turn either way; the frame stays, its corners are black."""
    height, width = image.shape[:2]
    degrees = degrees * rng.choice([-1, 1])
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height))


def crop_fifth(image, rng):
    """Cut by a fifth in each direction, wherever the rest lies."""
    left, top = rng.uniform(0, 0.2, 2)
    return fingerprints.crop_view(image, (left, 0.2 - left, top, 0.2 - top))


def shift(image, rng, share=0.1):
    """Move by a tenth across and down, black where nothing was."""
    height, width = image.shape[:2]
    across, down = rng.choice([-share, share], 2) * (width, height)
    return cv2.warpAffine(image, np.float32([[1, 0, across], [0, 1, down]]), (width, height))


def pad(image, rng, share=0.15):
    across, down = (round(share * side) for side in image.shape[1::-1])
    return cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT)


def invert(image, rng=None):
    return 255 - image


def equalise(image, rng=None, limit=3.0):
    gray = cv2.createCLAHE(limit, (8, 8)).apply(np.ascontiguousarray(image[..., 0]))
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def write_letters(image, rng):
    """Burn in a line of letters and a large one, as stations do."""
    image = image.copy(order="C")
    height, width = image.shape[:2]
    for text, scale in (("R" if rng.random() < 0.5 else "L", 0.12), ("PORTABLE AP 14:25", 0.05)):
        place = (round(width * rng.uniform(0.05, 0.3)), round(height * rng.uniform(0.15, 0.9)))
        size, weight = scale * height / 22, max(1, round(scale * height / 8))
        image = cv2.putText(
            image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), weight
        )
    return image


def blur(image, rng=None):
    return cv2.GaussianBlur(image, (0, 0), min(image.shape[:2]) / 256)


def add_noise(image, rng, levels=10):
    noise = rng.normal(0, levels, image.shape[:2])[..., np.newaxis]
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def squash(image, rng=None):
    height, width = image.shape[:2]
    return cv2.resize(image, (width, round(0.7 * height)), interpolation=cv2.INTER_AREA)


# What is done to an RGB image; a generator decides what is random. The fast search promises the
# first twelve, the full search all.
COPIES = {
    "JPEG quality 50": lambda image, rng: _compress(image),
    "resized to 224": lambda image, rng: images.resize_image(image, 224),
    "crop, 5 % in all (2.5 % a side)": lambda image, rng: fingerprints.crop_view(
        image, (0.025, 0.025, 0.025, 0.025)
    ),
    "crop, 5 % off each side": lambda image, rng: fingerprints.crop_view(image, (0.05,) * 4),
    "crop, 5 % off a corner": lambda image, rng: fingerprints.crop_view(image, (0, 0.05, 0.05, 0)),
    "crop, 0 to 5 % off each side": lambda image, rng: fingerprints.crop_view(
        image, rng.uniform(0, 0.05, 4)
    ),
    "mirrored": lambda image, rng: image[:, ::-1],
    "gamma 0.8": lambda image, rng: _apply_gamma(image, 0.8),
    "gamma 1.25": lambda image, rng: _apply_gamma(image, 1.25),
    "30 gray levels brighter": lambda image, rng: brighten(image),
    "crop, gamma 0.8, 224, JPEG": lambda image, rng: _combine(image, rng, 0.8, False),
    "crop, mirrored, gamma 1.25, 224, JPEG": lambda image, rng: _combine(image, rng, 1.25, True),
}
NUM_FAST = len(COPIES)
COPIES |= {
    "turned by 3 degrees": lambda image, rng: turn(image, rng, 3),
    "turned by 8 degrees": lambda image, rng: turn(image, rng, 8),
    "turned by 15 degrees": lambda image, rng: turn(image, rng, 15),
    "turned by a quarter": lambda image, rng: np.rot90(image, rng.choice([1, 3])),
    "upside down": lambda image, rng: image[::-1, ::-1],
    "crop, 20 % across and down": crop_fifth,
    "shifted by 10 %": shift,
    "padded by 15 % a side": pad,
    "negative": invert,
    "CLAHE": equalise,
    "letters burned in": write_letters,
    "JPEG quality 10": lambda image, rng: _compress(image, 10),
    "blurred": blur,
    "noise": add_noise,
    "thumbnail of 96 px": lambda image, rng: images.resize_image(image, 96),
    "squashed to 70 %": squash,
    "turned by 8 degrees, negative": lambda image, rng: invert(turn(image, rng, 8)),
    "crop 20 %, CLAHE": lambda image, rng: equalise(crop_fifth(image, rng)),
    "mirrored, letters": lambda image, rng: write_letters(image[:, ::-1], rng),
    "padded, JPEG 10": lambda image, rng: _compress(pad(image, rng), 10),
    "crop 20 %, CLAHE, 224 px": lambda image, rng: images.resize_image(
        equalise(crop_fifth(image, rng)), 224
    ),
    "turned by 5 degrees, mirrored, JPEG 10": lambda image, rng: _compress(
        np.ascontiguousarray(turn(image, rng, 5)[:, ::-1]), 10
    ),
    "negative, crop 20 %, noise": lambda image, rng: add_noise(crop_fifth(invert(image), rng), rng),
    "turned by 10 degrees, brighter, 128 px": lambda image, rng: images.resize_image(
        brighten(turn(image, rng, 10)), 128
    ),
    "quarter turn, letters, blurred": lambda image, rng: blur(write_letters(np.rot90(image), rng)),
}
