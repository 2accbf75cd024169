"""The report card in its forms."""

import json
import re

import numpy as np
import pandas as pd
import planted
import pytest

import leakcard


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    counts = {"covid": 24, "normal": 24, "pneumonia": 24}
    table = planted.make_clean(folder, 1, 48, counts)
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
    names = ["model_info.md", "report_card.html", "report_card.json", "report_card.md"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    again = leakcard.read_card(tmp_path / "a" / "report_card.json")
    pd.testing.assert_frame_equal(again.to_frame(), card.to_frame(), check_dtype=False)
    card.write(tmp_path / "b")
    for name in names:
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
