"""Find symbols burned into radiographs, and paint them over.

Letters, arrows and markers are among the brightest of an image, rise sharply from their ground all
around, and are small. Bones are bright too, which is why a threshold alone takes them along
("COVID-19 Transfer Learning Using Lung Images" did that); but their edges are soft.
"""

import cv2
import numpy as np

# All shares are of the longer side or of the brightest value, so that they hold at any size. They
# were set by eye on 96 real X-rays (Cohen, Kermany, NIH) and on phantoms of four sizes.
MIN_SIDE_PX = 32  # in less, a letter is three pixels and so is a rib
KERNEL_SHARE = 0.05  # wider than any stroke, narrower than the anatomy around it
WHITE_PERCENTILE = 99.5
BRIGHT_SHARE = 0.88  # of that percentile
MIN_RISE, MIN_RISE_CENTRE = 55, 80  # gray values above the ground
CENTRE_SHARE = 0.7  # bones and vessels lie there: only what is plain counts
MIN_SHARPNESS, MIN_SHARPNESS_CENTRE = 0.5, 0.6  # mean step at the outline, of the rise
STEEP, STEEP_SHARE = 0.25, 0.8  # so much of the outline is at least so steep
# Gray letters on the black air near the border: nothing else there rises at all.
AIR_SHARE, AIR_WIDTH, MIN_RISE_AIR, MIN_SHARPNESS_AIR = 0.22, 0.12, 40, 0.6
MAX_HALF_STROKE_SHARE = 0.013  # thicker is a piece of anatomy that a frame has cut off
MAX_EXTENT_SHARE, MAX_AREA_SHARE, MIN_AREA_PX = 0.16, 0.01, 4
EDGE_RISE, EDGE_RISE_STRICT = 0.35, 0.5  # antialiased outline, of the symbol's rise
MAX_TOTAL_SHARE = 0.1  # more than this is no writing: the image is left alone
INPAINT_RADIUS_PX = 3
SQUARE = np.ones((3, 3), np.uint8)


def find_symbols(image, strict=False):
    """Find the pixels of letters, arrows and other symbols burned into an image.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8 or float32, in [0, 255]
    strict : bool
        Keep only symbols outside the centre, without their soft edges: for carrying them over,
        where a missed letter costs less than a piece of bone.

    Returns
    -------
    ndarray of shape (height, width), dtype=bool
        All False where nothing is found, where the image is smaller than 32 pixels, and where so
        much is found (a tenth of the image) that it cannot be writing. Not found: dark and faint
        symbols, large ones, what touches the edge of the image. Found though they are none:
        whatever else is small, bright and sharp, such as wires, clips and eyes.
    """
    gray = to_gray(image)
    none = np.zeros(gray.shape, dtype=bool)
    if min(gray.shape) < MIN_SIDE_PX:
        return none
    width = max(7, round(KERNEL_SHARE * max(gray.shape)) | 1)
    ground = cv2.morphologyEx(gray, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    rise = gray - ground
    if rise.max() < MIN_RISE_AIR:
        return none
    white = _find_percentile(gray, WHITE_PERCENTILE)
    bright = gray >= BRIGHT_SHARE * white
    centre = make_centre(gray.shape, CENTRE_SHARE)
    near_border = ~make_centre(gray.shape, 1 - 2 * AIR_WIDTH)
    in_air = near_border & (ground <= AIR_SHARE * white)
    steps = _measure_steps(gray)
    plain = _select(bright & (rise >= MIN_RISE_CENTRE), rise, steps, MIN_SHARPNESS_CENTRE)
    if strict:
        found, edge = plain & ~centre, EDGE_RISE_STRICT
    else:
        found = _select(bright & (rise >= MIN_RISE), rise, steps, MIN_SHARPNESS) & ~centre
        found |= _select(in_air & (rise >= MIN_RISE_AIR), rise, steps, MIN_SHARPNESS_AIR)
        found, edge = found | (plain & centre), EDGE_RISE
    if not found.any() or found.mean() > MAX_TOTAL_SHARE:
        return none
    return _add_edges(found, rise, edge)


def make_centre(shape, share):
    """Return the centre of an image as a mask: `share` of its height and of its width."""
    box = np.zeros(shape, dtype=bool)
    rows, columns = (round(side * (1 - share) / 2) for side in shape)
    box[rows : shape[0] - rows, columns : shape[1] - columns] = True
    return box


def is_gray(image):
    """Tell whether the three channels of an image are the same."""
    red, green, blue = np.moveaxis(image, 2, 0)
    return (red == green).all() and (red == blue).all()


def to_gray(image):
    """Return an image as uint8 of shape (height, width)."""
    # The channels of an X-ray are equal; of a colour image the brightest shows a symbol best.
    red, green, blue = (cv2.extractChannel(image, number) for number in range(3))
    return cv2.convertScaleAbs(cv2.max(cv2.max(red, green), blue))


def paint_out(image, found):
    """Paint over symbols from their surroundings (Telea 2004, doi 10.1080/10867651.2004.10487596).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8 or float32, in [0, 255]
    found : ndarray of shape (height, width), dtype=bool
        Painted with one pixel more all around: what is left of an edge would still spell a letter.

    Returns
    -------
    ndarray of the shape and type of `image`
        All other pixels are the same to the last bit.
    """
    found = cv2.dilate(found.astype(np.uint8), SQUARE) > 0
    if not found.any() or found.all():
        return image.copy()
    # Only a box around the symbols is given to OpenCV, whose time grows with the image.
    rows, columns = (np.flatnonzero(found.any(axis=axis)) for axis in (1, 0))
    pad = 2 * INPAINT_RADIUS_PX + 1
    box = tuple(slice(max(0, side[0] - pad), side[-1] + pad + 1) for side in (rows, columns))
    eight_bits = np.clip(np.rint(image[box]), 0, 255).astype(np.uint8)
    hole = found[box].astype(np.uint8)
    gray = is_gray(eight_bits)
    source = np.ascontiguousarray(eight_bits[..., 0] if gray else eight_bits)
    filled = cv2.inpaint(source, hole, INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    treated = image.copy()
    inside = found[box]
    treated[box][inside] = (filled[..., np.newaxis] if gray else filled)[inside]
    return treated


def _find_percentile(gray, percentile):
    counts = np.cumsum(np.bincount(gray.ravel(), minlength=256))
    return int(np.searchsorted(counts, percentile / 100 * counts[-1]))


def _measure_steps(gray):
    """Steepness at each pixel; a step of height h between two neighbours measures h."""
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *axis, scale=0.25) for axis in ((1, 0), (0, 1)))
    return cv2.magnitude(across, down)


def _select(candidates, rise, steps, min_sharpness):
    """Keep the connected parts that are small and sharp all around."""
    candidates = candidates.astype(np.uint8)
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    outline = cv2.morphologyEx(candidates, cv2.MORPH_GRADIENT, SQUARE) > 0
    owners = cv2.dilate(numbers.astype(np.float32), SQUARE)[outline].astype(np.int32)
    sizes = np.maximum(np.bincount(owners, minlength=count), 1)
    inside = numbers > 0
    heights = np.bincount(numbers[inside], weights=rise[inside], minlength=count)
    x, y, width, height, area = stats.T
    heights = heights / np.maximum(area, 1)
    sharpness = np.bincount(owners, weights=steps[outline], minlength=count) / sizes
    steep = steps[outline] >= STEEP * heights[owners]
    steep = np.bincount(owners, weights=steep, minlength=count) / sizes
    rows, columns = candidates.shape
    kept = (sharpness >= min_sharpness * heights) & (steep >= STEEP_SHARE)
    kept &= (area >= MIN_AREA_PX) & (area <= MAX_AREA_SHARE * candidates.size)
    kept &= np.maximum(width, height) <= MAX_EXTENT_SHARE * max(rows, columns)
    reach = 2 * max(2, round(MAX_HALF_STROKE_SHARE * max(rows, columns))) + 1
    core = cv2.erode(candidates, np.ones((reach, reach), np.uint8)) > 0
    kept[np.unique(numbers[core])] = False
    # What runs out of the image is anatomy or a frame.
    kept &= (x > 0) & (y > 0) & (x + width < columns) & (y + height < rows)
    kept[0] = False
    return kept[numbers]


def _add_edges(found, rise, share):
    """Add pixels next to a symbol that rise by a share of it."""
    reach = max(1, round(max(found.shape) / 300))
    square = np.ones((2 * reach + 1,) * 2, np.uint8)
    peak = cv2.dilate(np.where(found, rise, 0).astype(np.uint8), square)
    return (peak > 0) & (rise >= share * peak)
