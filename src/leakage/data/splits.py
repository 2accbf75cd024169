"""Draw train, validation and test sets as the paper, its ancestor or a strict reader would."""

import numpy as np
import pandas as pd

from leakage import published
from leakcard import table as image_table

SPLITS = ("train", "val", "test")
MIN_IMAGES = 2
# How much a draw of whole patients shrinks when patients do not fill the splits evenly.
SHRINK_STEP = 0.99


def _make_pool(pool, protocol, sizes):
    """Sort and filter the pool as the protocol says."""
    pool = pool[pool["label"].isin(list(sizes))].sort_values("image_id", ignore_index=True)
    if protocol.adults_only:
        pool = pool[image_table.get_age_groups(pool) == "adult"]
    if protocol.views:
        pool = pool[pool["view"].isin(protocol.views)]
    if protocol.drop_duplicates:
        # A file without a hash is like no other.
        pool = pool[~pool["sha256"].fillna(pool["image_id"]).duplicated()]
    for label in protocol.first_image_per_patient:
        is_label = pool["label"] == label
        repeats = pool.loc[is_label, "patient_id"].duplicated()
        pool = pool.drop(index=repeats[repeats].index)
    return pool.reset_index(drop=True)


def _shrink(sizes, factor):
    # The margin keeps floor(50 * 0.98) from becoming 48 where 49.0 is meant but not hit.
    return {
        label: tuple(int(np.floor(size * factor + 1e-9)) for size in wanted)
        for label, wanted in sizes.items()
    }


def _check_sizes(counts, sizes, shrunk, protocol):
    # The class that has the least of what it needs is the one to name.
    for label in sorted(sizes, key=lambda name: counts[name] / max(1, sum(sizes[name]))):
        enough = [
            size >= MIN_IMAGES or wanted == 0
            for size, wanted in zip(shrunk[label], sizes[label], strict=True)
        ]
        if counts[label] == 0 or not all(enough):
            only = "adults of known age" if protocol.adults_only else "all ages"
            raise ValueError(
                f"Class {label!r} cannot be split: a split would have fewer than {MIN_IMAGES} "
                f"images. Expected {sum(sizes[label])} images of it, {sizes[label]} in train, "
                f"validation and test, under protocol {protocol.name!r} ({only}). Add images, "
                f"ask for other sizes or choose another protocol. Received: {counts[label]} "
                f"images of it (all classes: {counts}), which leaves {shrunk[label]}"
            )


def _draw_images(pool, protocol, sizes, seed):
    """Draw images class by class and cut each draw into the three splits."""
    parts = []
    for number, label in enumerate(sorted(sizes)):
        rng = np.random.default_rng([seed, number])
        rows = np.flatnonzero(pool["label"] == label)
        total = sum(sizes[label])
        drawn = rng.choice(rows, size=total, replace=label in protocol.with_replacement)
        names = np.repeat(SPLITS, sizes[label])
        parts.append(pool.iloc[drawn].assign(split=names))
    return pd.concat(parts)


def _draw_patients(pool, sizes, seed):
    """Fill the splits patient by patient; None if a class falls short.

    The scarcest class goes first; a patient who is already in a split stays there for every
    class. Images of a patient beyond what the split needs are left out.
    """
    homes, chosen, splits = {}, [], []
    counts = pool["label"].value_counts()
    for label in sorted(sizes, key=lambda name: (counts[name] / sum(sizes[name]), name)):
        rng = np.random.default_rng([seed, sorted(sizes).index(label)])
        of_label = pool[pool["label"] == label]
        groups = of_label.groupby("patient_id").indices  # positions within of_label
        missing = dict(zip(SPLITS, sizes[label], strict=True))
        for patient in rng.permutation(np.array(sorted(groups), dtype=object)):
            unfilled = [name for name in SPLITS if missing[name]]
            if not unfilled:
                break
            home = homes.get(patient, unfilled[0])
            rows = rng.permutation(groups[patient])[: missing[home]]
            if len(rows):
                homes[patient] = home
                missing[home] -= len(rows)
                chosen.extend(of_label.index[rows])
                splits.extend([home] * len(rows))
        if any(missing.values()):
            return None
    return pool.loc[chosen].assign(split=splits)


def draw_split(pool, protocol, sizes, seed):
    """Draw a train, a validation and a test set from a pool of images.

    Parameters
    ----------
    pool : DataFrame
        With `image_table.COLUMNS`.
    protocol : Protocol
        One of `PROTOCOLS`, or a copy with `dataclasses.replace`.
    sizes : dict of str to (int, int, int)
        Images per label in train, validation and test.
    seed : int
        Decides the draw; each class has its own stream.

    Returns
    -------
    DataFrame
        Rows of the pool (repeated where drawn twice) with `split` in train, val, test, ordered
        by split and label. If the pool cannot reach the sizes, all classes are shrunk by one
        factor: `attrs["shrink_factor"]` (1.0 if none) and `attrs["reason"]`. `attrs["sizes"]`
        has the sizes drawn.

    Raises
    ------
    ValueError
        If a class would have fewer than two images in a split; with what was found and needed.
    """
    attrs = dict(pool.attrs)
    pool = _make_pool(pool, protocol, sizes)
    counts = {label: int((pool["label"] == label).sum()) for label in sizes}
    shares = {
        label: 1.0 if label in protocol.with_replacement else counts[label] / sum(sizes[label])
        for label in sizes
    }
    scarcest = min(shares, key=shares.get)
    factor = min(1.0, shares[scarcest])
    while True:
        shrunk = _shrink(sizes, factor)
        _check_sizes(counts, sizes, shrunk, protocol)
        if not protocol.disjoint_patients:
            drawn = _draw_images(pool, protocol, shrunk, seed)
            break
        drawn = _draw_patients(pool, shrunk, seed)
        if drawn is not None:
            break
        factor *= SHRINK_STEP
    order = drawn["split"].map({name: number for number, name in enumerate(SPLITS)})
    drawn = drawn.iloc[np.lexsort([drawn["label"].astype(str), order])].reset_index(drop=True)
    whole = " in whole patients" if protocol.disjoint_patients else ""
    reason = (
        f"protocol {protocol.name!r} finds {counts[scarcest]} images of class {scarcest!r} where "
        f"{sum(sizes[scarcest])} are asked for{whole}"
    )
    drawn.attrs = attrs | {
        "sizes": shrunk,
        "shrink_factor": factor,
        "reason": reason if factor < 1 else "",
    }
    return drawn


def hold_out_validation(table, fraction, seed):
    """Move a share of each class from train to validation, for tables that are already split.

    Parameters
    ----------
    table : DataFrame
        With `label` and `split`.
    fraction : float in (0, 1)
        Share of the training images of each class, rounded; at least one.
    seed : int
        Decides which.

    Returns
    -------
    DataFrame
        The same rows in the same order, some with `split` "val" instead of "train".
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"A validation set of this share cannot be held out. Expected 0 < fraction < 1. "
            f"Received: fraction={fraction}"
        )
    table = table.copy()
    train = table[table["split"] == "train"]
    for number, (_, rows) in enumerate(train.sort_values("image_id").groupby("label")):
        size = max(1, round(fraction * len(rows)))
        rng = np.random.default_rng([seed, number])
        table.loc[rng.choice(rows.index.to_numpy(), size=size, replace=False), "split"] = "val"
    return table


def count_overlap(table):
    """Count what a test set shares with its training set, and how many are children.

    Parameters
    ----------
    table : DataFrame
        With `image_table.COLUMNS` and `split`.

    Returns
    -------
    DataFrame
        One row a label of the test set: `label`, `num_train`, `num_test` (rows),
        `num_test_images_in_train` (rows whose file, by sha256, is a training file of any class),
        `num_test_patients`, `num_test_patients_in_train` (of any class), `share_under_18` (of
        test rows of known age group, NaN if none is known) and `num_age_known`.
    """
    train, test = table[table["split"] == "train"], table[table["split"] == "test"]
    content = table["sha256"].fillna(table["image_id"])
    in_train = content[test.index].isin(set(content[train.index]))
    groups = image_table.get_age_groups(table)
    records = []
    for label, rows in test.groupby("label"):
        patients = set(rows["patient_id"])
        known = groups[rows.index].dropna()
        records.append(
            {
                "label": label,
                "num_train": int((train["label"] == label).sum()),
                "num_test": len(rows),
                "num_test_images_in_train": int(in_train[rows.index].sum()),
                "num_test_patients": len(patients),
                "num_test_patients_in_train": len(patients & set(train["patient_id"])),
                "share_under_18": float((known == "child").mean()) if len(known) else np.nan,
                "num_age_known": len(known),
            }
        )
    return pd.DataFrame(records)


def draw_study(pool, system, size_fraction, seed):
    """Draw train, validation and test set of a system, no patient in two of them.

    Parameters
    ----------
    pool : DataFrame
        As `data.read_study` reads it.
    system : {"S2", "S3", "S4"}
    size_fraction : float in (0, 1]
        Share of the published sizes.
    seed : int

    Returns
    -------
    DataFrame
        As `draw_split`.
    """
    sizes = {
        label: tuple(max(MIN_IMAGES, int(size_fraction * size)) for size in counts)
        for label, counts in published.SPLIT_SIZES[system].items()
    }
    return draw_split(pool, published.PROTOCOLS[system], sizes, seed)


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
