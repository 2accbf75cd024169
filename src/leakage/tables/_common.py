"""What every reader of a source shares: the columns, the types and the messages."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = (
    "image_id",
    "path",
    "label",
    "findings",
    "source",
    "patient_id",
    "age_years",
    "sex",
    "view",
    "date",
    "background",
    "license",
    "mask_path",
    "lesion_mask_path",
    "symbol_mask_path",
    "width_px",
    "height_px",
    "file_format",
    "num_bytes",
    "sha256",
)
NUMBER_COLUMNS = ("age_years", "width_px", "height_px", "num_bytes")

ADULT_AGE_YEARS = 18
# Human ages above this are errors of entry; NIH has a few hundred years.
MAX_AGE_YEARS = 120
# Sources that give no age per image, but one range for all of their patients.
# Kermany et al. 2018, doi 10.1016/j.cell.2018.02.010: "pediatric patients of one to five years".
SOURCE_AGE_RANGES_YEARS = {"kermany": (1, 5)}


def make_table(rows):
    """Bring rows into the contract: all columns, one type each, sorted by `image_id`.

    Parameters
    ----------
    rows : list of dict or DataFrame
        Any of the columns of `COLUMNS`; others (such as `split`) are kept behind them.

    Returns
    -------
    DataFrame
        Numbers as float64, text as object, missing = NaN. `patient_id` defaults to `image_id`.

    Raises
    ------
    ValueError
        If two rows have the same `image_id`.
    """
    table = pd.DataFrame(rows)
    others = [name for name in table.columns if name not in COLUMNS]
    table = table.reindex(columns=[*COLUMNS, *others])
    for name in table.columns:
        if name in NUMBER_COLUMNS:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype("float64")
        else:
            # One type for all sources: concatenating an all-missing float column warns.
            text = table[name].astype(object)
            table[name] = text.where(text.notna(), np.nan)
    table["patient_id"] = table["patient_id"].where(table["patient_id"].notna(), table["image_id"])
    repeated = table.loc[table["image_id"].duplicated(), "image_id"]
    if len(repeated):
        raise ValueError(
            f"{len(repeated)} rows repeat an image_id. Expected each once. Remove the repeated "
            f"files or metadata rows. Received: {sorted(repeated)[:3]}"
        )
    return table.sort_values("image_id", ignore_index=True)


def require(path, source, data_dir, what):
    """Return `path` if it exists (as a folder: if anything is in it), else explain.

    Raises
    ------
    FileNotFoundError
        Saying what was expected, how to get it and what was found.
    """
    path, data_dir = Path(path), Path(data_dir)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        return path
    raise missing_data(path, source, data_dir, what)


def missing_data(path, source, data_dir, what):
    """Make the FileNotFoundError for data that are not there."""
    if not data_dir.is_dir():
        found = f"no folder {data_dir}"
    elif path.is_dir():
        found = f"the folder, with {sum(1 for _ in path.iterdir())} entries but none of these"
    else:
        names = sorted(entry.name for entry in data_dir.iterdir() if entry.name[0] != ".")
        found = f"{', '.join(names[:8]) or 'nothing'} in {data_dir}"
    return FileNotFoundError(
        f"{what} not found. Expected: {path}. Get them with `./run_all.sh setup {source} "
        f"--data-dir {data_dir}`, or say where they are with --data-dir or LEAKAGE_DATA_DIR. "
        f"Found: {found}"
    )


def get_age_groups(table):
    """Say for each row whether the patient is a child or an adult.

    Parameters
    ----------
    table : DataFrame
        With `age_years` and `source`.

    Returns
    -------
    Series of object
        `"child"` (under 18 years), `"adult"`, or NaN if nothing is known. A row without an age
        takes its source's range where that decides it (Kermany: one to five years).
    """
    ages = table["age_years"].astype("float64")
    for source, (youngest, oldest) in SOURCE_AGE_RANGES_YEARS.items():
        if oldest < ADULT_AGE_YEARS or youngest >= ADULT_AGE_YEARS:
            ages = ages.mask(ages.isna() & (table["source"] == source), youngest)
    groups = pd.Series(np.nan, index=table.index, dtype=object, name="age_group")
    groups[ages < ADULT_AGE_YEARS] = "child"
    groups[ages >= ADULT_AGE_YEARS] = "adult"
    return groups


def list_images(folder, suffixes=(".png", ".jpg", ".jpeg")):
    """List the image files below a folder, sorted, without the hidden ones.

    Other systems leave hidden copies ("._name.jpeg", "__MACOSX") in archives.
    """
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in suffixes
        and not any(re.match(r"\.|__MACOSX", part) for part in path.relative_to(folder).parts)
    )
