"""`leakcard repair`: the nearest split without leaks, folds by unit, and a matched test set."""

import itertools
import json

import cv2
import numpy as np
import pandas as pd
import planted
import pytest
import scipy

from leakcard import __main__ as command
from leakcard import findings, repair, repair_page, stats

SPLITS = ["train", "val", "test"]
NO_PAIRS = pd.DataFrame(columns=findings.PAIR_COLUMNS)


@pytest.fixture(autouse=True)
def no_search(monkeypatch):
    """Leave the search for near-duplicates to its own tests."""
    monkeypatch.setattr("leakcard.copies.search.find_duplicates", planted.find_same_files)
    monkeypatch.setattr(stats, "LEAST_PERMUTATIONS", 9)


def plant(num_images, seed=0, images_each=4, share_mixed=0.3):
    """A list of images of patients, some of whom are in several splits."""
    rng = np.random.default_rng(seed)
    num_patients = num_images // images_each
    patient = rng.integers(0, num_patients, num_images)
    labels = np.array(["a", "b", "c"])[rng.choice(3, num_patients, p=[0.5, 0.3, 0.2])]
    homes = rng.choice(SPLITS, num_patients, p=[0.7, 0.1, 0.2])
    stray = rng.choice(SPLITS, num_images, p=[0.7, 0.1, 0.2])
    is_mixed = (rng.random(num_patients) < share_mixed)[patient]
    return pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(num_images)],
            "label": labels[patient],
            "split": np.where(is_mixed, stray, homes[patient]),
            "patient_id": [f"p{number}" for number in patient],
        }
    )


def mend(table, pairs=NO_PAIRS, **options):
    return repair.repair_split(table, findings.list_units(table, pairs), pairs, **options)


def make_pairs(rows):
    """Pairs of the same picture, from (image, split, label) twice and a kind."""
    names = ["image_a", "split_a", "label_a", "image_b", "split_b", "label_b", "kind"]
    return pd.DataFrame(rows, columns=names)


def count_splits(found):
    return found.kept.groupby("unit")["split"].nunique().max()


def get_shares(table, column):
    return pd.crosstab(table[column], table["label"], normalize="index")


def write_image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (24, 30), dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, values)[1].tobytes())


def make_folder(root, splits=tuple(SPLITS), num_images=12):
    """split/class/image with patients p0, p1 ... in the names; p0 is in all, a copy in two."""
    for seed, (split, label, number) in enumerate(
        itertools.product(splits, ("cat", "dog"), range(num_images))
    ):
        patient = 0 if number == 0 and label == "cat" else seed + 100
        write_image(root / split / label / f"p{patient}_{seed}.png", seed)
    content = next((root / splits[0] / "dog").glob("*.png")).read_bytes()
    (root / splits[-1] / "dog" / "p999_1.png").write_bytes(content)
    return root


def run(*arguments):
    return command.main(["repair", *map(str, arguments), "--permutations", "9"])


def read_statuses(folder):
    content = json.loads((folder / "report_card.json").read_text())
    return {row["check"]: row["status"] for row in content["rows"]}


# ---------------------------------------------------------------------------- fewest moves


def measure_excess(sizes_by_class, before, num_pictures):
    """How far each choice is outside of 5 % of sizes and 2 points of shares, in images.

    Parameters
    ----------
    sizes_by_class : ndarray of shape (n_choices, n_splits, n_classes)
    """
    sizes, totals = sizes_by_class.sum(axis=2), before.sum(axis=1)
    least = totals * num_pictures / totals.sum()
    least = np.minimum(0.95 * least, least - 1)
    most = np.maximum(1.05 * totals, totals + 1)
    excess = np.maximum(0, np.maximum(sizes - most, least - sizes)).sum(axis=1)
    share = before / totals[:, None]
    reach = np.where(share > 0, np.minimum(0.02, share / 2), 0.02)
    off = np.abs(sizes_by_class - share * sizes[..., None]) - reach * sizes[..., None]
    return excess + np.maximum(0, off).sum(axis=(1, 2))


@pytest.mark.parametrize("seed", range(12))
def test_no_choice_of_a_small_set_moves_fewer_images(seed):
    rng = np.random.default_rng(seed)
    num_units, num_classes = 9, 2
    by_split = rng.integers(0, 8, (num_units, 3, num_classes)) * (rng.random((9, 3, 1)) < 0.6)
    by_split[0] += 1
    listed_in, counts = by_split.sum(axis=2), by_split.sum(axis=1)
    chosen, gap, keeps_balance = repair.assign_units(
        listed_in, counts, by_split.sum(axis=0), SPLITS
    )

    choices = np.array(list(itertools.product(range(3), repeat=num_units)))
    in_split = (choices[:, :, None] == np.arange(3)).astype(int)
    excess = measure_excess(
        np.einsum("cus,uk->csk", in_split, counts), by_split.sum(axis=0), counts.sum()
    )
    moves = np.einsum("cus,us->c", in_split, counts.sum(axis=1)[:, None] - listed_in)
    number = np.flatnonzero((choices == chosen).all(axis=1))[0]
    within = excess < 1e-6
    assert keeps_balance == bool(within.any()) and gap <= 0.01
    if keeps_balance:
        assert within[number] and moves[number] <= 1.05 * moves[within].min()
    else:
        cost = moves + 10 * excess
        assert cost[number] <= 1.05 * cost.min()


@pytest.mark.parametrize("seed", range(4))
def test_a_program_with_a_variable_for_every_unit_moves_no_fewer_images(seed):
    """The method is an integer program too: this one is written plainly, and counts moves only."""
    table = plant(1200, seed)
    found = mend(table)
    units = findings.list_units(table, NO_PAIRS)["unit"]
    here = pd.crosstab(units, table["split"])[SPLITS].to_numpy()
    labels = pd.crosstab(units, table["label"]).to_numpy()
    before = pd.crosstab(table["split"], table["label"]).loc[SPLITS].to_numpy()
    num_units, sizes = len(here), here.sum(axis=1)
    share = before / before.sum(axis=1, keepdims=True)
    rows, low, high = [], [], []
    for unit in range(num_units):
        row = np.zeros((num_units, 3))
        row[unit] = 1
        rows, low, high = [*rows, row.ravel()], [*low, 1], [*high, 1]
    for split, label in itertools.product(range(3), range(3)):
        for sign, bound in ((1, 0.02), (-1, 0.02)):
            row = np.zeros((num_units, 3))
            row[:, split] = sign * (labels[:, label] - share[split, label] * sizes) - bound * sizes
            rows, low, high = [*rows, row.ravel()], [*low, -np.inf], [*high, 0]
    for split in range(3):
        row = np.zeros((num_units, 3))
        row[:, split] = sizes
        total = before[split].sum()
        rows, low, high = [*rows, row.ravel()], [*low, 0.95 * total], [*high, 1.05 * total]
    plain = scipy.optimize.milp(
        (sizes[:, None] - here).ravel(),
        integrality=np.ones(num_units * 3),
        bounds=(0, 1),
        constraints=scipy.optimize.LinearConstraint(np.array(rows), low, high),
        options={"mip_rel_gap": 0.01, "time_limit": 60},
    )
    assert found.keeps_balance and count_splits(found) == 1
    assert len(found.moved) <= 1.05 * plain.fun


@pytest.mark.parametrize("share_mixed", [0.1, 0.5, 1.0])
def test_sizes_and_class_shares_are_kept(share_mixed):
    table = plant(3000, 5, share_mixed=share_mixed)
    found = mend(table)
    assert found.keeps_balance and count_splits(found) == 1 and not len(found.dropped)
    change = get_shares(found.kept, "split") - get_shares(table, "split")
    assert change.abs().to_numpy().max() <= 0.02
    sizes = found.kept["split"].value_counts() / table["split"].value_counts()
    assert sizes.between(0.95, 1.05).all()


def test_of_equally_many_moves_those_are_taken_that_leave_the_test_set_alone():
    rows = [("x", "train"), ("x", "val"), ("y", "train"), ("y", "test"), ("z", "test")]
    rows += [(f"s{number}", SPLITS[number % 3]) for number in range(60)]
    table = pd.DataFrame(rows, columns=["patient_id", "split"]).assign(label="a")
    table["image_id"] = [f"{number}.png" for number in range(len(table))]
    moved = mend(table).moved
    assert len(moved) == 2
    assert list(moved["was"]) == [row for row in moved["was"] if row != "test"]


def test_a_split_without_a_leak_is_left_as_it_is():
    table = plant(400, share_mixed=0)
    found = mend(table)
    assert not len(found.moved) and not len(found.dropped) and not found.notes


def test_the_same_seed_gives_the_same_split_and_another_seed_one_that_moves_as_many():
    table = plant(800)
    first, again, other = mend(table), mend(table), mend(table, seed=1)
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert len(other.moved) == pytest.approx(len(first.moved), rel=0.05)


def test_without_an_answer_in_time_each_unit_goes_where_most_of_it_was():
    table = plant(800)
    found = mend(table, time_limit_s=0)
    most = table.groupby(["patient_id", "split"]).size().groupby("patient_id").agg(["sum", "max"])
    assert count_splits(found) == 1 and len(found.moved) == (most["sum"] - most["max"]).sum()
    assert any(note.startswith("No answer was found in time") for note in found.notes)


# ---------------------------------------------------------------------------- odd units


def test_chains_of_patients_and_copies_are_one_unit():
    table = plant(600, share_mixed=0)
    place = {name: table[table["split"] == name].iloc[:3] for name in SPLITS}
    chain = [(place["train"].iloc[k], place["val"].iloc[k], place["test"].iloc[k]) for k in (0, 1)]
    pairs = make_pairs(
        [
            [one.image_id, one.split, "a", two.image_id, two.split, "a", "near"]
            for links in chain
            for one, two in itertools.pairwise(links)
        ]
    )
    found = mend(table, pairs)
    assert count_splits(found) == 1 and len(found.moved) > 0
    for links in chain:
        ends = found.rows[found.rows["image_id"].isin([one.image_id for one in links])]
        assert ends["unit"].nunique() == ends["split"].nunique() == 1
    assert set(found.moved["reason"]) <= {repair.IN_TWO_SPLITS, repair.BALANCE}


def test_a_unit_larger_than_a_split_goes_where_there_is_room_and_it_is_said():
    table = plant(500, share_mixed=0)
    large = pd.DataFrame({"label": "a", "split": ["train"] * 70 + ["val"] * 30 + ["test"] * 80})
    large["image_id"] = [f"large {number}.png" for number in range(180)]
    table = pd.concat([table, large.assign(patient_id="large")], ignore_index=True)
    found = mend(table)
    assert count_splits(found) == 1
    assert set(found.kept.loc[found.kept["image_id"].str.startswith("large"), "split"]) == {"train"}
    assert all((found.kept["split"] == name).sum() > 30 for name in SPLITS)


def test_a_class_in_one_unit_goes_to_one_split_and_the_others_keep_their_shares():
    table = plant(600)
    rare = table[:30].assign(label="rare", patient_id="rare", split=SPLITS * 10)
    rare["image_id"] = "rare " + rare["image_id"]
    table = pd.concat([table, rare], ignore_index=True)
    found = mend(table)
    assert count_splits(found) == 1 and found.keeps_balance
    assert any("In fewer units than splits" in note and "'rare'" in note for note in found.notes)
    common = [one[one["label"] != "rare"] for one in (found.kept, table)]
    change = get_shares(common[0], "split") - get_shares(common[1], "split")
    assert change.abs().to_numpy().max() <= 0.02


def test_one_unit_alone_leaves_a_split_empty_and_that_is_said():
    found = mend(plant(90).assign(patient_id="one"))
    assert count_splits(found) == 1
    assert any(note.startswith("Nothing is left in test, val") for note in found.notes)


def test_rows_without_a_split_stay_without_one():
    table = plant(300)
    table.loc[::10, "split"] = np.nan
    found = mend(table)
    assert found.rows["split"].isna().equals(table["split"].isna()) and count_splits(found) == 1


def test_folds_that_leak_are_repaired_as_splits_are():
    table = plant(600).replace({"split": {"train": "fold 1", "val": "fold 2", "test": "fold 3"}})
    found = mend(table)
    assert count_splits(found) == 1 and len(found.moved)


# ---------------------------------------------------------------------------- what must go


def test_a_picture_under_two_labels_goes_with_all_its_copies_and_the_reason():
    table = plant(200, share_mixed=0)
    one, two, three, near = (table.iloc[number] for number in range(4))
    other = "b" if one.label != "b" else "c"
    table.loc[1, "label"] = other
    pairs = make_pairs(
        [
            [one.image_id, one.split, one.label, two.image_id, two.split, other, "file"],
            [one.image_id, one.split, one.label, three.image_id, three.split, one.label, "pixels"],
            [near.image_id, near.split, "a", table.image_id[9], table.split[9], "b", "near"],
        ]
    )
    found = mend(table, pairs)
    gone = found.dropped.set_index("image_id")
    assert set(gone.index) == {*table.image_id[:4], table.image_id[9]}
    assert set(gone["reason"]) == {repair.TWO_LABELS}
    assert other in gone.loc[one.image_id, "detail"]
    assert table.image_id[9] in gone.loc[near.image_id, "detail"]


def test_a_split_of_which_nothing_can_stay_is_named():
    table = plant(60, share_mixed=0).query("split != 'val'").reset_index(drop=True)
    twice = pd.DataFrame({"image_id": "x", "label": ["a", "b"], "split": "val", "patient_id": "x"})
    found = mend(pd.concat([table, twice], ignore_index=True))
    assert len(found.dropped) == 2 and not len(found.moved)
    assert "Nothing is left in val" in "".join(found.notes)


def test_of_repeated_rows_and_equal_files_the_one_in_the_test_set_stays():
    table = plant(200, share_mixed=0)
    test = table[table["split"] == "test"].iloc[0]
    rows = [test.to_dict() | {"split": "train"}, test.to_dict() | {"image_id": "twin.png"}]
    table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
    same = [test.image_id, "test", test.label, "twin.png", "test", test.label, "file"]
    found = mend(table, make_pairs([same]))
    assert not len(found.moved)
    assert found.dropped[["image_id", "was", "reason"]].to_numpy().tolist() == [
        [test.image_id, "train", repair.REPEATED],
        ["twin.png", "test", repair.COPY],
    ]
    assert set(found.dropped["detail"]) == {f"kept: {test.image_id}"}


# ---------------------------------------------------------------------------- folds


def test_folds_keep_units_together_and_classes_even():
    table = plant(2000)
    found = mend(table)
    repair.fold_units(found, 5)
    folded = found.kept[found.kept["split"] != "test"]
    assert found.kept["fold"].isna().equals(found.kept["split"] == "test")
    assert set(folded["fold"]) == {1, 2, 3, 4, 5}
    assert folded.groupby("unit")["fold"].nunique().max() == 1
    spread = get_shares(folded, "fold")
    assert (spread.max() - spread.min()).max() < 0.03
    assert folded["fold"].value_counts().agg(lambda n: n.max() / n.min()) < 1.1


def test_a_class_that_cannot_be_in_every_fold_is_named():
    table = plant(300, share_mixed=0)
    table.loc[:5, ["label", "patient_id"]] = "rare"
    found = mend(table)
    repair.fold_units(found, 4)
    assert "Not in every fold: classes 'rare'." in found.notes


# ---------------------------------------------------------------------------- matched test set


def make_test_set(num_images=400, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"label": rng.choice(["covid", "normal"], num_images)})
    is_ill = table["label"] == "covid"
    table["age_years"] = np.where(
        is_ill, rng.integers(30, 95, num_images), rng.integers(1, 70, num_images)
    )
    table["sex"] = np.where(rng.random(num_images) < np.where(is_ill, 0.7, 0.4), "M", "F")
    table["view"] = np.where(rng.random(num_images) < np.where(is_ill, 0.6, 0.3), "AP", "PA")
    table["source"] = np.where(rng.random(num_images) < np.where(is_ill, 0.9, 0.2), "here", "there")
    return table.assign(unit=rng.integers(0, 200, num_images))


def test_in_a_matched_test_set_no_trait_follows_the_label():
    test = make_test_set()
    index, told = repair.match_test(test)
    matched = test.loc[index]
    bands = pd.cut(matched["age_years"], repair.AGE_BANDS_YEARS, right=False)
    for trait in (bands, matched["sex"], matched["view"], matched["source"]):
        counts = pd.crosstab(trait, matched["label"])
        assert (counts["covid"] == counts["normal"]).all()
    bands = pd.cut(test["age_years"], repair.AGE_BANDS_YEARS, right=False).astype(str)
    cells = test.groupby([bands, "sex", "view", "source"])["label"]
    largest = sum(2 * min((some == "covid").sum(), (some == "normal").sum()) for _, some in cells)
    assert len(matched) == largest > 20 and f"{largest} of 400" in told


def test_images_of_different_units_are_taken_first():
    test = pd.DataFrame({"label": ["a"] * 6 + ["b"] * 4, "unit": [1, 1, 1, 1, 2, 3, 4, 5, 6, 7]})
    test = test.assign(sex=["F"] * 9 + ["M"], age_years=np.nan, view=np.nan, source=np.nan)
    index, _ = repair.match_test(test)
    assert test.loc[index].groupby("label")["unit"].nunique().tolist() == [3, 3]


def test_where_source_and_label_are_one_no_matched_test_set_exists_and_it_is_said():
    test = make_test_set()
    test["source"] = test["label"].map({"covid": "here", "normal": "there"})
    index, told = repair.match_test(test)
    assert not len(index) and "source and label are one" in told
    assert told.startswith("No matched test set exists") and "without source" in told
    unknown = test.assign(sex=test["sex"].where(test["label"] == "covid"))
    assert "sex is not known for normal" in repair.match_test(unknown)[1]
    unknown = test.assign(age_years=np.nan, sex=np.nan, view=np.nan, source=np.nan)
    assert "are not known" in repair.match_test(unknown)[1]


# ---------------------------------------------------------------------------- the command


def test_the_new_split_has_no_leak_and_the_images_are_not_touched(tmp_path, capsys):
    root = make_folder(tmp_path / "images")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    out = tmp_path / "new" / "split.csv"
    assert run(root, "--pattern", r"(p\d+)_", "--out", out, "--no-pictures") == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    told = capsys.readouterr().out
    assert "of 73 images" in told and "1 the same content as another image" in told
    assert "Rows of the card on leaks between splits: 2 before, 0 after." in told
    folder = tmp_path / "new" / "split_repair"
    statuses = [read_statuses(folder / name) for name in ("before", "after")]
    for check in ("duplicates_across_splits", "patient_across_splits"):
        assert [one[check] for one in statuses] == ["fail", "pass"]
    page = (folder / "index.html").read_text()
    assert "before/report_card.html" in page and "Duplicates across splits" in page
    changes = pd.read_csv(folder / "changes.csv")
    # Of 24 test images one is four points: to keep the shares two more move than must.
    assert changes["reason"].value_counts().to_dict() == {
        repair.IN_TWO_SPLITS: 2,
        repair.BALANCE: 2,
        repair.COPY: 1,
    }


def test_the_new_split_is_read_by_the_audit_and_keeps_what_the_list_said(tmp_path):
    root = make_folder(tmp_path / "images")
    paths = sorted(path.relative_to(tmp_path) for path in root.rglob("*.png"))
    table = pd.DataFrame({"File Name": paths, "class": [path.parts[2] for path in paths]})
    table["set"] = [path.parts[1] for path in paths]
    table["Patient ID"] = [path.name.split("_")[0] for path in paths]
    table["sex"], table["device"] = "F", "d" + table["Patient ID"]
    table.to_csv(tmp_path / "list.csv", index=False)
    out = tmp_path / "elsewhere" / "split.csv"
    assert run(tmp_path / "list.csv", "--out", out, "--group", "device", "--folds", 3) == 0
    new = pd.read_csv(out)
    assert {"patient_id", "sex", "device", "unit", "fold"} <= set(new.columns) and len(new) == 72
    options = ["--out", str(tmp_path / "card"), "--group", "device"]
    assert command.main(["audit", str(out), *options]) == 0
    statuses = read_statuses(tmp_path / "card")
    assert statuses["patient_across_splits"] == statuses["device_across_splits"] == "pass"
    assert statuses["duplicates_within_split"] == "pass"


def test_folds_that_leak_are_repaired_into_folds_that_the_audit_reads(tmp_path):
    root = make_folder(tmp_path / "images")
    paths = sorted(root.rglob("*.png"))
    table = pd.DataFrame({"path": paths, "label": [path.parts[-2] for path in paths]})
    table["fold"] = [SPLITS.index(path.parts[-3]) for path in paths]
    table["patient"] = [path.name.split("_")[0] for path in paths]
    table.to_csv(tmp_path / "list.csv", index=False)
    out = tmp_path / "split.csv"
    assert run(tmp_path / "list.csv", "--out", out) == 0
    statuses = read_statuses(repair_page.name_folder(out) / "before")
    assert statuses["patient_across_splits"] == "fail"
    assert command.main(["audit", str(out), "--out", str(tmp_path / "card")]) == 0
    assert read_statuses(tmp_path / "card")["patient_across_splits"] == "pass"


def test_a_set_without_splits_gets_folds_that_the_audit_reads(tmp_path):
    root = make_folder(tmp_path / "images", splits=("all",))
    out = tmp_path / "folds.csv"
    assert run(root / "all", "--pattern", r"(p\d+)_", "--out", out, "--folds", 3) == 0
    assert "split" not in pd.read_csv(out).columns
    assert command.main(["audit", str(out), "--out", str(tmp_path / "card")]) == 0
    assert read_statuses(tmp_path / "card")["patient_across_splits"] == "pass"


def test_what_was_not_looked_at_is_said(tmp_path, capsys):
    root = make_folder(tmp_path / "images")
    (root / "train" / "cat" / "broken.png").write_text("no image")
    assert run(root, "--out", tmp_path / "split.csv") == 0
    told = capsys.readouterr().out
    assert "Not looked at: the patients of 74 of 74 rows" in told
    assert "Not looked at: 1 images that could not be read" in told
    assert "broken.png" in (tmp_path / "split.csv").read_text()


def test_both_cards_say_once_what_was_guessed():
    repaired = repair.repair_table(plant(40).assign(sex="1"), num_permutations=9)
    for card in (repaired.before, repaired.after):
        notes = card.about["notes"]
        assert any("kept as they are" in note for note in notes) and len(set(notes)) == len(notes)


def test_a_label_that_is_the_source_is_left_and_said_with_exit_code_1(tmp_path, capsys):
    paths = sorted(path for path in make_folder(tmp_path / "images", num_images=30).rglob("*.png"))
    table = pd.DataFrame({"path": paths, "label": [path.parts[-2] for path in paths]})
    table["split"] = [path.parts[-3] for path in paths]
    table["source"] = "hospital of " + table["label"]
    table.to_csv(tmp_path / "list.csv", index=False)
    options = ["--out", str(tmp_path / "split.csv"), "--permutations", "999"]
    assert command.main(["repair", str(tmp_path / "list.csv"), *options]) == 1
    told = capsys.readouterr().out
    assert "Moving images cannot repair: Label and source (fail)" in told
    assert "No matched test set exists (by source): source and label are one" in told


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("images/train", [], "nothing to repair without two splits"),
        ("missing", [], "Expected a folder, a CSV or Parquet file"),
        ("images", ["--folds", "5000"], "Expected --folds from 2 to"),
        ("images", ["--folds", "1"], "Expected --folds from 2 to"),
        ("images", ["--out", "images/new.csv"], "choose one with --out"),
        ("images", ["--out", "file/new.csv"], "Expected a folder that may be written to"),
        ("images", ["--out", "images"], "needs a file of its own"),
        ("list.csv", ["--out", "list.csv"], "needs a file of its own"),
    ],
    ids=[
        *("no split", "no folder", "folds", "one fold", "in the images", "cannot be written"),
        *("a folder", "the list itself"),
    ],
)
def test_wrong_input_gives_exit_code_2_and_loses_nothing(
    tmp_path, monkeypatch, capsys, name, options, message
):
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "images", num_images=2)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "list.csv").write_text("path,label,split\nimages/a.png,a,train\n")
    (tmp_path / "old.csv").write_text("from before")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(name, *(options if "--out" in options else [*options, "--out", "old.csv"])) == 2
    error = capsys.readouterr().err
    assert message in error and "Received:" in error
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_folder_that_cannot_be_read_gives_exit_code_2(tmp_path, monkeypatch, capsys):
    make_folder(tmp_path / "images", num_images=2)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(command.reading, "read_images", refuse)
    assert run(tmp_path / "images", "--out", tmp_path / "split.csv") == 2
    assert "Permission denied" in capsys.readouterr().err
    assert not (tmp_path / "split.csv").exists()


def test_a_split_from_before_stays_if_the_cards_cannot_be_written(tmp_path, monkeypatch, capsys):
    root = make_folder(tmp_path / "images", num_images=2)
    out = tmp_path / "split.csv"
    out.write_text("from before")
    (tmp_path / "split_repair").write_text("in the way")
    assert run(root, "--out", out) == 2
    assert out.read_text() == "from before"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("images", "split.csv", "split_repair"),
    ]


def test_the_help_gives_an_example(capsys):
    with pytest.raises(SystemExit):
        command.main(["repair", "--help"])
    assert "Example: leakcard repair chest_xray" in capsys.readouterr().out


# ---------------------------------------------------------------------------- real images


@pytest.mark.shared
def test_the_white_wolves_lose_their_pairs_and_nothing_moves(shared_dir, tmp_path):
    out = tmp_path / "split.csv"
    run(shared_dir / "data" / "wolf_husky" / "same_backgrounds", "--out", out, "--no-pictures")
    changes = pd.read_csv(repair_page.name_folder(out) / "changes.csv")
    assert changes["is_dropped"].all() and len(changes) == 10
    after = read_statuses(repair_page.name_folder(out) / "after")
    assert after["duplicates_across_splits"] == after["duplicates_within_split"] == "pass"


def test_the_search_for_copies_is_the_one_that_was_asked_for(tmp_path, monkeypatch):
    asked = []

    def find(table, search=None, **options):
        asked.append(search)
        return planted.find_same_files(table)

    monkeypatch.setattr("leakcard.copies.search.find_duplicates", find)
    folder = make_folder(tmp_path / "images")
    run(folder, "--out", tmp_path / "out" / "split.csv", "--copies", "fast")
    assert asked == ["fast"]  # once: the second audit takes what the first has found
