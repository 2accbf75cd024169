"""Schedules of training: optimiser, step decay, early stopping with the best model kept."""

import dataclasses
import functools

import keras

from leakage import published

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9),  # the second system's
}


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Parameters
    ----------
    optimizer : str
        A key of `OPTIMIZERS`.
    learning_rate : float
    batch_size, num_epochs : int
    step_epochs : int or None
        The rate is multiplied by `step_factor` after every so many epochs (torch's StepLR).
    step_factor : float
    patience : int or None
        Epochs without a better validation accuracy before training stops; None never stops. The
        weights of the best epoch are kept either way.
    """

    optimizer: str
    learning_rate: float
    batch_size: int
    num_epochs: int
    step_epochs: int | None = None
    step_factor: float = 0.1
    patience: int | None = None


# S3 says nothing of its training and S4 only "Adam" and 15 epochs: rate, batch size and, for S3,
# epochs are Keras' defaults or ours. What was trained before starts at a tenth of the rate.
SCHEDULES = {
    name: Schedule(
        training.optimizer,
        training.learning_rate,
        training.batch_size,
        training.num_epochs,
        step_epochs=training.reduce_patience,
        step_factor=training.reduce_factor,
        patience=10,  # as the note beside these settings says
    )
    for name, training in published.TRAINING.items()
    if name in ("S2_fine_tuned", "S2_fixed")
} | {
    "S3": Schedule("adam", 1e-3, 32, 20, patience=10),
    "S3_tuned": Schedule("adam", 1e-4, 32, 20, patience=10),
    "S4": Schedule("adam", 1e-3, 32, 15),
    "S4_tuned": Schedule("adam", 1e-4, 32, 15),
}


def build_optimizer(schedule):
    """Build a fresh optimiser."""
    return OPTIMIZERS[schedule.optimizer](schedule.learning_rate)


def build_callbacks(schedule):
    """Build the callbacks: step decay, then early stopping that restores the best epoch."""

    def get_rate(epoch):
        return schedule.learning_rate * schedule.step_factor ** (epoch // schedule.step_epochs)

    callbacks = []
    if schedule.step_epochs:
        callbacks.append(keras.callbacks.LearningRateScheduler(get_rate))
    patience = schedule.num_epochs if schedule.patience is None else schedule.patience
    callbacks.append(
        keras.callbacks.EarlyStopping(
            monitor="val_accuracy", mode="max", patience=patience, restore_best_weights=True
        )
    )
    return callbacks
