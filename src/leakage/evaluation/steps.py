"""A ladder of corrections: each step beside the one above it."""

import numpy as np
import pandas as pd

from leakage.evaluation import seeds
from leakcard import intervals


def tabulate_steps(records, variants, predictions=None) -> pd.DataFrame:
    """Compare each variant with the one before it.

    Parameters
    ----------
    records : DataFrame
        Rows of `score_runs` with a column `variant`.
    variants : sequence of str
        The steps, in order.
    predictions : DataFrame, optional
        Rows of `make_predictions` with a column `variant`: steps with one and the same test set
        are then compared image by image.

    Returns
    -------
    DataFrame
        One row a step: `step`, `k`, `n`, `accuracy` with `lower` and `upper` (Wilson, the seed
        declared beforehand), `difference` to the step above with its Newcombe interval for
        independent samples (`difference_lower`, `difference_upper`; missing where all test images
        are shared), `num_shared` test images and, where all are, the exact `p_mcnemar`; `mean`
        and `sd` over seeds, `num_seeds`, `num_collapsed`, and `recall_<class>` of the declared
        seed.
    """
    summary = seeds.summarize_seeds(records, by=["variant", "metric", "class"])
    summary = summary[summary["metric"] == "accuracy"].set_index("variant")
    rows, above = [], None
    for variant in variants:
        of_step = records[records["variant"] == variant]
        if of_step.empty:
            raise ValueError(
                f"A step has no records. Expected the variant {variant!r} among "
                f"{sorted(set(records['variant']))}."
            )
        declared = of_step[of_step["seed"] == of_step["seed"].iloc[0]]
        wilson = declared[declared["interval"] == "wilson"]
        row = wilson[wilson["metric"] == "accuracy"].iloc[0]
        k, n = int(row["k"]), int(row["n"])
        step = {
            "step": variant, "k": k, "n": n, "accuracy": k / n,
            "lower": row["lower"], "upper": row["upper"],
            "difference": np.nan, "difference_lower": np.nan, "difference_upper": np.nan,
        }  # fmt: skip
        if predictions is not None:
            step |= {"num_shared": None, "p_mcnemar": np.nan}
        right = _find_right(predictions, variant, declared["seed"].iloc[0])
        if above:
            step["difference"] = k / n - above[0][0] / above[0][1]
            step |= _compare((k, n), right, *above)
        spread = summary.loc[variant]
        step |= {name: spread[name] for name in ("mean", "sd", "num_seeds", "num_collapsed")}
        recalls = wilson[wilson["metric"] == "recall"]
        step |= {f"recall_{row['class']}": row["value"] for _, row in recalls.iterrows()}
        rows.append(step)
        above = ((k, n), right)
    return pd.DataFrame(rows)


def _find_right(predictions, variant, seed):
    """Whether each test image is called rightly, by its name; None without predictions."""
    if predictions is None:
        return None
    chosen = predictions[(predictions["variant"] == variant) & (predictions["seed"] == seed)]
    right = pd.Series((chosen["label"] == chosen["predicted"]).to_numpy(), chosen["image_id"])
    right = right.sort_index(kind="stable")
    # a draw with replacement may test an image twice: each time is one of its own
    copies = right.groupby(level=0).cumcount()
    return right.set_axis(pd.MultiIndex.from_arrays([right.index, copies]))


def _compare(counts, right, counts_above, right_above):
    """Two steps on the same test images are compared by image, else as independent samples."""
    if right is not None:
        num_shared = len(right.index.intersection(right_above.index))
        if num_shared == len(right) == len(right_above):
            test = intervals.mcnemar_test(right.to_numpy(), right_above[right.index].to_numpy())
            return {"num_shared": num_shared, "p_mcnemar": test.p_value}
    lower, upper = intervals.newcombe_interval(*counts, *counts_above)
    bounds = {"difference_lower": lower, "difference_upper": upper}
    return bounds if right is None else bounds | {"num_shared": num_shared}
