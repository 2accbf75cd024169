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
WHY_NOT = {
    "border": "there are not two classes of two units each",
    "marks": "no mark was found that could be carried over",
    "background": "no masks are given that could be read",
}
# Each version: what it is called, what was done, and what a lower accuracy means and does not.
SURPRISE = "or is only surprised by how it looks"
TOLD = {
    "original": ("original", "written as the other versions are", ""),
    "centre_only": (
        "centre only",
        "black outside of the middle 70 % of both sides",
        f"The model uses what lies outside, {SURPRISE}.",
    ),
    "centre_removed": (
        "centre removed",
        "the middle 70 % of both sides black",
        "To be expected of a model that reads the subject. No loss is the alarm, unless the "
        "subject reaches outside.",
    ),
    "border_only": (
        "border only",
        "all black but the outer 10 % of both sides",
        "To be expected. Whoever still tells classes reads letters, frames or collimation there, "
        "or a part of the subject.",
    ),
    "thumbnail_16x16": (
        "16 x 16 pixels",
        "shrunk to 16 x 16 pixels and enlarged",
        "The model needs detail: of the subject or of a mark. No loss: brightness and layout are "
        "enough.",
    ),
    "blurred": (
        "blurred",
        "Gaussian, sigma 2 % of the longer side",
        "The model needs fine detail: texture, but letters too.",
    ),
    "mirrored": (
        "mirrored",
        "left and right exchanged",
        f"The model uses sides or what is written, {SURPRISE}: hearts are on the other side.",
    ),
    "marks_painted_out": (
        "letters painted out",
        "small bright marks painted over from their surroundings",
        f"The model uses the marks, {SURPRISE}: see the transplant. No loss says nothing of marks "
        "that were not found.",
    ),
    "subject_only": (
        "subject only",
        "black outside of the mask",
        f"The model uses the background, {SURPRISE}.",
    ),
    "background_only": (
        "background only",
        "the subject black",
        "To be expected. Whoever still tells classes reads the background or the outline.",
    ),
}
for _part, (_name, _done) in {
    "border": ("border", "the outer 10 % pasted from another image"),
    "marks": ("marks", "its marks painted out, those of another image pasted"),
    "background": ("background", "all outside of the mask pasted from another image, whose "
                   "subject is painted over"),
}.items():  # fmt: skip
    TOLD[f"{_part}_of_{OWN}"] = (
        f"{_name} of its own class",
        _done,
        "The seam surprises the model: so much is not use.",
    )
    TOLD[f"{_part}_of_{OTHER}"] = (
        f"{_name} of another class",
        f"{_done} of another class",
        f"More than with that of its own class: the call follows {PARTS[_part]}, or what of the "
        "subject lies in it.",
    )
# Versions that lack the subject: whoever still tells the classes apart reads something else.
WITHOUT_SUBJECT = ("border_only", "background_only")
# Less is not worth a name.
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
        share of calls that are another; "balanced accuracy" (mean over classes) of the original
        and of versions without the subject; and of the transplants from another class "follows",
        the share of calls that are the donor's class, "follows own", the same of the images that
        got the part from their own class, and "use", their difference, paired. Intervals are
        95 %; those that name a model ("use", and "balanced accuracy" without the subject) hold
        together.
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
        values = values.astype(int)
        plus, minus = int((values > 0).sum()), int((values < 0).sum())
        if verdict:  # a difference
            formula = intervals.paired_interval(plus, minus, len(values), confidence)
        else:
            formula = intervals.wilson_interval(plus, len(values))
        weights = counts[values.index].to_numpy()
        with np.errstate(invalid="ignore"):
            resampled = (weights @ values.to_numpy()) / weights.sum(axis=1)
        found = _widen(float(values.mean()), resampled, formula, confidence)
        told = verdict(found) if verdict else ""
        return (version, metric, len(values), values.index, *found, told)

    for version, call in calls.items():
        some = right[version]
        yield measure(version, "accuracy", some)
        if version == "original" or version in without:
            at = confidence if version in without else intervals.CONFIDENCE
            found = _measure_balanced(some, label[some.index], counts[some.index], at)
            told = _judge_balanced(found, 1 / label[some.index].nunique())
            yield (version, "balanced accuracy", len(some), some.index, *found, told)
        if version != "original":
            gain = some - right["original"][call.index]
            yield measure(version, "difference", gain, _judge_difference)
            yield measure(version, "changed", call != calls["original"][call.index])
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


def _widen(value, resampled, formula, confidence):
    """Return the value with the wider of two intervals: that over units, and that of a formula."""
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
    if found[2] < MARGIN:
        return f"does not follow by {MARGIN * 100:.0f} points"
    return "follows" if found[1] > 0 else "cannot be told"


def name_used(scores, model):
    """Return the parts that the calls of a model follow, as in `PARTS`."""
    rows = scores[(scores["model"] == model) & (scores["verdict"] == "follows")]
    return [part for part in PARTS if f"{part}_of_{OTHER}" in set(rows["version"])]


def judge(scores, model):
    """Return the status of a model, as of a row of the report card, and one line on top.

    Returns
    -------
    status : {"fail", "warn", "not testable", "pass"}
        "fail": it follows a part; "warn": a part alone is enough to tell the classes apart.
    headline : str
    """
    used = [PARTS[part] for part in name_used(scores, model)]
    if used:
        return "fail", f"{model}: the model follows {' and '.join(used)}."
    rows = scores[scores["model"] == model]
    judged = {row.version: row.verdict for row in rows[rows["metric"] == "use"].itertuples()}
    free, unknown = [], []
    for part, name in PARTS.items():
        verdict = judged.get(f"{part}_of_{OTHER}", "")
        (free if verdict.startswith("does not") else unknown).append(name)
    told = [f"it does not follow {' or '.join(free)} by {MARGIN * 100:.0f} points"] if free else []
    told += [f"of {' and '.join(unknown)} nothing can be said"] if unknown else []
    enough = rows.loc[rows["verdict"].str.startswith("enough"), "version"]
    alone = [name for name in enough if name != "original"]
    if "original" not in set(enough):
        told.insert(0, "it is not shown to tell the classes apart at all")
    elif alone:
        told.insert(0, f"{' and '.join(TOLD[name][0] for name in alone)} is enough, though")
    is_tested = free and "original" in set(enough)
    status = "warn" if alone else "pass" if is_tested else "not testable"
    return status, f"{model}: no use was shown; {', '.join(told)}."


def describe_model(scores, model):
    """Say in lines what a model was shown to use, after the headline.

    Returns
    -------
    list of str
    """
    rows = scores[scores["model"] == model].set_index(["version", "metric"])
    whole = rows.loc[("original", "accuracy")]
    lines = [f"Accuracy {predictions.format_value(whole)} on {whole['n']} images "
             f"of {whole['units']} units."]  # fmt: skip
    for part, name in PARTS.items():
        version = f"{part}_of_{OTHER}"
        if (version, "use") not in rows.index:
            lines.append(f"{name.capitalize()}: not probed, {WHY_NOT[part]}.")
            continue
        use, follows, own = (rows.loc[(version, m)] for m in ("use", "follows", "follows own"))
        lines.append(
            f"{name.capitalize()} of another class: the call is that class in "
            f"{follows['value']:.1%} of {follows['n']} images, and in {own['value']:.1%} with the "
            f"same of its own class: {predictions.format_value(use, 'points')}, {use['verdict']}."
        )
    for version in WITHOUT_SUBJECT:
        if (version, "balanced accuracy") in rows.index:
            row = rows.loc[(version, "balanced accuracy")]
            lines.append(
                f"{TOLD[version][0].capitalize()}: balanced accuracy "
                f"{predictions.format_value(row)}, {row['verdict']}."
            )
    return lines


def tabulate(scores, model):
    """Return a row a version for a person: accuracy, points, calls that change, and the verdict.

    Returns
    -------
    list of dict
        `version`, `accuracy` (a row of scores), `difference`, `changed` and `verdict` (str).
    """
    found = scores[scores["model"] == model].set_index(["version", "metric"])
    lines = []
    for version in [name for name in TOLD if (name, "accuracy") in found.index]:
        line = {"version": version, "accuracy": found.loc[(version, "accuracy")]}
        line |= {"difference": "", "changed": "", "verdict": ""}
        if version != "original":
            lost, changed = (found.loc[(version, name)] for name in ("difference", "changed"))
            verdicts = [lost["verdict"]]
            verdicts += [
                found.loc[(version, name), "verdict"]
                for name in ("balanced accuracy", "use")
                if (version, name) in found.index
            ]
            line["difference"] = predictions.format_value(lost, "points")
            line["changed"] = f"{round(changed['value'] * changed['n'])} of {changed['n']}"
            line["verdict"] = "; ".join(verdicts)
        lines.append(line)
    return lines


def list_versions(scores, model):
    """Return a line a version for the terminal."""
    lines = []
    for line in tabulate(scores, model):
        told = f"{TOLD[line['version']][0]}: {predictions.format_value(line['accuracy'])}"
        if line["difference"]:
            told += f", {line['difference']}: {line['verdict']}; {line['changed']} calls changed"
        lines.append(told)
    return lines
