"""Fit heads on the feature bank and small networks on pixels, with seeds that reach everything."""

import dataclasses

import keras
import numpy as np

from leakage import features, images, models, progress, published

S1 = published.TRAINING["S1"]
WOLF = published.TRAINING["S1_wolf"]
MIN_WEIGHTS_FOR_XLA = 15_000_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a head is trained; the defaults are the published ones (Rahaman et al. 2020).

    Parameters
    ----------
    num_epochs, batch_size : int
    learning_rate : float
        Of RMSprop.
    num_views : int or None
        Augmented views of each training image: 0 none, 1 one frozen view, V: epoch e sees view
        e mod V. None is a fresh one for every epoch, as published.
    feature_scaling : str
        "none" as published, or "standard": each feature by its training mean and deviation.
    shuffle : bool
        Whether each epoch sees the images in a new order. The ancestor never shuffled.
    """

    num_epochs: int = S1.num_epochs
    batch_size: int = S1.batch_size
    learning_rate: float = S1.learning_rate
    num_views: int | None = None
    feature_scaling: str = "none"
    shuffle: bool = True

    def __post_init__(self):
        if self.feature_scaling not in ("none", "standard"):
            raise ValueError(
                'Unknown feature_scaling. Expected "none" or "standard". Received: '
                f"{self.feature_scaling!r}."
            )


@dataclasses.dataclass(frozen=True)
class Run:
    """One trained model: its seed, the curves, the test scores, and the model where kept.

    `test_scores` is an ndarray of shape (n_test, n_classes); `history` maps the name of a curve to
    one value an epoch.
    """

    seed: int
    history: dict
    test_scores: np.ndarray
    model: keras.Model | None


def train_heads(split, bank, class_names, seeds, settings, variant=""):
    """Train the published head on one split, once a seed.

    Parameters
    ----------
    split : DataFrame
        Rows of the table contract with `split` in {"train", "val", "test"}.
    bank : leakage.features.FeatureBank
    class_names : sequence of str
        Labels in the order of the scores.
    seeds : sequence of int
        Seeds of initialisation and order; the first run keeps its head.
    settings : Settings
    variant : str
        What the progress bars say.

    Returns
    -------
    list of Run
        In the order of `seeds`; `test_scores` follow the test rows of `split`.
    """
    _check_seeds(seeds)
    parts = {name: split[split["split"] == name] for name in ("train", "val", "test")}
    labels = {name: encode_labels(part["label"], class_names) for name, part in parts.items()}
    num_views = settings.num_epochs if settings.num_views is None else settings.num_views
    views = bank.extract_views(parts["train"], num_views, f"{variant}: training features")
    validation = bank.extract(parts["val"], description=f"{variant}: validation features")
    test = bank.extract(parts["test"], description=f"{variant}: test features")
    runs = []
    for seed in seeds:
        scaled_on = views[0] if settings.feature_scaling == "standard" else None
        head = models.build_paper_head(test.shape[1:], len(class_names), seed, scaled_on)
        history = fit_model(
            head, views, labels["train"], (validation, labels["val"]), seed=seed,
            optimizer=keras.optimizers.RMSprop(settings.learning_rate),
            num_epochs=settings.num_epochs, batch_size=settings.batch_size,
            shuffle=settings.shuffle, reduce_on_plateau=True,
            description=f"{variant}: seed {seed}",
        )
        scores = predict_scores(head, test)
        runs.append(Run(seed, history, scores, None if runs else head))
    return runs


def train_protocol(split, backbone, protocol, class_names, seeds, settings, variant=""):
    """Train the published head on one split as a protocol says; see `train_heads`.

    Parameters
    ----------
    split : DataFrame
        As `leakage.splits.draw_split` returns it.
    backbone : leakage.models.Backbone
    protocol : leakage.protocols.Protocol
        Decides the augmentation, the number of its views (unless `settings` has one) and whether
        images are shuffled.
    class_names : sequence of str
    seeds : sequence of int
    settings : Settings
    variant : str

    Returns
    -------
    list of Run
    """
    bank = features.FeatureBank(backbone, published.AUGMENTATION[protocol.augmentation])
    num_views = protocol.num_views if settings.num_views is None else settings.num_views
    settings = dataclasses.replace(settings, num_views=num_views, shuffle=protocol.shuffle)
    return train_heads(split, bank, class_names, seeds, settings, variant)


def train_small_cnns(split, class_names, seeds, size_px, num_epochs, variant=""):
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
    variant : str
        What the progress bars say.

    Returns
    -------
    list of Run
        Each with its model; `test_scores` follow the test rows of `split`.
    """
    _check_seeds(seeds)
    parts = {name: split[split["split"] == name] for name in ("train", "val", "test")}
    labels = {name: encode_labels(part["label"], class_names) for name, part in parts.items()}
    pixels = {name: images.load_images(part["path"], size_px) for name, part in parts.items()}
    runs = []
    for seed in seeds:
        model = models.build_small_cnn((size_px, size_px, 3), len(class_names), seed)
        history = fit_model(
            model, [pixels["train"]], labels["train"], (pixels["val"], labels["val"]), seed=seed,
            optimizer=keras.optimizers.Adam(WOLF.learning_rate), num_epochs=num_epochs,
            batch_size=WOLF.batch_size, description=f"{variant}: seed {seed}",
        )
        runs.append(Run(seed, history, predict_scores(model, pixels["test"]), model))
    return runs


def predict_scores(model, inputs, batch_size=32):
    """Return class scores of pixels or features, ndarray of shape (n_images, n_classes).

    Calls the model batch by batch: `model.predict` would compile anew for each of many models.
    """
    scores = [
        keras.ops.convert_to_numpy(model(inputs[start:start + batch_size], training=False))
        for start in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(scores)


def fit_model(
    model, views, labels, validation_data, *, seed, optimizer, num_epochs, batch_size,
    shuffle=True, reduce_on_plateau=False, description="training",
):
    """Fit a model in place; epoch e sees view e mod len(views).

    Parameters
    ----------
    model : keras.Model
        Ends in class scores.
    views : sequence of ndarray of shape (n_images, ...)
    labels : ndarray of shape (n_images,), dtype=int
    validation_data : tuple of ndarray
        Inputs and labels.
    seed : int
        Seed of the order of images.
    optimizer : keras.optimizers.Optimizer
    num_epochs, batch_size : int
    shuffle : bool
    reduce_on_plateau : bool
        Multiply the rate by 0.3 after 10 epochs without a better validation loss, as published.
    description : str
        What the progress bar says.

    Returns
    -------
    dict
        Name of a curve to a list of one float an epoch.
    """
    # XLA fuses the optimiser's passes over a large head's weights, which halves its time on two
    # cores; for small models compiling takes longer than it saves, and its convolutions are slow.
    model.compile(
        optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"],
        jit_compile=model.count_params() >= MIN_WEIGHTS_FOR_XLA,
    )
    callbacks = [_EpochBar(num_epochs, description)]
    if reduce_on_plateau:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss", factor=S1.reduce_factor, patience=S1.reduce_patience,
        ))
    history = model.fit(
        _generate_batches(views, labels, batch_size, seed, shuffle),
        steps_per_epoch=-(-len(labels) // batch_size), epochs=num_epochs,
        validation_data=validation_data, validation_batch_size=batch_size,
        callbacks=callbacks, shuffle=False, verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def encode_labels(labels, class_names):
    """Turn labels into positions in `class_names`; an unknown label is a ValueError."""
    positions = {name: position for position, name in enumerate(class_names)}
    unknown = sorted(set(labels) - set(positions))
    if unknown:
        raise ValueError(
            f"Unknown labels. Expected only {list(class_names)}. Received: {unknown}."
        )
    return np.array([positions[label] for label in labels], dtype=np.int32)


def _check_seeds(seeds):
    if isinstance(seeds, str) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise ValueError(
            "Seeds must be a list of whole numbers (plain papermill passes lists with "
            f'-y "seeds: [27, 1]", not with -p). Received: seeds={seeds!r}.'
        )


def _generate_batches(views, labels, batch_size, seed, shuffle):
    """Yield batches without end; Keras counts the epochs by `steps_per_epoch`."""
    epoch = 0
    while True:
        values = views[epoch % len(views)]
        order = np.arange(len(labels))
        if shuffle:
            order = np.random.default_rng([seed, epoch]).permutation(order)
        for start in range(0, len(order), batch_size):
            rows = order[start:start + batch_size]
            yield values[rows], labels[rows]
        epoch += 1


class _EpochBar(keras.callbacks.Callback):
    """Show one bar over the epochs."""

    def __init__(self, num_epochs, description):
        super().__init__()
        self._epochs = iter(progress.track(range(num_epochs), description))

    def on_epoch_begin(self, epoch, logs=None):
        next(self._epochs)

    def on_train_end(self, logs=None):
        next(self._epochs, None)
