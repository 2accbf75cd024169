"""What the answers of a model to probes say that it uses: accuracy by version, and transplants.

A probe that a model gets wrong was either robbed of what the model uses, or looks like nothing that
it has seen. A transplant tells these apart: the same part is pasted from an image of the same class
and from one of another; both look as strange, and only a model that uses the part follows it.
"""

import numpy as np
import pandas as pd

from leakcard import card as cards
from leakcard import intervals, predictions
from leakcard import table as image_table
from leakcard.probes import OTHER, OWN

# What is transplanted, in words.
PARTS = {"border": "the border", "marks": "small bright marks", "background": "the background"}
# Versions that lack the subject: whoever still tells the classes apart reads something else.
WITHOUT_SUBJECT = ("border_only", "background_only")
# A loss, or a gain for whoever brings the part, of so much matters.
MARGIN = 0.05
NUM_BOOTSTRAP = 2000
COLUMNS = ["model", "version", "metric", "n", "units", "value", "lower", "upper", "verdict"]


def read_answers(path, probes):
    """Read what models say of the probes, in the format of `predictions.read_predictions`.

    Returns
    -------
    dict of str to Series
        By model: the predicted label, by probe.
    """
    columns = {"image": "image_id"}
    listed = probes.manifest[["image", "label"]].rename(columns=columns).assign(split="test")
    units = probes.manifest[["image", "label", "unit"]].assign(split="test")
    card = cards.ReportCard([], {}, image_table.complete_table(listed), units=units)
    said = predictions.read_predictions(path, card)
    return {
        model: rows.set_index("image")["predicted"]
        for model, rows in said.groupby("model", sort=False)
    }


def score_probes(manifest, answers, num_bootstrap=NUM_BOOTSTRAP, seed=0):
    """Say of each version how right a model is, and of each transplant whether its call follows.

    Parameters
    ----------
    manifest : DataFrame
    answers : dict of str to Series
        From `read_answers`.
    num_bootstrap, seed : int
        Units are resampled.

    Returns
    -------
    DataFrame
        `COLUMNS`. `metric` is "accuracy"; "difference" to the original, paired; "changed", the
        share of calls that are another; "balanced accuracy" (mean over classes) of versions
        without the subject; and of the transplants from another class "follows": the share of
        calls that are the donor's class, "follows own", the same of the images that got the part
        from their own class, and "use", their difference, paired. Intervals are 95 %; of "use" and
        "balanced accuracy", which name a model, they hold together for all of these.
    """
    by_version = dict(list(manifest.groupby("version", sort=False)))
    probed = {name: rows.set_index("original") for name, rows in by_version.items()}
    base = probed["original"]
    counts = intervals.draw_resamples(base["unit"], num_bootstrap, seed)
    counts = pd.DataFrame(counts, columns=base.index)
    frames = []
    for model, said in answers.items():
        calls = {name: said[rows["image"]].set_axis(rows.index) for name, rows in probed.items()}
        rows = pd.DataFrame(_score_model(probed, calls, counts), columns=COLUMNS[1:])
        rows["units"] = [base.loc[images, "unit"].nunique() for images in rows["units"]]
        frames.append(rows.assign(model=model)[COLUMNS])
    return pd.concat(frames, ignore_index=True)


def _score_model(probed, calls, counts):
    """Yield version, metric, n, images, value, lower, upper and verdict of one model."""
    label = probed["original"]["label"]
    right = {name: (call == label[call.index]).astype(int) for name, call in calls.items()}
    parts = [part for part in PARTS if {f"{part}_of_{kind}" for kind in (OWN, OTHER)} <= set(calls)]
    without = [name for name in WITHOUT_SUBJECT if name in calls]
    confidence = 1 - (1 - intervals.CONFIDENCE) / max(1, len(parts) + len(without))

    def measure(version, metric, values, verdict=None, confidence=intervals.CONFIDENCE):
        found = _measure(values.to_numpy(float), counts[values.index].to_numpy(), confidence)
        told = verdict(found) if verdict else ""
        return (version, metric, len(values), values.index, *found, told)

    for version, call in calls.items():
        yield measure(version, "accuracy", right[version])
        if version != "original":
            gain = right[version] - right["original"][call.index]
            yield measure(version, "difference", gain, _judge_difference)
            yield measure(version, "changed", call != calls["original"][call.index])
        if version in without:
            some = right[version]
            found = _measure_balanced(some, label[some.index], counts[some.index], confidence)
            told = _judge_balanced(found, 1 / label[some.index].nunique())
            yield (version, "balanced accuracy", len(some), some.index, *found, told)
    for part in parts:
        own, other = (f"{part}_of_{kind}" for kind in (OWN, OTHER))
        touched = pd.concat([probed[own]["share_changed"], probed[other]["share_changed"]], axis=1)
        touched = touched.dropna().max(axis=1)
        touched = touched.index[touched > 0]
        if len(touched):
            aim = probed[other].loc[touched, "donor_label"]
            follows, follows_own = (
                (calls[name][touched] == aim).astype(int) for name in (other, own)
            )
            yield measure(other, "follows", follows)
            yield measure(other, "follows own", follows_own)
            yield measure(other, "use", follows - follows_own, _judge_use, confidence)


def _measure(values, counts, confidence):
    """Mean of values in {-1, 0, 1} and its interval: the wider of that over units and a formula."""
    n, plus, minus = len(values), int((values > 0).sum()), int((values < 0).sum())
    if confidence == intervals.CONFIDENCE and not minus:
        formula = intervals.wilson_interval(plus, n)
    else:
        formula = intervals.paired_interval(plus, minus, n, confidence)
    with np.errstate(invalid="ignore"):
        resampled = (counts @ values) / counts.sum(axis=1)
    return _widen(float(values.mean()), resampled, formula, confidence)


def _widen(value, resampled, formula, confidence):
    tail = (1 - confidence) / 2
    over_units = np.nanquantile(resampled, [tail, 1 - tail])
    wider = max(formula, over_units, key=lambda bounds: bounds[1] - bounds[0])
    return value, float(min(wider[0], value)), float(max(wider[1], value))


def _measure_balanced(right, labels, counts, confidence):
    """Mean over classes of the share that is right; the formula is Wilson's of each class."""
    right, labels, counts = (some.to_numpy() for some in (right, labels, counts))
    shares, formulas = [], []
    for label in np.unique(labels):
        is_class = labels == label
        formulas.append(intervals.wilson_interval(int(right[is_class].sum()), int(is_class.sum())))
        with np.errstate(invalid="ignore"):
            some = counts[:, is_class]
            shares.append((some @ right[is_class]) / some.sum(axis=1))
    values = [right[labels == label].mean() for label in np.unique(labels)]
    formula = np.mean(formulas, axis=0)
    return _widen(float(np.mean(values)), np.mean(shares, axis=0), formula, confidence)


def _judge_difference(found):
    _, lower, upper = found
    if upper < 0:
        return "worse"
    if lower > 0:
        return "better"
    return f"no loss of {MARGIN * 100:.0f} points" if lower > -MARGIN else "cannot be told"


def _judge_balanced(found, chance):
    if found[1] > chance:
        return "enough to tell classes"
    return "not enough" if found[2] < chance + MARGIN else "cannot be told"


def _judge_use(found):
    if found[1] > 0:
        return "follows"
    small = found[2] < MARGIN
    return f"does not follow by {MARGIN * 100:.0f} points" if small else "cannot be told"


def name_used(scores, model):
    """Return the parts that the calls of a model follow, as in `PARTS`."""
    rows = scores[(scores["model"] == model) & (scores["verdict"] == "follows")]
    return [part for part in PARTS if f"{part}_of_{OTHER}" in set(rows["version"])]
