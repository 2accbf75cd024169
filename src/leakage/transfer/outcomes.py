"""What came of the runs of a comparison, and the table of them."""

import dataclasses

import keras
import pandas as pd

from leakage import evaluation, networks, published
from leakage.data import sources
from leakage.transfer import experiments


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One experiment, done.

    `runs` are in the order of the seeds, their `test_scores` follow the rows of `scored` (those of
    the split that are "test" or "extra"). `model` is that of the first seed, from raw pixels to
    scores, where it was kept. Counts of weights are the model's own. `changes` says in what the
    recipe is not that of the system.
    """

    experiment: experiments.Experiment
    backbone: networks.Backbone
    class_names: tuple
    scored: pd.DataFrame
    runs: list
    num_trained: int
    num_weights: int
    model: keras.Model | None
    changes: str

    def get_table(self, part="test"):
        """The rows of the "test" or "extra" images."""
        return self.scored[self.scored["split"] == part]

    def get_scores(self, part="test"):
        """Scores by seed of the "test" or "extra" images: dict of int to ndarray."""
        rows = (self.scored["split"] == part).to_numpy()
        return {run.seed: run.test_scores[rows] for run in self.runs}

    @property
    def seconds(self):
        """Seconds of training over all seeds; features are shared and not counted."""
        return sum(run.seconds for run in self.runs)


def score_outcome(outcome, data_source, num_bootstrap=1000):
    """Score all seeds of an outcome; the first is judged if the source published a number.

    Parameters
    ----------
    outcome : Outcome
    data_source : {"real", "phantoms"}
    num_bootstrap : int

    Returns
    -------
    DataFrame
        As `evaluation.score_runs`; where nothing was published, `verdict` is missing.
    """
    run, backbone = outcome.experiment, outcome.backbone
    result = published.RESULTS.get(run.claim)
    reasons = [
        evaluation.describe_obstacles(data_source, run.backbone, backbone.weights, result),
        published.OTHER_IMAGES.get(run.system, ""),
        outcome.changes,
    ]
    if data_source == "real" and result:
        reasons.append(sources.describe_changed_files(outcome.get_table()))
    obstacles = ", ".join(reason for reason in reasons if reason)
    frame = evaluation.score_runs(
        outcome.get_table(), outcome.get_scores(), outcome.class_names, result, obstacles,
        num_bootstrap,
    )  # fmt: skip
    if result is None:
        return frame.assign(verdict=None)
    # A published accuracy without the size of its test set cannot be compared, but it exists.
    return frame.replace({"verdict": {"no published value": "not comparable"}})


def score_extra(outcome):
    """Share of the further images of one class that are called so: S3's second specificity.

    Returns
    -------
    DataFrame
        A row a seed: `metric` "specificity", `class`, `seed`, `value` with its Wilson interval.
    """
    table = outcome.get_table("extra")
    rows = []
    for seed, scores in outcome.get_scores("extra").items():
        called = [outcome.class_names[index] for index in scores.argmax(axis=1)]
        k, n = int((table["label"] == called).sum()), len(table)
        lower, upper = evaluation.wilson_interval(k, n)
        rows.append(
            {"metric": "specificity", "class": table["label"].iloc[0], "seed": seed,
             "interval": "wilson", "value": k / n, "lower": lower, "upper": upper, "k": k, "n": n}
        )  # fmt: skip
    return pd.DataFrame(rows)


def tabulate_shares(records, metrics=("recall", "specificity")):
    """Lay shares of each run out for reading.

    Parameters
    ----------
    records : DataFrame
        Rows with `variant`, `metric`, `class`, `value`, `lower`, `upper`, `n`, of one seed.
    metrics : sequence of str

    Returns
    -------
    DataFrame
        One row a run, one column a metric and class, "value [lower, upper]".
    """
    rows = records[records["metric"].isin(metrics)].copy()
    rows["text"] = [evaluation.show_score(row) for row in rows.itertuples()]
    rows["column"] = rows["metric"] + " " + rows["class"]
    is_share = rows["interval"] == "wilson"
    rows.loc[is_share, "column"] += ", n = " + rows["n"][is_share].astype(int).astype(str)
    table = rows.pivot_table(index="variant", columns="column", values="text", aggfunc="first")
    table = table.reindex(list(dict.fromkeys(rows["variant"])))[list(dict.fromkeys(rows["column"]))]
    return table.fillna("").rename_axis(index="run", columns=None)


def tabulate_outcomes(outcomes, records):
    """Set every run beside what was published: the table to remember.

    Parameters
    ----------
    outcomes : sequence of Outcome
    records : DataFrame
        Rows of `evaluation.score_runs` with `system` and `variant` (the run's name).

    Returns
    -------
    DataFrame
        One row a run: `system, run, published` (accuracy, empty where nothing was), `accuracy`
        with `lower` and `upper` (Wilson, first seed), `chance`, `lowest` and `highest` over the
        seeds, `seeds` and `collapsed` (those that never predict one of the classes), `trained`
        and `weights_in_all` (numbers), `seconds` of training over all seeds, `weights` (their
        source) and `is_null`.
    """
    rows = []
    for outcome in outcomes:
        run = outcome.experiment
        own = records[(records["system"] == run.system) & (records["variant"] == run.name)]
        accuracies = own[(own["metric"] == "accuracy") & (own["interval"] == "wilson")]
        declared = accuracies.iloc[0]
        never = own[own["metric"] == "num_classes_never_predicted"]
        claim = published.RESULTS.get(run.claim)
        rows.append(
            {
                "system": run.system,
                "run": run.name,
                "published": claim.value if claim else None,
                "accuracy": declared["value"],
                "lower": declared["lower"],
                "upper": declared["upper"],
                "chance": own.loc[own["metric"] == "chance", "value"].iloc[0],
                "lowest": accuracies["value"].min(),
                "highest": accuracies["value"].max(),
                "seeds": len(accuracies),
                "collapsed": int((never["value"] > 0).sum()),
                "trained": outcome.num_trained,
                "weights_in_all": outcome.num_weights,
                "seconds": round(outcome.seconds, 1),
                "weights": outcome.backbone.weights,
                "is_null": run.is_null,
            }
        )
    columns = ["published", "accuracy", "lower", "upper", "chance", "lowest", "highest"]
    return pd.DataFrame(rows).astype(dict.fromkeys(columns, float))
