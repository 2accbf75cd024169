"""A ladder of corrections: each step beside the one above it."""

import numpy as np
import pandas as pd

from leakage.evaluation import intervals, seeds


def tabulate_steps(records, variants) -> pd.DataFrame:
    """Compare each variant with the one before it.

    Parameters
    ----------
    records : DataFrame
        Rows of `score_runs` with a column `variant`.
    variants : sequence of str
        The steps, in order.

    Returns
    -------
    DataFrame
        One row a step: `step`, `k`, `n`, `accuracy` with `lower` and `upper` (Wilson, the seed
        declared beforehand), `difference` to the step above with its Newcombe interval
        (`difference_lower`, `difference_upper`: the test sets differ, so they are independent
        samples), `mean` and `sd` over seeds, `num_seeds`, `num_collapsed`, and `recall_<class>`
        of the declared seed.
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
        if above:
            lower, upper = intervals.newcombe_interval(k, n, *above)
            step |= {"difference": k / n - above[0] / above[1]}
            step |= {"difference_lower": lower, "difference_upper": upper}
        spread = summary.loc[variant]
        step |= {name: spread[name] for name in ("mean", "sd", "num_seeds", "num_collapsed")}
        recalls = wilson[wilson["metric"] == "recall"]
        step |= {f"recall_{row['class']}": row["value"] for _, row in recalls.iterrows()}
        rows.append(step)
        above = (k, n)
    return pd.DataFrame(rows)
