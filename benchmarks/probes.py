"""How often probes name a model that reads a planted letter, and one that reads the lesion.

Phantoms, so that what tells the classes apart is known. Readers are functions of the pixels: one
compares with the letter's template, one measures the texture of the lungs (the disease), one was
fitted on the middle of chest phantoms whose marks follow nothing, and is probed on others whose
marks follow the label. Prints JSON.
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from sklearn import linear_model, pipeline, preprocessing

from benchmarks import common
from leakage import data
from leakcard import images, model_card, probes, symbols
from phantoms import chest, sets

# `num_fitted`: chest phantoms on which the reader of lesions is fitted
DEFAULTS = {"num_seeds": 20, "num_images": 120, "num_fitted": 300, "size_px": 160}
SMALL = {"num_seeds": 1, "num_images": 40, "num_fitted": 40, "size_px": 96}
FITTED_SEED = 1000
MATCH = 0.75  # correlation with the template
MIN_TEXTURE = 7.0  # gray values


def read_letter(letter, heights_px):
    """A model that says "case" where it finds the letter."""
    templates = [np.pad(sets.draw_letter(letter, height), 1) for height in heights_px]

    def call(picture):
        gray = picture[..., 0].astype(np.float32)
        best = max(cv2.matchTemplate(gray, one, cv2.TM_CCOEFF_NORMED).max() for one in templates)
        return "case" if best > MATCH else "control"

    return call


def read_texture(picture):
    """A model that says "case" where the lungs have a fine texture."""
    gray = picture[..., 0].astype(np.float32)
    detail = (gray - cv2.GaussianBlur(gray, (0, 0), 2))[30:98, 30:98]
    return "case" if detail.std() > MIN_TEXTURE else "control"


def describe_middle(picture):
    """The middle of an image, as 20 x 20 gray values without mean and contrast."""
    inside = symbols.make_centre(picture.shape[:2], 0.6)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, 0]
    small = images.resize_image(cut.astype(np.float32), 20).ravel()
    return (small - small.mean()) / max(small.std(), 1.0)


def draw_chest(folder, num_images, seed, confounding, size_px):
    sizes = {"covid": num_images // 2, "normal": num_images // 2}
    options = {"seed": seed, "confounding": confounding, "size_px": size_px}
    folder = chest.write_chest(folder, num_images=sizes, **options)
    return data.phantoms.read_table(folder).assign(split="test")


def fit_reader(folder, num_fitted, size_px):
    """Fit a reader of lesions: the middle alone, and marks, hospital and age follow nothing."""
    table = draw_chest(folder, num_fitted, FITTED_SEED, 0.0, size_px)
    pictures = [describe_middle(images.decode_image(path)) for path in table["path"]]
    fit = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(C=0.003, max_iter=1000)
    ).fit(pictures, table["label"])
    return lambda picture: fit.predict([describe_middle(picture)])[0]


def probe(folder, table, call, seed):
    """Write probes, let a function call them, and return what the card says."""
    made = probes.write_probes(table, folder / "probes", seed=seed)
    paths = made.folder / probes.FOLDER / made.manifest["image"]
    said = [call(images.decode_image(path)) for path in paths]
    answers = folder / "answers.csv"
    pd.DataFrame({"image": made.manifest["image"], "net": said}).to_csv(answers, index=False)
    scores = model_card.score_probes(made.manifest, model_card.read_answers(answers, made))
    found = scores.set_index(["version", "metric"])["value"]
    use = found.xs("use", level="metric")
    return {
        "named": model_card.name_used(scores, "net"),
        "accuracy": float(found[("original", "accuracy")]),
        "points": {version.split("_")[0]: float(100 * value) for version, value in use.items()},
    }


def measure_seed(kind, seed, options, reader):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if kind.startswith("lesion, chest"):
            confounding = float(kind.endswith("follow it"))
            table = draw_chest(
                folder / "set", options.num_images, seed, confounding, options.size_px
            )
            return probe(folder, table, reader, seed)
        name = {"letter": "letters", "letter in the corner": "tissue_with_letter"}.get(
            kind, "texture"
        )
        table, pictures = sets.SETS[name](options.num_images, seed)
        table = sets.write_set(folder / "set", table.assign(split="test"), pictures)
        letter = sets.LETTERS[np.random.default_rng([seed, 2]).integers(len(sets.LETTERS))]
        call = {
            "letters": read_letter(letter, range(6, 10)),
            "tissue_with_letter": read_letter("P", (8,)),
            "texture": read_texture,
        }[name]
        return probe(folder, table, call, seed)


# Each model, and whether it is to be named.
KINDS = {
    "letter": True,
    "letter in the corner": True,
    "lesion, texture": False,
    "lesion, chest, marks follow nothing": False,
    "lesion, chest, marks follow it": False,
}


def measure(options):
    reader = fit_reader(common.make_folder() / "fitted", options.num_fitted, options.size_px)
    rows = []
    for kind, wanted in KINDS.items():
        found = [measure_seed(kind, seed, options, reader) for seed in range(options.num_seeds)]
        rows.append(
            {
                "model": kind,
                "to_be_named": wanted,
                "seeds": len(found),
                "named": sum(bool(one["named"]) for one in found),
                "parts": sorted({part for one in found for part in one["named"]}),
                "mean_accuracy": float(np.mean([one["accuracy"] for one in found])),
                "mean_points": pd.DataFrame([one["points"] for one in found]).mean().to_dict(),
            }
        )
        sys.stderr.write(f"{rows[-1]}\n")
    return {"models": rows}


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
