"""Extraction in mixed_bfloat16 against float32, and whether the heads then say the same.

python -m benchmarks.precision [--num-train 290] [--num-test 200] [--data-dir DIR] [--weights PATH]

Phantoms, or with `--data-dir` the real images of the published study. The bank extracts each batch
of files in both precisions in turns. `one head`: trained on float32 features, it scores the test
images in both. `own heads`: one is trained on each, with the same seed. What 100 % could mean there
is told by two more pairs of heads on float32: `next float32`, the same seed with each feature moved
to the next number that float32 has, and `other seed`. Prints JSON.
"""

import sys

import numpy as np

from benchmarks import common
from leakage import features, networks, published, training
from leakage.networks import precision

DEFAULTS = common.NETWORK | {
    "num_train": 290,
    "num_test": 200,
    "num_epochs": 50,
    "feature_scaling": "standard",
    "data_dir": "",
}
SMALL = common.SMALL_NETWORK | {"num_train": 32, "num_test": 32, "num_epochs": 2}
NUM_VAL = 12
SEEDS = (27, 1)
BATCH_SIZE = 32
GOALS = {"times_faster": 1.6, "equal_predictions": 0.99}


class NextFloatBank(features.FeatureBank):
    """Features that differ by the last bit: the least that any other way of computing changes."""

    def extract(self, *arguments, **options):
        return np.nextafter(super().extract(*arguments, **options), np.float32(np.inf))


def extract_in_turns(banks, table):
    """Extract a table batch by batch, each in every precision; return the summed times."""
    sums = {name: dict.fromkeys(common.CLOCKS, 0.0) for name in banks}
    for number, start in enumerate(range(0, len(table), BATCH_SIZE)):
        rows = table.iloc[start : start + BATCH_SIZE]
        for name, bank in banks.items():
            _, took = common.time_call(bank.extract, rows)
            if number and len(rows) == BATCH_SIZE:  # the first compiles, the last is filled up
                sums[name] = {clock: sums[name][clock] + took[clock] for clock in took}
    return sums


def measure(options):
    split = common.draw_images(
        options.num_train, NUM_VAL, options.num_test, options.file_size_px, options.data_dir
    )
    backbone = networks.build_backbone(options.backbone, options.weights, options.size_px)
    banks = {
        dtype: features.FeatureBank(precision.convert_backbone(backbone, dtype))
        for dtype in precision.DTYPES
    }
    times = extract_in_turns(banks, split)
    test = split[split["split"] == "test"]
    settings = training.Settings(
        num_epochs=options.num_epochs, num_views=0, feature_scaling=options.feature_scaling
    )

    def train(bank, seed=SEEDS[0]):
        return training.train_heads(split, bank, published.CLASS_NAMES, [seed], settings)[0]

    runs = {dtype: train(bank) for dtype, bank in banks.items()}
    exact, reduced = (runs[dtype].test_scores for dtype in precision.DTYPES)
    given_reduced = training.predict_scores(
        runs[precision.FLOAT32].model, banks[precision.MIXED].extract(test)
    )
    moved = train(NextFloatBank(banks[precision.FLOAT32].backbone)).test_scores
    other = train(banks[precision.FLOAT32], SEEDS[1]).test_scores
    labels = training.encode_labels(test["label"], published.CLASS_NAMES)
    maps = {dtype: bank.extract(test).ravel() for dtype, bank in banks.items()}
    off = np.abs(maps[precision.MIXED] - maps[precision.FLOAT32]).mean()
    return {
        "images": "real images" if options.data_dir else "phantoms",
        "weights": [bank.backbone.weights for bank in banks.values()],
        "times": times,
        "times_faster": common.divide(times[precision.FLOAT32], times[precision.MIXED]),
        "relative_difference_of_features": float(off / np.abs(maps[precision.FLOAT32]).mean()),
        "accuracy": {
            dtype: float((run.test_scores.argmax(axis=1) == labels).mean())
            for dtype, run in runs.items()
        },
        "one head": common.compare_scores(exact, given_reduced),
        "own heads": common.compare_scores(exact, reduced),
        "next float32": common.compare_scores(exact, moved),
        "other seed": common.compare_scores(exact, other),
        "goals": GOALS,
    }


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
