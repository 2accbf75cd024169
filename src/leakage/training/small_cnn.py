"""Whole networks, trained on pixels."""

import keras

from leakage import networks, published, treatments
from leakage.training import fitting

WOLF = published.TRAINING["S1_wolf"]


def train_small_cnns(split, class_names, seeds, size_px, num_epochs, treatment="none"):
    """Train the wolf/husky network on pixels, once a seed (Adam 0.001, batch 4, as published).

    Parameters
    ----------
    split : DataFrame
        Rows of the table contract with `split` in {"train", "val", "test"}.
    class_names : sequence of str
    seeds : sequence of int
    size_px : int
        Side of the images, 256 as published.
    num_epochs : int
        10 as published.
    treatment : str
        Name in `leakage.treatments.TREATMENTS` of what is done to every image first.

    Returns
    -------
    list of Run
        Each with its model; `test_scores` follow the test rows of `split`.
    """
    fitting.check_seeds(seeds)
    parts = {name: split[split["split"] == name] for name in ("train", "val", "test")}
    labels = {
        name: fitting.encode_labels(part["label"], class_names) for name, part in parts.items()
    }
    pixels = {
        name: treatments.load_treated_images(part, size_px, treatment)
        for name, part in parts.items()
    }
    runs = []
    for seed in seeds:
        model = networks.build_small_cnn((size_px, size_px, 3), len(class_names), seed)
        history = fitting.fit_model(
            model,
            [pixels["train"]],
            labels["train"],
            (pixels["val"], labels["val"]),
            seed=seed,
            optimizer=keras.optimizers.Adam(WOLF.learning_rate),
            num_epochs=num_epochs,
            batch_size=WOLF.batch_size,
            description=f"seed {seed}",
        )
        scores = fitting.predict_scores(model, pixels["test"])
        runs.append(fitting.Run(seed, history, scores, model))
    return runs
