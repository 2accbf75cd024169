"""What the scores of a user's own models are worth: on leaked and clean test images, by group.

A file of predictions is all that is read; no model is loaded.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from leakcard import intervals

IMAGE_NAMES = ("image", "image_id", "path", "file", "filename")
TRAITS = ("source", "view", "sex", "age")
AGES = {"under 18": 18, "18 to 39": 40, "40 to 64": 65, "65 and over": np.inf}
ALL, CLEAN, LEAKED = "all test images", "nothing of them in training", "something of them is"
# A group of fewer is shown, and is not called the worst.
LEAST_OF_GROUP = 10
NUM_BINS = 10
COLUMNS = ["model", "by", "group", "metric", "n", "units", "value", "lower", "upper"]


def read_predictions(path, card):
    """Read what models said of the test images of a card.

    Parameters
    ----------
    path : str or Path
        CSV with a row an image: its name in a column `image` (or `image_id`, `path`,
        `file`, `filename`); then one column a model with the label that it says, or one a class
        with the score that it gives (named as the class, or `score_CLASS`; `MODEL:CLASS` for
        several models).
    card : ReportCard
        With its table and units.

    Returns
    -------
    DataFrame
        One row a test image and model: `image`, `model`, `predicted`, and `confidence` (score of
        the predicted class where scores are probabilities; else NaN).

    Raises
    ------
    ValueError
        If images are unknown, twice or left out, a class has no column, a score is no number, or a
        label is none of the set.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)  # a class may be called NA
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _refuse("They are no table", "a CSV file", f"{path} ({error})") from error
    name = next((name for name in IMAGE_NAMES if name in table), None)
    if name is None:
        raise _refuse("They name no images", f"a column {', '.join(IMAGE_NAMES)}", list(table))
    table = _select_test(table.rename(columns={name: "image"}), card)
    labels = sorted(card.units["label"].dropna().astype(str).unique())
    scored = _find_scores(table, labels)
    frames = [
        _read_scores(table["image"], model, table[list(columns)], list(columns.values()))
        for model, columns in scored.items()
    ]
    used = {column for columns in scored.values() for column in columns}
    for column in table.columns.drop("image"):
        if column in used:
            continue
        said = table[column].astype(str).str.strip()
        strange = sorted(set(said) - set(labels))
        if strange:
            expected = f"a label ({', '.join(labels)}) in each row, or a score for each class"
            raise _refuse(f"Column {column!r} is none of a model", expected, strange[:3])
        frame = {"image": table["image"], "model": column, "predicted": said, "confidence": np.nan}
        frames.append(pd.DataFrame(frame))
    if not frames:
        raise _refuse("They hold no model", "a column a model, or one a class", list(table))
    return pd.concat(frames, ignore_index=True)


def _refuse(what, expected, received):
    return ValueError(
        f"The predictions cannot be used. {what}. Expected {expected}. Received: {received}"
    )


def _select_test(table, card):
    """Rows of test images under the names of the card; every test image must be there once."""
    known = pd.Index(card.units["image"].astype(str).unique())
    by_name = pd.Series(known, index=known.map(lambda image: Path(image).name))
    by_name = by_name[~by_name.index.duplicated(keep=False)]
    given = table["image"].astype(str).str.strip()
    found = given.where(given.isin(known), given.map(lambda image: by_name.get(Path(image).name)))
    if found.isna().any():
        some = given[found.isna()].tolist()
        expected = "names (or file names) of images that were audited"
        raise _refuse(f"{len(some)} images are unknown", expected, some[:3])
    if found.duplicated().any():
        twice = found[found.duplicated()].tolist()
        raise _refuse(f"{len(twice)} images are there twice", "one row an image", twice[:3])
    test, _ = _list_test(card)
    if test.empty:
        raise _refuse(
            "The audited set has no test images", "a split named test, with labels", "none"
        )
    left_out = sorted(set(test["image"]) - set(found))
    if left_out:
        expected = f"all {len(test)} test images that could be read and have a label"
        raise _refuse(f"{len(left_out)} test images are left out", expected, left_out[:3])
    table = table.assign(image=found)
    return table[table["image"].isin(test["image"])].reset_index(drop=True)


def _list_test(card):
    """Test images with a label, by unit, traits and leak, and how many have none."""
    units = card.units.astype({"image": str})
    outside = units[units["split"].notna() & (units["split"] != "test")]
    test = card.table[card.table["split"] == "test"].drop_duplicates("image_id")
    num_unlabelled, test = int(test["label"].isna().sum()), test[test["label"].notna()]
    test = test.rename(columns={"image_id": "image"}).astype({"image": str})
    unit = units.drop_duplicates("image").set_index("image")["unit"]
    test["unit"] = test["image"].map(unit).to_numpy()
    test["leak"] = np.where(test["unit"].isin(outside["unit"]), LEAKED, CLEAN)
    ages = pd.cut(test["age_years"].astype(float), [-np.inf, *AGES.values()], right=False,
                  labels=list(AGES))  # fmt: skip
    return test.assign(age=ages.astype(object)), num_unlabelled


def _find_scores(table, labels):
    """Columns of scores, by model: name of each to its class."""
    models = {}
    for column in table.columns.drop("image"):
        model, _, label = str(column).rpartition(":")
        label = label.removeprefix("score_") if not model else label
        if label in labels:
            models.setdefault(model or "model", {})[column] = label
    for model, columns in models.items():
        lacking = sorted(set(labels) - set(columns.values()))
        if lacking:
            raise _refuse(
                f"Model {model!r} has scores of some classes alone",
                f"a column for each of {', '.join(labels)}",
                f"none for {', '.join(lacking)}",
            )
    return models


def _read_scores(image, model, scores, classes):
    numbers = scores.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(numbers)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        received = f"{scores.iloc[row, column]!r} for {image.iloc[row]} in {scores.columns[column]}"
        raise _refuse(f"{bad.sum()} scores are no numbers", "a finite number each", received)
    is_share = (numbers >= 0).all() and np.allclose(numbers.sum(axis=1), 1, atol=0.01)
    return pd.DataFrame(
        {
            "image": image,
            "model": model,
            "predicted": np.array(classes)[numbers.argmax(axis=1)],
            "confidence": numbers.max(axis=1) if is_share else np.nan,
        }
    )


def score_predictions(card, predictions, num_bootstrap=1000, seed=0):
    """Score models on the test images of a card: leaked against clean, by group, and calibration.

    Parameters
    ----------
    card : ReportCard
        With its table and units.
    predictions : DataFrame
        As from `read_predictions`.
    num_bootstrap, seed : int
        Units (patients and copies, joined) are resampled.

    Returns
    -------
    DataFrame
        `COLUMNS`. `by` is "leak", a trait, or "calibration"; `metric` is "accuracy" (in [0, 1]; its
        interval is the wider of Wilson's and that over units), "difference" (accuracy on all test
        images minus that on the clean ones, paired over units: what the leak adds to the score) or,
        where scores are probabilities, "overconfidence" (mean confidence minus accuracy) and
        "calibration error" (over `NUM_BINS` bins of equal size; biased upwards in small sets).
        `attrs["notes"]` says how many test images were left out, since they have no label.
    """
    test, num_unlabelled = _list_test(card)
    test = test.sort_values("image", ignore_index=True)
    said = {
        model: rows.set_index("image").loc[test["image"]]
        for model, rows in predictions.groupby("model", sort=False)
    }
    models, labels = list(said), test["label"].astype(str).to_numpy()
    correct = np.stack([rows["predicted"].to_numpy() == labels for rows in said.values()], axis=1)
    confidence = np.stack([rows["confidence"].to_numpy(float) for rows in said.values()], axis=1)
    counts = np.concatenate(
        [np.ones((1, len(test))), intervals.draw_resamples(test["unit"], num_bootstrap, seed)]
    )

    def average(values, mask):
        weights = counts[:, mask]
        with np.errstate(invalid="ignore"):
            return (weights @ values[mask]) / weights.sum(axis=1, keepdims=True)

    rows = []

    def add(by, group, metric, mask, resampled):
        n, units = int(mask.sum()), int(test.loc[mask, "unit"].nunique())
        bounds = np.nanquantile(resampled[1:], [0.025, 0.975], axis=0) if units > 1 else None
        for number, model in enumerate(models):
            value = float(resampled[0, number])
            lower, upper = (np.nan, np.nan) if bounds is None else bounds[:, number]
            if metric == "accuracy":
                wilson = intervals.wilson_interval(round(value * n), n)
                wider = not upper - lower > wilson[1] - wilson[0]
                lower, upper = wilson if wider else (lower, upper)
            rows.append((model, by, group, metric, n, units, value, lower, upper))

    everything = np.ones(len(test), bool)
    on_all = average(correct, everything)
    add("leak", ALL, "accuracy", everything, on_all)
    for group in (CLEAN, LEAKED):
        mask = (test["leak"] == group).to_numpy()
        if mask.any():
            accuracy = average(correct, mask)
            add("leak", group, "accuracy", mask, accuracy)
            if group == CLEAN and not mask.all():
                add("leak", "what the leak adds", "difference", everything, on_all - accuracy)
    for trait in TRAITS:
        for group in sorted(test[trait].dropna().astype(str).unique()):
            mask = (test[trait].astype(str) == group).to_numpy()
            add(trait, group, "accuracy", mask, average(correct, mask))
    if np.isfinite(confidence).all(axis=0).any():
        over = average(confidence - correct, everything)
        add("calibration", ALL, "overconfidence", everything, over)
        add("calibration", ALL, "calibration error", everything,
            _measure_calibration(counts, confidence, correct))  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table[table["value"].notna()].sort_values("model", kind="stable", ignore_index=True)
    if num_unlabelled:
        table.attrs["notes"] = [f"Not scored: {num_unlabelled} test images without a label."]
    return table


def _measure_calibration(counts, confidence, correct):
    """Expected calibration error of each resample, over bins of as many images each."""
    total = np.zeros((len(counts), confidence.shape[1]))
    for number in range(confidence.shape[1]):
        order = np.argsort(confidence[:, number], kind="stable")
        gap = (confidence - correct)[order, number]
        for places in np.array_split(np.arange(len(order)), NUM_BINS):
            total[:, number] += np.abs(counts[:, order[places]] @ gap[places])
    return total / counts.sum(axis=1, keepdims=True)


def describe_scores(scores):
    """Say in a line or two of each model what its score is worth, and what was not scored.

    Parameters
    ----------
    scores : DataFrame
        From `score_predictions`.

    Returns
    -------
    list of str
    """
    lines = []
    for model, rows in scores.groupby("model", sort=False):
        found = rows.set_index("group")
        whole = found[found["metric"] == "accuracy"].loc[ALL]
        line = f"{model}: accuracy {format_value(whole)} on {whole['n']} test images"
        if (rows["metric"] == "difference").any():
            clean, adds = found.loc[CLEAN], rows[rows["metric"] == "difference"].iloc[0]
            line += (
                f"; {format_value(clean)} on the {clean['n']} of which nothing is in training: the "
                f"leak adds {format_value(adds, 'points')}"
            )
        elif LEAKED in found.index:
            line += "; something of each is in training, so no clean test image is left"
        else:
            line += "; nothing of them was found in training"
        groups = rows[rows["by"].isin(TRAITS) & (rows["n"] >= LEAST_OF_GROUP)]
        groups = groups[groups.groupby("by")["group"].transform("size") > 1]
        if len(groups):
            worst = groups.loc[groups["value"].idxmin()]
            line += f". Worst group: {worst['by']} {worst['group']}, {format_value(worst)}"
            line += f" on {worst['n']} (the worst of {len(groups)})"
        lines.append(line + ".")
    return [*lines, *scores.attrs.get("notes", ())]


def format_value(row, unit=""):
    """Return value and interval of a row of scores, in points of 100 where `unit` is given."""
    scale, digits = (100, 1) if unit else (1, 3)
    value, lower, upper = (f"{scale * row[k]:.{digits}f}" for k in ("value", "lower", "upper"))
    told = f"{value}{' ' if unit else ''}{unit}"
    return told if lower == "nan" else f"{told} ({lower} to {upper})"
