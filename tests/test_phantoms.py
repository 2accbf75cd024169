"""Phantoms: the same from the same seed, and confounded exactly as strongly as asked."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import phantoms
from leakage import data
from leakcard import table as image_table
from phantoms import _storage, animals

SMALL = {"covid": 3, "normal": 3, "pneumonia": 4}
BIG = {"covid": 1200, "normal": 1800, "pneumonia": 1800}
SIZE_PX = 96


def plan_small(**options):
    return phantoms.plan_chest(SMALL, **{"seed": 5, **options})


def get_association_p(table, column):
    """p of a chi-square test of label against a column, one row a patient (rows are clustered)."""
    patients = table.drop_duplicates("patient_id")
    counts = pd.crosstab(patients["label"], patients[column])
    return 1.0 if counts.shape[1] < 2 else stats.chi2_contingency(counts).pvalue


@pytest.fixture(scope="module")
def chest_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "chest"
    return phantoms.write_chest(folder, num_images=SMALL, seed=5, size_px=SIZE_PX, num_jobs=1)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    pd.testing.assert_frame_equal(plan_small(), plan_small())
    assert not plan_small()["draw_seed"].equals(plan_small(seed=6)["draw_seed"])


def test_a_plan_has_the_asked_number_of_images_and_about_the_sources_images_a_patient():
    table = phantoms.plan_chest(BIG, seed=1)
    assert table["label"].value_counts().to_dict() == BIG
    assert table["image_id"].is_unique
    assert 1.1 < len(table) / table["patient_id"].nunique() < 1.5
    columns = ["patient_id", "label", "findings", "hospital", "age_group", "age_years", "sex"]
    assert table[columns].drop_duplicates()["patient_id"].is_unique
    assert set(table["findings"]) == {"COVID-19", "No Finding", "bacteria", "virus"}


def test_full_confounding_with_children_puts_covid_in_adults_of_one_hospital_alone():
    table = phantoms.plan_chest(BIG, seed=2, confounding=1.0)
    is_covid = table["label"].eq("covid")
    assert table["hospital"].eq("A").equals(is_covid.rename("hospital"))
    assert table["age_group"].eq("adult").equals(is_covid.rename("age_group"))
    assert table.loc[~is_covid, "age_years"].between(1, 5).all()


def test_with_adult_controls_the_hospital_follows_the_label_and_the_age_group_does_not():
    table = phantoms.plan_chest(BIG, seed=3, controls="adults")
    hospitals = table.groupby("label")["hospital"].unique().map(list).to_dict()
    assert hospitals == {"covid": ["A"], "normal": ["C"], "pneumonia": ["C"]}
    assert set(table["age_group"]) == {"adult"}
    assert 0 < (table["age_years"] < 18).mean() < 0.1


@pytest.mark.parametrize("controls", ["children", "adults"])
def test_without_confounding_nothing_in_the_plan_follows_the_label(controls):
    for seed in range(12):
        table = phantoms.plan_chest(BIG, seed=seed, confounding=0.0, controls=controls)
        table["year"] = table["date"].str[:4]
        table["age_decade"] = table["age_years"] // 10
        table["num_images"] = table.groupby("patient_id")["image_id"].transform("size")
        for column in (
            "hospital", "age_group", "age_decade", "sex", "view", "year", "file_format",
            "num_images",
        ):  # fmt: skip
            assert get_association_p(table, column) > 1e-4, (seed, column)
        patients = table.drop_duplicates("patient_id")
        for name in ("patient_id", "image_id", "draw_seed", "patient_seed"):
            number = patients[name].rank()
            groups = [number[patients["label"].eq(label)] for label in BIG]
            assert stats.kruskal(*groups).pvalue > 1e-4, (seed, number.name)


def test_the_association_test_finds_a_weak_confounding_that_was_planted():
    table = phantoms.plan_chest(BIG, seed=1, confounding=0.2)
    assert get_association_p(table, "hospital") < 1e-10
    assert get_association_p(table, "age_group") < 1e-10


def test_confounding_moves_patients_between_groups_and_leaves_them_the_same_otherwise():
    low, high = plan_small(confounding=0.0), plan_small(confounding=1.0)
    same = ["image_id", "label", "findings", "patient_id", "patient_seed", "draw_seed"]
    pd.testing.assert_frame_equal(low[same], high[same])


def test_about_the_asked_share_of_patients_follows_its_label():
    table = phantoms.plan_chest(BIG, seed=4, confounding=0.5).drop_duplicates("patient_id")
    covid_share = table["label"].eq("covid").mean()
    at_a = table.loc[table["label"].eq("covid"), "hospital"].eq("A").mean()
    assert at_a == pytest.approx(0.5 + 0.5 * covid_share, abs=0.05)


def test_an_invisible_lesion_leaves_no_trace_of_the_label_in_any_pixel():
    for row in plan_small(confounding=0.0, lesion_visibility=0.0).to_dict("records"):
        drawn = [
            phantoms.draw_chest({**row, "label": label, "findings": findings}, SIZE_PX)
            for label, findings in (
                ("covid", "COVID-19"), ("normal", "No Finding"), ("pneumonia", "virus"),
            )
        ]  # fmt: skip
        for image, masks in drawn[1:]:
            assert np.array_equal(image, drawn[0][0])
            assert np.array_equal(masks["lungs"], drawn[0][1]["lungs"])
        assert not any(masks["lesion"].any() for _, masks in drawn)


def test_a_visible_lesion_changes_nothing_far_from_itself():
    for row in plan_small().to_dict("records"):
        image, masks = phantoms.draw_chest(row, SIZE_PX)
        healthy, _ = phantoms.draw_chest({**row, "lesion_visibility": 0.0}, SIZE_PX)
        changed = np.abs(image.astype(int) - healthy) > 12
        if row["label"] == "normal":
            assert np.array_equal(image, healthy)
        else:
            assert changed[masks["lungs"]].any()
            assert changed[~masks["lungs"]].mean() < 0.01


@pytest.mark.parametrize("size_px", [64, 224])
def test_masks_have_the_shape_of_the_image_and_lesions_lie_in_the_lungs(size_px):
    for row in plan_small().to_dict("records"):
        image, masks = phantoms.draw_chest(row, size_px)
        assert image.dtype == np.uint8 and max(image.shape) == size_px
        assert {mask.shape for mask in masks.values()} == {image.shape}
        assert 0.10 < masks["lungs"].mean() < 0.5
        assert masks["lesion"].any() == (row["label"] != "normal")
        if masks["lesion"].any():
            assert masks["lungs"][masks["lesion"]].all()
        assert image[masks["lungs"]].mean() < image[~masks["lungs"] & (image > 30)].mean()


def test_covid_lesions_are_in_both_lungs():
    for row in phantoms.plan_chest({"covid": 6}, seed=1).to_dict("records"):
        _, masks = phantoms.draw_chest(row, SIZE_PX)
        middle = masks["lesion"].shape[1] // 2
        assert masks["lesion"][:, :middle].any() and masks["lesion"][:, middle:].any()


def test_a_folder_reads_back_as_the_table_contract(chest_folder):
    table = data.READERS["phantoms"](chest_folder)
    assert list(table.columns) == list(image_table.COLUMNS)
    assert table["label"].value_counts().to_dict() == SMALL
    assert set(table["source"]) <= {"phantom hospital A", "phantom hospital B"}
    assert table["lesion_mask_path"].isna().equals(table["label"].eq("normal").rename())
    assert table["mask_path"].notna().all() and table["sha256"].is_unique
    assert not table.attrs["unreadable"]
    assert not table["path"].str.contains("|".join(SMALL)).any()


def test_writing_twice_draws_once_and_the_bytes_do_not_depend_on_the_number_of_threads(
    chest_folder, tmp_path
):
    before = {p: p.stat().st_mtime_ns for p in chest_folder.rglob("*")}
    phantoms.write_chest(chest_folder, num_images=SMALL, seed=5, size_px=SIZE_PX)
    assert {p: p.stat().st_mtime_ns for p in chest_folder.rglob("*")} == before
    again = phantoms.write_chest(
        tmp_path / "again", num_images=SMALL, seed=5, size_px=SIZE_PX, num_jobs=2
    )
    for path in (p for p in chest_folder.rglob("*") if p.is_file()):
        assert path.read_bytes() == (again / path.relative_to(chest_folder)).read_bytes()


def test_an_interrupted_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(folder, kind, image_id, mask):
        raise OSError("disk full")

    monkeypatch.setattr(_storage, "save_mask", fail)
    for num_jobs in (1, 2):
        with pytest.raises(OSError, match="disk full"):
            phantoms.write_chest(tmp_path / "set", num_images=SMALL, num_jobs=num_jobs)
        assert list(tmp_path.iterdir()) == []


def test_a_set_with_a_lost_image_or_of_an_older_version_is_drawn_anew(tmp_path):
    def write():
        return phantoms.write_chest(tmp_path / "s", num_images={"covid": 2}, size_px=64, num_jobs=1)

    folder = write()
    image = next((folder / "images").iterdir())
    image.unlink()
    assert write() == folder and image.exists()
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "version": 0}))
    write()
    assert json.loads((folder / "card.json").read_text()) == card
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["s"]


def test_a_folder_with_anything_else_is_refused_and_left_alone(chest_folder, tmp_path):
    with pytest.raises(FileExistsError, match="is in use"):
        phantoms.write_chest(chest_folder, num_images=SMALL, seed=6, size_px=SIZE_PX)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="no phantoms"):
        phantoms.write_animals(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"confounding": 1.2}, "`confounding` is out of range.*Received: 1.2"),
        ({"confounding": float("nan")}, "`confounding` is out of range"),
        ({"lesion_visibility": -0.1}, "`lesion_visibility` is out of range.*Received: -0.1"),
        ({"controls": "teenagers"}, "`controls` is unknown.*Received: 'teenagers'"),
        ({"num_images": {"flu": 3}}, "label that chest phantoms do not have.*flu"),
        ({"num_images": {"covid": -1}}, "not a count.*Received: -1"),
    ],
)
def test_wrong_arguments_are_refused_with_what_would_do(options, message):
    with pytest.raises(ValueError, match=message):
        phantoms.plan_chest(**{"num_images": SMALL, "seed": 1, **options})


def test_too_small_a_size_is_refused(tmp_path):
    for write in (phantoms.write_chest, phantoms.write_animals):
        with pytest.raises(ValueError, match="too small.*Received: 20"):
            write(tmp_path / "tiny", size_px=20)


def test_the_animals_have_the_layout_and_counts_of_the_real_set():
    table = animals.plan_animals(seed=1)
    counts = table.groupby(["set", "split", "label"]).size().to_dict()
    expected = {}
    for label in ("wolf", "husky"):
        expected |= {(name, "train", label): 40 for name in
                     ("different_backgrounds", "same_backgrounds")}  # fmt: skip
        expected |= {(name, "test", label): 10 for name in
                     ("different_backgrounds", "same_backgrounds")}  # fmt: skip
        expected["background_swap", "test", label] = 20
    assert counts == expected
    swapped = table[table["set"].eq("background_swap")].groupby("label")["background"].unique()
    assert swapped["wolf"] == ["grass"] and swapped["husky"] == ["snow"]
    assert table["draw_seed"].is_unique


def test_an_animal_is_drawn_the_same_twice_on_a_background_that_does_not_know_it():
    for background in ("snow", "grass", "white"):
        pair = []
        for label in ("wolf", "husky"):
            row = {"label": label, "background": background, "draw_seed": 3}
            image, mask = phantoms.draw_animal(row, SIZE_PX)
            assert np.array_equal(image, phantoms.draw_animal(row, SIZE_PX)[0])
            assert 0.02 < mask.mean() < 0.8
            pair.append((image, mask))
        far = slice(0, SIZE_PX // 8)  # a strip at the top that both leave free, or nearly
        free = ~(pair[0][1] | pair[1][1])[far]
        difference = np.abs(pair[0][0][far].astype(int) - pair[1][0][far])[free]
        assert np.median(difference) <= 1
    with pytest.raises(ValueError, match="`label` is unknown.*Received: 'fox'"):
        phantoms.draw_animal({"label": "fox", "background": "snow", "draw_seed": 1})


def test_the_animals_are_written_and_read_back(tmp_path, monkeypatch):
    few = tuple((folder, split, 1, where) for folder, split, _, where in animals.SETS)
    monkeypatch.setattr(animals, "SETS", few)
    folder = phantoms.write_animals(tmp_path / "animals", size_px=64, num_jobs=1)
    table = data.READERS["phantoms"](folder)
    assert list(table.columns) == [*image_table.COLUMNS, "split"]
    assert set(table["source"]) == {
        "phantom_animals/different_backgrounds",
        "phantom_animals/same_backgrounds",
        "phantom_animals/background_swap",
    }
    assert (folder / "different_backgrounds" / "train" / "wolf" / "wolf_0.jpeg").is_file()
    assert table["mask_path"].notna().all() and table["lesion_mask_path"].isna().all()
    swap = table["source"].str.endswith("swap")
    assert table.loc[swap, "split"].eq("test").all()


def test_reading_a_folder_without_phantoms_says_how_to_draw_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="write_chest"):
        data.READERS["phantoms"](tmp_path)


def test_the_sheet_shows_every_kind_of_phantom():
    sheet = phantoms.draw_sheet(num_columns=2, size_px=64)
    assert len(sheet.axes) == 14
    with pytest.raises(ValueError, match="even number.*Received: 3"):
        phantoms.draw_sheet(num_columns=3)
