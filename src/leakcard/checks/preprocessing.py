"""L1.2: was anything fitted on the test images? Answered from a training record."""

import numpy as np

from leakcard import rows as card_rows
from leakcard import training_record
from leakcard.rows import Row, Rule

# Statistics are compared in units of the deviation: coarser than rounding to three digits, finer
# than the difference that 20 % other images make.
TOLERANCE = 0.0025
QUESTION = (
    "Were means, deviations, feature scaling, resampling and every other fitted step computed "
    "from the training images alone? (--record lets this be checked.)"
)


RULES = (
    Rule(
        code="L1.2",
        checks=("preprocessing",),
        title="Fitted on training images only",
        looks_at="A training record (`--record`): the hashes of the images that means, deviations "
        "and the like were fitted on, and whether the recorded mean and deviation are those of "
        f"the training images, to {TOLERANCE} deviations, or of some with test images among them.",
        cannot_see="Anything without a record; steps that the record does not name (resampling, "
        "feature scaling, imputation); a record that is not true.",
        wrong_when="Images were decoded, resized or scaled in another way than the record says: "
        "the numbers then fit no part of the images, which is a warning. Where training and all "
        "images have the same statistics, the numbers tell nothing.",
        what_to_do="Fit every step on the training images alone, apply it to the others, and "
        "write the record while training (`leakcard.make_record`).",
    ),
)


def check_preprocessing(table, record):
    """L1.2: the images that statistics were fitted on, by their hashes and by the numbers."""
    row = {"code": "L1.2", "check": "preprocessing", "title": "Fitted on training images only"}
    statistics = (record or {}).get("fitted_statistics")
    if not statistics:
        reason = "Images do not show what was fitted on them, and no training record was given."
        return card_rows.ask(row, reason, QUESTION)
    test, train = (
        set(table.loc[table["split"] == s, "sha256"].dropna()) for s in ("test", "train")
    )
    if not test or not train:
        return card_rows.ask(row, "There are no training and test images with a hash.", QUESTION)
    if statistics.get("fitted_on"):
        fitted = set(statistics["fitted_on"])
        leaked = fitted & (test - train)
        if leaked:
            concerned = table.loc[table["sha256"].isin(leaked), "image_id"]
            return Row(
                **row,
                **card_rows.name_images(concerned),
                status="fail",
                figure=f"{len(leaked)} of {len(test)} test images are among the "
                f"{len(fitted)} images of the record",
                value=len(leaked) / len(test),
                reason="The record's own list of images says so.",
                action="Fit every step on the training images and apply it to the others.",
            )
    return _compare_statistics(table, statistics, row)


def _compare_statistics(table, statistics, row):
    listed = bool(statistics.get("fitted_on"))
    by_list = "The record lists no test image. " if listed else ""
    unlisted = {
        "status": "pass" if listed else "not testable",
        "question": "" if listed else QUESTION,
    }
    if statistics.get("mean") is None or statistics.get("std") is None:
        return Row(**row, **unlisted, reason=by_list + "It has no statistics to compare.")
    value_range = statistics.get("value_range") or (0, 255)
    readable = table[table["path"].notna() & table["sha256"].notna()]
    rows = readable.drop_duplicates("image_id").set_index("image_id", drop=False)
    try:
        sums = training_record.measure_pixels(rows["path"], statistics.get("size_px"))
    except (OSError, ValueError):
        return Row(**row, **unlisted, reason=by_list + "The images could not be read to compare.")
    parts = {
        "train": ("train",),
        "train and validation": ("train", "val"),
        "train and test": ("train", "test"),
        "all images": ("train", "val", "test"),
        "test": ("test",),
    }
    recorded = np.mean(statistics["mean"]), np.mean(statistics["std"])
    distances = {}
    for name, splits in parts.items():
        drawn = readable.loc[readable["split"].isin(splits), "image_id"]
        # An image drawn twice may have been counted once or twice.
        distances[name] = min(
            _measure_distance(sums[rows.index.get_indexer(ids)], value_range, recorded)
            for ids in (drawn, drawn.unique())
        )
    return _judge_distances(distances, row, by_list, unlisted)


def _measure_distance(sums, value_range, recorded):
    if not len(sums):
        return np.inf
    mean, deviation = training_record.pool_pixels(sums, value_range)
    gaps = abs(mean - recorded[0]), abs(deviation - recorded[1])
    return float(max(gaps) / max(deviation, 1e-12))


def _judge_distances(distances, row, by_list, unlisted):
    clean = min(distances["train"], distances["train and validation"])
    leaky = ("train and test", "all images", "test")
    nearest = min(leaky, key=distances.get)
    figure = "distance of mean and deviation, in deviations: " + ", ".join(
        f"{name} {distance:.4f}" for name, distance in distances.items()
    )
    if clean > TOLERANCE and distances[nearest] <= TOLERANCE:
        return Row(
            **row,
            status="fail",
            figure=figure,
            value=clean,
            reason=f"The recorded statistics are those of {nearest}.",
            action="Fit every step on the training images only.",
        )
    if clean > TOLERANCE:
        return Row(
            **row,
            status="warn",
            figure=figure,
            value=clean,
            reason=by_list + "The recorded statistics are those of no part of these images.",
            action="Record value_range and size_px as used, or the right images.",
        )
    if distances[nearest] <= TOLERANCE and unlisted["status"] != "pass":
        return Row(
            **row,
            **unlisted,
            figure=figure,
            reason="Training and all images have the same statistics here.",
        )
    return Row(
        **row,
        status="pass",
        figure=figure,
        value=clean,
        reason=by_list + "The recorded statistics are those of training images.",
    )
