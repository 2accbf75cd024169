"""Heads that are trained on the feature bank, and the join of a trained head to its backbone."""

import keras
import numpy as np

# A feature that hardly varies over the training set is centred, not blown up.
MINIMUM_VARIANCE = 1e-6
# Room for the layers of one model between the initialiser seeds of neighbouring seeds.
SEEDS_PER_MODEL = 1000


def build_paper_head(feature_shape, num_classes, seed, training_features=None):
    """Build the published head: Flatten, Dense 1024, Dense 512, softmax (Rahaman et al. 2020).

    Parameters
    ----------
    feature_shape : tuple of int
        (height, width, channels) of the backbone's output.
    num_classes : int
    seed : int
        Seed of the initial weights.
    training_features : ndarray of shape (n_images, height, width, channels), optional
        If given, each feature is standardised by its mean and deviation over these images
        (`feature_scaling` "standard"): pass training images only, the statistics are part of the
        model. The published head has none.

    Returns
    -------
    keras.Sequential
    """
    layers = [keras.Input(feature_shape), keras.layers.Flatten(name="flatten")]
    if training_features is not None:
        layers.append(_build_scaling(training_features))
    widths = (
        (1024, "relu", "hidden_1"),
        (512, "relu", "hidden_2"),
        (num_classes, "softmax", "scores"),
    )
    for number, (width, activation, name) in enumerate(widths):
        layers.append(build_dense(width, activation, name, seed, number))
    return keras.Sequential(layers, name="paper_head")


def join_backbone_and_head(backbone, head):
    """Join a trained head to its backbone as one flat model from raw pixels to scores.

    Parameters
    ----------
    backbone : leakage.models.weights.Backbone
    head : keras.Sequential

    Returns
    -------
    keras.Model
        Shares its layers with both; input (size, size, 3) in [0, 255], output class scores.
    """
    output = backbone.model.output
    for layer in head.layers:
        output = layer(output)
    return keras.Model(backbone.model.input, output, name=f"{backbone.name}_{head.name}")


def make_initializer(seed, number):
    """Return Keras' default initialiser for the layer `number` of the model with this seed.

    NumPy's and TensorFlow's seeds do not reach Keras 3 initialisers, and a global Keras seed would
    make the weights depend on everything that was built before.
    """
    return keras.initializers.GlorotUniform(seed=seed * SEEDS_PER_MODEL + number)


def build_dense(width, activation, name, seed, number):
    """Build a Dense layer whose initial weights depend on (seed, number) alone."""
    return keras.layers.Dense(
        width,
        activation=activation,
        name=name,
        kernel_initializer=make_initializer(seed, number),
    )


def _build_scaling(training_features):
    flat = training_features.reshape(len(training_features), -1)
    mean = flat.mean(axis=0, dtype=np.float64)
    variance = flat.var(axis=0, dtype=np.float64)
    variance[variance < MINIMUM_VARIANCE] = 1.0
    return keras.layers.Normalization(
        mean=mean.astype(np.float32), variance=variance.astype(np.float32), name="feature_scaling"
    )
