"""L2 and L3.3: does a property that is not the disease follow the label?"""

import numpy as np
import pandas as pd

from leakage import tables
from leakage.audit import permutation
from leakage.audit import rows as card_rows
from leakage.audit.rows import Row

# With fewer patients of a class, or values known for fewer, no association is worth a p-value.
MIN_PATIENTS = 5
MAX_VALUES = 20
NUM_SIZE_CLASSES = 5

PROPERTIES = {
    "source": ("L3.3", "Label and source"),
    "sex": ("L3.3", "Label and sex"),
    "view": ("L3.3", "Label and view (PA, AP)"),
    "age_group": ("L3.3", "Label and age group (child, adult)"),
    "background": ("L2", "Label and background"),
    "file_format": ("L2", "Label and file type"),
    "size_class": ("L2", "Label and image size"),
}
ACTIONS = {
    "L3.3": "Take all classes from one population, or match and report within its groups.",
    "L2": "Make files and pictures alike before training, and test on others.",
}


def add_properties(images):
    """Add `age_group`, `size_class` and `date_days` to a table of images."""
    images = images.copy()
    images["age_group"] = tables.get_age_groups(images)
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


def check_properties(table, context):
    """L2 and L3.3: bias-corrected Cramer's V of the label with each property."""
    return [_check_property(context, name) for name in PROPERTIES]


def _check_property(context, name):
    code, title = PROPERTIES[name]
    row = {"code": code, "check": name, "title": title}
    labelled = context.images[context.images["label"].notna()]
    values, units = labelled[name], context.units[context.images["label"].notna()]
    if values.isna().all():
        return ask(row, name, "is not known for any image")
    if labelled["label"].nunique() < 2:
        return ask(row, name, "cannot follow a label where there is one class only")
    known = values.notna().to_numpy()
    tested = keep_testable(labelled["label"], units, known)
    only_missing = not (tested & known).any() or (
        labelled.loc[tested & known, "label"].nunique() < 2
    )
    if only_missing:  # known for one class only: whether it is known follows the label
        chosen = keep_testable(labelled["label"], units, np.ones(len(labelled), dtype=bool))
        values = pd.Series(np.where(known, "known", "missing"), index=labelled.index)
    else:
        chosen = tested & known
    codes = pd.factorize(labelled.loc[chosen, "label"], sort=True)[0]
    if len(set(codes)) < 2:
        return ask(row, name, f"is known for too few patients (under {MIN_PATIENTS} of a class)")
    effect, p_value = permutation.measure_association(
        codes, _pool_rare(values[chosen]), units[chosen], context.num_permutations, context.seed
    )
    status = card_rows.judge_effect(effect)
    shares = _describe_shares(labelled.loc[chosen, "label"], values[chosen])
    figure = f"V = {effect:.2f}, {shares}"
    missing = f" Not known for {1 - known.mean():.0%} of the images." if not known.all() else ""
    if only_missing:
        status = "warn" if status == "fail" else status
        missing = " It is known for one class and not for another, so that it cannot be compared."
    reason = "It follows the label: " if status != "pass" else "It does not follow the label."
    if status != "pass":
        reason += "a classifier that sees it, or what goes with it, needs no disease."
    action = "" if status == "pass" else ACTIONS[code]
    p_value = p_value if len(set(values[chosen])) > 1 else None
    return Row(
        **row,
        status=status,
        figure=figure,
        value=effect,
        effect=effect,
        p_value=p_value,
        reason=reason + missing,
        action=action,
    )


def ask(row, name, why):
    """Make the row of what cannot be tested."""
    text = name.replace("_", " ")
    return Row(
        **row,
        status="not testable",
        reason=f"The {text} {why}.",
        question=f"Does the {text} differ between the classes?",
    )


def keep_testable(labels, units, known):
    """Mark the rows of labels that have enough patients among the known rows."""
    counts = pd.Series(units[known]).groupby(labels[known].to_numpy()).nunique()
    return labels.isin(counts[counts >= MIN_PATIENTS].index).to_numpy()


def _pool_rare(values):
    common = values.value_counts().index[: MAX_VALUES - 1]
    return values.where(values.isin(common), "other")


def _describe_shares(labels, values):
    """Name the most frequent value of each label and its share: `covid 98 % PNG, ...`."""
    texts = []
    for label, of_label in values.groupby(labels.astype(str)):
        counts = of_label.value_counts(normalize=True).sort_index().sort_values(kind="stable")
        texts.append(f"{label} {counts.iloc[-1]:.0%} {counts.index[-1]}")
    return ", ".join(texts)
