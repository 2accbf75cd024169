"""NIH ChestX-ray14 (Wang et al. 2017): 112,120 frontal X-rays of 30,805 patients.

Labels were mined from reports by program. Known problems: children are among the patients; the
default download, the subset of Ozturk et al. 2020, has 68 % AP views among normals against 45 %
among pneumonia. See `data/README.md`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from leakage.data import _common
from leakcard import table as image_table
from leakcard import values

TABLE = "Data_Entry_2017_v2020.csv"
# The header's `OriginalImage[Width,Height]` holds a comma, so that rows have 11 fields under
# fewer names: without names of our own, every column would be read under another's.
FIELDS = (
    "name",
    "findings",
    "follow_up",
    "patient",
    "age_years",
    "sex",
    "view",
    "original_width",
    "original_height",
    "spacing_x",
    "spacing_y",
)


def _read_entries(folder, data_dir):
    for name in (TABLE, f"{TABLE}.gz"):
        if (folder / name).is_file():
            path = folder / name
            break
    else:
        raise _common.missing_data(folder / TABLE, "nih", data_dir, "The NIH table was")
    entries = pd.read_csv(path, names=FIELDS, header=0, index_col=False, dtype={"sex": object})
    if not entries["name"].astype(str).str.lower().str.endswith(".png").all():
        raise ValueError(
            f"The NIH table has other columns than expected: {path}. Expected the 11 fields of "
            f"{TABLE}, image name first. Download it again with `./run_all.sh setup nih`."
            f" Received: {entries.iloc[0].tolist()[:4]}"
        )
    return entries


def _get_labels(findings, pneumonia):
    if pneumonia not in ("any", "alone"):
        raise ValueError(
            f"An unknown choice of pneumonia. Expected 'any' (alone or with other findings) or "
            f"'alone'. Received: pneumonia={pneumonia!r}"
        )
    alone = findings == "Pneumonia"
    is_pneumonia = alone if pneumonia == "alone" else findings.str.contains(r"\bPneumonia\b")
    return np.select([is_pneumonia, findings == "No Finding"], ["pneumonia", "normal"], "other")


def read_table(data_dir, *, pneumonia="any", labels=None):
    """Read the rows of the NIH table whose image is below `nih/`.

    Parameters
    ----------
    data_dir : str or Path
        Folder that holds `nih/` with the table (plain or gzip) and the images, at any depth.
    pneumonia : {"any", "alone"}
        Whether a pneumonia may have other findings beside it; where not, those are "other".
    labels : sequence of str, optional
        Only these of "normal" (No Finding), "pneumonia" and "other"; spares decoding the rest.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS`; ages over 120 years are missing.

    Raises
    ------
    FileNotFoundError
        If the table or the images are absent; the message says how to get them.
    ValueError
        For an unknown option or a table with other columns.
    """
    folder = Path(data_dir) / "nih"
    files = {path.name: str(path) for path in reversed(_common.list_images(folder, (".png",)))}
    if not files:
        raise _common.missing_data(folder, "nih", data_dir, "The NIH chest X-rays were")
    entries = _read_entries(folder, data_dir)
    entries = entries[entries["name"].isin(files)].copy()
    entries["findings"] = entries["findings"].astype(str).str.strip()
    entries["label"] = _get_labels(entries["findings"], pneumonia)
    ages = values.read_ages(entries["age_years"])
    entries["age_years"] = ages.where(ages <= _common.MAX_AGE_YEARS)
    if labels is not None:
        entries = entries[entries["label"].isin(list(labels))]
    rows = {
        "image_id": "nih:" + entries["name"],
        "path": entries["name"].map(files),
        "label": entries["label"],
        "findings": entries["findings"],
        "source": "nih",
        "patient_id": "nih:" + entries["patient"].astype(str),
        "age_years": entries["age_years"],
        "sex": entries["sex"],
        "view": entries["view"],
    }
    return _common.describe_files(image_table.make_table(pd.DataFrame(rows)))
