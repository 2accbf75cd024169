"""Parquet files and Hugging Face datasets on disk are read as a list of the same rows is."""

import re
import sys
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow
import pytest
from PIL import Image

import leakcard
from leakcard import __main__ as command
from leakcard import hub, reading

NAMES = ["healthy", "ill"]


@pytest.fixture
def rows(tmp_path):
    """Ten images on disk, of five patients; one image of the test set is a training image, too."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    rows = []
    for number in range(10):
        path = tmp_path / "images" / f"picture_{number}.png"
        Image.fromarray(rng.integers(0, 256, (48, 40), dtype=np.uint8)).save(path)
        rows.append({"image": str(path), "label": number % 2, "PatientID": f"p{number // 2}"})
    rows[8]["image"] = rows[0]["image"]
    return rows


def save_dataset(rows, folder, num_train=6):
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=NAMES),
            "PatientID": datasets.Value("string"),
            "boxes": datasets.Sequence(datasets.Value("int32")),
        }
    )
    rows = [row | {"boxes": [1, 2]} for row in rows]
    parts = {"train": rows[:num_train], "test": rows[num_train:]}
    found = {name: datasets.Dataset.from_list(part, features) for name, part in parts.items()}
    datasets.DatasetDict(found).save_to_disk(folder)
    return folder


def test_a_dataset_on_disk_is_read_with_its_splits_classes_and_images(rows, tmp_path):
    table = leakcard.read_images(save_dataset(rows, tmp_path / "saved"))
    assert table["split"].tolist() == ["train"] * 6 + ["test"] * 4
    assert table["label"].tolist() == NAMES * 5
    assert table["patient_id"].tolist() == [row["PatientID"] for row in rows]
    assert table["image_id"][7] == "test/000001.png"
    for path, row in zip(table["path"], rows, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), Image.open(row["image"]))
    notes = " ".join(table.attrs["notes"])
    assert "6 images that the data hold are read from temporary copies (split train)." in notes
    assert "Not used: columns 'boxes', of bytes or several values a row." in notes


@pytest.mark.usefixtures("compute_anew")
def test_its_card_is_that_of_the_same_list_and_nothing_is_written_into_it(rows, tmp_path, capsys):
    folder = save_dataset(rows, tmp_path / "saved")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert command.main(["audit", str(folder), "--out", str(tmp_path / "card")]) == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    card = leakcard.read_card(tmp_path / "card" / "report_card.json")
    row = card.get_row("duplicates_across_splits")
    assert row.status == "fail" and "test/000002.png" in row.images
    listed = pd.DataFrame(rows).rename(columns={"image": "path", "PatientID": "patient_id"})
    listed["label"] = [NAMES[number] for number in listed["label"]]
    again = leakcard.audit(listed.assign(split=["train"] * 6 + ["test"] * 4))
    assert {r.check: r.status for r in again.rows} == {r.check: r.status for r in card.rows}


def test_a_dataset_of_one_part_has_no_split_and_rows_without_an_image_are_counted(rows, tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    rows = [{"image": row["image"], "label": str(row["label"])} for row in rows]
    rows[3]["image"] = None
    datasets.Dataset.from_list(rows, features).save_to_disk(tmp_path / "saved")
    table = leakcard.read_images(tmp_path / "saved")
    assert len(table) == 9 and table.get("split", pd.Series(dtype=object)).isna().all()
    assert "1 rows name no image and are left out." in table.attrs["notes"]


@pytest.mark.parametrize("with_images", [True, False])
def test_a_parquet_file_holds_paths_or_images(rows, tmp_path, with_images):
    listed = pd.DataFrame(rows).assign(split="train", age=7.0, date=pd.Timestamp("2020-03-16"))
    listed.loc[1, "age"] = np.nan
    if with_images:
        cells = [{"bytes": Path(path).read_bytes(), "path": "a.png"} for path in listed["image"]]
        listed["image"] = cells
    else:
        listed["image"] = [f"images/{path.rsplit('/', 1)[-1]}" for path in listed["image"]]
    listed.to_parquet(tmp_path / "list.parquet")
    table = leakcard.read_images(tmp_path / "list.parquet")
    read = leakcard.audit(table, num_permutations=9).table
    assert read["age_years"][0] == 7 and np.isnan(read["age_years"][1])
    assert len(read) == 10 and str(read["date"][0]).startswith("2020-03-16")
    assert table["image_id"][2] == ("000002.png" if with_images else "images/picture_2.png")


def test_a_split_that_is_named_like_a_path_is_written_nowhere_else(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    found = pyarrow.table({"image": [{"bytes": b"x", "path": "../../a.png"}]})
    table = hub._gather(found.to_batches(), found.schema, 1, place, "../../other", [])
    (path,) = tmp_path.rglob("*.png")
    assert place in path.parents and table["path"].tolist() == ["______other/000000.png"]


def test_of_two_columns_of_images_one_is_read_however_empty_a_batch_of_it_is(
    rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(hub, "BATCH_SIZE", 2)
    cells = [{"bytes": Path(row["image"]).read_bytes(), "path": "a.png"} for row in rows]
    listed = pd.DataFrame({"image": [None, None, *cells[2:]], "other": cells, "label": "a"})
    listed.to_parquet(tmp_path / "list.parquet")
    table = leakcard.read_images(tmp_path / "list.parquet")
    assert table["image_id"].tolist() == [f"{number:06d}.png" for number in range(2, 10)]
    notes = " ".join(table.attrs["notes"])
    assert "2 rows name no image" in notes and "Not used: columns 'other', of bytes" in notes


def test_what_cannot_be_read_ends_with_exit_code_2(tmp_path, capsys, monkeypatch):
    (tmp_path / "list.parquet").write_bytes(b"no parquet")
    assert (
        command.main(["audit", str(tmp_path / "list.parquet"), "--out", str(tmp_path / "o")]) == 2
    )
    assert "Expected a Parquet file" in capsys.readouterr().err
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").write_text("{}")
    assert command.main(["audit", str(tmp_path / "saved"), "--out", str(tmp_path / "o")]) == 2
    assert "Expected what save_to_disk leaves" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'leakage\[datasets\]'"):
        reading.read_images(tmp_path / "saved")


def test_the_page_on_use_from_python_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    listed = []
    for number in range(24):
        split, label = ("test" if number % 3 == 0 else "train"), NAMES[number // 12]
        path = Path("chest_xray", split, label, f"patient{number // 2:02d}_{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 40), dtype=np.uint8)).save(path)
        listed.append({"path": path, "label": label, "split": split, "device": number % 4})
    pd.DataFrame(listed).to_csv("list.csv", index=False)
    page = Path(__file__).parents[1] / "docs" / "code.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    known = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), known)
    assert len(blocks) == 6 and "patient_across_splits" in capsys.readouterr().out
    assert (tmp_path / "card" / "units.csv").is_file()
    assert not known["mended"].after.has_leak
    assert known["card"].get_row("letters").status == "pass"
