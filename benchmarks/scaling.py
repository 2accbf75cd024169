"""What a study costs against its images, views and seeds.

python -m benchmarks.scaling [--small]

Extraction is timed for some numbers of images and views, the training of heads on views that are
read from the bank for some numbers of epochs. Both are put into lines (a cost an image and view; a
fixed cost a seed and one a batch), from which the published study of 50 epochs is worked out
linearly for 1, 10 and 50 views. Prints JSON.
"""

import sys

import numpy as np

from benchmarks import common
from leakage import features, networks, published, training

DEFAULTS = common.NETWORK | {"num_images": 64, "num_views": 4, "num_epochs": 12}
SMALL = common.SMALL_NETWORK | {"num_images": 32, "num_views": 2, "num_epochs": 4}
S1 = published.TRAINING["S1"]
VIEWS = (1, 10, 50)
SEEDS = (27, 1, 2)
GOAL = 0.1


def time_extractions(make_bank, split, options):
    """Time half and all of the images with one view, two and, for half of them, all views."""
    train = split[split["split"] == "train"]
    points = []
    for num_images in (options.num_images // 2, options.num_images):
        for num_views in sorted({1, 2, options.num_views}):
            if num_images * num_views > options.num_images * 2:
                continue  # three minutes are enough
            rows = train.iloc[:num_images]
            _, took = common.time_call(make_bank().extract_views, rows, num_views)
            points.append({"images": num_images, "views": num_views, **took})
    return points


def time_seeds(bank, split, options):
    """Time the training of a head for each seed, with few and with more epochs."""
    points = []
    num_batches = -(-options.num_images // S1.batch_size)
    for num_epochs in (options.num_epochs // 4, options.num_epochs):
        settings = training.Settings(
            num_epochs=num_epochs, num_views=options.num_views, feature_scaling="standard"
        )
        for seed in SEEDS:
            arguments = (split, bank, published.CLASS_NAMES, [seed], settings)
            _, took = common.time_call(training.train_heads, *arguments)
            points.append({"seed": seed, "batches": num_epochs * num_batches, **took})
    return points


def fit_costs(extractions, seeds, clock):
    """Seconds an image and view, seconds a seed, seconds a batch."""
    passes = np.array([point["images"] * point["views"] for point in extractions])
    seconds = np.array([point[clock] for point in extractions])
    slope = (passes * seconds).sum() / (passes**2).sum()
    # Medians: a seed that shared the machine with something else does not bend the line.
    counts = sorted({point["batches"] for point in seeds})
    found = [np.median([p[clock] for p in seeds if p["batches"] == count]) for count in counts]
    a_batch = (found[1] - found[0]) / (counts[1] - counts[0])
    a_seed = found[0] - a_batch * counts[0]
    if a_batch <= 0 or a_seed < 0:  # other work hides the line: too much is better than too little
        a_batch, a_seed = found[1] / counts[1], 0.0
    return {
        "an_image_and_view": float(slope),
        "a_seed": float(a_seed),
        "a_batch": float(a_batch),
        "farthest_from_line": float(np.abs(seconds / (slope * passes) - 1).max()),
    }


def extrapolate(costs):
    """The published study by number of views."""
    train, val, test = np.sum(list(published.SPLIT_SIZES["S1"].values()), axis=0)
    num_batches = S1.num_epochs * -(-int(train) // S1.batch_size)
    further = costs["a_seed"] + costs["a_batch"] * num_batches
    rows = []
    for num_views in VIEWS:
        extraction = costs["an_image_and_view"] * float(train * num_views + val + test)
        first = extraction + further
        row = {"views": num_views, "extraction": extraction, "first_seed": first}
        row |= {"further_seed": further, "further_over_first": further / first}
        rows.append(row)
    return rows


def measure(options):
    split = common.draw_images(options.num_images, 12, 12, options.file_size_px)
    backbone = networks.build_backbone(options.backbone, options.weights, options.size_px)

    def make_bank():
        augmentation = published.AUGMENTATION["paper"]
        return features.FeatureBank(backbone, augmentation, cache_dir=common.make_folder())

    make_bank().extract(split.iloc[:1])  # compiles
    extractions = time_extractions(make_bank, split, options)
    bank = make_bank()
    warm = training.Settings(num_epochs=1, num_views=options.num_views, feature_scaling="standard")
    training.train_heads(split, bank, published.CLASS_NAMES, [0], warm)  # fills the bank
    seeds = time_seeds(bank, split, options)
    costs = {clock: fit_costs(extractions, seeds, clock) for clock in common.CLOCKS}
    return {
        "extraction": extractions,
        "seeds": seeds,
        "costs": costs,
        "published_study": {clock: extrapolate(costs[clock]) for clock in common.CLOCKS},
        "goal": GOAL,
    }


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
