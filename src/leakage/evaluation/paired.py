"""Several models on the same test images: which differences are more than chance?"""

import itertools

import numpy as np
import pandas as pd

from leakcard import intervals

COLUMNS = (
    "run", "against", "accuracy", "accuracy_against", "difference", "lower", "upper",
    "only_run_right", "only_against_right", "p_value", "p_holm", "survives",
)  # fmt: skip
SIGNIFICANCE = 0.05


def compare_runs(y_true, scores, reference=None, groups=None, num_bootstrap=1000, seed=0):
    """Compare models image by image: exact McNemar, corrected after Holm.

    Parameters
    ----------
    y_true : array-like of shape (n_images,), dtype=int
        Index of the true class.
    scores : dict of str to array-like of shape (n_images, n_classes)
        Of each model, by its name, on the same images in the same order.
    reference : str, optional
        Compare all others with this one; by default every pair is compared.
    groups : array-like of shape (n_images,), optional
        Patient of each image: the interval of the difference resamples patients. McNemar's test
        takes images as independent, which several of one patient are not.
    num_bootstrap, seed : int

    Returns
    -------
    DataFrame
        One row a comparison: `run, against`, their accuracies, `difference` (first minus second,
        in [-1, 1]) with `lower` and `upper` (95 % bootstrap), the discordant images
        `only_run_right` and `only_against_right`, `p_value`, `p_holm` (Holm's correction over all
        rows of this table) and `survives` (`p_holm` below 0.05). Sorted by `p_value`.

    Raises
    ------
    ValueError
        If there are fewer than two models, the reference is none of them, or the images differ.
    """
    y_true = np.asarray(y_true)
    if len(scores) < 2 or (reference is not None and reference not in scores):
        raise ValueError(
            "A comparison needs two models, the reference among them. Expected at least two "
            f"scores. Received: {list(scores)}, reference={reference!r}."
        )
    right = {}
    for name, values in scores.items():
        values = np.asarray(values)
        if values.ndim != 2 or len(values) != len(y_true):
            raise ValueError(
                "Models are compared on the same test images. Expected scores of shape "
                f"({len(y_true)}, n_classes). Received: {values.shape} for {name!r}."
            )
        right[name] = values.argmax(axis=1) == y_true
    if reference is None:
        pairs = list(itertools.combinations(right, 2))
    else:
        pairs = [(name, reference) for name in right if name != reference]
    groups = np.arange(len(y_true)) if groups is None else np.asarray(groups)
    gains = np.stack([right[a].astype(float) - right[b] for a, b in pairs], axis=1)

    def compute(weights):
        return weights @ gains / weights.sum(axis=1, keepdims=True)

    lower, upper = intervals.bootstrap_interval(compute, groups, num_bootstrap, seed)
    rows = []
    for number, (run, against) in enumerate(pairs):
        test = intervals.mcnemar_test(right[run], right[against])
        shares = float(right[run].mean()), float(right[against].mean())
        rows.append(
            (run, against, *shares, shares[0] - shares[1], lower[number], upper[number],
             test.num_only_a, test.num_only_b, test.p_value)
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-2]))
    corrected = intervals.adjust_p_values(table["p_value"])
    table = table.assign(p_holm=corrected, survives=corrected < SIGNIFICANCE)
    return table.sort_values("p_value", kind="stable", ignore_index=True)
