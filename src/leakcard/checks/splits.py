"""L3.3: is the test set from another place, time or kind of patient than the training set?"""

import dataclasses

import numpy as np

from leakcard import association
from leakcard.rows import Row, Rule

PROPERTIES = {
    "label": "Test set and label",
    "source": "Test set and source",
    "view": "Test set and view",
    "sex": "Test set and sex",
    "age_group": "Test set and age group",
    "file_format": "Test set and file type",
    "size_class": "Test set and image size",
}
MEANING = (
    "For an internal test this is a fault: the score speaks of other images than those it was "
    "trained for. For an external test it is the point, and the score must be called that."
)


RULES = (
    Rule(
        code="L3.3",
        checks=("split_properties", *(f"split_{name}" for name in PROPERTIES)),
        title="Test set against training set",
        looks_at="Whether label, source, view, sex, age group, file type or image size differ "
        "between training (with validation) and test set, by bias-corrected Cramer's V. It warns "
        "and never fails.",
        cannot_see="A property that was not given; a difference within the pictures.",
        wrong_when="The test set is meant to be external: then it is to differ.",
        what_to_do="For an internal test draw both sets from the same images; call an external "
        "test external, and say in what it differs.",
    ),
)


def check_splits(table, images, units, num_permutations, seed):
    """L3.3: a fact about the two sets and no leak by itself, so it warns and never fails."""
    split = table.drop_duplicates("image_id").set_index("image_id")["split"]
    split = images["image_id"].map(split)
    parts = split.map({"train": "training", "val": "training", "test": "test"})
    if parts.nunique() < 2:
        return Row(
            code="L3.3",
            check="split_properties",
            title="Test set against training set",
            status="not testable",
            reason="There are not two splits to compare.",
            question="Are training and test images from the same place and time?",
        )
    images = images.assign(split=parts)
    rows = []
    for name, title in PROPERTIES.items():
        if not images[name].notna().any():
            continue
        row = association.compare_names(
            images, np.asarray(units), name, "L3.3", title, num_permutations, seed, by="split"
        )
        rows.append(_reword(row, f"split_{name}"))
    return rows


def _reword(row, check):
    """Say of a row about the label what it means about the split."""
    reason = row.reason.replace(association.FOLLOWS, f"It differs. {MEANING}")
    reason = reason.replace(association.FOLLOWS_NOT, "It does not differ.")
    changes = {"check": check, "reason": reason}
    if row.status in ("warn", "fail"):
        changes |= {"status": "warn", "action": ""}
        changes["question"] = "Is the test set meant to be external?"
    elif row.status == "not testable":
        changes["question"] = "Does it differ between training and test set?"
    return dataclasses.replace(row, **changes)
