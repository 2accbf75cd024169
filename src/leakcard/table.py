"""The contract: one row an image, the same columns for all, missing = NaN, never a guess."""

import importlib.util
import re

import numpy as np
import pandas as pd
import scipy

from leakcard import values

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
# Sizes are told apart in so many classes where there are too many to list.
NUM_SIZE_CLASSES = 5

SPLITS = ("train", "val", "test")
FOLD = "fold "
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "trn", "tr", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("tune", "tuning"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout", "eval", "evaluation"), "test"),
}
# Words that may stand beside the name of a split: "train_images", "test set", "val2017".
SPLIT_FILLERS = {"set", "split", "data", "dataset", "images", "image", "imgs", "img", "hold", "out"}
# Patterns of file names that say whose image it is; the first group is the patient.
PATTERNS = {
    "kermany": r"(person\d+)(?=_)|((?:NORMAL2-)?IM-\d+)",
    "nih": r"^(\d{8})_\d{3}\.",
    "mimic": r"(?:^|/)(p\d{8})(?:/|_)",
    "chexpert": r"(?:^|/)(patient\d+)(?:/|_)",
}


def find_split(name):
    """Say which split a name means.

    Parameters
    ----------
    name : str
        Of a folder, or in a column of splits, such as "Train", "validation_set" or "test2017".

    Returns
    -------
    {"train", "val", "test"} or None
        None if it is the name of no split, or of several.
    """
    words = re.findall(r"[^\W\d_]+", str(name).lower())
    if not words:
        return None
    if "".join(words) in SPLIT_NAMES:
        return SPLIT_NAMES["".join(words)]
    found = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    others = set(words) - set(SPLIT_NAMES) - SPLIT_FILLERS
    return found.pop() if len(found) == 1 and not others else None


def list_folds(table):
    """Return the names of the folds that a completed table has in place of splits."""
    names = table["split"].dropna().astype(str)
    return sorted(set(names[names.str.startswith(FOLD)]), key=lambda name: (len(name), name))


def can_read_dicom():
    """Tell whether the extra `dicom` is installed."""
    return importlib.util.find_spec("pydicom") is not None


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


def get_age_groups(table):
    """Say for each row whether the patient is a child or an adult.

    Parameters
    ----------
    table : DataFrame
        With `age_years`; a column `age_group` says what is known of patients without an age.

    Returns
    -------
    Series of object
        `"child"` (under 18 years), `"adult"`, or what `age_group` says; NaN if nothing is known.
    """
    ages = table["age_years"].astype("float64")
    groups = pd.Series(np.nan, index=table.index, dtype=object, name="age_group")
    if "age_group" in table:
        groups = table["age_group"].astype(object).rename("age_group")
    groups[ages < ADULT_AGE_YEARS] = "child"
    groups[ages >= ADULT_AGE_YEARS] = "adult"
    return groups


def complete_table(table, pattern=None):
    """Bring any table into the contract; infer patients from file names where asked.

    Parameters
    ----------
    table : DataFrame
        With `path` or `image_id`; of the rest of `leakcard.COLUMNS`, `label` and `split` what
        there is. Rows may be repeated.
    pattern : str, optional
        A name of `PATTERNS` or a regular expression with a group; see `infer_patients`.

    Returns
    -------
    DataFrame
        With all columns; `split` is train, val, test or NaN; `attrs["patient_id_inferred"]`.

    Raises
    ------
    ValueError
        If neither path nor image_id is there, or a split has an unknown name.
    """
    if not {"path", "image_id"} & set(table.columns):
        raise ValueError(
            f"A table to audit needs a column `path` (or `image_id`), and should have `label` and "
            f"`split`. Rename its columns. Received: {list(table.columns)[:12]}"
        )
    attrs = dict(table.attrs)
    others = [name for name in table.columns if name not in COLUMNS and name != "split"]
    table = table.reindex(columns=[*COLUMNS, "split", *others]).reset_index(drop=True)
    for name in ("image_id", "path", "patient_id", "label", "split"):
        table[name] = table[name].astype(object).where(table[name].notna(), np.nan)
    table["image_id"] = table["image_id"].fillna(table["path"]).astype(str).astype(object)
    table, notes = values.clean_values(table)
    known = table["split"].dropna().astype(str)
    unknown = sorted({n for n in known if not n.startswith(FOLD) and find_split(n) is None})
    if unknown:
        raise ValueError(
            f"The column `split` has names that are not known. Expected train, val or test (or "
            f"{', '.join(sorted(set(SPLIT_NAMES) - set(SPLITS)))}), or numbers of folds in a "
            f"column `fold`. Received: {unknown[:5]}"
        )
    named = known.where(known.str.startswith(FOLD), known.map(find_split))
    table["split"] = named.reindex(table.index).astype(object)
    # A table that is completed again, as by a repair, has some of them.
    notes = list(dict.fromkeys([*attrs.get("notes", []), *notes]))
    table.attrs = attrs | {"notes": notes}
    if pattern is not None:
        table = infer_patients(table, pattern)
    table["patient_id"] = table["patient_id"].fillna(table["image_id"]).astype(str)
    return table


def find_column(table, name):
    """Return the column of a table that a user means by a name.

    Parameters
    ----------
    table : DataFrame
        As `reading.read_images` returns it, with `attrs["renamed"]`.
    name : str or None
        The name in the user's own list, in any case, or that of `leakcard.COLUMNS`; None means
        none.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if name is None:
        return None
    renamed = table.attrs.get("renamed", {})
    for known in (name, *(n for n in [*renamed, *table.columns] if n.lower() == name.lower())):
        found = renamed.get(known, known)
        if found in table.columns:
            return found
    raise ValueError(
        f"The group column is not in the table. Expected one of {[*renamed, *table.columns]}. "
        f"Received: group={name!r}"
    )


def infer_patients(table, pattern):
    """Read the patient from each file name.

    Parameters
    ----------
    table : DataFrame
        With `path` or `image_id`.
    pattern : str
        A name of `PATTERNS`, or a regular expression whose first group that matches (searched
        in the path) is the patient.

    Returns
    -------
    DataFrame
        With `patient_id` where the pattern matches, and `attrs["patient_id_inferred"]`.

    Raises
    ------
    ValueError
        If the pattern is no regular expression with a group, or matches no file.
    """
    expression = PATTERNS.get(pattern, pattern)
    names = table["path"].fillna(table["image_id"]).astype(str).str.replace("\\", "/")
    if pattern == "nih":
        names = names.str.rsplit("/").str[-1]
    try:
        parts = names.str.extract(expression)
    except (ValueError, re.error) as error:
        raise _bad_pattern(pattern, error, names) from error
    patients = parts.iloc[:, 0]
    for name in parts.columns[1:]:  # row by row, bfill takes minutes for 100,000 files
        patients = patients.fillna(parts[name])
    if patients.isna().all():
        raise _bad_pattern(pattern, "it matches no file", names)
    inferred = table.assign(patient_id=patients.where(patients.notna(), table["patient_id"]))
    inferred.attrs = dict(table.attrs) | {"patient_id_inferred": [f"pattern {pattern!r}"]}
    return inferred


def _bad_pattern(pattern, problem, names):
    return ValueError(
        f"The pattern of patients in file names cannot be used: {problem}. Expected one of "
        f"{', '.join(PATTERNS)}, or a regular expression with a group, such as "
        f"'patient(\\d+)_'. Received: {pattern!r} for files such as {names.head(2).tolist()}"
    )


def join_units(images, pairs, columns=("patient_id", "sha256")):
    """Number the independent units of images: patients, joined where they share duplicates.

    Parameters
    ----------
    images : DataFrame
        One row an image or more, with `image_id` and `columns`.
    pairs : DataFrame or None
        With `image_id_a` and `image_id_b`.
    columns : sequence of str
        Rows with the same value in one of them belong together; missing values say nothing.

    Returns
    -------
    ndarray of shape (n_rows,), dtype=int
        The same number for all rows that belong together, from 0 in the order of the rows.
    """
    num_rows, edges = len(images), []
    # Nodes of a graph are the rows, then the values of each column.
    for number, column in enumerate(("image_id", *columns), start=1):
        codes, names = pd.factorize(images[column])
        if column == "image_id":
            image_names = pd.Index(names)
        known = np.flatnonzero(codes >= 0)
        edges.append((known, codes[known] + number * num_rows))
    if pairs is not None and len(pairs):
        a, b = (image_names.get_indexer(pairs[f"image_id_{side}"]) for side in "ab")
        both = (a >= 0) & (b >= 0)
        edges.append((a[both] + num_rows, b[both] + num_rows))
    starts, ends = (np.concatenate(side) for side in zip(*edges, strict=True))
    size = (2 + len(columns)) * num_rows
    graph = scipy.sparse.coo_matrix((np.ones(len(starts)), (starts, ends)), shape=(size, size))
    return scipy.sparse.csgraph.connected_components(graph, directed=False)[1][:num_rows]


def add_properties(images):
    """Add `age_group`, `size_class` and `date_days` to a table of images."""
    images = images.copy()
    images["age_group"] = get_age_groups(images)
    sizes = images["width_px"].astype("float64") * images["height_px"].astype("float64")
    shapes = (
        images["width_px"].map("{:.0f}".format) + "x" + images["height_px"].map("{:.0f}".format)
    )
    if shapes[sizes.notna()].nunique() <= 2 * NUM_SIZE_CLASSES:
        images["size_class"] = shapes.where(sizes.notna())
    else:
        ranks = sizes.rank(pct=True) * NUM_SIZE_CLASSES
        names = np.ceil(ranks).map("fifth {:.0f} by area".format)
        images["size_class"] = names.where(sizes.notna())
    dates = pd.to_datetime(images["date"], errors="coerce", format="ISO8601")
    days = (dates - pd.Timestamp("2000-01-01")).dt.days
    images["date_days"] = days.astype("float64")
    return images
