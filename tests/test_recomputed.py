"""Every committed score is the one that the committed predictions give, to the last digit kept."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leakage import evaluation, published, record

ROOT = Path(__file__).parents[1]
RESULTS = Path(os.environ.get("LEAKAGE_RESULTS_DIR") or ROOT / "results")
RUNS = sorted(path.parent for path in RESULTS.glob("*/0*_*/predictions.csv"))
KEYS = ["system", "protocol", "variant", "seed"]
MEASURE = ["metric", "class", "interval"]
LAST_DIGIT = 6e-11  # records keep ten decimals


def name_run(folder):
    return f"{folder.parent.name}/{folder.name[:2]}"


def read_predictions(folder):
    table = pd.read_csv(folder / "predictions.csv", dtype={"patient_id": str, "image_id": str})
    scores = [name for name in table if name.startswith("score_")]
    # Networks score in float32, of which the file keeps all digits.
    return table.astype(dict.fromkeys(scores, np.float32)), scores


def score_again(table, scores):
    """Scores of every run of a table of predictions, as the notebooks compute them."""
    keys = [name for name in KEYS if name in table]
    for key, rows in table.groupby(keys, dropna=False, sort=False):
        known = rows[scores].dropna(axis=1, how="all")
        names = [name.removeprefix("score_") for name in known]
        labels = pd.Index(names).get_indexer(rows["label"])
        found = evaluation.score_predictions(
            labels, known.to_numpy(), names, rows["patient_id"].to_numpy()
        )
        yield found.assign(**dict(zip(keys, key, strict=True)))


def assert_same(joined):
    for name in ("value", "lower", "upper"):
        kept, again = joined[name].astype(float), joined[f"{name}_again"].astype(float)
        np.testing.assert_allclose(kept, again, rtol=0, atol=LAST_DIGIT)


@pytest.mark.parametrize("folder", [f for f in RUNS if f.name[:2] != "04"], ids=name_run)
def test_scores_follow_from_the_predictions(folder):
    kept = record.read_metrics(folder / "metrics.json")
    kept = kept[kept["mode"].isna() & kept["version"].isna()]
    table, scores = read_predictions(folder)
    again = pd.concat(score_again(table, scores), ignore_index=True)
    keys = [*(name for name in KEYS if name in table), *MEASURE]
    joined = kept.merge(again, on=keys, suffixes=("", "_again"))
    told = kept[(kept["metric"] == "accuracy") & (kept["interval"] == "wilson")]
    assert len(told) and len(joined) >= 10 * len(told)
    assert len(joined[joined["metric"] == "accuracy"]) == 2 * len(told)  # none without predictions
    assert_same(joined)
    assert (joined["k"].fillna(-1) == joined["k_again"].fillna(-1)).all()


def list_contrasts(notebook):
    """The contrasts of notebook 04, from its own cell."""
    cells = json.loads((ROOT / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
    (code,) = ["".join(c["source"]) for c in cells if "families = {" in "".join(c["source"])]
    names = {}
    exec(code.split("worths = {}")[0], names)
    return names["families"]


@pytest.mark.parametrize("folder", [f for f in RUNS if f.name[:2] == "04"], ids=name_run)
def test_what_each_leak_is_worth_follows_from_the_predictions(folder):
    kept = record.read_metrics(folder / "metrics.json")
    table, _ = read_predictions(folder)
    table = table[table["draw_seed"].notna()]
    scored = evaluation.score_draws(table, list(published.CLASS_NAMES))
    num_rows = 0
    for metric in scored.values.drop(columns="test_share"):
        for family, contrasts in list_contrasts(f"{folder.name}.ipynb").items():
            again = evaluation.list_worth_scores(
                evaluation.tabulate_worth(scored, contrasts, metric), metric
            )
            rows = kept[kept["protocol"] == family].merge(
                again, on=["variant", *MEASURE], suffixes=("", "_again")
            )
            assert len(rows) == len(again)
            num_rows += len(rows)
            assert_same(rows)
    assert num_rows == 10 * 5 * 3
