"""L3.1: is the test set later than training, and do dates follow the label?"""

import numpy as np
import pandas as pd

from leakcard import association
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

RULES = (
    Rule(
        code="L3.1",
        checks=("temporal_order",),
        title="Test and training set in time",
        looks_at="The column of dates: are more than nine tenths of the dated test images from "
        "before the median training image?",
        cannot_see="Anything without dates; whether the claim is about the future at all.",
        wrong_when="Dates are of a file or an upload instead of the examination, or were shifted "
        "for anonymity, patient by patient.",
        what_to_do="For a claim about patients to come, test on images from after training.",
    ),
    Rule(
        code="L3.1",
        checks=("date_gap",),
        title="Label and date",
        looks_at="Whether dates follow the label, by their ranks, against labels dealt out anew "
        "among patients.",
        cannot_see="Anything without dates in two classes; a change of device within a class.",
        wrong_when="Dates are known for other images than those that matter, or were shifted for "
        "anonymity.",
        what_to_do="Take all classes from the same years, or report within years.",
    ),
)


def check_dates(table, images, units, num_permutations, seed):
    """L3.1: is the test set later than training, and do dates follow the label?"""
    row = {"code": "L3.1", "check": "date_gap", "title": "Label and date"}

    def show(days):
        return f"{pd.Timestamp('2000-01-01') + pd.Timedelta(days=days):%Y-%m}"

    gap = association.compare_numbers(
        images, units, "date_days", "date", show, row, num_permutations, seed
    )
    gap = gap or association.ask(row, "date", "is not known for two classes")
    return [_check_order(table, images), gap]


def _check_order(table, images):
    row = {"code": "L3.1", "check": "temporal_order", "title": "Test and training set in time"}
    question = (
        "Is the claim about patients of a later time? Is every test image from after training?"
    )
    days = pd.Series(images["date_days"].to_numpy(), index=images["image_id"])
    days = days.reindex(table["image_id"]).to_numpy()
    dated = ~np.isnan(days)
    train, test = (days[dated & (table["split"] == name).to_numpy()] for name in ("train", "test"))
    if min(len(train), len(test)) < association.MIN_PATIENTS:
        return card_rows.ask(row, "There are no dates in training and test set.", question)
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
