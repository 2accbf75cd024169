"""The verdict on a published result: does our k of n agree with its k of n?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats import proportion

from leakcard import intervals

POWER = 0.80
EQUIVALENT_WITHIN = 0.05


class Verdict(NamedTuple):
    """What our k of n says about a published k of n.

    `difference` is ours minus published, in [-1, 1], with its Newcombe interval (95 %); NaN where
    the two are not compared. `minimum_detectable` is the smallest difference, down as well as up,
    that n images find with 80 % power (`find_detectable_shares`); NaN where none is found.
    """

    verdict: str
    difference: float
    lower: float
    upper: float
    minimum_detectable: float
    statement: str


def judge_result(
    k: int,
    n: int,
    published_k: int | None,
    published_n: int | None,
    comparable: bool = True,
    reason: str = "",
    same_images: Sequence[int] | None = None,
) -> Verdict:
    """Judge our k of n against a published one, by intervals alone.

    Parameters
    ----------
    k, n : int
        Ours, from the one seed declared beforehand.
    published_k, published_n : int or None
        None or NaN where nothing was published.
    comparable : bool
        False for phantoms, random weights, another backbone, recipe or data than published.
    reason : str
        Why the two are not comparable; required when they are not.
    same_images : sequence of int, optional
        Where the test images are the published ones, the k of all our seeds: there are not two
        samples then, and only the spread over seeds can be compared.

    Returns
    -------
    Verdict
        `verdict` is `"equivalent"` (the 90 % interval of the difference lies within 5 points either
        way: two one-sided tests of Schuirmann 1987, doi 10.1007/BF01068419), `"above"` or
        `"below"` (the 95 % interval excludes 0), `"compatible, not equivalent"`, `"within our
        seeds"` or `"outside our seeds"` (the same test images), `"not comparable"` or `"no
        published value"`.
    """
    k, n = intervals.check_counts(k, n)
    if n == 0 or published_n == 0:
        raise ValueError(
            "A verdict needs test images. Expected n and published_n of at least 1 (None where "
            f"nothing was published). Received: n={n}, published_n={published_n}."
        )
    ours = f"Ours: {_describe_share(k, n)}."
    if pd.isna(published_k) or pd.isna(published_n):
        statement = f"{ours} Nothing to compare it with was published."
        return Verdict("no published value", np.nan, np.nan, np.nan, np.nan, statement)

    published_k, published_n = intervals.check_counts(published_k, published_n)
    shares = np.array(find_detectable_shares(published_k, published_n, n))
    detectable = _find_minimum_detectable(shares - published_k / published_n)
    beginning = f"{ours} Published: {_describe_share(published_k, published_n)}."
    ending = _describe_power(shares, n, published_n)
    if not comparable:
        if not reason:
            raise ValueError(
                "A result that is not comparable needs its reason. Expected `reason` to say why "
                "(for example 'phantoms', 'random weights'). Received: reason=''."
            )
        statement = f"{beginning} Not comparable: {reason}. {ending}"
        return Verdict("not comparable", np.nan, np.nan, np.nan, detectable, statement)

    lower, upper = intervals.newcombe_interval(k, n, published_k, published_n)
    difference = k / n - published_k / published_n
    if same_images is not None:
        least, most = min(same_images), max(same_images)
        inside = least <= published_k <= most
        verdict = "within our seeds" if inside else "outside our seeds"
        statement = (
            f"{beginning} The same test images, so not two samples: our {len(same_images)} seeds "
            f"have {least} to {most} right, {published_k} as published: {verdict}."
        )
        return Verdict(verdict, difference, np.nan, np.nan, detectable, statement)
    inner = intervals.newcombe_interval(k, n, published_k, published_n, 0.90)
    if -EQUIVALENT_WITHIN < inner[0] and inner[1] < EQUIVALENT_WITHIN:
        verdict = "equivalent"
    elif lower > 0:
        verdict = "above"
    elif upper < 0:
        verdict = "below"
    else:
        verdict = "compatible, not equivalent"
    statement = (
        f"{beginning} Difference {100 * difference:+.1f} points (Newcombe 95 %: "
        f"{100 * lower:+.1f} to {100 * upper:+.1f}; 90 %: {100 * inner[0]:+.1f} to "
        f"{100 * inner[1]:+.1f}): {verdict}. {ending}"
    )
    needed = find_equivalence_size(published_k / published_n)
    if verdict == "compatible, not equivalent" and needed:
        statement += f" Equivalence within 5 points takes about {needed} images a side."
    return Verdict(verdict, difference, lower, upper, detectable, statement)


def find_equivalence_size(share: float) -> int:
    """Test images a side that show equivalence with 80 % power, if both truly reach this share.

    Normal approximation of the two one-sided tests, rounded to ten: 670 at 0.89.
    """
    quantiles = stats.norm.ppf(0.95) + stats.norm.ppf((1 + POWER) / 2)
    return round(2 * share * (1 - share) * (quantiles / EQUIVALENT_WITHIN) ** 2, -1)


def find_detectable_shares(published_k: int, published_n: int, n: int) -> tuple[float, float]:
    """True shares that n images tell apart from a published k/n with 80 % power.

    Exact for the rule of `judge_result`: a true share at or below the first value is called
    `"below"`, one at or above the second `"above"`, in at least 80 % of test sets of size n. The
    published count is taken as it is; its own sampling error widens the Newcombe interval.

    Returns
    -------
    tuple of float
        In [0, 1]; NaN where no count of n images would be called below (above).
    """
    lower, upper = proportion.confint_proportions_2indep(
        np.arange(n + 1), n, published_k, published_n, method="newcomb", compare="diff"
    )
    below, above = np.flatnonzero(upper < 0), np.flatnonzero(lower > 0)
    share_below = share_above = np.nan
    # The beta quantile inverts the binomial tail: P(K <= k) = POWER at this share.
    if len(below):
        share_below = float(stats.beta.ppf(1 - POWER, below[-1] + 1, n - below[-1]))
    if len(above):
        share_above = float(stats.beta.ppf(POWER, above[0], n - above[0] + 1))
    return share_below, share_above


def _find_minimum_detectable(differences: np.ndarray) -> float:
    # A drop and a rise of one size are not equally easy to find: the larger one finds both.
    feasible = np.abs(differences[~np.isnan(differences)])
    return float(feasible.max()) if len(feasible) else np.nan


def _describe_share(k: int, n: int) -> str:
    lower, upper = intervals.wilson_interval(k, n)
    return f"{k}/{n} = {100 * k / n:.1f} % (Wilson 95 %: {100 * lower:.1f} to {100 * upper:.1f})"


def _describe_power(shares: np.ndarray, n: int, published_n: int) -> str:
    sizes = f"With {n} test images against {published_n}"
    sides = [
        f"{side} {100 * share:.0f} %"
        for side, share in zip(("at most", "at least"), shares, strict=True)
        if not np.isnan(share)
    ]
    if not sides:
        return f"{sizes}, no true accuracy could be told apart with 80 % power."
    return f"{sizes}, 80 % power to tell it apart takes a true accuracy of {' or '.join(sides)}."
