"""What was measured, as rows of `metrics.json`: one room that knows the records' columns."""

import pandas as pd

from leakcard import intervals


def list_reliance_scores(counterfactuals, variant) -> pd.DataFrame:
    """Turn a counterfactual table into the rows of `metrics.json`.

    Parameters
    ----------
    counterfactuals : DataFrame
        From `tabulate_counterfactuals`.
    variant : str
        Which model was asked.

    Returns
    -------
    DataFrame
        Two rows a version and mode: `counterfactual_accuracy` with its interval, and `reliance`.
    """
    rows = []
    for row in counterfactuals.itertuples():
        name = {"variant": variant, "version": row.version, "mode": row.mode}
        name |= {"class": "all", "n": row.n}
        accuracy = {"value": row.value, "lower": row.lower, "upper": row.upper, "k": row.k}
        rows.append(name | {"metric": "counterfactual_accuracy", "interval": "wilson"} | accuracy)
        rows.append(name | {"metric": "reliance", "interval": "none", "value": row.reliance})
    return pd.DataFrame(rows)


def list_energy_scores(summary, variant, by="label") -> pd.DataFrame:
    """Turn a summary of energies into the rows of `metrics.json`.

    Parameters
    ----------
    summary : DataFrame
        From `summarize_energy`.
    variant : str
        Which model was explained.
    by : str, default="label"
        The column that `summarize_energy` grouped by; it goes into `class`.

    Returns
    -------
    DataFrame
        Three rows a group: `energy_in_mask`, `mask_area` (its chance level) and `enrichment`, the
        mean over images with evidence, with a bootstrap interval; `n` counts those images.
    """
    names = {"energy": "energy_in_mask", "area": "mask_area", "enrichment": "enrichment"}
    rows = []
    for group in summary.to_dict("records"):
        num_shown = group["num_images"] - group["num_without_evidence"]
        for column, metric in names.items():
            bounds = {end: group[f"{column}_{end}"] for end in ("lower", "upper")}
            row = {"variant": variant, "class": group[by], "metric": metric, "n": num_shown}
            rows.append(row | {"interval": "patient_bootstrap", "value": group[column]} | bounds)
    return pd.DataFrame(rows)


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


def list_comparison_scores(compared, class_name="all") -> pd.DataFrame:
    """Turn a table of comparisons into the rows of `metrics.json`.

    Parameters
    ----------
    compared : DataFrame
        From `compare_runs`.
    class_name : str
        Whose images were compared.

    Returns
    -------
    DataFrame
        Three rows a comparison, `variant` "RUN against OTHER": `metric` "paired_difference" with
        its bootstrap interval, "mcnemar_p" and "mcnemar_p_holm", whose `n` are the images that
        one of the two alone has right.
    """
    rows = []
    for row in compared.itertuples():
        common = {"variant": f"{row.run} against {row.against}", "class": class_name}
        bounds = {"lower": row.lower, "upper": row.upper, "interval": "patient_bootstrap"}
        rows.append({**common, "metric": "paired_difference", "value": row.difference, **bounds})
        common |= {"interval": "none", "n": row.only_run_right + row.only_against_right}
        rows.append({**common, "metric": "mcnemar_p", "value": row.p_value})
        rows.append({**common, "metric": "mcnemar_p_holm", "value": row.p_holm})
    return pd.DataFrame(rows)


def list_effect_scores(effects, variant) -> pd.DataFrame:
    """Turn a table of effects into the rows of `metrics.json`.

    Parameters
    ----------
    effects : DataFrame
        From `estimate_effects`.
    variant : str
        What was ablated.

    Returns
    -------
    DataFrame
        One row a factor, `metric` "main_effect" with its interval over seeds, and one row
        `run_to_run_deviation`.
    """
    rows = [
        {
            "variant": f"{variant}: {row.factor}, {row.low} to {row.high}", "class": "all",
            "metric": "main_effect", "interval": "seeds", "value": row.effect,
            "lower": row.lower, "upper": row.upper, "n": row.num_runs,
        }
        for row in effects.itertuples()
    ]  # fmt: skip
    spread = {"metric": "run_to_run_deviation", "value": effects["run_sd"].iloc[0]}
    common = {"variant": variant, "class": "all", "interval": "none"}
    return pd.DataFrame([*rows, common | spread | {"n": effects["num_runs"].iloc[0]}])
