"""Spread of a result over the seeds of its training."""

import pandas as pd


def summarize_seeds(records, by) -> pd.DataFrame:
    """Spread of every metric over seeds, kept apart from the sampling error of the test set.

    Parameters
    ----------
    records : DataFrame or list of dict
        Rows of `score_predictions` or `metrics.json`, with a column `seed`.
    by : sequence of str
        Columns that tell configurations apart, "metric" and "class" among them.

    Returns
    -------
    DataFrame
        One row a configuration, metric and class: `mean, sd, min, max, num_seeds,
        num_collapsed`. `sd` is that of a sample, NaN for one seed. `num_seeds` counts the seeds
        that define the metric. `num_collapsed` counts those that left a class unpredicted;
        missing (NA) where the records lack `num_classes_never_predicted`.
    """
    frame = pd.DataFrame(records)
    missing = [name for name in ("seed", "metric", "value") if name not in frame]
    if missing:
        raise ValueError(
            "A spread over seeds needs a record a seed and metric. Expected columns `seed`, "
            "`metric` and `value` (add the seed with `frame.assign(seed=...)`). "
            f"Missing: {missing}. Received columns: {list(frame.columns)}."
        )
    frame = frame.astype({"value": float})
    keys = list(by)
    # Accuracy has a row an interval, with one value: it must not count twice.
    frame = frame.drop_duplicates([*keys, "seed", "value"])
    repeated = frame[frame.duplicated([*keys, "seed"], keep=False)]
    if len(repeated):
        first = repeated.iloc[0][[*keys, "seed"]].to_dict()
        raise ValueError(
            "A seed has two values of one metric, so the records mix runs. Expected one value a "
            "seed and configuration (name in `by` the column that tells the runs apart). "
            f"Received twice: {first}."
        )
    groups = frame.groupby(keys, dropna=False, sort=False)
    summary = groups["value"].agg(["mean", "std", "min", "max"]).rename(columns={"std": "sd"})
    summary["num_seeds"] = groups["value"].count()
    summary = summary.reset_index()
    never = frame[frame["metric"] == "num_classes_never_predicted"]
    run_keys = [name for name in keys if name not in ("metric", "class")]
    collapsed = (never["value"] > 0).groupby([never[name] for name in run_keys], dropna=False)
    collapsed = collapsed.sum().astype("Int64").rename("num_collapsed").reset_index()
    return summary.merge(collapsed, on=run_keys, how="left")
