"""Image quality: how sharp, noisy and natural an image is, and whether that follows its class.

BRISQUE (Mittal, Moorthy & Bovik 2012, doi 10.1109/TIP.2012.2214050) describes an image by 36
numbers and scores it with a model trained on people's opinions of photographs. OpenCV's contrib
build computes the 36; the score needs its two model files, which are not shipped here. Without them
`sharpness` stands in, under its own name: it is no BRISQUE score.
"""

import dataclasses
import itertools
import pathlib

import cv2
import numpy as np
import pandas as pd
import scipy

from leakcard import images, intervals

# All images are measured at this size of the longer side: the size itself is no quality.
MEASURED_PX = 256
MODEL_FILES = ("brisque_model_live.yml", "brisque_range_live.yml")
NUM_BRISQUE = 36
BRISQUE_COLUMNS = tuple(f"brisque_{number:02d}" for number in range(1, NUM_BRISQUE + 1))
SIMPLE_COLUMNS = ("sharpness", "contrast", "noise")
OUTLIER_RANGE = 1.5  # interquartile ranges beyond the quartiles (Tukey 1977)
# Immerkaer 1996, doi 10.1006/cviu.1996.0060: blind to edges, sees what is left.
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Whether a measure of quality follows the class.

    Attributes
    ----------
    statistic, p_value : float
        Of Kruskal and Wallis' test over all classes.
    effect : float in [0, 1]
        Epsilon squared, the share of the variance of ranks that lies between classes.
    pairs : DataFrame
        One row a pair of classes: `first`, `second`, `median_first`, `median_second`, `p_value` of
        Mann and Whitney's test, `p_adjusted` (Holm), `effect` (Cliff's delta in [-1, 1], positive
        where `first` has the higher values).
    """

    statistic: float
    p_value: float
    effect: float
    pairs: pd.DataFrame


def can_compute_brisque():
    """Whether this OpenCV has the module `quality` (its contrib build)."""
    return hasattr(cv2, "quality")


def measure_quality(table, model_dir=None):
    """Measure the quality of every image of a table.

    Parameters
    ----------
    table : DataFrame
        With `image_id`, `label`, `patient_id` and `path`.
    model_dir : str or Path, optional
        Folder with OpenCV's `MODEL_FILES`, for the score.

    Returns
    -------
    DataFrame
        One row an image: `image_id`, `label`, `patient_id`; `sharpness` (log10 of the variance of
        the Laplacian), `contrast` (deviation of gray values) and `noise` (deviation, gray values);
        `brisque_01` to `brisque_36`, NaN without OpenCV's contrib build; `brisque_score` in
        [0, 100], 0 best, NaN without the model files; `note`. A flat image has no quality: NaN.

    Raises
    ------
    ValueError
        If the folder lacks a model file, or OpenCV has no BRISQUE.
    """
    missing = [
        name for name in MODEL_FILES if model_dir and not pathlib.Path(model_dir, name).is_file()
    ]
    if missing or (model_dir and not can_compute_brisque()):
        raise ValueError(
            "The BRISQUE score cannot be computed. Expected OpenCV's contrib build and a folder "
            f"with both files, {' and '.join(MODEL_FILES)}; leave it out for the features alone. "
            f"Received: {model_dir}, not found: {missing}."
        )
    rows = table.to_dict("records")

    def measure(row):
        image = images.decode_image(row["path"])
        return {name: row[name] for name in ("image_id", "label", "patient_id")} | describe_image(
            image, model_dir
        )

    return pd.DataFrame(list(images.map_threads(measure, rows, "measure quality")))


def describe_image(image, model_dir=None):
    """Measure the quality of one image.

    Parameters
    ----------
    image : ndarray of shape (height, width[, 3]), dtype=uint8, in [0, 255]
    model_dir : str or Path, optional
        As for `measure_quality`, not checked.

    Returns
    -------
    dict
        The measures of `measure_quality` and `note`, which says why a measure is missing.
    """
    gray = _shrink(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    names = (*SIMPLE_COLUMNS, *BRISQUE_COLUMNS, "brisque_score")
    found = dict.fromkeys(names, np.nan)
    if gray.max() == gray.min() or min(gray.shape) < len(NOISE_KERNEL):
        return found | {"note": "flat or tiny: no quality to measure"}
    laplacian = cv2.Laplacian(gray, cv2.CV_32F)
    residue = cv2.filter2D(gray.astype(np.float32), cv2.CV_32F, NOISE_KERNEL)
    found["sharpness"] = float(np.log10(laplacian.var() + 1))
    found["contrast"] = float(gray.std())
    found["noise"] = float(np.sqrt(np.pi / 2) * np.abs(residue).mean() / 6)
    if not can_compute_brisque():
        return found | {"note": "no BRISQUE: OpenCV without its contrib modules"}
    values = np.asarray(cv2.quality.QualityBRISQUE_computeFeatures(gray), dtype=float).ravel()
    if not np.isfinite(values).all():
        return found | {"note": "BRISQUE is undefined for this image"}
    found |= dict(zip(BRISQUE_COLUMNS, values, strict=True))
    if not model_dir:
        return found | {"note": "features only: the model of the BRISQUE score is not here"}
    paths = [str(pathlib.Path(model_dir, name)) for name in MODEL_FILES]
    score = cv2.quality.QualityBRISQUE_compute(gray, *paths)
    return found | {"brisque_score": float(np.atleast_1d(score)[0]), "note": ""}


def choose_measure(measured):
    """Name the column to judge quality by: the BRISQUE score, else its stand-in.

    Returns
    -------
    str
        "brisque_score" if any image has one, else "sharpness".
    """
    return "brisque_score" if measured["brisque_score"].notna().any() else "sharpness"


def find_outliers(values, known=None):
    """Find values more than 1.5 interquartile ranges beyond the quartiles.

    Parameters
    ----------
    values : Series or ndarray of shape (n_images,)
    known : ndarray of shape (n_images,), dtype=bool, optional
        Whose quartiles count: the training images.

    Returns
    -------
    outliers : ndarray of shape (n_images,), dtype=bool
        False where a value is missing.
    bounds : tuple of float
        Lower and upper bound.
    """
    values = np.asarray(values, dtype=float)
    inside = values if known is None else values[np.asarray(known, dtype=bool)]
    if not np.isfinite(inside).any():
        raise ValueError(
            "There are no values to take quartiles of. Expected at least one finite value among "
            f"the known ones. Received: {len(inside)} values, none finite."
        )
    lower, upper = np.nanpercentile(inside, [25, 75])
    beyond = OUTLIER_RANGE * (upper - lower)
    bounds = float(lower - beyond), float(upper + beyond)
    return (values < bounds[0]) | (values > bounds[1]), bounds


def compare_classes(measured, column):
    """Test whether a measure of quality follows the class, and say how strongly.

    Parameters
    ----------
    measured : DataFrame
        From `measure_quality`. A patient counts once in a class, with the median of the images.
    column : str

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If fewer than two classes have two patients with a value.
    """
    known = measured[measured[column].notna()]
    values = known.groupby(["label", "patient_id"])[column].median()
    groups = {label: part.to_numpy() for label, part in values.groupby(level=0) if len(part) > 1}
    if len(groups) < 2:
        raise ValueError(
            "Quality cannot be compared. Expected at least two classes with two patients that have "
            f"{column!r}. Received: {known.groupby('label')['patient_id'].nunique().to_dict()}."
        )
    together = np.concatenate(list(groups.values()))
    if np.ptp(together) == 0:
        statistic, p_value = 0.0, 1.0
    else:
        statistic, p_value = (float(part) for part in scipy.stats.kruskal(*groups.values()))
    pairs = []
    for first, second in itertools.combinations(groups, 2):
        a, b = groups[first], groups[second]
        u, p_pair = scipy.stats.mannwhitneyu(a, b)
        pairs.append(
            {
                "first": first,
                "second": second,
                "median_first": float(np.median(a)),
                "median_second": float(np.median(b)),
                "p_value": float(p_pair),
                "effect": float(2 * u / (len(a) * len(b)) - 1),
            }
        )
    pairs = pd.DataFrame(pairs)
    pairs.insert(5, "p_adjusted", intervals.adjust_p_values(pairs["p_value"]))
    return Comparison(statistic, p_value, statistic / (len(together) - 1), pairs)


def _shrink(gray):
    scale = MEASURED_PX / max(gray.shape)
    if scale >= 1:
        return np.ascontiguousarray(gray)
    size = tuple(max(1, round(side * scale)) for side in gray.shape[::-1])
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
