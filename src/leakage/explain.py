"""Grad-CAM through tf-keras-vis (Selvaraju et al. 2017, arXiv 1610.02391), un-normalised."""

import keras
import numpy as np
import pandas as pd
from tf_keras_vis import gradcam
from tf_keras_vis.utils import model_modifiers, scores
from tqdm import tqdm

from leakage import evaluation, networks, training
from leakcard import images


def compute_grad_cams(model, pixels, class_indices, layer_name, batch_size=16):
    """Explain one class of each image.

    Parameters
    ----------
    model : keras.Model
        Flat, from raw pixels to a softmax; its pre-processing is part of it, so that the map is
        computed on just what the model was trained on.
    pixels : ndarray of shape (n_images, size, size, 3), dtype=float32, in [0, 255]
    class_indices : sequence of int
        The class to explain, one an image.
    layer_name : str
        The convolution that is read, usually the last.
    batch_size : int

    Returns
    -------
    ndarray of shape (n_images, size, size), dtype=float32
        Positive evidence for the class before any normalisation, enlarged to the image; a map of
        zeros means that the layer holds no evidence for the class.

    Raises
    ------
    ValueError
        If the layer does not exist, the model is nested or computes in less than float32, or
        there is not one class an image.
    """
    _check(model, pixels, class_indices, layer_name)
    if isinstance(model, keras.Sequential):  # it does not name its outputs
        model = keras.Model(model.inputs, model.outputs)
    method = gradcam.Gradcam(model, model_modifier=model_modifiers.ReplaceToLinear(), clone=True)
    maps = []
    for start in tqdm(range(0, len(pixels), batch_size), "Grad-CAM", leave=False):
        rows = slice(start, start + batch_size)
        explained = [int(index) for index in class_indices[rows]]
        maps.append(
            method(
                scores.CategoricalScore(explained),
                np.asarray(pixels[rows], dtype=np.float32),
                penultimate_layer=layer_name,
                normalize_cam=False,
                expand_cam=True,
            )
        )
    return np.concatenate(maps).astype(np.float32)


def measure_energy(model, table, layer_name, null_seed=0):
    """Measure where the evidence of a model lies, beside the same network with random weights.

    Parameters
    ----------
    model : keras.Model
        As `compute_grad_cams` takes it.
    table : DataFrame
        Images with `path`, `label`, `patient_id` and `mask_path`: where evidence is legitimate.
    layer_name : str
    null_seed : int or None
        Seed of the random weights of the null (arXiv 1810.03292); None leaves the null out.

    Returns
    -------
    DataFrame
        One row an image and network ("trained", "random weights"), for the class that the network
        predicts: `network`, `label`, `patient_id` and the columns of
        `evaluation.measure_energy_in_mask`.
    """
    size_px = model.input_shape[1]
    pixels = images.load_images(table["path"], size_px)
    masks = images.load_masks(table["mask_path"], size_px)
    explained = {"trained": model}
    if null_seed is not None:
        explained["random weights"] = networks.copy_with_random_weights(model, null_seed)
    frames = []
    for name, network in explained.items():
        indices = training.predict_scores(network, pixels).argmax(axis=1)
        maps = compute_grad_cams(network, pixels, indices, layer_name)
        frame = evaluation.measure_energy_in_mask(maps, masks)
        owners = {column: table[column].to_numpy() for column in ("label", "patient_id")}
        frames.append(frame.assign(network=name, **owners))
    return pd.concat(frames, ignore_index=True)


def _check(model, pixels, class_indices, layer_name):
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise ValueError(
            "Grad-CAM does not see inside a nested model. Expected one flat model, as "
            f"`networks.join_backbone_and_head` builds it. Received: {model.name!r} with the "
            f"layers {[layer.name for layer in model.layers]}."
        )
    names = [layer.name for layer in model.layers if len(layer.output.shape) == 4]
    if layer_name not in names:
        raise ValueError(
            f"Unknown layer. Expected one with a spatial output, such as {names[-3:]}. "
            f"Received: {layer_name!r}."
        )
    if len(pixels) != len(class_indices) or len(pixels) == 0:
        raise ValueError(
            "Expected at least one image and one class for each. Received: "
            f"{len(pixels)} images and {len(class_indices)} classes."
        )
