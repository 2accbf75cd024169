"""A backbone of the user's own: a ``.keras`` file and the JSON card that says how to feed it."""

import hashlib
import json
import pathlib

import keras

from leakage.networks import weights

REQUIRED_ENTRIES = ("name", "weights", "input_range")


def load_backbone(path, size_px):
    """Load a saved Keras backbone as a flat, frozen model of raw pixels.

    Parameters
    ----------
    path : str or pathlib.Path
        A ``.keras`` file; beside it, a ``.json`` file of the same stem with the entries `name`,
        `weights` and `input_range` ([low, high] of the values it was trained on); others, such as
        `input_size_px`, are for its readers.
    size_px : int
        Side of the square input, in pixels.

    Returns
    -------
    leakage.networks.weights.Backbone

    Raises
    ------
    FileNotFoundError
        If the file or its card is missing.
    ValueError
        If it is not a functional Keras model (code inside it is never run), if it takes other
        than three channels, or if the card lacks an entry.
    """
    path = pathlib.Path(path)
    card = read_card(path)
    try:
        stored = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds for a bad archive
        raise ValueError(
            f"The backbone could not be loaded. Expected a Keras 3 archive without Python code "
            f"(no Lambda layers). Received: {path.name}: {error}"
        ) from error
    if len(stored.inputs) != 1 or stored.input_shape[-1] != 3:
        raise ValueError(
            "A saved backbone takes one image of three channels. Received: a model with input "
            f"shape {stored.input_shape} in {path.name}."
        )
    low, high = card["input_range"]
    pixels = keras.Input((size_px, size_px, 3), name="pixels")
    prepared = weights.add_preprocessing(pixels, (high - low) / 255, (low,) * 3)
    output = reapply(stored, prepared)
    applied = keras.Model(pixels, output, name=card["name"])
    # Layers of its own: those of `applied` are in two graphs, and Keras knows the input of a layer
    # in the first alone, so that no tail could be cut off.
    model = keras.models.clone_model(applied)
    model.set_weights(applied.get_weights())
    model.trainable = False
    key = f"saved/{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return weights.Backbone(model, card["name"], card["weights"], key, _find_last_map(model))


def save_backbone(backbone, path):
    """Save a backbone as a ``.keras`` file with the card that `load_backbone` reads.

    Parameters
    ----------
    backbone : leakage.networks.weights.Backbone
    path : str or pathlib.Path
        Ends in ``.keras``; its folder exists.

    Returns
    -------
    pathlib.Path
    """
    path = pathlib.Path(path)

    def rename(layer):
        # Loading puts a pre-processing of its own in front: here, one that changes nothing.
        config = layer.get_config()
        if layer.name == "preprocessing":
            config["name"] = "own_preprocessing"
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(backbone.model, clone_function=rename)
    copy.set_weights(backbone.model.get_weights())
    copy.save(path)
    card = {
        "name": backbone.name,
        "weights": backbone.weights,
        "input_size_px": backbone.size_px,
        "input_range": [0.0, 255.0],
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=1))
    return path


def read_card(path):
    """Read the card of a saved backbone: a dict with at least `REQUIRED_ENTRIES`.

    Raises
    ------
    FileNotFoundError
        If the backbone or its card is missing.
    ValueError
        If the card lacks an entry.
    """
    path = pathlib.Path(path)
    card_path = path.with_suffix(".json")
    for expected, what in ((path, "saved backbone"), (card_path, "card of the saved backbone")):
        if not expected.is_file():
            raise FileNotFoundError(
                f'The {what} was not found. Expected `weights` to be "imagenet", "random" or '
                f"the path of a .keras file with its .json card beside it. Received: {expected}."
            )
    card = json.loads(card_path.read_text())
    missing = [entry for entry in REQUIRED_ENTRIES if entry not in card]
    if missing:
        raise ValueError(
            f"The card of the saved backbone lacks {missing}. Expected the entries "
            f"{list(REQUIRED_ENTRIES)}. Received: {sorted(card)} in {card_path.name}."
        )
    return card


def reapply(stored, prepared):
    """Rebuild the stored graph on a new input, layer by layer: calling it would nest it."""
    outputs = {}

    def call_layer(layer, *args, **kwargs):
        outputs[layer.name] = layer(*args, **kwargs)
        return outputs[layer.name]

    keras.models.clone_model(
        stored,
        input_tensors=prepared,
        clone_function=lambda layer: layer,
        call_function=call_layer,
    )
    return outputs[stored.layers[-1].name]


def _find_last_map(model):
    """Name the last layer with a spatial output."""
    return [layer.name for layer in model.layers if len(layer.output.shape) == 4][-1]
