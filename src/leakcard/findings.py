"""What an audit found as tables for programs: pairs of the same picture, units to keep together."""

import numpy as np
import pandas as pd

from leakcard import table as image_table

PAIR_COLUMNS = (
    *("image_a", "image_b", "split_a", "split_b", "label_a", "label_b", "patient_a", "patient_b"),
    *("kind", "score", "transform"),
)
UNIT_COLUMNS = ("image", "unit", "patient", "split", "label")
# Of these there is nothing to be unsure about.
IDENTICAL = ("repeated row", "file", "pixels")


def list_pairs(links, found, table):
    """List which rows of a table show the same picture, and how sure that is.

    Parameters
    ----------
    links : DataFrame
        As from `links.list_links`.
    found : DataFrame or None
        Confirmed pairs as from `search.find_duplicates`: `image_id_a`, `image_id_b`, and
        `correlation` and `transform` where it has them.
    table : DataFrame
        With `image_id` and `patient_id`.

    Returns
    -------
    DataFrame
        `PAIR_COLUMNS`, pairs of two splits first. `score` in [0, 1] is 1 for equal content and
        else the correlation of the details of the two pictures once registered; missing where no
        search measured it. `transform` says how the two differ, where the search tells.
    """
    renamed = {f"image_id_{side}": f"image_{side}" for side in "ab"}
    pairs = links.rename(columns=renamed).reset_index(drop=True)
    known = table[table["patient_id"] != table["image_id"]].drop_duplicates("image_id")
    patients = known.set_index("image_id")["patient_id"]
    for side in "ab":
        pairs[f"patient_{side}"] = pairs[f"image_{side}"].map(patients)
    pairs["score"] = np.where(pairs["kind"].isin(IDENTICAL), 1.0, np.nan)
    pairs["transform"] = ""
    if found is not None and len(found) and len(pairs):
        measured = found.set_index(_sort_names(found["image_id_a"], found["image_id_b"]))
        measured = measured[~measured.index.duplicated()]
        keys = _sort_names(pairs["image_a"], pairs["image_b"])
        for column, name in (("correlation", "score"), ("transform", "transform")):
            if column in measured:
                told = pd.Series(measured[column].reindex(keys).to_numpy(), index=pairs.index)
                pairs[name] = pairs[name].where(told.isna() | (pairs["score"] == 1), told)
    within = pairs["split_a"] == pairs["split_b"]
    return pairs.loc[within.sort_values(kind="stable").index, list(PAIR_COLUMNS)]


def _sort_names(one, two):
    """Pairs of names whichever comes first."""
    one, two = one.astype(str).to_numpy(), two.astype(str).to_numpy()
    return pd.MultiIndex.from_arrays([np.where(one < two, one, two), np.where(one < two, two, one)])


def list_units(listed, pairs, group=None):
    """List every image with the unit that must stay together: patients and copies, joined.

    Parameters
    ----------
    listed : DataFrame
        Every image that was named, also those that could not be read: `image_id`, `patient_id`,
        `split`, `label`.
    pairs : DataFrame
        As from `list_pairs`.
    group : str, optional
        A further column whose groups must not be in two splits.

    Returns
    -------
    DataFrame
        `UNIT_COLUMNS`; an image that is listed with several splits, labels or patients has as
        many rows, all of one unit. No unit shares a patient, a group or a picture with another.
    """
    names = ["image_id", "patient_id", "split", "label", *([group] if group else [])]
    rows = listed[list(dict.fromkeys(names))].drop_duplicates(ignore_index=True)
    sides = pairs.rename(columns={f"image_{side}": f"image_id_{side}" for side in "ab"})
    columns = ("patient_id", group) if group else ("patient_id",)
    return pd.DataFrame(
        {
            "image": rows["image_id"],
            "unit": image_table.join_units(rows, sides, columns),
            "patient": rows["patient_id"].where(rows["patient_id"] != rows["image_id"]),
            "split": rows["split"],
            "label": rows["label"],
        }
    )
