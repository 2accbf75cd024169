import gzip

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import phantoms
from leakage import data, paths
from leakage.data import cohen, kermany, nih, sources, wolf_husky
from leakcard import images
from leakcard import table as image_table

NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
    "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)


def save_image(path, value=0, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 255, size[::-1], dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def kermany_dir(tmp_path):
    names = {
        "train/PNEUMONIA": ["person7_virus_12.jpeg", "person7_bacteria_13.jpeg"],
        "train/NORMAL": ["IM-0115-0001.jpeg", "IM-0115-0001-0002.jpeg"],
        "test/NORMAL": ["NORMAL2-IM-0115-0001.jpeg"],
    }
    files = [(folder, name) for folder, group in names.items() for name in group]
    for value, (folder, name) in enumerate(files):
        save_image(tmp_path / "chest_xray" / folder / name, value)
    return tmp_path


@pytest.fixture
def nih_dir(tmp_path):
    rows = [
        "00000001_000.png,Pneumonia,0,1,57,M,PA,2682,2749,0.143,0.143",
        "00000001_001.png,Cardiomegaly|Pneumonia,1,1,414,M,AP,2894,2729,0.143,0.143",
        "00000002_000.png,No Finding,0,2,9,F,PA,2500,2048,0.168,0.168",
        "00000003_000.png,Hernia,0,3,81,F,PA,2500,2048,0.168,0.168",
        "00000004_000.png,Pneumonia,0,4,50,F,PA,2500,2048,0.168,0.168",
    ]
    (tmp_path / "nih").mkdir()
    (tmp_path / "nih" / nih.TABLE).write_text(NIH_HEADER + "\n".join(rows) + "\n")
    for value in range(4):
        save_image(tmp_path / "nih" / "images" / rows[value].split(",")[0], value)
    return tmp_path


@pytest.fixture
def cohen_dir(tmp_path):
    root = tmp_path / "covid-chestxray-dataset"
    rows = [
        ("3", "M", "65", "COVID-19", "PA", "X-ray", "January 22, 2020", "b.jpg", "CC BY 4.0"),
        ("3", "M", "66", "COVID-19, ARDS", "AP", "X-ray", "3/7/2020", "a.png", ""),
        ("4", "", "", "Pneumonia/Viral/COVID-19", "?", "X-ray", "March 2020", "c.png", ""),
        ("5", "F", "20", "Pneumonia/Bacterial/Klebsiella", "PA", "X-ray", "2017", "d.png", ""),
        ("6", "F", "20", "Streptococcus", "PA", "X-ray", "January 12", "e.png", ""),
        ("7", "F", "20", "COVID-19", "L", "X-ray", "", "lateral.png", ""),
        ("8", "F", "20", "COVID-19", "Axial", "CT", "", "ct.png", ""),
        ("9", "F", "20", "COVID-19", "PA", "X-ray", "", "absent.png", ""),
        ("10", "F", "20", "No Finding", "PA", "X-ray", "03/16/20", "f.png", ""),
        ("11", "F", "20", "todo", "PA", "X-ray", "?", "g.png", ""),
    ]
    names = ["patientid", "sex", "age", "finding", "view", "modality", "date", "filename"]
    metadata = pd.DataFrame(rows, columns=[*names, "license"]).assign(folder="images")
    for value, name in enumerate(metadata["filename"]):
        if name != "absent.png":
            save_image(root / "images" / name, value)
    save_image(root / "lung_masks" / "b.png")
    metadata.to_csv(root / "metadata.csv", index=False)
    return tmp_path


def test_every_reader_is_registered_and_the_columns_are_those_of_the_design():
    public = {"cohen", "kermany", "nih", "wolf_husky", "v7labs"}
    assert set(data.READERS) == public | {"phantoms"}
    assert image_table.COLUMNS[:3] == ("image_id", "path", "label")
    assert len(image_table.COLUMNS) == 20


def test_virus_and_bacteria_of_one_kermany_number_are_one_patient(kermany_dir):
    table = kermany.read_table(kermany_dir)
    assert list(table.columns) == [*image_table.COLUMNS, "age_group"]
    pneumonia = table[table["label"] == "pneumonia"]
    assert set(pneumonia["patient_id"]) == {"kermany:person7"}
    assert set(pneumonia["findings"]) == {"virus", "bacteria"}
    normal = table[table["label"] == "normal"]
    assert set(normal["patient_id"]) == {"kermany:IM-0115", "kermany:NORMAL2-IM-0115"}
    assert table.attrs["patient_id_inferred"] == ["normal"]
    assert table["age_years"].isna().all()
    assert set(image_table.get_age_groups(table)) == {"child"}


def test_half_a_file_is_listed_with_its_reason_and_left_out(kermany_dir):
    path = kermany_dir / "chest_xray/train/NORMAL/IM-0115-0001.jpeg"
    path.write_bytes(path.read_bytes()[:200])
    table = kermany.read_table(kermany_dir)
    assert len(table) == 4 and path.exists()
    (unreadable,) = table.attrs["unreadable"]
    assert unreadable["image_id"] == "kermany:IM-0115-0001.jpeg"
    assert str(path) in unreadable["reason"] and unreadable["path"] == str(path)


def test_hidden_copies_of_other_systems_are_no_images(kermany_dir):
    folder = kermany_dir / "chest_xray/train/NORMAL"
    (folder / "._IM-0115-0001.jpeg").write_bytes(b"resource fork")
    assert not kermany.read_table(kermany_dir).attrs["unreadable"]


def test_a_missing_folder_says_what_was_expected_and_how_to_get_it(tmp_path):
    (tmp_path / "chest").mkdir()
    for name in ("kermany", "nih", "cohen", "wolf_husky"):
        with pytest.raises(FileNotFoundError, match=f"run_all.sh setup {name} --data-dir") as error:
            data.READERS[name](tmp_path)
        assert "LEAKAGE_DATA_DIR" in str(error.value) and "Found: chest in" in str(error.value)


def test_an_empty_folder_is_missing_data_too(tmp_path):
    (tmp_path / "chest_xray" / "train").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="none of these"):
        kermany.read_table(tmp_path)


def test_the_comma_in_the_nih_header_does_not_shift_the_columns(nih_dir):
    table = nih.read_table(nih_dir)
    first = table.iloc[0]
    assert (first["view"], first["sex"], first["age_years"]) == ("PA", "M", 57)
    assert first["patient_id"] == "nih:1" and first["image_id"] == "nih:00000001_000.png"
    assert table["label"].tolist() == ["pneumonia", "pneumonia", "normal", "other"]
    assert np.isnan(table["age_years"][1])  # 414 years
    assert (table["age_years"] >= 18).sum() == 2 and (table["view"] == "AP").sum() == 1


def test_nih_options_choose_pneumonia_alone_and_labels(nih_dir):
    alone = nih.read_table(nih_dir, pneumonia="alone")
    assert alone["label"].tolist() == ["pneumonia", "other", "normal", "other"]
    assert set(nih.read_table(nih_dir, labels=["normal"])["label"]) == {"normal"}
    with pytest.raises(ValueError, match="pneumonia='some'"):
        nih.read_table(nih_dir, pneumonia="some")


def test_nih_reads_a_gzip_table_and_nested_folders_alike(nih_dir):
    before = nih.read_table(nih_dir)
    plain = nih_dir / "nih" / nih.TABLE
    (nih_dir / "nih" / f"{nih.TABLE}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (nih_dir / "nih" / "images").rename(nih_dir / "nih" / "images_001")
    after = nih.read_table(nih_dir)
    pd.testing.assert_frame_equal(before.drop(columns="path"), after.drop(columns="path"))


def test_cohen_reads_both_vocabularies_leaves_lateral_and_ct_out_and_names_the_absent(cohen_dir):
    table = cohen.read_table(cohen_dir).set_index("image_id")
    labels = {"a.png": "covid", "b.jpg": "covid", "c.png": "covid", "d.png": "pneumonia"}
    labels |= {"e.png": "pneumonia", "f.png": "normal", "g.png": "other"}
    assert table["label"].to_dict() == {f"cohen:{k}": v for k, v in labels.items()}
    (absent,) = table.attrs["unreadable"]
    assert absent["image_id"] == "cohen:absent.png" and "No such file" in absent["reason"]
    assert table.loc["cohen:b.jpg", "license"] == "CC BY 4.0"
    assert table.loc["cohen:b.jpg", "mask_path"].endswith("lung_masks/b.png")
    assert table.loc["cohen:c.png", ["view", "sex", "age_years", "mask_path"]].isna().all()


def test_cohen_dates_become_iso_of_the_precision_given_and_no_guess(cohen_dir):
    dates = cohen.read_table(cohen_dir).set_index("image_id")["date"]
    assert dates["cohen:b.jpg"] == "2020-01-22" and dates["cohen:a.png"] == "2020-03-07"
    assert dates["cohen:c.png"] == "2020-03" and dates["cohen:d.png"] == "2017"
    assert dates["cohen:f.png"] == "2020-03-16"
    assert dates[["cohen:e.png", "cohen:g.png"]].isna().all()


def test_the_images_of_a_cohen_patient_have_its_number(cohen_dir):
    table = cohen.read_table(cohen_dir, labels=["covid"])
    assert table["image_id"].tolist() == ["cohen:a.png", "cohen:b.jpg", "cohen:c.png"]
    assert table["patient_id"].tolist() == ["cohen:3", "cohen:3", "cohen:4"]


def test_wolves_have_the_background_and_the_split_of_their_folder(tmp_path):
    names = ("different_backgrounds/train", "background_swap", "same_backgrounds/test")
    for value, name in enumerate(names):
        save_image(tmp_path / "wolf_husky" / name / "wolf" / "wolf_1.jpg", value)
    table = wolf_husky.read_table(tmp_path)
    assert table["source"].str.removeprefix("wolf_husky/").tolist() == [
        "background_swap", "different_backgrounds", "same_backgrounds"
    ]  # fmt: skip
    assert table["background"].tolist() == ["grass", "snow", "white"]
    assert table["split"].tolist() == ["test", "train", "test"]
    assert (table["patient_id"] == table["image_id"]).all()


def test_a_second_reading_decodes_nothing_and_a_changed_file_is_decoded_again(
    kermany_dir, monkeypatch
):
    first = kermany.read_table(kermany_dir)
    decoded = []
    inspect = images.inspect_image
    monkeypatch.setattr(images, "inspect_image", lambda path: decoded.append(path) or inspect(path))
    pd.testing.assert_frame_equal(kermany.read_table(kermany_dir), first)
    assert not decoded
    changed = kermany_dir / "chest_xray/train/NORMAL/IM-0115-0001.jpeg"
    save_image(changed, 99, (20, 30))
    second = kermany.read_table(kermany_dir).set_index("image_id")
    assert decoded == [str(changed)]
    assert second.loc["kermany:IM-0115-0001.jpeg", "height_px"] == 30
    assert [path.suffix for path in paths.get_cache_dir().iterdir()] == [".csv"]


def test_tables_of_several_sources_concatenate_without_a_warning(kermany_dir, cohen_dir, recwarn):
    study = data.read_study(kermany_dir, "children")
    assert not [str(w.message) for w in recwarn if issubclass(w.category, FutureWarning)]
    assert study["label"].value_counts().to_dict() == {"covid": 3, "normal": 3, "pneumonia": 2}
    assert [one["image_id"] for one in study.attrs["unreadable"]] == ["cohen:absent.png"]
    assert study.attrs["patient_id_inferred"] == ["normal"]
    assert study["image_id"].is_monotonic_increasing


def test_images_left_out_are_told_in_a_line_by_why_and_the_first_by_name(cohen_dir):
    folder = cohen_dir / "covid-chestxray-dataset" / "images"
    assert data.describe_unreadable(data.READERS["cohen"](cohen_dir, labels=["normal"])) == "none"
    for name in ("a.png", "b.jpg", "c.png", "d.png", "e.png"):
        (folder / name).unlink()
    (folder / "f.png").write_bytes(b"half")
    told = data.describe_unreadable(cohen.read_table(cohen_dir))
    first = "6 not there (cohen:a.png, cohen:absent.png, cohen:b.jpg, ...)"
    assert told.startswith(f"{first}; 1 not readable (") and str(folder / "f.png") in told


def test_metadata_without_any_of_their_images_are_missing_data(cohen_dir):
    for path in (cohen_dir / "covid-chestxray-dataset" / "images").iterdir():
        path.rename(path.with_name(f"other_{path.name}"))
    with pytest.raises(FileNotFoundError, match="9 entries but none of these"):
        cohen.read_table(cohen_dir)


def test_an_unknown_choice_is_named(tmp_path):
    with pytest.raises(ValueError, match="controls='dogs'"):
        data.read_study(tmp_path, "dogs")


def test_phantoms_are_read_like_a_real_study_and_drawn_once(tmp_path):
    options = {"num_images": {"covid": 3, "normal": 3, "pneumonia": 3}, "size_px": 64}
    study = data.read_study(phantoms.draw_study(tmp_path, **options), "children")
    assert list(study.columns) == list(image_table.COLUMNS)
    assert study["label"].value_counts().to_dict() == {"covid": 3, "normal": 3, "pneumonia": 3}
    written = max(p.stat().st_mtime_ns for p in tmp_path.rglob("*.png"))
    again = data.read_study(phantoms.draw_study(tmp_path, **options), "children")
    pd.testing.assert_frame_equal(study, again)
    assert written == max(p.stat().st_mtime_ns for p in tmp_path.rglob("*.png"))


def test_a_repeated_image_id_is_refused():
    with pytest.raises(ValueError, match="repeat an image_id"):
        image_table.make_table([{"image_id": "a"}, {"image_id": "a"}])


@pytest.mark.shared
def test_the_real_sources_have_their_known_counts(read_real):
    counts = {}
    for name in ("cohen", "kermany", "nih", "wolf_husky"):
        table = read_real(name)
        # Eleven images that the metadata name are not in the folder.
        assert len(table.attrs["unreadable"]) == (11 if name == "cohen" else 0)
        counts[name] = table["label"].value_counts().to_dict()
        if name == "cohen":
            assert table.loc[table["label"] == "covid", "patient_id"].nunique() == 257
    assert counts["cohen"]["covid"] == 427
    assert counts["kermany"] == {"normal": 600, "pneumonia": 900}
    assert counts["nih"] == {"normal": 400, "pneumonia": 401}
    assert counts["wolf_husky"] == {"husky": 120, "wolf": 120}


@pytest.mark.shared
def test_files_that_are_not_those_of_the_source_are_counted(read_real):
    wolves, resized = read_real("wolf_husky"), read_real("nih")
    assert sources.describe_changed_files(wolves) == ""
    told = sources.describe_changed_files(resized)
    assert told == "801 of 801 nih files are not those of the source (resized?)"
