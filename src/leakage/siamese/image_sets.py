"""The images of a split as arrays, checked for what a comparison of pairs must not have."""

from typing import NamedTuple

import numpy as np

from leakage import treatments
from leakage.siamese import pairs
from leakage.training import fitting


class ImageSet(NamedTuple):
    """Images of one part of a split: pixels (n, size, size, 3), labels (n,), patients (n,)."""

    pixels: np.ndarray
    labels: np.ndarray
    patients: np.ndarray


def load_image_sets(split, class_names, size_px, treatment="none"):
    """Load the pixels of a split whose patients are disjoint.

    Parameters
    ----------
    split : DataFrame
        Rows of the table contract with `split` in {"train", "val", "test"}.
    class_names : sequence of str
    size_px : int
    treatment : str
        Name in `leakage.treatments.TREATMENTS` of what is done to every image first.

    Returns
    -------
    dict of str to ImageSet

    Raises
    ------
    ValueError
        If a patient is in two parts, a label is unknown, or a class of a part that is trained or
        validated on cannot form a pair.
    """
    pairs.check_patients(split)
    parts = {}
    for name in ("train", "val", "test"):
        rows = split[split["split"] == name]
        pixels = treatments.load_treated_images(rows, size_px, treatment)
        labels = fitting.encode_labels(rows["label"], class_names)
        parts[name] = ImageSet(pixels, labels, rows["patient_id"].to_numpy())
        if name != "test":
            pairs.check_classes(pixels, labels, len(class_names))
    return parts
