"""Clean phantoms for the audit, and faults to plant in them."""

import functools
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

import phantoms
from leakage import data
from leakcard import facts, images

NUM_IMAGES = {"covid": 70, "normal": 70, "pneumonia": 70}
NO_PAIRS = pd.DataFrame(columns=["image_id_a", "image_id_b", "kind"])


@functools.cache
def _make_folder():
    return tempfile.TemporaryDirectory(prefix="clean phantoms ")  # removed when Python ends


def make_clean(seed=1, size_px=64, num_images=None):
    """Draw phantoms whose label follows nothing but the lesion, patients in one split each.

    Sets that are alike are drawn once a process: their files are not to be changed.
    """
    num_images = num_images or NUM_IMAGES
    name = "-".join(map(str, (seed, size_px, *num_images.values())))
    folder = phantoms.write_chest(
        Path(_make_folder().name) / name,
        num_images=num_images,
        seed=seed,
        confounding=0.0,
        lesion_visibility=1.0,
        size_px=size_px,
    )
    table = data.READERS["phantoms"](folder)
    patients = np.random.default_rng([seed, 9]).permutation(sorted(set(table["patient_id"])))
    cuts = int(0.6 * len(patients)), int(0.8 * len(patients))
    splits = dict.fromkeys(patients[: cuts[0]], "train")
    splits |= dict.fromkeys(patients[cuts[0] : cuts[1]], "val")
    splits |= dict.fromkeys(patients[cuts[1] :], "test")
    return table.assign(split=table["patient_id"].map(splits))


def find_same_files(table, search=None, cache_dir=None):
    """Pairs of identical files: a stand-in for the search for duplicates, which takes longer."""
    rows = table[["image_id", "sha256"]].drop_duplicates("image_id")
    pairs = rows.merge(rows, on="sha256", suffixes=("_a", "_b"))
    pairs = pairs[pairs["image_id_a"] < pairs["image_id_b"]]
    return pairs[["image_id_a", "image_id_b"]].assign(kind="file")


def rewrite_images(table, folder, change, suffix=None):
    """Write changed copies: `change(image, row)` gives the new pixels; return their table."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    paths = []
    for row in table.to_dict("records"):
        image = change(images.decode_image(row["path"])[..., 0].copy(), row)
        ending = suffix(row) if suffix else Path(row["path"]).suffix
        paths.append(str(folder / f"{row['image_id']}{ending}"))
        options = [cv2.IMWRITE_JPEG_QUALITY, 92] if ending == ".jpeg" else []
        Path(paths[-1]).write_bytes(cv2.imencode(ending, image, options)[1].tobytes())
    return facts.describe_files(table.assign(path=paths))


def add_letter(image, row):
    """Put a letter into the upper corner of every image of one class."""
    if row["label"] == "covid":
        height = image.shape[0]
        place, scale = (image.shape[1] - height // 7, height // 8), height / 300
        cv2.putText(image, "P", place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    return image


def add_frame(image, row):
    """Put a dark frame of 4 % around every image of one class."""
    if row["label"] == "covid":
        width = max(2, round(0.04 * min(image.shape)))
        image[:width], image[-width:], image[:, :width], image[:, -width:] = 8, 8, 8, 8
    return image


def shrink(image, row):
    """Make every image of one class a tenth smaller."""
    if row["label"] != "covid":
        return image
    return cv2.resize(image, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
