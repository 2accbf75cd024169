"""Peak memory of a study of 1,000 images with 10 views: extraction, then a head.

python -m benchmarks.memory [--num-images 1000] [--num-views 10] [--small]

Run it as a process of its own: the peak is the process's. Of each view one whole batch is really
decoded, augmented and extracted (memory does not grow with further batches), and the files of the
other images are links to those of that batch: the bank then reads, and the head trains on, arrays
of the full size. Prints JSON.
"""

import os
import sys

import pandas as pd

from benchmarks import common
from leakage import features, networks, paths, published, training

DEFAULTS = common.NETWORK | {"num_images": 1000, "num_views": 10, "num_epochs": 10, "num_test": 200}
SMALL = common.SMALL_NETWORK | {"num_images": 64, "num_views": 2, "num_epochs": 2, "num_test": 32}
BATCH_SIZE = 32
GOAL_GB = 4


def repeat_rows(table, num_images, name):
    """Images of a split of that name: the rows in turn, each under a hash of its own."""
    rows = table.iloc[[number % len(table) for number in range(num_images)]]
    hashes = [f"{sha}{name}{number}" for number, sha in enumerate(rows["sha256"])]
    return rows.assign(sha256=hashes, split=name)


def fill_view(bank, table, view):
    """Extract one batch of a view for real; the files of the other images are links to its."""
    hashes = list(table["sha256"])
    name = f"{hashes[0]}.npy"
    before = set(bank.cache_dir.rglob(name))
    bank.extract(table.iloc[:BATCH_SIZE], view)
    (first,) = set(bank.cache_dir.rglob(name)) - before
    for number, sha in enumerate(hashes[BATCH_SIZE:]):
        os.link(
            first.with_name(f"{hashes[number % BATCH_SIZE]}.npy"), first.with_name(f"{sha}.npy")
        )


def measure(options):
    drawn = common.draw_images(BATCH_SIZE, 0, 0, options.file_size_px)
    sizes = {"train": options.num_images, "val": options.num_test, "test": options.num_test}
    parts = {name: repeat_rows(drawn, number, name) for name, number in sizes.items()}
    split = pd.concat(parts.values(), ignore_index=True)
    backbone = networks.build_backbone(options.backbone, options.weights, options.size_px)
    augmentation = published.AUGMENTATION["paper"]
    bank = features.FeatureBank(backbone, augmentation, cache_dir=paths.get_cache_dir())
    peaks = {"network_built": common.get_peak_gb()}
    for view in range(1, options.num_views + 1):
        fill_view(bank, parts["train"], view)
    fill_view(bank, split[split["split"] != "train"], 0)
    peaks["extracted"] = common.get_peak_gb()
    settings = training.Settings(
        num_epochs=options.num_epochs, num_views=options.num_views, feature_scaling="standard"
    )
    training.train_heads(split, bank, published.CLASS_NAMES, [27], settings)
    peaks["trained"] = common.get_peak_gb()
    return {"peak_gb": peaks, "goal_gb": GOAL_GB}


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
