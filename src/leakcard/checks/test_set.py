"""L1.1: is there a test set, large enough, with all classes of training?"""

from leakcard import intervals
from leakcard.rows import Row
from leakcard.table import SPLITS

# Under this many images the 95 % interval of an accuracy of 90 % spans about 20 points.
FEW_TEST_IMAGES = 40


def check_test_set(table):
    """L1.1: a test set that is there, large enough, and has all classes of training."""
    row = {"code": "L1.1", "check": "test_set", "title": "A test set"}
    counts = {name: int((table["split"] == name).sum()) for name in SPLITS}
    if table["split"].isna().all():
        return [
            Row(
                **row,
                status="not testable",
                reason="The table does not say which images are for training and for testing.",
                question="Which images were held out for testing, and when were they set aside?",
            )
        ]
    figure = ", ".join(f"{name} {count}" for name, count in counts.items())
    if not counts["test"] or not counts["train"]:
        missing = "test" if not counts["test"] else "training"
        return [
            Row(
                **row,
                status="fail",
                figure=figure,
                value=counts["test"],
                reason=f"There is no {missing} set: a score would be measured on what was learned.",
                action="Hold out whole patients for testing before anything else is done.",
            )
        ]
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
    return [Row(**row, status=status, figure=figure, value=len(test), reason=reason, action=action)]
