"""The heads of wolves and huskies, from the side and from the front."""

import numpy as np

from phantoms import _draw


def build_profile(species, place, angle_degrees, shape):
    """Build a head seen from its side, at `place`."""
    long = shape["muzzle"]
    pose = _draw.make_pose(angle_degrees, shape["head"] * 1.12, place)

    def put(points):
        return _draw.place_points(points, pose)

    skull = [
        (-0.13, 0.02),
        (-0.10, -0.09),
        (-0.01, -0.125),
        (0.07, -0.085),
        (0.12, -0.045),
        (0.19 * long, -0.03),
        (0.245 * long, -0.005),
        (0.235 * long, 0.035),
        (0.13 * long, 0.055),
        (0.04, 0.09),
        (-0.06, 0.11),
    ]
    muzzle = [
        (0.07, -0.02),
        (0.13, -0.02),
        (0.235 * long, 0.01),
        (0.225 * long, 0.038),
        (0.12 * long, 0.058),
        (0.03, 0.095),
        (-0.05, 0.10),
        (-0.02, 0.03),
    ]
    tall, blunt = 0.135 * shape["ear"], 0.012 + 0.022 * shape["ear_tip"]
    ear = [
        (-0.115, -0.06),
        (-0.105, -0.09 - 0.6 * tall),
        (-0.075 - blunt / 2, -0.10 - tall),
        (-0.075 + blunt, -0.10 - tall),
        (-0.015, -0.10),
    ]
    inner = [(-0.095, -0.085), (-0.075, -0.085 - 0.75 * tall), (-0.035, -0.10)]
    brow = [(0.0, -0.095), (0.05, -0.085), (0.085, -0.05), (0.05, -0.055)]
    return [
        ("far_ear", [put(np.array(ear) + [0.055, 0.012])]),
        ("head", [put(_draw.interpolate_curve(skull))]),
        ("face", [put(_draw.interpolate_curve(muzzle))]),
        ("brow", [put(_draw.interpolate_curve(brow))]),
        ("ear", [put(ear)]),
        ("inner_ear", [put(inner)]),
        ("eye", [put(_draw.make_ellipse((0.055, -0.042), (0.017, 0.013)))]),
        ("pupil", [put(_draw.make_ellipse((0.057, -0.042), (0.0085, 0.0095)))]),
        ("nose", [put(_draw.make_ellipse((0.236 * long, -0.002), (0.024, 0.02)))]),
        ("mouth", [put(_draw.make_capsule((0.10, 0.045), (0.215 * long, 0.035), 0.008, 0.008))]),
    ]


def build_face(species, place, angle_degrees, shape):
    """Build a head seen from its front, at `place`."""
    long, wide = shape["muzzle"], 1.0 if species == "husky" else 0.95
    pose = _draw.make_pose(angle_degrees, shape["head"] * 1.15, place)

    def put(points):
        return _draw.place_points(points, pose)

    def both(points):
        points = np.asarray(points, float)
        return [put(points), put(points * [-1.0, 1.0])]

    skull = [
        (0.0, -0.16),
        (0.09, -0.15),
        (0.15, -0.07),
        (0.20, 0.05),
        (0.135, 0.13),
        (0.07, 0.17),
        (0.0, 0.18),
    ]
    skull = _draw.complete_mirrored(skull) * [wide, 1.0]
    tall, blunt = 0.125 * shape["ear"], 0.010 + 0.03 * shape["ear_tip"]
    ear = [
        (0.045, -0.14),
        (0.085, -0.15 - 0.6 * tall),
        (0.125 - blunt, -0.14 - tall),
        (0.125 + blunt, -0.135 - tall),
        (0.165, -0.12 - 0.5 * tall),
        (0.155, -0.06),
    ]
    inner = [(0.075, -0.13), (0.122, -0.12 - 0.78 * tall), (0.142, -0.08)]
    # The white mask: cheeks, muzzle, and a spot over each eye, with a dark wedge between.
    mask = [
        (0.015, -0.01),
        (0.04, -0.09),
        (0.085, -0.085),
        (0.115, -0.02),
        (0.165, 0.055),
        (0.11, 0.13),
        (0.0, 0.175),
        (0.0, 0.0),
    ]
    width = 0.068 if species == "wolf" else 0.075
    muzzle = [
        (0.0, -0.005),
        (0.8 * width, 0.02),
        (width, 0.08),
        (0.7 * width, 0.145 * long),
        (0.0, 0.165 * long),
    ]
    muzzle = _draw.complete_mirrored(muzzle)
    return [
        ("ear", both(ear)),
        ("inner_ear", both(inner)),
        ("head", [put(_draw.interpolate_curve(skull))]),
        ("face", both(mask)),
        ("muzzle", [put(_draw.interpolate_curve(muzzle))]),
        ("bridge", [put(_draw.make_capsule((0.0, -0.12), (0.0, 0.05 * long), 0.05, 0.035))]),
        ("eye", both(_draw.make_ellipse((0.078, -0.028), (0.021, 0.015), -15))),
        ("pupil", both(_draw.make_ellipse((0.078, -0.028), (0.0095, 0.011)))),
        ("nose", [put(_draw.make_ellipse((0.0, 0.095 * long), (0.034, 0.024)))]),
        (
            "mouth",
            [
                put(_draw.make_capsule((0.0, 0.105 * long), (0.0, 0.135 * long), 0.007, 0.007)),
                *both(_draw.make_capsule((0.0, 0.135 * long), (0.05, 0.128 * long), 0.007, 0.006)),
            ],
        ),
    ]
