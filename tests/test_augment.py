"""The paper's augmentation, in the paper's units."""

import dataclasses

import numpy as np
import pytest
import toys

from leakage import augment, published

KEYS = ["a", "b", "c", "d"]
STILL = dataclasses.replace(
    published.AUGMENTATION["paper"],
    rotation_degrees=0.0,
    shift_fraction=0.0,
    shear_fraction=0.0,
    zoom_fraction=0.0,
    horizontal_flip=False,
    vertical_flip=False,
)


def test_no_range_at_all_gives_the_image_back():
    pixels = toys.make_pixels(33, 4)
    moved = augment.augment_images(pixels, KEYS, 1, STILL, seed=0)
    np.testing.assert_allclose(moved, pixels, atol=1e-2)


def test_a_view_depends_on_the_image_and_not_on_its_neighbours():
    pixels = toys.make_pixels(33, 4)
    paper = published.AUGMENTATION["paper"]
    together = augment.augment_images(pixels, KEYS, 3, paper, seed=1)
    alone = augment.augment_images(pixels[2:3], KEYS[2:3], 3, paper, seed=1)
    np.testing.assert_allclose(together[2], alone[0], atol=1e-3)


@pytest.mark.parametrize("change", [{"view": 2}, {"seed": 1}, {"image_keys": ["e"]}])
def test_view_seed_and_image_each_give_another_map(change):
    arguments = {"image_keys": ["a"], "view": 1, "seed": 0}
    fixed = {"augmentation": published.AUGMENTATION["paper"], "size_px": 64}
    first = augment.draw_transforms(**arguments, **fixed)
    other = augment.draw_transforms(**(arguments | change), **fixed)
    assert not np.allclose(first, other)


def test_rotation_is_in_degrees_and_not_in_turns():
    only_rotation = dataclasses.replace(STILL, rotation_degrees=20.0)
    maps = augment.draw_transforms([str(i) for i in range(2000)], 1, only_rotation, 64, seed=0)
    degrees = np.rad2deg(np.arctan2(maps[:, 3], maps[:, 0]))
    assert np.abs(degrees).max() <= 20.0
    assert np.abs(degrees).max() > 19.5
    assert abs(degrees.mean()) < 1.0


def test_the_ancestor_turns_images_by_up_to_72_degrees():
    maps = augment.draw_transforms(
        [str(i) for i in range(500)],
        1,
        dataclasses.replace(
            STILL, rotation_degrees=published.AUGMENTATION["ancestor"].rotation_degrees
        ),
        64,
        seed=0,
    )
    assert np.rad2deg(np.arctan2(maps[:, 3], maps[:, 0])).max() > 60


def test_shift_zoom_and_flips_stay_in_their_ranges():
    keys = [str(i) for i in range(1000)]
    shifts = augment.draw_transforms(
        keys, 1, dataclasses.replace(STILL, shift_fraction=0.1), 100, seed=0
    )
    assert np.abs(shifts[:, [2, 5]]).max() <= 10.0
    zooms = augment.draw_transforms(
        keys, 1, dataclasses.replace(STILL, zoom_fraction=0.2), 100, seed=0
    )
    assert zooms[:, 0].min() >= 0.8 and zooms[:, 0].max() <= 1.2
    flips = augment.draw_transforms(
        keys, 1, dataclasses.replace(STILL, horizontal_flip=True), 100, seed=0
    )
    assert 0.45 < (flips[:, 0] < 0).mean() < 0.55
    assert (flips[:, 4] > 0).all()


def test_a_flip_mirrors_about_the_centre():
    pixels = toys.make_pixels(32, 1)
    mirror = np.array([[-1, 0, 31, 0, 1, 0, 0, 0]], dtype=np.float32)
    moved = augment.transform_images(pixels, mirror)
    np.testing.assert_allclose(moved, pixels[:, :, ::-1], atol=1e-2)


def test_one_key_too_few_is_named():
    with pytest.raises(ValueError, match="4 images and 3 keys"):
        augment.augment_images(toys.make_pixels(33, 4), KEYS[:3], 1, STILL, seed=0)
