"""L2 and L3.3: how far does a classifier come that never sees what should decide the label?

Classifiers of the metadata and of the files never see a pixel; those of border, thumbnail and
histogram see only what cannot show a disease, or hardly.
"""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd

from leakcard import classifier
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

MAX_VALUES = 20
METADATA = ("source", "sex", "view", "background")
# The gain of balanced accuracy over chance (0 chance, 1 perfect): a tenth is of no use to anyone,
# three tenths carry a published accuracy of 0.75 half of the way from chance.
WARN_GAIN, FAIL_GAIN = 0.15, 0.3
# A thumbnail and a histogram may show the disease itself (large opacities are white at any size):
# on phantoms with plain lesions and no confound they reach a gain of 0.70 and 0.60 (840 images).
# So only more than that is an alarm, and never a failure. Opacities also blur: quality reaches 0.20
# there (420 images), so twice that is the alarm.
# Bytes follow what a picture shows as much as how it was written: they alone are never an alarm.
NO_ALARM = 1.01
LEGITIMATE_GAINS = {
    "bytes_classifier": NO_ALARM,
    "thumbnail_classifier": 0.75,
    "histogram_classifier": 0.75,
    "quality_classifier": 0.4,
}
TITLES = {
    "metadata_classifier": "Label predicted from metadata alone",
    "file_classifier": "Label predicted from type, size and shape of the files",
    "bytes_classifier": "Label predicted from the bytes of the files",
    "border_classifier": "Label predicted from the border alone",
    "thumbnail_classifier": "Label predicted from 16x16 pixels",
    "histogram_classifier": "Label predicted from the brightness histogram",
    "quality_classifier": "Label predicted from image quality",
}
ACTIONS = {
    "metadata_classifier": "Match the classes on these columns, or draw them from one population.",
    "file_classifier": "Bring all files to one type, size and shape in the same way.",
    "bytes_classifier": "Write all files with one program and one quality.",
    "border_classifier": "Crop or mask the border for all classes alike, and test again.",
    "thumbnail_classifier": "Compare the network's score with this one; test on another source.",
    "histogram_classifier": "Equalise brightness for all classes alike; test on another source.",
    "quality_classifier": "Bring all images to one sharpness and grain; test on another source.",
}
SEEN = {
    "thumbnail_classifier": "thumbnails",
    "border_classifier": "borders",
    "histogram_classifier": "histograms",
    "quality_classifier": "qualities",
}
ROWS = {
    check: {
        "code": "L3.3" if check == "metadata_classifier" else "L2",
        "check": check,
        "title": title,
    }
    for check, title in TITLES.items()
}
_FAILS = (
    f"From a gain of {WARN_GAIN} on it warns, from {FAIL_GAIN} on it fails (0: chance, 1: all "
    "right)."
)
_HOW = (
    "A classifier (kernel ridge regression) is trained and tested in five folds that keep patients "
    "together, and again with labels dealt out anew among patients. It sees "
)
RULES = tuple(
    Rule(
        code=ROWS[checks[0]]["code"],
        checks=checks,
        title=title,
        looks_at=f"{_HOW}{sees} {judged}",
        cannot_see=cannot_see,
        wrong_when=wrong_when,
        what_to_do=" ".join(dict.fromkeys(ACTIONS[check] for check in checks)),
    )
    for checks, title, sees, judged, cannot_see, wrong_when in (
        (
            ("metadata_classifier",),
            "Label predicted from metadata alone",
            "source, sex, view, background, age and date, and which of them are missing.",
            _FAILS,
            "What was not given.",
            "A column belongs to the disease (age, sex).",
        ),
        (
            ("file_classifier",),
            "Label predicted from type, size and shape of the files",
            "the file type, width, height and aspect ratio.",
            _FAILS,
            "How the files were before somebody made them alike: traces are left in the pixels.",
            "Classes have another shape by nature (a hand, a chest).",
        ),
        (
            ("bytes_classifier",),
            "Label predicted from the bytes of the files",
            "the number of bytes, and of bytes a pixel.",
            "Bytes follow what a picture shows as much as how it was written, so it is never an "
            "alarm: above chance it is not testable.",
            "Whether the program that wrote the files or the subject makes the difference.",
            "It gives no alarm that could be wrong.",
        ),
        (
            ("border_classifier",),
            "Label predicted from the border alone",
            "mean, deviation and maximum of 36 squares around the image, a tenth of it wide.",
            f"{_FAILS} Where the same classifier is right on 36 squares in the middle too, only "
            "what it gains beyond that counts; if that is under the threshold, it is not testable. "
            "With few images the margin of that difference is taken off first.",
            "A mark further inside, or one that differs only in shape; whether a network that "
            "sees the whole image uses the border.",
            "The subject reaches the border differently in the classes (a pose, a body part), or "
            "the disease does. Not testable hides a shortcut that is the same in the whole image "
            "(grain, brightness): the rows on quality and brightness are there for it.",
        ),
        (
            ("thumbnail_classifier", "histogram_classifier"),
            "Label predicted from 16x16 pixels, from the brightness histogram",
            "the image at 16 x 16 pixels, or how often each of 32 ranges of brightness occurs.",
            "The subject may show at any size, so only a gain of "
            f"{LEGITIMATE_GAINS['thumbnail_classifier']} and more warns, and it never fails; "
            "above chance and below that it is not testable.",
            "Fine detail; whether the subject or a shortcut is what it sees.",
            "The classes are easy: animals of two colours can be told at 16 x 16 pixels.",
        ),
        (
            ("quality_classifier",),
            "Label predicted from image quality",
            "sharpness, contrast, noise and the 36 features of BRISQUE.",
            f"Opacities blur, so only a gain of {LEGITIMATE_GAINS['quality_classifier']} and more "
            "warns, and it never fails; above chance and below that it is not testable.",
            "Whether the device or the subject makes the difference.",
            "The disease changes sharpness or grain by itself.",
        ),
    )
)


def check_shortcuts(images, units, looks, num_permutations, seed):
    """L2 and L3.3: pixel-free classifiers, and those that see only what should not matter."""
    test = functools.partial(
        _check_features, images, units, num_permutations=num_permutations, seed=seed
    )
    everything = np.ones(len(images), dtype=bool)
    known = images[[*METADATA, "age_years", "date_days"]].notna().any(axis=None)
    rows = [
        test("metadata_classifier", make_metadata(images), everything)
        if known
        else _skip("metadata_classifier", "No metadata of the images is known."),
        test("file_classifier", *make_file_features(images)),
        test("bytes_classifier", *make_byte_features(images)),
    ]
    for check, field in SEEN.items():
        if looks is None:
            rows.append(_skip(check, "The images could not be read."))
            continue
        features, found = looks.select(images["image_id"], field)
        others = None
        if check == "border_classifier":
            others = looks.select(images["image_id"], "insides")[0]
        rows.append(test(check, features, found, others))
    return rows


def make_metadata(images):
    """Turn what is known of the patients into numbers; that it is missing is known, too.

    Returns
    -------
    ndarray of shape (n_images, n_features), dtype=float
        One column a value of source, sex, view and background; age and date as numbers.
    """
    parts = []
    for name in METADATA:
        values = images[name].astype(object).where(images[name].notna(), "missing").astype(str)
        parts.append(_encode(values))
    for name in ("age_years", "date_days"):
        numbers = images[name].astype("float64")
        parts.append(numbers.fillna(numbers.median() if numbers.notna().any() else 0.0).to_numpy())
        parts.append(numbers.isna().to_numpy(dtype=float))
    return _stack(parts, len(images))


def make_file_features(images):
    """Turn what is known of the files into numbers.

    Returns
    -------
    features : ndarray of shape (n_found, n_features), dtype=float
        One column a file type; logarithms of width, height and aspect ratio.
    found : ndarray of shape (n_images,), dtype=bool
        Images of which all of it is known.
    """
    names = ["width_px", "height_px"]
    found = images[[*names, "file_format"]].notna().all(axis=1).to_numpy()
    width, height = images.loc[found, names].astype("float64").to_numpy().T
    logs = [np.log(np.maximum(part, 1e-6)) for part in (width, height, width / height)]
    parts = [_encode(images.loc[found, "file_format"].astype(str)), *logs]
    return _stack(parts, int(found.sum())), found


def make_byte_features(images):
    """Logarithms of bytes, and of bytes a pixel; the rest as `make_file_features`."""
    names = ["width_px", "height_px", "num_bytes"]
    found = images[names].notna().all(axis=1).to_numpy()
    width, height, size = images.loc[found, names].astype("float64").to_numpy().T
    logs = [np.log(np.maximum(part, 1e-6)) for part in (size, size / (width * height))]
    return _stack(logs, int(found.sum())), found


def _encode(values):
    common = values.value_counts().index[:MAX_VALUES]
    return np.array([(values == value).to_numpy(dtype=float) for value in sorted(common)]).T


def _stack(parts, num_rows):
    if not num_rows:
        return np.zeros((0, 1))
    return np.concatenate([np.reshape(part, (num_rows, -1)) for part in parts], axis=1)


def _skip(check, reason):
    question = "Can the label be told without looking at the subject?"
    return card_rows.ask(ROWS[check], reason, question)


def _check_features(images, units, check, features, found, others=None, *, num_permutations, seed):
    labels = images["label"]
    usable = found & labels.notna().to_numpy()
    features, labels = features[usable[found]], labels[usable].astype(str)
    units = units[usable]
    if labels.empty and images["label"].notna().any():
        return _skip(check, "Of no image is this known.")
    obstacle = classifier.find_obstacle(labels, units)
    if obstacle:
        return _skip(check, obstacle)
    if not (np.ptp(features, axis=0) > 0).any():
        return Row(
            **ROWS[check],
            status="pass",
            figure="the same for all images",
            reason="There is nothing to learn from.",
        )
    codes = pd.factorize(labels, sort=True)[0]
    score = classifier.score_features(features, codes, units, num_permutations, seed)
    row = _describe_score(check, score, labels.nunique())
    if others is None or row.status == "pass":
        return row
    elsewhere = classifier.measure_transfer(features, others[usable[found]], codes, units, seed)
    return _compare_with_inside(row, elsewhere)


def _compare_with_inside(row, gain):
    """Judge the border by what it tells beyond the middle, if the middle may tell it as well."""
    margin = row.effect_upper - row.effect
    is_sure = margin < WARN_GAIN  # few images do not say whether the middle tells it
    if is_sure and gain < WARN_GAIN:
        return row
    beyond = row.effect - gain - (0 if is_sure else np.sqrt(2) * margin)
    status = card_rows.judge_effect(beyond, WARN_GAIN, FAIL_GAIN)
    told = (
        f"What is learned from the border (a gain of {row.effect:.2f}) comes to {gain:.2f} in the "
        "middle of the images"
    )
    if status != "pass":
        return replace(row, status=status, reason=f"{row.reason} {told}, which is less.")
    reason = (
        f"{told}: the subject fills the frame, the images differ everywhere, or they are too few, "
        "so subject and border cannot be told apart here."
    )
    question = "Does the subject reach the border in all classes?"
    return replace(row, status="not testable", reason=reason, action="", question=question)


def _describe_score(check, score, num_labels):
    may_be_real = check in LEGITIMATE_GAINS
    status = card_rows.judge_effect(score.gain, WARN_GAIN, FAIL_GAIN)
    if may_be_real and status != "pass":  # neither a clean bill nor an alarm
        status = "warn" if score.gain >= LEGITIMATE_GAINS[check] else "not testable"
    question = ""
    if status == "pass":
        reason = "It comes hardly further than chance."
    elif status == "not testable":
        reason = (
            f"Above chance, by a gain of {score.gain:.2f} of 1; where nothing but the subject "
            f"differs it may reach {min(1.0, LEGITIMATE_GAINS[check]):.2f}, so subject and "
            "shortcut cannot be told apart here."
        )
        question = "How far does it come on images of one source?"
    elif may_be_real:
        reason = (
            "So much can be told without detail. Part of it may be the subject (a large opacity "
            "shows at any size), so this is a warning and not a failure."
        )
    else:
        reason = "The label can be told without looking at the subject: a network can do the same."
    return Row(
        **ROWS[check],
        status=status,
        **classifier.describe_score(score, num_labels),
        threshold=WARN_GAIN,
        reason=reason,
        action=ACTIONS[check] if status in ("warn", "fail") else "",
        question=question,
    )
