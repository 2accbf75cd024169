"""Inputs from the wild: each gives what a user would expect, or says what it does not know."""

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path

import pytest

from leakage import data
from leakcard import __main__ as command


@pytest.fixture
def run(shared_dir, tmp_path, monkeypatch):
    """Return a function that draws a case, audits it and returns code, card and output."""

    def run_case(name, *options, listed=False):
        out = tmp_path / "input"
        monkeypatch.setattr(sys, "argv", ["make.py", str(out)])
        runpy.run_path(str(shared_dir / "cases" / name / "make.py"))
        before = {path: path.lstat().st_mtime_ns for path in out.rglob("*")}
        target = out / "list.csv" if listed else out
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = command.main(
                ["audit", str(target), "--out", str(tmp_path / "card")] + list(options)
            )
        assert before == {path: path.lstat().st_mtime_ns for path in out.rglob("*")}
        path = tmp_path / "card" / "report_card.json"
        card = json.loads(path.read_text()) if path.exists() else None
        rows = {row["check"]: row for row in card["rows"]} if card else {}
        return code, rows, card and card["about"], output.getvalue()

    return run_case


pytestmark = pytest.mark.shared


@pytest.mark.parametrize("name", ["patient-ids-float", "patient-ids-spaces", "partial-download"])
def test_patients_are_found_however_they_are_spelled_and_without_their_files(run, name):
    code, rows, about, output = run(name, listed=True)
    across = rows["patient_across_splits"]
    assert code == 1 and across["value"] == 1.0 or "patient_spellings" in rows
    assert about["notes"] or about["num_unreadable"] == 12


def test_links_to_nowhere_are_named(run):
    _, _, about, output = run("dangling-links")
    assert about["num_unreadable"] > 0 and "cannot be read" in output


def test_images_of_all_suffixes_are_read_and_dicom_is_counted(run):
    code, rows, about, output = run("suffixes")
    assert code == 1 and rows["duplicates_across_splits"]["status"] == "fail"
    assert "20 DICOM" in output or about["num_unreadable"] == 20 or "dicom" in output.lower()


@pytest.mark.parametrize("name", ["split-validate", "class-then-split"])
def test_splits_are_found_by_any_usual_name_and_below_the_class(run, name):
    _, rows, about, _ = run(name)
    assert len(about["splits"]) > 1
    assert rows["duplicates_across_splits"]["status"] in ("fail", "warn")
    assert not {"validate", "train", "test"} & set(about["labels"])


def test_splits_are_found_one_folder_down(run):
    _, _, about, output = run("one-folder-too-high")
    assert set(about["splits"]) == {"train", "test"} and about["labels"] == ["a", "b"]
    assert "1 folder down" in output


def test_pictures_that_a_viewer_turns_are_compared_as_it_shows_them(run):
    code, rows, _, _ = run("exif-rotation")
    assert code == 1 and rows["duplicates_across_splits"]["status"] == "fail"


def test_nothing_readable_is_exit_code_2(run):
    code, _, about, output = run("all-missing", listed=True)
    assert code == 2 and about["num_read"] == 0 and "no image could be read" in output


def test_a_separator_at_the_end_of_a_row_moves_no_column(run):
    _, rows, about, output = run("trailing-comma", listed=True)
    assert about["labels"] == ["covid", "normal"] and set(about["splits"]) == {"train", "test"}
    assert rows["duplicates_across_splits"]["status"] == "fail"
    assert "end in a separator" in output


def test_a_class_may_be_called_none(run):
    _, _, about, _ = run("label-none", listed=True)
    assert about["labels"] == ["COVID-19", "None"]


@pytest.mark.parametrize("name", ["age-dicom", "dates-american"])
def test_ages_and_dates_in_other_spellings_are_tested(run, name):
    _, rows, _, output = run(name, listed=True)
    assert rows["age_gap" if name == "age-dicom" else "date_gap"]["status"] != "not testable"
    assert "note: Column" in output


def test_ids_that_start_again_are_replaced_by_paths(run):
    code, _, about, output = run("image-id-restarts", listed=True)
    assert about["num_images"] == 36 and code == 0 and "image_id" in output


def test_floats_and_blank_first_frames_are_no_duplicates(run, tmp_path):
    code, rows, _, _ = run("float-tiff")
    assert code == 0 and rows["duplicates_across_splits"]["status"] == "pass"


def test_flat_images_are_nobodys_copies(run):
    code, rows, _, output = run("blank-first-frame")
    assert code == 0 and rows["duplicates_across_splits"]["status"] != "fail"


def test_masks_are_left_out_and_counted(run):
    code, rows, about, output = run("masks-beside-images")
    assert about["labels"] == ["covid", "normal"] and about["num_images"] == 32
    assert rows["duplicates_across_splits"]["status"] == "pass" and "masks" in output


def test_sexes_in_two_spellings_are_one(run):
    _, rows, _, output = run("sex-coding", listed=True)
    assert rows["sex"]["status"] == "pass" and "Column sex" in output


def test_labels_with_blanks_are_one_class(run):
    _, _, about, output = run("label-spaces", listed=True)
    assert about["labels"] == ["covid", "normal"] and "blanks removed" in output


def test_patient_folders_are_no_classes(run):
    _, rows, about, output = run("chexpert-folders")
    assert about["labels"] == [] and "read as patients" in output
    assert rows["patient_across_splits"]["num_images"] == 16  # patients 1 to 8 are in both


def test_what_lies_beside_the_splits_is_left_out_and_counted(run):
    _, _, about, output = run("side-folders")
    assert about["labels"] == ["a", "b"] and about["num_images"] == 24
    assert "Left out: 3 images beside the splits" in output


def test_negative_and_turned_copies_are_found(run):
    code, rows, _, _ = run("negative-or-turned")
    assert code == 1 and rows["duplicates_across_splits"]["figure"].startswith("4 of 20 test")


def test_a_damaged_image_ends_nothing(run):
    code, _, about, output = run("avif-damaged")
    assert code == 0 and about["num_unreadable"] == 1


def test_marks_are_plain_where_the_screen_has_no_others(shared_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path / "in")])
    runpy.run_path(str(shared_dir / "cases" / "stdout-cp1252" / "make.py"))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    out = str(tmp_path / "card")
    code = command.main(
        ["audit", str(tmp_path / "in" / "list.csv"), "--out", out, "--permutations", "99"]
    )
    stream.flush()
    assert code in (0, 1) and b"Report card" in stream.buffer.getvalue()
    assert (Path(out) / "report_card.html").exists() and code == 0


def test_a_name_that_is_no_utf8_is_escaped(run):
    code, _, about, _ = run("name-not-utf8")
    assert code == 0 and about["num_unreadable"] == 0


def test_the_names_of_the_nih_table_are_known(run):
    _, rows, _, output = run("nih-names", listed=True)
    assert rows["sex"]["status"] != "not testable"


@pytest.mark.parametrize("name", ["cohen-metadata", "path-spaces"])
def test_files_are_found_where_a_list_means_them(run, name):
    code, _, about, output = run(name, listed=True)
    assert about["num_unreadable"] == 0 and about["num_read"] == about["num_images"] > 0


def test_each_fold_is_the_test_set_in_turn(run):
    code, rows, _, output = run("fold-numbers", listed=True)
    assert code in (0, 1) and "fold" in rows["patient_across_splits"]["figure"]


@pytest.mark.parametrize("name", ["sep-line", "header-with-commas"])
def test_lists_of_spreadsheets_are_read(run, name):
    code, _, about, output = run(name, listed=True)
    assert code == 0 and about["num_unreadable"] == 0 and len(about["labels"]) == 2


def test_an_image_that_is_too_large_is_named_as_such(run):
    code, _, about, output = run("bomb")
    assert about["num_unreadable"] == 1 and "too large" in output


def test_a_group_is_found_under_the_name_that_the_list_gives_it(run):
    code, rows, _, output = run("group-renamed", "--group", "hospital", listed=True)
    assert code in (0, 1) and any(check.endswith("_across_splits") for check in rows)


@pytest.mark.parametrize(
    ("name", "reader", "counted", "num_images"),
    [
        ("kermany-class-case", "kermany", "label.notna()", 12),
        ("nih-ages", "nih", "age_years >= 18", 8),
        ("cohen-no-folder-column", "cohen", "label.notna()", None),
    ],
)
def test_readers_of_public_sets_lose_nothing(
    shared_dir, tmp_path, monkeypatch, name, reader, counted, num_images
):
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path / "in")])
    runpy.run_path(str(shared_dir / "cases" / name / "make.py"))
    table = data.READERS[reader](tmp_path / "in").query(counted)
    assert len(table) == num_images if num_images else len(table) > 0
