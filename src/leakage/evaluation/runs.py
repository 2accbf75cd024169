"""All seeds of one variant, scored: the rows of `metrics.json`."""

import numpy as np
import pandas as pd

from leakage import published
from leakage.evaluation import scores as scoring
from leakage.evaluation import verdicts

JUDGED = ("claim", "published_k", "published_n", "verdict", "reason")
DATA_SOURCES = {"real": "Real images", "phantoms": "Phantoms drawn by this project"}


def score_runs(
    test, runs, class_names, published_result=None, obstacles="", num_bootstrap=1000
) -> pd.DataFrame:
    """Score every seed of one variant on its test set.

    Parameters
    ----------
    test : DataFrame
        The test images, with `label` and `patient_id`.
    runs : dict of int to ndarray of shape (n_images, n_classes)
        Test scores by seed. The first seed is the one declared beforehand: it alone is judged
        against the published result, the others show the spread.
    class_names : sequence of str
    published_result : leakage.published.Result, optional
    obstacles : str
        Why ours cannot be compared with it; see `describe_obstacles`.
    num_bootstrap : int

    Returns
    -------
    DataFrame
        The rows of `score_predictions` for each seed, with `seed`, and `JUDGED` on the accuracy
        of the declared seed (missing elsewhere).
    """
    y_true = pd.Index(class_names).get_indexer(test["label"])
    published_k = published_result.k if published_result else None
    published_n = published_result.n if published_result else None
    frames = []
    for seed, values in runs.items():
        frame = scoring.score_predictions(
            y_true, values, class_names, test["patient_id"].to_numpy(), num_bootstrap
        )
        frame = frame.assign(seed=seed, **dict.fromkeys(JUDGED))
        if not frames:
            row = frame[(frame["metric"] == "accuracy") & (frame["interval"] == "wilson")].iloc[0]
            counts = None
            if published_result and published_result.same_images:
                counts = [int((np.argmax(each, axis=1) == y_true).sum()) for each in runs.values()]
            verdict = verdicts.judge_result(
                row["k"], row["n"], published_k, published_n, obstacles, counts
            )
            key = published.get_key(published_result)
            told = [key, published_k, published_n, verdict, obstacles]
            frame.loc[row.name, list(JUDGED)] = told
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def score_pair(test, runs, class_names, positive, negative, num_bootstrap=1000) -> pd.DataFrame:
    """Score how well every seed tells two of its classes apart, whatever it says of the others.

    Parameters
    ----------
    test, runs, class_names, num_bootstrap
        As `score_runs` takes them.
    positive, negative : str
        Two of `class_names`; only their test images count, ranked by the share that the first has
        of the scores of both.

    Returns
    -------
    DataFrame
        One row a seed: metric `roc_auc`, class "<positive> against <negative>", with its interval
        over patients, as `score_runs` lays them out.
    """
    chosen = test["label"].isin([positive, negative]).to_numpy()
    truth = (test["label"] == positive).to_numpy(int)[chosen]
    patients = test["patient_id"].to_numpy()[chosen]
    first, second = (class_names.index(name) for name in (positive, negative))
    rows = []
    for seed, values in runs.items():
        values = np.asarray(values, dtype=float)[chosen]
        ranked = scoring.rank_pair(values[:, first], values[:, second])
        area = scoring.score_one_against_rest(truth, ranked, 1, patients, num_bootstrap)
        rows.append(area | {"seed": seed})
    return pd.DataFrame(rows).assign(
        metric="roc_auc", **{"class": f"{positive} against {negative}"}
    )


def describe_obstacles(data_source, backbone, weights, published_result) -> str:
    """Say what keeps a result from being compared with a published one; "" if nothing does.

    Parameters
    ----------
    data_source : {"real", "phantoms"}
    backbone, weights : str
        What the result used, as `leakage.networks.Backbone` names them.
    published_result : leakage.published.Result or None
    """
    reasons = []
    if data_source == "phantoms":
        reasons.append("phantoms instead of photographs or X-rays")
    if published_result and backbone != published_result.backbone:
        reasons.append(f"backbone {backbone} instead of {published_result.backbone}")
    if weights.startswith("random"):
        reasons.append("random weights")
    return ", ".join(reasons)


def make_predictions(test, runs, class_names, **columns) -> pd.DataFrame:
    """Tabulate every test image's scores, one row an image and seed.

    Parameters
    ----------
    test, runs, class_names
        As `score_runs` takes them.
    **columns
        Constant columns in front, such as `protocol` and `variant`.

    Returns
    -------
    DataFrame
        `seed, image_id, patient_id, label, predicted` and `score_<class>` for each class.
    """
    frames = []
    for seed, values in runs.items():
        values = np.asarray(values)
        frame = test[["image_id", "patient_id", "label"]].reset_index(drop=True)
        frame["predicted"] = np.asarray(class_names)[values.argmax(axis=1)]
        for position, name in enumerate(class_names):
            frame[f"score_{name}"] = values[:, position]
        frames.append(frame.assign(**columns, seed=seed))
    return pd.concat(frames, ignore_index=True)


def describe_provenance(data_source, backbone, weights) -> str:
    """Say in a line what a figure's numbers come from: data, backbone and weights."""
    if data_source not in DATA_SOURCES:
        raise ValueError(
            f"An unknown value of `data_source`. Expected one of {', '.join(DATA_SOURCES)}. "
            f"Received: {data_source!r}"
        )
    return f"{DATA_SOURCES[data_source]}; {backbone}, weights: {weights}"


def tabulate_scores(scores) -> pd.DataFrame:
    """Lay the per-class scores of one run out for reading.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_runs` of one seed.

    Returns
    -------
    DataFrame
        One row a class, one column a metric, "value [lower, upper]"; "no spread" where all
        resamples of the patients agree, as for an AUC of 1.
    """
    metrics = ["precision", "recall", "f1", "roc_auc"]
    frame = scores[scores["metric"].isin(metrics)].copy()
    frame["text"] = [show_score(row) for row in frame.itertuples()]
    table = frame.pivot_table(index="class", columns="metric", values="text", aggfunc="first")
    order = list(dict.fromkeys(frame["class"]))
    return table.reindex(index=order, columns=metrics).fillna("").rename_axis(None, axis=1)


def show_score(row) -> str:
    """Return a record's value and interval as text, such as "0.89 [0.83, 0.94]".

    "no spread" stands for an interval that there is not: all resamples agree.
    """
    if pd.isna(row.value):
        return "undefined"
    if pd.isna(row.lower):
        return f"{row.value:.2f} [no spread]"
    return f"{row.value:.2f} [{row.lower:.2f}, {row.upper:.2f}]"
