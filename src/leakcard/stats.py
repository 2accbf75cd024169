"""Association of labels with one property, tested by exchanging the labels of whole patients."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy

# Permutations that are held in memory at a time.
CHUNK = 100
# A bound is one-sided; what would have been found is what a test finds four times in five after
# correction for as many tests as a card has.
TAIL, POWER, NUM_TESTS = 0.05, 0.8, 24
# With fewer, the smallest p of a card with as many tests stays over 0.05 once corrected.
LEAST_PERMUTATIONS = round(NUM_TESTS / TAIL)


class Test(NamedTuple):
    """Whether something follows the label, and how far the test could have seen it.

    Attributes
    ----------
    effect : float in [0, 1]
    upper : float in [0, 1]
        One-sided 95 % bound of the effect: what cannot be excluded.
    detectable : float in [0, 1]
        Effect that would be found four times in five, after correction for `NUM_TESTS` tests.
    p_value : float
        By permutation of the labels of whole patients.
    smallest_p : float
        What the test could reach at best, with these patients and permutations.
    """

    effect: float
    upper: float
    detectable: float
    p_value: float
    smallest_p: float


def permute_labels(codes, groups, num_permutations, seed, blocks=None):
    """Deal the labels of patients out anew, whatever their number of images.

    Parameters
    ----------
    codes : ndarray of shape (n_images,), dtype=int
        The label of each image.
    groups : ndarray of shape (n_images,)
        The patient of each image; the images of a patient keep their labels together.
    num_permutations, seed : int
    blocks : ndarray of shape (n_images,), dtype=int, optional
        Labels stay within a block (such as a fold); a patient lies within one block.

    Yields
    ------
    ndarray of shape (at most 100, n_images), dtype=int
        Permuted labels. A patient takes the labels of another: of one with images of several
        labels they are dealt in turn.
    """
    codes = np.asarray(codes)
    numbers = pd.factorize(np.asarray(groups))[0]
    blocks = np.zeros(len(codes), dtype=int) if blocks is None else np.asarray(blocks)
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    starts = np.cumsum(sizes) - sizes
    places = np.empty(len(codes), dtype=int)  # of each image among those of its patient
    places[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    turns = np.arange(sizes.max()) % sizes[:, np.newaxis]
    dealt = codes[order][starts[:, np.newaxis] + turns]  # labels of each patient, over and over
    members = [np.unique(numbers[blocks == block]) for block in np.unique(blocks)]
    rng = np.random.default_rng([seed])
    for start in range(0, num_permutations, CHUNK):
        size = min(CHUNK, num_permutations - start)
        donors = np.tile(np.arange(len(sizes)), (size, 1))
        for patients in members:
            shuffled = rng.random((size, len(patients))).argsort(axis=1)
            donors[:, patients] = patients[shuffled]
        yield dealt[donors[:, numbers], places]


def compute_smallest_p(codes, groups, num_permutations, blocks=None):
    """Return the smallest p that permutations of whole patients can reach.

    Parameters
    ----------
    codes, groups, num_permutations, blocks
        As `permute_labels` takes them.

    Returns
    -------
    float
        One over the number of labellings that differ, or over the permutations and one.
    """
    numbers = pd.factorize(np.asarray(groups))[0]
    has_label = np.zeros((numbers.max() + 1, np.max(codes) + 1), dtype=bool)
    has_label[numbers, codes] = True
    homes = np.zeros(len(has_label), dtype=int)  # the block of each patient
    homes[numbers] = 0 if blocks is None else blocks
    kinds = np.unique(has_label, axis=0, return_inverse=True)[1]
    counts = scipy.stats.contingency.crosstab(homes, kinds).count
    log_factorial = scipy.special.gammaln(counts + 1).sum()
    log_count = scipy.special.gammaln(counts.sum(axis=1) + 1).sum() - log_factorial
    return float(max(1 / (num_permutations + 1), np.exp(-min(log_count, 700))))


def weigh_images(groups):
    """Weights with which the images of every patient count as one."""
    numbers = pd.factorize(np.asarray(groups))[0]
    return 1 / np.bincount(numbers)[numbers]


def find_median(values):
    """Return np.median of values without NaN, several times faster: one place is sought, not three.

    Parameters
    ----------
    values : ndarray of any shape, dtype=float

    Returns
    -------
    float of the same type
    """
    half = values.size // 2
    ordered = np.partition(values, half, axis=None)
    if values.size % 2:
        return ordered[half]
    return (ordered[:half].max() + ordered[half]) / 2


def _bound_effects(statistic, free, num_patients, smaller):
    """Upper bound and detectable size of an effect whose chi-squared statistic is known."""

    def to_effect(noncentrality):
        return float(min(1.0, np.sqrt(noncentrality / (num_patients * smaller))))

    def exceeds(noncentrality):
        return scipy.stats.ncx2.cdf(statistic, free, noncentrality) - TAIL

    highest = 4 * num_patients * smaller + 100
    upper = 0.0
    if exceeds(1e-9) > 0:
        upper = highest if exceeds(highest) > 0 else scipy.optimize.brentq(exceeds, 1e-9, highest)
    critical = scipy.stats.chi2.isf(TAIL / NUM_TESTS, free)

    def misses(noncentrality):
        return scipy.stats.ncx2.sf(critical, free, noncentrality) - POWER

    found = highest if misses(highest) < 0 else scipy.optimize.brentq(misses, 1e-9, highest)
    return to_effect(upper), to_effect(found)


def compute_p_value(observed, permuted):
    """Share of permutations that reach the observed statistic, itself counted in."""
    permuted = np.asarray(permuted)
    reached = permuted >= observed - 1e-6 * abs(observed)  # equal but for rounding
    return float((1 + reached.sum()) / (1 + len(permuted)))


def _count_pairs(codes, one_hot):
    """Contingency tables of many labellings at once: shape (n_labellings, n_labels, n_values)."""
    num_labels = int(codes.max()) + 1
    counts = [(codes == label).astype(np.float32) @ one_hot for label in range(num_labels)]
    return np.stack(counts, axis=1).astype(np.float64)


def _compute_chi_squared(counts):
    total = counts.sum(axis=(1, 2), keepdims=True)
    expected = counts.sum(axis=2, keepdims=True) * counts.sum(axis=1, keepdims=True) / total
    return np.sum((counts - expected) ** 2 / np.maximum(expected, 1e-12), axis=(1, 2))


def compute_cramers_v(counts):
    """Bias-corrected Cramer's V (Bergsma 2013, doi 10.1016/j.jkss.2012.10.002).

    Parameters
    ----------
    counts : ndarray of shape (n_labels, n_values)
        How many images have each label and value.

    Returns
    -------
    float in [0, 1]
        0 where labels or values are all the same.
    """
    counts = np.asarray(counts, dtype=float)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    num_rows, num_columns = counts.shape
    n = counts.sum()
    if min(num_rows, num_columns) < 2 or n < 2:
        return 0.0
    phi = _compute_chi_squared(counts[np.newaxis])[0] / n
    phi = max(0.0, phi - (num_columns - 1) * (num_rows - 1) / (n - 1))
    corrected = [k - (k - 1) ** 2 / (n - 1) for k in (num_rows, num_columns)]
    smaller = min(corrected) - 1
    return float(min(1.0, np.sqrt(phi / smaller))) if smaller > 0 else 0.0


def measure_association(codes, values, groups, num_permutations, seed):
    """Measure and test whether a property follows the label; every patient counts once.

    Parameters
    ----------
    codes : ndarray of shape (n_images,), dtype=int
        Labels from 0.
    values : array-like of shape (n_images,)
        The property, without missing values.
    groups : ndarray of shape (n_images,)
        Patients.
    num_permutations, seed : int

    Returns
    -------
    Test
        The effect is bias-corrected Cramer's V over patients, the p-value that of chi-squared.
    """
    codes = np.asarray(codes)
    value_codes = pd.factorize(np.asarray(values, dtype=object))[0]
    one_hot = np.eye(value_codes.max() + 1, dtype=np.float32)[value_codes]
    weighted = one_hot * weigh_images(groups)[:, np.newaxis].astype(np.float32)
    counts = _count_pairs(codes[np.newaxis], weighted)
    observed = _compute_chi_squared(counts)[0]
    permuted = [
        _compute_chi_squared(_count_pairs(chunk, weighted))
        for chunk in permute_labels(codes, groups, num_permutations, seed)
    ]
    rows, columns = (int((counts[0].sum(axis=axis) > 0).sum()) for axis in (1, 0))
    free, smaller = max(1, (rows - 1) * (columns - 1)), max(1, min(rows, columns) - 1)
    return Test(
        compute_cramers_v(counts[0]),
        *_bound_effects(observed, free, counts.sum(), smaller),
        compute_p_value(observed, np.concatenate(permuted)),
        compute_smallest_p(codes, groups, num_permutations),
    )


def measure_rank_gap(codes, numbers, groups, num_permutations, seed):
    """Measure and test whether a number (an age, a date) follows the label, by its ranks.

    Parameters
    ----------
    codes, groups, num_permutations, seed
        As `measure_association`.
    numbers : array-like of shape (n_images,)
        Without missing values.

    Returns
    -------
    Test
        The effect is the square root of Kruskal and Wallis' bias-corrected share of variance
        between labels, over patients, which compares with Cramer's V.
    """
    codes, weights = np.asarray(codes), weigh_images(groups)
    ranks = scipy.stats.rankdata(np.asarray(numbers, dtype=float))
    ranks = ranks - np.average(ranks, weights=weights)
    ranks = ranks / max(np.sqrt(np.average(ranks**2, weights=weights)), 1e-12)
    columns = np.stack([weights * ranks, weights], axis=1).astype(np.float32)

    def measure(labellings):
        sums, sizes = np.moveaxis(_count_pairs(labellings, columns), -1, 0)
        return (sums**2 / np.maximum(sizes, 1e-12)).sum(axis=1)

    observed = measure(codes[np.newaxis])[0]
    permuted = [measure(c) for c in permute_labels(codes, groups, num_permutations, seed)]
    num_labels, n = len(np.unique(codes)), weights.sum()
    share = min(1.0, observed / n)  # ranks have unit variance: the share that lies between labels
    free = n - num_labels
    corrected = 1 - (1 - share) * (n - 1) / free if free > 0 else 0.0
    return Test(
        float(np.sqrt(max(0.0, corrected))),
        *_bound_effects(observed, max(1, num_labels - 1), n, 1),
        compute_p_value(observed, np.concatenate(permuted)),
        compute_smallest_p(codes, groups, num_permutations),
    )
