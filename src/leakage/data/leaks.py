"""One clean test set a draw, and training sets of one size that differ in one leak alone."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from leakcard import files, images
from leakcard import table as image_table

# What a test or training image of `draw_clean` is for.
ROLES = ("exposed", "unexposed", "shared", "replaced", "spare")
# A copy as a website makes one: a tenth smaller, and JPEG once more.
COPY_SCALE = 0.9
COPY_QUALITY = 75


def make_pool(table, pairs=None, age_group=None):
    """Choose the images that clean sets are drawn from.

    Parameters
    ----------
    table : DataFrame
        With `leakcard.COLUMNS`.
    pairs : DataFrame, optional
        Copies, as `leakcard.copies.search.find_duplicates` returns them: patients who share a
        picture are taken as one.
    age_group : {"adult", "child"}, optional
        Only patients known to be of this group.

    Returns
    -------
    DataFrame
        Of equal files only the first, of patients with one label only; `patient_id` names the
        patient or the joined ones, and `age_group` is filled in. Sorted by `image_id`.
    """
    pool = table.sort_values("image_id", ignore_index=True)
    units = pd.Series(image_table.join_units(pool, pairs), pool.index)
    pool = pool.assign(
        patient_id=pool["patient_id"].groupby(units).transform("min"),
        age_group=image_table.get_age_groups(pool),
    )
    pool = pool[pool.groupby("patient_id")["label"].transform("nunique") == 1]
    pool = pool[~pool["sha256"].fillna(pool["image_id"]).duplicated()]
    if age_group is not None:
        pool = pool[pool["age_group"] == age_group]
    return pool.reset_index(drop=True)


def draw_clean(pool, num_test, num_train, seed):
    """Draw a clean test set, a clean training set, and further images to put into it.

    Every patient is drawn once, with one image taken at random. Half of the test patients of each
    class (rounded down) are *exposed*: they have a further image in the pool, and leaks are of
    them. As many training images are there to be *replaced* by leaks, and as many more are
    *spare*: in their place, they are a leak that is none.

    Parameters
    ----------
    pool : DataFrame
        From `make_pool`.
    num_test, num_train : dict of str to int
        Images a label.
    seed : int
        Decides the draw; each class has its own stream.

    Returns
    -------
    DataFrame
        Rows of the pool with `role`, one of `ROLES` ("exposed" and "unexposed" are the test set,
        "shared" and "replaced" the clean training set) and `split` ("test", "train", "spare").

    Raises
    ------
    ValueError
        If a class has too few patients, or too few with a further image.
    """
    parts = []
    for number, label in enumerate(sorted(num_test)):
        rng = np.random.default_rng([seed, number])
        rows = pool[pool["label"] == label]
        groups = rows.groupby("patient_id").indices
        num_exposed = num_test[label] // 2
        sizes = (
            num_exposed,
            num_test[label] - num_exposed,
            num_train[label] - num_exposed,
            num_exposed,
            num_exposed,
        )
        patients = list(rng.permutation(sorted(groups)))
        several = [patient for patient in patients if len(groups[patient]) > 1]
        if len(patients) < sum(sizes) or len(several) < num_exposed:
            raise ValueError(
                f"Class {label!r} has too few patients. Expected {sum(sizes)} for "
                f"{dict(zip(ROLES, sizes, strict=True))}, {num_exposed} of them with a further "
                "image. Ask for fewer images or add some. "
                f"Received: {len(patients)}, {len(several)} of them with a further image."
            )
        exposed = several[:num_exposed]
        others = [patient for patient in patients if patient not in set(exposed)]
        chosen = [rng.choice(groups[patient]) for patient in [*exposed, *others][: sum(sizes)]]
        parts.append(rows.iloc[chosen].assign(role=np.repeat(ROLES, sizes)))
    drawn = pd.concat(parts, ignore_index=True)
    splits = {"exposed": "test", "unexposed": "test", "spare": "spare"}
    return drawn.assign(split=drawn["role"].map(splits).fillna("train"))


def replace_images(train, leak):
    """Put other images into a clean training set, class by class in place of those replaced.

    Parameters
    ----------
    train : DataFrame
        The training rows of `draw_clean`.
    leak : DataFrame
        As many rows a label as `train` has with the role "replaced".

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If the sizes differ: the two sets would then differ in more than the leak.
    """
    replaced = train.loc[train["role"] == "replaced", "label"].value_counts().to_dict()
    given = leak["label"].value_counts().to_dict()
    if replaced != given:
        raise ValueError(
            "A leaked training set is as large as the clean one. Expected as many images as are "
            f"replaced, {replaced}. Received: {given}"
        )
    kept = train[train["role"] == "shared"]
    return pd.concat([kept, leak.assign(split="train")], ignore_index=True)


def draw_further_images(pool, rows, seed):
    """Draw one further image of each patient.

    Parameters
    ----------
    pool : DataFrame
        From `make_pool`.
    rows : DataFrame
        Rows of the pool whose patients have further images.
    seed : int

    Returns
    -------
    DataFrame
        Rows of the pool, none of them in `rows`.
    """
    others = pool[
        pool["patient_id"].isin(rows["patient_id"]) & ~pool["image_id"].isin(rows["image_id"])
    ]
    return others.sample(frac=1, random_state=seed).drop_duplicates("patient_id")


def swap_images(rows, pool, column, values, excluded, seed):
    """Swap the images of some classes for as many that have a certain value of a column.

    Parameters
    ----------
    rows : DataFrame
        A training or a test set.
    pool : DataFrame
        From `make_pool`.
    column : str
        Such as `view`, `source` or `age_group`.
    values : dict of str to list of str
        What the new images of a label may have; classes without an entry stay as they are.
    excluded : DataFrame
        Whose patients are not taken.
    seed : int

    Returns
    -------
    DataFrame
        As many rows a label as before, one image a patient.

    Raises
    ------
    ValueError
        If a class has too few patients.
    """
    parts = [rows[~rows["label"].isin(list(values))]]
    for label, wanted in sorted(values.items()):
        size = int((rows["label"] == label).sum())
        found = pool[(pool["label"] == label) & pool[column].isin(wanted)]
        found = found[~found["patient_id"].isin(excluded["patient_id"])]
        found = found.sample(frac=1, random_state=seed).drop_duplicates("patient_id")
        if len(found) < size:
            raise ValueError(
                f"Class {label!r} has too few patients whose {column} is one of {wanted}. "
                f"Expected {size}, outside the excluded ones. Received: {len(found)}"
            )
        parts.append(found.head(size))
    return pd.concat(parts, ignore_index=True).assign(split=rows["split"].iloc[0])


def take_first(rows, sizes):
    """Take the first images of each class, so that the smaller set is part of the larger.

    Parameters
    ----------
    rows : DataFrame
    sizes : dict of str to int

    Returns
    -------
    DataFrame
    """
    number = rows.groupby("label").cumcount()
    return rows[number < rows["label"].map(sizes)].reset_index(drop=True)


def write_copies(table, folder):
    """Write a re-encoded copy of each image: a tenth smaller, as JPEG of quality 75.

    Parameters
    ----------
    table : DataFrame
        Rows with `path` and `sha256`.
    folder : str or Path
        Files are named by what they are copies of, and written once. Pictures of patients: keep
        it out of results.

    Returns
    -------
    DataFrame
        The rows with `path`, `sha256` and the other facts of the copies.
    """
    written = []
    for row in table.to_dict("records"):
        path = Path(folder) / f"{row['sha256']}.jpg"
        if not path.is_file():
            image = Image.fromarray(images.decode_image(row["path"]))
            size = tuple(max(1, round(COPY_SCALE * side)) for side in image.size)
            with files.open_atomic(path, "wb") as stream:
                image.resize(size, Image.Resampling.LANCZOS).save(
                    stream, "JPEG", quality=COPY_QUALITY
                )
        written.append(row | {"path": str(path)} | images.inspect_image(path))
    return pd.DataFrame(written, index=table.index, columns=table.columns)
