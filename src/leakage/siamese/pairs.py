"""Pairs of images for a siamese net: balanced, seeded, new for every epoch, and only indices.

A pair is two rows of an array of images, so that drawing pairs costs nothing beside training.
"""

import itertools

import numpy as np

# What each stream of random numbers is for.
EPOCH_STREAM, PAIR_STREAM, TRIAL_STREAM, REFERENCE_STREAM = range(4)


def check_classes(pixels, labels, num_classes):
    """Refuse images that no pair can be drawn from.

    Parameters
    ----------
    pixels : ndarray of shape (n_images, size, size, channels)
    labels : ndarray of shape (n_images,), dtype=int
    num_classes : int

    Raises
    ------
    ValueError
        If a class has no image, or fewer than two that differ.
    """
    for label in range(num_classes):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2:
            raise ValueError(
                f"Class {label} cannot form a pair. Expected at least two images of each of "
                f"{num_classes} classes (draw more, or leave the class out). Received: {len(rows)}."
            )
        if all(np.array_equal(pixels[rows[0]], pixels[row]) for row in rows[1:]):
            raise ValueError(
                f"All images of class {label} are equal, so every pair of it is an image with "
                "itself. Expected at least two that differ (look for duplicates with "
                f"`leakcard`). Received: {len(rows)} equal images."
            )


def check_patients(split):
    """Refuse a split in which one patient has images in two parts.

    Parameters
    ----------
    split : DataFrame
        With `patient_id` and `split`.
    """
    homes = split.groupby("patient_id")["split"].nunique()
    shared = homes[homes > 1].index.tolist()
    if shared:
        raise ValueError(
            "A reference of the same patient gives the answer away. Expected each patient in one "
            "part of the split (protocol 'strict' draws so). Received: "
            f"{len(shared)} patients in several, such as {shared[0]!r}."
        )


def draw_balanced(labels, seed, epoch):
    """Draw one epoch's images: all of the smallest class and as many of each other one, anew.

    Parameters
    ----------
    labels : ndarray of shape (n_images,), dtype=int
    seed, epoch : int

    Returns
    -------
    ndarray of shape (n_classes, n_smallest), dtype=int
        Rows of `labels`, in a new order; no row twice.
    """
    rng = np.random.default_rng([seed, EPOCH_STREAM, epoch])
    classes, counts = np.unique(labels, return_counts=True)
    members = [np.flatnonzero(labels == label) for label in classes]
    return np.stack([rng.permutation(rows)[: counts.min()] for rows in members])


def draw_pairs(labels, num_pairs, batch_size, seed, epoch, images_per_batch=None):
    """Draw one epoch's pairs, in batches of half equal and half different classes.

    Parameters
    ----------
    labels : ndarray of shape (n_images,), dtype=int
        At least two classes with at least two images each.
    num_pairs : int
        Pairs an epoch; what does not fill a batch is left out, as published.
    batch_size : int
        Pairs a batch, even.
    seed, epoch : int
        Another epoch has other images and other pairs.
    images_per_batch : int, optional
        Draw the pairs of a batch among so many images (as many of each class), so that the tower
        has fewer to see. Default: among all of the epoch, as published.

    Returns
    -------
    ndarray of shape (n_batches, batch_size, 2), dtype=int
        Rows of `labels`; never a row with itself. The first half of each batch is of equal
        classes, all classes alike often; the second half of different ones, all pairs of classes
        alike often.
    """
    images = draw_balanced(labels, seed, epoch)
    num_classes, num_images = images.shape
    _check_sizes(num_classes, num_images, num_pairs, batch_size, images_per_batch)
    rng = np.random.default_rng([seed, PAIR_STREAM, epoch])
    num_batches, half = num_pairs // batch_size, batch_size // 2
    pool = min(num_images, images_per_batch // num_classes if images_per_batch else num_images)
    # Pools go round the epoch's images, so that each image comes up alike often.
    places = (np.arange(num_batches)[:, np.newaxis] * pool + np.arange(pool)) % num_images
    rows, shape = np.arange(num_batches)[:, np.newaxis], (num_batches, half)

    equal = _deal(num_classes, shape, rng)
    first = rng.integers(pool, size=shape)
    second = (first + rng.integers(1, pool, size=shape)) % pool
    same = [images[equal, places[rows, picked]] for picked in (first, second)]

    kinds = np.array(list(itertools.combinations(range(num_classes), 2)))
    kinds = kinds[_deal(len(kinds), shape, rng)]
    picked = rng.integers(pool, size=(2, *shape))
    different = [images[kinds[..., side], places[rows, picked[side]]] for side in (0, 1)]
    return np.concatenate([np.stack(same, axis=-1), np.stack(different, axis=-1)], axis=1)


def generate_pair_batches(pixels, labels, num_pairs, batch_size, seed, images_per_batch=None):
    """Generate batches for `siamese.build_siamese` without end, new pairs every epoch.

    Parameters
    ----------
    pixels : ndarray of shape (n_images, size, size, 3)
    labels : ndarray of shape (n_images,), dtype=int
    num_pairs, batch_size, seed, images_per_batch
        As `draw_pairs` takes them.

    Yields
    ------
    (images, pairs), same
        The batch's images, each once; pairs of rows of them, (batch_size, 2); 1 for equal and 0
        for different classes, float32 of shape (batch_size, 1).
    """
    for epoch in itertools.count():
        for pairs in draw_pairs(labels, num_pairs, batch_size, seed, epoch, images_per_batch):
            rows, places = np.unique(pairs, return_inverse=True)
            same = (labels[pairs[:, 0]] == labels[pairs[:, 1]]).astype(np.float32)
            local = places.reshape(pairs.shape).astype(np.int32)
            yield (pixels[rows], local), same[:, np.newaxis]


def draw_trials(labels, num_trials, seed, patients=None):
    """Draw three-way trials (or n-way ones): an image to name and one reference of each class.

    Parameters
    ----------
    labels : ndarray of shape (n_images,), dtype=int
    num_trials : int
        A multiple of the number of classes: 129 as published, 43 of each. No image is to be
        named twice.
    seed : int
    patients : sequence of shape (n_images,), optional
        Owners of the images: a reference is then of another patient. By default, of another
        image.

    Returns
    -------
    queries : ndarray of shape (num_trials,), dtype=int
    references : ndarray of shape (num_trials, n_classes), dtype=int
        Rows of `labels`, the references in the order of the classes.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if num_trials % len(classes) or num_trials // len(classes) > counts.min() or num_trials < 1:
        raise ValueError(
            f"These trials cannot be drawn. Expected a multiple of {len(classes)} of at most "
            f"{len(classes) * counts.min()} (each image is named once). Received: {num_trials}."
        )
    rng = np.random.default_rng([seed, TRIAL_STREAM])
    owners = np.arange(len(labels)) if patients is None else np.asarray(patients)
    members = [np.flatnonzero(labels == label) for label in classes]
    per_class = num_trials // len(classes)
    queries = np.concatenate([rng.permutation(rows)[:per_class] for rows in members])
    references = np.empty((num_trials, len(classes)), dtype=int)
    for trial, query in enumerate(queries):
        for column, rows in enumerate(members):
            others = rows[owners[rows] != owners[query]]
            if not len(others):
                raise ValueError(
                    "A trial has no reference. Expected images of at least two patients in each "
                    f"class. Received: one in class {classes[column]}."
                )
            references[trial, column] = rng.choice(others)
    return queries, references


def draw_references(labels, num_queries, seed):
    """Draw one reference of each class for every query, rows of `labels`, (num_queries, n)."""
    rng = np.random.default_rng([seed, REFERENCE_STREAM])
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.stack([rng.choice(rows, size=num_queries) for rows in members], axis=1)


def _deal(num_kinds, shape, rng):
    """Deal kinds to the places of all batches, alike often and in random order."""
    kinds = np.arange(np.prod(shape)) % num_kinds
    return rng.permutation(kinds).reshape(shape)


def _check_sizes(num_classes, num_images, num_pairs, batch_size, images_per_batch):
    if num_classes < 2 or num_images < 2:
        raise ValueError(
            "Pairs of equal and of different classes need at least two classes of two images. "
            f"Received: {num_classes} classes, the smallest of {num_images} images."
        )
    if batch_size < 2 or batch_size % 2 or num_pairs < batch_size:
        raise ValueError(
            "Half of a batch is of equal classes. Expected an even batch_size and at least as many "
            f"pairs. Received: batch_size={batch_size}, num_pairs={num_pairs}."
        )
    if images_per_batch is not None and images_per_batch < 2 * num_classes:
        raise ValueError(
            f"A batch needs two images of each class. Expected images_per_batch of at least "
            f"{2 * num_classes}. Received: {images_per_batch}."
        )
