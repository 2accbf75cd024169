"""Heads that are trained on the feature bank, and the join of a trained head to its backbone."""

import keras
import numpy as np

# A feature that hardly varies over the training set is centred, not blown up.
MINIMUM_VARIANCE = 1e-6
# Room for the layers of one model between the initialiser seeds of neighbouring seeds.
SEEDS_PER_MODEL = 1000
PASS_BATCH_SIZE = 256


# Width of each hidden layer, and the dropout after the last of them.
HEADS = {
    "paper": ((1024, 512), 0.0),  # S1, Rahaman et al. 2020
    "average_pool": ((), 0.0),  # S2: ResNet18's own pooling, then the scores
    "dense_64": ((64,), 0.0),  # S3
    "dense_512": ((512,), 0.2),  # S4
    "scores": ((), 0.0),  # nothing between the features and the scores
}
# torchvision's ResNet18 of the time: 7x7 with stride 1, whatever the size of the map.
POOL_SIZE = 7


def build_head(
    kind, feature_shape, num_classes, seed, training_features=None, activation="softmax"
):
    """Build a head from features to class scores.

    Parameters
    ----------
    kind : str
        A key of `HEADS`.
    feature_shape : tuple of int
        (height, width, channels) or (channels,): the backbone's output.
    num_classes : int
    seed : int
        Seed of the initial weights and of dropout.
    training_features : ndarray of shape (n_images, *feature_shape), optional
        If given, each feature is standardised by its mean and deviation over these images
        (`feature_scaling` "standard"): pass training images only, the statistics are part of the
        model.
    activation : {"softmax", "sigmoid"}
        Of the scores: "sigmoid" for the binary cross-entropy.

    Returns
    -------
    keras.Sequential

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    if kind not in HEADS:
        raise ValueError(f"Unknown head. Expected one of {sorted(HEADS)}. Received: {kind!r}.")
    widths, dropout = HEADS[kind]
    layers = []
    if kind == "average_pool":
        pool_size = tuple(min(POOL_SIZE, side) for side in feature_shape[:2])
        layers.append(keras.layers.AveragePooling2D(pool_size, strides=1, name="pooling"))
    # VGG16's own fully connected layers stand behind a layer called "flatten".
    layers.append(
        keras.layers.Flatten(name="flatten" if len(feature_shape) > 1 else "flatten_features")
    )
    if training_features is not None:
        layers.append(build_scaling(_pass_through(layers, training_features)))
    for number, width in enumerate(widths):
        layers.append(build_dense(width, "relu", f"hidden_{number + 1}", seed, number))
    if dropout:
        layers.append(keras.layers.Dropout(dropout, seed=seed, name="dropout"))
    layers.append(build_dense(num_classes, activation, "scores", seed, len(widths)))
    return keras.Sequential([keras.Input(feature_shape), *layers], name=f"{kind}_head")


def join_backbone_and_head(backbone, head):
    """Join a trained head to its backbone as one flat model from raw pixels to scores.

    Parameters
    ----------
    backbone : leakage.networks.weights.Backbone
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


def set_initial_weights(model, seed, first=0):
    """Draw the initial weights of a model anew, so that they depend on the seed alone.

    Parameters
    ----------
    model : keras.Model
        Just built: biases are zero and stay so.
    seed : int
    first : int
        Number of the first layer with weights: 0 in heads, 1 in the small CNN.
    """
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    for number, layer in enumerate(layers, start=first):
        layer.kernel.assign(make_initializer(seed, number)(layer.kernel.shape))


def build_dense(width, activation, name, seed, number):
    """Build a Dense layer whose initial weights depend on (seed, number) alone."""
    return keras.layers.Dense(
        width,
        activation=activation,
        name=name,
        kernel_initializer=make_initializer(seed, number),
    )


def _pass_through(layers, features):
    """Apply layers without weights, batch by batch."""
    parts = []
    for start in range(0, len(features), PASS_BATCH_SIZE):
        values = features[start : start + PASS_BATCH_SIZE]
        for layer in layers:
            values = layer(values)
        parts.append(keras.ops.convert_to_numpy(values))
    return np.concatenate(parts)


def build_scaling(features):
    """Build the layer that standardises flattened features as those of the training images are.

    Parameters
    ----------
    features : ndarray of shape (n_images, ...)
        Of training images only: the statistics are part of the model.

    Returns
    -------
    keras.layers.Normalization
    """
    flat = features.reshape(len(features), -1)
    mean = flat.mean(axis=0, dtype=np.float64)
    variance = flat.var(axis=0, dtype=np.float64)
    variance[variance < MINIMUM_VARIANCE] = 1.0
    return keras.layers.Normalization(
        mean=mean.astype(np.float32), variance=variance.astype(np.float32), name="feature_scaling"
    )
