"""The row "label predicted from image quality": a blurred class is found, clean ones are not."""

import cv2
import numpy as np
import planted
import pytest

import leakcard
from leakcard import quality


@pytest.fixture(scope="module")
def clean():
    return planted.make_clean()


def blur(image, row):
    """Blur every image of one class a little, and roughen the others."""
    if row["label"] == "covid":
        return cv2.GaussianBlur(image, (0, 0), 1.0)
    grain = np.random.default_rng(len(row["image_id"])).normal(0, 4, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def get_row(table, **options):
    card = leakcard.audit(table, pairs=planted.NO_PAIRS, **options)
    return card.get_row("quality_classifier")


def test_a_class_of_other_sharpness_is_a_warning_and_never_a_failure(clean, tmp_path):
    row = get_row(planted.rewrite_images(clean, tmp_path / "blurred", blur))
    assert row.status == "warn" and row.code == "L2" and row.effect > 0.4
    assert row.p_adjusted < 0.05 and "sharpness and grain" in row.action


def test_clean_phantoms_do_not_raise_it_with_plain_lesions(clean):
    assert get_row(clean).status in ("pass", "not testable")


def test_it_works_without_opencv_s_contrib_modules(clean, monkeypatch, tmp_path):
    monkeypatch.setattr(quality, "can_compute_brisque", lambda: False)
    row = get_row(planted.rewrite_images(clean, tmp_path / "blurred", blur))
    assert row.status == "warn"
