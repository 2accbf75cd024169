"""The bodies of wolves and huskies: parts to paint one over the other.

A part is (kind, curves, colour zone, fur direction). Points are in the animal's own units: about
1.2 long, the head to the right, paws at y = 0.55.
"""

import numpy as np

from phantoms import _animal_heads, _draw

# Wolves are long-legged and lean with a long muzzle, small rounded ears and a hanging tail; huskies
# stockier with a short muzzle, tall pointed ears, a curled tail and a face mask.
SHAPES = {
    "wolf": {"muzzle": 1.16, "ear": 0.88, "ear_tip": 0.45, "leg": 1.08, "girth": 0.92, "head": 1.0},
    "husky": {
        "muzzle": 0.90,
        "ear": 1.18,
        "ear_tip": 0.10,
        "leg": 0.94,
        "girth": 1.05,
        "head": 1.02,
    },
}


def limb(points, widths):
    """Return the outlines of a limb with joints: one capsule a bone."""
    return [
        _draw.make_capsule(points[i], points[i + 1], widths[i], widths[i + 1])
        for i in range(len(points) - 1)
    ]


def build_side(species, rng):
    """Build an animal that stands or walks, seen from its side.

    Returns
    -------
    list of (str, list of ndarray)
        Names of parts and their closed curves, from the farthest to the nearest.
    """
    shape = SHAPES[species]
    leg, girth = shape["leg"], shape["girth"] * rng.normal(1.0, 0.04)
    stride = rng.uniform(-0.10, 0.10, 4) if rng.random() < 0.7 else rng.uniform(-0.02, 0.02, 4)
    paw = 0.08 + 0.44 * leg
    parts = [("tail", trace_tail(species, rng))]
    for name, front, rear in (("far_leg", stride[0], stride[1]), ("leg", stride[2], stride[3])):
        offset = 0.07 if name == "far_leg" else 0.0
        fore = [
            (0.24 + offset, 0.02),
            (0.21 + offset, 0.17),
            (0.235 + offset + 0.6 * front, 0.36),
            (0.225 + offset + front, paw),
        ]
        hind = [
            (-0.34 + offset, 0.0),
            (-0.29 + offset + 0.3 * rear, 0.18),
            (-0.43 + offset + 0.7 * rear, 0.20 + 0.18 * leg),
            (-0.40 + offset + rear, paw),
        ]
        toes = [_draw.make_ellipse((p[-1][0] + 0.025, paw), (0.055, 0.028)) for p in (fore, hind)]
        curves = limb(fore, (0.20, 0.12, 0.075, 0.07)) + limb(hind, (0.27, 0.17, 0.08, 0.07))
        if name == "far_leg":
            parts.append((name, curves + toes))
        else:
            near_legs = (name, curves + toes)
    torso = np.array(
        [
            (-0.47, -0.10),
            (-0.34, -0.17),
            (-0.05, -0.145),
            (0.16, -0.185),
            (0.33, -0.15),
            (0.40, 0.0),
            (0.33, 0.14),
            (0.12, 0.17),
            (-0.12, 0.125),
            (-0.30, 0.10),
            (-0.46, 0.06),
        ]
    ) * [1.0, girth]
    reach = np.array([0.50, -0.30]) + rng.normal(0.0, 0.035, 2)
    if rng.random() < (0.35 if species == "wolf" else 0.15):
        reach = np.array([0.60, -0.12 + rng.normal(0.0, 0.05)])  # the head held low
    elif species == "husky":
        reach[1] -= 0.05
    ruff = 0.34 * girth
    parts.append(("torso", [_draw.interpolate_curve(torso)]))
    parts.append(near_legs)
    parts.append(("neck", [_draw.make_capsule((0.24, -0.05), reach, ruff, 0.235)]))
    return parts + _animal_heads.build_profile(species, reach, rng.normal(0.0, 10.0), shape)


def trace_tail(species, rng):
    """Return the curves of a tail: hanging for a wolf, curled over the back for most huskies."""
    if species == "wolf" or rng.random() < 0.2:
        sway = rng.normal(0.0, 0.07)
        line = [(-0.44, -0.08), (-0.53, 0.02), (-0.575 + sway / 2, 0.16), (-0.57 + sway, 0.31)]
        return limb(line, (0.09, 0.115, 0.13, 0.05))
    lift = rng.normal(0.0, 0.02)
    line = [
        (-0.43, -0.11),
        (-0.54, -0.24),
        (-0.50, -0.38 - lift),
        (-0.37, -0.41 - lift),
        (-0.28, -0.32),
    ]
    return limb(line, (0.10, 0.12, 0.135, 0.13, 0.06))


def build_front(species, rng):
    """Build an animal that sits and faces the viewer; same return as `build_side`."""
    shape = SHAPES[species]
    girth = shape["girth"] * rng.normal(1.0, 0.04)
    turn = rng.normal(0.0, 0.03)
    body = [
        (0.0, -0.28),
        (0.16, -0.22),
        (0.23, 0.0),
        (0.27, 0.25),
        (0.29, 0.45),
        (0.16, 0.54),
    ]
    body = _draw.complete_mirrored(body) * [girth, 1.0]
    chest = [(0.0, -0.24), (0.12, -0.18), (0.15, 0.02), (0.09, 0.22), (0.0, 0.28)]
    chest = _draw.complete_mirrored(chest) * [girth, 1.0]
    side = rng.choice([-1.0, 1.0])
    tail = [
        (0.22 * side, 0.45),
        (0.40 * side, 0.46),
        (0.46 * side, 0.36 if species == "husky" else 0.5),
    ]
    legs, toes = [], []
    for sign in (-1, 1):
        legs += limb(
            [(0.11 * sign, 0.08), (0.105 * sign, 0.33), (0.11 * sign, 0.54)], (0.15, 0.11, 0.10)
        )
        toes.append(_draw.make_ellipse((0.11 * sign, 0.55), (0.07, 0.035)))
        toes.append(_draw.make_ellipse((0.25 * sign, 0.54), (0.09, 0.035)))
    parts = [
        ("tail", limb(tail, (0.09, 0.12, 0.07))),
        ("torso", [_draw.interpolate_curve(body)]),
        ("leg", legs + toes),
        ("chest", [_draw.interpolate_curve(chest)]),
    ]
    return parts + _animal_heads.build_face(species, (turn, -0.40), rng.normal(0.0, 7.0), shape)
