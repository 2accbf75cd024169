import dataclasses

import numpy as np
import pandas as pd
import pytest

from leakage import data, published
from leakage.data import splits
from leakcard import table as image_table

SIZES = {"covid": (18, 4, 4), "normal": (20, 5, 5), "pneumonia": (20, 5, 5)}


def make_pool(num_patients=40, images_per_patient=2, **columns):
    """A pool of three classes; normal and pneumonia share their patients, as in NIH."""
    rows = [
        {
            "image_id": f"{label}:{patient:03d}:{image}",
            "path": "",
            "label": label,
            "source": "nih",
            "patient_id": f"{'c' if label == 'covid' else 'n'}:{patient}",
            "age_years": 10.0 if patient % 4 == 0 else 40.0,
            "sha256": f"{label}{patient}{image}",
        }
        for label in SIZES
        for patient in range(num_patients)
        for image in range(images_per_patient)
    ]
    return image_table.make_table(rows).assign(**columns)


def count_sizes(table):
    counts = table.groupby(["label", "split"]).size()
    return {label: tuple(int(counts[label, s]) for s in splits.SPLITS) for label in SIZES}


@pytest.mark.parametrize("name", ["paper", "ancestor", "strict"])
def test_every_protocol_draws_the_sizes_and_the_same_ones_again(name):
    drawn = splits.draw_split(make_pool(), published.PROTOCOLS[name], SIZES, seed=20)
    assert count_sizes(drawn) == SIZES and drawn.attrs["shrink_factor"] == 1.0
    shuffled = make_pool().sample(frac=1, random_state=1)
    again = splits.draw_split(shuffled, published.PROTOCOLS[name], SIZES, seed=20)
    pd.testing.assert_frame_equal(drawn, again)
    other = splits.draw_split(make_pool(), published.PROTOCOLS[name], SIZES, seed=21)
    assert list(other["image_id"]) != list(drawn["image_id"])


def test_the_paper_draws_no_image_twice_and_one_image_of_each_covid_patient():
    drawn = splits.draw_split(make_pool(), published.PROTOCOLS["paper"], SIZES, seed=20)
    assert not drawn["image_id"].duplicated().any()
    covid = drawn[drawn["label"] == "covid"]
    assert covid["image_id"].str.endswith(":0").all() and covid["patient_id"].is_unique


def test_the_ancestor_puts_as_many_test_images_into_training_as_the_formula_says():
    # FACTS section 2: 1 - (1 - 1/N)^n for N distinct images and n training draws.
    pool = make_pool(260, 1)
    sizes = {"covid": (180, 40, 40), "normal": (200, 50, 50), "pneumonia": (200, 50, 50)}
    shares = []
    for seed in range(30):
        drawn = splits.draw_split(pool, published.PROTOCOLS["ancestor"], sizes, seed)
        overlap = splits.count_overlap(drawn).set_index("label").loc["covid"]
        shares.append(overlap["num_test_images_in_train"] / overlap["num_test"])
    assert np.mean(shares) == pytest.approx(1 - (1 - 1 / 260) ** 180, abs=0.04)


def test_strict_keeps_whole_patients_in_one_split_across_classes():
    drawn = splits.draw_split(make_pool(), published.PROTOCOLS["strict"], SIZES, seed=20)
    assert drawn.groupby("patient_id")["split"].nunique().max() == 1
    overlap = splits.count_overlap(drawn)
    assert (overlap["num_test_patients_in_train"] == 0).all()
    assert (overlap["num_test_images_in_train"] == 0).all()


def test_the_same_pool_drawn_as_in_the_paper_shares_patients_and_the_count_finds_them():
    drawn = splits.draw_split(make_pool(), published.PROTOCOLS["paper"], SIZES, seed=20)
    test, train = drawn[drawn["split"] == "test"], drawn[drawn["split"] == "train"]
    overlap = splits.count_overlap(drawn).set_index("label")
    normal = set(test.loc[test["label"] == "normal", "patient_id"])
    shared = len(normal & set(train["patient_id"]))
    assert overlap.loc["normal", "num_test_patients_in_train"] == shared > 0


def test_strict_draws_one_of_two_identical_files_and_the_count_finds_a_planted_pair():
    pool = make_pool()
    pool["sha256"] = pool["label"] + pool["patient_id"]  # both images of a patient are one file
    drawn = splits.draw_split(pool, published.PROTOCOLS["strict"], SIZES, seed=20)
    assert drawn["sha256"].is_unique
    drawn.loc[drawn.index[-1], "sha256"] = drawn.loc[drawn.index[0], "sha256"]
    planted = splits.count_overlap(drawn).set_index("label")["num_test_images_in_train"]
    assert planted.to_dict() == {"covid": 0, "normal": 0, "pneumonia": 1}


def test_adults_only_leaves_children_and_unknown_ages_out():
    pool = make_pool()
    pool.loc[::7, "age_years"] = np.nan
    protocol = dataclasses.replace(published.PROTOCOLS["strict"], adults_only=True)
    drawn = splits.draw_split(pool, protocol, {"normal": (10, 2, 2)}, seed=20)
    assert (drawn["age_years"] >= 18).all()
    assert splits.count_overlap(drawn)["share_under_18"].tolist() == [0.0]


def test_a_row_without_an_age_counts_as_what_its_age_group_says():
    pool = make_pool(age_years=np.nan, age_group="child")
    drawn = splits.draw_split(pool, published.PROTOCOLS["paper"], SIZES, seed=20)
    assert splits.count_overlap(drawn)["share_under_18"].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["paper", "strict"])
def test_a_pool_that_is_too_small_shrinks_all_classes_by_one_factor_and_says_why(name):
    pool = make_pool(13)
    drawn = splits.draw_split(pool, published.PROTOCOLS[name], SIZES, seed=20)
    factor = drawn.attrs["shrink_factor"]
    assert factor <= 0.5
    expected = {label: tuple(int(size * factor) for size in SIZES[label]) for label in SIZES}
    assert count_sizes(drawn) == drawn.attrs["sizes"] == expected
    assert "13 images of class 'covid' where 26 are asked for" in drawn.attrs["reason"]


def test_a_class_without_two_images_a_split_is_an_error_with_its_name_and_numbers():
    with pytest.raises(ValueError, match=r"Class 'covid'.*Expected 26.*Received: 6 images"):
        splits.draw_split(make_pool(6), published.PROTOCOLS["paper"], SIZES, seed=20)
    no_normal = make_pool().query("label != 'normal'")
    with pytest.raises(ValueError, match=r"Class 'normal'.*Received: 0 images"):
        splits.draw_split(no_normal, published.PROTOCOLS["ancestor"], SIZES, seed=20)


def test_a_split_of_no_images_may_be_asked_for():
    drawn = splits.draw_split(
        make_pool(), published.PROTOCOLS["strict"], {"normal": (10, 0, 10)}, seed=20
    )
    assert drawn["split"].value_counts().to_dict() == {"train": 10, "test": 10}


def test_validation_takes_the_same_share_of_each_class_from_train_alone():
    pool = make_pool(20).assign(split="train")
    pool.loc[pool["patient_id"].str.endswith("5"), "split"] = "test"
    held = splits.hold_out_validation(pool, 1 / 8, seed=20)
    assert (held["image_id"] == pool["image_id"]).all()
    counts = held[held["split"] == "val"]["label"].value_counts().to_dict()
    assert counts == {"covid": 4, "normal": 4, "pneumonia": 4}  # 36 training images a class
    assert (held.loc[pool["split"] == "test", "split"] == "test").all()
    with pytest.raises(ValueError, match="fraction=1.5"):
        splits.hold_out_validation(pool, 1.5, seed=20)


@pytest.mark.shared
def test_the_white_set_has_the_two_known_pairs_across_train_and_test(shared_dir):
    animals = data.read_animals(shared_dir / "data")
    white = animals[animals["source"].str.endswith("same_backgrounds")]
    overlap = splits.count_overlap(white).set_index("label")["num_test_images_in_train"]
    assert overlap.to_dict() == {"husky": 0, "wolf": 2}


def test_one_view_for_all_classes_leaves_the_other_views_out():
    pool = make_pool()
    pool["view"] = np.where(np.arange(len(pool)) % 3 == 0, "AP", "PA")
    protocol = dataclasses.replace(published.PROTOCOLS["strict"], views=("PA",))
    drawn = splits.draw_split(pool, protocol, SIZES, seed=20)
    assert set(drawn["view"]) == {"PA"}
