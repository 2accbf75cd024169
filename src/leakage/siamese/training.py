"""COVID-Net alone and as the tower of a siamese net, trained and chosen alike (system S5)."""

import dataclasses
import itertools

import keras
import numpy as np
import pandas as pd

from leakage import published
from leakage.siamese import comparing, covid_net, pairs
from leakage.siamese import model as model_parts
from leakage.training import fitting, store

SIAMESE = published.TRAINING["S5_siamese"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a network is built and trained; the defaults are the published siamese net.

    Parameters
    ----------
    learning_rate : float
        Of Adam.
    batch_size : int
        Images (single net) or pairs (siamese net).
    num_epochs : int
    num_filters, num_units, stages, dropout : int, int, tuple of int, str
        As `siamese.build_covid_net` takes them.
    num_pairs : int
        Pairs an epoch; the siamese net only. 5,000 as published, 12,000 in its final run.
    images_per_batch : int or None
        As `pairs.draw_pairs` takes it; the siamese net only.
    num_trials : int
        Three-way trials on the validation images that choose the epoch; the siamese net only.
    """

    learning_rate: float = SIAMESE.learning_rate
    batch_size: int = SIAMESE.batch_size
    num_epochs: int = SIAMESE.num_epochs
    num_filters: int = 128
    num_units: int = 1024
    num_pairs: int = 5000
    images_per_batch: int | None = None
    num_trials: int = 129
    stages: tuple = covid_net.STAGES
    dropout: str = "own"


def train_single(parts, num_classes, settings, seed, keep_model=True, description="single net"):
    """Train COVID-Net with a softmax; each epoch sees a balanced draw of the training images.

    Parameters
    ----------
    parts : dict of str to leakage.siamese.image_sets.ImageSet
        From `load_image_sets`.
    num_classes : int
    settings : Settings
    seed : int
        Initial weights, dropout, draws and their order.
    keep_model : bool
    description : str
        What the progress bar says.

    Returns
    -------
    Run
        Of the epoch with the best balanced accuracy on the validation images; `test_scores` are
        those of the softmax.
    """

    def build():
        return _build_covid_net(parts, settings, num_classes, seed)

    def train(model):
        train_part, validation = parts["train"], parts["val"]
        smallest = np.bincount(train_part.labels).min()
        batches = _generate_balanced(train_part, settings.batch_size, seed)
        steps = -(-num_classes * smallest // settings.batch_size)
        history = _fit(
            model,
            batches,
            steps,
            settings,
            lambda: comparing.score_classes(
                comparing.predict(model, validation.pixels), validation.labels
            ),
            "val_balanced_accuracy",
            "sparse_categorical_crossentropy",
            description,
        )
        return history, comparing.predict(model, parts["test"].pixels)

    return _load_or_train("single", parts, settings, build, train, seed, keep_model)


def train_siamese(parts, num_classes, settings, seed, keep_model=True, description="siamese net"):
    """Train a siamese COVID-Net on pairs that are drawn anew every epoch.

    Parameters
    ----------
    parts, num_classes, settings, seed, keep_model, description
        As `train_single` takes them.

    Returns
    -------
    Run
        Of the epoch that names most validation images right in three-way trials; `test_scores`
        are the similarities to the mean feature vector of each class of training images.
    """

    def build():
        tower = _build_covid_net(parts, settings, None, seed)
        return model_parts.build_siamese(tower, seed)

    def train(model):
        train_part, validation = parts["train"], parts["val"]
        batches = pairs.generate_pair_batches(
            train_part.pixels,
            train_part.labels,
            settings.num_pairs,
            settings.batch_size,
            seed,
            settings.images_per_batch,
        )
        steps = settings.num_pairs // settings.batch_size
        score = comparing.make_pair_score(model, validation, settings.num_trials, seed)
        history = _fit(
            model, batches, steps, settings, score, "val_three_way", "binary_crossentropy",
            description,
        )  # fmt: skip
        return history, comparing.score_templates(model, parts, num_classes)

    return _load_or_train("siamese", parts, settings, build, train, seed, keep_model)


def search_grid(train, parts, num_classes, settings, grid, seed):
    """Train once for each combination of settings, and rank them on the validation images.

    Parameters
    ----------
    train : callable
        `train_single` or `train_siamese`.
    parts, num_classes, settings, seed
        As `train` takes them; `settings` says all that the grid does not, epochs among it.
    grid : dict of str to sequence
        Values to try of some fields of `Settings`.

    Returns
    -------
    DataFrame
        One row a combination, the best first (of equals the lower final loss): the fields of the
        grid, `validation` (the best epoch's score), `best_epoch` and `loss`. The test images play
        no part in it. Of a single combination nothing is trained: `validation` is missing.
    """
    combinations = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    if len(combinations) == 1:
        unknown = {"validation": np.nan, "best_epoch": pd.NA, "loss": np.nan}
        return pd.DataFrame([combinations[0] | unknown])
    rows = []
    for values in combinations:
        run = train(
            parts, num_classes, dataclasses.replace(settings, **values), seed, keep_model=False,
            description="grid: " + ", ".join(f"{name} {value}" for name, value in values.items()),
        )  # fmt: skip
        name = "val_three_way" if "val_three_way" in run.history else "val_balanced_accuracy"
        scores = run.history[name]
        found = {"validation": max(scores), "best_epoch": int(np.argmax(scores)) + 1}
        rows.append(values | found | {"loss": run.history["loss"][-1]})
    frame = pd.DataFrame(rows)
    return frame.sort_values(["validation", "loss"], ascending=[False, True], ignore_index=True)


def choose_settings(settings, ranked, num_epochs):
    """Take the best row of `search_grid`, for a full training of `num_epochs`; Settings."""
    best = ranked.head(1).to_dict("records")[0]  # a row as a Series makes 32 a 32.0
    fields = {field.name for field in dataclasses.fields(settings)}
    values = {name: value for name, value in best.items() if name in fields}
    return dataclasses.replace(settings, **values | {"num_epochs": num_epochs})


class _Validation(keras.callbacks.Callback):
    """Score the validation images after every epoch; later callbacks see the scores."""

    def __init__(self, score):
        super().__init__()
        self._score = score

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self._score())


def _fit(model, batches, num_steps, settings, score, monitor, loss, description):
    """Fit with Adam and go back to the epoch with the best validation score."""
    best = keras.callbacks.EarlyStopping(
        monitor, mode="max", patience=settings.num_epochs, restore_best_weights=True
    )
    return fitting.fit_batches(
        model,
        batches,
        num_steps,
        None,
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        num_epochs=settings.num_epochs,
        batch_size=settings.batch_size,
        loss=loss,
        callbacks=[_Validation(score), best],
        description=description,
    )


def _build_covid_net(parts, settings, num_classes, seed):
    train = parts["train"].pixels
    scaling = covid_net.measure_gray_scaling(train)
    return covid_net.build_covid_net(
        train.shape[1],
        num_classes,
        settings.num_filters,
        settings.num_units,
        scaling,
        seed,
        stages=settings.stages,
        dropout=settings.dropout,
    )


def _generate_balanced(part, batch_size, seed):
    """Yield batches without end; every epoch is a new balanced draw in a new order."""
    for epoch in itertools.count():
        rows = pairs.draw_balanced(part.labels, seed, epoch).T.ravel()
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            yield part.pixels[batch], part.labels[batch]


def _load_or_train(kind, parts, settings, build, train, seed, keep_model):
    content = {
        "kind": f"covid_net, {kind}",
        "settings": dataclasses.asdict(settings),
        "parts": {name: store.hash_arrays([*part[:2]]) for name, part in parts.items()},
    }
    # Validation scores follow the patients, whose names need not be told.
    owners = [np.unique(part.patients, return_inverse=True)[1] for part in parts.values()]
    content["patients"] = store.hash_arrays(owners)
    return store.load_or_train(content, build, train, seed=seed, keep_model=keep_model)
