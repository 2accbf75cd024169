"""Small figures that look the same."""

import io

import numpy as np
from matplotlib import colormaps
from PIL import Image

from leakage import pictures


def write_png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_a_colourful_figure_gets_smaller_and_keeps_its_size_and_colours():
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 300)[None, :, None] * np.ones((200, 1, 3))
    pixels = np.clip(ramp + rng.normal(0, 4, ramp.shape), 0, 255).astype(np.uint8)
    small = pictures.compress_png(write_png(pixels))
    assert len(small) < 0.6 * len(write_png(pixels))
    with Image.open(io.BytesIO(small)) as image:
        found = np.asarray(image.convert("RGB")).astype(int)
    assert found.shape == pixels.shape and np.abs(found - pixels).mean() < 5
    assert pictures.compress_png(write_png(pixels)) == small


def test_a_colour_bar_beside_many_grey_pixels_can_still_be_read():
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, (400, 400, 1)), 3, axis=2).astype(np.uint8)
    bar = (colormaps["inferno"](np.linspace(0, 1, 400))[:, :3] * 255).astype(np.uint8)
    pixels[:, 380:] = bar[:, None]
    with Image.open(io.BytesIO(pictures.compress_png(write_png(pixels)))) as image:
        found = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(found - pixels).max() <= 20
    brightness = found[:, 390] @ [299, 587, 114]
    assert (np.diff(brightness) >= -6000).all()  # never falls by more than 6 of 255


def test_transparent_paper_comes_out_white():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 60, 4)).astype(np.uint8)
    pixels[:30, :, 3] = 0
    with Image.open(io.BytesIO(pictures.compress_png(write_png(pixels)))) as image:
        assert (np.asarray(image.convert("RGB"))[:30] == 255).all()


def test_what_would_not_get_smaller_stays_as_it_is():
    content = pictures.compress_png(write_png(np.full((2, 2, 3), 7, np.uint8)))
    assert pictures.compress_png(content) == content
