"""Does a model use a planted mark? Give the mark to the other class and count."""

import numpy as np
import pandas as pd

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
    lower, upper = intervals.paired_interval(only_own, only_swapped, n)
    return {
        "accuracy": float(right.mean()), "swapped": float(right_swapped.mean()),
        "difference": (only_own - only_swapped) / n, "lower": lower, "upper": upper,
        "k": int(right.sum()), "k_swapped": int(right_swapped.sum()), "n": n,
        "verdict": "still used" if lower > 0 else "use not shown",
    }  # fmt: skip
