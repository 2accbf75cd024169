"""Treatments: what is kept is untouched, what is taken away is gone."""

import numpy as np
import pandas as pd
import pytest

from leakage import treatments


@pytest.fixture
def image():
    return np.random.default_rng(0).uniform(1, 255, (40, 40, 3)).astype(np.float32)


@pytest.fixture
def mask():
    inside = np.zeros((40, 40), dtype=bool)
    inside[10:20, 5:30] = True
    return inside


def test_kept_and_removed_parts_make_up_the_image(image, mask):
    for kept, removed in (("mask only", "mask removed"), ("centre box only", "centre box removed")):
        parts = [treatments.apply_treatment(name, image, mask) for name in (kept, removed)]
        np.testing.assert_array_equal(parts[0] + parts[1], image)
        assert all((part == 0).any() for part in parts)


def test_the_border_lies_outside_the_box(image):
    border = treatments.apply_treatment("border only", image)
    assert (border[treatments.make_box(40)] == 0).all()
    np.testing.assert_array_equal(border[:4], image[:4])


def test_a_thumbnail_holds_at_most_16_by_16_values(image):
    striped = np.zeros((64, 64, 3), np.float32)
    striped[:, ::2] = 255
    flat = treatments.apply_treatment("thumbnail 16x16", striped)
    assert flat.std() < 1e-3 and flat.shape == striped.shape


@pytest.mark.parametrize("name", sorted(treatments.TREATMENTS))
def test_no_treatment_changes_its_input(image, mask, name):
    before = image.copy()
    treated = treatments.apply_treatment(name, image, mask)
    np.testing.assert_array_equal(image, before)
    assert treated.shape == image.shape and treated.dtype == np.float32


def test_one_kind_of_mask_for_all_classes():
    complete = pd.DataFrame({"mask_path": ["a", "b"]})
    partial = pd.DataFrame({"mask_path": ["a", np.nan]})
    assert "mask only" in treatments.choose_counterfactuals(complete)
    assert "centre box only" in treatments.choose_counterfactuals(partial)


def test_unknown_names_and_missing_masks_are_explained(image):
    with pytest.raises(ValueError, match="'border only'.*Received: 'frame'"):
        treatments.apply_treatment("frame", image)
    with pytest.raises(ValueError, match="needs the mask of each image.*Received: None"):
        treatments.apply_treatment("mask only", image)
