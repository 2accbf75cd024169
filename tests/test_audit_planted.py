"""Each kind of leak, planted in clean phantoms, is found; the same phantoms without it are not."""

import numpy as np
import pandas as pd
import planted
import pytest

import leakcard
import phantoms
from leakage import data
from leakcard import stats


@pytest.fixture(scope="module")
def clean():
    return planted.make_clean()


@pytest.fixture(scope="module")
def looks(clean):
    return leakcard.measure_looks(clean)


def run(table, looks=None, only=None, **options):
    """Audit by all checks, or by one alone where no correction for the others matters."""
    checks = {only: leakcard.CHECKS[only]} if only else leakcard.CHECKS
    pairs = planted.find_same_files(table)
    return leakcard.audit(table, pairs=pairs, looks=looks, checks=checks, **options)


def test_the_clean_phantoms_raise_nothing_and_every_code_has_a_row(clean, looks):
    card = run(clean, looks)
    assert [row.check for row in card.rows if row.status in ("warn", "fail")] == []
    assert {row.code for row in card.rows} == set(leakcard.CODES)
    untested = {row.check for row in card.rows if row.status == "not testable"}
    assert {"preprocessing", "selection", "background"} <= untested
    for row in card.rows:  # 210 images exclude large effects alone, and the card says so
        is_bounded = row.effect_upper is None or row.effect_upper < row.threshold
        assert row.status == "not testable" or is_bounded, row
    assert all(row.reason for row in card.rows)
    assert sum(row.p_value is not None for row in card.rows) <= stats.NUM_TESTS


def plant_shared_patient(table):
    donor = table[(table["split"] == "train") & (table["label"] == "normal")].iloc[0]
    chosen = table.index[(table["split"] == "test") & (table["label"] == "normal")][:2]
    table.loc[chosen, "patient_id"] = donor["patient_id"]
    return set(table.loc[chosen, "image_id"])


def test_a_patient_in_training_and_test_is_found_by_name_of_the_images(clean, looks):
    table = clean.copy()
    images = plant_shared_patient(table)
    row = run(table, looks, only="groups").get_row("patient_across_splits")
    assert row.status == "fail" and row.code == "L3.2"
    assert set(row.images) == images and row.num_images == 2
    assert row.lower < row.value == 2 / (table["split"] == "test").sum() < row.upper


def test_a_patient_is_found_under_another_image_name_too(clean):
    # The training image of a patient comes back in the test set, cut and under a new name.
    test = clean[(clean["split"] == "train") & (clean["label"] == "normal")].head(1).copy()
    test = test.assign(image_id="renamed", split="test", sha256="another")
    card = run(pd.concat([clean, test], ignore_index=True), only="groups")
    row = card.get_row("patient_across_splits")
    assert row.status == "fail" and row.images == ("renamed",)


def test_a_patient_under_two_labels_is_a_warning(clean, looks):
    table = clean.copy()
    train = table[table["split"] == "train"].drop_duplicates("label")
    table.loc[train.index, "patient_id"] = "one"
    row = run(table, looks, only="groups").get_row("patient_across_labels")
    assert row.status == "warn" and set(row.images) >= set(train["image_id"])


def test_a_shared_group_is_found_in_its_own_column(clean, looks):
    devices = clean["split"].to_numpy(dtype=object, copy=True)
    card = run(clean.assign(device=devices), looks, "groups", group="device")
    assert card.get_row("device_across_splits").status == "pass"
    devices[np.flatnonzero(devices == "test")[0]] = "train"
    card = run(clean.assign(device=devices), looks, "groups", group="device")
    assert card.get_row("device_across_splits").status == "fail"


@pytest.mark.parametrize(
    ("column", "value_if_covid", "value_else", "check", "code"),
    [
        ("source", "hospital A", "hospital B", "source", "L3.3"),
        ("view", "PA", "AP", "view", "L3.3"),
        ("sex", "M", "F", "sex", "L3.3"),
        ("background", "white", "grass", "background", "L2"),
        ("date", "2020-03-01", "2015-03-01", "date_gap", "L3.1"),
    ],
)
def test_a_property_that_follows_the_label_is_found(
    clean, looks, column, value_if_covid, value_else, check, code
):
    # In nine of ten images only: a confound need not be perfect.
    follows = (clean["label"] == "covid") ^ (np.arange(len(clean)) % 10 == 0)
    table = clean.assign(**{column: np.where(follows, value_if_covid, value_else)})
    card = run(table, looks)
    row = card.get_row(check)
    assert row.status == "fail" and row.code == code and row.p_adjusted <= 0.05
    assert row.action and row.effect > 0.5
    assert card.get_row("metadata_classifier").status == "fail"


def test_an_age_gap_is_found_as_a_number_and_as_children_against_adults(clean, looks):
    rng = np.random.default_rng(0)
    adult = clean["label"] == "covid"
    ages = np.where(adult, rng.integers(30, 80, len(clean)), rng.integers(1, 6, len(clean)))
    card = run(clean.assign(age_years=ages.astype(float)), looks)
    assert card.get_row("age_gap").status == "fail" and card.get_row("age_gap").value > 25
    row = card.get_row("age_group")
    assert row.status == "fail" and row.value > 0.9 and "covid 100% adult" in row.figure


def test_a_few_children_among_adults_are_named(clean, looks):
    ages = pd.Series(50.0, index=clean.index)
    ages.iloc[:3] = 12.0
    row = run(clean.assign(age_years=ages), looks, only="ages").get_row("under_18")
    assert row.status == "warn" and set(row.images) == set(clean["image_id"].iloc[:3])


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (planted.add_letter, ["border_classifier"]),
        (planted.add_frame, ["border_classifier"]),
        (planted.shrink, ["size_class", "file_classifier"]),
    ],
    ids=["letter", "border", "size"],
)
def test_a_mark_in_the_images_of_one_class_is_found(clean, tmp_path, change, checks):
    card = run(planted.rewrite_images(clean, tmp_path / "images", change))
    for row in map(card.get_row, checks):
        assert row.status == "fail" and row.code == "L2" and row.p_adjusted <= 0.05
        if row.lower is not None:
            assert row.lower <= row.value <= row.upper and row.lower > 0.34


def test_a_file_type_that_follows_the_label_is_found(clean, looks, tmp_path):
    def get_suffix(row):
        return ".png" if row["label"] == "covid" else ".jpeg"

    table = planted.rewrite_images(clean, tmp_path / "i", lambda image, row: image, get_suffix)
    card = run(table, looks)
    assert card.get_row("file_format").status == "fail"
    assert card.get_row("file_classifier").status == "fail"


def test_values_known_for_one_class_only_are_a_warning_that_says_so(clean, looks):
    table = clean.assign(view=clean["view"].where(clean["label"] == "covid"))
    row = run(table, looks).get_row("view")
    assert row.status == "warn" and "known for one class and not for another" in row.reason


def test_a_copied_file_in_the_test_set_is_found_with_both_names(clean, looks):
    twin = clean[clean["split"] == "train"].head(1).assign(image_id="twin", split="test")
    card = run(pd.concat([clean, twin], ignore_index=True), looks, only="duplicates")
    row = card.get_row("duplicates_across_splits")
    assert row.status == "fail" and row.images == ("twin",)
    pair = card.pairs[card.pairs["split_a"] != card.pairs["split_b"]].iloc[0]
    original = clean.loc[clean["split"] == "train", "image_id"].iloc[0]
    assert {pair["image_a"], pair["image_b"]} == {"twin", original}


def test_a_draw_with_replacement_is_found(clean, looks):
    again = clean[clean["split"] == "train"].head(3)
    table = pd.concat([clean, again, again.assign(split="test")], ignore_index=True)
    card = run(table, looks, only="duplicates")
    row = card.get_row("duplicates_across_splits")
    assert row.status == "fail" and set(row.images) == set(again["image_id"])
    assert card.get_row("duplicates_within_split").value == 3


def test_the_same_picture_under_two_labels_is_a_warning(clean, looks):
    one = clean[(clean["split"] == "train") & (clean["label"] == "covid")].head(1)
    twin = one.assign(image_id="twin", label="normal")
    card = run(pd.concat([clean, twin], ignore_index=True), looks, only="duplicates")
    assert card.get_row("duplicates_across_labels").status == "warn"


def test_a_test_set_from_before_training_is_a_warning(clean, looks):
    dates = np.where(clean["split"] == "test", "2010-01-01", "2015-01-01")
    row = run(clean.assign(date=dates), looks, only="dates").get_row("temporal_order")
    assert row.status == "warn" and row.value == 1.0


@pytest.mark.parametrize(("missing", "status"), [("test", "fail"), ("train", "fail")])
def test_a_split_without_test_or_training_set_fails(clean, looks, missing, status):
    row = run(clean[clean["split"] != missing], looks, only="test_set").get_row("test_set")
    assert row.status == status


def test_statistics_fitted_on_test_images_are_found_by_hash(clean, looks):
    record = leakcard.make_record(clean[clean["split"] != "val"], size_px=32, value_range=(0, 1))
    row = run(clean, looks, record=record, only="preprocessing").get_row("preprocessing")
    num_test = (clean["split"] == "test").sum()
    assert row.status == "fail" and row.num_images == num_test and row.value == 1.0


def test_statistics_fitted_on_test_images_are_found_by_their_values_alone(clean, looks):
    everything = leakcard.make_record(clean, size_px=32, value_range=(0, 1))
    del everything["fitted_statistics"]["fitted_on"]
    row = run(clean, looks, record=everything, only="preprocessing").get_row("preprocessing")
    assert row.status == "fail" and "all images" in row.reason
    right = leakcard.make_record(clean[clean["split"] == "train"], size_px=32, value_range=(0, 1))
    del right["fitted_statistics"]["fitted_on"]
    row = run(clean, looks, record=right, only="preprocessing").get_row("preprocessing")
    assert row.status == "pass"


def test_a_record_of_the_training_images_passes_and_one_of_other_images_does_not(clean, looks):
    record = leakcard.make_record(clean[clean["split"] == "train"], size_px=32)
    row = run(clean, looks, record=record, only="preprocessing").get_row("preprocessing")
    assert row.status == "pass"
    record["fitted_statistics"]["mean"] += 30
    row = run(clean, looks, record=record, only="preprocessing").get_row("preprocessing")
    assert row.status == "warn" and "no part of these images" in row.reason


def select(**selection):
    return {"selection": {"metric": "accuracy", **selection}}


def test_selection_on_the_test_set_is_found_by_word_hash_or_scores(clean, looks):
    test = clean[clean["split"] == "test"]
    candidates = [
        {"name": "a", "val": 0.95, "test": 0.80},
        {"name": "b", "val": 0.90, "test": 0.92},
    ]
    leaks = [
        select(on="test"),
        select(on="val", images=list(test["sha256"])),
        select(on="val", candidates=candidates, chosen="b"),
    ]
    honest = select(on="val", candidates=candidates, chosen="a")
    expected = ["fail", "fail", "fail", "pass", "not testable"]
    for record, status in zip([*leaks, honest, select()], expected, strict=True):
        row = run(clean, looks, record=record, only="selection").get_row("selection")
        assert row.status == status


@pytest.mark.parametrize(
    ("score", "status", "said"),
    [
        ({"metric": "val_loss"}, "fail", False),
        ({"metric": "dice loss"}, "fail", False),
        ({"metric": "RMSE"}, "fail", False),
        ({"metric": "neg_log_loss"}, "pass", False),
        ({"metric": "roc_auc"}, "pass", False),
        ({"metric": "energy"}, "pass", True),
        ({"metric": "energy", "lower_is_better": True}, "fail", False),
        ({"metric": "energy", "lower_is_better": False}, "pass", False),
    ],
)
def test_the_best_of_a_loss_is_the_lowest_and_what_was_assumed_is_said(clean, score, status, said):
    """The chosen one has the least on the test set and not on validation."""
    candidates = [
        {"name": "a", "val": 0.30, "test": 0.50},
        {"name": "b", "val": 0.40, "test": 0.20},
    ]
    record = {"selection": {"on": "val", "candidates": candidates, "chosen": "b", **score}}
    table = clean[["image_id", "label", "split", "sha256"]]
    row = run(table, record=record, only="selection").get_row("selection")
    assert row.status == status
    assert ("energy more was taken to be better" in row.reason) == said
    if status == "fail":
        assert "another has 0.3" in row.figure


def test_patients_known_for_a_part_never_pass(clean, looks):
    table = clean.copy()
    table.loc[table.index[:50], "patient_id"] = table["image_id"]
    row = run(table, looks, only="groups").get_row("patient_across_splits")
    assert row.status == "not testable" and "not known" in row.reason
    row = run(table.assign(patient_id=table["image_id"]), looks, only="groups").get_row(
        "patient_across_splits"
    )
    assert row.status == "not testable" and row.question


def test_the_cohort_with_the_published_confounds_fails_where_it_should(tmp_path):
    counts = {"covid": 40, "normal": 40, "pneumonia": 40}
    table = data.read_study(
        phantoms.draw_study(tmp_path, size_px=48, num_images=counts), "children"
    )
    table = table.assign(split=np.resize(["train", "train", "test"], len(table)))
    card = run(table)
    for check in ("source", "age_group", "age_gap", "metadata_classifier"):
        assert card.get_row(check).status == "fail", check
