"""Lung polygons in Darwin JSON: both versions, holes, labels, masks."""

import json
import os
import time

import cv2
import numpy as np
import pytest

from leakage import data
from leakage.data import v7labs
from leakcard import images
from leakcard import table as image_table

SQUARE = [{"x": x, "y": y} for x, y in ((10, 20), (40, 20), (40, 60), (10, 60))]
HOLE = [{"x": x, "y": y} for x, y in ((20, 30), (30, 30), (30, 40), (20, 40))]


def make_first(name, tags, original=None, polygon=SQUARE):
    lungs = [{"name": "Lung", "polygon": {"path": polygon}}] if polygon else []
    image = {"filename": name, "original_filename": original or name, "width": 80, "height": 100}
    return {"image": image, "annotations": [*lungs, *({"name": tag, "tag": {}} for tag in tags)]}


def make_second(name, tags):
    slot = {"width": 80, "height": 100, "source_files": [{"file_name": name}]}
    lung = {"name": "Lung", "polygon": {"paths": [SQUARE, HOLE]}}
    tags = [{"name": tag, "tag": {}} for tag in tags]
    return {"version": "2.0", "item": {"name": name, "slots": [slot]}, "annotations": [lung, *tags]}


def write(root, annotations):
    for part in ("annotations", "images"):
        (root / v7labs.FOLDER / part).mkdir(parents=True)
    for number, content in enumerate(annotations):
        path = root / v7labs.FOLDER / "annotations" / f"{number}.json"
        path.write_text(json.dumps(content))
        name = content.get("image", {}).get("filename") or content["item"]["name"]
        gray = np.random.default_rng(number).integers(0, 255, (100, 80)).astype(np.uint8)
        target = root / v7labs.FOLDER / "images" / name
        target.write_bytes(cv2.imencode(".png", gray)[1].tobytes())
    return root


def test_polygons_become_masks_of_the_image_and_a_path_in_a_path_is_a_hole(tmp_path):
    write(tmp_path, [make_first("a.png", ["Viral Pneumonia"]), make_second("b.png", ["COVID-19"])])
    table = v7labs.read_table(tmp_path)
    first, second = (images.decode_image(path)[..., 0] > 127 for path in table["mask_path"])
    assert first.shape == (100, 80) and first[40, 25] and not first[15, 25] and not first[40, 50]
    assert first.sum() == pytest.approx(30 * 40, rel=0.1)
    assert second.sum() == pytest.approx(30 * 40 - 10 * 10, rel=0.1) and not second[35, 25]


def test_lungs_that_overlap_leave_no_hole(tmp_path):
    annotation = make_first("a.png", ["COVID-19"])
    annotation["annotations"].append({"name": "Lung", "polygon": {"path": HOLE}})
    table = v7labs.read_table(write(tmp_path, [annotation]))
    mask = images.decode_image(table["mask_path"][0])[..., 0] > 127
    assert mask[35, 25] and mask.sum() == pytest.approx(30 * 40, rel=0.1)


def test_the_four_classes_of_the_slides_are_told_apart(tmp_path):
    tags = ["Bacterial Pneumonia", "Viral Pneumonia", "No Pneumonia (healthy)", "COVID-19"]
    names = ["person3_bacteria_1.png", "person3_virus_9.png", "IM-0001-0001.png", "x.png"]
    annotations = [make_first(n, [t], n) for n, t in zip(names, tags, strict=True)]
    annotations[3]["annotations"].append({"name": "Viral Pneumonia", "tag": {}})  # COVID-19 is both
    table = v7labs.read_table(write(tmp_path, annotations))
    assert list(table.columns) == list(image_table.COLUMNS)
    assert table["label"].tolist() == ["pneumonia", "pneumonia", "normal", "covid"]
    assert table["findings"].tolist() == ["bacteria", "virus", "normal", "COVID-19"]
    assert table["patient_id"].tolist()[:3] == ["v7labs:3", "v7labs:3", "v7labs:IM-0001"]
    assert table["patient_id"][3] == table["image_id"][3]


def test_what_has_no_class_no_image_or_no_polygon_is_told_and_left_without(tmp_path):
    annotations = [make_first("a.png", []), make_first("b.png", ["COVID-19"], polygon=None)]
    root = write(tmp_path, [*annotations, make_first("c.png", ["COVID-19"])])
    (root / v7labs.FOLDER / "images" / "c.png").unlink()
    table = v7labs.read_table(root)
    assert table["image_id"].tolist() == ["v7labs:1"] and table["mask_path"].isna().all()
    assert table.attrs["num_without_label"] == 1
    assert data.describe_unreadable(table) == "1 not there (v7labs:2)"


def test_a_changed_polygon_is_drawn_anew(tmp_path):
    root = write(tmp_path, [make_first("a.png", ["COVID-19"])])
    before = images.decode_image(v7labs.read_table(root)["mask_path"][0]).sum()
    path = root / v7labs.FOLDER / "annotations" / "0.json"
    path.write_text(json.dumps(make_first("a.png", ["COVID-19"], polygon=HOLE)))
    os.utime(path, (time.time() - 5e6,) * 2)  # as unpacked: a new version may look older
    assert images.decode_image(v7labs.read_table(root)["mask_path"][0]).sum() < before


@pytest.mark.parametrize(
    "content, message",
    [
        ({"images": []}, "as exported by V7. Download it again"),
        (make_first("a.png", [], polygon=SQUARE[:2]), "at least three points.*2"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, content, message):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"broken.json.*{message}"):
        v7labs.read_annotation(path)


def test_absent_data_say_where_v7_hands_them_out(tmp_path):
    with pytest.raises(FileNotFoundError, match="darwin dataset pull v7-labs.*Found: nothing"):
        data.READERS["v7labs"](tmp_path)


def test_the_lung_study_is_read_from_its_own_source_where_that_is_there(tmp_path):
    names = ["person3_bacteria_1.png", "IM-0001-0001.png", "x.png"]
    tags = ["Bacterial Pneumonia", "No Pneumonia (healthy)", "COVID-19"]
    annotations = [make_first(n, [t], n) for n, t in zip(names, tags, strict=True)]
    annotations.append(make_first("y.png", ["COVID-19"], polygon=None))
    annotations.append(make_first("z.png", ["no class"]))
    pool = data.read_lung_study(write(tmp_path, annotations))
    assert sorted(pool["label"]) == ["bacterial", "covid", "healthy"]
    assert pool["mask_path"].notna().all()
    assert "4 images, 1 of them without a lung polygon left out" in pool.attrs["origin"]
    assert "1 annotations name no class" in pool.attrs["origin"]
