"""The verdict on a published result: does our k of n agree with its k of n?"""

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats import proportion

from leakcard import intervals

POWER = 0.80
EQUIVALENT_WITHIN = 0.05


def judge_result(k, n, published_k, published_n, obstacles="", same_images=None) -> str:
    """Judge our k of n against a published one, by intervals alone.

    Parameters
    ----------
    k, n : int
        Ours, from the one seed declared beforehand.
    published_k, published_n : int or None
        None or NaN where nothing was published.
    obstacles : str
        Why the two are not comparable: phantoms, random weights, another backbone, recipe or data.
    same_images : sequence of int, optional
        Where the test images are the published ones, the k of all our seeds: there are not two
        samples then, and only the spread over seeds can be compared.

    Returns
    -------
    str
        `"equivalent"` (the 90 % interval of the difference lies within 5 points either way: two
        one-sided tests of Schuirmann 1987, doi 10.1007/BF01068419), `"above"` or `"below"` (the
        95 % interval excludes 0), `"compatible, not equivalent"`, `"within our seeds"` or
        `"outside our seeds"` (the same test images), `"not comparable"` or `"no published value"`.
    """
    k, n = intervals.check_counts(k, n)
    if n == 0 or published_n == 0:
        raise ValueError(
            "A verdict needs test images. Expected n and published_n of at least 1 (None where "
            f"nothing was published). Received: n={n}, published_n={published_n}."
        )
    if pd.isna(published_k) or pd.isna(published_n):
        return "no published value"
    published_k, published_n = intervals.check_counts(published_k, published_n)
    if obstacles:
        return "not comparable"
    if same_images is not None:
        inside = min(same_images) <= published_k <= max(same_images)
        return "within our seeds" if inside else "outside our seeds"
    lower, upper = intervals.newcombe_interval(k, n, published_k, published_n, 0.90)
    if -EQUIVALENT_WITHIN < lower and upper < EQUIVALENT_WITHIN:
        return "equivalent"
    lower, upper = intervals.newcombe_interval(k, n, published_k, published_n)
    if lower > 0:
        return "above"
    return "below" if upper < 0 else "compatible, not equivalent"


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
