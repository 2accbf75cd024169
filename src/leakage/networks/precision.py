"""In what precision a frozen backbone computes: bfloat16 extracts features faster.

`mixed_bfloat16` keeps the weights in float32 and computes the layers in bfloat16 (8 significant
bits). It is an option for extraction alone: the weights' label names it, so that every record and
table does; a network that is trained, saved or explained is float32.
"""

import dataclasses

import keras

from leakage.networks import weights

FLOAT32, MIXED = DTYPES = ("float32", "mixed_bfloat16")
SUFFIX = f", {MIXED}"


def convert_backbone(backbone, dtype):
    """Return a backbone with the same weights that computes in `dtype`.

    Parameters
    ----------
    backbone : leakage.networks.weights.Backbone
    dtype : {"float32", "mixed_bfloat16"}
        Pre-processing stays float32: bfloat16 would round pixels to 8 bits before the mean is
        taken off.

    Returns
    -------
    Backbone
        The same one where nothing is to change. The label of its weights ends in the name of the
        precision unless that is float32.

    Raises
    ------
    ValueError
        If the precision is unknown, or the network is trained here and not only extracted from.
    """
    if dtype not in DTYPES:
        raise ValueError(f"Unknown dtype. Expected one of {list(DTYPES)}. Received: {dtype!r}.")
    if dtype == MIXED and backbone.weights == weights.FROM_SCRATCH:
        raise ValueError(
            f"{MIXED} is for features of a frozen network. Expected dtype={FLOAT32!r} for "
            f"{backbone.name}, which is trained here from scratch. Received: dtype={dtype!r}."
        )
    model = backbone.model
    label = backbone.weights.removesuffix(SUFFIX) + (SUFFIX if dtype == MIXED else "")
    policies = [layer.dtype_policy.name == _choose(layer, dtype) for layer in _list_layers(model)]
    if model.dtype_policy.name == dtype and all(policies):
        return dataclasses.replace(backbone, weights=label)

    def rebuild(layer):
        config = layer.get_config() | {"dtype": _choose(layer, dtype)}
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=rebuild)
    copy.set_weights(model.get_weights())
    copy.trainable = False
    copy.dtype_policy = dtype  # the feature bank keeps what it computes apart by this name
    return dataclasses.replace(backbone, model=copy, weights=label)


def check_float32(backbone, purpose):
    """Raise a ValueError if a backbone computes in another precision than float32."""
    if backbone.model.dtype_policy.name != FLOAT32:
        raise ValueError(
            f"A backbone in {backbone.model.dtype_policy.name} is for extracting features and "
            f"cannot be {purpose}. Expected one from `networks.build_backbone` with "
            f"dtype={FLOAT32!r}. Received: {backbone.name}, weights: {backbone.weights}."
        )


def list_reduced_layers(model):
    """Name the layers of a model that compute in less than float32."""
    return [layer.name for layer in _list_layers(model) if layer.compute_dtype != FLOAT32]


def _list_layers(model):
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _choose(layer, dtype):
    return FLOAT32 if weights.is_preprocessing(layer) else dtype
