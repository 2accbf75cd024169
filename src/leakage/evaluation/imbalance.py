"""What a result on very unequal classes says: the majority vote, printed shares, another mix.

An accuracy is an average of recalls, weighted by how many images of each class the test set
happens to hold. Two results with other mixes are not comparable until that is undone.
"""

import itertools

import numpy as np
import pandas as pd

from leakcard import intervals


def score_majority(counts):
    """Score the answer that is always the largest class.

    Parameters
    ----------
    counts : dict of str to int
        Test images of each class.

    Returns
    -------
    dict
        `class`, `k`, `n`, `accuracy` and `balanced_accuracy` (one over the number of classes).
    """
    _check_counts(counts)
    largest, total = max(counts, key=counts.get), sum(counts.values())
    k = counts[largest]
    return {
        "class": largest, "k": k, "n": total, "accuracy": k / total,
        "balanced_accuracy": 1 / len(counts),
    }  # fmt: skip


def weigh_recalls(hits, counts, mix=None):
    """Average recalls by another mix of classes than the test set's, with a 95 % interval.

    Parameters
    ----------
    hits, counts : dict of str to int
        Right answers and test images of each class.
    mix : dict of str to int, optional
        Images of each class that the average is meant for. Default: as many of each, which is
        balanced accuracy.

    Returns
    -------
    value, lower, upper : float
        The interval combines the classes' Wilson intervals (Zou & Donner 2008, "MOVER", doi
        10.1002/sim.3095): patients of one class are independent of those of another.
    """
    _check_counts(counts)
    mix = dict.fromkeys(counts, 1) if mix is None else mix
    if set(hits) != set(counts) or set(mix) != set(counts):
        raise ValueError(
            "Recalls cannot be weighed. Expected hits, counts and mix of the same classes. "
            f"Received: {sorted(hits)}, {sorted(counts)}, {sorted(mix)}."
        )
    weights = {name: mix[name] / sum(mix.values()) for name in counts}
    value = below = above = 0.0
    for name, weight in weights.items():
        share = hits[name] / counts[name]
        lower, upper = intervals.wilson_interval(hits[name], counts[name])
        value += weight * share
        below += (weight * (share - lower)) ** 2
        above += (weight * (upper - share)) ** 2
    return value, float(max(value - np.sqrt(below), 0.0)), float(min(value + np.sqrt(above), 1.0))


def bound_hits(counts, accuracy, recalls, num_digits=2):
    """Find the right answers that a printed accuracy and printed recalls allow.

    Parameters
    ----------
    counts : dict of str to int
        Test images of each class.
    accuracy : float in [0, 1]
        As printed, rounded to `num_digits`.
    recalls : dict of str to float
        As printed, of some or all classes.
    num_digits : int

    Returns
    -------
    DataFrame
        One row a class and one "balanced accuracy": `lower` and `upper` of the counts of right
        answers (of the share, in the last row) over everything that rounds to what is printed.

    Raises
    ------
    ValueError
        If no counts give all printed numbers.
    """
    _check_counts(counts)
    total, margin = sum(counts.values()), 0.5 * 10**-num_digits + 1e-9
    allowed = {
        name: _find_rounded(counts[name], recalls[name], margin)
        for name in counts
        if name in recalls
    }
    hits_all = _find_rounded(total, accuracy, margin)
    missing = [name for name in counts if name not in recalls]
    if len(missing) > 1:
        raise ValueError(
            "Two recalls cannot be worked back from one accuracy. Expected the recalls of all "
            f"classes but one. Received: {sorted(recalls)} of {sorted(counts)}."
        )
    found = []
    for known in itertools.product(*allowed.values()):
        of_class = dict(zip(allowed, known, strict=True))
        rest = hits_all - sum(known)
        if missing:
            values = rest[(rest >= 0) & (rest <= counts[missing[0]])]
            found += [of_class | {missing[0]: int(value)} for value in values]
        elif (rest == 0).any():
            found.append(of_class)
    if not found:
        raise ValueError(
            "The printed numbers contradict each other. Expected counts of right answers that "
            f"round to all of them. Received: accuracy={accuracy}, recalls={recalls}, "
            f"counts={counts}."
        )
    frame = pd.DataFrame(found)[list(counts)]
    frame["balanced accuracy"] = sum(frame[name] / counts[name] for name in counts) / len(counts)
    return pd.DataFrame({"lower": frame.min(), "upper": frame.max()})


def _find_rounded(count, share, margin):
    hits = np.arange(count + 1)
    return hits[np.abs(hits / count - share) <= margin]


def _check_counts(counts):
    if len(counts) < 2 or min(counts.values()) < 1:
        raise ValueError(
            "A mix of classes needs images of each. Expected at least two classes and one image "
            f"of each. Received: {dict(counts)}."
        )
