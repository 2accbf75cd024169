"""What a trained siamese net says of images: three-way trials, templates, single references."""

import numpy as np

from leakage.siamese import model as model_parts
from leakage.siamese import pairs
from leakage.training import fitting

# Images that pass through the network at once where nothing is trained.
PREDICTION_BATCH = 64
# Compiling a graph of 150 layers takes as long as so many batches gain by it.
NUM_BATCHES_TO_COMPILE = 30
# Pairs of validation images that the validation loss is measured on.
NUM_VALIDATION_PAIRS = 512
# Probabilities are kept this far from 0 and 1 in a logarithm, as Keras does.
EPSILON = 1e-7


def predict(model, pixels):
    """Return the outputs of a model of one input, ndarray of shape (n_images, n_outputs).

    As `predict_scores`; compiled where there are many images, since such a deep graph is slow
    operation by operation.
    """
    steps = range(0, len(pixels), PREDICTION_BATCH)
    if len(steps) < NUM_BATCHES_TO_COMPILE:
        return fitting.predict_scores(model, pixels, PREDICTION_BATCH)
    outputs = [model.predict_on_batch(pixels[step : step + PREDICTION_BATCH]) for step in steps]
    return np.concatenate(outputs)


def extract_features(model, pixels):
    """Pass images through the tower of a siamese net once, ndarray of shape (n_images, 256)."""
    return predict(model_parts.get_tower(model), pixels)


def score_templates(model, parts, num_classes):
    """Compare every test image with the mean feature vector of each class of training images.

    Parameters
    ----------
    model : keras.Model
        From `siamese.build_siamese`.
    parts : dict of str to ImageSet
        Of them "train" and "test" are used; each image passes through the tower once.
    num_classes : int

    Returns
    -------
    ndarray of shape (n_test, num_classes)
        Similarities in [0, 1].
    """
    tower = model_parts.get_tower(model)
    train, test = (predict(tower, parts[name].pixels) for name in ("train", "test"))
    templates = model_parts.average_features(train, parts["train"].labels, num_classes)
    return model_parts.compare_features(model, test, templates)


def score_references(model, parts, seed):
    """Compare every test image with one training image of each class, drawn anew for each.

    Parameters
    ----------
    model, parts
        As `score_templates` takes them.
    seed : int
        Decides the references.

    Returns
    -------
    ndarray of shape (n_test, n_classes)
        Similarities in [0, 1].
    """
    tower = model_parts.get_tower(model)
    train, test = (predict(tower, parts[name].pixels) for name in ("train", "test"))
    references = pairs.draw_references(parts["train"].labels, len(test), seed)
    similarity = model_parts.compare_features(model, test, train)
    return np.take_along_axis(similarity, references, axis=1)


def score_trials(similarity, labels, queries, references):
    """Count the trials in which the reference of the right class is the most similar.

    Parameters
    ----------
    similarity : ndarray of shape (n_images, n_images)
        From `siamese.model.compare_features` of the images with themselves.
    labels : ndarray of shape (n_images,), dtype=int
    queries, references : ndarray of shape (n_trials,), (n_trials, n_classes)
        From `pairs.draw_trials`.

    Returns
    -------
    int
        Of equally similar references the first counts.
    """
    named = similarity[queries[:, np.newaxis], references].argmax(axis=1)
    return int((named == labels[queries]).sum())


def score_classes(scores, labels):
    """Score a softmax: `val_loss`, `val_accuracy` and `val_balanced_accuracy` (mean recall)."""
    likelihoods = np.clip(scores[np.arange(len(labels)), labels], EPSILON, 1)
    right = scores.argmax(axis=1) == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    return {
        "val_loss": float(-np.log(likelihoods).mean()),
        "val_accuracy": float(right.mean()),
        "val_balanced_accuracy": float(np.mean(recalls)),
    }


def make_pair_score(model, part, num_trials, seed):
    """Make the function that scores a siamese net on validation images, in one pass of its tower.

    Parameters
    ----------
    model : keras.Model
        From `siamese.build_siamese`; scored as it is whenever the function is called.
    part : ImageSet
        Of validation.
    num_trials : int
        As `pairs.draw_trials` takes it. The trials are the same every time.
    seed : int

    Returns
    -------
    callable
        Without arguments; returns `val_loss` and `val_accuracy` of a fixed set of balanced pairs,
        and `val_three_way`, the share of trials that are named right.
    """
    tower = model_parts.get_tower(model)
    trials = pairs.draw_trials(part.labels, num_trials, seed, part.patients)
    chosen = pairs.draw_pairs(part.labels, NUM_VALIDATION_PAIRS, NUM_VALIDATION_PAIRS, seed, 0)[0]
    same = part.labels[chosen[:, 0]] == part.labels[chosen[:, 1]]

    def score():
        features = predict(tower, part.pixels)
        similarity = model_parts.compare_features(model, features, features)
        values = similarity[chosen[:, 0], chosen[:, 1]]
        likelihoods = np.clip(np.where(same, values, 1 - values), EPSILON, 1)
        right = score_trials(similarity, part.labels, *trials)
        return {
            "val_loss": float(-np.log(likelihoods).mean()),
            "val_accuracy": float(((values > 0.5) == same).mean()),
            "val_three_way": right / num_trials,
        }

    return score
