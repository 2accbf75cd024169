"""Drawing primitives shared by the chest and the animal phantoms.

Points live in picture units: the picture spans [-1, 1] in both directions, y grows downwards, so a
drawing does not depend on the size of its canvas. Shapes are drawn at `OVERSAMPLING` times the size
and averaged down, which keeps thin lines smooth at 64 px and at 512 px alike.
"""

import functools

import cv2
import numpy as np
from scipy import interpolate

OVERSAMPLING = 2
SUBPIXEL_BITS = 4  # OpenCV takes fixed-point coordinates: 1/16 of a pixel


def interpolate_curve(points, closed=True, num_points=80):
    """Lay a smooth curve through four or more points (interpolating cubic spline).

    Both are in picture units: (n, 2) and (num_points, 2), float64.
    """
    points = np.asarray(points, dtype=float)
    return make_spline_weights(len(points), closed, num_points) @ points


@functools.lru_cache(maxsize=64)
def make_spline_weights(num_knots, closed, num_points):
    """Return what each knot weighs at each point of a spline, (num_points, num_knots).

    A spline over evenly spaced knots is linear in them, so this is worked out once for all curves
    of as many points.
    """
    unit = np.eye(num_knots)
    if closed:
        unit = np.vstack([unit, unit[:1]])
    knots = np.arange(len(unit), dtype=float)
    spline = interpolate.CubicSpline(knots, unit, bc_type="periodic" if closed else "natural")
    return spline(np.linspace(0.0, knots[-1], num_points))


def complete_mirrored(half):
    """Add to the right half of an outline, from top to bottom, its mirror image back to the top."""
    back = np.array(half)[::-1]
    return np.vstack([half, back[back[:, 0] > 0] * [-1.0, 1.0]])


def place_points(points, matrix):
    """Apply a 2 x 3 affine matrix to points of shape (n, 2)."""
    return np.asarray(points, dtype=float) @ matrix[:, :2].T + matrix[:, 2]


def make_pose(angle_degrees=0.0, scale=1.0, shift=(0.0, 0.0)):
    """Return the 2 x 3 affine matrix that turns, scales and then shifts."""
    angle = np.deg2rad(angle_degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([np.broadcast_to(scale, 2)[None, :] * turn, np.reshape(shift, (2, 1))])


def fix_points(points, size_px):
    """Convert picture units to the fixed-point canvas coordinates that OpenCV draws at."""
    canvas_px = size_px * OVERSAMPLING
    pixels = (np.asarray(points) + 1.0) * (canvas_px / 2.0) - 0.5
    return np.round(pixels * 2**SUBPIXEL_BITS).astype(np.int32)


def average_down(canvas, size_px):
    """Average an oversampled canvas down to `size_px`, as float32 in [0, 1]."""
    small = cv2.resize(canvas, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255.0


def fill_curves(curves, size_px):
    """Fill closed curves (their union) into a layer, float32 (size_px, size_px) in [0, 1]."""
    canvas = np.zeros((size_px * OVERSAMPLING,) * 2, np.uint8)
    for curve in curves:
        cv2.fillPoly(canvas, [fix_points(curve, size_px)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return average_down(canvas, size_px)


def stroke_curves(curves, widths, size_px, values=None):
    """Draw open curves into a layer, the larger value winning where they cross.

    Parameters
    ----------
    curves : list of ndarray of shape (n, 2)
    widths : sequence of float
        One a curve, in picture units. A width under one pixel makes the line fainter instead.
    size_px : int
    values : sequence of float in [0, 1], optional
        Brightness of each curve, 1 by default.

    Returns
    -------
    ndarray of shape (size_px, size_px), dtype=float32, in [0, 1]
    """
    canvas = np.zeros((size_px * OVERSAMPLING,) * 2, np.uint8)
    values = np.ones(len(curves)) if values is None else np.asarray(values)
    wanted = np.asarray(widths) * size_px * OVERSAMPLING / 2.0
    brightness = np.round(255 * values * np.minimum(1.0, wanted)).astype(int)
    thickness = np.maximum(1, np.round(wanted)).astype(int)
    fixed = fix_points(np.concatenate(curves), size_px)
    ends = np.cumsum([len(curve) for curve in curves])
    fixed = [fixed[end - len(curve) : end] for curve, end in zip(curves, ends, strict=True)]
    # One call for all curves alike, the brightest last, so that they lie on top.
    for value, width in sorted(set(zip(brightness.tolist(), thickness.tolist(), strict=True))):
        alike = np.flatnonzero((brightness == value) & (thickness == width))
        points = [fixed[index] for index in alike]
        cv2.polylines(canvas, points, False, value, width, cv2.LINE_AA, SUBPIXEL_BITS)
    return average_down(canvas, size_px)


def make_ellipse(centre, radii, angle_degrees=0.0, num_points=40):
    """Return an ellipse as a closed curve of shape (num_points, 2)."""
    turn = np.linspace(0.0, 2.0 * np.pi, num_points, endpoint=False)
    circle = np.stack([np.cos(turn) * radii[0], np.sin(turn) * radii[1]], axis=1)
    return place_points(circle, make_pose(angle_degrees, 1.0, centre))


def make_capsule(start, end, start_width, end_width, num_points=12):
    """Return the outline of a limb: a rounded bar from `start` to `end`, widths in units."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    heading = np.arctan2(*(end - start)[::-1])
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, num_points) + heading
    cap = np.stack([np.cos(half), np.sin(half)], axis=1)
    return np.vstack([start + cap * start_width / 2, end - cap * end_width / 2])


def blur(layer, sigma, size_px):
    """Blur a layer with a Gaussian whose `sigma` is in picture units."""
    sigma_px = sigma * size_px / 2.0
    if sigma_px < 0.2:
        return layer
    if sigma_px <= 4:
        return cv2.GaussianBlur(layer, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
    # A wide blur holds no detail: do it on a smaller copy, several times faster.
    factor = max(1, int(sigma_px // 2))
    small_px = max(8, size_px // factor)
    small = cv2.resize(layer, (small_px, small_px), interpolation=cv2.INTER_AREA)
    sigma_small = sigma_px * small_px / size_px
    small = cv2.GaussianBlur(small, (0, 0), sigma_small, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (size_px, size_px), interpolation=cv2.INTER_CUBIC)


def make_noise(rng, size_px, num_cells, num_octaves=1):
    """Draw smooth noise of mean 0 and standard deviation about 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    size_px : int
    num_cells : int or (int, int)
        Cells down and across in the first octave; each further octave doubles them and counts half.
    num_octaves : int

    Returns
    -------
    ndarray of shape (size_px, size_px), dtype=float32
    """
    rows, columns = np.broadcast_to(num_cells, 2)
    total, power = np.zeros((size_px, size_px), np.float32), 0.0
    for octave in range(num_octaves):
        weight = 0.5**octave
        shape = (max(2, int(rows) * 2**octave), max(2, int(columns) * 2**octave))
        cells = rng.standard_normal(shape, dtype=np.float32)
        enlarged = cv2.resize(cells, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
        total += weight * enlarged
        power += (0.65 * weight) ** 2  # 0.65: what interpolation leaves of the deviation
    return total / np.float32(np.sqrt(power))
