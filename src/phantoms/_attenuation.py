"""Add up what the X-ray beam passes on its way through a chest phantom."""

import cv2
import numpy as np

from phantoms import _anatomy, _draw, _skeleton

# Attenuation of a full thickness, relative to the thickest soft tissue. Chosen by eye for a
# radiograph that looks like one, never by what a classifier does with it.
AIR, HEART, ABDOMEN = -0.72, 0.20, 0.34
VERTEBRA, RIB, FRONT_RIB, CLAVICLE, SCAPULA, HUMERUS = 0.15, 0.13, 0.055, 0.15, 0.08, 0.16
VESSEL, BREAST, TRACHEA = 0.24, 0.10, -0.13


def measure_position(body, pose, size_px):
    """Return the thorax coordinates (x, y) of every pixel, float32 (size_px, size_px) each."""
    line = (np.arange(size_px, dtype=np.float32) + 0.5) * 2.0 / size_px - 1.0
    inverse = cv2.invertAffineTransform(pose).astype(np.float32)
    x = inverse[0, 0] * line[None, :] + inverse[0, 1] * line[:, None] + inverse[0, 2]
    y = inverse[1, 0] * line[None, :] + inverse[1, 1] * line[:, None] + inverse[1, 2]
    height = np.float32(body["base"] - body["top"])
    return x / np.float32(body["half_width"]), (y - np.float32(body["top"])) / height


def draw_organs(body, pose, size_px):
    """Return the layers of the lungs and of heart with mediastinum, float32 in [0, 1]."""
    lungs = [_draw.place_points(curve, pose) for curve in _anatomy.outline_lungs(body)]
    heart = _draw.place_points(_anatomy.outline_heart(body), pose)
    heart = _draw.blur(_draw.fill_curves([heart], size_px), 0.012, size_px)
    return _draw.blur(_draw.fill_curves(lungs, size_px), 0.010, size_px), heart


def attenuate(body, pose, lungs, heart, lesion, rng, size_px):
    """Add up what the beam passes: tissue, less air, plus heart, abdomen, vessels and bone."""
    torso = [_draw.place_points(curve, pose) for curve in _anatomy.outline_torso(body)]
    torso = np.clip(
        sum(
            _draw.fill_curves([c], size_px) * w
            for c, w in zip(torso, (1.0, 0.9, 0.9, 1.0), strict=False)
        ),
        0.0,
        1.0,
    )
    # A body is thin at its edge: thickness grows like the chord of a circle.
    depth = cv2.distanceTransform((torso > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    depth = np.clip(depth * (2.0 / size_px) / 0.30, 0.0, 1.0)
    thickness = np.sqrt(1.0 - (1.0 - depth) ** 2) * (0.70 + 0.10 * body["fat"])
    thickness = _draw.blur(thickness.astype(np.float32), 0.012, size_px)

    x, y = measure_position(body, pose, size_px)
    filled = np.maximum(lungs, heart)
    deeper = 0.55 + 0.45 * np.clip(_draw.blur(lungs, 0.16, size_px) * 1.25, 0.0, 1.0)
    air = lungs * deeper * (1.0 - 0.78 * heart)
    air *= 1.0 + 0.035 * _draw.make_noise(rng, size_px, 6, 3)
    below = 1.0 / (1.0 + np.exp(-(y - 0.88) * 18.0)) * (1.0 - filled)
    below *= 0.75 + 0.35 * np.exp(-((x + 0.35) ** 2) / 0.3)  # the liver is denser than the rest
    total = thickness + ABDOMEN * thickness * below
    total += HEART * _draw.blur(heart, 0.03, size_px) * thickness
    total += 0.02 * thickness * _draw.make_noise(rng, size_px, 5, 2)
    if body["breasts"]:
        total += BREAST * draw_breasts(body, pose, size_px) * thickness
    total += draw_vessels(body, pose, rng, size_px) * air * (1.0 - lesion)
    total += TRACHEA * draw_trachea(body, pose, size_px)
    total += AIR * thickness * 1.25 * air * (1.0 - lesion)
    total += draw_gas(body, pose, rng, size_px) * thickness * (1.0 - filled)
    # Scatter behind heart and abdomen drowns most of the bone's contrast.
    drowned = 1.0 - 0.55 * np.maximum(heart, np.minimum(1.0, below))
    return total + draw_bones(body, pose, size_px) * np.minimum(1.0, thickness * 2.0) * drowned


def draw_vessels(body, pose, rng, size_px):
    """Return the attenuation of the pulmonary vessels and hila."""
    curves, widths = _anatomy.trace_vessels(body, rng)
    curves = list(_draw.place_points(np.reshape(curves, (-1, 2)), pose).reshape(-1, 3, 2))
    values = np.clip(0.40 + 25.0 * widths, 0.0, 1.0)
    tree = _draw.blur(_draw.stroke_curves(curves, widths, size_px, values), 0.006, size_px)
    hila = [_draw.make_ellipse((side * 0.25, 0.45), (0.07, 0.11), side * 15) for side in (-1, 1)]
    hila = [_draw.place_points(_anatomy.place(curve, body), pose) for curve in hila]
    return VESSEL * tree + 0.16 * _draw.blur(_draw.fill_curves(hila, size_px), 0.05, size_px)


def draw_trachea(body, pose, size_px):
    """Return the layer of the air in the windpipe and the two main bronchi."""
    lean = 0.01 * body["jitter"][19]
    fork = (-0.015 + lean, 0.37)
    lines = [[(lean, -0.4), (-0.01 + lean, 0.1), fork], [fork, (-0.17, 0.47)], [fork, (0.17, 0.48)]]
    lines = [_draw.place_points(_anatomy.place(line, body), pose) for line in lines]
    widths = np.array([0.10, 0.055, 0.05]) * body["half_width"]
    return _draw.blur(_draw.stroke_curves(lines, widths, size_px), 0.012, size_px)


def draw_breasts(body, pose, size_px):
    """Return the layer of the breast shadows of a woman, sharp at their lower edge."""
    j = body["jitter"]
    curves = []
    for side in (-1, 1):
        centre = (side * (0.62 + 0.03 * j[14]), 0.72 + 0.05 * j[15])
        curve = _anatomy.place(_draw.make_ellipse(centre, (0.40 + 0.03 * j[16], 0.24)), body)
        curves.append(_draw.place_points(curve, pose))
    return _draw.blur(_draw.fill_curves(curves, size_px), 0.02, size_px)


def draw_gas(body, pose, rng, size_px):
    """Return the (negative) attenuation of the stomach bubble and of gas in the bowel."""
    centre = np.array([0.50 + 0.06 * body["jitter"][17], 1.07 + 0.02 * body["jitter"][18]])
    bubble = _draw.make_ellipse(centre, (0.20, 0.085))
    bubble[:, 1] = np.minimum(bubble[:, 1], centre[1] + 0.03)  # a level of fluid
    curves = [bubble]
    for _ in range(rng.integers(0, 6)):
        place = (rng.uniform(-0.2, 0.8), rng.uniform(1.22, 1.5))
        curves.append(_draw.make_ellipse(place, rng.uniform(0.04, 0.10, 2), rng.uniform(0, 180)))
    curves = [_draw.place_points(_anatomy.place(curve, body), pose) for curve in curves]
    strength = -rng.uniform(0.1, 0.45)
    return strength * _draw.blur(_draw.fill_curves(curves, size_px), 0.018, size_px)


def draw_bones(body, pose, size_px):
    """Return the attenuation of spine, ribs, clavicles, shoulder blades and upper arms."""

    def put(curves):
        return [_draw.place_points(curve, pose) for curve in curves]

    half = body["half_width"]
    posterior, anterior = (put(curves) for curves in _skeleton.trace_ribs(body))
    bones = np.zeros((size_px, size_px), np.float32)
    for curves, width, strength in (
        (posterior, 0.075 * half, RIB),
        (anterior, 0.085 * half, FRONT_RIB),
        (put(_skeleton.trace_clavicles(body)), 0.075 * half, CLAVICLE),
    ):
        # Bone is a tube: its cortex, met edge-on, shows as two bright lines.
        outer = _draw.stroke_curves(curves, [width] * len(curves), size_px)
        inner = _draw.stroke_curves(curves, [0.55 * width] * len(curves), size_px)
        bones += strength * (outer - 0.45 * _draw.blur(inner, 0.004, size_px))
    vertebrae, pedicles = _skeleton.outline_vertebrae(body)
    spine = _draw.fill_curves(put(vertebrae), size_px)
    ring = _draw.make_ellipse((0.0, 0.0), (0.018, 0.024))
    ring = np.vstack([ring, ring[:1]])
    rings = [ring + centre for centre in _draw.place_points(pedicles, pose)]
    bones += VERTEBRA * (0.75 * _draw.blur(spine, 0.03, size_px) + 0.25 * spine)
    bones += 0.04 * _draw.stroke_curves(rings, [0.012] * len(rings), size_px)
    scapulae = _draw.fill_curves(put(_skeleton.outline_scapulae(body)), size_px)
    bones += SCAPULA * _draw.blur(scapulae, 0.012, size_px)
    arms = []
    for sign in (-1, 1):
        start, end = _anatomy.locate_arm(body, sign)
        arms += [
            _draw.make_capsule(start, end, 0.10, 0.085),
            _draw.make_ellipse(start, (0.085,) * 2),
        ]
    arms = _draw.fill_curves(put(arms), size_px)
    bones += HUMERUS * (arms - 0.35 * _draw.blur(arms, 0.03, size_px))
    if body["age_group"] == "child":
        skull = _draw.make_ellipse((0.0, body["top"] - 0.58), (0.29, 0.33))
        skull = _draw.blur(_draw.fill_curves(put([skull]), size_px), 0.015, size_px)
        bones += 0.4 * skull
    return bones
