"""`python -m leakcard` on what people have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import planted
import pytest
from PIL import Image

import leakcard
from leakage import paths
from leakcard import __main__ as command
from leakcard import stats


@pytest.fixture(autouse=True)
def no_search(monkeypatch):
    """Leave the search for near-duplicates to its own tests."""
    monkeypatch.setattr("leakcard.copies.search.find_duplicates", planted.find_same_files)


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch):
    """Ask for as few as `run` does: what they cost is not what is tested here."""
    monkeypatch.setattr(stats, "LEAST_PERMUTATIONS", 99)


def write_image(path, seed, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (24, 30), dtype=dtype)
    path.write_bytes(cv2.imencode(path.suffix, values)[1].tobytes())


def make_folder(root, splits=("train", "val", "test"), labels=("cat", "dog"), num_images=12):
    seed = 0
    for split in splits:
        for label in labels:
            for number in range(num_images):
                seed += 1
                write_image(root / split / label / f"{split.strip('.')}_{label}_{number}.png", seed)
    return root


def run(*arguments):
    return command.main(["audit", *map(str, arguments), "--permutations", "99"])


def read_rows(out):
    content = json.loads((out / "report_card.json").read_text())
    return {row["check"]: row for row in content["rows"]}, content["about"]


def test_too_few_permutations_are_raised_with_a_note_and_none_are_refused(tmp_path, capsys):
    root = make_folder(tmp_path / "images", num_images=2)
    out = tmp_path / "card"
    assert command.main(["audit", str(root), "--out", str(out), "--permutations", "98"]) == 0
    notes = read_rows(tmp_path / "card")[1]["notes"]
    assert [note for note in notes if note.startswith("99 permutations instead of 98")]
    assert command.main(["audit", str(root), "--permutations", "0"]) == 2
    assert "--permutations must be 1 or more. Received: 0" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_images_over_the_largest_size_are_left_out_and_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # put back afterwards
    root = make_folder(tmp_path / "images", num_images=2)
    large = root / "test" / "cat" / "large.png"
    large.write_bytes(cv2.imencode(".png", np.zeros((200, 200), np.uint8))[1].tobytes())
    assert run(root, "--out", tmp_path / "card", "--max-pixels", "20000") == 0
    unreadable = read_rows(tmp_path / "card")[1]["unreadable"]
    assert [one["image_id"] for one in unreadable] == ["test/cat/large.png"]
    assert "--max-pixels N" in unreadable[0]["reason"]


def test_a_clean_folder_gives_exit_code_0_and_is_not_touched(tmp_path, capsys):
    root = make_folder(tmp_path / "images")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert run(root, "--out", tmp_path / "card") == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    rows, about = read_rows(tmp_path / "card")
    assert about["splits"] == {"test": 24, "train": 24, "val": 24}
    assert rows["patient_across_splits"]["status"] == "not testable"
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("Warning: none of") and others[-1].startswith("Report card:")


def test_the_terminal_shows_the_worst_first_and_what_passes_only_if_asked(tmp_path, capsys):
    root = make_folder(tmp_path / "images")
    content = (root / "train" / "cat" / "train_cat_3.png").read_bytes()
    (root / "test" / "cat" / "again.png").write_bytes(content)
    run(root, "--out", tmp_path / "card")
    short = capsys.readouterr().out.splitlines()
    run(root, "--out", tmp_path / "card", "--verbose")
    whole = capsys.readouterr().out.splitlines()
    rows, _ = read_rows(tmp_path / "card")
    assert short[0] == whole[0] and short[0].startswith("Fail: 1 of")
    told = [line.split(maxsplit=2)[2] for line in whole[1 : len(rows) + 1]]
    statuses = [next(s for s in leakcard.STATUSES if line.startswith(s)) for line in told]
    assert statuses == sorted(statuses, key=leakcard.STATUSES.index)
    num_passed = statuses.count("pass")
    assert num_passed and f"{num_passed} more pass" in "\n".join(short)
    assert len(short) == len(whole) - num_passed + 1


def test_a_leak_gives_exit_code_1_and_names_the_images(tmp_path):
    root = make_folder(tmp_path / "images")
    content = (root / "train" / "cat" / "train_cat_3.png").read_bytes()
    (root / "test" / "cat" / "new name.png").write_bytes(content)
    assert run(root, "--out", tmp_path / "card") == 1
    rows, _ = read_rows(tmp_path / "card")
    assert rows["duplicates_across_splits"]["images"] == ["test/cat/new name.png"]


def test_patients_are_found_by_a_pattern_of_file_names(tmp_path):
    root = make_folder(tmp_path / "images")
    for split in ("train", "test"):
        write_image(root / split / "cat" / f"person7_{split}.png", split == "test")
    assert run(root, "--out", tmp_path / "card", "--pattern", r"(person\d+|_cat_\d+|_dog_\d+)") == 1
    rows, _ = read_rows(tmp_path / "card")
    assert "inferred" in rows["patient_across_splits"]["figure"]
    assert "test/cat/person7_test.png" in rows["patient_across_splits"]["images"]


@pytest.mark.parametrize(
    ("splits", "labels", "code", "check", "status"),
    [
        (("train", "test"), ("one",), 0, "border_classifier", "not testable"),
        (("train",), ("a", "b"), 1, "test_set", "fail"),
        ((".",), ("a", "b"), 0, "test_set", "not testable"),
        (("Training", "Validation", "Testing"), ("a", "b"), 0, "test_set", "warn"),
    ],
    ids=["one class", "one split", "no split", "other names"],
)
def test_an_unusual_folder_works_or_says_what_is_missing(
    tmp_path, splits, labels, code, check, status
):
    root = make_folder(tmp_path / "images", splits, labels)
    assert run(root, "--out", tmp_path / "card") == code
    rows, _ = read_rows(tmp_path / "card")
    assert rows[check]["status"] == status and rows[check]["reason"]


def test_unreadable_16_bit_and_mixed_files_are_read_or_named(tmp_path, capsys):
    root = make_folder(tmp_path / "images")
    write_image(root / "train" / "cat" / "Ünï cödé 16.png", 500, np.uint16)
    write_image(root / "train" / "cat" / "UPPER.JPG", 501)
    whole = (root / "train" / "cat" / "train_cat_0.png").read_bytes()
    (root / "train" / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    (root / "test" / "dog" / "text.png").write_text("no image")
    (root / "notes.txt").write_text("not an image")
    assert run(root, "--out", tmp_path / "card") == 0
    _, about = read_rows(tmp_path / "card")
    assert about["num_images"] == 74
    names = {one["image_id"] for one in about["unreadable"]}
    assert names == {"train/dog/half.png", "test/dog/text.png"}
    assert "cannot be read: train/dog/half.png" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["missing"], ["empty"], ["list.csv"], ["empty.csv"]])
def test_wrong_usage_gives_exit_code_2_and_says_why(tmp_path, capsys, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.csv").write_text("name,label\na,b\n")
    (tmp_path / "empty.csv").write_text("path,label,split\n")
    assert run(*arguments) == 2
    assert "Received:" in capsys.readouterr().err and not (tmp_path / "report_card").exists()


@pytest.mark.parametrize("out", ["images", "images/train/card", None])
def test_nothing_is_written_into_the_audited_folder(tmp_path, capsys, monkeypatch, out):
    root = make_folder(tmp_path / "images", num_images=2)
    monkeypatch.chdir(root if out is None else tmp_path)
    before = sorted(root.rglob("*"))
    assert run(root, *(["--out", out] if out else [])) == 2
    assert "choose one with --out" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("option", ["--junit", "--sarif"])
def test_reports_for_ci_are_not_written_into_the_audited_folder(tmp_path, capsys, option):
    root = make_folder(tmp_path / "images", num_images=2)
    assert run(root, "--out", tmp_path / "card", option, root / "report") == 2
    assert f"choose one with {option}" in capsys.readouterr().err
    assert not (root / "report").exists() and not (tmp_path / "card").exists()


def test_a_folder_that_cannot_be_written_is_named_before_the_work(tmp_path, capsys, monkeypatch):
    root = make_folder(tmp_path / "images", num_images=2)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(
        "leakcard.copies.search.find_duplicates", lambda *_, **__: pytest.fail("searched")
    )
    assert run(root, "--out", tmp_path / "file" / "card") == 2
    assert "Expected a folder that may be written to" in capsys.readouterr().err


def test_a_cache_inside_the_audited_folder_is_not_used(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "images", num_images=2)
    monkeypatch.setenv("LEAKAGE_CACHE_DIR", str(root / "cache"))
    before = sorted(root.rglob("*"))
    assert run(root, "--out", tmp_path / "card") == 0
    assert sorted(root.rglob("*")) == before


def test_a_csv_is_read_with_other_names_of_columns_and_a_group(tmp_path):
    root = make_folder(tmp_path / "images", num_images=3)
    files = sorted(path.relative_to(tmp_path) for path in root.rglob("*.png"))
    table = pd.DataFrame({"File Name": files, "Class": [path.parts[2] for path in files]})
    table["set"] = [path.parts[1] for path in files]
    table["device"] = "same"
    table.to_csv(tmp_path / "list.csv", index=False, sep=";")
    assert run(tmp_path / "list.csv", "--out", tmp_path / "card", "--group", "device") == 1
    rows, about = read_rows(tmp_path / "card")
    assert rows["device_across_splits"]["status"] == "fail" and about["labels"] == ["cat", "dog"]
    assert run(tmp_path / "list.csv", "--out", tmp_path / "card", "--group", "scanner") == 2


def test_a_record_is_read_and_checked(tmp_path):
    root = make_folder(tmp_path / "images", num_images=3)
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"selection": {"on": "test", "metric": "accuracy"}}))
    assert run(root, "--out", tmp_path / "card", "--record", record) == 1
    record.write_text("{}")
    assert run(root, "--out", tmp_path / "card", "--record", record) == 2


def test_a_csv_of_50000_paths_says_that_nothing_could_be_checked(tmp_path, capsys):
    path = tmp_path / "list.csv"
    names = "\n".join(f"images/{number:05d}.png" for number in range(50_000))
    path.write_text(f"path\n{names}\n")
    assert run(path, "--out", tmp_path / "card") == 2
    assert "no image could be read" in capsys.readouterr().err
    _, about = read_rows(tmp_path / "card")
    assert about["num_images"] == about["num_unreadable"] == len(about["unreadable"]) == 50_000
    for name in ("report_card.html", "report_card.md"):
        text = (tmp_path / "card" / name).read_text(encoding="utf-8")
        assert "and 49990 more in the JSON file" in text and len(text) < 200_000
    units = pd.read_csv(tmp_path / "card" / "units.csv")
    assert len(units) == units["unit"].nunique() == 50_000


def test_a_csv_of_50000_paths_with_labels_and_splits_is_audited_by_its_columns(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"path": [f"images/p{n // 3}_{n}.png" for n in range(50_000)]})
    table["label"] = rng.choice(["a", "b"], len(table))
    table["split"] = rng.choice(["train", "test"], len(table))
    table["view"] = rng.choice(["AP", "PA"], len(table))
    table.to_csv(tmp_path / "list.csv", index=False)
    arguments = [tmp_path / "list.csv", "--out", tmp_path / "card", "--pattern", r"(p\d+)_"]
    assert run(*arguments) == 1
    rows, _ = read_rows(tmp_path / "card")
    across = rows["patient_across_splits"]
    assert across["num_images"] == len(across["images"]) > 10_000
    assert rows["view"]["status"] == "pass" and rows["view"]["p_value"] is not None


def test_the_command_does_not_import_tensorflow(tmp_path):
    code = (
        "import sys; from leakcard import __main__;"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_command_runs_as_a_module_from_another_folder(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}
    result = subprocess.run(
        [sys.executable, "-m", "leakcard", "audit", "nothing"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2 and "There is nothing to audit" in result.stderr
    assert list(Path(tmp_path).iterdir()) == []
