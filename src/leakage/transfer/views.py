"""What a network is trained on, epoch by epoch: augmented pixels, or features of batches."""

import dataclasses

import keras
import numpy as np
from tqdm import tqdm

from leakage import augment

BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class PixelViews:
    """Augmented views of images, drawn batch by batch as training asks for them.

    Parameters
    ----------
    pixels : ndarray of shape (n_images, size, size, 3), dtype=float32, in [0, 255]
    image_keys : sequence of str
        What identifies each image's content, as in the feature bank.
    num_views : int
        0: the images themselves.
    augmentation : leakage.published.Augmentation
    seed : int
    """

    pixels: np.ndarray
    image_keys: tuple
    num_views: int
    augmentation: object
    seed: int = 0

    def __len__(self):
        return max(1, self.num_views)

    def __getitem__(self, position):
        if not self.num_views:
            return self.pixels
        return _View(self, position + 1)


@dataclasses.dataclass(frozen=True)
class _View:
    views: PixelViews
    number: int

    def __len__(self):
        return len(self.views.pixels)

    def __getitem__(self, rows):
        keys = [self.views.image_keys[row] for row in rows]
        return augment.augment_images(
            self.views.pixels[rows], keys, self.number, self.views.augmentation, self.views.seed
        )


def extract_with_batch_statistics(backbone, drawn):
    """Pass training images through a frozen backbone that normalises each batch by itself.

    This is what a frozen network does where its batch normalisation was left in training mode:
    weights and moving statistics stay, but an image's features depend on its neighbours, and
    differ from those it gets when the model is used.

    Parameters
    ----------
    backbone : leakage.networks.Backbone
    drawn : PixelViews
        Each view has batches of its own, drawn by the seed too.

    Returns
    -------
    list of ndarray of shape (n_images, *feature_shape), dtype=float32

    Raises
    ------
    ValueError
        If the backbone has no batch normalisation, so that there is nothing to show.
    """
    model = keras.models.clone_model(backbone.model)
    model.set_weights(backbone.model.get_weights())
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    if not norms:
        raise ValueError(
            "Batch statistics need a network that normalises batches. Expected a backbone such "
            f"as resnet50 or mobilenet_v2. Received: {backbone.name}."
        )
    for layer in norms:
        layer.trainable, layer.momentum = True, 1.0  # a momentum of 1 keeps what was there
    views = []
    for number in tqdm(range(len(drawn)), "features by batch statistics", leave=False):
        rng = np.random.default_rng([drawn.seed, number])
        views.append(_pass_in_batches(model, drawn[number], rng))
    return views


def _pass_in_batches(model, pixels, rng):
    order = rng.permutation(len(pixels))
    # The last batch is filled up with images of the first: one image has no statistics.
    filled = np.resize(order, -(-len(order) // BATCH_SIZE) * BATCH_SIZE)
    features = np.empty((len(pixels), *model.output_shape[1:]), np.float32)
    for start in range(0, len(filled), BATCH_SIZE):
        rows = filled[start : start + BATCH_SIZE]
        kept = rows[: max(0, len(order) - start)]
        maps = keras.ops.convert_to_numpy(model(pixels[rows], training=True))
        features[kept] = maps[: len(kept)]
    return features
