"""Cut a backbone in two: what stays frozen, and what is trained together with the head.

What is frozen passes through the feature bank once; only the rest, the tail, is trained. What is
frozen is what is not trained: counts are those of the model.
"""

import hashlib
import json

import keras
import numpy as np

from leakage.networks import heads, saved, weights

HEAD_ONLY, EVERYTHING = "head", "everything"
# Keras keeps 0.99 of the old statistics at each step, more than a few hundred steps can forget;
# torch, which the second system uses, keeps this.
BATCH_NORM_MOMENTUM = 0.9

# Names of layers depend on what was built before; being frozen changes no feature.
UNHASHED = ("name", "trainable", "dtype")


def cut_backbone(backbone, train_from):
    """Return the frozen part of a backbone.

    Parameters
    ----------
    backbone : leakage.networks.weights.Backbone
    train_from : str
        "head": all of it is frozen. "everything": nothing is. Else the name of the first layer
        that is trained, with all after it.

    Returns
    -------
    Backbone or None
        None for "everything". Its `key` is made from its content, for the feature bank.

    Raises
    ------
    ValueError
        If there is no such layer, or its input is not the only way through the network.
    """
    if train_from == HEAD_ONLY:
        return backbone
    if train_from == EVERYTHING:
        return None
    model = keras.Model(backbone.model.input, _find_cut(backbone.model, train_from))
    model.trainable = False
    key = f"cut/{_hash_content(model)}"
    return weights.Backbone(model, backbone.name, backbone.weights, key, backbone.last_conv)


def copy_tail(backbone, train_from, seed):
    """Copy the part of a backbone that is trained, with weights of its own.

    Parameters
    ----------
    backbone : leakage.networks.weights.Backbone
    train_from : str
        As in `cut_backbone`, but not "head".
    seed : int
        Draws the weights of an untrained network; pretrained ones are copied.

    Returns
    -------
    keras.Model
        From the output of the frozen part to that of the backbone; all of it is trained, except
        its pre-processing.
    """
    if train_from == EVERYTHING:
        part = backbone.model
    else:
        part = keras.Model(_find_cut(backbone.model, train_from), backbone.model.output)
    tail = keras.models.clone_model(part)
    tail.set_weights(part.get_weights())
    if backbone.weights.startswith(("random", weights.FROM_SCRATCH)):
        weights.fill_random_weights(tail, seed)
    for layer in tail.layers:  # the model itself counts as trainable: setting it changes nothing
        layer.trainable = not weights.is_preprocessing(layer)
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return tail


def join_tail_and_head(tail, head):
    """Join a tail to a head as one flat model that is trained on the features at the cut."""
    output = tail.output
    for layer in head.layers:
        output = layer(output)
    return keras.Model(tail.input, output, name=f"{tail.name}_{head.name}")


def join_frozen_and_trained(frozen, trained):
    """Join the frozen part and what was trained as one flat model from raw pixels to scores.

    Parameters
    ----------
    frozen : leakage.networks.weights.Backbone or None
        As `cut_backbone` returns it.
    trained : keras.Model
        A head, or a tail with its head.

    Returns
    -------
    keras.Model
        Shares its layers with both.
    """
    if frozen is None:  # a model of its own: without the optimiser's state, which triples a file
        return keras.Model(trained.input, trained.output, name=trained.name)
    if isinstance(trained, keras.Sequential):
        return heads.join_backbone_and_head(frozen, trained)
    output = saved.reapply(trained, frozen.model.output)
    return keras.Model(frozen.model.input, output, name=trained.name)


def has_batch_norm(model):
    """Tell whether a model normalises batches."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


def count_weights(model):
    """Count what is trained and what the model holds in all, without moving statistics.

    Returns
    -------
    tuple of int
        (trained, all): as torch counts parameters, pre-processing and scaling left out.
    """
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    total = 0
    for layer in model.layers:
        if not weights.is_preprocessing(layer) and layer.name != "feature_scaling":
            kept = [weight for weight in layer.weights if not weight.name.startswith("moving_")]
            total += sum(int(np.prod(weight.shape)) for weight in kept)
    return trained, total


def _find_cut(model, train_from):
    names = [layer.name for layer in model.layers]
    if train_from not in names:
        raise ValueError(
            f'There is no layer to train from. Expected "{HEAD_ONLY}", "{EVERYTHING}" or a '
            f"layer of {model.name}, such as {names[-4:]}. Received: {train_from!r}."
        )
    tensor = model.get_layer(train_from).input
    try:
        keras.Model(tensor, model.output)
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"The network cannot be cut there: other layers go around the cut. Expected a layer "
            f"whose input is the only way through {model.name}. Received: {train_from!r}."
        ) from error
    return tensor


def _hash_content(model):
    digest = hashlib.sha256()
    for layer in model.layers:
        config = layer.get_config()
        kind = [type(layer).__name__, {k: config[k] for k in config if k not in UNHASHED}]
        digest.update(json.dumps(kind, sort_keys=True, default=str).encode())
        for values in layer.get_weights():
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:24]
