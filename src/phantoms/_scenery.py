"""The backgrounds of the animal phantoms: snow, grass and white."""

import cv2
import numpy as np

from phantoms import _draw


def paint(picture, layer, colour):
    """Lay a colour, or a picture, over a picture where `layer` (h, w) says so, in place."""
    colour = np.asarray(colour, np.float32)
    for number in range(3):  # each channel by itself: a last axis of three takes NumPy longer
        channel = picture[..., number]
        channel += layer * (colour[..., number] - channel)


def draw_background(kind, rng, size_px):
    """Draw a background.

    Parameters
    ----------
    kind : {"snow", "grass", "white"}
    rng : numpy.random.Generator
    size_px : int

    Returns
    -------
    ndarray of shape (size_px, size_px, 3), dtype=float32, RGB in [0, 1]
    """
    if kind == "white":
        return np.ones((size_px, size_px, 3), np.float32)
    horizon = rng.uniform(-1.0, -0.25)
    y = ((np.arange(size_px, dtype=np.float32) + 0.5) * 2.0 / size_px - 1.0)[:, None]
    y = np.broadcast_to(y, (size_px, size_px))
    # Nearness: 0 at the horizon, 1 at the viewer's feet; what is near is larger and plainer.
    near = np.clip((y - horizon) / (1.0 - horizon), 0.0, 1.0)
    draw_ground = draw_snow if kind == "snow" else draw_grass
    picture = draw_ground(near, rng, size_px)
    paint(picture, draw_sky_edge(y, horizon, rng, size_px), draw_distance(kind, y, rng, size_px))
    if horizon > -0.75:
        plant_trees(picture, kind, horizon, rng, size_px)
    # As with a long lens, the far part is out of focus.
    soft = _draw.blur(picture, rng.uniform(0.004, 0.018), size_px)
    paint(picture, np.clip(1.0 - 1.6 * near, 0.0, 1.0), soft)
    return np.clip(picture, 0.0, 1.0)


def draw_sky_edge(y, horizon, rng, size_px):
    """Return the layer of what lies above the (uneven) horizon."""
    hills = 0.03 * _draw.make_noise(rng, size_px, (2, 5), 2)[:1]
    return 1.0 / (1.0 + np.exp(np.clip((y - horizon - hills) * 90.0, -30, 30)))


def draw_distance(kind, y, rng, size_px):
    """Draw sky or a far, blurred wood above the horizon."""
    if rng.random() < 0.5:
        top = np.array([0.62, 0.74, 0.88]) if rng.random() < 0.6 else np.array([0.80, 0.82, 0.85])
        fade = np.clip((y + 1.0) * 0.8, 0.0, 1.0)[..., None]
        sky = (1.0 - fade) * top + fade * np.array([0.90, 0.92, 0.94])
        clouds = 0.03 * _draw.make_noise(rng, size_px, (6, 3), 3)
        return (sky + clouds[..., None]).astype(np.float32)
    base = [0.30, 0.33, 0.33] if kind == "snow" else [0.20, 0.31, 0.13]
    wood = 1.0 + 0.32 * _draw.make_noise(rng, size_px, (5, 14), 3)
    return np.clip(np.asarray(base, np.float32) * wood[..., None], 0.02, 1.0)


def plant_trees(picture, kind, horizon, rng, size_px):
    """Put trunks, or conifers in snow, on the horizon, in place."""
    for _ in range(rng.integers(0, 6)):
        x, foot = rng.uniform(-1.0, 1.0), horizon + rng.uniform(0.0, 0.18)
        tint = rng.uniform(0.7, 1.2)
        if kind == "snow" and rng.random() < 0.6:
            height, width = rng.uniform(0.4, 1.0), rng.uniform(0.12, 0.22)
            tiers = np.repeat(np.linspace(0.0, 1.0, 9), 2)[1:]
            reach = width * tiers * np.where(np.arange(17) % 2, 1.0, 0.55)
            edge = np.stack([reach, height * (tiers - 1.0)], axis=1)
            curve = np.vstack([edge, edge[::-1] * [-1, 1]]) + [x, foot]
            layer = _draw.fill_curves([curve], size_px)
            paint(picture, 0.95 * layer, np.array([0.16, 0.22, 0.20]) * tint)
            snow = np.clip(0.8 * _draw.make_noise(rng, size_px, (70, 40), 1) - 0.5, 0.0, 0.9)
            paint(picture, layer * snow, [0.93, 0.95, 0.98])
            continue
        width = rng.uniform(0.03, 0.09)
        lean = rng.normal(0.0, 0.03)
        trunk = _draw.make_capsule((x, foot), (x + lean, -1.3), width, 0.8 * width)
        layer = _draw.fill_curves([trunk], size_px)
        bark = 1.0 + 0.2 * _draw.make_noise(rng, size_px, (8, 60), 2)
        colour = np.array([0.30, 0.24, 0.19]) * tint * bark[..., None]
        paint(picture, layer, np.clip(colour, 0.0, 1.0))
        if kind == "grass":
            crown = _draw.make_ellipse((x, -1.0), (rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.4)))
            ragged = _draw.blur(_draw.fill_curves([crown], size_px), 0.04, size_px)
            ragged = np.clip(
                3.0 * (ragged + 0.12 * _draw.make_noise(rng, size_px, 24, 2) - 0.4), 0, 1
            )
            leaves = 1.0 + 0.35 * _draw.make_noise(rng, size_px, 40, 2)
            paint(picture, ragged, np.clip(np.array([0.17, 0.30, 0.10]) * leaves[..., None], 0, 1))


def draw_snow(near, rng, size_px):
    """Draw drifts with blue shadows, crusts, tracks and a glitter near the viewer."""
    drifts = _draw.make_noise(rng, size_px, (5, 2), 3)
    # Light from one side: a slope's brightness is the slope of its height.
    slope = cv2.Sobel(drifts, cv2.CV_32F, 1, 1, ksize=5, scale=size_px / 256 / 6.0)
    shade = np.clip(0.5 + 0.30 * drifts + 0.10 * slope, 0.0, 1.0)
    shadow, light = np.array([0.66, 0.74, 0.87]), np.array([0.97, 0.98, 0.99])
    deep = rng.uniform(0.2, 1.0)
    shadow = deep * shadow + (1.0 - deep) * np.array([0.84, 0.87, 0.92])
    shade = shade[..., None]
    picture = (shadow * (1.0 - shade) + light * shade).astype(np.float32)
    crust = _draw.make_noise(rng, size_px, 60, 2) * (0.3 + near)
    picture += 0.022 * crust[..., None]
    for _ in range(rng.integers(0, 14)):  # tracks
        place = rng.uniform(-1, 1), rng.uniform(-0.2, 1)
        size = 0.02 + 0.03 * max(0.0, place[1])
        dent = _draw.fill_curves([_draw.make_ellipse(place, (size * 1.6, size * 0.7))], size_px)
        paint(picture, 0.5 * _draw.blur(dent, 0.01, size_px), shadow * 0.88)
    return picture


def draw_grass(near, rng, size_px):
    """Draw turf with patches, many blades and sometimes flowers."""
    dry = rng.uniform(0.0, 0.6)
    base = (1 - dry) * np.array([0.27, 0.47, 0.15]) + dry * np.array([0.47, 0.48, 0.24])
    patches = 1.0 + 0.13 * _draw.make_noise(rng, size_px, (6, 3), 3)
    fine = 1.0 + 0.20 * _draw.make_noise(rng, size_px, (36, 80), 2) * (0.35 + 0.65 * near)
    picture = (base * (patches * fine)[..., None] * rng.uniform(0.75, 1.15)).astype(np.float32)
    add_blades(picture, near, rng, size_px, 1500)
    if rng.random() < 0.4:
        colour = [0.95, 0.85, 0.20] if rng.random() < 0.6 else [0.95, 0.95, 0.95]
        spots = rng.uniform(-1, 1, (rng.integers(10, 60), 2))
        curves = [_draw.make_ellipse(p, (0.012,) * 2, num_points=8) for p in spots]
        layer = _draw.fill_curves(curves, size_px) * (near > 0.05)
        paint(picture, 0.9 * layer, colour)
    return picture


def add_blades(picture, near, rng, size_px, num_blades, lowest=-1.0):
    """Draw blades of grass, longer towards the viewer, over a picture in place.

    Returns
    -------
    ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
        Where the blades are.
    """
    canvas = np.zeros((size_px, size_px, 3), np.uint8)
    cover = np.zeros((size_px, size_px), np.uint8)
    feet = np.stack([rng.uniform(-1, 1, num_blades), rng.uniform(lowest, 1.1, num_blades)], axis=1)
    rows = np.clip(((feet[:, 1] + 1) / 2 * size_px).astype(int), 0, size_px - 1)
    nearness = near[rows, 0]
    length = (0.03 + 0.11 * nearness) * rng.uniform(0.5, 1.2, num_blades)
    tips = feet + np.stack([rng.normal(0, 0.35, num_blades) * length, -length], axis=1)
    points = np.stack([feet, tips], axis=1)
    points = np.round(((points + 1) * size_px / 2 - 0.5) * 2**_draw.SUBPIXEL_BITS).astype(np.int32)
    tints = rng.uniform(0.55, 1.5, num_blades)
    colours = np.clip(np.array([0.33, 0.47, 0.19]) * tints[:, None], 0, 1) * 255
    for index in np.flatnonzero(nearness > 0.02):
        start, end = points[index].tolist()
        cv2.line(canvas, start, end, colours[index].tolist(), 1, cv2.LINE_AA, _draw.SUBPIXEL_BITS)
        cv2.line(cover, start, end, 170, 1, cv2.LINE_AA, _draw.SUBPIXEL_BITS)
    layer = cover.astype(np.float32) / 255.0
    # The canvas already holds colour x cover, hence the division.
    colour = canvas.astype(np.float32) / 170.0
    picture += (
        layer[..., None]
        * (np.clip(colour, 0, 1) / np.maximum(layer[..., None] * 1.5, 0.3) - picture)
        * 0.8
    )
    return layer
