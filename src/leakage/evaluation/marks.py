"""Does a model use a planted mark? Give the mark to the other class and count."""

import numpy as np
import pandas as pd
from scipy import stats

from leakcard import intervals


def measure_mark_use(test, scores, swapped_scores, class_names) -> dict:
    """Compare the same test images with the mark on its own class and on the other.

    Parameters
    ----------
    test : DataFrame
        The test rows, with `label`.
    scores, swapped_scores : ndarray of shape (n_test, n_classes)
        Of the images as they were planted, and of the same images with the mark swapped.
    class_names : sequence of str

    Returns
    -------
    dict
        `accuracy` and `swapped` (accuracies), `difference` with `lower` and `upper` (95 %, paired:
        Agresti & Min 2005, doi 10.1002/sim.1781, which stays wide where nothing differs), `k` and
        `k_swapped` right of `n`, and `verdict`: "still used" if the interval excludes 0, else
        "use not shown", to be read with the upper bound.

    Raises
    ------
    ValueError
        If the scores are not of the test images.
    """
    truth = pd.Index(class_names).get_indexer(test["label"])
    scores, swapped_scores = np.asarray(scores), np.asarray(swapped_scores)
    if not len(truth) == len(scores) == len(swapped_scores) or len(truth) == 0:
        raise ValueError(
            "A mark's use is measured on the same images twice. Expected one row of scores an "
            f"image. Received: {len(truth)} images, {len(scores)} and {len(swapped_scores)} scores."
        )
    right = scores.argmax(axis=1) == truth
    right_swapped = swapped_scores.argmax(axis=1) == truth
    only_own, only_swapped = (
        int((right & ~right_swapped).sum()),
        int((~right & right_swapped).sum()),
    )
    n = len(truth)
    lower, upper = paired_interval(only_own, only_swapped, n)
    return {
        "accuracy": float(right.mean()), "swapped": float(right_swapped.mean()),
        "difference": (only_own - only_swapped) / n, "lower": lower, "upper": upper,
        "k": int(right.sum()), "k_swapped": int(right_swapped.sum()), "n": n,
        "verdict": "still used" if lower > 0 else "use not shown",
    }  # fmt: skip


def paired_interval(num_only_a: int, num_only_b: int, n: int) -> tuple[float, float]:
    """95 % interval of the difference of two proportions on the same n images.

    Parameters
    ----------
    num_only_a, num_only_b : int
        Images that only the first, and only the second, gets right.
    n : int

    Returns
    -------
    tuple of float
        Wald's interval after half an image is added to each cell of the 2 x 2 table.
    """
    b, c, total = num_only_a + 0.5, num_only_b + 0.5, n + 2
    difference = (b - c) / total
    error = np.sqrt((b + c) - (b - c) ** 2 / total) / total
    reach = stats.norm.ppf(0.5 + intervals.CONFIDENCE / 2) * error
    return float(max(-1.0, difference - reach)), float(min(1.0, difference + reach))


def list_mark_scores(uses) -> pd.DataFrame:
    """Turn a table of mark uses into the rows of `metrics.json`.

    Parameters
    ----------
    uses : DataFrame
        Dicts of `measure_mark_use` as rows, with `variant` and `seed`.

    Returns
    -------
    DataFrame
        Two rows each: `swapped_accuracy` with its Wilson interval, and `mark_use`, the difference.
    """
    rows = []
    for use in uses.to_dict("records"):
        name = {"variant": use["variant"], "seed": use["seed"], "class": "all", "n": use["n"]}
        lower, upper = intervals.wilson_interval(use["k_swapped"], use["n"])
        swapped = {"value": use["swapped"], "lower": lower, "upper": upper, "k": use["k_swapped"]}
        rows.append(name | {"metric": "swapped_accuracy", "interval": "wilson"} | swapped)
        difference = {"value": use["difference"], "lower": use["lower"], "upper": use["upper"]}
        rows.append(name | {"metric": "mark_use", "interval": "paired"} | difference)
    return pd.DataFrame(rows)
