"""L3.2: are the images of one patient (or any group) kept together?"""

import dataclasses

import pandas as pd

from leakcard import intervals, values
from leakcard import rows as card_rows
from leakcard import table as image_table
from leakcard.rows import Row, Rule

TOLD_BY = "patient_id"


RULES = (
    Rule(
        code="L3.2",
        checks=("patient_across_splits", "group_across_splits"),
        title="Patients, and groups of a column, across splits",
        looks_at="The column of patients, or patients found in file names (`--pattern`), and the "
        "column that you name (`--group`): is one of them in training or validation and in the "
        "test set? All images on the list count, also those that cannot be read.",
        cannot_see="Patients that were not given, and the same patient under two numbers (two "
        "hospitals, two spellings that differ in more than case, zeros and separators).",
        wrong_when="Two sources number their patients alike: then it says so and is not testable. "
        "A pattern that takes a part of the file name that is no patient.",
        what_to_do="Split by patient: keep each unit of `units.csv` in one split "
        "(`GroupKFold` takes its column `unit` as `groups`).",
        files=("units.csv",),
    ),
    Rule(
        code="L3.2",
        checks=("patient_across_labels", "group_across_labels"),
        title="Patients, and groups of a column, across labels",
        looks_at="Whether a patient, or a group, has images of two or more labels.",
        cannot_see="Patients that were not given.",
        wrong_when="A disease comes or goes: two labels are then right, and the images are still "
        "not independent.",
        what_to_do="Keep such a patient in one split, and count patients, not images, in "
        "intervals.",
        files=("units.csv",),
    ),
    Rule(
        code="L3.2",
        checks=("patient_spellings",),
        title="Patients spelled in two ways across splits",
        looks_at="Numbers of patients in two splits that differ in case, leading zeros or "
        "separators only. Where there are none the card has no such row.",
        cannot_see="Spellings that differ in more.",
        wrong_when="`P1` and `p01` are two patients.",
        what_to_do="Write every patient in one way, and audit again.",
    ),
)


def check_groups(listed, knows_patient, group, inferred):
    """L3.2: patients, and a further group column, across splits and across classes.

    All rows of a list count, also those whose file cannot be read.
    """
    table = listed
    told_by = f"{TOLD_BY}, inferred: {inferred}" if inferred else TOLD_BY
    known = knows_patient
    rows = _check_one(table, table["patient_id"].where(known), "patient", "patients", told_by)
    rows += _compare_spellings(table, table["patient_id"].where(known))
    if group:
        rows += _check_one(table, table[group], group, f"groups of {group!r}", f"column {group}")
    return rows


def _compare_spellings(table, patients):
    """Warn of ids that may be one patient in two spellings; no row where there are none."""
    alike = [
        names
        for names in values.find_alike(patients.dropna())
        if len(set(table.loc[patients.isin(names), "split"].dropna())) > 1
    ]
    if not alike:
        return []
    concerned = patients.isin([name for names in alike for name in names])
    pairs = "; ".join(" and ".join(names[:3]) for names in alike[:3])
    more = f"; and {len(alike) - 3} more" if len(alike) > 3 else ""
    return [
        Row(
            code="L3.2",
            check="patient_spellings",
            title="Patients spelled in two ways across splits",
            status="warn",
            **card_rows.name_images(table.loc[concerned, "image_id"]),
            figure=f"{len(alike)} patients: {pairs}{more}",
            value=len(alike),
            reason="They differ in case, zeros or separators only. Here they count as different "
            "patients; if they are the same, the test set is not new to the model.",
            action="Write every patient in one way, and audit again.",
            question="Are these the same patients?",
        )
    ]


def suggest_pattern(table):
    """Name the pattern of `PATTERNS` that most file names follow, or None."""
    shares = {}
    for name in image_table.PATTERNS:
        try:
            inferred = image_table.infer_patients(table.assign(patient_id=None), name)
        except ValueError:
            continue
        shares[name] = inferred["patient_id"].notna().mean()
    best = max(shares, key=shares.get, default=None)
    return best if best and shares[best] > 0.5 else None


def _check_one(table, groups, name, plural, told_by):
    across_splits = {
        "code": "L3.2",
        "check": f"{name}_across_splits",
        "title": f"{plural.capitalize()} across splits",
    }
    across_labels = {
        "code": "L3.2",
        "check": f"{name}_across_labels",
        "title": f"{plural.capitalize()} across labels",
    }
    known = groups.notna()
    if not known.any():
        hint = suggest_pattern(table) if name == "patient" else None
        reason = f"No column says which images belong together ({plural})."
        if hint:
            reason += f" The file names look like the pattern {hint!r}: try --pattern {hint}."
        question = f"Were all images of a {name} put into one split?"
        return [card_rows.ask(row, reason, question) for row in (across_splits, across_labels)]
    table, groups = table[known], groups[known].astype(str)
    note = f"by {told_by}"
    if not known.all():
        note += f"; known for {known.mean():.0%} of the images only"
    rows = [_compare_splits(table, groups, across_splits, name, plural, note)]
    if table["label"].notna().any():
        rows.append(_compare_labels(table, groups, across_labels, name, plural, note))
    else:
        rows.append(card_rows.ask(across_labels, "There are no labels.", "What are the labels?"))
    return rows if known.all() else [_hold_back(row, known, name) for row in rows]


def _hold_back(row, known, name):
    """What is not known for all images never passes."""
    if row.status != "pass":
        return row
    return dataclasses.replace(
        row,
        status="not testable",
        reason=f"None is shared where they are known, but {1 - known.mean():.0%} are not known.",
        question=f"Whose are the images without a {name}?",
    )


def _compare_splits(table, groups, row, name, plural, note):
    who, whom = ("who", "whom") if name == "patient" else ("that", "that")
    action = f"Split by {name}: all images of one go to one split."
    splits = table["split"]
    if splits.nunique() < 2:
        question = f"Were all images of a {name} put into one split?"
        figure = f"{groups.nunique()} {plural} ({note})"
        return card_rows.ask(row, "There are not two splits to compare.", question, figure)
    members = {part: set(groups[splits == part]) for part in image_table.SPLITS}
    elsewhere = members["train"] | members["val"]
    is_test = splits == "test"
    shared = is_test & groups.isin(elsewhere)
    inner = members["train"] & members["val"]
    num_test, num_shared = int(is_test.sum()), int(shared.sum())
    if num_shared and not _is_shared_within_sources(table, groups, shared):
        return Row(
            **row,
            **card_rows.name_images(table.loc[shared, "image_id"]),
            status="not testable",
            figure=f"{num_shared} of {num_test} test images have the number of one of the "
            f"{plural} of another source ({note})",
            reason="No number comes twice within a source, so the sources may number alike.",
            question=f"Are they the same {plural}? If not, write the source into the number.",
        )
    if num_shared:
        lower, upper = intervals.wilson_interval(num_shared, num_test)
        share = num_shared / num_test
        return Row(
            **row,
            **card_rows.name_images(table.loc[shared, "image_id"]),
            status="fail",
            figure=f"{num_shared} of {num_test} test images ({share:.1%}; {lower:.1%} to "
            f"{upper:.1%}) are of {groups[shared].nunique()} {plural} {who} are in training or "
            f"validation too ({note})",
            value=share,
            lower=lower,
            upper=upper,
            reason=f"A network recognises a {name} {whom} it has seen; new ones it has not.",
            action=action,
        )
    if inner:
        concerned = table.loc[groups.isin(inner) & (splits != "test"), "image_id"]
        return Row(
            **row,
            **card_rows.name_images(concerned),
            status="warn",
            figure=f"{len(inner)} {plural} are in training and validation ({note})",
            value=len(inner),
            reason=f"Validation then rewards memory of {plural}.",
            action=action,
        )
    return Row(
        **row,
        status="pass",
        value=0.0,
        reason="None is shared.",
        figure=f"0 of {num_test} test images; {groups.nunique()} {plural} ({note})",
    )


def _is_shared_within_sources(table, groups, shared):
    """Whether any shared group is in two splits of one source, or sources are not known."""
    sources = table["source"]
    if sources.isna().any() or sources.nunique() < 2:
        return True
    keys = sources.astype(str) + "\0" + groups
    elsewhere = set(keys[table["split"].isin(["train", "val"])])
    return bool(keys[shared].isin(elsewhere).any())


def _compare_labels(table, groups, row, name, plural, note):
    unique = pd.DataFrame({"group": groups, "label": table["label"], "id": table["image_id"]})
    unique = unique.dropna(subset=["label"])
    num_labels = unique.groupby("group")["label"].nunique()
    both = set(num_labels[num_labels > 1].index)
    figure = f"{len(both)} of {len(num_labels)} {plural} have images of two or more labels ({note})"
    if not both:
        return Row(**row, status="pass", figure=figure, value=0, reason="None is shared.")
    return Row(
        **row,
        **card_rows.name_images(unique.loc[unique["group"].isin(both), "id"]),
        status="warn",
        figure=figure,
        value=len(both),
        reason=f"Images of one {name} are alike whatever their label: labels are not drawn "
        f"independently of {plural}.",
        action=f"Keep such a {name} in one split, and count {plural}, not images, in intervals.",
    )
