"""Treatments: what is kept is untouched, what is taken away is gone, nothing fails silently."""

import cv2
import numpy as np
import pandas as pd
import pytest

from leakage import treatments
from leakage.treatments import _compose
from leakcard import images
from leakcard import table as image_table

FITTED = [name for name, one in treatments.TREATMENTS.items() if one.fit]
UNFITTED = [name for name in treatments.TREATMENTS if name not in FITTED]
WHOLE = [name for name in UNFITTED if treatments.TREATMENTS[name].at_full_size]


@pytest.fixture
def image():
    return np.random.default_rng(0).uniform(1, 255, (40, 40, 3)).astype(np.float32)


@pytest.fixture
def mask():
    inside = np.zeros((40, 40), dtype=bool)
    inside[10:20, 5:30] = True
    return inside


def treat(name, image, mask=None):
    steps = treatments.split_name(name)
    return _compose.run_steps(steps, image.astype(np.float32, copy=False), mask, name)[0]


def save(path, pixels):
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return str(path)


@pytest.fixture
def table(tmp_path):
    """Six images of two classes with masks; those of one class bear a letter."""
    rows = []
    for number in range(6):
        values = np.random.default_rng(number).normal(90, 6, (120, 150)).clip(0, 255)
        pixels = cv2.GaussianBlur(values.astype(np.uint8), (9, 9), 0)
        inside = np.zeros_like(pixels)
        inside[30:100, 30:120] = 255
        if number % 2:
            cv2.putText(pixels, "R", (6, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 250, 2)
        path = save(tmp_path / f"{number}.png", pixels)
        row = {"image_id": str(number), "path": path, "label": ["no finding", "covid"][number % 2]}
        row |= {"mask_path": save(tmp_path / f"mask_{number}.png", inside), "split": "train"}
        rows.append(row | images.inspect_image(path))
    return image_table.make_table(rows)


def test_kept_and_removed_parts_make_up_the_image(image, mask):
    for kept, removed in (("mask only", "mask removed"), ("centre box only", "centre box removed")):
        parts = [treat(name, image, mask) for name in (kept, removed)]
        np.testing.assert_array_equal(parts[0] + parts[1], image)
        assert all((part == 0).any() for part in parts)


def test_the_border_lies_outside_the_box(image):
    border = treat("border only", image)
    assert (border[treatments.make_centre((40, 40), treatments.BOX_SHARE)] == 0).all()
    np.testing.assert_array_equal(border[:4], image[:4])


def test_a_thumbnail_holds_at_most_16_by_16_values(image):
    striped = np.zeros((64, 64, 3), np.float32)
    striped[:, ::2] = 255
    flat = treat("thumbnail 16x16", striped)
    assert flat.std() < 1e-3 and flat.shape == striped.shape


@pytest.mark.parametrize("name", sorted(UNFITTED))
def test_no_treatment_changes_its_input(image, mask, name):
    before = image.copy()
    treated = treat(name, image, mask)
    np.testing.assert_array_equal(image, before)
    cut = treatments.TREATMENTS[name].find_box is not None
    assert (treated.shape != image.shape) == cut and treated.dtype == np.float32
    assert treated.min() >= 0 and treated.max() <= 255


def test_one_kind_of_mask_for_all_classes(table):
    assert "mask only" in treatments.choose_counterfactuals(table)
    partial = table.assign(mask_path=table["mask_path"].where(table["label"] == "covid"))
    assert "centre box only" in treatments.choose_counterfactuals(partial)
    with pytest.raises(ValueError, match="covid 3 of 3, no finding 0 of 3"):
        treatments.load_treated_images(partial, 32, "crop+mask only")


def test_unknown_names_and_missing_masks_are_explained(image, mask):
    with pytest.raises(ValueError, match="'border only'.*Received: 'frame'"):
        treat("frame", image)
    with pytest.raises(ValueError, match="needs the mask of each image.*Received: None"):
        treat("mask only", image)
    with pytest.raises(ValueError, match=r"Expected a mask of shape \(40, 40\).*Received: \(20, 4"):
        treat("mask crop", image, mask[:20])
    with pytest.raises(ValueError, match="empty mask"):
        treat("mask only", image, np.zeros((40, 40), dtype=bool))


def test_what_needs_the_whole_image_comes_first(image):
    with pytest.raises(ValueError, match="'inpaint' is applied before.*'border only'.*first"):
        treat("border only+inpaint", image)
    assert treatments.compose("none", "border only") == "border only"
    assert treatments.compose("crop", "none") == "crop"


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(64, 64), (3, 5), (1, 1), (20, 300)])
def test_flat_and_tiny_images_come_back_unchanged(name, value, shape):
    flat = np.full((*shape, 3), value, np.float32)
    mask = np.ones(shape, dtype=bool)
    treated = treat(name, flat, mask)
    if treatments.TREATMENTS[name].find_box:  # all that is left
        flat = flat[: treated.shape[0], : treated.shape[1]]
    np.testing.assert_array_equal(treated, flat)


def test_a_16_bit_file_is_treated_as_its_8_bit_copy(table, tmp_path):
    eight = cv2.imread(table["path"][1], cv2.IMREAD_UNCHANGED)
    path = save(tmp_path / "sixteen.png", eight.astype(np.uint16) * 257)
    row = table.iloc[1]
    expected = treatments.load_treated_image(row, 64, "inpaint")
    found = treatments.load_treated_image({**row, "path": path}, 64, "inpaint")
    np.testing.assert_array_equal(found, expected)


def test_a_mask_of_another_shape_is_refused_and_one_of_another_resolution_is_not(table, tmp_path):
    row = dict(table.iloc[0])
    half = save(tmp_path / "half.png", np.full((60, 75), 255, np.uint8))
    wrong = save(tmp_path / "wrong.png", np.full((75, 60), 255, np.uint8))
    whole = treatments.load_treated_image(row, 32, "none")
    for name in ("mask only", "mask crop"):
        found = treatments.load_treated_image({**row, "mask_path": half}, 32, name)
        assert np.abs(found - whole).max() <= 0.5  # rounded before or after it is shrunk
        with pytest.raises(ValueError, match="another shape than its image: .*wrong.png"):
            treatments.load_treated_image({**row, "mask_path": wrong}, 32, name)


def test_counterfactual_bytes_are_those_of_the_version_before(table):
    row = table.iloc[0]
    pixels = images.load_images([row["path"]], 48)[0]
    mask = images.load_masks([row["mask_path"]], 48)[0]
    box = treatments.make_centre((48, 48), treatments.BOX_SHARE)
    for name, inside in (("mask only", mask), ("centre box only", box)):
        found = treatments.load_treated_image(row, 48, name)
        np.testing.assert_array_equal(found, np.where(inside[..., np.newaxis], pixels, 0))
    np.testing.assert_array_equal(treatments.load_treated_image(row, 48, "none"), pixels)


def test_a_crop_takes_its_mask_along(table):
    row = table.iloc[0]
    image, mask = treatments.load_treated_pair(row, 40, "mask crop", with_mask=True)
    assert mask.mean() > 0.75  # of the whole image it is 0.35
    only, _ = treatments.load_treated_pair(row, 40, "mask crop+mask only")
    np.testing.assert_array_equal(only, np.where(mask[..., np.newaxis], image, 0))


def test_keys_name_the_content_and_keep_the_names_of_before():
    assert treatments.get_key("border only") == "border only"
    assert treatments.get_key("none") == "none" and "v1" in treatments.get_key("crop+inpaint")
    with pytest.raises(ValueError, match="was not fitted: 'normalise'"):
        treatments.get_key("inpaint+normalise")


def test_statistics_are_fitted_on_training_images_only(table):
    with pytest.raises(ValueError, match="training images only.*'test'"):
        treatments.fit_treatment("normalise", table.assign(split=["train"] * 5 + ["test"]))
    with pytest.raises(ValueError, match="training images only.*0 rows"):
        treatments.fit_treatment("normalise", table.iloc[:0])


def test_normalised_training_images_have_the_statistics_asked_for(table):
    fitted = treatments.fit_treatment("normalise", table)
    pixels = np.stack([images.decode_image(path) for path in table["path"]]).astype(float)
    state = fitted.states["normalise"]
    assert state["mean"] == pytest.approx(pixels.mean())
    assert state["std"] == pytest.approx(pixels.std())
    treated = np.stack([treat(fitted, image.astype(np.float32)) for image in pixels])
    assert treated.mean() == pytest.approx(114.5, abs=4)  # the letters are clipped


def test_what_was_fitted_on_other_images_has_another_key(table):
    keys = [treatments.fit_treatment("normalise", part).key for part in (table, table, table[:3])]
    assert keys[0] == keys[1] != keys[2]
    composed = treatments.compose(treatments.fit_treatment("normalise", table), "border only")
    assert composed.key == f"{keys[0]}+border only"


def test_a_transplant_needs_donors_and_gives_every_image_symbols(table):
    with pytest.raises(ValueError, match="A transplant needs donors.*'covid'.*Received: .*None"):
        treatments.fit_treatment("transplant", table)
    fitted = treatments.fit_treatment("transplant", table, donors="covid")
    assert len(fitted.states["transplant"]) == 3 * 3  # three donors
    for row in table[table["label"] == "no finding"].to_dict("records"):
        image = images.decode_image(row["path"])
        assert not treatments.find_symbols(image).any()
        assert treatments.find_symbols(treat(fitted, image)).any()


def test_donors_keep_their_symbols_when_they_are_painted_over_afterwards(table):
    fitted = treatments.fit_treatment("inpaint+transplant", table, donors="covid")
    assert len(fitted.states["transplant"]) == 3 * 3
    for path in table["path"]:
        treated = treat(fitted, images.decode_image(path))
        assert treatments.find_symbols(treated).any()


def test_a_transplant_without_symbols_changes_nothing(table, image):
    fitted = treatments.fit_treatment("transplant", table, donors="no finding")
    assert fitted.states["transplant"] == {}
    np.testing.assert_array_equal(treat(fitted, image), image)


def test_the_report_names_what_was_changed_and_why_the_rest_was_not(table, tmp_path):
    path = save(tmp_path / "flat.png", np.zeros((50, 50), np.uint8))
    tiny = save(tmp_path / "tiny.png", np.random.default_rng(0).integers(0, 255, (9, 9)))
    more = pd.DataFrame([{**table.iloc[0], "path": p, "image_id": p} for p in (path, tiny)])
    more["mask_path"] = np.nan
    report = treatments.report_changes(pd.concat([table, more], ignore_index=True), "inpaint")
    assert report["changed"].tolist() == [False, True] * 3 + [False, False]
    assert report["note"].tolist()[-2:] == [
        "flat: all pixels are about equal",
        "smaller than 32 pixels",
    ]
    assert report["share_lungs_changed"][:6].eq(0).all()
    cropped = treatments.report_changes(table, "crop")
    assert cropped["changed"].all() and cropped["share_changed"].between(0.3, 0.4).all()


def test_written_copies_are_the_treated_images(table, tmp_path):
    written = treatments.write_treated_images(table, tmp_path / "out", 40, "crop+inpaint")
    expected = treatments.load_treated_images(table, 40, "crop+inpaint")
    found = images.load_images(written["path"], 40)
    assert np.abs(found - expected).max() <= 0.5 and list(written.columns) == list(table.columns)
    assert written["mask_path"].notna().all() and set(written["sha256"]) != set(table["sha256"])


def test_two_draws_may_share_a_folder_and_keep_their_own_copies(table, tmp_path):
    first = treatments.write_treated_images(table, tmp_path / "out", 40, "crop")
    treatments.write_treated_images(table.iloc[::-1], tmp_path / "out", 40, "crop+inpaint")
    for row in first.itertuples():
        assert images.inspect_image(row.path)["sha256"] == row.sha256
