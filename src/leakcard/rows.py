"""One row of a report card, and how its status is decided."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from statsmodels.stats import multitest

# Worst first: the order in which a reader wants them.
STATUSES = ("fail", "warn", "not testable", "pass")
# Kapoor & Narayanan 2023, doi 10.1016/j.patter.2023.100804.
CODES = {
    "L1.1": "no test set",
    "L1.2": "pre-processing on training and test set",
    "L1.3": "selection on training and test set",
    "L1.4": "duplicates",
    "L2": "illegitimate features",
    "L3.1": "temporal leakage",
    "L3.2": "images that are not independent",
    "L3.3": "sampling bias in the test set",
}
ALPHA = 0.05
# Cohen 1988 calls a correlation-like effect size of 0.1 small and 0.3 medium. A significant
# effect under 0.1 is of no use to a classifier, one of 0.3 and more is worth many points.
WARN_EFFECT = 0.1
FAIL_EFFECT = 0.3
MAX_IMAGES_NAMED = 50


@dataclass(frozen=True)
class Row:
    """What one check found.

    Attributes
    ----------
    code : str
        One of `CODES`.
    check : str
        Short name of the check, the same in every card.
    title : str
        What was looked at, for readers.
    status : {"fail", "warn", "not testable", "pass"}
    figure : str
        What was found, with its interval or p.
    value, lower, upper : float, optional
        The figure as a number and its 95 % interval.
    effect : float, optional
        Effect size in [0, 1] that the status was judged by.
    p_value, p_adjusted : float, optional
        Of a permutation test; adjusted (Holm) for all tests of the card.
    images : tuple of str
        The first `MAX_IMAGES_NAMED` images concerned; `num_images` counts them all.
    reason : str
        Why this status.
    action : str
        What to do about it.
    question : str
        What only the author can answer.
    """

    code: str
    check: str
    title: str
    status: str
    figure: str = ""
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    effect: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    images: tuple[str, ...] = ()
    num_images: int = 0
    reason: str = ""
    action: str = ""
    question: str = ""

    def __post_init__(self):
        if self.status not in STATUSES or self.code not in CODES:
            raise ValueError(
                f"A row of a report card needs a status of {STATUSES} and a code of "
                f"{tuple(CODES)}. Received: status={self.status!r}, code={self.code!r}"
            )


def choose_worst(turns):
    """Return the worst of the rows of one check, and say of which fold it is.

    Parameters
    ----------
    turns : list of (str, Row)
        The fold that was the test set, and what was found.

    Returns
    -------
    Row
    """
    fold, worst = min(turns, key=lambda turn: STATUSES.index(turn[1].status))
    same = sum(row.status == worst.status for _, row in turns)
    told = f"{fold} as test set: {worst.figure}" if worst.figure else f"{fold} as test set"
    return replace(worst, figure=f"{told} ({worst.status} in {same} of {len(turns)} folds)")


def name_images(image_ids):
    """Return what a row says of the images concerned: `images` (sorted, capped), `num_images`."""
    unique = sorted({str(name) for name in image_ids})
    return {"images": tuple(unique[:MAX_IMAGES_NAMED]), "num_images": len(unique)}


def judge_effect(effect, warn=WARN_EFFECT, fail=FAIL_EFFECT):
    """Say what an effect of this size would be if it is not by chance (see `settle_rows`)."""
    if effect >= fail:
        return "fail"
    return "warn" if effect >= warn else "pass"


def settle_rows(rows):
    """Correct all p-values of a card for their number; chance findings pass.

    Parameters
    ----------
    rows : list of Row
        With a status by effect size alone, and `p_value` where there is a test.

    Returns
    -------
    list of Row
        With `p_adjusted` (Holm) and the p-values in `figure`. An alarm whose adjusted p is over
        0.05 becomes a pass that says so.
    """
    tested = [number for number, row in enumerate(rows) if row.p_value is not None]
    if not tested:
        return list(rows)
    p_values = [rows[number].p_value for number in tested]
    adjusted = multitest.multipletests(p_values, method="holm")[1]
    settled = list(rows)
    for number, p_adjusted in zip(tested, np.minimum(adjusted, 1.0), strict=True):
        row = rows[number]
        text = f"p = {row.p_value:.2g}, {p_adjusted:.2g} corrected for {len(tested)} tests"
        row = replace(row, p_adjusted=float(p_adjusted), figure=f"{row.figure}; {text}")
        if row.status != "pass" and p_adjusted > ALPHA:
            reason = "An effect of this size occurs by chance in a set of this size."
            row = replace(row, status="pass", reason=reason, action="", images=(), num_images=0)
        settled[number] = row
    return settled


def describe_row(row):
    """Return a row as a plain dict, in the order of its attributes."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(row).items()}
