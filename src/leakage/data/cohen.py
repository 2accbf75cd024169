"""The COVID-19 image data collection of Cohen et al. 2020, pinned at 584034aa (2020-06-22).

Collected from papers and the web: JPEG and PNG of any size, age missing for 28 %, AP Supine marks
intensive care, licence per image and half of them blank. See `data/README.md`.
"""

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from leakage.data import _common
from leakcard import table as image_table
from leakcard import values

# The vocabulary of before August 2020 names the germ alone; the later one is a path such as
# `Pneumonia/Bacterial/Klebsiella`. These are the names that moved below `Pneumonia/`.
OLD_PNEUMONIAS = {
    "Bacterial",
    "Chlamydophila",
    "E.Coli",
    "Influenza",
    "Klebsiella",
    "Legionella",
    "Lipoid",
    "Mycoplasma Bacterial Pneumonia",
    "Pneumocystis",
    "Pneumonia",
    "SARS",
    "Streptococcus",
    "Varicella",
}
# Read where they are there.
OPTIONAL_COLUMNS = ("age", "sex", "view", "modality", "date", "folder", "license")
LATERAL = {"L", "LATERAL"}
# American order for numbers, as dates such as 03/16/20 show; years and months stay what they are.
_DAYS = "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d"
_DATES = dict.fromkeys(_DAYS, "%Y-%m-%d") | {"%B %Y": "%Y-%m", "%b %Y": "%Y-%m", "%Y": "%Y"}


def _get_label(finding):
    words = {word.strip() for word in re.split(r"[,/]", str(finding))}
    if "COVID-19" in words:
        return "covid"
    if str(finding).strip().lower() == "no finding":
        return "normal"
    return "pneumonia" if "Pneumonia" in words or words & OLD_PNEUMONIAS else "other"


def _parse_date(text):
    """Return an ISO 8601 date of the precision given, or NaN (also for a day without a year)."""
    for pattern, form in _DATES.items():
        try:
            return datetime.strptime(str(text).strip(), pattern).strftime(form)
        except ValueError:
            continue
    return np.nan


def _read_metadata(path):
    metadata = pd.read_csv(path, dtype=str)
    absent = [name for name in ("filename", "finding", "patientid") if name not in metadata]
    if absent:
        raise ValueError(
            f"The metadata of Cohen et al. lack the columns {', '.join(absent)}. Expected the file "
            f"as it is in the collection, with commas. Received: {path} with the columns "
            f"{list(metadata.columns)[:8]}"
        )
    return metadata.reindex(columns=[*dict.fromkeys([*metadata.columns, *OPTIONAL_COLUMNS])])


def _keep_frontal(metadata):
    view = metadata["view"].fillna("").str.strip()
    return metadata[
        metadata["filename"].notna()
        & (metadata["modality"].fillna("X-ray") == "X-ray")
        & ~view.str.upper().isin(LATERAL)
        & (metadata["folder"].fillna("images") == "images")
    ].drop_duplicates("filename")


def read_table(data_dir, *, labels=None):
    """Read the X-rays of `covid-chestxray-dataset/` that are not lateral.

    Parameters
    ----------
    data_dir : str or Path
        Folder that holds `covid-chestxray-dataset/` with `metadata.csv` and `images/`.
    labels : sequence of str, optional
        Only these of "covid", "normal", "pneumonia" and "other".

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS`. Both vocabularies of `finding` are read. `date` is ISO
        8601 of the precision given (`2020-01-22`, `2020-03`, `2017`). `mask_path` is
        `lung_masks/<stem>.png` where that exists. `attrs["unreadable"]` names the images of the
        metadata that are not there, too.

    Raises
    ------
    FileNotFoundError
        If the metadata or the images are absent; the message says how to get them.
    """
    root = Path(data_dir) / "covid-chestxray-dataset"
    what = "The X-rays of the COVID-19 image data collection were"
    if not (root / "images").is_dir():
        raise _common.missing_data(root / "images", "cohen", data_dir, what)
    if not (path := root / "metadata.csv").is_file():
        raise _common.missing_data(path, "cohen", data_dir, "The metadata of Cohen et al. were")
    metadata = _keep_frontal(_read_metadata(path))
    metadata["label"] = [_get_label(finding) for finding in metadata["finding"]]
    if labels is not None:
        metadata = metadata[metadata["label"].isin(list(labels))]
    if not any((root / "images" / name).is_file() for name in metadata["filename"]):
        raise _common.missing_data(root / "images", "cohen", data_dir, what)
    masks = {path.name for path in root.glob("lung_masks/*.png")}
    table = image_table.make_table(
        [_make_row(row, root, masks) for row in metadata.to_dict(orient="records")]
    )
    return _common.describe_files(table)


def _make_row(row, root, masks):
    mask = f"{Path(row['filename']).stem}.png"
    text = {name: str(row[name]).strip() for name in ("sex", "view", "license")}
    return {
        "image_id": f"cohen:{row['filename']}",
        "path": str(root / "images" / row["filename"]),
        "label": row["label"],
        "findings": row["finding"],
        "source": "cohen",
        "patient_id": f"cohen:{str(row['patientid']).strip().removesuffix('.0')}",
        "age_years": row["age"],
        "sex": values.SEXES.get(text["sex"].lower()),
        "view": text["view"] if text["view"] not in ("nan", "?", "") else None,
        "date": _parse_date(row["date"]),
        "license": text["license"] if text["license"] not in ("nan", "") else None,
        "mask_path": str(root / "lung_masks" / mask) if mask in masks else None,
    }
