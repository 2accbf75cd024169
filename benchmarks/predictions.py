"""`leakcard audit --predictions`: time to score several models on the leaked and the clean images.

python -m benchmarks.predictions [--num-images 5000] [--num-models 10] [--small]

A list of test images of patients with two images each, three classes, source, view, sex and age; a
fifth of the patients are in training too. The scores are random. What is timed is what the option
adds to an audit: reading the file, and every score with its interval. Prints JSON.
"""

import sys

import numpy as np
import pandas as pd

import leakcard
from benchmarks import common
from leakcard import predictions

DEFAULTS = {"num_images": 5000, "num_models": 10}
SMALL = {"num_images": 60, "num_models": 2}
GOAL_SECONDS = 20
LABELS = ("covid", "normal", "pneumonia")


def make_list(num_images, rng):
    """Images without files: a fifth of the test patients have an image in training."""
    number = np.arange(num_images)
    test = pd.DataFrame(
        {
            "image_id": [f"test_{k:05d}" for k in number],
            "patient_id": [f"p{k // 2}" for k in number],
            "label": [LABELS[k // 2 % 3] for k in number],
            "source": rng.choice(["one", "two"], num_images),
            "view": rng.choice(["AP", "PA"], num_images),
            "sex": rng.choice(["F", "M"], num_images),
            "age_years": rng.integers(5, 90, num_images).astype(float),
            "split": "test",
        }
    )
    train = test.iloc[::10].assign(split="train")
    train["image_id"] = "train_" + train["patient_id"]
    return pd.concat([train, test], ignore_index=True)


def measure(options):
    rng = np.random.default_rng(0)
    card = leakcard.audit(make_list(options.num_images, rng))
    test = card.table.loc[card.table["split"] == "test", "image_id"]
    said = pd.DataFrame({"image": test})
    for model in range(options.num_models):
        scores = rng.dirichlet(np.ones(len(LABELS)), len(test))
        said = said.join(
            pd.DataFrame(scores, test.index, [f"net {model}:{label}" for label in LABELS])
        )
    path = common.make_folder() / "predictions.csv"
    said.to_csv(path, index=False)

    def score():
        return predictions.score_predictions(card, predictions.read_predictions(path, card))

    found, times = common.time_call(score)
    return {"num_scores": len(found), **times, "goal_seconds": GOAL_SECONDS}


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
