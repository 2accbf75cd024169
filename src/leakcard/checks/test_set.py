"""L1.1: is there a test set, large enough, with all classes of training?"""

from leakcard import intervals
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule
from leakcard.table import SPLITS

# Under this many images the 95 % interval of an accuracy of 90 % spans about 20 points.
FEW_TEST_IMAGES = 40


RULES = (
    Rule(
        code="L1.1",
        checks=("test_set",),
        title="A test set",
        looks_at="The column of splits, or the folders: are there training and test images, are "
        f"there at least {FEW_TEST_IMAGES} of the latter, and has every class of training some?",
        cannot_see="When the test set was set aside, and how often it was looked at.",
        wrong_when="The test set lies elsewhere and is not on the list: then this fails for want "
        "of what you did not give.",
        what_to_do="Set whole patients aside for testing before anything else is done, some of "
        "every class; give the interval with every score.",
    ),
)


def check_test_set(table):
    """L1.1: a test set that is there, large enough, and has all classes of training."""
    row = {"code": "L1.1", "check": "test_set", "title": "A test set"}
    counts = {name: int((table["split"] == name).sum()) for name in SPLITS}
    if table["split"].isna().all():
        reason = "The table does not say which images are for training and for testing."
        question = "Which images were held out for testing, and when were they set aside?"
        return card_rows.ask(row, reason, question)
    figure = ", ".join(f"{name} {count}" for name, count in counts.items())
    if not counts["test"] or not counts["train"]:
        missing = "test" if not counts["test"] else "training"
        return Row(
            **row,
            status="fail",
            figure=figure,
            value=counts["test"],
            reason=f"There is no {missing} set: a score would be measured on what was learned.",
            action="Hold out whole patients for testing before anything else is done.",
        )
    test, train = (table[table["split"] == name] for name in ("test", "train"))
    absent = sorted(set(train["label"].dropna().astype(str)) - set(test["label"].astype(str)))
    lower, upper = intervals.wilson_interval(round(0.9 * len(test)), len(test))
    figure += f"; an accuracy of 90 % would have an interval of {lower:.0%} to {upper:.0%}"
    status, reason, action = "pass", "Training and test set are there.", ""
    if absent:
        status, reason = "warn", f"Classes without a test image: {', '.join(absent)}."
        action = "Hold out test images of every class."
    elif len(test) < FEW_TEST_IMAGES:
        status, reason = "warn", f"With {len(test)} test images a score says little."
        action = "Report the interval with every score; test on more images."
    return Row(**row, status=status, figure=figure, value=len(test), reason=reason, action=action)
