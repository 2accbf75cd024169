"""The lesions of the chest phantoms: where they sit and how densely they fill the lung."""

import numpy as np

from phantoms import _draw

# Below this share of its own peak a lesion is not seen any more: where its true mask ends.
MASK_THRESHOLD = 0.25


def draw_lesion(row, lungs, measure_position, patient_rng, image_rng, size_px):
    """Draw how much of the lung's air a lesion replaces.

    Parameters
    ----------
    row : mapping
        A row of the plan: `label`, `findings`.
    lungs : ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
        Visible lung.
    measure_position : tuple of two ndarrays of shape (size_px, size_px)
        Thorax coordinates of each pixel: x (right side negative), y from apex 0 to base 1.
    patient_rng, image_rng : numpy.random.Generator
        Streams that the anatomy does not use, so a lesion changes nothing outside itself. The
        place of a lesion is the patient's, its extent the image's.
    size_px : int

    Returns
    -------
    ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
        All zero for a normal image.
    """
    x, y = measure_position
    if row["label"] == "normal":
        return np.zeros_like(lungs)
    if row["label"] == "covid":
        fill = draw_ground_glass(x, y, patient_rng, image_rng, size_px)
    elif row["findings"] == "virus":
        fill = draw_patches(x, y, patient_rng, image_rng, size_px)
    else:
        fill = draw_consolidation(x, y, patient_rng, image_rng, size_px)
    return np.clip(fill, 0.0, 1.0) * lungs


def draw_consolidation(x, y, patient_rng, image_rng, size_px):
    """Fill one lobe, densely and with a fairly sharp border: bacterial pneumonia."""
    side = int(patient_rng.choice([-1, 1]))
    centre_y = float(patient_rng.choice([0.28, 0.55, 0.76], p=[0.25, 0.30, 0.45]))
    centre_x = side * patient_rng.uniform(0.42, 0.66)
    radius = patient_rng.uniform(0.30, 0.42) * image_rng.uniform(0.85, 1.15)
    distance = np.hypot((x - centre_x) / 1.15, (y - centre_y) / 0.62) / radius
    distance += 0.16 * _draw.make_noise(image_rng, size_px, 7, 3)
    fill = 1.0 / (1.0 + np.exp(7.0 * (distance - 0.9)))
    fill *= x * side > 0.02
    texture = 0.95 + 0.13 * _draw.make_noise(image_rng, size_px, 16, 3)
    return image_rng.uniform(0.72, 0.95) * fill * np.clip(texture, 0.3, 1.1)


def draw_patches(x, y, patient_rng, image_rng, size_px):
    """Scatter small soft patches around the hilum of one side or both: viral pneumonia."""
    fill = np.zeros_like(x)
    first = int(patient_rng.choice([-1, 1]))
    for _ in range(patient_rng.integers(3, 6)):
        side = first if patient_rng.random() < 0.7 else -first
        centre_x, centre_y = side * patient_rng.uniform(0.24, 0.55), patient_rng.uniform(0.3, 0.8)
        radius = patient_rng.uniform(0.12, 0.22) * image_rng.uniform(0.85, 1.15)
        distance = np.hypot(x - centre_x, (y - centre_y) / 0.62) / radius
        strength = image_rng.uniform(0.40, 0.70)
        fill = np.maximum(fill, strength * np.exp(-0.9 * distance**2))
    streaks = _draw.make_noise(image_rng, size_px, 26, 2)
    return fill * np.clip(0.9 + 0.30 * streaks, 0.2, 1.4)


def draw_ground_glass(x, y, patient_rng, image_rng, size_px):
    """Veil the outer lower zones of both lungs in several hazy patches: COVID-19."""
    fill = np.zeros_like(x)
    for side in (-1, 1):
        for _ in range(patient_rng.integers(2, 5)):
            centre_y = min(0.95, max(0.2, patient_rng.normal(0.66, 0.17)))
            centre_x = side * patient_rng.uniform(0.66, 0.95)
            radius = patient_rng.uniform(0.20, 0.34) * image_rng.uniform(0.85, 1.2)
            distance = np.hypot(x - centre_x, (y - centre_y) / 0.70) / radius
            strength = image_rng.uniform(0.38, 0.66)
            fill = np.maximum(fill, strength * np.exp(-0.8 * distance**2))
    haze = _draw.make_noise(image_rng, size_px, 9, 3)
    network = np.abs(_draw.make_noise(image_rng, size_px, 30, 2))
    return fill * np.clip(0.95 + 0.25 * haze + 0.22 * (network - 0.8), 0.1, 1.5)
