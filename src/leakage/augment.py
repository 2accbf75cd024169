"""Random geometric augmentation in the paper's units, one affine map an image.

The paper's terms (rotation in degrees, shift, shear, zoom and flips) are those of Keras'
``ImageDataGenerator``, which composes them into one affine map and interpolates once. Here too:
five preprocessing layers in a row would blur the image five times, and their random state belongs
to a batch, so that the view of an image would depend on its neighbours. Here it depends on the
image, the view number and the seed alone, which is what lets the feature bank share it.
"""

import hashlib

import keras
import numpy as np

# Keras draws the fill of `ImageDataGenerator` from the nearest edge pixel by default.
FILL_MODE = "nearest"


def draw_transforms(image_keys, view, augmentation, size_px, seed):
    """Draw the affine map of one view of each image.

    Parameters
    ----------
    image_keys : sequence of str
        What identifies each image's content (its sha256).
    view : int
        Number of the view, from 1 (0 is the image itself).
    augmentation : leakage.published.Augmentation
        Every value is drawn uniformly: rotation in [-value, value] degrees (Keras'
        ``RandomRotation`` takes fractions of a full turn: its 0.2 is 72 degrees), shift as a
        fraction of the side, shear as a tangent and zoom as a relative change for both axes,
        each flip with probability one half.
    size_px : int
        Side of the square images, in pixels.
    seed : int

    Returns
    -------
    ndarray of shape (n_images, 8), dtype=float32
        Rows as `keras.ops.image.affine_transform` takes them: output to input coordinates.
    """
    center = (size_px - 1) / 2
    to_center = np.array([[1, 0, center], [0, 1, center], [0, 0, 1]])
    from_center = np.array([[1, 0, -center], [0, 1, -center], [0, 0, 1]])
    rows = []
    for key in image_keys:
        digest = hashlib.sha256(f"{seed}/{view}/{key}".encode()).digest()
        rng = np.random.default_rng(list(digest[:16]))
        matrix = to_center @ _draw_matrix(rng, augmentation, size_px) @ from_center
        rows.append(matrix.ravel()[:8])
    return np.asarray(rows, dtype=np.float32).reshape(-1, 8)


def transform_images(images, transforms):
    """Apply one affine map to each image (bilinear, edges repeated).

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size, 3), dtype=float32, in [0, 255]
    transforms : ndarray of shape (n_images, 8)

    Returns
    -------
    ndarray of the shape and range of `images`
    """
    moved = keras.ops.image.affine_transform(
        images,
        transforms,
        interpolation="bilinear",
        fill_mode=FILL_MODE,
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(moved)


def augment_images(images, image_keys, view, augmentation, seed):
    """Return view number `view` of each image; see `draw_transforms` and `transform_images`."""
    if len(images) != len(image_keys):
        raise ValueError(
            "Each image needs one key. Expected as many keys as images. "
            f"Received: {len(images)} images and {len(image_keys)} keys."
        )
    transforms = draw_transforms(image_keys, view, augmentation, images.shape[1], seed)
    return transform_images(images, transforms)


def _draw_matrix(rng, augmentation, size_px):
    """Draw one 3x3 map about the centre of the image."""

    def draw(limit, size=None):
        return rng.uniform(-limit, limit, size)

    angle = np.deg2rad(draw(augmentation.rotation_degrees))
    shift_x, shift_y = draw(augmentation.shift_fraction, 2) * size_px
    shear_x, shear_y = draw(augmentation.shear_fraction, 2)
    zoom_x, zoom_y = 1 + draw(augmentation.zoom_fraction, 2)
    flip_x, flip_y = np.where(
        (rng.random(2) < 0.5) & (augmentation.horizontal_flip, augmentation.vertical_flip), -1, 1
    )
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    shear = np.array([[1, shear_x, 0], [shear_y, 1, 0], [0, 0, 1]])
    scale = np.diag([zoom_x * flip_x, zoom_y * flip_y, 1])
    shift = np.array([[1, 0, shift_x], [0, 1, shift_y], [0, 0, 1]])
    return shift @ rotation @ shear @ scale
