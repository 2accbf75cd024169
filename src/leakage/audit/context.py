"""What all checks of one audit share: clean columns, independent units, what was measured once."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse

from leakage import tables
from leakage.audit.looks import Looks

SPLITS = ("train", "val", "test")
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "tune"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "eval"), "test"),
}
# Patterns of file names that say whose image it is; the first group is the patient.
PATTERNS = {
    "kermany": r"(person\d+)(?=_)|((?:NORMAL2-)?IM-\d+)",
    "nih": r"^(\d{8})_\d{3}\.",
    "mimic": r"(?:^|/)(p\d{8})(?:/|_)",
    "chexpert": r"(?:^|/)(patient\d+)(?:/|_)",
}


@dataclass
class Context:
    """Shared by the checks of one audit.

    Attributes
    ----------
    images : DataFrame
        One row an image (repeated rows once); `label` may be missing.
    units : ndarray of shape (n_images,)
        Independent units of `images`: patients, joined where images of two are duplicates.
    knows_patient : Series of bool, indexed as the table
        Whether `patient_id` says more than the image id.
    pairs : DataFrame or None
        Confirmed duplicates; None if they were not searched for.
    looks : Looks or None
        None if no image could be read.
    record : dict or None
        The training record.
    group : str or None
        A further column that must not be shared between splits.
    inferred : str
        How patients were inferred, empty where a column gave them.
    num_permutations, seed : int
    """

    images: pd.DataFrame
    units: np.ndarray
    knows_patient: pd.Series
    pairs: pd.DataFrame | None = None
    looks: Looks | None = None
    record: dict | None = None
    group: str | None = None
    inferred: str = ""
    num_permutations: int = 999
    seed: int = 0
    memory: dict = field(default_factory=dict)


def complete_table(table, pattern=None, group=None):
    """Bring any table into the contract; infer patients from file names where asked.

    Parameters
    ----------
    table : DataFrame
        With `path` or `image_id`; of the rest of `tables.COLUMNS`, `label` and `split` what
        there is. Rows may be repeated.
    pattern : str, optional
        A name of `PATTERNS` or a regular expression with a group; see `infer_patients`.
    group : str, optional
        A column that must be there.

    Returns
    -------
    DataFrame
        With all columns; `split` is train, val, test or NaN; `attrs["patient_id_inferred"]`.

    Raises
    ------
    ValueError
        If neither path nor image_id is there, a split has an unknown name, or the group column
        is absent.
    """
    if not {"path", "image_id"} & set(table.columns):
        raise ValueError(
            f"A table to audit needs a column `path` (or `image_id`), and should have `label` and "
            f"`split`. Rename its columns. Received: {list(table.columns)[:12]}"
        )
    if group is not None and group not in table.columns:
        raise ValueError(
            f"The group column is not in the table. Expected one of {list(table.columns)}. "
            f"Received: group={group!r}"
        )
    attrs = dict(table.attrs)
    others = [name for name in table.columns if name not in tables.COLUMNS and name != "split"]
    table = table.reindex(columns=[*tables.COLUMNS, "split", *others]).reset_index(drop=True)
    for name in ("image_id", "path", "patient_id", "label", "split"):
        table[name] = table[name].astype(object).where(table[name].notna(), np.nan)
    table["image_id"] = table["image_id"].fillna(table["path"]).astype(str).astype(object)
    known = table["split"].dropna().astype(str).str.strip().str.lower()
    unknown = sorted(set(known) - set(SPLIT_NAMES))
    if unknown:
        raise ValueError(
            f"The column `split` has names that are not known. Expected train, val or test (or "
            f"{', '.join(sorted(set(SPLIT_NAMES) - set(SPLITS)))}). Received: {unknown[:5]}"
        )
    table["split"] = known.map(SPLIT_NAMES).reindex(table.index).astype(object)
    table["age_years"] = pd.to_numeric(table["age_years"], errors="coerce")
    table.attrs = attrs
    if pattern is not None:
        table = infer_patients(table, pattern)
    table["patient_id"] = table["patient_id"].fillna(table["image_id"]).astype(str)
    return table


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
    patients = parts.bfill(axis=1).iloc[:, 0]
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


def join_units(images, pairs):
    """Number the independent units of images: patients, joined where they share duplicates.

    Parameters
    ----------
    images : DataFrame
        One row an image, with `image_id`, `patient_id` and `sha256`.
    pairs : DataFrame or None
        With `image_id_a` and `image_id_b`.

    Returns
    -------
    ndarray of shape (n_images,), dtype=int
    """
    units = pd.factorize(images["patient_id"])[0]
    contents = pd.factorize(images["sha256"].astype(object).fillna(images["image_id"]))[0]
    edges = [(units, contents + len(images))]
    if pairs is not None and len(pairs):
        places = pd.Index(images["image_id"])
        a, b = (places.get_indexer(pairs[f"image_id_{side}"]) for side in "ab")
        good = (a >= 0) & (b >= 0)
        edges.append((units[a[good]], units[b[good]]))
    rows, columns = (np.concatenate(side) for side in zip(*edges, strict=True))
    size = 2 * len(images)
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    return sparse.csgraph.connected_components(graph, directed=False)[1][units]
