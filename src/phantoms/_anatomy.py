"""The bodies of the chest phantoms: outlines of organs and bones, one set a patient.

Everything here returns curves in picture units; `chest` turns them into attenuation. Thorax
coordinates put the inner chest wall at x = -1 and 1, the lung apices at y = 0 and the costophrenic
angles at y = 1. The patient's right side is on the left of the picture, as on a light box.
"""

import numpy as np

from phantoms import _draw

# Means and standard deviations by age group, in picture units unless said otherwise. Children have
# a shorter, rounder thorax, a larger heart for it (cardiothoracic ratio up to 0.55 against 0.5)
# and are held with raised arms.
BODIES = {
    "adult": {
        "half_width": (0.70, 0.035),
        "top": (-0.70, 0.04),
        "base": (0.62, 0.05),
        "heart_ratio": (0.45, 0.035),
        "wall": (0.13, 0.03),
        "arm_angle": (14.0, 5.0),  # degrees from hanging straight down
        "arm_width": (0.34, 0.03),
        "rib_slope": (0.30, 0.05),
    },
    "child": {
        "half_width": (0.62, 0.04),
        "top": (-0.50, 0.05),
        "base": (0.54, 0.05),
        "heart_ratio": (0.53, 0.03),
        "wall": (0.11, 0.02),
        "arm_angle": (148.0, 12.0),
        "arm_width": (0.26, 0.02),
        "rib_slope": (0.17, 0.05),
    },
}
WALL = {  # inner outline of the chest wall of the left lung, apex to costophrenic angle
    "adult": [
        (0.20, 0.03),
        (0.34, 0.0),
        (0.54, 0.05),
        (0.73, 0.17),
        (0.86, 0.36),
        (0.95, 0.60),
        (1.0, 0.82),
        (1.0, 0.95),
    ],
    "child": [
        (0.22, 0.04),
        (0.36, 0.0),
        (0.58, 0.05),
        (0.79, 0.17),
        (0.93, 0.37),
        (1.0, 0.60),
        (1.02, 0.82),
        (0.99, 0.95),
    ],
}


def draw_body(row, rng):
    """Draw the measures of one patient and one exposure; `row` has age_group, sex and view."""
    body = {name: rng.normal(*spread) for name, spread in BODIES[row["age_group"]].items()}
    body["age_group"] = row["age_group"]
    body["fat"] = rng.uniform(0.0, 1.0)
    body["jitter"] = rng.normal(0.0, 1.0, size=24)
    body["num_ribs"] = 10
    body["breasts"] = row["age_group"] == "adult" and row["sex"] == "F"
    if row["view"] == "AP":
        # Lying or sitting in bed: the heart is magnified, the breath shallower.
        body["heart_ratio"] *= 1.10
        body["base"] -= 0.07
    return body


def place(points, body):
    """Convert thorax coordinates to picture units."""
    scale = np.array([body["half_width"], body["base"] - body["top"]])
    return np.asarray(points, dtype=float) * scale + np.array([0.0, body["top"]])


def mirror(points):
    """Mirror points at the midline."""
    return np.asarray(points, dtype=float) * [-1.0, 1.0]


def outline_lungs(body):
    """Return the closed curves of the right and the left lung, heart not yet taken out."""
    wall = np.array(WALL[body["age_group"]])
    jitter = body["jitter"]
    curves = []
    for side, rise in ((-1, 0.02 + 0.02 * jitter[0]), (1, -0.03 + 0.02 * jitter[1])):
        dome = np.array([(0.97, 1.01), (0.86, 0.93), (0.66, 0.865), (0.44, 0.845), (0.2, 0.88)])
        dome[1:, 1] -= rise
        middle = [(0.03, 0.7), (0.03, 0.4), (0.06, 0.15)]
        outer = wall * [1.0 + 0.015 * jitter[2 + (side > 0)], 1.0]
        points = np.vstack([outer, dome, middle]) * [side, 1.0]
        curves.append(place(_draw.interpolate_curve(points, num_points=120), body))
    return curves


def outline_heart(body):
    """Return the closed curve of heart and mediastinum in picture units."""
    j = body["jitter"]
    ratio = body["heart_ratio"]
    right, left = 0.70 * ratio, 1.32 * ratio
    if body["age_group"] == "child":
        # The thymus widens the upper mediastinum and hides the aortic knob.
        upper = 0.19 + 0.03 * j[4]
        great = [(0.13, -0.15), (upper, 0.16), (upper + 0.03, 0.32), (0.25, 0.44)]
    else:
        knob = 0.21 + 0.02 * j[4]
        great = [(0.12, -0.15), (0.13, 0.14), (knob, 0.26), (0.18, 0.37), (0.23, 0.46)]
        upper = 0.15 + 0.015 * j[5]
    points = [
        *great,
        (0.62 * left, 0.58),
        (0.90 * left, 0.73),
        (left, 0.85 + 0.02 * j[6]),
        (0.86 * left, 0.92),
        (0.40 * left, 0.97),
        (-0.3 * right, 0.98),
        (-0.80 * right, 0.90),
        (-right, 0.74),
        (-0.88 * right, 0.58),
        (-upper, 0.42),
        (-upper, 0.20),
        (-0.12, -0.15),
    ]
    return place(_draw.interpolate_curve(points, num_points=120), body)


def outline_torso(body):
    """Return the closed curves of torso, neck, arms and, for a child, the head."""
    half, wall = body["half_width"], body["wall"]
    top, base = body["top"], body["base"]
    child = body["age_group"] == "child"
    neck = 0.17 if child else 0.21
    shoulder = half * (1.02 if child else 1.24)
    side = [
        (neck, top - 0.75),
        (neck, top - 0.24),
        (neck + 0.12, top - 0.12),
        (shoulder * 0.72, top - 0.03),
        (shoulder, top + 0.12),
        (half + wall * 0.9, top + 0.50),
        (half + wall, top + 0.85),
        (half + wall * (1.0 + 0.2 * body["fat"]), base),
        (half + wall * (0.9 + 0.5 * body["fat"]), base + 0.45),
        (half + wall * (0.9 + 0.7 * body["fat"]), base + 1.0),
    ]
    right_edge = _draw.interpolate_curve(side, closed=False, num_points=60)
    curves = [np.vstack([right_edge, mirror(right_edge)[::-1]])]
    for sign in (-1, 1):
        start, end = locate_arm(body, sign)
        width = body["arm_width"]
        curves.append(_draw.make_capsule(start, end, 1.5 * width, 0.9 * width))
    if child:
        centre = (0.03 * body["jitter"][7], top - 0.62)
        curves.append(_draw.make_ellipse(centre, (0.33, 0.40)))
    return curves


def locate_arm(body, sign):
    """Return shoulder joint and elbow of the arm on one side (`sign` -1 or 1), picture units."""
    child = body["age_group"] == "child"
    reach = body["half_width"] * (1.06 if child else 1.26)
    start = np.array([sign * reach, body["top"] + (0.05 if child else 0.16)])
    angle = np.deg2rad(body["arm_angle"] + 5.0 * body["jitter"][8 + (sign > 0)])
    end = start + 0.95 * np.array([sign * np.sin(angle), np.cos(angle)])
    return start, end


def trace_vessels(body, rng):
    """Grow the vessel trees of both lungs from their hila, forking four times.

    Returns
    -------
    (list of ndarray, ndarray of shape (n,))
        Curves of shape (3, 2) in picture units and their widths in picture units.
    """
    first = np.deg2rad([-72, -45, -15, 12, 38, 60, 78])
    side = np.repeat([-1.0, 1.0], len(first))
    heading = np.tile(first, 2) + rng.normal(0.0, 0.12, len(side))
    start = np.stack([0.26 * side, np.where(side < 0, 0.45, 0.42)], axis=1)
    width, length, segments, widths = 0.024, 0.17, [], []
    for _ in range(5):
        bend = heading + rng.normal(0.0, 0.30, len(side))
        middle = start + 0.5 * length * np.stack([side * np.cos(heading), np.sin(heading)], axis=1)
        end = middle + 0.5 * length * np.stack([side * np.cos(bend), np.sin(bend)], axis=1)
        segments.append(np.stack([start, middle, end], axis=1))
        widths.append(np.full(len(side), width))
        fork = rng.uniform(0.10, 0.60, (2, len(side))) * [[1.0], [-1.0]]
        heading = (bend + fork).ravel()
        start, side = np.tile(end, (2, 1)), np.tile(side, 2)
        width, length = width * 0.64, length * 0.80
    segments = np.concatenate(segments)
    placed = place(segments.reshape(-1, 2), body).reshape(segments.shape)
    return list(placed), np.concatenate(widths)
