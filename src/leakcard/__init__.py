"""The report card: which leaks does a split have, what is each worth, what can only be asked?

A check is one file in `checks/` with one function that returns a `Row` or several, and one line in
`CHECKS`. Its arguments say what it needs, by the names that `audit` lists.
"""

import functools
import inspect

import numpy as np
import threadpoolctl

from leakcard import facts, findings, rows, training_record, values
from leakcard import table as image_table
from leakcard.card import (
    ReportCard,
    compare_cards,
    describe_table,
    read_card,
    read_cards,
    write_cards,
)
from leakcard.checks import (
    ages,
    dates,
    duplicates,
    groups,
    marks,
    patient_sizes,
    preprocessing,
    properties,
    selection,
    shortcuts,
    splits,
    test_set,
)
from leakcard.copies import links, search
from leakcard.looks import Looks, measure_looks
from leakcard.model_info import format_model_info
from leakcard.reading import read_images
from leakcard.rows import CODES, STATUSES, Row
from leakcard.table import COLUMNS, PATTERNS, complete_table, infer_patients, join_units
from leakcard.training_record import make_record, read_record

CHECKS = {
    "test_set": test_set.check_test_set,
    "preprocessing": preprocessing.check_preprocessing,
    "selection": selection.check_selection,
    "duplicates": duplicates.check_duplicates,
    "dates": dates.check_dates,
    "groups": groups.check_groups,
    "properties": properties.check_properties,
    "ages": ages.check_ages,
    "patient_sizes": patient_sizes.check_patient_sizes,
    "splits": splits.check_splits,
    "shortcuts": shortcuts.check_shortcuts,
    "marks": marks.check_marks,
}
# What a check may ask for, by the name of an argument; `audit` says what each is.
ARGUMENTS = (
    *("table", "listed", "images", "units", "knows_patient", "pairs", "links", "looks"),
    *("record", "group", "inferred", "num_permutations", "seed"),
)

__all__ = [
    "ARGUMENTS",
    "CHECKS",
    "CODES",
    "COLUMNS",
    "PATTERNS",
    "STATUSES",
    "Looks",
    "ReportCard",
    "Row",
    "audit",
    "compare_cards",
    "complete_table",
    "format_model_info",
    "infer_patients",
    "join_units",
    "make_record",
    "measure_looks",
    "read_card",
    "read_cards",
    "read_images",
    "read_record",
    "write_cards",
]


@values.keep_any_text
def audit(
    table,
    *,
    record=None,
    group=None,
    pattern=None,
    pairs=None,
    looks=None,
    copies=None,
    num_permutations=999,
    seed=0,
    cache_dir=None,
    checks=CHECKS,
):
    """Look for every kind of leak in a split, and say what cannot be told from it.

    Parameters
    ----------
    table : DataFrame
        Any with `path` (or `image_id`), `label`, `split`; rows
        may be repeated. Those of `COLUMNS` that are there are used.
    record : dict, optional
        Of the training run, see `training_record`.
    group : str, optional
        A further column whose groups must not be in two splits (a device, a video).
    pattern : str, optional
        A name of `PATTERNS` or a regular expression that finds the patient in file names.
    pairs : DataFrame, optional
        Confirmed duplicates as from `search.find_duplicates`, for example of the whole pool
        that several splits are drawn from; pairs of other images are ignored. Searched for by
        default.
    looks : Looks, optional
        As from `measure_looks`, of these images and any others. Measured by default where a check
        asks for them.
    copies : {"full", "fast"}, optional
        Which search for copies, see `search.find_duplicates`.
    num_permutations : int
        For every p-value; with 999 the smallest is 0.001, which survives correction for the
        `stats.NUM_TESTS` tests of a card. With fewer than `stats.LEAST_PERMUTATIONS` rows become
        not testable.
    seed : int
        Decides permutations, folds and bootstraps.
    cache_dir : str or Path, optional
        Where what is measured of each picture is kept, by the content of its file (some 60 kB,
        among them the picture in gray at 128 x 128 pixels): no other audit measures it again, and
        one that was interrupted goes on. Nowhere by default; may be deleted.
    checks : dict of str to callable
        What is looked for, `CHECKS` by default. A check takes, by name, any of `table` (with all
        columns), `listed` (as `table`, with the rows whose file cannot be read), `images` (repeated
        rows once), `units` (independent units of `images`: patients,
        joined where they share a picture), `knows_patient`, `pairs`, `links` (rows that show the
        same picture), `looks` (None if no image could be read), `record`, `group`, `inferred`
        (how patients were, in words), `num_permutations` and `seed`.

    Returns
    -------
    ReportCard

    Raises
    ------
    ValueError
        If the table has no rows or no images, its splits have unknown names, an option does not
        fit it, or a check asks for what there is not.
    """
    wanted = _list_arguments(checks)
    if len(table) == 0:
        raise ValueError(
            "There is nothing to audit. Expected a table with a row an image. Received: no rows"
        )
    if record is not None:
        record = training_record.check_record(record)
    group = image_table.find_column(table, group)
    table = image_table.complete_table(table, pattern)
    notes = list(table.attrs.get("notes", []))
    inferred = ", ".join(map(str, table.attrs.get("patient_id_inferred", [])))
    listed = table.copy()
    listed.attrs = {}
    table, unreadable, readable = _describe(table, cache_dir)
    unique = table.drop_duplicates("image_id").reset_index(drop=True)
    if pairs is None and readable:
        hashed = unique[unique["sha256"].notna()]
        pairs = search.find_duplicates(hashed, search=copies, cache_dir=cache_dir)
    if looks is None and readable and "looks" in wanted:
        looks = measure_looks(unique, cache_dir)
    flat = () if pairs is None else pairs.attrs.get("flat", ())
    measured = {
        "table": table,
        "listed": listed,
        "images": image_table.add_properties(unique),
        "units": image_table.join_units(unique, pairs),
        "knows_patient": listed["patient_id"] != listed["image_id"],
        "pairs": pairs,
        "links": links.list_links(table, pairs, flat),
        "looks": looks,
        "record": record,
        "group": group,
        "inferred": inferred,
        "num_permutations": num_permutations,
        "seed": seed,
    }
    folds = image_table.list_folds(listed)
    call = functools.partial(_call_for_folds, folds=folds) if folds else _call
    # Small matrices: a second thread of BLAS or OpenMP only waits, and takes the core from others.
    with threadpoolctl.threadpool_limits(1):
        found = [row for check in checks.values() for row in call(check, measured)]
    order = list(CODES)
    found = sorted(rows.settle_rows(found), key=lambda row: order.index(row.code))
    found_pairs = findings.list_pairs(measured["links"], pairs, table)
    found_units = findings.list_units(listed, found_pairs, group)
    about = describe_table(table, unreadable) | {
        "notes": notes,
        "num_read": _count_read(table),
        "num_pairs": len(found_pairs),
        "num_units": int(found_units["unit"].nunique()),
    }
    kept = {"pairs": pairs, "looks": looks}
    return ReportCard(found, about, table, found_pairs, found_units, measured=kept)


def _count_read(table):
    return int(table.loc[table["sha256"].notna(), "image_id"].nunique())


def _call_for_folds(check, measured, folds):
    """Run a check with each fold in turn as the test set; of each row keep the worst."""
    if not {"table", "listed", "links"} & set(inspect.signature(check).parameters):
        return _call(check, measured)
    found = {}
    for fold in folds:
        turn = dict(measured)
        for name in ("table", "listed"):
            split = measured[name]["split"]
            named = split.where(split.isna(), np.where(split == fold, "test", "train"))
            turn[name] = measured[name].assign(split=named)
        flat = () if measured["pairs"] is None else measured["pairs"].attrs.get("flat", ())
        turn["links"] = links.list_links(turn["table"], measured["pairs"], flat)
        for row in _call(check, turn):
            found.setdefault(row.check, []).append((fold, row))
    return [rows.choose_worst(turns, len(folds)) for turns in found.values()]


def _list_arguments(checks):
    """What the checks ask for, all together."""
    wanted = {name: list(inspect.signature(check).parameters) for name, check in checks.items()}
    for name, arguments in wanted.items():
        unknown = [argument for argument in arguments if argument not in ARGUMENTS]
        if unknown:
            raise ValueError(
                f"The check {name!r} asks for what an audit does not have. Expected arguments "
                f"named any of {', '.join(ARGUMENTS)}. Received: {', '.join(unknown)}"
            )
    return {argument for arguments in wanted.values() for argument in arguments}


def _call(check, measured):
    wanted = inspect.signature(check).parameters
    found = check(**{name: measured[name] for name in wanted})
    return [found] if isinstance(found, Row) else found


def _describe(table, cache_dir):
    """Fill in the facts of the files where they are missing; leave unreadable ones out.

    Where no file at all can be read the table is audited without them.

    Returns
    -------
    table : DataFrame
        Without attributes: pandas copies a long list of unreadable files at every step.
    unreadable : list of dict
    has_files : bool
    """
    unreadable = list(table.attrs.get("unreadable", []))
    table.attrs = {}
    wanted = table[table["sha256"].isna() & table["path"].notna()].drop_duplicates("image_id")
    has_files = bool((table["sha256"].notna() & table["path"].notna()).any())
    if wanted.empty:
        return table, unreadable, has_files
    described = facts.describe_files(wanted, cache_dir)
    bad, described.attrs = described.attrs["unreadable"], {}
    known = described.set_index("image_id")
    for name in facts.FACTS if len(described) else ():
        found = table["image_id"].map(known[name])
        table[name] = table[name].astype(found.dtype).where(table[name].notna(), found)
    has_files = has_files or len(described) > 0
    if has_files:
        names = {item["image_id"] for item in bad}
        table = table[~table["image_id"].isin(names)].reset_index(drop=True)
    return table, unreadable + bad, has_files
