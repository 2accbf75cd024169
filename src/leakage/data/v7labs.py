"""Chest X-rays with lung polygons by v7labs (CC BY 4.0), in Darwin JSON.

Known problems: the polygons include most of the heart; images come from Kermany's and Cohen's
collections, so source and label still go together; patients are not named. See `data/README.md`.
"""

import hashlib
import json
import re
from pathlib import Path

import cv2
import numpy as np

from leakage import paths
from leakage.data import _common
from leakcard import files
from leakcard import table as image_table

FOLDER = "covid-19-xray-dataset"
DARWIN_NAME = "v7-labs/covid-19-chest-x-ray-dataset:all-images"
LICENSE = "CC BY 4.0"
LUNG = "lung"
# Tags of the publisher to (label, findings); the first that an image has counts.
TAGS = (
    (r"covid", "covid", "COVID-19"),
    (r"bacterial", "pneumonia", "bacteria"),
    (r"viral", "pneumonia", "virus"),
    (r"healthy|no pneumonia", "normal", "normal"),
    (r"pneumonia|fungal", "pneumonia", "pneumonia"),
)
MASKS_VERSION = 2
# Names of the collections that the images were taken from: they say whose image it is.
_KERMANY = re.compile(r"person(\d+)_(?:virus|bacteria)_|((?:NORMAL2-)?IM-\d+)", re.IGNORECASE)


def read_annotation(path):
    """Read one Darwin JSON file, of version 1 (`image`) or 2 (`item`).

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        `filename` of the image as exported, `original_filename`, `width_px`, `height_px`, `tags`
        (list of str) and `lungs`: for each a list of closed paths, arrays of shape (n_points, 2)
        of x and y.

    Raises
    ------
    ValueError
        If the file is no Darwin annotation, or a polygon has fewer than three points.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if "item" in content:
            (slot,) = content["item"]["slots"][:1]
            name = content["item"]["name"]
            sources = slot.get("source_files") or [{"file_name": name}]
            image = {"filename": name, "original_filename": sources[0]["file_name"]} | slot
        else:
            image = content["image"]
        found = {
            "filename": image["filename"],
            "original_filename": image.get("original_filename") or image["filename"],
            "width_px": int(image["width"]),
            "height_px": int(image["height"]),
            "tags": [one["name"] for one in content["annotations"] if "tag" in one],
            "lungs": [
                [
                    np.array([(point["x"], point["y"]) for point in part], dtype=float)
                    for part in _list_paths(one)
                ]
                for one in content["annotations"]
                if LUNG in one["name"].lower()
            ],
        }
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"A file is no Darwin annotation: {path}. Expected JSON with `image` (or `item`) and "
            f"`annotations`, as exported by V7. Download it again. Received: {error!r}"
        ) from error
    short = [len(part) for lung in found["lungs"] for part in lung if len(part) < 3]
    if short:
        raise ValueError(
            f"A lung in {path} is no polygon. Expected at least three points in each. "
            f"Received: {short} points."
        )
    return found


def draw_mask(annotation):
    """Turn the polygons of an annotation into a mask.

    Parameters
    ----------
    annotation : dict
        From `read_annotation`.

    Returns
    -------
    ndarray of shape (height_px, width_px), dtype=uint8
        255 inside a lung, 0 outside. A path within a path of the same lung is a hole; where two
        lungs overlap is lung.
    """
    mask = np.zeros((annotation["height_px"], annotation["width_px"]), np.uint8)
    for lung in annotation["lungs"]:
        # x = 0.5 is the middle of the first pixel; OpenCV counts pixels from 0.
        contours = [np.rint(part - 0.5).astype(np.int32) for part in lung]
        if contours:
            drawn = np.zeros_like(mask)
            cv2.fillPoly(drawn, contours, 255)
            mask |= drawn
    return mask


def read_table(data_dir):
    """Read `covid-19-xray-dataset/{images,annotations}/`.

    Parameters
    ----------
    data_dir : str or Path
        Folder that holds `covid-19-xray-dataset/` with `annotations/**/*.json` and the images,
        anywhere below `images/`, under their exported or their original names.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS`. `label` is "covid", "normal" or "pneumonia", with
        "bacteria" or "virus" in `findings`: the four classes of the slides. `mask_path` is drawn
        from the polygons into the cache folder; NaN where an image has none. Images without any
        tag of a class are left out and counted in `attrs["num_without_label"]`;
        `attrs["unreadable"]` names the annotations without their image, too. `patient_id` is read
        from original names of Kermany's collection, else it is the image
        (`attrs["patient_id_inferred"]`).

    Raises
    ------
    FileNotFoundError
        If there are no images or no annotations; the message says how to get them.
    """
    root = Path(data_dir) / FOLDER
    if not all((root / name).is_dir() for name in ("annotations", "images")):
        raise _make_missing(root)
    present = {path.name: path for path in _common.list_images(root / "images")}
    rows, missing, num_unlabelled = [], [], 0
    for path in sorted((root / "annotations").rglob("*.json")):
        annotation = read_annotation(path)
        file = present.get(annotation["filename"]) or present.get(annotation["original_filename"])
        label, findings = _find_label(annotation["tags"])
        num_unlabelled += label is None
        if file is None:
            name = root / "images" / annotation["filename"]
            about = {"image_id": f"v7labs:{path.stem}", "path": str(name)}
            missing.append(about | {"reason": f"No such file, whatever the folder: {name}"})
        elif label is not None:
            rows.append(_make_row(path, file, annotation, label, findings))
    if not rows:
        raise _make_missing(root)
    table = _common.describe_files(image_table.make_table(rows))
    table.attrs["unreadable"] += missing
    table.attrs["num_without_label"] = num_unlabelled
    table.attrs["patient_id_inferred"] = ["normal", "pneumonia"]
    return table


def _make_missing(root):
    found = sorted(part.name for part in root.glob("*"))[:8] or "nothing"
    return FileNotFoundError(
        f"The lung polygons of v7labs and their images were not found. Expected: {root} with "
        "annotations/ (JSON files) and images/, of which at least one pair fits. V7 hands them out "
        f"itself: `pip install darwin-py`, `darwin dataset pull {DARWIN_NAME}`, then move both "
        f"folders there. Found: {found}"
    )


def _list_paths(annotation):
    shape = annotation.get("polygon") or annotation.get("complex_polygon") or {}
    if "paths" in shape:
        return shape["paths"]
    parts = [shape["path"]] if "path" in shape else []
    # Version 1 keeps further paths of a complex polygon beside the first.
    return parts + list(shape.get("additional_paths") or [])


def _find_label(tags):
    for pattern, label, findings in TAGS:
        if any(re.search(pattern, tag, re.IGNORECASE) for tag in tags):
            return label, findings
    return None, None


def _make_row(path, file, annotation, label, findings):
    match = _KERMANY.match(annotation["original_filename"])
    patient = f"v7labs:{match.group(1) or match.group(2)}" if match else None
    return {
        "image_id": f"v7labs:{path.stem}",
        "path": str(file),
        "label": label,
        "findings": findings,
        "source": "v7labs",
        "patient_id": patient,
        "license": LICENSE,
        "mask_path": _write_mask(path, annotation) if any(annotation["lungs"]) else None,
    }


def _write_mask(path, annotation):
    """Draw the mask of an annotation once: what it is drawn from names it."""
    folder = paths.get_cache_dir() / f"v7labs-masks-v{MASKS_VERSION}"
    target = folder / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}.png"
    if not target.is_file():
        with files.open_atomic(target, "wb") as stream:
            stream.write(cv2.imencode(".png", draw_mask(annotation))[1].tobytes())
    return str(target)
