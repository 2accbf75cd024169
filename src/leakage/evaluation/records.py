"""What was measured, as rows of `metrics.json`: one room that knows the records' columns.

Each function takes a table of its sibling room and returns a DataFrame for `Results.add_scores`.
"""

import pandas as pd

from leakcard import intervals

# Metric of a record, and its column in `tabulate_worth`.
WORTH_NUMBERS = {"worth_p": "p_value", "worth_p_holm": "p_holm", "smallest_worth": "smallest"}


def list_counterfactual_scores(counterfactuals, variant) -> pd.DataFrame:
    """Rows of `tabulate_counterfactuals`: accuracy and difference of each version and mode."""
    rows = []
    for row in counterfactuals.itertuples():
        name = {"variant": variant, "version": row.version, "mode": row.mode}
        name |= {"class": "all", "n": row.n}
        accuracy = {"value": row.value, "lower": row.lower, "upper": row.upper, "k": row.k}
        rows.append(name | {"metric": "counterfactual_accuracy", "interval": "wilson"} | accuracy)
        lost = {"lower": row.difference_lower, "upper": row.difference_upper}
        lost |= {"metric": "counterfactual_difference", "interval": "paired"}
        rows.append(name | lost | {"value": row.difference})
    return pd.DataFrame(rows)


def list_energy_scores(summary, variant, by="label") -> pd.DataFrame:
    """Rows of `summarize_energy`, three a group: energy, area (its chance level), enrichment.

    The column `by` goes into `class`; `n` counts the images with evidence.
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
    """Rows of `measure_mark_use` (with `variant` and `seed`): accuracy swapped, and difference."""
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
    """Rows of `compare_runs`, three a comparison: difference, McNemar's p, and Holm's.

    `class_name` says whose images were compared; the `n` of a p are the images that one of the
    two alone has right.
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
    """Rows of `estimate_effects`: one a factor, and the deviation of runs that are equal."""
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


def list_worth_scores(table, metric) -> pd.DataFrame:
    """Rows of `tabulate_worth`, five a contrast: worth over draws and over patients, p, smallest.

    `class` says whose difference it is (`metric`); `n` counts the draws.
    """
    rows = []
    for row in table.to_dict("records"):
        common = {"variant": row["contrast"], "class": metric, "n": row["num_draws"]}
        for kind, start in (("draws", ""), ("patient_bootstrap", "patient_")):
            bounds = {end: row[f"{start}{end}"] for end in ("lower", "upper")}
            rows.append(
                {**common, "metric": "worth", "interval": kind, "value": row["worth"], **bounds}
            )
        for name, column in WORTH_NUMBERS.items():
            rows.append({**common, "metric": name, "interval": "none", "value": row[column]})
    return pd.DataFrame(rows)
