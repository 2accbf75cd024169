"""Fit any model, with seeds that reach the order of images and views that follow the epochs."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

MIN_WEIGHTS_FOR_XLA = 15_000_000


@dataclasses.dataclass(frozen=True)
class Run:
    """One trained model: its seed, the curves, the test scores, and the model where kept.

    `test_scores` is an ndarray of shape (n_test, n_classes); `history` maps the name of a curve to
    one value an epoch; `seconds` is what the training took when it was done.
    """

    seed: int
    history: dict
    test_scores: np.ndarray
    model: keras.Model | None
    seconds: float = float("nan")


def predict_scores(model, inputs, batch_size=32):
    """Return class scores of pixels or features, ndarray of shape (n_images, n_classes).

    Calls the model batch by batch: `model.predict` would compile anew for each of many models.
    """
    scores = [
        keras.ops.convert_to_numpy(model(inputs[start : start + batch_size], training=False))
        for start in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(scores)


def fit_batches(
    model,
    batches,
    num_steps,
    validation_data,
    *,
    optimizer,
    num_epochs,
    batch_size,
    loss="sparse_categorical_crossentropy",
    callbacks=(),
    description="training",
):
    """Fit a model in place on batches without end, `num_steps` of them an epoch.

    Parameters
    ----------
    model : keras.Model
    batches : iterator of (inputs, targets) or (inputs, targets, weights)
        Its order and content are all the randomness there is: give it a seed.
    num_steps : int
    validation_data : tuple of ndarray
        Inputs and targets.
    optimizer : keras.optimizers.Optimizer
    num_epochs, batch_size : int
    loss : str or keras.losses.Loss
    callbacks : sequence of keras.callbacks.Callback
    description : str
        What the progress bar says.

    Returns
    -------
    dict
        Name of a curve to a list of one float an epoch.
    """
    model.compile(
        optimizer,
        loss=loss,
        metrics=["accuracy"],
        jit_compile=is_worth_compiling(model),
    )
    first = next(batches)
    _make_state(model, first)
    history = model.fit(
        _put_back(first, batches),
        steps_per_epoch=num_steps,
        epochs=num_epochs,
        validation_data=validation_data,
        validation_batch_size=batch_size,
        callbacks=[EpochBar(description), *callbacks],
        shuffle=False,
        verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def _make_state(model, batch):
    """Make the variables of the optimiser and the metrics, as the first step would.

    TensorFlow traces a step that makes variables a second time: nearly half of what a short
    training of a deep network takes.
    """
    inputs, targets = batch[:2]
    model.optimizer.build(model.trainable_variables)
    model.compute_metrics(inputs, targets, model(inputs, training=False))
    model.reset_metrics()


def _put_back(first, others):
    yield first
    yield from others


def is_worth_compiling(model):
    """Say whether XLA saves time.

    It fuses the optimiser's passes over a large head's weights, which halves its time on two
    cores; for small models compiling takes longer than it saves, and its convolutions are slow.
    """
    has_convolutions = any(len(layer.output.shape) == 4 for layer in model.layers[1:])
    return model.count_params() >= MIN_WEIGHTS_FOR_XLA and not has_convolutions


def free_memory(model):
    """Empty a fitted model that is no longer needed.

    TensorFlow keeps the graph of every fit, and with it the variables, after the model is gone:
    half a gigabyte for each published head, which no garbage collection brings back.
    """
    for variable in [*model.variables, *model.optimizer.variables]:
        empty = tf.zeros((0,), variable.dtype)
        tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=empty)


def encode_labels(labels, class_names):
    """Turn labels into positions in `class_names`; an unknown label is a ValueError."""
    positions = {name: position for position, name in enumerate(class_names)}
    unknown = sorted(set(labels) - set(positions))
    if unknown:
        raise ValueError(f"Unknown labels. Expected only {list(class_names)}. Received: {unknown}.")
    return np.array([positions[label] for label in labels], dtype=np.int32)


def check_choice(name, value, choices):
    """Raise a ValueError unless `value` is one of `choices`."""
    if value not in choices:
        expected = " or ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"Unknown {name}. Expected {expected}. Received: {value!r}.")


def check_seeds(seeds):
    if isinstance(seeds, str) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise ValueError(
            "Seeds must be a list of whole numbers (plain papermill passes lists with "
            f'-y "seeds: [27, 1]", not with -p). Received: seeds={seeds!r}.'
        )


def weigh_images(labels):
    """Weight of each image in a loss that counts all classes alike, as S4 weighs its four.

    Parameters
    ----------
    labels : ndarray of shape (n_images,), dtype=int

    Returns
    -------
    ndarray of shape (n_images,), dtype=float32
        Images of the largest class for each image of the own class; 1 in the largest class.
    """
    counts = np.bincount(labels)
    return (counts.max() / counts[labels]).astype(np.float32)


def generate_batches(views, targets, batch_size, seed, shuffle=True, image_weights=None):
    """Yield batches without end; epoch e sees view e mod len(views) in an order of its own.

    Parameters
    ----------
    views : sequence of ndarray of shape (n_images, ...)
    targets : ndarray of shape (n_images, ...)
    batch_size : int
        The last batch of an epoch may be smaller.
    seed : int
        Of the order of images.
    shuffle : bool
    image_weights : ndarray of shape (n_images,), optional
        Keras takes weights of classes with arrays alone, weights of images with any input.

    Yields
    ------
    tuple of ndarray
        Inputs and targets, with `image_weights` also the weights of the images.
    """
    columns = (targets,) if image_weights is None else (targets, image_weights)
    epoch = 0
    while True:
        values = views[epoch % len(views)]
        order = np.arange(len(targets))
        if shuffle:
            order = np.random.default_rng([seed, epoch]).permutation(order)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield values[rows], *(column[rows] for column in columns)
        epoch += 1


class EpochBar(keras.callbacks.Callback):
    """Show one bar over the epochs of a fit."""

    def __init__(self, description):
        super().__init__()
        self.description = description

    def on_train_begin(self, logs=None):
        """Draw it."""
        self._bar = tqdm(total=self.params["epochs"], desc=self.description, leave=False)

    def on_epoch_end(self, epoch, logs=None):
        """Move it on."""
        self._bar.update()

    def on_train_end(self, logs=None):
        """Take it away."""
        self._bar.close()
