"""Paint the parts of wolves and huskies: coat, mask, eyes, and fur that frays at its edge."""

import numpy as np

from phantoms import _draw, _scenery

# Each species in several coats (chosen at random): back, flank, belly, face; RGB in [0, 1].
COATS = {
    "wolf": [
        ((0.30, 0.27, 0.24), (0.52, 0.45, 0.36), (0.76, 0.68, 0.55), (0.72, 0.64, 0.52)),
        ((0.34, 0.33, 0.32), (0.55, 0.52, 0.47), (0.76, 0.72, 0.65), (0.74, 0.70, 0.63)),
        ((0.26, 0.22, 0.19), (0.56, 0.42, 0.28), (0.74, 0.60, 0.42), (0.74, 0.63, 0.48)),
        ((0.42, 0.40, 0.38), (0.62, 0.59, 0.54), (0.83, 0.80, 0.74), (0.81, 0.78, 0.72)),
    ],
    "husky": [
        ((0.13, 0.13, 0.15), (0.20, 0.20, 0.22), (0.90, 0.90, 0.89), (0.94, 0.94, 0.93)),
        ((0.33, 0.34, 0.37), (0.42, 0.43, 0.46), (0.90, 0.90, 0.89), (0.94, 0.94, 0.93)),
        ((0.46, 0.28, 0.17), (0.56, 0.36, 0.23), (0.92, 0.89, 0.85), (0.95, 0.92, 0.89)),
        ((0.20, 0.19, 0.19), (0.34, 0.31, 0.29), (0.87, 0.86, 0.83), (0.93, 0.92, 0.90)),
    ],
}
EYES = {
    "wolf": [(0.76, 0.57, 0.20), (0.60, 0.42, 0.16)],
    "husky": [(0.45, 0.68, 0.88), (0.40, 0.28, 0.16)],
}


def paint_animal(parts, species, pose, rng, size_px):
    """Paint the parts over each other, with fur.

    Returns
    -------
    colours : ndarray of shape (size_px, size_px, 3), dtype=float32
    mask : ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
    """
    coats = COATS[species]
    coat = np.array(coats[rng.integers(len(coats))]) * rng.normal(1.0, 0.05)
    back, flank, belly, face = coat.astype(np.float32)
    eyes = EYES[species]
    eye = eyes[int(rng.random() < 0.3)]
    scale = abs(pose[0, 0])
    # How fine the fur is follows the size of the animal in the picture.
    cells = np.clip(np.array([105.0, 45.0]) / scale**0.7, 8, 128).astype(int)
    along, down = (_draw.make_noise(rng, size_px, c, 2) for c in (cells, cells[::-1]))
    # Where on the animal a pixel is: 0 at the line of the back, 1 at the line of the belly.
    line = (np.arange(size_px, dtype=np.float32) + 0.5) * 2.0 / size_px - 1.0
    height = ((line[:, None] - np.float32(pose[1, 2])) / np.float32(scale)) + 0.03 * along
    crisp = 22.0 if species == "husky" else 9.0  # a husky's patches have sharp borders
    low = 1.0 / (1.0 + np.exp(np.clip(-(height - 0.07) * crisp, -30, 30)))
    high = 1.0 / (1.0 + np.exp(np.clip((height + 0.08) * crisp, -30, 30)))
    body = flank + low[..., None] * (belly - flank) + high[..., None] * (back - flank)
    nape = flank + 0.7 * (back - flank)
    leg = 0.25 * flank + 0.75 * belly if species == "wolf" else belly
    muzzle = 0.45 * flank + 0.55 * face if species == "wolf" else face
    cap = 0.45 * flank + 0.55 * back
    zones = {
        "tail": cap,
        "far_leg": 0.72 * leg,
        "leg": leg,
        "torso": body,
        "neck": body,
        "chest": belly,
        "far_ear": 0.6 * nape,
        "ear": cap,
        "inner_ear": 0.6 * face + 0.1,
        "head": cap,
        "face": face,
        "brow": 0.5 * face + 0.5 * cap if species == "wolf" else face,
        "muzzle": muzzle,
        "bridge": 0.7 * cap + 0.3 * face if species == "wolf" else 0.55 * cap + 0.45 * face,
        "eye": eye,
        "pupil": (0.03,) * 3,
        "nose": (0.06, 0.05, 0.06),
        "mouth": (0.12, 0.08, 0.08),
    }
    colours, mask = (
        np.zeros((size_px, size_px, 3), np.float32),
        np.zeros((size_px,) * 2, np.float32),
    )
    from_front = any(name == "chest" for name, _ in parts)  # then the coat hangs down
    for name, curves in parts:
        layer = _draw.fill_curves(curves, size_px)
        smooth = name in ("eye", "pupil", "nose", "mouth")
        if not smooth:
            # Fur: the outline frays, more for the body than for the face.
            shaggy = name in ("tail", "torso", "neck", "chest")
            level = name in ("torso", "tail", "neck", "muzzle") and not from_front
            texture = along if level else down
            layer = _draw.blur(layer, (0.020 if shaggy else 0.007) * scale, size_px)
            fray = (0.11 if shaggy else 0.07) * texture
            layer = np.clip((layer + fray - 0.5) * 2.6 + 0.5, 0.0, 1.0) * (layer > 0.02)
        colour = np.asarray(zones[name], np.float32)
        if not smooth:
            # Round bodies are darker towards their edge and below.
            inside = np.clip(_draw.blur(layer, 0.05 * scale, size_px) * 1.3 - 0.15, 0.0, 1.0)
            shade = (0.72 + 0.30 * inside) * (1.0 + 0.13 * texture)
            colour = np.stack([part * shade for part in np.moveaxis(colour, -1, 0)], axis=-1)
        _scenery.paint(colours, layer, colour)
        mask = np.maximum(mask, layer)
    return np.clip(colours, 0.0, 1.0), mask
