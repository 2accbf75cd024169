"""Bank and head against the ancestor's way, which sends every image through VGG19 every epoch.

python -m benchmarks.ancestor [--num-train 290] [--small]

Same images, same frozen view, same head, same order, one process. *The ancestor's way* is one Keras
model, frozen backbone and head, fitted on pixels; its pixels are given to it decoded and
augmented, for nothing. *Ours* decodes, augments, extracts into the feature bank, reads it, trains
and stores the head. What is measured is one epoch, one extraction and one head of 50 epochs, the
best of two, on half the published study (580, 140 and 140 images, 50 epochs), which is worked out
from them linearly: the backbone by images, the head by batches, fixed costs of a seed (compiling)
as if they grew with the batches. That both do the same is checked: `agreement` compares their test
scores after the first epoch; later ones, at the published learning rate, multiply the last bits in
which two ways of computing differ. Prints JSON.
"""

import sys

import keras
import numpy as np

from benchmarks import common
from leakage import augment, features, networks, published, training
from leakcard import images

SLICE = {"num_train": 290, "num_val": 70, "num_test": 70, "num_rounds": 2, "num_epochs": 50}
DEFAULTS = common.NETWORK | SLICE
SMALL = common.SMALL_NETWORK | {"num_train": 32, "num_val": 6, "num_test": 6}
SMALL |= {"num_rounds": 1, "num_epochs": 2}
S1 = published.TRAINING["S1"]
AUGMENTATION = published.AUGMENTATION["ancestor"]
SEEDS = (27, 1)
NUM_SEEDS = 5
GOALS = {"1 seed": 20, "5 seeds": 35}


def build_whole_network(backbone, head):
    """Join and compile as the ancestor does; without XLA, whose convolutions are slower here."""
    model = networks.join_backbone_and_head(backbone, head)
    model.compile(
        keras.optimizers.RMSprop(S1.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def load_pixels(split, size_px):
    """Decoded pixels of each part; those to train on in the bank's first view."""
    parts = {name: split[split["split"] == name] for name in ("train", "val", "test")}
    pixels = {name: images.load_images(part["path"], size_px) for name, part in parts.items()}
    keys = list(parts["train"]["sha256"])
    pixels["train"] = augment.augment_images(pixels["train"], keys, 1, AUGMENTATION, 0)
    labels = {
        name: training.encode_labels(part["label"], published.CLASS_NAMES)
        for name, part in parts.items()
    }
    return parts, pixels, labels


def extract(bank, parts):
    bank.extract_views(parts["train"], 1)
    for name in ("val", "test"):
        bank.extract(parts[name])


def extrapolate(times, options):
    """Times of the published study by seeds, from those of the slice."""
    counts = np.sum(list(published.SPLIT_SIZES["S1"].values()), axis=0)  # train, validation, test
    num_slice = options.num_train + options.num_val
    per_epoch = (counts[0] + counts[1]) / num_slice
    whole = S1.num_epochs * per_epoch + counts[2] / num_slice
    extraction = counts.sum() / (num_slice + options.num_test)
    head = -(-counts[0] // S1.batch_size) / -(-options.num_train // S1.batch_size)
    head *= S1.num_epochs / options.num_epochs
    found = {}
    for name, number in (("1 seed", 1), ("5 seeds", NUM_SEEDS)):
        ours = {"extraction": extraction, "head": head * number}
        slow = common.combine(times, {"ancestor's epoch": whole * number})
        fast = common.combine(times, ours)
        found[name] = {
            "ancestor": slow,
            "ours": fast,
            "times_faster": common.divide(slow, fast),
            "goal": GOALS[name],
        }
    return found


def measure(options):
    split = common.draw_images(
        options.num_train, options.num_val, options.num_test, options.file_size_px
    )
    backbone = networks.build_backbone(options.backbone, options.weights, options.size_px)
    parts, pixels, labels = load_pixels(split, options.size_px)
    # Random features need scaling (it is a layer of both); neither shuffles.
    settings = {"num_views": 1, "feature_scaling": "standard", "shuffle": False}

    def make_bank():
        return features.FeatureBank(backbone, AUGMENTATION, cache_dir=common.make_folder())

    bank = make_bank()
    extract(bank, parts)  # compiles
    scaled_on = bank.extract(parts["train"], view=1)
    num_classes = len(published.CLASS_NAMES)
    head = networks.build_head("paper", scaled_on.shape[1:], num_classes, SEEDS[0], scaled_on)
    whole = build_whole_network(backbone, head)

    def fit_epoch():
        whole.fit(
            pixels["train"],
            labels["train"],
            batch_size=S1.batch_size,
            validation_data=(pixels["val"], labels["val"]),
            validation_batch_size=S1.batch_size,
            shuffle=False,
            verbose=0,
        )

    fit_epoch()  # compiles
    theirs = training.predict_scores(whole, pixels["test"])
    turns = {"ancestor's epoch": fit_epoch, "extraction": lambda: extract(make_bank(), parts)}
    times = common.time_in_turns(turns, options.num_rounds)

    def train(seed, num_epochs=options.num_epochs):
        wanted = training.Settings(num_epochs=num_epochs, **settings)
        return training.train_heads(split, bank, published.CLASS_NAMES, [seed], wanted)[0]

    ours = train(SEEDS[0], num_epochs=1).test_scores
    heads = [common.time_call(train, seed)[1] for seed in SEEDS]
    times["head"] = common.take_best(heads)
    return {
        "slice": times,
        "agreement": common.compare_scores(theirs, ours),
        "published_study": extrapolate(times, options),
    }


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
