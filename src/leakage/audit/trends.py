"""L3.1 and L3.3: do ages and dates follow the label, and is the test set of a later time?"""

import numpy as np
import pandas as pd

from leakage.audit import confounding, permutation
from leakage.audit import rows as card_rows
from leakage.audit.rows import Row

# A minority this small can be neither learned nor measured: it is an oversight, not a mixture.
STRAY_SHARE = 0.15


def _compare_numbers(context, name, row, describe):
    """Test whether a number follows the label; None if it is not known for two classes."""
    labelled = context.images["label"].notna() & context.images[name].notna()
    images, units = context.images[labelled], context.units[labelled]
    chosen = confounding.keep_testable(images["label"], units, np.ones(len(images), dtype=bool))
    images, units = images[chosen], units[chosen]
    if images["label"].nunique() < 2:
        return None
    codes = pd.factorize(images["label"], sort=True)[0]
    effect, p_value = permutation.measure_rank_gap(
        codes, images[name], units, context.num_permutations, context.seed
    )
    status = card_rows.judge_effect(effect)
    medians = images.groupby("label")[name].median()
    reason = "It follows the label." if status != "pass" else "It does not follow the label."
    return Row(
        **row,
        status=status,
        effect=effect,
        p_value=p_value,
        reason=reason,
        value=float(medians.max() - medians.min()),
        figure=describe(images, medians, effect),
        action="" if status == "pass" else confounding.ACTIONS["L3.3"],
    )


def check_ages(table, context):
    """L3.3: the gap between the median ages of the classes, and stray children or adults."""
    row = {"code": "L3.3", "check": "age_gap", "title": "Label and age"}

    def describe(images, medians, effect):
        ages = ", ".join(f"{label} {age:.0f}" for label, age in medians.items())
        return f"median age in years: {ages}; effect {effect:.2f}"

    gap = _compare_numbers(context, "age_years", row, describe)
    return [
        gap or confounding.ask(row, "age", "is not known for two classes"),
        _check_minority(context),
    ]


def _check_minority(context):
    row = {"code": "L3.3", "check": "under_18", "title": "A small minority of children or adults"}
    images = context.images
    groups = images["age_group"].dropna()
    if groups.empty:
        return confounding.ask(row, "age", "is not known")
    labels = images.loc[groups.index, "label"].fillna("no label").astype(str)
    shares = (groups == "child").groupby(labels).agg(["mean", "size"])
    figure = "under 18 years: " + ", ".join(
        f"{label} {share:.1%} of {size:.0f}" for label, share, size in shares.itertuples()
    )
    total = float((groups == "child").mean())
    result = {**row, "figure": figure, "value": total}
    # The share within the class, or within all images where it is small there too.
    own = labels.map(shares["mean"])
    if 0 < min(total, 1 - total) < STRAY_SHARE and not set(shares["mean"]) <= {0.0, 1.0}:
        own[:] = total
    stray = (groups == "child") & (own < STRAY_SHARE)
    stray |= (groups == "adult") & (own > 1 - STRAY_SHARE)
    if stray.any():
        few = " and ".join(sorted(set(groups[stray])))
        concerned = images.loc[stray.index[stray], "image_id"]
        return Row(
            **result,
            **card_rows.name_images(concerned),
            status="warn",
            reason=f"Too few {few} patients to learn from or to test on.",
            action="Leave them out, or report them apart.",
            question="For patients of which age is the claim?",
        )
    return Row(**result, status="pass", reason="No small minority of children or adults.")


def check_dates(table, context):
    """L3.1: is the test set later than training, and do dates follow the label?"""
    row = {"code": "L3.1", "check": "date_gap", "title": "Label and date"}

    def describe(images, medians, effect):
        start = pd.Timestamp("2000-01-01")
        dates = {label: start + pd.Timedelta(days=float(days)) for label, days in medians.items()}
        texts = ", ".join(f"{label} {date:%Y-%m}" for label, date in dates.items())
        return f"median date: {texts}; effect {effect:.2f}"

    gap = _compare_numbers(context, "date_days", row, describe)
    return [
        _check_order(table, context),
        gap or confounding.ask(row, "date", "is not known for two classes"),
    ]


def _check_order(table, context):
    row = {"code": "L3.1", "check": "temporal_order", "title": "Test and training set in time"}
    question = (
        "Is the claim about patients of a later time? Is every test image from after training?"
    )
    days = pd.Series(context.images["date_days"].to_numpy(), index=context.images["image_id"])
    days = days.reindex(table["image_id"]).to_numpy()
    dated = ~np.isnan(days)
    train, test = (days[dated & (table["split"] == name).to_numpy()] for name in ("train", "test"))
    if min(len(train), len(test)) < confounding.MIN_PATIENTS:
        return Row(
            **row,
            status="not testable",
            question=question,
            reason="There are no dates in training and test set.",
        )
    share = float((test < np.median(train)).mean())
    figure = (
        f"{share:.0%} of {len(test)} dated test images are from before the median training image, "
        f"{(test >= train.max()).mean():.0%} from after all of them"
    )
    if share > 0.9:
        return Row(
            **row,
            status="warn",
            figure=figure,
            value=share,
            question=question,
            reason="The model is trained on the future of its test set.",
            action="Test on images from after the training images.",
        )
    reason = (
        "The test set is later."
        if test.min() >= train.max()
        else ("Training and test set are of one time: the score does not say how the model ages.")
    )
    return Row(**row, status="pass", figure=figure, value=share, reason=reason, question=question)
