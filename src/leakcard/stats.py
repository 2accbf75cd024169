"""Association of labels with one property, tested by exchanging the labels of whole patients."""

import numpy as np
import pandas as pd
from scipy import stats

# Permutations that are held in memory at a time.
CHUNK = 100


def permute_labels(codes, groups, num_permutations, seed, blocks=None):
    """Exchange the labels of patients with equally many images.

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
        Permuted labels. A patient of a size that nobody else has keeps their labels, which
        makes the test conservative.
    """
    codes = np.asarray(codes)
    numbers = pd.factorize(np.asarray(groups))[0]
    blocks = np.zeros(len(codes), dtype=int) if blocks is None else np.asarray(blocks)
    sizes = np.bincount(numbers)[numbers]
    order = np.lexsort([np.arange(len(codes)), numbers, sizes, blocks])
    keys = blocks[order] * (sizes.max() + 1) + sizes[order]
    cuts = np.flatnonzero(np.diff(keys)) + 1
    strata = [rows.reshape(-1, sizes[rows[0]]) for rows in np.split(order, cuts)]
    rng = np.random.default_rng([seed])
    for start in range(0, num_permutations, CHUNK):
        chunk = np.tile(codes, (min(CHUNK, num_permutations - start), 1))
        for rows in strata:
            if len(rows) > 1:
                shuffled = rng.random((len(chunk), len(rows))).argsort(axis=1)
                chunk[:, rows] = codes[rows[shuffled]]
        yield chunk


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
    """Measure and test whether a property follows the label.

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
    tuple of (float, float)
        Bias-corrected Cramer's V in [0, 1], and the p-value of chi-squared by permutation.
    """
    value_codes = pd.factorize(np.asarray(values, dtype=object))[0]
    one_hot = np.eye(value_codes.max() + 1, dtype=np.float32)[value_codes]
    counts = _count_pairs(np.asarray(codes)[np.newaxis], one_hot)
    permuted = [
        _compute_chi_squared(_count_pairs(chunk, one_hot))
        for chunk in permute_labels(codes, groups, num_permutations, seed)
    ]
    p_value = compute_p_value(_compute_chi_squared(counts)[0], np.concatenate(permuted))
    return compute_cramers_v(counts[0]), p_value


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
    tuple of (float, float)
        Effect size in [0, 1], the square root of Kruskal and Wallis' bias-corrected share of
        variance between labels, which compares with Cramer's V; and the p-value by permutation.
    """
    codes = np.asarray(codes)
    ranks = stats.rankdata(np.asarray(numbers, dtype=float))
    ranks = ((ranks - ranks.mean()) / max(ranks.std(), 1e-12)).astype(np.float32)
    label_sizes = np.bincount(codes)

    def measure(labellings):
        sums = _count_pairs(labellings, ranks[:, np.newaxis])[..., 0]
        return (sums**2 / np.maximum(label_sizes, 1)).sum(axis=1)

    observed = measure(codes[np.newaxis])[0]
    chunks = permute_labels(codes, groups, num_permutations, seed)
    p_value = compute_p_value(observed, np.concatenate([measure(chunk) for chunk in chunks]))
    num_labels, n = int((label_sizes > 0).sum()), len(codes)
    share = observed / n  # ranks have unit variance: the share of it that lies between labels
    free = n - num_labels
    corrected = 1 - (1 - share) * (n - 1) / free if free > 0 else 0.0
    return float(np.sqrt(max(0.0, corrected))), p_value
