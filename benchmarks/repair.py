"""Time to repair a split of planted patients and copies, how near the best it is, and real sets.

Patients lie in one split, or (a share of them) in any; copies join some of them in pairs. Only the
choice of splits is timed: what comes before and after is the audit. With `--data-dir` three splits
of real images are repaired too: the white wolves as published, Kermany's images dealt out by image,
and the draw of the ancestor's protocol (with replacement). Prints JSON.
"""

import sys

import numpy as np
import pandas as pd

from benchmarks import common
from leakage import data, published
from leakage.data import splits
from leakcard import findings, repair

DEFAULTS = {"sizes": "2000,20000", "mixed_percent": "10,30,100", "data_dir": ""}
SMALL = {"sizes": "200", "mixed_percent": "30"}
LEAKS = ("duplicates_across_splits", "patient_across_splits")
DRAW_SEED = 20
IMAGES_EACH = 4  # of a patient, on average
COPIES_IN = 50  # one image of so many is a near copy of another
GOAL_SECONDS, GOAL_IMAGES = 30, 20_000
SPLITS, SHARES = ("train", "val", "test"), (0.7, 0.1, 0.2)


def plant(num_images, share_mixed, seed=0):
    """A list of images, and pairs of them that show the same picture."""
    rng = np.random.default_rng(seed)
    num_patients = num_images // IMAGES_EACH
    patient = rng.integers(0, num_patients, num_images)
    homes = rng.choice(SPLITS, num_patients, p=SHARES)
    stray = rng.choice(SPLITS, num_images, p=SHARES)
    is_mixed = (rng.random(num_patients) < share_mixed)[patient]
    labels = rng.choice(["a", "b", "c"], num_patients, p=[0.5, 0.3, 0.2])
    table = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(num_images)],
            "label": labels[patient],
            "split": np.where(is_mixed, stray, homes[patient]),
            "patient_id": [f"p{number}" for number in patient],
        }
    )
    ends = rng.permutation(num_images)[: 2 * (num_images // COPIES_IN)].reshape(2, -1)
    sides = [table.iloc[rows].add_suffix(f"_{side}") for rows, side in zip(ends, "ab", strict=True)]
    pairs = pd.concat([side.reset_index(drop=True) for side in sides], axis=1)
    pairs = pairs[pairs["label_a"] == pairs["label_b"]].assign(kind="near")
    names = {f"image_id_{side}": f"image_{side}" for side in "ab"}
    return table, pairs.rename(columns=names).reset_index(drop=True)


def repair_once(num_images, share_mixed):
    """Repair one planted list, and compare its moves with the fewest that close the leaks."""
    table, pairs = plant(num_images, share_mixed)
    units = findings.list_units(table, pairs)
    found, times = common.time_call(repair.repair_split, table, units, pairs)
    here = pd.crosstab(units["unit"], units["split"])
    shares = [
        pd.crosstab(rows["split"], rows["label"], normalize="index") for rows in (table, found.kept)
    ]
    sizes = found.kept["split"].value_counts() / table["split"].value_counts()
    return {
        "num_images": num_images,
        "share_mixed": share_mixed,
        **times,
        "units_in_two_splits": int(found.kept.groupby("unit")["split"].nunique().gt(1).sum()),
        "moved": len(found.moved),
        # Each unit to where most of it is, whatever the sizes: no repair can move fewer.
        "moved_at_least": int((here.sum(axis=1) - here.max(axis=1)).sum()),
        "gap": found.gap,
        "keeps_balance": found.keeps_balance,
        "largest_change_of_a_size": float((sizes - 1).abs().max()),
        "largest_change_of_a_share": float((shares[1] - shares[0]).abs().to_numpy().max()),
    }


def read_sets(data_dir):
    """Yield the name and the table of each real set."""
    wolves = data.READERS["wolf_husky"](data_dir)
    yield "white wolves, as published", wolves[wolves["source"].str.endswith("same_backgrounds")]
    kermany = data.READERS["kermany"](data_dir)
    dealt = np.random.default_rng(0).choice(SPLITS, len(kermany), p=SHARES)
    yield "Kermany, dealt out by image", kermany.assign(split=dealt)
    protocol = published.PROTOCOLS["ancestor"]
    pool = data.read_study(data_dir, "children")
    drawn = splits.draw_split(pool, protocol, published.SPLIT_SIZES["S1"], DRAW_SEED)
    yield "COVID-19 study, the ancestor's draw", drawn


def repair_set(name, table):
    """Repair one real set; tell what that changed."""
    found = repair.repair_table(table)
    cards = {"before": found.before, "after": found.after}
    return {
        "name": name,
        "rows": len(table),
        "images": int(table["image_id"].nunique()),
        "moved": len(found.moved),
        "dropped": found.dropped["reason"].value_counts().to_dict(),
        "gap": found.gap,
        "matched": found.matched,
        **{
            when: {
                "test_images": int((card.table["split"] == "test").sum()),
                "shared": {check: card.get_row(check).value for check in LEAKS},
                "fails": card.counts["fail"],
            }
            for when, card in cards.items()
        },
    }


def measure(options):
    runs = [
        repair_once(int(size), int(percent) / 100)
        for size in options.sizes.split(",")
        for percent in options.mixed_percent.split(",")
    ]
    sets = read_sets(options.data_dir) if options.data_dir else ()
    real = [repair_set(name, table.reset_index(drop=True)) for name, table in sets]
    return {"runs": runs, "real": real, "goal_seconds": GOAL_SECONDS, "goal_images": GOAL_IMAGES}


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
