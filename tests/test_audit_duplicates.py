"""Duplicates: planted copies are found, different patients are not, and nothing explodes."""

import os
import re
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

import leakcard
import phantoms
from benchmarks import calibrate_copies as calibrate
from leakage import data
from leakcard import images
from leakcard.copies import candidates, disguises, fingerprints, hashes, overlay, points
from leakcard.copies import search as duplicates


def write_image(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return str(path)


def make_table(paths, splits="train"):
    names = [os.path.basename(path) for path in paths]
    return pd.DataFrame({"image_id": names, "path": paths, "split": splits, "label": "normal"})


@pytest.fixture(scope="module")
def phantom_dir(tmp_path_factory):
    """Twenty-four chest phantoms of different patients, as PNG."""
    folder = tmp_path_factory.mktemp("phantoms")
    plan = phantoms.plan_chest({"covid": 20, "normal": 20, "pneumonia": 20}, seed=11)
    plan = plan.drop_duplicates("patient_id").head(24)
    for row in plan.to_dict("records"):
        write_image(folder / f"{row['image_id']}.png", phantoms.draw_chest(row)[0])
    return folder


@pytest.fixture
def originals(phantom_dir):
    return sorted(str(path) for path in phantom_dir.iterdir())


def read_gray(path):
    return cv2.cvtColor(images.decode_image(path), cv2.COLOR_RGB2GRAY)


def plant(image, how):
    rng = np.random.default_rng(5)
    rgb = np.repeat(image[..., np.newaxis], 3, axis=2)
    return np.ascontiguousarray(disguises.COPIES[how](rgb, rng)[..., 0])


def expect_kinds(how):
    if how in ("mirrored", "crop, mirrored, gamma 1.25, 224, JPEG", "mirrored, letters"):
        return {"mirror"}
    changes = ("turn", "upside", "20 %", "padded", "negative")
    return {"changed"} if any(word in how for word in changes) else {"near", "pixels"}


def check_planted(originals, folder, how, search):
    """Plant three copies; check that they are found, and no other pair."""
    copies = [
        write_image(folder / f"copy_{number}.png", plant(read_gray(originals[number]), how))
        for number in (0, 7, 15)
    ]
    table = make_table(originals + copies, ["train"] * len(originals) + ["test"] * 3)
    found = duplicates.find_duplicates(table, search=search)
    names = [os.path.basename(originals[number]) for number in (0, 7, 15)]
    expected = {frozenset(pair) for pair in zip(names, table["image_id"][-3:], strict=True)}
    assert {frozenset(pair) for pair in zip(found.image_id_a, found.image_id_b, strict=True)} == (
        expected
    )
    assert set(found["kind"]) <= expect_kinds(how)  # a re-encoding may change no pixel
    assert set(found["split_a"]) | set(found["split_b"]) == {"train", "test"}
    assert (found["correlation"] >= overlay.MIN_CORRELATION).all()
    assert found.attrs["notes"] == [] and found.attrs["search"] == search
    return found


# What a copy is told to be, by what was done to it.
TOLD = {
    "turned by 8 degrees, negative": "turned 8°, negative, cut or padded by.*",
    "turned by a quarter": "turned 90°",
    "mirrored": "mirrored",
    "crop, 20 % across and down": "cut or padded by (35|36|37)%",
    "blurred": "",
}


@pytest.mark.parametrize("how", list(disguises.COPIES))
def test_the_full_search_finds_a_planted_copy_and_no_other_pair(originals, tmp_path, how):
    found = check_planted(originals, tmp_path, how, "full")
    assert all(re.fullmatch(TOLD.get(how, ".*"), one) for one in found["transform"])


def test_what_is_told_is_of_copies_that_are_planted():
    assert set(TOLD) <= set(disguises.COPIES)


@pytest.mark.parametrize("how", list(disguises.COPIES)[: disguises.NUM_FAST])
def test_the_fast_search_finds_a_copy_in_the_same_frame(originals, tmp_path, how):
    check_planted(originals, tmp_path, how, "fast")


@pytest.mark.parametrize(
    ("copies", "figure", "reason"),
    [
        ("full", "0 of 4 test images", "turned by any angle"),
        ("fast", "0 of 4 test images; by the fast search", "Not looked for: turned, negative"),
    ],
)
def test_a_row_says_which_search_ran_and_what_it_cannot_see(originals, copies, figure, reason):
    table = make_table(originals[:8], ["train"] * 4 + ["test"] * 4)
    only = {"duplicates": leakcard.CHECKS["duplicates"]}
    row = leakcard.audit(table, copies=copies, checks=only).get_row("duplicates_across_splits")
    assert row.status == "pass" and reason in row.reason
    assert row.figure.startswith(figure) and ("fast" in row.figure) == (copies == "fast")


def test_flat_images_and_those_without_structure_are_nobodys_copies_and_notes_say_so(
    originals, tmp_path, monkeypatch
):
    monkeypatch.setattr(points, "BATCH_SIZE", 1)
    noise = np.random.default_rng(0).integers(0, 3, (200, 200)).astype(np.uint8)
    slope = np.tile(np.linspace(0, 255, 200, dtype=np.uint8), (200, 1))
    paths = [
        write_image(tmp_path / "slope.png", slope),
        write_image(tmp_path / "slope_again.png", slope // 2),
        write_image(tmp_path / "flat.png", noise + 7),
        write_image(tmp_path / "flat_too.png", noise + 90),
        write_image(tmp_path / "copy.png", plant(read_gray(originals[0]), "negative")),
    ]
    found = duplicates.find_duplicates(make_table([*paths, originals[0]]))
    assert found["transform"].tolist() == ["negative"]
    assert any("2 images have too little structure" in note for note in found.attrs["notes"])
    assert any("2 images of one colour" in note for note in found.attrs["notes"])


def test_different_patients_are_no_duplicates_and_the_columns_are_there(originals):
    found = duplicates.find_duplicates(make_table(originals))
    assert list(found.columns) == list(duplicates.COLUMNS)
    assert len(found) == 0
    assert found.attrs["num_images"] == len(originals)


def test_the_same_letters_on_different_patients_make_no_copies(originals, tmp_path):
    paths = []
    for number, path in enumerate(originals):
        image = images.resize_image(read_gray(path), 224)
        place = (20, 190 if number % 2 else 30)
        font = cv2.FONT_HERSHEY_SIMPLEX
        image = cv2.putText(image, "PORTABLE AP 14:25", place, font, 0.55, 255, 2)
        paths.append(write_image(tmp_path / f"{number}.png", image))
    assert len(duplicates.find_duplicates(make_table(paths))) == 0


def test_equal_bytes_equal_pixels_and_repeated_rows_are_told_apart(originals, tmp_path):
    copy = shutil.copy(originals[0], tmp_path / "same_bytes.png")
    other = tmp_path / "same_pixels.bmp"
    write_image(other, read_gray(originals[0]))
    table = make_table([originals[0], str(copy), str(other), originals[1], originals[1]])
    table.loc[4, "split"] = "test"
    found = duplicates.find_duplicates(table)
    kinds = {
        (row.row_a, row.row_b) if row.row_a < row.row_b else (row.row_b, row.row_a): row.kind
        for row in found.itertuples()
    }
    assert kinds == {(0, 1): "file", (0, 2): "pixels", (1, 2): "pixels", (3, 4): "file"}
    repeated = found[found["image_id_a"] == found["image_id_b"]].iloc[0]
    assert {repeated["split_a"], repeated["split_b"]} == {"train", "test"}


@pytest.mark.usefixtures("compute_anew")
def test_the_order_of_rows_and_missing_columns_change_nothing(originals, tmp_path, monkeypatch):
    copies = [
        write_image(tmp_path / f"copy_{number}.jpg", plant(read_gray(originals[number]), how))
        for number, how in enumerate(("gamma 0.8", "turned by 15 degrees", "negative"))
    ]
    table = make_table([*originals[:8], *copies])[["image_id", "path"]]
    names = ["image_id_a", "image_id_b", "kind", "distance", "correlation", "transform"]
    for search, number in (("full", 3), ("fast", 1)):
        monkeypatch.setattr(images, "NUM_JOBS", 4)
        found = duplicates.find_duplicates(table, search=search)
        backwards = table.iloc[::-1].reset_index(drop=True)
        monkeypatch.setattr(images, "NUM_JOBS", 1)
        turned = duplicates.find_duplicates(backwards, search=search)
        assert len(found) == number and found["split_a"].isna().all()
        pd.testing.assert_frame_equal(found[names], turned[names])


def test_unreadable_and_missing_files_are_listed_and_nothing_is_written(originals, tmp_path):
    folder = tmp_path / "data"
    for name in originals[:2]:
        folder.mkdir(exist_ok=True)
        shutil.copy(name, folder)
    (folder / "half.png").write_bytes(open(originals[2], "rb").read()[:2000])
    (folder / "half_again.png").write_bytes(open(originals[2], "rb").read()[:2000])
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    table = make_table([*sorted(map(str, before)), str(folder / "gone.png")])
    found = duplicates.find_duplicates(table)
    assert {os.path.basename(item["path"]) for item in found.attrs["unreadable"]} == {
        *("half.png", "half_again.png", "gone.png")
    }
    assert found["kind"].tolist() == ["file"]  # bytes can be equal even if they are no image
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_an_empty_table_has_no_duplicates():
    found = duplicates.find_duplicates(pd.DataFrame({"image_id": [], "path": []}))
    assert len(found) == 0 and list(found.columns) == list(duplicates.COLUMNS)


@pytest.mark.parametrize("search", duplicates.SEARCHES)
def test_images_of_one_colour_are_nobodys_copies_and_a_note_says_so(search, tmp_path):
    paths = [
        write_image(tmp_path / f"{level}.png", np.full((60, 50), level, np.uint8))
        for level in (0, 0, 90, 255)
    ]
    found = duplicates.find_duplicates(make_table(paths), search=search)
    assert len(found) == 0 and found.attrs["flat"] == ["0.png", "255.png", "90.png"]
    assert "3 images of one colour" in found.attrs["notes"][0]


def test_a_large_group_of_copies_is_capped_with_a_note_and_hides_no_split(originals, tmp_path):
    paths = [str(shutil.copy(originals[0], tmp_path / f"{n:02d}.png")) for n in range(40)]
    splits = ["train"] * 30 + ["val"] * 5 + ["test"] * 5
    found = duplicates.find_duplicates(make_table(paths, splits))
    assert len(found) < 40 * 39 // 2
    assert f"{40 * 39 // 2 - len(found)} further pairs" in found.attrs["notes"][0]
    across = found[found["split_a"] != found["split_b"]]
    leaked = {*across["image_id_a"], *across["image_id_b"]}
    assert {f"{number:02d}.png" for number in range(30, 40)} <= leaked


def test_a_crowd_of_similar_images_is_capped_by_split_with_a_note(originals, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "MAX_PARTNERS", 3)
    monkeypatch.setattr(points, "MAX_ANSWERS", 2)
    image = read_gray(originals[0])
    paths = [
        write_image(tmp_path / f"{number:02d}.png", disguises.brighten(image, number))
        for number in range(12)
    ]
    found = duplicates.find_duplicates(make_table(paths, ["train"] * 11 + ["test"]))
    assert len(found) < 66 and any("within crowds" in note for note in found.attrs["notes"])
    across = found[found["split_a"] != found["split_b"]]
    assert "11.png" in {*across["image_id_a"], *across["image_id_b"]}


def test_a_search_that_stops_early_says_so(originals, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "MAX_CANDIDATES", 1)
    copy = write_image(tmp_path / "copy.png", plant(read_gray(originals[0]), "gamma 0.8"))
    table = make_table([*originals, copy])
    found = duplicates.find_duplicates(table, search="fast")
    assert any("stopped after" in note for note in found.attrs["notes"])


def test_a_table_without_paths_and_an_unknown_search_are_refused(originals):
    with pytest.raises(ValueError, match=r"lacks \['path'\].*Received"):
        duplicates.find_duplicates(pd.DataFrame({"image_id": ["a"]}))
    with pytest.raises(ValueError, match="one of.*'full', 'fast'.*Received: 'slow'"):
        duplicates.find_duplicates(make_table(originals[:1]), search="slow")


# ---- the search of hashes


def test_the_search_finds_what_comparing_one_by_one_finds_in_bounded_chunks(monkeypatch):
    monkeypatch.setattr(hashes, "BLOCK_SIZE", 500)
    monkeypatch.setattr(hashes, "CHUNK_SIZE", 1000)
    found = np.random.default_rng(0).integers(0, 2**63, 200, dtype=np.uint64)
    found[:60] = found[0] ^ np.arange(60, dtype=np.uint64)  # a crowd
    chunks = list(hashes.search_hashes(found, found[:90], 3))
    assert max(len(rows) for rows, _ in chunks) <= 1500
    pairs = [pair for chunk in chunks for pair in zip(*map(np.ndarray.tolist, chunk), strict=True)]
    assert pairs == [
        (i, j)
        for i in range(90)
        for j in range(200)
        if (int(found[i]) ^ int(found[j])).bit_count() <= 3
    ]
    assert list(hashes.search_hashes(found[:0], found[:0], 10)) == []


def test_the_first_query_is_the_hash_of_imagehash_and_mirroring_swaps_the_views(originals):
    import imagehash
    from PIL import Image

    image = images.decode_image(originals[0])
    queries = fingerprints.compute_fingerprint(image)[1]
    gray = images.resize_image(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 128)
    assert int(str(imagehash.phash(Image.fromarray(gray))), 16) == int(queries[0])
    mirrored = fingerprints.compute_fingerprint(np.ascontiguousarray(image[:, ::-1]))[1]
    num_views = len(fingerprints.VIEWS)
    assert np.bitwise_count(mirrored[0] ^ queries[num_views]) <= 2


def test_a_mirror_image_and_a_negative_are_changes_of_signs(originals):
    gray = read_gray(originals[0])
    described = points.describe_points(gray)
    for variant, seen in enumerate((gray, 255 - gray, gray[:, ::-1], 255 - gray[:, ::-1])):
        fit = overlay.register_points(described, points.describe_points(seen), variant)
        assert fit.num_points > 0.7 * len(np.unique(described.places.round(), axis=0))
        mirrored, negative = points.VARIANTS[variant]
        assert (np.linalg.det(fit.matrix[:, :2]) < 0, fit.is_negative) == (mirrored, negative)


# ---- real data


@pytest.mark.shared
def test_the_ten_identical_pairs_of_wolves_and_huskies_are_found(read_real):
    table = read_real("wolf_husky")
    found = duplicates.find_duplicates(table, search="fast")
    assert len(found) == 10 and set(found["kind"]) == {"file"}
    across = found[found["split_a"] != found["split_b"]]
    pairs = {
        frozenset(os.path.basename(path) for path in pair)
        for pair in zip(across["path_a"], across["path_b"], strict=True)
    }
    assert pairs == {
        frozenset({"wolf_4.jpeg", "wolf_31.jpeg"}),
        frozenset({"wolf_6.jpeg", "wolf_35.jpeg"}),
    }


@pytest.mark.shared
def test_copies_of_real_x_rays_are_found_and_different_patients_are_not(read_real):
    pools = [read_real(source) for source in calibrate.SOURCES]
    table = data.concatenate_tables(
        [pool.drop_duplicates("patient_id").iloc[::50].head(4) for pool in pools]
    )
    decoded = [images.decode_image(path) for path in table["path"]]
    recall = calibrate.measure_recall(decoded, table["source"])
    assert recall["n"].min() == 4 and recall["num_false"].max() == 0
    promised = list(disguises.COPIES)[: disguises.NUM_FAST]
    is_promised = (recall["search"] == "full") | recall["copy"].isin(promised)
    assert (recall.loc[is_promised, "recall"] == 1).all(), recall
    false_pairs = calibrate.count_false_pairs(table, "some")
    assert false_pairs["num_false"] == 0
    assert "| JPEG quality 50 |" in calibrate.format_calibration(recall, [false_pairs])
