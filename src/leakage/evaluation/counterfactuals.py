"""How much of a score is left without what should matter."""

import numpy as np
import pandas as pd

from leakcard import intervals

MIN_GROUP_SIZE = 5


def tabulate_counterfactuals(test, scores, class_names) -> pd.DataFrame:
    """Score every version of the test images.

    Parameters
    ----------
    test : DataFrame
        The test rows, with `label`.
    scores : dict of (str, str) to ndarray of shape (n_test, n_classes)
        By version and mode ("test-time", "retrained"); ("full", "test-time") must be there.
    class_names : sequence of str

    Returns
    -------
    DataFrame
        One row a version and mode: `version, mode, k, n, value, lower, upper` (accuracy with its
        Wilson interval), `chance`, and `difference`, `difference_lower`, `difference_upper`: that
        accuracy minus the one on the whole images, of the same images and so paired. At test time
        it says what the network loses (use of what is gone, and surprise at the version);
        retrained, what the version still holds.
    """
    if ("full", "test-time") not in scores:
        raise ValueError(
            'A version is compared with the whole images. Expected ("full", "test-time") among '
            f"the scores. Received: {sorted(scores)}."
        )
    truth = pd.Index(class_names).get_indexer(test["label"])
    chance = np.bincount(truth).max() / len(truth)
    full = scores["full", "test-time"].argmax(axis=1) == truth
    rows = []
    for (version, mode), values in scores.items():
        right = values.argmax(axis=1) == truth
        k = int(right.sum())
        lower, upper = intervals.wilson_interval(k, len(truth))
        bounds = intervals.paired_interval(
            int((right & ~full).sum()), int((full & ~right).sum()), len(truth)
        )
        if (version, mode) == ("full", "test-time"):
            bounds = (np.nan, np.nan)  # nothing is compared with itself
        rows.append(
            {
                "version": version,
                "mode": mode,
                "k": k,
                "n": len(truth),
                "value": k / len(truth),
                "lower": lower,
                "upper": upper,
                "chance": chance,
                "difference": (k - int(full.sum())) / len(truth),
                "difference_lower": bounds[0],
                "difference_upper": bounds[1],
            }
        )
    return pd.DataFrame(rows)


def find_worst_group(test, predicted, columns=("label", "source")) -> pd.Series:
    """Find the group of test images with the lowest accuracy (arXiv 1911.08731).

    Parameters
    ----------
    test : DataFrame
        With `label` and `columns`.
    predicted : array-like of str, shape (n_test,)
    columns : sequence of str
        What makes a group. Groups of fewer than 5 images are passed over.

    Returns
    -------
    Series
        `group` (text), `accuracy` with `lower` and `upper`, `k`, `n`.
    """
    frame = test[list(columns)].astype(object).fillna("unknown").reset_index(drop=True)
    frame["right"] = np.asarray(predicted) == test["label"].to_numpy()
    groups = frame.groupby(list(columns))["right"].agg(["sum", "size"])
    groups = groups[groups["size"] >= MIN_GROUP_SIZE]
    if groups.empty:
        raise ValueError(
            f"No group is large enough. Expected groups of at least {MIN_GROUP_SIZE} test images "
            f"by {list(columns)}. Received: {len(test)} images."
        )
    name = (groups["sum"] / groups["size"]).idxmin()
    k, n = (int(value) for value in groups.loc[name])
    lower, upper = intervals.wilson_interval(k, n)
    text = ", ".join(str(part) for part in (name if isinstance(name, tuple) else (name,)))
    return pd.Series(
        {"group": text, "accuracy": k / n, "lower": lower, "upper": upper, "k": k, "n": n}
    )
