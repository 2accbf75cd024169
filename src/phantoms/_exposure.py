"""Turn the attenuation of a chest phantom into the picture that one hospital hands out."""

import cv2
import numpy as np

from phantoms import _draw

# What an exposure looks like when it leaves each hospital: display window (attenuation shown black
# and white), gamma, grain, sharpening, collimation frame, aspect ratio (width / height), letters.
STYLES = {
    "A": {
        "low": (0.06, 0.06),
        "high": (1.24, 0.10),
        "gamma": (0.95, 0.12),
        "grain": (0.016, 0.006),
        "sharpen": (0.2, 0.2),
        "frame": 0.35,
        "aspect": (0.85, 1.20),
        "letters": 0.75,
        "texts": ("L", "R", "AP", "PORTABLE", "SUPINE"),
        "letter_size": 0.085,
    },
    "B": {
        "low": (0.07, 0.04),
        "high": (1.14, 0.06),
        "gamma": (1.10, 0.07),
        "grain": (0.011, 0.003),
        "sharpen": (0.5, 0.15),
        "frame": 0.08,
        "aspect": (1.18, 1.42),
        "letters": 0.92,
        "texts": ("R",),
        "letter_size": 0.115,
    },
    "C": {
        "low": (0.03, 0.03),
        "high": (1.20, 0.06),
        "gamma": (0.85, 0.06),
        "grain": (0.007, 0.002),
        "sharpen": (0.3, 0.1),
        "frame": 0.15,
        "aspect": (1.0, 1.0),
        "letters": 0.85,
        "texts": ("L", "L", "PORTABLE"),
        "letter_size": 0.075,
    },
}


def develop(attenuation, row, rng, size_px):
    """Turn attenuation into the picture one hospital hands out.

    Returns
    -------
    image : ndarray of shape (size_px, size_px), dtype=uint8
    symbols : ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
    crop : tuple of two slices
        The part of the square that the hospital keeps.
    """
    style = STYLES[row["hospital"]]
    low, high, gamma = (rng.normal(*style[name]) for name in ("low", "high", "gamma"))
    if row["view"] == "AP":
        # A bedside exposure is softer: more scatter, less contrast.
        attenuation = 0.85 * attenuation + 0.15 * _draw.blur(attenuation, 0.2, size_px)
        low, high = low - 0.03, high + 0.08
    sharpen = max(0.0, rng.normal(*style["sharpen"]))
    attenuation = attenuation + sharpen * (attenuation - _draw.blur(attenuation, 0.025, size_px))
    # Fewer photons arrive behind thick parts, so the grain is coarser there.
    grain = abs(rng.normal(*style["grain"]))
    noise = _draw.blur(rng.standard_normal((size_px, size_px), np.float32), 0.006, size_px)
    attenuation = attenuation + 1.7 * grain * noise * np.sqrt(np.clip(attenuation, 0.05, None))
    shown = np.clip((attenuation - low) / (high - low), 0.0, 1.0)
    shown = np.maximum(shown, 0.0) ** max(gamma, 0.4)
    shown = 0.985 * shown + 0.008 * (1.0 + rng.random())

    width, height = np.array([1.0, 1.0 / rng.uniform(*style["aspect"])])
    if height > 1.0:
        width, height = 1.0 / height, 1.0
    columns, rows = int(round(size_px * width)), int(round(size_px * height))
    left, top = (size_px - columns) // 2, int((size_px - rows) * 0.45)
    crop = (slice(top, top + rows), slice(left, left + columns))

    if rng.random() < style["frame"]:
        corners = np.array([(-1, -height), (1, -height), (1, height), (-1, height)]) * [width, 1]
        corners = corners * (1.0 - rng.uniform(0.01, 0.09, (4, 1)))
        shown = shown * _draw.fill_curves([corners], size_px)
    symbols = draw_letters(style, rng, (left, top, columns, rows), size_px)
    shown = shown * (1.0 - symbols) + symbols * rng.uniform(0.92, 1.0)
    return np.clip(np.round(shown * 255.0), 0, 255).astype(np.uint8), symbols, crop


def draw_letters(style, rng, box, size_px):
    """Return the layer of the letters in the corners, float32 (size_px, size_px) in [0, 1]."""
    left, top, columns, rows = box
    text = style["texts"][rng.integers(len(style["texts"]))]
    place, shift, written = rng.random(), rng.uniform(0.02, 0.08, 2), rng.random()
    fine = _draw.OVERSAMPLING
    canvas = np.zeros((size_px * fine, size_px * fine), np.uint8)  # putText needs 8 bits
    if written < style["letters"]:
        height_px = style["letter_size"] * size_px * fine * 0.6
        if len(text) > 2:
            height_px *= 0.6
        font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, int(round(height_px / 8)))
        scale = cv2.getFontScaleFromHeight(font, max(5, int(height_px)), thickness)
        (text_width, text_height), _ = cv2.getTextSize(text, font, scale, thickness)
        # "R" hangs on the patient's right, the picture's left; "L" opposite; others on either.
        on_left = text == "R" or (text != "L" and place < 0.5)
        x = shift[0] * columns * fine
        x = left * fine + x if on_left else (left + columns) * fine - x - text_width
        y = top * fine + shift[1] * rows * fine + text_height
        cv2.putText(canvas, text, (int(x), int(y)), font, scale, 255, thickness, cv2.LINE_AA)
    return _draw.average_down(canvas, size_px)
