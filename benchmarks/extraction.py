"""Feature extraction by the bank against the bare forward pass of the backbone.

python -m benchmarks.extraction [--num-images 96] [--small]

The bare pass is `predict_on_batch` on batches that lie in memory, without XLA, with which VGG19 is
slower on processors. The bank decodes files (of 512 pixels), shrinks, for a view also augments,
extracts, and writes one file an image. Prints JSON.
"""

import sys

import numpy as np

from benchmarks import common
from leakage import features, networks, published
from leakcard import images

DEFAULTS = common.NETWORK | {"num_images": 96, "num_rounds": 2}
SMALL = common.SMALL_NETWORK | {"num_images": 32, "num_rounds": 1}
BATCH_SIZE = 32
GOAL = 0.85


def measure(options):
    table = common.draw_images(options.num_images, 0, 0, options.file_size_px)
    backbone = networks.build_backbone(options.backbone, options.weights, options.size_px)
    pixels = images.load_images(table["path"], options.size_px)
    batches = np.split(pixels, range(BATCH_SIZE, len(pixels), BATCH_SIZE))

    def pass_bare():
        for batch in batches:
            backbone.model.predict_on_batch(batch)

    def extract(view):
        augmentation, folder = published.AUGMENTATION["paper"], common.make_folder()
        bank = features.FeatureBank(backbone, augmentation, cache_dir=folder, batch_size=BATCH_SIZE)
        bank.extract(table, view)

    backbone.model.predict_on_batch(batches[0])  # compiles
    ours = {"image": lambda: extract(0), "augmented view": lambda: extract(1)}
    times = common.time_in_turns({"bare": pass_bare} | ours, options.num_rounds)
    return {
        "times": times,
        "ms_an_image": 1e3 * times["bare"]["seconds"] / len(table),
        "share_of_bare_speed": {name: common.divide(times["bare"], times[name]) for name in ours},
        "goal": GOAL,
    }


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
