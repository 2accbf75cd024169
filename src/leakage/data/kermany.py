"""Chest X-rays of children by Kermany et al. 2018 (CC BY 4.0, Mendeley rscbjbr9sj v2).

Known problems: 1,635 numeric ids of which 808 occur under both virus and bacteria (one patient:
grouped by the number); at least 24 groups of identical images; no age, sex or date per image,
all patients are one to five years old. See `data/README.md`.
"""

import re
from collections import Counter
from pathlib import Path

from leakage.data import _common
from leakcard import table as image_table

LICENSE = "CC BY 4.0"
# Kermany et al. 2018, doi 10.1016/j.cell.2018.02.010: "pediatric patients of one to five years".
AGE_GROUP = "child"
FOLDERS = ("train", "val", "test")
LABELS = {"NORMAL": "normal", "PNEUMONIA": "pneumonia"}

_PNEUMONIA = re.compile(r"person(\d+)_(virus|bacteria)_", re.IGNORECASE)
_NORMAL = re.compile(r"((?:NORMAL2-)?IM-\d+)", re.IGNORECASE)


def _read_name(name):
    """Return (patient, findings); both may be missing."""
    if match := _PNEUMONIA.match(name):
        return f"kermany:person{int(match.group(1))}", match.group(2).lower()
    if match := _NORMAL.match(name):
        return f"kermany:{match.group(1).upper()}", None
    return None, None


def read_table(data_dir):
    """Read `chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/`; any of these may be absent.

    Parameters
    ----------
    data_dir : str or Path
        Folder that holds `chest_xray/`.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS`. `patient_id` is the numeric person id for pneumonia
        (shared by virus and bacteria) and the `IM-xxxx` number within its prefix for normals;
        the latter is an inference, and `attrs["patient_id_inferred"]` says for which labels.

    Raises
    ------
    FileNotFoundError
        If there are no images; the message says how to get them.
    """
    root = Path(data_dir) / "chest_xray"
    what = "The chest X-rays of Kermany et al. were"
    files = [
        (path, folder, label)
        for place in sorted(root.glob("*"))
        if (folder := place.name.lower()) in FOLDERS and place.is_dir()
        for inner in sorted(place.iterdir())
        if (label := LABELS.get(inner.name.upper())) and inner.is_dir()
        for path in _common.list_images(inner)
    ]
    if not files:
        raise _common.missing_data(root, "kermany", data_dir, what)
    counts = Counter(path.name for path, _, _ in files)
    rows = []
    for path, folder, label in files:
        patient, findings = _read_name(path.name)
        # The original names are unique; a copy under the same name keeps its folder.
        name = path.name if counts[path.name] == 1 else f"{folder}/{path.parent.name}/{path.name}"
        rows.append(
            {
                "image_id": f"kermany:{name}",
                "path": str(path),
                "label": label,
                "findings": findings if label == "pneumonia" else "normal",
                "source": "kermany",
                "patient_id": patient,
                "license": LICENSE,
                "age_group": AGE_GROUP,
            }
        )
    table = image_table.make_table(rows)
    table.attrs["patient_id_inferred"] = ["normal"]
    return _common.describe_files(table)
