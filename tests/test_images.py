import hashlib

import numpy as np
import pytest
from PIL import Image

from leakcard import images


@pytest.fixture
def gradient():
    return np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)


def save(folder, name, array, mode=None, **options):
    path = folder / name
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def test_an_eight_bit_gray_png_becomes_rgb_of_the_same_values(tmp_path, gradient):
    decoded = images.decode_image(save(tmp_path, "gray.png", gradient))
    assert decoded.shape == (48, 64, 3) and decoded.dtype == np.uint8
    assert all((decoded[..., channel] == gradient).all() for channel in range(3))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_large_image_is_refused_with_the_way_to_allow_it(tmp_path, gradient, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # put back afterwards
    path = save(tmp_path, "large.png", gradient)
    images.allow_pixels(gradient.size - 2)
    with pytest.raises(ValueError, match="too large.*at most 3070 pixels.*--max-pixels N"):
        images.decode_image(path)
    images.allow_pixels(gradient.size)
    assert images.decode_image(path).shape == (48, 64, 3)


def test_a_sixteen_bit_png_keeps_its_range_instead_of_turning_white(tmp_path, gradient):
    deep = gradient.astype(np.uint16) * 257
    decoded = images.decode_image(save(tmp_path, "deep.png", deep))
    np.testing.assert_array_equal(decoded[..., 0], gradient)


def test_a_palette_is_looked_up(tmp_path):
    indices = Image.fromarray(np.array([[0, 1], [2, 0]], dtype=np.uint8), mode="P")
    indices.putpalette([10, 20, 30, 200, 100, 0, 0, 0, 255])
    indices.save(tmp_path / "palette.png")
    decoded = images.decode_image(tmp_path / "palette.png")
    assert decoded[0].tolist() == [[10, 20, 30], [200, 100, 0]]


def test_what_is_transparent_becomes_black_whatever_colour_lies_under_it(tmp_path):
    rgba = np.full((4, 4, 4), 255, dtype=np.uint8)
    rgba[:2, :, 3] = 0
    decoded = images.decode_image(save(tmp_path, "alpha.png", rgba))
    assert (decoded[:2] == 0).all() and (decoded[2:] == 255).all()


def test_a_palette_with_a_transparent_entry_is_laid_over_black(tmp_path):
    indices = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    indices.putpalette([250, 250, 250, 9, 8, 7])
    indices.save(tmp_path / "palette.png", transparency=0)
    assert images.decode_image(tmp_path / "palette.png")[0].tolist() == [[0, 0, 0], [9, 8, 7]]


def test_a_cmyk_jpeg_comes_out_near_its_rgb(tmp_path):
    color = np.full((16, 16, 3), (200, 40, 90), dtype=np.uint8)
    decoded = images.decode_image(save(tmp_path, "cmyk.jpg", color, "CMYK", quality=95))
    assert np.abs(decoded.astype(int) - color).max() < 12


@pytest.mark.parametrize("name", ["half.jpg", "half.png"])
def test_half_a_file_is_an_error_that_names_it(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    path = save(tmp_path, name, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"cannot be decoded: .*{name}"):
        images.decode_image(path)


def test_a_text_file_is_no_image_and_a_missing_one_is_not_found(tmp_path):
    (tmp_path / "text.png").write_text("Not Found")
    with pytest.raises(ValueError, match=r"text\.png"):
        images.decode_image(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError, match="absent"):
        images.decode_image(tmp_path / "absent.png")


def test_an_inspected_image_tells_size_type_and_hash(tmp_path, gradient):
    path = save(tmp_path, "misnamed.png", gradient, format="JPEG")
    facts = images.inspect_image(path)
    assert (facts["width_px"], facts["height_px"], facts["file_format"]) == (64, 48, "JPEG")
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_shrinking_averages_instead_of_picking_stripes():
    stripes = np.zeros((256, 256), dtype=np.float32)
    stripes[:, ::2] = 200
    np.testing.assert_allclose(images.resize_image(stripes, 32), 100, atol=1)


def test_shrinking_agrees_with_pillow_box_filter():
    noise = np.random.default_rng(0).random((96, 64), dtype=np.float32)
    expected = np.asarray(Image.fromarray(noise).resize((32, 32), Image.Resampling.BOX))
    np.testing.assert_allclose(images.resize_image(noise, 32), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(20, 20), (20, 90), (90, 20, 3)])
def test_enlarging_either_axis_stays_in_range_and_smooth(shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    resized = images.resize_image(image, 40)
    assert resized.shape[:2] == (40, 40) and resized.min() >= 0 and resized.max() <= 1


def test_loaded_images_follow_the_order_of_the_paths_and_repeat(tmp_path):
    paths = [save(tmp_path, f"{v}.png", np.full((9, 9), v, dtype=np.uint8)) for v in (7, 3)]
    loaded = images.load_images([*paths, paths[0]], 8)
    assert loaded.dtype == np.float32 and loaded[:, 0, 0, 0].tolist() == [7, 3, 7]


def test_masks_are_true_where_half_a_pixel_is_inside_and_a_missing_one_is_named(tmp_path):
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[:, :32] = 255
    loaded = images.load_masks([save(tmp_path, "mask.png", mask)], 16)
    assert loaded.dtype == bool and loaded[0, :, :8].all() and not loaded[0, :, 8:].any()
    with pytest.raises(ValueError, match="1 of 1 rows have no mask"):
        images.load_masks([np.nan], 16)
