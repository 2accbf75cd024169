"""Plan a set of chest phantoms: who is drawn, where, how old, and what the label decides."""

import numpy as np
import pandas as pd

LABELS = ("covid", "normal", "pneumonia")
CONTROLS = ("children", "adults")
COLUMNS = (
    "image_id",
    "label",
    "findings",
    "patient_id",
    "hospital",
    "age_group",
    "age_years",
    "sex",
    "view",
    "date",
    "file_format",
    "lesion_visibility",
    "patient_seed",
    "draw_seed",
)

# Images a patient: most have one, as in the Cohen collection (434 frontal COVID images of 262
# patients, of which the studies take the first each) and in Kermany.
IMAGES_PER_PATIENT = {1: 0.80, 2: 0.16, 3: 0.04}

# Kermany et al. 2018 hold 2,780 bacterial and 1,493 viral pneumonias; their words are kept.
BACTERIAL_SHARE = 0.65

# What an image of each hospital is like, whatever its label. A stands for a collection from many
# hands during the pandemic, B for one children's hospital, C for one general hospital.
HOSPITALS = {
    "A": {"female": 0.38, "pa": 0.50, "png": 0.35, "dates": ("2020-01-15", "2020-06-20")},
    "B": {"female": 0.45, "pa": 0.10, "png": 0.00, "dates": ("2013-01-10", "2017-07-01")},
    "C": {"female": 0.45, "pa": 0.60, "png": 1.00, "dates": ("2008-03-01", "2015-11-30")},
}


def plan_chest(num_images, *, seed, confounding=1.0, controls="children", lesion_visibility=1.0):
    """Decide, without drawing anything, what every chest phantom of a set shows.

    With probability `confounding` a patient comes from the hospital and the age group of its label:
    COVID-19 from adults of hospital A, both controls from children of hospital B (as in Rahaman et
    al. 2020) or from adults of hospital C. Otherwise hospital and age group are drawn, each by
    itself, from their shares in the whole set, without a look at the label. Sex, view, date and
    file format follow the hospital alone; identifiers, order and seeds follow nothing.

    Parameters
    ----------
    num_images : dict of str to int
        Images to draw for each label, of "covid", "normal" and "pneumonia"; for example
        ``{"covid": 280, "normal": 450, "pneumonia": 450}``.
    seed : int
        The same seed and arguments give the same plan. The patients of a seed stay the same
        whatever `confounding` is; only their hospital and age group move.
    confounding : float in [0, 1]
        0: hospital and age group are independent of the label. 1: they are decided by it.
    controls : {"children", "adults"}
        Where the normal and pneumonia images of the confounded design come from.
    lesion_visibility : float in [0, 1]
        1: lesions as plain as in a radiograph of marked disease, 0: none is drawn.

    Returns
    -------
    DataFrame
        One row an image, sorted by `image_id`, with the columns `image_id, label, findings,
        patient_id, hospital, age_group, age_years, sex, view, date, file_format,
        lesion_visibility, patient_seed, draw_seed`.

    Raises
    ------
    ValueError
        If an argument is out of range or a label is unknown.
    """
    check_arguments(num_images, confounding, controls, lesion_visibility)
    patients = plan_patients(num_images, seed)
    assign_groups(patients, num_images, seed, confounding, controls)

    images = patients.loc[patients.index.repeat(patients["num_images"])].reset_index(drop=True)
    rng = np.random.default_rng([seed, 3])
    images = images.iloc[rng.permutation(len(images))].reset_index(drop=True)
    styles = images["hospital"].map(HOSPITALS)
    images["view"] = np.where(rng.random(len(images)) < styles.str["pa"], "PA", "AP")
    images["file_format"] = np.where(rng.random(len(images)) < styles.str["png"], "PNG", "JPEG")
    images["date"] = draw_dates(rng.random(len(images)), styles.str["dates"])
    images["draw_seed"] = rng.integers(2**31, size=len(images))
    images["lesion_visibility"] = float(lesion_visibility)
    images["image_id"] = [f"chest_{number:06d}" for number in range(1, len(images) + 1)]
    return images[list(COLUMNS)]


def check_arguments(num_images, confounding, controls, lesion_visibility):
    """Refuse a plan that cannot be drawn, saying what would do."""
    unknown = [label for label in num_images if label not in LABELS]
    if unknown or not num_images:
        raise ValueError(
            "`num_images` holds a label that chest phantoms do not have. Expected a number for "
            f"one or more of {list(LABELS)}. Received: {dict(num_images)}"
        )
    for label, number in num_images.items():
        if isinstance(number, bool) or int(number) != number or number < 0:
            raise ValueError(
                f"`num_images[{label!r}]` is not a count. Expected an integer of 0 or more. "
                f"Received: {number!r}"
            )
    for name, value in (("confounding", confounding), ("lesion_visibility", lesion_visibility)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(
                f"`{name}` is out of range. Expected a number from 0 to 1. Received: {value!r}"
            )
    if controls not in CONTROLS:
        raise ValueError(
            f"`controls` is unknown. Expected one of {list(CONTROLS)}. Received: {controls!r}"
        )


def plan_patients(num_images, seed):
    """Draw patients until every label has its images; their order and numbers are shuffled."""
    rng = np.random.default_rng([seed, 1])
    counts, shares = list(IMAGES_PER_PATIENT), list(IMAGES_PER_PATIENT.values())
    blocks = []
    for label in LABELS:
        wanted = int(num_images.get(label, 0))
        images = rng.choice(counts, size=wanted, p=shares)
        before = np.cumsum(images) - images
        images = np.minimum(images, wanted - before)[before < wanted]
        blocks.append(pd.DataFrame({"label": label, "num_images": images.astype(int)}))
    patients = pd.concat(blocks, ignore_index=True)
    patients = patients.iloc[rng.permutation(len(patients))].reset_index(drop=True)

    words = {"covid": "COVID-19", "normal": "No Finding"}
    bacterial = rng.random(len(patients)) < BACTERIAL_SHARE
    pneumonia = pd.Series(np.where(bacterial, "bacteria", "virus"))
    patients["findings"] = patients["label"].map(words).fillna(pneumonia)
    patients["patient_id"] = [f"phantom:{number:05d}" for number in range(1, len(patients) + 1)]
    patients["patient_seed"] = rng.integers(2**31, size=len(patients))
    return patients


def assign_groups(patients, num_images, seed, confounding, controls):
    """Add hospital, age group, age and sex to the table of patients, in place."""
    rng = np.random.default_rng([seed, 2])
    covid_share = num_images.get("covid", 0) / max(1, sum(num_images.values()))
    control_hospital = "B" if controls == "children" else "C"
    control_age = "child" if controls == "children" else "adult"

    is_covid = patients["label"].eq("covid").to_numpy()
    follows = rng.random(len(patients)) < confounding
    # Hospital and age group are drawn apart, so that below a confounding of 1 the two can be told
    # apart too: adults of hospital B and children of hospital A exist.
    at_a = np.where(follows, is_covid, rng.random(len(patients)) < covid_share)
    as_covid = np.where(follows, is_covid, rng.random(len(patients)) < covid_share)
    patients["hospital"] = np.where(at_a, "A", control_hospital)
    patients["age_group"] = np.where(as_covid, "adult", control_age)

    # Kermany's children are one to five years old. "Adult" images hold a few minors, as those of
    # Cohen (one of 12 years) and NIH (5-11 %) do: an age limit has something to find.
    child_ages = rng.integers(1, 6, size=len(patients))
    adult_ages = np.clip(np.round(rng.normal(54, 18, size=len(patients))), 14, 94).astype(int)
    patients["age_years"] = np.where(patients["age_group"].eq("child"), child_ages, adult_ages)
    female_share = patients["hospital"].map(HOSPITALS).str["female"]
    patients["sex"] = np.where(rng.random(len(patients)) < female_share, "F", "M")


def draw_dates(fractions, spans):
    """Turn fractions in [0, 1) into ISO dates within each row's (first, last) day."""
    first = pd.to_datetime(spans.str[0])
    days = (pd.to_datetime(spans.str[1]) - first).dt.days
    days = pd.to_timedelta(np.floor(fractions * days), unit="D")
    return (first + days).dt.strftime("%Y-%m-%d")
