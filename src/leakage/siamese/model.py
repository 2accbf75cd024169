"""A siamese net: one tower, the scaled L1 distance of two feature vectors, a sigmoid (system S5).

The published code passes the two images of a pair through the same weights one after the other.
Here the tower sees each image of a batch once and pairs are rows into its features: the same
function of the pair, at a fraction of the work where images recur.
"""

import keras
import numpy as np

from leakage.networks import heads

# Differences of this many values are held at a time when many vectors are compared: 32 MB.
MAX_DIFFERENCES = 8_000_000


def build_siamese(tower, seed=0):
    """Join a tower to the comparison of pairs, as one flat graph.

    Parameters
    ----------
    tower : keras.Model
        Flat; from pixels to one feature vector an image. Its layers are shared, not copied.
    seed : int
        Seed of the initial weights of the distance's scale.

    Returns
    -------
    keras.Model
        Inputs: pixels (n_images, size, size, 3) and "pairs" (n_pairs, 2), rows into the images.
        Output: similarity (n_pairs, 1) in (0, 1), trained to be 1 for two images of one class.
        Call it with a list; the two inputs need not be equally long.
    """
    if len(tower.outputs) != 1 or len(tower.output.shape) != 2:
        raise ValueError(
            "A siamese net compares one feature vector an image. Expected a tower that ends in "
            "one (such as `build_covid_net(num_classes=None)`). Received outputs of shape "
            f"{[output.shape for output in tower.outputs]}."
        )
    pairs = keras.Input((2,), dtype="int32", name="pairs")
    features = tower.output
    left = keras.ops.take(features, pairs[:, 0], axis=0)
    right = keras.ops.take(features, pairs[:, 1], axis=0)
    difference = keras.ops.absolute(left - right)
    similarity = heads.build_dense(1, "sigmoid", "similarity", seed, heads.SEEDS_PER_MODEL - 1)
    return keras.Model([tower.input, pairs], similarity(difference), name=f"siamese_{tower.name}")


def get_tower(model):
    """Return the tower of a siamese net, from pixels to features; the layers are shared.

    Raises
    ------
    ValueError
        If the model is not one that `build_siamese` made.
    """
    _get_scale(model)
    return keras.Model(model.inputs[0], model.get_layer("features").output, name="tower")


def compare_features(model, features_a, features_b):
    """Return the similarity of every vector of one set to every one of another.

    Parameters
    ----------
    model : keras.Model
        From `build_siamese`.
    features_a, features_b : ndarray of shape (n_a, n_features), (n_b, n_features)

    Returns
    -------
    ndarray of shape (n_a, n_b), dtype=float64, in [0, 1]
        What the model's last layer makes of the distance, the sum of the absolute differences,
        each times its trained scale: the same in both directions. It falls with the distance where
        the scale is negative, as training makes it (the published code leaves the sign free too).
    """
    scale, bias = _get_scale(model)
    a, b = (np.asarray(values, dtype=np.float64) for values in (features_a, features_b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != len(scale) or b.shape[1] != len(scale):
        raise ValueError(
            f"Vectors of another length cannot be compared. Expected shape (n, {len(scale)}) "
            f"twice. Received: {a.shape} and {b.shape}."
        )
    step = max(1, MAX_DIFFERENCES // max(1, b.size))
    parts = [
        np.abs(a[start : start + step, np.newaxis] - b) @ scale for start in range(0, len(a), step)
    ]
    logits = np.concatenate(parts or [np.zeros((0, len(b)))]) + bias
    # the form without overflow
    return np.exp(-np.logaddexp(0, -logits))


def average_features(features, labels, num_classes):
    """Average the feature vectors of each class: its template.

    Parameters
    ----------
    features : ndarray of shape (n_images, n_features)
    labels : ndarray of shape (n_images,), dtype=int
    num_classes : int

    Returns
    -------
    ndarray of shape (num_classes, n_features), dtype=float64

    Raises
    ------
    ValueError
        If a class has no image.
    """
    counts = np.bincount(labels, minlength=num_classes)
    if len(counts) != num_classes or not counts.all():
        raise ValueError(
            "A class without images has no template. Expected at least one image of each of "
            f"{num_classes} classes. Received: {counts.tolist()} images."
        )
    member = np.eye(num_classes)[labels]
    return (member.T @ np.asarray(features, dtype=np.float64)) / counts[:, np.newaxis]


def _get_scale(model):
    names = [layer.name for layer in model.layers]
    if "similarity" not in names or "features" not in names:
        raise ValueError(
            'Not a siamese net. Expected a model of `build_siamese` with the layers "features" '
            f'and "similarity". Received: {model.name!r} with the last layers {names[-3:]}.'
        )
    kernel, bias = model.get_layer("similarity").get_weights()
    return kernel[:, 0].astype(np.float64), float(bias[0])
