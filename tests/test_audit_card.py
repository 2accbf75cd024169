"""The report card in its forms."""

import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import planted
import pytest
from sklearn import model_selection

import leakcard
from leakcard import findings

RESULTS = Path(__file__).parents[1] / "results"
FILES = ["model_info.md", "pairs.csv", "report_card.html", "report_card.json", "report_card.md"]
FILES += ["units.csv"]


@pytest.fixture(scope="module")
def card():
    counts = {"covid": 24, "normal": 24, "pneumonia": 24}
    table = planted.make_clean(1, 48, counts)
    train = table[table["split"] == "train"]
    twin = train.head(1).assign(image_id="<twin> & co", split="test")
    table.loc[table.index[table["split"] == "test"][0], "patient_id"] = train["patient_id"].iloc[-1]
    table = pd.concat([table, twin], ignore_index=True)
    pairs = planted.find_same_files(table)
    return leakcard.audit(table, pairs=pairs, num_permutations=99)


def test_every_kind_of_leak_has_a_row_with_a_reason_or_a_question(card):
    frame = card.to_frame()
    assert list(dict.fromkeys(frame["code"])) == list(leakcard.CODES)
    assert frame["check"].is_unique and set(frame["status"]) <= set(leakcard.STATUSES)
    untested = frame[frame["status"] == "not testable"]
    assert (untested["question"] != "").all() and (frame["reason"] != "").all()
    alarms = frame[frame["status"].isin(["fail", "warn"])]
    assert len(alarms) and (alarms["action"] != "").all()
    assert sum(card.counts.values()) == len(frame) and card.has_leak


def test_a_written_card_is_read_back_and_is_the_same_twice(card, tmp_path):
    card.write(tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == FILES
    again = leakcard.read_card(tmp_path / "a" / "report_card.json")
    pd.testing.assert_frame_equal(again.to_frame(), card.to_frame(), check_dtype=False)
    card.write(tmp_path / "b")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_no_form_of_the_card_has_a_path_of_this_machine(card, tmp_path):
    folder = card.write(tmp_path)
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path.parent) not in text and "/phantoms" not in text


def test_the_page_needs_no_other_file_and_shows_the_pairs(card, tmp_path):
    text = (card.write(tmp_path) / "report_card.html").read_text(encoding="utf-8")
    assert text.count('src="data:image/jpeg;base64,') >= 4
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert "See pairs.csv and units.csv" in text
    assert "<script" not in text and "<twin>" not in text and "&lt;twin&gt; &amp; co" in text
    assert "phantoms drawn by this project" in text
    bare = (card.write(tmp_path / "x", with_pictures=False) / "report_card.html").read_text()
    assert "<img" not in bare and "<img" not in card._repr_html_()


def test_the_markdown_has_all_rows_images_and_questions(card):
    text = card.to_markdown()
    for row in card.rows:
        assert row.title in text
    assert "`<twin> & co`" in text and "## Questions to the author" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_the_model_info_sheet_answers_what_it_can_and_leaves_the_rest_to_the_author(card):
    text = leakcard.format_model_info(card)
    for part in ("L1", "L2", "L3"):
        assert f"## {part}" in text
    assert "Duplicates across splits: **fail**" in text
    assert text.count("To be answered by the author") >= 4
    assert len(re.findall(r"^\*\*\d+\. ", text, re.MULTILINE)) == 12


def test_cards_are_compared_in_one_grid(card):
    grid = leakcard.compare_cards({"a": card, "b": card})
    assert list(grid.columns) == ["a", "b"] and len(grid) == len(card.rows)
    assert grid.loc[("L1.4", "Duplicates across splits"), "a"] == "fail"


@pytest.fixture(scope="module")
def schema():
    path = resources.files("leakcard") / "report_card.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_key_of_the_json_is_in_the_schema_with_a_sentence(card, schema, tmp_path):
    content = json.loads((card.write(tmp_path) / "report_card.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(content)
    for wrong in ({"extra": 1}, {"schema_version": 0}, {"rows": [{"code": "L1.1"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content | wrong, schema)
    parts = [schema["properties"]]
    for part in parts:
        parts += [one.get("items", one).get("properties", {}) for one in part.values()]
        assert all(one["description"] for one in part.values())


def test_the_documentation_names_every_file_and_every_column():
    text = (RESULTS.parent / "docs" / "report_card.md").read_text(encoding="utf-8")
    for name in (*FILES, *findings.PAIR_COLUMNS, *findings.UNIT_COLUMNS):
        assert f"`{name}`" in text, name


def test_cards_from_before_there_was_a_version_are_read_and_later_ones_refused(card, tmp_path):
    stored = sorted(RESULTS.glob("*/*/report_card_*.json"))
    for path in stored:
        again = leakcard.read_card(path)
        assert again.rows and again.headline and again.to_markdown()
    content = card.to_json()
    del content["schema_version"], content["headline"]
    path = tmp_path / "card.json"
    path.write_text(json.dumps(content))
    assert leakcard.read_card(path).rows == card.rows
    path.write_text(json.dumps(content | {"schema_version": 99}))
    with pytest.raises(ValueError, match="schema_version of 0 or 1.*Received: 99"):
        leakcard.read_card(path)


def test_nothing_that_is_named_is_cut_short_but_what_people_read():
    names = [f"image {number:03d}" for number in range(300)]
    table = pd.DataFrame({"image_id": names, "label": "a", "split": ["train", "test"] * 150})
    table["patient_id"] = [f"p{number // 2}" for number in range(300)]
    card = leakcard.audit(table, num_permutations=9)
    row = card.get_row("patient_across_splits")
    assert row.images == tuple(names[1::2]) and row.num_images == 150
    assert "and 140 more in the JSON file" in card.to_markdown()
    assert len(card.to_markdown()) < 20_000


def audit_copies(**options):
    """A card of images with copies under other patients, a draw with replacement, and a group."""
    table = planted.make_clean(3, 48, {"covid": 12, "normal": 12, "pneumonia": 12})
    one, two, three = (table.iloc[[number]] for number in range(3))
    twins = [
        one.assign(image_id="twin", split="test", patient_id="twin"),
        two.assign(image_id="lone", split="val", patient_id="lone"),
        two.assign(split="test"),
        three.assign(image_id="lost", path="nowhere.png", sha256="lost"),
    ]
    table = pd.concat([table, *twins], ignore_index=True)
    table["device"] = ["d1", "d1", *(f"e{number}" for number in range(len(table) - 2))]
    pairs = planted.find_same_files(table)
    table = table.drop(columns=["sha256", "file_format", "width_px", "height_px", "num_bytes"])
    only = {"duplicates": leakcard.CHECKS["duplicates"]}
    return leakcard.audit(table, pairs=pairs, checks=only, **options)


def test_folds_of_whole_units_leave_no_pair_and_no_patient_across(tmp_path):
    folder = audit_copies().write(tmp_path / "card")
    pairs, units = pd.read_csv(folder / "pairs.csv"), pd.read_csv(folder / "units.csv")
    assert len(pairs) >= 3 and units["image"].nunique() == 39
    assert {"twin", "lone", "lost"} < set(units["image"])
    num_units = units["unit"].nunique()
    # as many units as can be: the twin and the lone copy join two patients each
    assert num_units == units["patient"].nunique()
    for num_folds in (2, 5, num_units):
        units["fold"] = -1
        folder = model_selection.GroupKFold(num_folds)
        for fold, (_, test) in enumerate(folder.split(units, groups=units["unit"])):
            units.loc[test, "fold"] = fold
        assert set(units["fold"]) == set(range(num_folds))
        for name in ("image", "patient"):
            assert units.groupby(name)["fold"].nunique().max() == 1
        fold_of = units.drop_duplicates("image").set_index("image")["fold"]
        assert (fold_of[pairs["image_a"]].array == fold_of[pairs["image_b"]].array).all()


def test_the_groups_of_a_column_stay_together_too():
    alone = audit_copies().units
    joined = audit_copies(group="device").units
    units = dict(zip(joined["image"], joined["unit"], strict=True))
    first, second = joined["image"].iloc[:2]
    assert units[first] == units[second]
    assert joined["unit"].nunique() == alone["unit"].nunique() - 1


def test_pairs_say_what_is_known_of_both_images_and_how_sure_it_is():
    table = planted.make_clean(1, 48, {"covid": 12, "normal": 12, "pneumonia": 12})
    table["patient_id"] = table["patient_id"].where(table.index != 0, None)
    names = table["image_id"].iloc[:2]
    pairs = pd.DataFrame({"image_id_a": names.iloc[[1]].tolist(), "image_id_b": names.iloc[0]})
    pairs = pairs.assign(kind="near", correlation=0.98, transform="turned by 90")
    only = {"duplicates": leakcard.CHECKS["duplicates"]}
    found = leakcard.audit(table, pairs=pairs, checks=only).pairs.iloc[0]
    assert [found["image_a"], found["image_b"]] == sorted(names)
    assert (found["kind"], found["score"], found["transform"]) == ("near", 0.98, "turned by 90")
    assert pd.isna(found["patient_a"]) and found["patient_b"] == table["patient_id"].iloc[1]
    told = leakcard.audit(table, pairs=pairs.drop(columns="transform"), checks=only).pairs
    assert told["transform"].tolist() == [""]


@pytest.mark.parametrize(
    ("statuses", "start"),
    [
        (("pass", "warn", "fail"), "Fail: 1 of 3 checks fail, 1 warn. First: Row 2: found 2. Do 2"),
        (("pass", "warn"), "Warning: none of 2 checks fails, 1 warn. First: Row 1: found 1. Do 1"),
        (
            ("pass", "not testable"),
            "No leak was found by 1 checks, 1 could not be tested. First of these: Row 1: why 1. "
            "Do 1",
        ),
        (("not testable",), "Nothing could be tested. First of these: Row 0: why 0. Do 0"),
        (("pass",), "No leak was found by 1 checks."),
        ((), "Nothing was checked."),
    ],
)
def test_the_line_on_top_says_how_bad_it_is_and_what_to_do_first(statuses, start):
    found = [
        leakcard.Row("L2", f"own{n}", f"Row {n}", status, f"found {n}", reason=f"why {n}.",
                     action=f"Do {n}")
        for n, status in enumerate(statuses)
    ]  # fmt: skip
    about = {"num_rows": 1, "num_images": 1, "splits": {}, "labels": [], "num_unreadable": 0,
             "unreadable": [], "is_phantom": False}  # fmt: skip
    card = leakcard.ReportCard(found, about)
    assert card.headline == start and "\n" not in repr(card)
    for text in (card.to_markdown(), card._repr_html_()):
        assert text.index(start) < text.index(card.describe())


def test_alarms_come_first_and_the_rest_is_folded(card, tmp_path):
    page = (card.write(tmp_path) / "report_card.html").read_text(encoding="utf-8")
    for text in (page, card._repr_html_(), card.to_markdown()):
        body = text[text.index("Result:") :]
        places = [body.index(f"{mark} {count} {status}") for mark, count, status in (
            ("?", card.counts["not testable"], "not testable"), ("✓", card.counts["pass"], "pass")
        )]  # fmt: skip
        titles = {row.title: row.status for row in card.rows}
        first = {title: body.index(title) for title in titles}
        for title, status in titles.items():
            assert (first[title] < min(places)) == (status in ("fail", "warn")), title
        assert places == sorted(places) and body.count("<details") >= 2


def test_an_unknown_row_and_a_file_that_is_no_card_are_refused(card, tmp_path):
    with pytest.raises(ValueError, match="no such row"):
        card.get_row("nothing")
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"rows": [{"a": 1}]}))
    with pytest.raises(ValueError, match="no report card"):
        leakcard.read_card(path)


def test_a_table_without_pixels_is_audited_by_its_columns():
    rng = np.random.default_rng(0)
    size = 400
    table = pd.DataFrame(
        {
            "path": [f"nowhere/{number}.png" for number in range(size)],
            "label": rng.choice(["a", "b"], size),
            "split": rng.choice(["Training", "valid", "TEST"], size),
            "patient_id": rng.integers(0, 150, size).astype(str),
        }
    )
    table["source"] = np.where(table["label"] == "a", "x", "y")
    card = leakcard.audit(table, num_permutations=399)
    assert card.get_row("patient_across_splits").status == "fail"
    assert card.get_row("source").status == "fail"
    for check in ("border_classifier", "file_classifier", "duplicates_across_splits"):
        assert card.get_row(check).status == "not testable"
    assert card.about["num_unreadable"] == size


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame(), "nothing to audit"),
        (pd.DataFrame({"name": ["a"]}), "needs a column `path`"),
        (pd.DataFrame({"path": ["a"], "split": ["alpha"]}), "names that are not known"),
    ],
)
def test_a_table_that_cannot_be_audited_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        leakcard.audit(table)


def test_a_group_column_or_record_that_is_not_there_is_refused():
    table = pd.DataFrame({"path": ["a"]})
    with pytest.raises(ValueError, match="group column"):
        leakcard.audit(table, group="device")
    with pytest.raises(ValueError, match="training record"):
        leakcard.audit(table, record={"mean": 1})


def test_few_patients_are_not_testable_instead_of_clean():
    table = pd.DataFrame(
        {
            "image_id": [str(number) for number in range(8)],
            "label": ["a", "b"] * 4,
            "split": ["train"] * 4 + ["test"] * 4,
            "source": ["x", "y"] * 4,
        }
    )
    card = leakcard.audit(table)
    assert card.get_row("source").status == "not testable"
    assert "10 are needed" in card.get_row("metadata_classifier").reason


@pytest.mark.parametrize("columns", [[], ["patient_id"]], ids=["no column", "image ids"])
@pytest.mark.parametrize("num_copies", [0, 8])
def test_images_a_patient_are_no_pass_and_no_alarm_where_nobody_gave_patients(columns, num_copies):
    names = [f"{number:02d}.png" for number in range(60)]
    table = pd.DataFrame({"image_id": names, "patient_id": names, "label": ["a", "b"] * 30})
    copies = pd.DataFrame({"image_id_a": names[:32:4], "image_id_b": names[2:32:4], "kind": "near"})
    only = {"patient_sizes": leakcard.CHECKS["patient_sizes"]}
    kept = table[["image_id", "label", *columns]]
    row = leakcard.audit(kept, pairs=copies[:num_copies], checks=only).get_row("patient_sizes")
    assert row.status == "not testable" and row.question
    assert "No column says which images belong together" in row.reason
    table["patient_id"] = [name[:-5] for name in names]
    known = leakcard.audit(table, pairs=copies[:0], checks=only).get_row("patient_sizes")
    assert "No column" not in known.reason


def test_what_is_not_known_of_the_splits_is_said_of_splits():
    rng = np.random.default_rng(0)
    split = np.repeat(["train", "test"], [300, 100])
    table = pd.DataFrame({"image_id": [str(n) for n in range(400)], "label": "a", "split": split})
    table["view"] = np.where(split == "train", "AP", "PA")
    table["sex"] = rng.choice(["F", "M"], 400)
    table.loc[table.index % 4 == 0, ["view", "sex"]] = np.nan
    table["source"] = np.where(split == "train", "x", None)
    only = {"splits": leakcard.CHECKS["splits"]}
    card = leakcard.audit(table, checks=only)
    differs, same = card.get_row("split_view"), card.get_row("split_sex")
    assert differs.status == "warn" and same.status == "pass"
    assert differs.reason.startswith("It differs. For an internal test this is a fault")
    assert same.reason.startswith("It does not differ.")
    for row in (differs, same):
        assert row.reason.endswith("Not known for 25% of the images.")
    assert "for one split and not for another" in card.get_row("split_source").reason
    few = leakcard.audit(table[297:303], checks=only).get_row("split_sex")
    assert few.reason == "The sex is known for too few patients (under 5 of a split)."


def test_copies_in_training_and_validation_are_pairs_and_no_share_where_there_is_no_test_set():
    names = [str(number) for number in range(20)]
    split = ["train", "val"] * 10
    table = pd.DataFrame({"image_id": names, "label": "a", "split": split, "sha256": names})
    copies = pd.DataFrame({"image_id_a": ["0", "2"], "image_id_b": ["1", "3"], "kind": "near"})
    only = {"duplicates": leakcard.CHECKS["duplicates"]}
    row = leakcard.audit(table, pairs=copies, checks=only).get_row("duplicates_across_splits")
    assert row.status == "warn" and row.value == 2 and row.lower is None
    assert row.figure == "2 pairs between training and validation (2 near)"
    assert row.reason.startswith("Validation images") and row.images == ("0", "1", "2", "3")
    row = leakcard.audit(table, pairs=copies[:0], checks=only).get_row("duplicates_across_splits")
    assert row.status == "pass" and row.figure == "0 pairs between training and validation"


@pytest.mark.parametrize("split", [["train", "test"], ["train", "val"], ["train", "train"]])
@pytest.mark.parametrize("devices", [["d"], ["d", "e"], ["d", None], [None]])
def test_rows_of_a_group_speak_of_the_group_and_not_of_patients(split, devices):
    table = pd.DataFrame(
        {"image_id": [str(n) for n in range(40)], "label": ["a", "b", "b", "b"] * 10}
    )
    table["split"] = split * 20
    table["device"] = pd.Series(devices * (40 // len(devices)), dtype=object)
    only = {"groups": leakcard.CHECKS["groups"]}
    card = leakcard.audit(table, group="device", pairs=planted.NO_PAIRS, checks=only)
    rows = [row for row in card.rows if row.check.startswith("device_")]
    assert len(rows) == 2
    for row in rows:
        told = " ".join([row.title, row.figure, row.reason, row.action, row.question])
        assert "device" in told and "patient" not in told and " who" not in told, told


def test_the_cards_of_a_study_are_read_in_the_order_in_which_they_were_written(card, tmp_path):
    draws = {"z, as drawn": card, "a (strict)": card}
    paths = leakcard.write_cards(tmp_path / "03_correct", draws)
    assert [path.name for path in paths] == [
        "report_card_01_z_as_drawn.json",
        "report_card_02_a_strict.json",
    ]
    assert paths[0].with_suffix(".md").is_file()
    found = leakcard.read_cards(tmp_path)
    assert list(found) == ["03 z as drawn", "03 a strict"]
    again = found["03 a strict"].to_frame()
    pd.testing.assert_frame_equal(again, card.to_frame(), check_dtype=False)
