"""Does a property follow the label? One row for a property with names, one for a number."""

import numpy as np
import pandas as pd

from leakcard import rows as card_rows
from leakcard import stats
from leakcard.rows import Row

# With fewer patients of a class, or values known for fewer, no association is worth a p-value.
MIN_PATIENTS = 5
MAX_VALUES = 20
ACTIONS = {
    "L3.3": "Take all classes from one population, or match and report within its groups.",
    "L2": "Make files and pictures alike before training, and test on others.",
}
FOLLOWS = (
    "It follows the label: a classifier that sees it, or what goes with it, need not look at the "
    "subject."
)
FOLLOWS_NOT = "It does not follow the label."


def compare_names(images, units, name, code, title, num_permutations, seed, by="label"):
    """Test whether a property follows the label, by bias-corrected Cramer's V.

    Parameters
    ----------
    images : DataFrame
        One row an image, with the label and the property.
    units : ndarray of shape (n_images,)
        Independent units, such as patients.
    name, code, title : str
        The column, and what the row says of it.
    num_permutations, seed : int
    by : {"label", "split"}
        The column that is the label.

    Returns
    -------
    Row
    """
    row = {"code": code, "check": name, "title": title}
    kind = "class" if by == "label" else by
    is_labelled = images[by].notna()
    images, units = images[is_labelled], units[is_labelled]
    labels, values = images[by], images[name]
    if values.isna().all():
        return ask(row, name, "is not known for any image")
    if labels.nunique() < 2:
        return ask(row, name, f"cannot follow a label where there is one {kind} only")
    known = values.notna().to_numpy()
    tested = keep_testable(labels, units, known)
    only_missing = not (tested & known).any() or labels[tested & known].nunique() < 2
    if only_missing:  # known for one class only: whether it is known follows the label
        chosen = keep_testable(labels, units, np.ones(len(labels), dtype=bool))
        values = pd.Series(np.where(known, "known", "missing"), index=labels.index)
    else:
        chosen = tested & known
    codes = pd.factorize(labels[chosen], sort=True)[0]
    if len(set(codes)) < 2:
        return ask(row, name, f"is known for too few patients (under {MIN_PATIENTS} of a {kind})")
    test = stats.measure_association(
        codes, _pool_rare(values[chosen]), units[chosen], num_permutations, seed
    )
    status = card_rows.judge_effect(test.effect)
    shares = _describe_shares(labels[chosen], values[chosen])
    figure = f"V = {test.effect:.2f}, {shares}; {len(set(units[chosen]))} independent units"
    missing = f" Not known for {1 - known.mean():.0%} of the images." if not known.all() else ""
    if only_missing:
        status = "warn" if status == "fail" else status
        missing = f" It is known for one {kind} and not for another, so that it cannot be compared."
    tested = card_rows.describe_test(test) if len(set(values[chosen])) > 1 else {}
    return Row(
        **row,
        status=status,
        figure=figure,
        **tested,
        value=test.effect,
        reason=(FOLLOWS_NOT if status == "pass" else FOLLOWS) + missing,
        action="" if status == "pass" else ACTIONS[code],
    )


def ask(row, name, why):
    """Make the row of what cannot be tested."""
    text = name.replace("_", " ")
    return card_rows.ask(row, f"The {text} {why}.", f"Does the {text} differ between the classes?")


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


def compare_numbers(images, units, name, what, show, row, num_permutations, seed):
    """Test whether a number follows the label, by its ranks.

    Parameters
    ----------
    images, units, num_permutations, seed
        As `compare_names`.
    name : str
        A column of numbers.
    what : str
        What it is in words, with its unit.
    show : callable
        Writes one of the numbers.
    row : dict
        `code`, `check` and `title`.

    Returns
    -------
    Row or None
        None if the number is not known for two classes.
    """
    labelled = images["label"].notna() & images[name].notna()
    images, units = images[labelled], units[labelled]
    chosen = keep_testable(images["label"], units, np.ones(len(images), dtype=bool))
    images, units = images[chosen], units[chosen]
    if images["label"].nunique() < 2:
        return None
    codes = pd.factorize(images["label"], sort=True)[0]
    test = stats.measure_rank_gap(codes, images[name], units, num_permutations, seed)
    status = card_rows.judge_effect(test.effect)
    medians = images.groupby("label")[name].median()
    shown = ", ".join(f"{label} {show(number)}" for label, number in medians.items())
    reason = "It follows the label." if status != "pass" else "It does not follow the label."
    return Row(
        **row,
        status=status,
        **card_rows.describe_test(test),
        reason=reason,
        value=float(medians.max() - medians.min()),
        figure=f"median {what}: {shown}; effect {test.effect:.2f}",
        action="" if status == "pass" else ACTIONS["L3.3"],
    )
