"""Intervals and tests of the sampling error of a test set.

How much a result moves with the seed of its training is another thing: `summarize_seeds`.
"""

import functools
import gc
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy

CONFIDENCE = 0.95
# A resample without one of the classes leaves its statistic undefined and is left out. An
# interval resting on fewer than half of the resamples would describe another test set.
MIN_DEFINED_SHARE = 0.5


class McNemar(NamedTuple):
    """Counts of the paired test images and the exact p-value."""

    num_both: int
    num_only_a: int
    num_only_b: int
    num_neither: int
    p_value: float


def wilson_interval(k: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion.

    Parameters
    ----------
    k, n : int
        Successes and trials, 0 <= k <= n.

    Returns
    -------
    tuple of float
        Lower and upper bound in [0, 1]; NaN twice where n is 0.

    Raises
    ------
    ValueError
        If k and n are not whole numbers with 0 <= k <= n.
    """
    from statsmodels.stats import proportion  # waited for only here

    k, n = check_counts(k, n)
    if n == 0:
        return np.nan, np.nan
    lower, upper = proportion.proportion_confint(k, n, alpha=1 - CONFIDENCE, method="wilson")
    return float(max(lower, 0.0)), float(min(upper, 1.0))


def newcombe_interval(
    k1: int, n1: int, k2: int, n2: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Newcombe interval (hybrid of two Wilson intervals) of k1/n1 - k2/n2.

    For two independent samples, such as a published test set and ours; 95 % unless `confidence`
    says otherwise. NaN twice where n1 or n2 is 0.
    """
    from statsmodels.stats import proportion  # waited for only here

    k1, n1 = check_counts(k1, n1)
    k2, n2 = check_counts(k2, n2)
    if n1 == 0 or n2 == 0:
        return np.nan, np.nan
    lower, upper = proportion.confint_proportions_2indep(
        k1, n1, k2, n2, method="newcomb", compare="diff", alpha=1 - confidence
    )
    return float(lower), float(upper)


def adjust_p_values(p_values):
    """Correct p-values for their number, by Holm's method.

    Parameters
    ----------
    p_values : array_like of shape (n_tests,), in [0, 1]

    Returns
    -------
    ndarray of shape (n_tests,), in [0, 1]
    """
    from statsmodels.stats import multitest  # waited for only here

    # It collects garbage, for half a second where TensorFlow is loaded, but not what is frozen.
    gc.freeze()
    try:
        return multitest.multipletests(p_values, method="holm")[1]
    finally:
        gc.unfreeze()


def paired_interval(
    num_only_a: int, num_only_b: int, n: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of the difference of two proportions on the same n images, 95 % by default.

    Parameters
    ----------
    num_only_a, num_only_b : int
        Images that only the first, and only the second, gets right.
    n : int
    confidence : float in (0, 1)

    Returns
    -------
    tuple of float
        Wald's interval after half an image is added to each cell of the 2 x 2 table.
    """
    b, c, total = num_only_a + 0.5, num_only_b + 0.5, n + 2
    difference = (b - c) / total
    error = np.sqrt((b + c) - (b - c) ** 2 / total) / total
    reach = scipy.stats.norm.ppf(0.5 + confidence / 2) * error
    return float(max(-1.0, difference - reach)), float(min(1.0, difference + reach))


def draw_resamples(groups, num_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """Draw whole patients with replacement.

    Parameters
    ----------
    groups : array-like of shape (n_images,)
        The patient of each image.
    num_bootstrap : int
    seed : int

    Returns
    -------
    ndarray of shape (num_bootstrap, n_images), dtype=float64
        How often each image counts in each resample. Images of one patient count equally often,
        whatever the order of the rows.

    Raises
    ------
    ValueError
        If `groups` is empty or misses a patient.
    """
    codes, patients = pd.factorize(np.asarray(groups), sort=True)
    if len(codes) == 0 or (codes < 0).any():
        raise ValueError(
            "Every image needs a patient to resample by. Expected `groups` without missing values "
            "(use the image id where the source names no patient). "
            f"Received: {len(codes)} groups, {int((codes < 0).sum())} of them missing."
        )
    return _count_patients(len(patients), num_bootstrap, seed)[:, codes].astype(np.float64)


# Whoever the patients are, the draw is the same: all classifiers of a card share one.
@functools.lru_cache(maxsize=1)
def _count_patients(num_patients, num_bootstrap, seed):
    """Return how often each patient is drawn in each resample; never written to."""
    rng = np.random.default_rng([seed])
    shares = np.full(num_patients, 1 / num_patients)
    counts = rng.multinomial(num_patients, shares, size=num_bootstrap)
    return counts.astype(np.int32)  # half of the memory, as it is kept


def bootstrap_interval(statistic, groups, num_bootstrap: int = 1000, seed: int = 0):
    """95 % percentile interval of a statistic, resampling patients.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (num_resamples, n_images), how often each image counts, and
        returns an array of shape (num_resamples,) or (num_resamples, n_values).
    groups : array-like of shape (n_images,)
        The patient of each image; one group an image resamples images.
    num_bootstrap, seed : int

    Returns
    -------
    lower, upper : float, or ndarray of shape (n_values,)
        NaN where fewer than half of the resamples define the statistic, or where all of them
        agree, as for an AUC of exactly 1: an interval without width would be no interval. For one
        proportion, `wilson_interval` does not share this fault.
    """
    values = np.asarray(statistic(draw_resamples(groups, num_bootstrap, seed)), dtype=float)
    lower, upper = _percentile_bounds(values.reshape(len(values), -1))
    if values.ndim == 1:
        return float(lower[0]), float(upper[0])
    return lower, upper


def _percentile_bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bounds = np.full((2, values.shape[1]), np.nan)
    defined = np.isfinite(values).mean(axis=0) >= MIN_DEFINED_SHARE
    if defined.any():
        tail = (1 - CONFIDENCE) / 2
        bounds[:, defined] = np.nanquantile(values[:, defined], [tail, 1 - tail], axis=0)
        bounds[:, bounds[0] == bounds[1]] = np.nan
    return bounds[0], bounds[1]


def mcnemar_test(correct_a, correct_b) -> McNemar:
    """Exact McNemar test of two models on the same test images.

    Parameters
    ----------
    correct_a, correct_b : array-like of shape (n_images,), dtype=bool
        Whether each model is right on each image, in the same order. Never use it for a
        published result against ours: those are different images.
    """
    from statsmodels.stats import contingency_tables  # waited for only here

    a, b = np.asarray(correct_a), np.asarray(correct_b)
    if a.shape != b.shape or a.ndim != 1 or a.dtype != bool or b.dtype != bool:
        raise ValueError(
            "McNemar's test compares two models on the same images. Expected two boolean arrays "
            "of one length (pass `y_true == y_pred` of each). "
            f"Received: shapes {a.shape} and {b.shape}, dtypes {a.dtype} and {b.dtype}."
        )
    table = [[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]]
    result = contingency_tables.mcnemar(table, exact=True)
    return McNemar(*table[0], *table[1], float(result.pvalue))


def fisher_test(k1: int, n1: int, k2: int, n2: int) -> float:
    """Two-sided p-value of Fisher's exact test of k1/n1 against k2/n2."""
    k1, n1 = check_counts(k1, n1)
    k2, n2 = check_counts(k2, n2)
    return float(scipy.stats.fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue)


def check_counts(k, n) -> tuple[int, int]:
    """Return k and n as integers, or refuse them unless 0 <= k <= n are whole numbers."""
    if not (0 <= k <= n and float(k).is_integer() and float(n).is_integer()):
        raise ValueError(
            "A share needs whole counts. Expected integers with 0 <= k <= n (counts, not a rate). "
            f"Received: k={k}, n={n}."
        )
    return int(k), int(n)
