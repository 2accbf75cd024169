"""Symbols on phantoms, whose true letters and lungs are known, and on real X-rays."""

import numpy as np
import pytest
from sklearn import linear_model, model_selection

import phantoms
from leakage import data, evaluation, treatments
from leakcard import images

NUM_IMAGES = {"covid": 30, "normal": 30}
READ_AFTER = ("none", "inpaint", "inpaint+crop", "crop+inpaint")


@pytest.fixture(scope="module", params=[224, 448])
def chests(request, tmp_path_factory):
    folder = phantoms.write_chest(
        tmp_path_factory.mktemp("chests") / "set",
        num_images=NUM_IMAGES,
        seed=11,
        confounding=0.0,
        size_px=request.param,
    )
    rows = data.READERS["phantoms"](folder).to_dict("records")
    loaded = []
    for row in rows:
        image = images.decode_image(row["path"])
        lungs = images.decode_image(row["mask_path"])[..., 0] > 127
        symbols = np.zeros_like(lungs)
        if isinstance(row["symbol_mask_path"], str):
            symbols = images.decode_image(row["symbol_mask_path"])[..., 0] > 127
        loaded.append((image, lungs, symbols))
    return loaded


def inpaint(image):
    return treatments.TREATMENTS["inpaint"].apply(image.astype(np.float32), None)


def pool(chests, find):
    """Count found pixels, symbol pixels, and both, over all images."""
    found = [find(image) for image, _, _ in chests]
    both = sum((f & s).sum() for f, (_, _, s) in zip(found, chests, strict=True))
    return sum(f.sum() for f in found), sum(s.sum() for _, _, s in chests), both


def test_inpainting_removes_letters_and_leaves_lungs_alone(chests):
    removed = letters = touched = lung_pixels = 0
    for image, lungs, symbols in chests:
        treated = inpaint(image)
        changed = np.abs(treated - image).max(axis=2) > 0
        removed += (changed & symbols).sum()
        letters += symbols.sum()
        touched += (changed & lungs).sum()
        lung_pixels += lungs.sum()
    assert letters > 0 and removed / letters >= 0.95
    assert touched / lung_pixels < 0.01


def test_what_inpainting_leaves_is_dark_where_the_letter_stood_on_air(chests):
    for image, _, symbols in chests:
        ground = image[..., 0][~symbols]
        if symbols.any() and np.median(ground) < 60:
            treated = inpaint(image)[..., 0]
            assert treated[symbols].mean() < image[..., 0][symbols].mean()


def test_a_transplant_carries_symbols_and_a_threshold_carries_tissue(chests):
    carried, _, both = pool(chests, lambda image: treatments.find_symbols(image, strict=True))
    assert carried > 0 and both / carried >= 0.90
    carried, _, both = pool(chests, treatments.find_bright)
    assert both / carried < 0.10


def test_bones_at_the_edge_of_the_lungs_are_no_symbols():
    rows, columns = np.mgrid[:256, :256].astype(np.float32)
    chest = 60 + 60 * np.abs(columns - 128) / 128
    ribs = 90 * np.exp(-(((rows % 40) - 20) ** 2) / 30) * (np.abs(columns - 128) > 70)
    image = np.repeat((chest + ribs).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert not treatments.find_symbols(image).any()


def test_an_image_full_of_writing_is_left_alone():
    page = np.zeros((128, 128), np.uint8)
    page[4:-4:6, 4:-4] = 255
    image = np.repeat(page[..., None], 3, axis=2)
    np.testing.assert_array_equal(inpaint(image), image)


def read_letters(rows, treatment):
    """Score a reader of the upper edge by cross-validation: right answers, one an image."""
    pixels = treatments.load_treated_images(rows, 96, treatment)[:, :24, 40:, 0] / 255
    reader = linear_model.RidgeClassifier(alpha=30)
    truth = (rows["label"] == "covid").to_numpy()
    predicted = model_selection.cross_val_predict(
        reader, pixels.reshape(len(rows), -1), truth, cv=5
    )
    return int((predicted == truth).sum())


def test_a_reader_of_letters_loses_its_ability_by_inpainting(tmp_path):
    folder = phantoms.write_chest(
        tmp_path / "plain",
        num_images={"covid": 60, "normal": 60},
        seed=4,
        confounding=0.0,
        lesion_visibility=0.0,
        size_px=224,
    )
    plain = data.READERS["phantoms"](folder)
    marked = treatments.mark_images(plain, tmp_path / "marked", "letter", ["covid"])
    counts = {name: read_letters(marked, name) for name in READ_AFTER}
    without = read_letters(plain, "none")
    lower, _ = evaluation.wilson_interval(counts["none"], len(marked))
    assert lower > 0.8, "without treatment the letter is read"
    for name in ("inpaint", "inpaint+crop"):
        lower, upper = evaluation.wilson_interval(counts[name], len(marked))
        assert lower < 0.5 and upper < 0.7, f"{name}: {counts[name]} of {len(marked)}"
    # A crop cuts letters in two, and what runs out of an image is taken for anatomy: order counts.
    assert counts["crop+inpaint"] > counts["inpaint+crop"]
    # Without any planted letter the reader is at chance too: there is nothing else to read.
    assert evaluation.wilson_interval(without, len(plain))[0] < 0.5


def test_marks_are_the_same_on_either_class_and_nothing_else_changes(tmp_path):
    folder = phantoms.write_chest(
        tmp_path / "plain", num_images={"covid": 4, "normal": 4}, seed=4, size_px=96
    )
    plain = data.READERS["phantoms"](folder)
    own = treatments.mark_images(plain, tmp_path / "marks", "letter", ["covid"])
    both = treatments.mark_images(plain, tmp_path / "marks", "letter", ["covid", "normal"])
    assert own["marked"].tolist() == (plain["label"] == "covid").tolist()
    for before, after, everywhere in zip(
        plain.itertuples(), own.itertuples(), both.itertuples(), strict=True
    ):
        image = images.decode_image(before.path).astype(int)
        marked = images.decode_image(after.path).astype(int)
        if after.marked:
            np.testing.assert_array_equal(marked, images.decode_image(everywhere.path))
            inside = images.decode_image(after.symbol_mask_path)[..., 0] > 127
            assert inside.any() and np.abs(marked - image).max() > 100
            assert (np.abs(marked - image).max(axis=2) > 60)[~inside].mean() < 0.01
        else:
            assert np.abs(marked - image).max() <= 12  # written once more as JPEG
    framed = treatments.mark_images(plain, tmp_path / "marks", "frame", ["covid"])
    for table in (own, both):  # one folder, and no picture took another one's place
        assert [images.inspect_image(path)["sha256"] for path in table["path"]] == list(
            table["sha256"]
        )
    first = framed[framed["marked"]].iloc[0]
    assert images.decode_image(first["path"])[0].max() < 20
    for path in framed.loc[framed["marked"], "symbol_mask_path"].dropna():
        assert not images.decode_image(path)[:3].any()  # a frame hides what lies under it
    with pytest.raises(ValueError, match="'letter', 'frame'.*Received: mark='arrow'"):
        treatments.mark_images(plain, tmp_path / "x", "arrow", ["covid"])
    with pytest.raises(ValueError, match="labels not there: .'wolf'"):
        treatments.mark_images(plain, tmp_path / "x", "letter", ["wolf"])


@pytest.mark.shared
def test_on_real_x_rays_symbols_are_found_and_lungs_left_alone(read_real):
    cohen = read_real("cohen").query("label == 'covid'").iloc[::6]
    report = treatments.report_changes(cohen, "inpaint")
    assert report["changed"].mean() > 0.6  # nearly all bear letters, by eye
    assert report["share_changed"].max() < 0.1
    assert report["share_lungs_changed"].mean() < 0.01
    nih = read_real("nih").iloc[::16]
    report = treatments.report_changes(nih, "inpaint")
    assert report["changed"].mean() > 0.6 and report["share_changed"].mean() < 0.02
