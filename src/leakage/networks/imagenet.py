"""ImageNet weights: Keras' own files, from its cache or else from its server."""

import os
import pathlib
import urllib.parse
import urllib.request

import keras

# Seconds to wait for the server of the ImageNet weights before giving up with advice.
CONNECTION_TIMEOUT_S = 8


def load_weights(model, family):
    """Load a family's published weights into the flat model of raw pixels.

    Parameters
    ----------
    model : keras.Model
        The family's layers behind one layer named "preprocessing".
    family : leakage.networks.weights.Family

    Raises
    ------
    ValueError
        If there are none, or they need images of another size.
    ConnectionError
        If they are neither in Keras' cache nor to be had from the network.
    """
    if family.weights_url is None:
        raise ValueError(_explain_no_such_weights(family))
    has_dense = family.last_layer is not None
    if has_dense and model.input_shape[1] != family.input_size_px:
        raise ValueError(
            f"The fully connected layers of {family.name} take images of one size. Expected "
            f"size_px={family.input_size_px} with ImageNet weights (random ones take any). "
            f"Received: size_px={model.input_shape[1]}."
        )
    path = _fetch_file(family)
    # By position, in a network without our pre-processing, as Keras itself does: some of the
    # published layers have no names of their own, so that names depend on what was built before.
    size_px = model.input_shape[1]
    plain = family.builder(
        input_tensor=keras.Input((size_px, size_px, 3)), include_top=has_dense, weights=None
    )
    plain.load_weights(path)
    values = [*model.get_layer("preprocessing").get_weights(), *plain.get_weights()]
    model.set_weights(values[: len(model.weights)])


def _fetch_file(family):
    file_name = pathlib.PurePosixPath(urllib.parse.urlparse(family.weights_url).path).name
    cached = _get_keras_home() / "models" / file_name
    if not cached.exists():
        _check_server(family, cached)
        # Where the folder is missing, get_file silently uses /tmp instead.
        cached.parent.mkdir(parents=True, exist_ok=True)
    try:
        return keras.utils.get_file(
            file_name,
            family.weights_url,
            cache_dir=_get_keras_home(),
            cache_subdir="models",
            file_hash=family.weights_hash,
        )
    except Exception as error:  # get_file wraps every cause in a bare Exception
        raise ConnectionError(_explain_no_weights(family, cached, error)) from error


def _check_server(family, cached):
    request = urllib.request.Request(family.weights_url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=CONNECTION_TIMEOUT_S):
            pass
    except OSError as error:
        raise ConnectionError(_explain_no_weights(family, cached, error)) from error


def _explain_no_weights(family, cached, error):
    return (
        f"The ImageNet weights of {family.name} could not be downloaded ({error}). Expected "
        f"{family.weights_url} to answer, or the file at {_shorten(cached)}. Ways forward: "
        f"(1) run again with a network; (2) download that file elsewhere and put it there; "
        f"(3) -p weights PATH with a saved Keras backbone and its JSON card; (4) -p weights "
        f"random -p feature_scaling standard, which shows what an untrained network makes of "
        f"the shortcuts."
    )


def _explain_no_such_weights(family):
    return (
        f"Keras has no ImageNet weights for {family.name}. Expected another source of weights: "
        f'"random" (with feature_scaling "standard"), the path of a saved Keras backbone with its '
        f"JSON card, or another backbone (vgg16, vgg19, resnet50, mobilenet_v2, xception, "
        f'inception_v3). Received: weights="imagenet" for {family.name}.'
    )


def _get_keras_home():
    """Return the folder in which `keras.utils.get_file` keeps its files."""
    return pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))


def _shorten(path):
    home = os.path.expanduser("~")
    return str(path).replace(home, "~", 1)
