"""The report card: which leaks does a split have, what is each worth, what can only be asked?

A new check is one file with a function (table, context) -> list of `Row`, and one line in `CHECKS`.
"""

from leakage import tables
from leakage.audit import (
    confounding,
    groups,
    preprocessing,
    rows,
    selection,
    separation,
    shortcuts,
    training_record,
    trends,
)
from leakage.audit.card import ReportCard, compare_cards, describe_table, read_card
from leakage.audit.context import (
    PATTERNS,
    Context,
    complete_table,
    infer_patients,
    join_units,
)
from leakage.audit.folder import read_images
from leakage.audit.looks import Looks, measure_looks
from leakage.audit.model_info import format_model_info
from leakage.audit.rows import CODES, STATUSES, Row
from leakage.audit.stored import read_cards, write_cards
from leakage.audit.training_record import make_record, read_record

CHECKS = {
    "test_set": separation.check_test_set,
    "preprocessing": preprocessing.check_preprocessing,
    "selection": selection.check_selection,
    "duplicates": separation.check_duplicates,
    "dates": trends.check_dates,
    "groups": groups.check_groups,
    "properties": confounding.check_properties,
    "ages": trends.check_ages,
    "shortcuts": shortcuts.check_shortcuts,
}

__all__ = [
    "CHECKS",
    "CODES",
    "PATTERNS",
    "STATUSES",
    "Context",
    "Looks",
    "ReportCard",
    "Row",
    "audit_split",
    "compare_cards",
    "complete_table",
    "format_model_info",
    "infer_patients",
    "make_record",
    "measure_looks",
    "read_card",
    "read_images",
    "read_record",
    "read_cards",
    "write_cards",
]


def audit_split(
    table,
    *,
    record=None,
    group=None,
    pattern=None,
    pairs=None,
    looks=None,
    num_permutations=999,
    seed=0,
):
    """Look for every kind of leak in a split, and say what cannot be told from it.

    Parameters
    ----------
    table : DataFrame
        As from `splits.draw_split`, or any with `path` (or `image_id`), `label`, `split`; rows
        may be repeated. Those of `tables.COLUMNS` that are there are used.
    record : dict, optional
        Of the training run, see `training_record`.
    group : str, optional
        A further column whose groups must not be in two splits (a device, a video).
    pattern : str, optional
        A name of `PATTERNS` or a regular expression that finds the patient in file names.
    pairs : DataFrame, optional
        Confirmed duplicates as from `duplicates.find_duplicates`, for example of the whole pool
        that several splits are drawn from; pairs of other images are ignored. Searched for by
        default.
    looks : Looks, optional
        As from `measure_looks`, of these images and any others. Measured by default.
    num_permutations : int
        For every p-value; with 999 the smallest is 0.001, which survives correction for the 16
        tests of a card.
    seed : int
        Decides permutations, folds and bootstraps.

    Returns
    -------
    ReportCard
        At least one row for each of `CODES`.

    Raises
    ------
    ValueError
        If the table has no rows or no images, its splits have unknown names, or an option does
        not fit it.
    """
    if len(table) == 0:
        raise ValueError(
            "There is nothing to audit. Expected a table with a row an image. Received: no rows"
        )
    if record is not None:
        record = training_record.check_record(record)
    table = complete_table(table, pattern, group)
    inferred = ", ".join(map(str, table.attrs.get("patient_id_inferred", [])))
    table, unreadable, readable = _describe(table)
    unique = table.drop_duplicates("image_id").reset_index(drop=True)
    if pairs is None and readable:
        from leakage.audit import duplicates  # its libraries are needed for this search alone

        pairs = duplicates.find_duplicates(unique[unique["sha256"].notna()])
    if looks is None and readable:
        looks = measure_looks(unique)
    context = Context(
        images=confounding.add_properties(unique),
        units=join_units(unique, pairs),
        knows_patient=table["patient_id"] != table["image_id"],
        pairs=pairs,
        looks=looks,
        record=record,
        group=group,
        inferred=inferred,
        num_permutations=num_permutations,
        seed=seed,
    )
    found = [row for check in CHECKS.values() for row in check(table, context)]
    order = list(CODES)
    found = sorted(rows.settle_rows(found), key=lambda row: order.index(row.code))
    about = describe_table(table, unreadable)
    return ReportCard(found, about, table, context.memory["links"])


def _describe(table):
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
    described = tables.describe_files(wanted)
    bad, described.attrs = described.attrs["unreadable"], {}
    facts = described.set_index("image_id")
    for name in ("width_px", "height_px", "file_format", "num_bytes", "sha256"):
        found = table["image_id"].map(facts[name])
        table[name] = table[name].astype(found.dtype).where(table[name].notna(), found)
    has_files = has_files or len(described) > 0
    if has_files:
        names = {item["image_id"] for item in bad}
        table = table[~table["image_id"].isin(names)].reset_index(drop=True)
    return table, unreadable + bad, has_files
