"""A classifier whose every permutation can be retrained: kernel ridge regression, in closed form.

Its predictions are linear in the labels, so that a thousand labellings cost one matrix product.
"""

from dataclasses import dataclass

import numpy as np
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


def score_features(features, codes, groups, num_permutations, seed):
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

    Returns
    -------
    Score
    """
    from sklearn import model_selection  # waited for only here

    chosen = sample_groups(groups, MAX_IMAGES, seed)
    features, codes, groups = (np.asarray(part)[chosen] for part in (features, codes, groups))
    codes = np.unique(codes, return_inverse=True)[1]
    num_labels = int(codes.max()) + 1
    num_folds = min(NUM_FOLDS, find_too_small(codes, groups)[0])
    folder = model_selection.StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    folds = np.empty(len(codes), dtype=int)
    smoothers = []
    for number, (train, test) in enumerate(folder.split(features, codes, groups)):
        folds[test] = number
        smoothers.append((train, test, _fit_smoother(features[train], features[test])))

    def predict(labellings):
        """Return plain and prior-corrected predictions, each (n_labellings, n_images)."""
        plain, corrected = np.empty_like(labellings), np.empty_like(labellings)
        for train, test, smoother in smoothers:
            known = labellings[:, train]
            targets = (known[..., np.newaxis] == np.arange(num_labels)).astype(np.float32)
            shares = targets.mean(axis=1, keepdims=True)
            scores = shares + np.einsum("tr,prl->ptl", smoother, targets - shares, optimize=True)
            plain[:, test] = scores.argmax(axis=2)
            corrected[:, test] = (scores / np.maximum(shares, 1e-6)).argmax(axis=2)
        return plain, corrected

    weights = stats.weigh_images(groups)
    plain, corrected = predict(codes[np.newaxis])
    balanced = _measure_balanced(codes[np.newaxis], corrected, num_labels, weights)[0]
    permuted = np.concatenate(
        [
            _measure_balanced(chunk, predict(chunk)[1], num_labels, weights)
            for chunk in stats.permute_labels(codes, groups, num_permutations, seed, folds)
        ]
    )
    correct = (plain[0] == codes).astype(float)
    lower, upper = intervals.bootstrap_interval(
        lambda counts: counts @ correct / counts.sum(axis=1), groups, seed=seed
    )
    found = (corrected[0] == codes) * weights
    counts = intervals.draw_resamples(groups, seed=seed)
    recalls = [
        (counts @ (found * (codes == label)))
        / np.maximum(counts @ (weights * (codes == label)), 1e-12)
        for label in range(num_labels)
    ]

    def to_gain(value):
        return float(np.clip((value - 1 / num_labels) / (1 - 1 / num_labels), 0, 1))

    above = np.quantile(permuted, 1 - stats.TAIL / stats.NUM_TESTS)
    return Score(
        accuracy=float(correct.mean()),
        lower=lower,
        upper=upper,
        largest_share=float(np.bincount(codes).max() / len(codes)),
        balanced=float(balanced),
        gain=to_gain(balanced),
        p_value=stats.compute_p_value(balanced, permuted),
        num_images=len(codes),
        gain_upper=to_gain(np.quantile(np.mean(recalls, axis=0), 1 - stats.TAIL)),
        detectable=to_gain(above + scipy.stats.norm.ppf(stats.POWER) * permuted.std()),
        smallest_p=stats.compute_smallest_p(codes, groups, num_permutations, folds),
    )


def _fit_smoother(train, test):
    """Return S of shape (n_test, n_train): predictions are S @ targets, for any targets."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    useful = deviation > 1e-9
    if not useful.any():
        return np.zeros((len(test), len(train)), dtype=np.float32)
    train, test = (
        ((part - mean) / np.where(useful, deviation, 1))[:, useful] for part in (train, test)
    )
    distances = scipy.spatial.distance.cdist(train, train, "sqeuclidean")
    # Half of the training pairs are nearer than one length scale.
    scale = max(float(np.median(distances)), 1e-9)
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
