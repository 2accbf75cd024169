"""What people write is brought to one spelling where that is certain, and named where it is not."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import leakcard
from leakcard import reading, values
from leakcard.table import find_split


def write_images(root, names):
    rng = np.random.default_rng(0)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(path)


def write_list(path, text):
    path.write_text(text)
    return reading.read_images(path)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("Train", "train"), ("train_images", "train"), ("val2017", "val"), ("dev", "val")),
        *(("Validation Set", "val"), ("hold-out", "test"), ("testing", "test")),
        *(("external", None), ("train_test", None), ("contrast", None), ("7", None)),
    ],
)
def test_a_split_is_found_by_its_usual_names_alone(name, split):
    assert find_split(name) == split


@pytest.mark.parametrize(
    ("age", "years"),
    [("058Y", 58), ("018M", 1.5), ("63 years", 63), ("7", 7), (63.0, 63), ("about 60", np.nan)],
)
def test_ages_are_read_in_years(age, years):
    read = values.read_ages(pd.Series([age], dtype=object))
    np.testing.assert_allclose(read, [years])


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (["03/16/2020", "04/02/2020"], ["2020-03-16", "2020-04-02"]),
        (["16/03/2020", "02/04/2020"], ["2020-03-16", "2020-04-02"]),
        (["16.03.20", "2020-04-02"], ["2020-03-16", "2020-04-02"]),
        (["20200316", "2020"], ["2020-03-16", "2020-01-01"]),
        (["January 5, 2020", "2020-03"], ["2020-01-05", "2020-03-01"]),
        (["2020/03/16", "2020.4.2", "2020/04/02 10:30"], ["2020-03-16", *["2020-04-02"] * 2]),
        (["2020/03/16", "03/04/2020"], ["2020-03-16", None]),
        (["16/03/2020 10:30", "45/03/2020"], ["2020-03-16", None]),
        (["03/04/2020", "05/06/2020"], [None, None]),
        (["13/04/2020", "05/16/2020"], [None, None]),
        (["43906", "soon"], [None, None]),
    ],
)
def test_dates_are_read_where_their_order_is_certain_and_named_where_not(dates, read):
    table, notes = values.clean_values(pd.DataFrame({"date": dates}))
    assert table["date"].where(table["date"].notna(), None).tolist() == read
    assert any("not certain" in note for note in notes) == (None in read)


def test_ids_labels_and_sexes_are_brought_to_one_spelling_and_counted():
    table = pd.DataFrame(
        {
            "patient_id": ["7.0", 7.0, " 8", "P007"],
            "label": ["Covid", "covid ", "covid", "A"],
            "sex": ["Male", "F", "woman", "1"],
        }
    )
    clean, notes = values.clean_values(table)
    assert clean["patient_id"].tolist() == ["7", "7", "8", "P007"]
    assert clean["label"].tolist() == ["covid", "covid", "covid", "A"]
    assert clean["sex"].tolist() == ["M", "F", "F", "1"]
    text = " ".join(notes)
    for found in ("Column patient_id", "Column label", "read as M or F", "kept as they are"):
        assert found in text


def test_letters_of_two_cases_stay_two_classes():
    clean, notes = values.clean_values(pd.DataFrame({"label": ["A", "a", "A"]}))
    assert clean["label"].tolist() == ["A", "a", "A"] and not notes


def test_ids_that_look_alike_are_grouped_and_others_are_not():
    ids = ["P007", "p7", "P-007", "8", "08", "9", "a1b2", "a1b3"]
    assert values.find_alike(ids) == [["08", "8"], ["P-007", "P007", "p7"]]


def test_cases_of_classes_in_two_splits_are_one_class(tmp_path):
    names = [f"{d}/{i}.png" for d in ("Train/COVID", "Train/NORMAL") for i in range(4)]
    write_images(tmp_path, [*names, *(name.lower().replace("train", "test") for name in names)])
    card = leakcard.audit(reading.read_images(tmp_path), num_permutations=9)
    assert len(card.about["labels"]) == 2 and any("case" in note for note in card.about["notes"])


def test_a_folder_that_leads_back_to_itself_ends(tmp_path):
    write_images(tmp_path, ["train/a/1.png", "test/a/2.png"])
    (tmp_path / "train" / "loop").symlink_to(tmp_path, target_is_directory=True)
    table = reading.read_images(tmp_path)
    assert len(table) == 2 and any("leads back" in note for note in table.attrs["notes"])


def test_links_to_folders_are_followed(tmp_path):
    write_images(tmp_path / "elsewhere", ["train/a/1.png", "test/a/2.png"])
    (tmp_path / "set").mkdir()
    for name in ("train", "test"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert sorted(reading.read_images(tmp_path / "set")["split"]) == ["test", "train"]


def test_masks_are_given_to_the_images_of_their_name(tmp_path):
    folders = [f"{split}/a/{kind}" for split in ("train", "test") for kind in ("images", "masks")]
    write_images(tmp_path, [f"{folder}/{i}.png" for folder in folders for i in range(3)])
    table = reading.read_images(tmp_path)
    assert len(table) == 6 and table["mask_path"].notna().all() and set(table["label"]) == {"a"}


def test_two_masks_of_one_image_are_counted_and_none_is_guessed(tmp_path):
    folders = ("images", "left_mask", "right_mask")
    write_images(tmp_path, [f"{folder}/1.png" for folder in folders])
    write_images(tmp_path, ["images/2.png", "left_mask/2.png"])
    table = reading.read_images(tmp_path).set_index("image_id")
    assert table["mask_path"].notna().tolist() == [False, True]
    notes = table.attrs["notes"]
    assert "Left out: 3 images in folders of masks ('left_mask', 'right_mask')." in notes
    (note,) = [note for note in notes if note.startswith("Not used: masks of 1 names")]
    assert note.endswith("such as 'left_mask/1.png' and 'right_mask/1.png'.")


def test_paths_of_another_machine_are_found_by_their_ends(tmp_path):
    write_images(tmp_path, ["train/a/1.png", "test/a/1.png"])
    rows = "path,label\nC:\\data\\set\\train\\a\\1.png,a\nC:\\data\\set\\test\\a\\1.png,a\n"
    table = write_list(tmp_path / "list.csv", rows)
    assert [path.split("/")[-3] for path in table["path"]] == ["train", "test"]
    assert sorted(table["split"]) == ["test", "train"]
    assert any("not there as written" in note for note in table.attrs["notes"])


@pytest.mark.parametrize("root", ["", "/home/me/dev/set/"])
@pytest.mark.parametrize("ids", [False, True])
def test_splits_are_read_from_the_paths_below_what_all_share(tmp_path, root, ids):
    names = ["train/patient1/a.png", "test/patient2/b.png"]
    write_images(tmp_path, names)
    rows = "".join(f"{root}{name},{number}\n" for number, name in enumerate(names))
    table = write_list(tmp_path / "list.csv", f"path,{'image_id' if ids else 'number'}\n{rows}")
    assert table["split"].tolist() == ["train", "test"]
    assert table["patient_id"].tolist() == ["patient1", "patient2"]


def test_a_name_that_fits_two_files_is_not_guessed(tmp_path):
    write_images(tmp_path, ["x/1.png", "y/1.png"])
    table = write_list(tmp_path / "list.csv", "path,label\n/gone/1.png,a\n")
    assert any("were not found" in note for note in table.attrs["notes"])


def test_columns_that_were_not_used_are_named(tmp_path):
    write_images(tmp_path, ["1.png"])
    text = "Image Index;Finding Labels;Follow-up #;Patient Gender\n1.png;a;0;M\n"
    table = write_list(tmp_path / "list.csv", text)
    assert table["sex"].tolist() == ["M"] and table["label"].tolist() == ["a"]
    assert any("Not used: columns 'Follow-up #'" in note for note in table.attrs["notes"])


def test_facts_of_the_files_are_read_from_them_however_a_list_spells_their_columns(tmp_path):
    write_images(tmp_path, ["1.png"])
    table = write_list(tmp_path / "list.csv", "path,SHA256,Width_px\n1.png,abc,7\n")
    assert not {"sha256", "width_px", "SHA256", "Width_px"} & set(table.columns)
    assert table.attrs["notes"] == [
        "Not used: columns width_px, sha256; they are read from the files."
    ]


@pytest.mark.parametrize("name", ["source", "Source", "hospital"])
def test_a_column_of_sources_comes_before_one_of_collections(tmp_path, name):
    write_images(tmp_path, ["1.png"])
    table = write_list(tmp_path / "list.csv", f"path,{name},dataset\n1.png,Lyon,CheXpert\n")
    assert table["source"].tolist() == ["Lyon"]
    assert "Not used: columns 'dataset'." in table.attrs["notes"]


def test_a_row_with_too_many_cells_is_refused_and_shown(tmp_path):
    with pytest.raises(
        ValueError, match="more cells than the header.*Received: .'1.png', 'a', 'b'"
    ):
        write_list(tmp_path / "list.csv", "path,label\n2.png,c\n1.png,a,b\n")


def test_folds_are_each_the_test_set_and_a_patient_in_two_folds_is_a_leak(tmp_path):
    write_images(tmp_path, [f"{i}.png" for i in range(20)])
    rows = "".join(f"{i}.png,{'ab'[i % 2]},{i % 5},p{i if i else 1}\n" for i in range(20))
    table = write_list(tmp_path / "list.csv", "path,label,fold,patient\n" + rows)
    card = leakcard.audit(table, num_permutations=9)
    row = card.get_row("patient_across_splits")
    assert row.status == "fail" and "in 2 of 5 folds" in row.figure


def test_a_row_that_arises_in_some_folds_alone_is_counted_of_all(tmp_path):
    write_images(tmp_path, [f"{i}.png" for i in range(20)])
    names = {0: "P-1", 1: "p01"}
    rows = "".join(f"{i}.png,{'ab'[i % 2]},{i % 5},{names.get(i, f'q{i}')}\n" for i in range(20))
    table = write_list(tmp_path / "list.csv", "path,label,fold,patient\n" + rows)
    row = leakcard.audit(table, num_permutations=9).get_row("patient_spellings")
    assert row.figure.endswith("(warn in 2 of 5 folds)")


def test_a_row_without_a_fold_is_in_none(tmp_path):
    write_images(tmp_path, [f"{i}.png" for i in range(3)])
    table = write_list(tmp_path / "list.csv", "path,fold\n0.png,1\n1.png,2.0\n2.png,\n")
    assert table["split"].tolist()[:2] == ["fold 1", "fold 2"] and pd.isna(table["split"][2])


def test_rows_that_name_no_image_are_counted(tmp_path):
    write_images(tmp_path, ["1.png"])
    table = write_list(tmp_path / "list.csv", "path,label\n1.png,a\n,a\n ,b\n")
    assert len(table) == 1 and "2 rows name no image and are left out." in table.attrs["notes"]


def test_an_unknown_split_is_refused(tmp_path):
    write_images(tmp_path, ["1.png"])
    table = write_list(tmp_path / "list.csv", "path,label,split\n1.png,a,outer\n")
    with pytest.raises(ValueError, match="names that are not known.*'outer'"):
        leakcard.audit(table)


def damage(content, rng):
    """Cut, change, mix up or empty the bytes of a file."""
    content = np.frombuffer(content, np.uint8)
    kind, place = rng.integers(5), rng.integers(1, len(content))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return np.where(rng.random(len(content)) < 0.02, rng.integers(0, 255), content)
    if kind == 2:
        return rng.integers(0, 255, place)
    return np.roll(content, place)[: len(content) // 2] if kind == 3 else content[:0]


def test_damaged_files_of_many_formats_end_with_a_card_and_are_counted(tmp_path):
    suffixes = (
        ".jpg .jfif .png .apng .gif .bmp .dib .tif .tiff .webp .ppm .pgm .pnm .tga .pcx .ico .jp2 "
        ".j2k .sgi .rgb .im .dds .avif .mpo"
    ).split()
    write_images(tmp_path, [f"train/a/good_{n}.png" for n in range(4)])
    rng, drawn = np.random.default_rng(1), np.zeros((24, 24, 3), np.uint8)
    for number in range(4 * len(suffixes)):
        path = tmp_path / "train" / "ab"[number % 2] / f"{number}{suffixes[number % len(suffixes)]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn).save(path)
        path.write_bytes(damage(path.read_bytes(), rng).astype(np.uint8).tobytes())
    card = leakcard.audit(reading.read_images(tmp_path), checks={})
    assert card.about["num_read"] + card.about["num_unreadable"] == 4 + 4 * len(suffixes)
    assert card.about["num_read"] >= 4 and card.about["num_unreadable"] > 2 * len(suffixes)
    assert "object at 0x" not in str(card.about)
