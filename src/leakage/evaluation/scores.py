"""Scores of one model on one test set, each with its interval."""

import numpy as np
import pandas as pd

from leakcard import intervals

ALL_CLASSES = "all"  # `class` of a row that is about no single class
# Resamples are weighed this many image counts at a time: 32 MB of float64.
MAX_WEIGHTS = 4_000_000


def score_predictions(
    y_true,
    scores,
    class_names,
    groups=None,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score predictions, with an interval beside every score.

    Parameters
    ----------
    y_true : array-like of shape (n_images,), dtype=int
        Index of the true class in `class_names`.
    scores : array-like of shape (n_images, n_classes) or, for two classes, (n_images,)
        Higher is more likely; the predicted class is the highest (the first of equals). One
        column is the probability of `class_names[1]`, cut at 0.5.
    class_names : sequence of str
    groups : array-like of shape (n_images,), optional
        Patient of each image. Without it images are resampled one by one.
    num_bootstrap : int, default=1000
    seed : int, default=0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Columns `metric, class, value, lower, upper, interval, k, n`. Metrics are `accuracy`
        (`interval="wilson"`, and a second row `"patient_bootstrap"` if `groups` is given),
        `chance` (share of the largest class), `balanced_accuracy`, `num_classes_never_predicted`,
        and by class `precision` and `recall` (Wilson), `f1` and `roc_auc` against the rest
        (bootstrap). With three or more classes `roc_auc` also has a row `"macro"`; with two it
        has one for `class_names[1]` only. `value` is NaN where it is undefined: recall, F1 and
        AUC of a class that the test set lacks, precision of a class never predicted.

    Raises
    ------
    ValueError
        If shapes, labels or class names do not fit, or a score is not finite.
    """
    y_true, scores = _check_predictions(y_true, scores, class_names)
    num_images, num_classes = scores.shape
    y_pred = scores.argmax(axis=1)
    auc_classes = [1] if num_classes == 2 else list(range(num_classes))

    def compute(weights):
        return _compute_statistics(weights, y_true, y_pred, scores, auc_classes)

    resampled = "bootstrap" if groups is None else "patient_bootstrap"
    groups = np.arange(num_images) if groups is None else _check_groups(groups, num_images)
    values = compute(np.ones((1, num_images)))[0]
    bounds = intervals.bootstrap_interval(compute, groups, num_bootstrap, seed)
    boot = iter(zip(values, *bounds, strict=True))

    def bootstrapped(metric, name):
        value, lower, upper = next(boot)
        return _row(metric, name, value, lower, upper, resampled, n=num_images)

    rows = [_wilson_row("accuracy", ALL_CLASSES, int((y_true == y_pred).sum()), num_images)]
    accuracy = bootstrapped("accuracy", ALL_CLASSES)
    if resampled == "patient_bootstrap":
        rows.append(accuracy)
    largest = int(np.bincount(y_true).max())
    rows.append(_row("chance", ALL_CLASSES, largest / num_images, k=largest, n=num_images))
    rows.append(bootstrapped("balanced_accuracy", ALL_CLASSES))
    never = float(num_classes - len(np.unique(y_pred)))  # the sign of a collapsed head
    rows.append(_row("num_classes_never_predicted", ALL_CLASSES, never, n=num_images))
    for index, name in enumerate(class_names):
        hits = int(((y_true == index) & (y_pred == index)).sum())
        rows.append(_wilson_row("precision", name, hits, int((y_pred == index).sum())))
        rows.append(_wilson_row("recall", name, hits, int((y_true == index).sum())))
    rows += [bootstrapped("f1", name) for name in class_names]
    rows += [bootstrapped("roc_auc", class_names[index]) for index in auc_classes]
    if num_classes > 2:
        rows.append(bootstrapped("roc_auc", "macro"))
    frame = pd.DataFrame(rows)
    return frame.astype({"k": "Int64", "n": "Int64"})


def score_one_against_rest(
    y_true, scores, class_index: int, groups=None, num_bootstrap: int = 1000, seed: int = 0
) -> dict:
    """ROC AUC of one class against all others, with its bootstrap interval.

    Parameters
    ----------
    y_true : array-like of shape (n_images,), dtype=int
    scores : array-like of shape (n_images, n_classes), or (n_images,): of this class alone
    class_index : int
    groups : array-like of shape (n_images,), optional
        Patient of each image.
    num_bootstrap, seed : int

    Returns
    -------
    dict
        Keys `value, lower, upper` (NaN without both classes), `interval`, `n`.
    """
    y_true, scores = np.asarray(y_true), np.asarray(scores, dtype=float)
    if scores.ndim == 2:
        scores = scores[:, class_index]
    if y_true.shape != scores.shape or not np.isfinite(scores).all():
        raise ValueError(
            "An AUC needs one finite score an image. Expected `scores` of shape (n_images,) or "
            f"(n_images, n_classes). Received: {y_true.shape} labels, {scores.shape} scores, "
            f"{int((~np.isfinite(scores)).sum())} not finite."
        )
    resampled = "bootstrap" if groups is None else "patient_bootstrap"
    groups = np.arange(len(y_true)) if groups is None else _check_groups(groups, len(y_true))

    def compute(weights):
        return compute_auc(weights, y_true == class_index, scores)

    lower, upper = intervals.bootstrap_interval(compute, groups, num_bootstrap, seed)
    value = float(compute(np.ones((1, len(y_true))))[0])
    return {"value": value, "lower": lower, "upper": upper, "interval": resampled,
            "n": len(y_true)}  # fmt: skip


def rank_pair(first, second):
    """Rank images by the share that one class has of the scores of two, ndarray of floats."""
    tiny = np.finfo(np.float64).tiny  # a softmax may round to 0
    return np.log(np.maximum(first, tiny)) - np.log(np.maximum(second, tiny))


def _compute_statistics(weights, y_true, y_pred, scores, auc_classes) -> np.ndarray:
    """Accuracy, balanced accuracy, F1 by class, AUC by class, macro AUC of each resample."""
    num_images, num_classes = scores.shape
    step = max(1, MAX_WEIGHTS // num_images)
    if len(weights) > step:
        parts = [weights[start : start + step] for start in range(0, len(weights), step)]
        return np.concatenate(
            [_compute_statistics(part, y_true, y_pred, scores, auc_classes) for part in parts]
        )
    cells = np.eye(num_classes**2)[y_true * num_classes + y_pred]
    confusion = (weights @ cells).reshape(-1, num_classes, num_classes)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    num_true, num_predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = hits.sum(axis=1) / weights.sum(axis=1)
        recall = hits / num_true
        # Present but never hit is an F1 of 0; absent from the test set, it is undefined.
        f1 = np.where(num_true > 0, 2 * hits / (num_true + num_predicted), np.nan)
    auc = np.stack([compute_auc(weights, y_true == i, scores[:, i]) for i in auc_classes], axis=1)
    columns = [accuracy[:, None], recall.mean(axis=1)[:, None], f1, auc]
    if num_classes > 2:
        columns.append(auc.mean(axis=1)[:, None])
    return np.concatenate(columns, axis=1)


def compute_auc(weights, is_positive, scores) -> np.ndarray:
    """Return the AUC of each resample: the weighted share of pairs in the right order.

    Parameters
    ----------
    weights : ndarray of shape (n_resamples, n_images)
        How often each image counts.
    is_positive : ndarray of shape (n_images,), dtype=bool
    scores : ndarray of shape (n_images,)
        Higher is more likely positive.

    Returns
    -------
    ndarray of shape (n_resamples,)
        A tie counts one half, as in the Mann-Whitney statistic. NaN without both classes.

    Notes
    -----
    Every pair is compared, in 8 bytes: 5,000 images of each class take 0.2 GB.
    """
    above, below = scores[is_positive, np.newaxis], scores[~is_positive]
    right = (above > below) + (above == below) / 2
    positive, negative = weights[:, is_positive], weights[:, ~is_positive]
    with np.errstate(invalid="ignore"):
        return ((positive @ right) * negative).sum(axis=1) / (
            positive.sum(axis=1) * negative.sum(axis=1)
        )


def _row(metric, name, value, lower=np.nan, upper=np.nan, interval="none", k=None, n=None):
    return {"metric": metric, "class": name, "value": value, "lower": lower, "upper": upper,
            "interval": interval, "k": k, "n": n}  # fmt: skip


def _wilson_row(metric, name, k, n):
    value = k / n if n else np.nan
    return _row(metric, name, value, *intervals.wilson_interval(k, n), "wilson", k, n)


def _check_predictions(y_true, scores, class_names):
    y_true, scores = np.asarray(y_true), np.asarray(scores, dtype=float)
    if len(class_names) == 2 and scores.size == len(y_true):
        positive = scores.reshape(-1)
        scores = np.stack([1 - positive, positive], axis=1)
    if y_true.ndim != 1 or len(y_true) == 0 or scores.shape != (len(y_true), len(class_names)):
        raise ValueError(
            "Labels, scores and class names do not fit. Expected `y_true` of shape (n_images,) "
            "and `scores` of shape (n_images, n_classes), n_images at least 1. "
            f"Received: y_true {y_true.shape}, scores {scores.shape}, {len(class_names)} names."
        )
    known = np.issubdtype(y_true.dtype, np.integer) and set(y_true) <= set(range(len(class_names)))
    if not known:
        raise ValueError(
            f"A label is not a class. Expected integers from 0 to {len(class_names) - 1}, "
            "indices of `class_names` (encode names with `class_names.index`). "
            f"Received: dtype {y_true.dtype}, values {np.unique(y_true)[:8].tolist()}."
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            "A model without finite scores cannot be ranked. Expected finite `scores` (a NaN "
            "usually means that training diverged). "
            f"Received: {int((~np.isfinite(scores)).any(axis=1).sum())} images with others."
        )
    return y_true, scores


def _check_groups(groups, num_images):
    groups = np.asarray(groups)
    if groups.shape != (num_images,):
        raise ValueError(
            "Every image needs its patient. Expected `groups` of shape "
            f"({num_images},). Received: {groups.shape}."
        )
    return groups
