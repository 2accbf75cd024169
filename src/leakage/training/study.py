"""What the later systems (S2 to S5) train on: classes, sizes, augmentation."""

import dataclasses

import numpy as np

from leakage import protocols, published, splits

SYSTEMS = ("S2", "S3", "S4")
QUESTIONS = {
    "S2": "pneumonia or normal? (children)",
    "S3": "COVID-19 or no finding? (PA views, adults)",
    "S4": "bacterial, healthy, viral or COVID-19?",
}
# Whose images stand beside COVID-19, as `tables.read_study` takes it.
CONTROLS = {"S2": "children", "S3": "adults", "S4": "children"}
# S2: resize to 256 and crop 256, so only the flip is left. S3: "random rotations, some shearing
# and some zooming", without numbers: these are ours. S4: RandomRotation(0.1) is 36 degrees.
AUGMENTATION = {
    "S2": published.Augmentation(published.TRANSFER_LEARNING, 0, 0, 0, 0, True, False, True),
    "S3": published.Augmentation(published.LUNG_REPORT, 10, 0, 0.05, 0.1, False, False, True),
    "S4": published.Augmentation(published.LUNG_SLIDES, 36, 0.1, 0, 0.1, False, False, True),
}
INPUT_SIZE_PX = {"S2": 256, "S3": 224, "S4": 200}
# Images a class in (train, validation, test). S2: its test set, and of the other 5,232 images a
# quarter for validation, since its own 16 are "too few". S3: 86 a class, the division is ours.
# S4: 70/30, of the 70 a quarter for validation, from the test counts of its first network.
# S5: COVIDx as the report counts it.
SPLIT_SIZES = {
    "S2": {"normal": (1012, 337, 234), "pneumonia": (2912, 971, 390)},
    "S3": {"no finding": (44, 21, 21), "covid": (44, 21, 21)},
    "S4": {
        "bacterial": (1349, 450, 771),
        "healthy": (835, 278, 477),
        "viral": (737, 245, 421),
        "covid": (217, 72, 124),
    },
    "S5": {"covid": (179, 44, 31), "normal": (6373, 1593, 885), "pneumonia": (4361, 1090, 594)},
}
NUM_EXTRA_NORMALS = 200  # S3's second test set
# None of the three says how it kept patients apart; comparing networks needs test sets that are
# clean. S3 takes PA views alone, S4 all images of a COVID-19 patient.
PROTOCOLS = {
    "S2": protocols.PROTOCOLS["strict"],
    "S3": dataclasses.replace(protocols.PROTOCOLS["strict"], views=("PA",)),
    "S4": dataclasses.replace(protocols.PROTOCOLS["strict"], first_image_per_patient=()),
}


def draw_study(pool, system, size_fraction, seed):
    """Draw train, validation and test set of a system, no patient in two of them.

    Parameters
    ----------
    pool : DataFrame
        As `tables.read_study` reads it.
    system : {"S2", "S3", "S4"}
    size_fraction : float in (0, 1]
        Share of the published sizes.
    seed : int

    Returns
    -------
    DataFrame
        As `splits.draw_split`.
    """
    sizes = {
        label: tuple(max(splits.MIN_IMAGES, int(size_fraction * size)) for size in counts)
        for label, counts in SPLIT_SIZES[system].items()
    }
    return splits.draw_split(pool, PROTOCOLS[system], sizes, seed)


def draw_further(pool, split, label, num_images, seed):
    """Draw further images of one class, of patients who are in no part of a split.

    Parameters
    ----------
    pool : DataFrame
        What the split was drawn from.
    split : DataFrame
    label : str
    num_images : int
        At most so many; fewer if there are no more.
    seed : int

    Returns
    -------
    DataFrame
        Rows of the pool with `split` "extra", of the views that the split has.
    """
    chosen = pool[(pool["label"] == label) & ~pool["patient_id"].isin(split["patient_id"])]
    own_views = split.loc[split["label"] == label, "view"].dropna().unique()
    if len(own_views):
        chosen = chosen[chosen["view"].isin(own_views)]
    order = np.random.default_rng(seed).permutation(len(chosen))[:num_images]
    return chosen.iloc[np.sort(order)].assign(split="extra")
