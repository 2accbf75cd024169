"""The row "label predicted from image quality": a blurred class is found.

That clean ones are not is tested in test_audit_planted.py, of all rows.
"""

import cv2
import numpy as np
import planted
import pytest

import leakcard
from leakcard import quality


def blur(image, row):
    """Blur every image of one class a little, and roughen the others."""
    if row["label"] == "covid":
        return cv2.GaussianBlur(image, (0, 0), 1.0)
    grain = np.random.default_rng(len(row["image_id"])).normal(0, 4, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "blurred"
    return planted.rewrite_images(planted.make_clean(), folder, blur)


def get_row(table):
    return leakcard.audit(table, pairs=planted.NO_PAIRS).get_row("quality_classifier")


def test_a_class_of_other_sharpness_is_a_warning_and_never_a_failure(blurred):
    row = get_row(blurred)
    assert row.status == "warn" and row.code == "L2" and row.effect > 0.4
    assert row.p_adjusted < 0.05 and "sharpness and grain" in row.action


def test_it_works_without_opencv_s_contrib_modules(blurred, monkeypatch):
    monkeypatch.setattr(quality, "can_compute_brisque", lambda: False)
    assert get_row(blurred).status == "warn"
