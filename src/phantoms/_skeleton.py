"""The bones of the chest phantoms, as lines and outlines in picture units."""

import numpy as np

from phantoms import _anatomy, _draw


def trace_ribs(body):
    """Return the centre lines of the posterior and of the anterior ribs.

    Returns
    -------
    (list of ndarray, list of ndarray)
        Curves of shape (n, 2) in picture units, posterior and anterior, both sides.
    """
    wall = _draw.interpolate_curve(_anatomy.WALL[body["age_group"]], closed=False)
    uneven = np.sin(np.arange(2 * body["num_ribs"]) * (5.0 + body["jitter"][20])) * 0.010
    posterior, anterior = [], []
    steps = np.linspace(0.0, 1.0, 24)
    for number in range(body["num_ribs"]):
        for sign in (-1, 1):
            root = -0.06 + 0.105 * number + uneven[2 * number + (sign > 0)]
            slope = body["rib_slope"] * (0.55 + 0.07 * number)
            reach_y = root + slope * 0.75
            reach = np.interp(np.clip(reach_y, 0.03, 0.95), wall[2:, 1], wall[2:, 0]) + 0.02
            x = 0.07 + (reach - 0.07) * steps
            # Up from the spine over the dome of the chest, then down towards the side.
            y = root + slope * steps**1.9 - 0.045 * np.sin(np.pi * np.minimum(1.0, steps * 1.5))
            posterior.append(_anatomy.place(np.stack([sign * x, y], axis=1), body))
            if number > 6:
                continue
            # In front the rib comes back towards the breastbone, falling steeply, and ends in
            # cartilage, which does not show.
            end_x = 0.30 + 0.035 * number
            fall = 0.17 + 0.02 * number
            x = reach + (end_x - reach) * steps
            y = y[-1] + fall * np.sin(steps * np.pi / 2) + 0.02 * steps
            anterior.append(_anatomy.place(np.stack([sign * x, y], axis=1), body))
    return posterior, anterior


def trace_clavicles(body):
    """Return the centre lines of both clavicles in picture units."""
    curves = []
    lift = -0.09 if body["age_group"] == "child" else 0.0
    for sign in (-1, 1):
        tip = body["jitter"][12 + (sign > 0)] * 0.015
        points = [
            (0.10, 0.15),
            (0.30, 0.115),
            (0.55, 0.06 + lift / 2),
            (0.80, 0.03 + lift),
            (1.03, 0.03 + lift + tip),
        ]
        points = np.array(points) * [sign, 1.0]
        curves.append(
            _anatomy.place(_draw.interpolate_curve(points, closed=False, num_points=24), body)
        )
    return curves


def outline_scapulae(body):
    """Return the closed curves of both shoulder blades in picture units."""
    spread = 0.86 if body["age_group"] == "adult" else 0.90
    points = [
        (spread + 0.08, 0.02),
        (spread - 0.04, 0.16),
        (spread - 0.02, 0.36),
        (spread + 0.05, 0.52),
        (spread + 0.13, 0.36),
        (spread + 0.20, 0.10),
    ]
    curve = _draw.interpolate_curve(points, num_points=40)
    return [_anatomy.place(curve, body), _anatomy.place(_anatomy.mirror(curve), body)]


def outline_vertebrae(body):
    """Return vertebral bodies (closed curves) and the centres of their pedicles."""
    height = 0.083 if body["age_group"] == "adult" else 0.085
    bodies, pedicles = [], []
    for number in range(-5, 22):
        y = 0.02 + number * height
        half = 0.085 + 0.0015 * number
        box = [
            (-half, y),
            (-0.9 * half, y + height * 0.42),
            (-half, y + height * 0.84),
            (half, y + height * 0.84),
            (0.9 * half, y + height * 0.42),
            (half, y),
        ]
        bodies.append(_anatomy.place(box, body))
        pedicles += [(-0.62 * half, y + 0.3 * height), (0.62 * half, y + 0.3 * height)]
    return bodies, _anatomy.place(pedicles, body)
