"""Training sets that differ in one leak: in nothing else, and never in size."""

import numpy as np
import pandas as pd
import pytest

from leakage.data import leaks
from leakcard import images
from leakcard import table as image_table

NUM_TEST = {"covid": 4, "normal": 6, "pneumonia": 6}
NUM_TRAIN = {"covid": 9, "normal": 10, "pneumonia": 10}
VIEWS = {"covid": ["AP"], "normal": ["PA"], "pneumonia": ["AP"]}


def make_table(num_patients=40, images_each=(1, 2, 3), age=50):
    rows = []
    for label in NUM_TEST:
        for patient in range(num_patients):
            for number in range(images_each[patient % len(images_each)]):
                name = f"{label}-{patient:02}-{number}"
                view = "AP" if (patient + number) % 2 else "PA"
                rows.append(
                    {"image_id": name, "sha256": name, "label": label, "view": view,
                     "patient_id": f"{label}-{patient:02}", "age_years": age}
                )  # fmt: skip
    return image_table.make_table(rows)


def draw(seed=100):
    drawn = leaks.draw_clean(leaks.make_pool(make_table()), NUM_TEST, NUM_TRAIN, seed)
    return tuple(drawn[drawn["split"] == name] for name in ("test", "train", "spare"))


def count(rows):
    return rows["label"].value_counts().to_dict()


def test_the_clean_sets_have_their_sizes_and_no_patient_twice():
    test, train, spare = draw()
    assert count(test) == NUM_TEST and count(train) == NUM_TRAIN
    patients = pd.concat([test, train, spare])["patient_id"]
    assert patients.is_unique
    exposed = test[test["role"] == "exposed"]
    assert count(exposed) == count(spare) == {"covid": 2, "normal": 3, "pneumonia": 3}


def test_a_draw_is_decided_by_its_seed_alone():
    pool = leaks.make_pool(make_table())
    shuffled = leaks.make_pool(make_table().sample(frac=1, random_state=3))
    first = leaks.draw_clean(pool, NUM_TEST, NUM_TRAIN, 100)
    pd.testing.assert_frame_equal(first, leaks.draw_clean(shuffled, NUM_TEST, NUM_TRAIN, 100))
    other = leaks.draw_clean(pool, NUM_TEST, NUM_TRAIN, 101)
    assert not first["image_id"].equals(other["image_id"])


def test_leaked_training_sets_differ_from_the_clean_one_in_the_leak_alone():
    test, train, spare = draw()
    pool = leaks.make_pool(make_table())
    exposed = test[test["role"] == "exposed"]
    further = leaks.draw_further_images(pool, exposed, 100)
    assert set(further["patient_id"]) == set(exposed["patient_id"])
    assert not set(further["image_id"]) & set(test["image_id"])
    for leak in (exposed, further, spare):
        leaked = leaks.replace_images(train, leak)
        assert count(leaked) == count(train) and set(leaked["split"]) == {"train"}
        shared = set(train.loc[train["role"] == "shared", "image_id"])
        assert set(leaked["image_id"]) == shared | set(leak["image_id"])


def test_a_leak_of_another_size_is_refused():
    test, train, _ = draw()
    with pytest.raises(ValueError, match="as large as the clean one"):
        leaks.replace_images(train, test)


def test_swapped_images_have_the_value_asked_for_and_no_test_patient():
    test, train, _ = draw()
    few = leaks.take_first(train, {"covid": 5, "normal": 6, "pneumonia": 6})
    assert set(few["image_id"]) < set(train["image_id"])
    swapped = leaks.swap_images(few, leaks.make_pool(make_table()), "view", VIEWS, test, 100)
    assert count(swapped) == count(few) == {"covid": 5, "normal": 6, "pneumonia": 6}
    assert all(view in VIEWS[label] for label, view in swapped[["label", "view"]].to_numpy())
    assert swapped["patient_id"].is_unique
    assert not set(swapped["patient_id"]) & set(test["patient_id"])
    only = leaks.swap_images(
        few, leaks.make_pool(make_table()), "view", {"normal": ["PA"]}, test, 1
    )
    for label in ("covid", "pneumonia"):
        kept = only.loc[only["label"] == label, "image_id"]
        assert set(kept) == set(few.loc[few["label"] == label, "image_id"])


def test_too_few_patients_are_named():
    test, train, _ = draw()
    pool = leaks.make_pool(make_table())
    with pytest.raises(ValueError, match="whose view is one of .'LL'.. Expected 10"):
        leaks.swap_images(train, pool, "view", {"normal": ["LL"]}, test, 100)
    with pytest.raises(ValueError, match="Class 'covid' has too few patients"):
        leaks.draw_clean(leaks.make_pool(make_table(10)), NUM_TEST, NUM_TRAIN, 100)


def test_the_pool_joins_patients_who_share_a_picture_and_drops_those_of_two_labels():
    table = make_table(3)
    table.loc[table["patient_id"] == "normal-02", "patient_id"] = "covid-02"
    table.loc[table["patient_id"] == "covid-00", "age_years"] = 5
    pairs = pd.DataFrame({"image_id_a": ["covid-00-0"], "image_id_b": ["covid-01-0"]})
    pool = leaks.make_pool(table, pairs, "adult")
    assert not set(pool["patient_id"]) & {"covid-02", "covid-01"}
    kept = pool.loc[pool["image_id"] == "covid-01-1", "patient_id"]
    assert kept.tolist() == ["covid-00"] and "covid-00-0" not in set(pool["image_id"])


def test_a_copy_is_another_file_of_the_same_picture(tmp_path):
    rng = np.random.default_rng(0)
    smooth = images.resize_image(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), 100)
    path = images.write_by_content(tmp_path, smooth)
    table = pd.DataFrame([{"path": str(path), "label": "covid"} | images.inspect_image(path)])
    copy = leaks.write_copies(table, tmp_path / "copies").iloc[0]
    assert (copy["width_px"], copy["file_format"], copy["label"]) == (90, "JPEG", "covid")
    assert copy["sha256"] != table["sha256"].iloc[0]
    shown = [images.resize_image(images.decode_image(p), 50).ravel() for p in (path, copy["path"])]
    assert np.corrcoef(*shown)[0, 1] > 0.99
