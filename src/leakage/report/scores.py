"""Tables of a run beside its claims: runs, counterfactual versions, planted marks, Grad-CAM."""

import pandas as pd

from leakage.report import claims

RUN_COLUMNS = (
    "run notebook protocol backbone weights draw seed accuracy interval balanced auc recall "
    "never_predicted"
).split()
ENERGY_COLUMNS = ["explained", "run", "backbone", "n", "energy", "area", "enrichment"]


def make_runs_table(records):
    """Describe each training run by its scores on the test images.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 20)
        From `collect_records`. A run is a row with metric `accuracy` and interval `wilson`; its
        other scores are the rows of the same notebook, protocol, variant, backbone, weights,
        draw and seed.

    Returns
    -------
    DataFrame of shape (n_runs, 13)
        Text, ready to show; what is not known is empty. `auc` is the macro average, or that of
        the one class that has any; `never_predicted` counts classes.
    """
    rows = []
    for _, group in records.groupby([*claims.GROUP, "draw_seed", "seed"], dropna=False, sort=False):
        accuracy = group[(group["metric"] == "accuracy") & (group["interval"] == "wilson")]
        rows += [_describe_run(row, group) for row in accuracy.to_dict("records")]
    return pd.DataFrame(rows, columns=RUN_COLUMNS)


def _describe_run(row, group):
    values = {
        name: group[(group["metric"] == name) & group["value"].notna()]
        for name in ("balanced_accuracy", "roc_auc", "num_classes_never_predicted")
    }
    aucs = values["roc_auc"]
    if len(aucs) > 1:
        aucs = aucs[aucs["class"] == "macro"]
    balanced, lost = values["balanced_accuracy"], values["num_classes_never_predicted"]
    return {
        "run": claims.show(row["variant"]),
        "notebook": claims.show(row["notebook"])[:2],
        "protocol": claims.show(row["protocol"]),
        "backbone": claims.show(row["backbone"]),
        "weights": claims.show(row["weights"]),
        "draw": claims.show(row["draw_seed"]),
        "seed": claims.show(row["seed"]),
        "accuracy": claims.show_share(row["k"], row["n"]),
        "interval": _show_interval(row),
        "balanced": f"{balanced['value'].iloc[0]:.3f}" if len(balanced) else "",
        "auc": f"{aucs['value'].iloc[0]:.3f}" if len(aucs) else "",
        "recall": claims.find_lowest_recall(group),
        "never_predicted": f"{lost['value'].iloc[0]:.0f}" if len(lost) else "",
    }


def make_energy_table(records):
    """Lay out which share of the Grad-CAM evidence lies where it may lie.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 20)
        From `collect_records`; those that `evaluation.list_energy_scores` made are used.

    Returns
    -------
    DataFrame of shape (n_groups, 7)
        Text: `explained` (class and network), `run`, `backbone`, `n`, then the share of the
        evidence in the mask, the share of the image that the mask covers, and their ratio.
    """
    metrics = {"energy_in_mask": "energy", "mask_area": "area", "enrichment": "enrichment"}
    rows = {}
    for row in records[records["metric"].isin(list(metrics))].to_dict("records"):
        names = [claims.show(row[name]) for name in ("class", "variant", "backbone")]
        line = dict(zip(ENERGY_COLUMNS, names, strict=False)) | {"n": claims.show(row["n"])}
        key = (row["notebook"], claims.show(row["protocol"]), *names)
        text = "" if pd.isna(row["value"]) else f"{row['value']:.2f} ({_show_interval(row, 2)})"
        rows.setdefault(key, line)[metrics[row["metric"]]] = text
    return pd.DataFrame(list(rows.values()), columns=ENERGY_COLUMNS).fillna("")


def _show_interval(row, digits=3):
    if pd.isna(row["lower"]) or pd.isna(row["upper"]):
        return ""
    return f"{row['lower']:.{digits}f} to {row['upper']:.{digits}f}"


def make_reliance_table(records):
    """Lay out what is left of each model's accuracy on counterfactual versions of its images.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 20)
        From `collect_records`; those that `evaluation.list_reliance_scores` made are used.

    Returns
    -------
    DataFrame
        One row a model and version: `notebook, model, version, n`, then for "test-time" and
        "retrained" the accuracy with its Wilson interval and the reliance, as text.
    """
    scored = records[records["metric"].isin(["counterfactual_accuracy", "reliance"])]
    rows = {}
    for row in scored.to_dict("records"):
        model, _, rest = row["variant"].rpartition(": ")
        version, _, mode = rest.rpartition(", ")
        name = (row["notebook"][:2], row["backbone"], model, version)
        found = rows.setdefault(name, {"n": row["n"]}).setdefault(mode, {})
        found[row["metric"]] = row
    table = []
    for (notebook, backbone, model, version), modes in rows.items():
        line = {"notebook": notebook, "model": f"{model}, {backbone}", "version": version}
        line["n"] = modes["n"]
        for mode in ("test-time", "retrained"):
            line[mode] = _show_reliance(modes[mode]) if mode in modes else ""
        table.append(line)
    columns = ["notebook", "model", "version", "n", "test-time", "retrained"]
    return pd.DataFrame(table, columns=columns)


def _show_reliance(found):
    row, reliance = found["counterfactual_accuracy"], found["reliance"]["value"]
    kept = "undefined" if pd.isna(reliance) else f"{reliance:.2f}"
    return f"{_show_value(row)}, reliance {kept}"


def make_mark_table(records):
    """Lay out how much a planted mark decides after each treatment of the images.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 20)
        From `collect_records`; those that `evaluation.list_mark_scores` made are used, and the
        accuracy of the same variant and seed.

    Returns
    -------
    DataFrame
        Text: `mark, treatment, n`, the accuracy with the mark where it was in training and on
        the other class, and their paired difference, each with its interval.
    """
    columns = {
        "accuracy": "accuracy as planted",
        "swapped_accuracy": "mark on the other class",
        "mark_use": "difference",
    }
    scored = records[records["metric"].isin(list(columns)) & records["interval"].notna()]
    scored = scored[scored["interval"] != "patient_bootstrap"]
    rows = {}
    for row in scored.to_dict("records"):
        found = rows.setdefault((row["backbone"], row["variant"], row["seed"]), {})
        found[row["metric"]] = row
    table = []
    for (_, variant, _), found in rows.items():
        if len(found) == len(columns):
            mark, _, treatment = variant.partition(": ")
            line = {"mark": mark, "treatment": treatment, "n": found["mark_use"]["n"]}
            table.append(line | {text: _show_value(found[name]) for name, text in columns.items()})
    return pd.DataFrame(table, columns=["mark", "treatment", "n", *columns.values()])


def _show_value(row):
    return f"{row['value']:.3f} ({_show_interval(row)})"
