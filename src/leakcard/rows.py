"""One row of a report card, and how its status is decided."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from leakcard import intervals

# Worst first: the order in which a reader wants them.
STATUSES = ("fail", "warn", "not testable", "pass")
# What a reader opens only if he wants to.
FOLDED = ("not testable", "pass")
MARKS = {"fail": "✗", "warn": "!", "not testable": "?", "pass": "✓"}
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
# Of a long list, what a page or a terminal shows; the files have all of it.
NUM_SHOWN = 10


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
    effect_upper, detectable : float, optional
        One-sided 95 % bound of the effect, and the effect that would have been found.
    threshold : float, optional
        Effect from which on the row warns: a pass needs `effect_upper` below it.
    p_value, p_adjusted : float, optional
        Of a permutation test; adjusted (Holm) for all tests of the card.
    smallest_p : float, optional
        What the test could reach at best.
    images : tuple of str
        All images concerned, sorted (a card without `schema_version` holds the first 50);
        `num_images` counts them.
    boxes : tuple of dict
        Where in some images it lies: `image_id`, and `left`, `top`, `width` and `height` as shares
        of the image's width and height.
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
    effect_upper: float | None = None
    detectable: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    smallest_p: float | None = None
    images: tuple[str, ...] = ()
    num_images: int = 0
    boxes: tuple[dict, ...] = ()
    reason: str = ""
    action: str = ""
    question: str = ""

    def __post_init__(self):
        if self.status not in STATUSES or self.code not in CODES:
            raise ValueError(
                f"A row of a report card needs a status of {STATUSES} and a code of "
                f"{tuple(CODES)}. Received: status={self.status!r}, code={self.code!r}"
            )


@dataclass(frozen=True)
class Rule:
    """What stands behind rows of a card, for readers; it stands beside the check that it tells of.

    Attributes
    ----------
    code : str
        One of `CODES`.
    checks : tuple of str
        Names of the rows that it is about (`Row.check`).
    title : str
        What they are called together.
    looks_at, cannot_see, wrong_when, what_to_do : str
        Sentences, in Markdown.
    files : tuple of str
        Which files of the card name what was found.
    """

    code: str
    checks: tuple[str, ...]
    title: str
    looks_at: str
    cannot_see: str
    wrong_when: str
    what_to_do: str
    files: tuple[str, ...] = ()


def choose_worst(turns, num_folds):
    """Return the worst of the rows of one check, and say of which fold it is.

    Parameters
    ----------
    turns : list of (str, Row)
        The fold that was the test set, and what was found.
    num_folds : int
        Of the card: a row need not arise in each.

    Returns
    -------
    Row
    """
    fold, worst = min(turns, key=lambda turn: STATUSES.index(turn[1].status))
    same = sum(row.status == worst.status for _, row in turns)
    told = f"{fold} as test set: {worst.figure}" if worst.figure else f"{fold} as test set"
    return replace(worst, figure=f"{told} ({worst.status} in {same} of {num_folds} folds)")


def name_images(image_ids):
    """Return what a row says of the images concerned: `images` (sorted) and `num_images`."""
    unique = sorted({str(name) for name in image_ids})
    return {"images": tuple(unique), "num_images": len(unique)}


def show_first(names, num_names=None):
    """Return the first `NUM_SHOWN` of some names, and in words how many more there are."""
    more = (len(names) if num_names is None else num_names) - len(names[:NUM_SHOWN])
    return list(names[:NUM_SHOWN]), f"and {more} more in the JSON file" if more else ""


def group_rows(rows):
    """Return the rows of each status that there is, worst first, as (status, list of Row)."""
    groups = [(status, [row for row in rows if row.status == status]) for status in STATUSES]
    return [(status, some) for status, some in groups if some]


def sort_rows(rows):
    """Return rows worst first, those of a status in their order."""
    return [row for _, some in group_rows(rows) for row in some]


def judge_effect(effect, warn=WARN_EFFECT, fail=FAIL_EFFECT):
    """Say what an effect of this size would be if it is not by chance (see `settle_rows`)."""
    if effect >= fail:
        return "fail"
    return "warn" if effect >= warn else "pass"


def describe_test(test, threshold=WARN_EFFECT):
    """Return what a row says of a test, see `stats.Test`: effect, bounds, p."""
    return {
        "effect": test.effect,
        "effect_upper": test.upper,
        "detectable": test.detectable,
        "threshold": threshold,
        "p_value": test.p_value,
        "smallest_p": test.smallest_p,
    }


def ask(row, reason, question, figure=""):
    """Make the row of what cannot be tested, from its `code`, `check` and `title`."""
    return Row(**row, status="not testable", figure=figure, reason=reason, question=question)


def settle_rows(rows):
    """Correct all p-values of a card for their number, and let pass only what was excluded.

    Parameters
    ----------
    rows : list of Row
        With a status by effect size alone, and `p_value` where there is a test.

    Returns
    -------
    list of Row
        With `p_adjusted` (Holm) and the p-values in `figure`. An alarm whose adjusted p is over
        0.05, and a pass whose effect may be as large as the threshold, are not testable: the
        reason says why, and what would have been seen. What a check calls not testable because it
        may be the subject is no more than chance where its adjusted p is over 0.05, and says so.
    """
    tested = [number for number, row in enumerate(rows) if row.p_value is not None]
    if not tested:
        return list(rows)
    p_values = [rows[number].p_value for number in tested]
    adjusted = intervals.adjust_p_values(p_values)
    settled = list(rows)
    for number, p_adjusted in zip(tested, np.minimum(adjusted, 1.0), strict=True):
        row = rows[number]
        text = f"p = {row.p_value:.2g}, {p_adjusted:.2g} corrected for {len(tested)} tests"
        row = replace(row, p_adjusted=float(p_adjusted), figure=f"{row.figure}; {text}")
        settled[number] = _settle_row(row, len(tested))
    return settled


def _settle_row(row, num_tests):
    alarms = row.status != "pass"  # or not testable, for what else it may be: if not by chance
    if alarms and row.p_adjusted <= ALPHA:
        return row
    if not alarms and (row.effect_upper is None or row.effect_upper < row.threshold):
        return row
    if alarms and row.smallest_p is not None and row.smallest_p * num_tests > ALPHA:
        reason = (
            f"The smallest p that these patients and permutations can reach, {row.smallest_p:.2g}, "
            f"is over 0.05 once corrected for {num_tests} tests: more patients of every class, or "
            f"at least {int(num_tests / ALPHA)} permutations, are needed."
        )
    elif alarms:
        reason = "An effect of this size occurs by chance in a set of this size: too few to say."
    else:
        reason = (
            f"Too few to say: no effect is seen, but one of {row.effect_upper:.2f} cannot be "
            f"excluded (from {row.threshold:.2f} on it would count)."
        )
    if row.detectable is not None:
        reason += f" One of {row.detectable:.2f} would have been seen four times in five."
    return replace(
        row,
        status="not testable",
        reason=reason,
        action="",
        images=(),
        num_images=0,
        boxes=(),
        question="Is it the same in all classes?",
    )


def describe_row(row):
    """Return a row as a plain dict, in the order of its attributes."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(row).items()}
