"""Classifiers whose every permutation can be retrained, since a thousand cost one matrix product.

Kernel ridge regression, in closed form, sees many features together; nearest shrunken centroids
look for the few features of many that tell.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from leakcard import intervals, stats

NUM_FOLDS = 5
# Fewer patients of a class than this in a training fold: nothing is learned, nothing is tested.
MIN_PATIENTS = 10
# A sample of whole patients is as good: 2,000 images give an accuracy to about two points.
MAX_IMAGES = 2000
# Kernel values are 1 on the diagonal; 0.05 of that keeps smooth functions of few features and
# smooths over the noise of many. Tuned on phantoms, not on any real image.
RIDGE = 0.05
# Of shrunken centroids: features whose deviation is under this share of the largest one count
# nothing. Of 0.3, 0.6 and 0.9 this found planted marks best, and hardly better than 0.3.
SHRINKAGE = 0.6


@dataclass(frozen=True)
class Score:
    """How well labels are predicted without what should decide them.

    `accuracy` with its 95 % interval over patients, `largest_share` (of a class), `balanced`
    accuracy, `gain` (balanced accuracy scaled so that chance is 0 and perfect is 1), `p_value`,
    `num_images`, `gain_upper` (one-sided 95 % bound over patients), `detectable` and `smallest_p`
    (see `stats.Test`). Every patient counts once in balanced accuracy and gain.
    """

    accuracy: float
    lower: float
    upper: float
    largest_share: float
    balanced: float
    gain: float
    p_value: float
    num_images: int
    gain_upper: float = 1.0
    detectable: float = 1.0
    smallest_p: float = 0.0


def describe_score(score, num_labels):
    """Return what a row says of a score: figure, value, interval, effect, bounds, p."""
    return {
        "figure": f"accuracy {score.accuracy:.3f} ({score.lower:.3f} to {score.upper:.3f}) where "
        f"the largest class has {score.largest_share:.3f}; balanced {score.balanced:.3f}, chance "
        f"{1 / num_labels:.3f}; n = {score.num_images}",
        "value": score.accuracy,
        "lower": score.lower,
        "upper": score.upper,
        "effect": score.gain,
        "effect_upper": score.gain_upper,
        "detectable": score.detectable,
        "p_value": score.p_value,
        "smallest_p": score.smallest_p,
    }


def sample_groups(groups, max_images, seed):
    """Choose whole patients at random until `max_images`; return sorted row numbers."""
    groups = np.asarray(groups)
    if len(groups) <= max_images:
        return np.arange(len(groups))
    names, numbers = np.unique(groups, return_inverse=True)
    place = np.random.default_rng([seed]).permutation(len(names))[numbers]
    return np.sort(np.argsort(place, kind="stable")[:max_images])


def find_too_small(codes, groups):
    """Return (patients, label code) of the label with the fewest patients."""
    codes, groups = np.asarray(codes), np.asarray(groups)
    return min((len(set(groups[codes == label])), int(label)) for label in np.unique(codes))


def find_obstacle(labels, groups):
    """Say in words why labels cannot be predicted, or return "".

    Parameters
    ----------
    labels : Series of length n_images, dtype=str
    groups : ndarray of shape (n_images,)
        Patients.
    """
    if labels.nunique() < 2:
        return "There are not two classes to tell apart."
    codes, names = pd.factorize(labels, sort=True)
    patients, smallest = find_too_small(codes, groups)
    if patients >= MIN_PATIENTS:
        return ""
    return (
        f"Class {names[smallest]!r} has {patients} independent patients; {MIN_PATIENTS} are needed."
    )


def score_features(features, codes, groups, num_permutations, seed, fit=None):
    """Predict labels from features by grouped cross-validation, and test the result.

    Parameters
    ----------
    features : ndarray of shape (n_images, n_features), dtype=float
        Without missing values.
    codes : ndarray of shape (n_images,), dtype=int
        Labels from 0, each with at least `MIN_PATIENTS` patients.
    groups : ndarray of shape (n_images,)
        Patients: none is in training and test fold at once.
    num_permutations, seed : int
        Labels of patients are exchanged within folds and the classifier is retrained.
    fit : callable, optional
        `fit_ridge` (the default) or `fit_centroids`.

    Returns
    -------
    Score
    """
    chosen = sample_groups(groups, MAX_IMAGES, seed)
    features, codes, groups = (np.asarray(part)[chosen] for part in (features, codes, groups))
    codes = np.unique(codes, return_inverse=True)[1]
    num_labels = int(codes.max()) + 1
    folds = _make_folds(tuple(codes), tuple(groups), seed)
    predict = _fit_folds(features, features, folds, fit or fit_ridge)
    weights = stats.weigh_images(groups)
    plain, corrected = predict(codes[np.newaxis], num_labels)
    balanced = _measure_balanced(codes[np.newaxis], corrected, num_labels, weights)[0]
    permuted = np.concatenate(
        [
            _measure_balanced(chunk, predict(chunk, num_labels)[1], num_labels, weights)
            for chunk in stats.permute_labels(codes, groups, num_permutations, seed, folds)
        ]
    )
    correct = (plain[0] == codes).astype(float)
    lower, upper = intervals.bootstrap_interval(
        lambda counts: counts @ correct / counts.sum(axis=1), groups, seed=seed
    )
    if np.isnan(lower):  # all patients agree: Wilson's interval has a width even then
        size = len(np.unique(groups))
        lower, upper = intervals.wilson_interval(round(float(correct.mean()) * size), size)
    found = (corrected[0] == codes) * weights
    counts = intervals.draw_resamples(groups, seed=seed)
    recalls = [
        (counts @ (found * (codes == label)))
        / np.maximum(counts @ (weights * (codes == label)), 1e-12)
        for label in range(num_labels)
    ]
    above = np.quantile(permuted, 1 - stats.TAIL / stats.NUM_TESTS)
    detectable = above + scipy.stats.norm.ppf(stats.POWER) * permuted.std()
    return Score(
        accuracy=float(correct.mean()),
        lower=lower,
        upper=upper,
        largest_share=float(np.bincount(codes).max() / len(codes)),
        balanced=float(balanced),
        gain=_to_gain(balanced, num_labels),
        p_value=stats.compute_p_value(balanced, permuted),
        num_images=len(codes),
        gain_upper=_to_gain(np.quantile(np.mean(recalls, axis=0), 1 - stats.TAIL), num_labels),
        detectable=_to_gain(detectable, num_labels),
        smallest_p=stats.compute_smallest_p(codes, groups, num_permutations, folds),
    )


def measure_transfer(features, others, codes, groups, seed):
    """Learn from features of some images, and predict from other features of those left out.

    Parameters
    ----------
    features, others : ndarray of shape (n_images, n_features), dtype=float
        What is learned from, and what is predicted from; the same measures, of two places.
    codes, groups, seed
        As `score_features`; also the sample of images and the folds are the same.

    Returns
    -------
    float in [0, 1]
        Gain of balanced accuracy over chance, as in `Score`.
    """
    chosen = sample_groups(groups, MAX_IMAGES, seed)
    features, others, codes, groups = (
        np.asarray(part)[chosen] for part in (features, others, codes, groups)
    )
    codes = np.unique(codes, return_inverse=True)[1]
    num_labels = int(codes.max()) + 1
    folds = _make_folds(tuple(codes), tuple(groups), seed)
    predict = _fit_folds(features, others, folds, fit_ridge)
    predicted = predict(codes[np.newaxis], num_labels)[1]
    weights = stats.weigh_images(groups)
    balanced = _measure_balanced(codes[np.newaxis], predicted, num_labels, weights)[0]
    return _to_gain(balanced, num_labels)


# Most classifiers of a card see the same images: tuples are known again, arrays are not.
@functools.lru_cache(maxsize=1)
def _make_folds(codes, groups, seed):
    """Number the fold of each image; a patient lies in one."""
    from sklearn import model_selection  # waited for only here

    num_folds = min(NUM_FOLDS, find_too_small(codes, groups)[0])
    folder = model_selection.StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    folds = np.empty(len(codes), dtype=int)
    for number, (_, test) in enumerate(folder.split(codes, codes, groups)):
        folds[test] = number
    folds.flags.writeable = False
    return folds


def _fit_folds(features, others, folds, fit):
    """Return a function that predicts each fold's labels from `others`, learned without it."""
    models = []
    for number in np.unique(folds):
        train, test = np.flatnonzero(folds != number), np.flatnonzero(folds == number)
        models.append((train, test, fit(*_standardise(features[train], others[test]))))

    def predict(labellings, num_labels):
        """Return plain and prior-corrected predictions, each (n_labellings, n_images)."""
        plain, corrected = np.empty_like(labellings), np.empty_like(labellings)
        for train, test, model in models:
            known = labellings[:, train]
            targets = (known[..., np.newaxis] == np.arange(num_labels)).astype(np.float32)
            scores = model(targets)
            shares = targets.mean(axis=1, keepdims=True)
            plain[:, test] = scores.argmax(axis=2)
            corrected[:, test] = (scores / np.maximum(shares, 1e-6)).argmax(axis=2)
        return plain, corrected

    return predict


def _standardise(train, test):
    """Scale features by the training images; leave out those that are the same in all."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    useful = deviation > 1e-9
    return tuple(
        ((part - mean) / np.where(useful, deviation, 1))[:, useful] for part in (train, test)
    )


def _to_gain(balanced, num_labels):
    return float(np.clip((balanced - 1 / num_labels) / (1 - 1 / num_labels), 0, 1))


def fit_centroids(train, test):
    """Nearest shrunken centroids (Tibshirani et al. 2002, doi 10.1073/pnas.082099299).

    Parameters
    ----------
    train, test : ndarray of shape (n_train or n_test, n_features)
        Standardised on the training images.

    Returns
    -------
    callable
        Takes labels of the training images, one-hot, of shape (n_labellings, n_train, n_labels),
        and returns scores of shape (n_labellings, n_test, n_labels), in which a label's share
        counts as a factor.
    """
    train, test = train.astype(np.float32), test.astype(np.float32)

    def predict(targets):
        centroids = shrink_centroids(train, targets)
        shares = targets.mean(axis=1, keepdims=True)
        scores = np.einsum("plf,tf->ptl", centroids, test, optimize=True)
        scores -= (centroids**2).sum(axis=2)[:, np.newaxis] / 2
        return shares * np.exp(scores - scores.max(axis=2, keepdims=True))

    return predict


def shrink_centroids(features, targets):
    """Return the mean of each label's features, without those that deviate little.

    Parameters
    ----------
    features : ndarray of shape (n_images, n_features), dtype=float32
        Standardised.
    targets : ndarray of shape (n_labellings, n_images, n_labels), dtype=float32
        Labels, one-hot.

    Returns
    -------
    ndarray of shape (n_labellings, n_labels, n_features), dtype=float32
        0 where a feature tells nothing.
    """
    counts = np.maximum(targets.sum(axis=1), 1)[..., np.newaxis]
    means = np.einsum("pnl,nf->plf", targets, features, optimize=True) / counts
    errors = np.sqrt(np.maximum(1 / counts - 1 / len(features), 1e-9))
    deviations = means / errors  # in standard errors
    least = SHRINKAGE * np.abs(deviations).max(axis=(1, 2), keepdims=True, initial=0)
    return np.sign(deviations) * np.maximum(np.abs(deviations) - least, 0) * errors


def fit_ridge(train, test):
    """Kernel ridge regression on the labels; takes and returns what `fit_centroids` does."""
    smoother = _make_smoother(train, test)

    def predict(targets):
        shares = targets.mean(axis=1, keepdims=True)
        return shares + np.einsum("tr,prl->ptl", smoother, targets - shares, optimize=True)

    return predict


def _make_smoother(train, test):
    """Return S of shape (n_test, n_train): predictions are S @ targets, for any targets."""
    if not train.shape[1]:
        return np.zeros((len(test), len(train)), dtype=np.float32)
    distances = scipy.spatial.distance.cdist(train, train, "sqeuclidean")
    # Half of the training pairs are nearer than one length scale.
    scale = max(float(stats.find_median(distances)), 1e-9)
    kernel = np.exp(-distances / scale)
    kernel[np.diag_indices_from(kernel)] += RIDGE * 1.0 + 1e-6
    factor = scipy.linalg.cho_factor(kernel, lower=True, overwrite_a=True)
    across = np.exp(-scipy.spatial.distance.cdist(test, train, "sqeuclidean") / scale)
    return scipy.linalg.cho_solve(factor, across.T).T.astype(np.float32)


def _measure_balanced(labellings, predictions, num_labels, weights):
    """Mean over labels of the share of their patients that is found, for each labelling."""
    correct = (labellings == predictions) * weights
    recalls = []
    for label in range(num_labels):
        of_label = labellings == label
        recalls.append(
            (correct * of_label).sum(axis=1) / np.maximum((of_label * weights).sum(axis=1), 1e-12)
        )
    return np.mean(recalls, axis=0)
