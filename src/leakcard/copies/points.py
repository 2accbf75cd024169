"""Points of an image that a copy keeps, however it was turned, cut or inverted, and their likes.

SIFT (Lowe 2004, doi 10.1023/B:VISI.0000029664.99615.94) finds points and describes what surrounds
them by histograms of directions, here root-normalised (RootSIFT, Arandjelovic and Zisserman 2012).
A descriptor is kept as its lowest frequencies: among these the mirror image and the negative of an
image are a change of signs, so that neither has to be described, and nothing has to be learned.

Images that share points are found by votes: the strongest points of an image ask for points like
them (an inverted file, Sivic and Zisserman 2003), and answers count together where they agree on
by how much the image was turned (weak geometric consistency, Jegou et al. 2008).
"""

import dataclasses
import itertools

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from leakcard import images

SIDE_PX = 256
MAX_POINTS = 400
# Lowe's 0.04 leaves smooth X-rays with a third of the points.
CONTRAST_THRESHOLD = 0.01
CLAHE_LIMIT, CLAHE_TILES = 2.0, (8, 8)

NUM_CELLS, NUM_DIRECTIONS = 4, 8  # of SIFT: 4 x 4 cells of 8 directions
# Down and across the cells, around the directions: 88 % of the variance on real X-rays.
NUM_FREQUENCIES = (3, 4, 5)
NUM_VALUES = int(np.prod(NUM_FREQUENCIES))
UNIT = 127  # what a length of 1 is as int8

VARIANTS = tuple(itertools.product((False, True), repeat=2))  # mirrored, negative
MIRRORED = VARIANTS.index((True, False))
COLUMNS = ("first", "second", "variant", "score")

NUM_ASKING = 128  # strongest points of an image that ask and answer
MIN_COSINE = 0.95
CELL_SIZE = 1000  # points in one cell of the inverted file, about
NUM_PROBES = 2  # cells that a point asks
MAX_ANSWERS = 100  # of a cell, about: frames of one film would all answer
CHUNK_SIZE = 10_000  # points held as float32 at a time
NUM_TURNS = 16  # bins around the circle, each of twice the width, so that they overlap
MIN_VOTES = 2
BATCH_SIZE = 128  # images that ask at once


@dataclasses.dataclass(frozen=True)
class Points:
    """The points of an image, the strongest first.

    Attributes
    ----------
    places : ndarray of shape (n_points, 2), dtype=float32, in [0, SIDE_PX)
        x and y once the image is resized to a square of `SIDE_PX`.
    angles : ndarray of shape (n_points,), dtype=float32, in [0, 360)
        Main direction.
    descriptors : ndarray of shape (n_points, NUM_VALUES), dtype=int8
        Vectors of length `UNIT`.
    """

    places: np.ndarray
    angles: np.ndarray
    descriptors: np.ndarray


def _make_basis():
    """The lowest frequencies of a descriptor, and their signs in each variant of an image.

    A mirror swaps the ends of the rows of cells and turns directions backwards. In a negative every
    main direction is the opposite one, and with it both axes swap ends.
    """
    steps = np.arange(NUM_CELLS)
    cosines = np.cos(np.pi * (steps + 0.5) * steps[:, np.newaxis] / NUM_CELLS)
    angles = np.arange(NUM_DIRECTIONS) * 2 * np.pi / NUM_DIRECTIONS
    waves = np.stack([wave(n * angles) for n in range(5) for wave in (np.cos, np.sin)])
    waves = waves[[0, *range(2, 9)]]  # the sine of the zeroth and of the fourth are zero
    is_odd_wave = np.arange(NUM_DIRECTIONS) % 2 == 0
    is_odd_wave[0] = False
    axes = [
        axis[:number] / np.linalg.norm(axis[:number], axis=1, keepdims=True)
        for axis, number in zip((cosines, cosines, waves), NUM_FREQUENCIES, strict=True)
    ]
    basis = np.einsum("ur,vc,wk->uvwrck", *axes).reshape(NUM_VALUES, -1)
    u, v, w = (grid.ravel() for grid in np.indices(NUM_FREQUENCIES))
    mirrored = np.where((u + is_odd_wave[w]) % 2, -1, 1)
    negative = np.where((u + v) % 2, -1, 1)
    signs = [mirrored**is_mirrored * negative**is_negative for is_mirrored, is_negative in VARIANTS]
    return basis.astype(np.float32), np.array(signs, dtype=np.int8)


BASIS, SIGNS = _make_basis()


def describe_points(gray):
    """Find and describe the points of an image.

    Parameters
    ----------
    gray : ndarray of shape (height, width), dtype=uint8
        Any size; resized to a square, its contrast evened out (CLAHE).

    Returns
    -------
    Points
        None in an image without structure.
    """
    gray = cv2.createCLAHE(CLAHE_LIMIT, CLAHE_TILES).apply(images.resize_image(gray, SIDE_PX))
    sift = cv2.SIFT_create(
        nfeatures=MAX_POINTS, contrastThreshold=CONTRAST_THRESHOLD, enable_precise_upscale=True
    )
    found, values = sift.detectAndCompute(gray, None)
    if values is None:
        found, values = [], np.ones((0, NUM_CELLS**2 * NUM_DIRECTIONS), np.float32)
    strength = np.array([point.response for point in found], np.float32)
    order = np.argsort(-strength, kind="stable")[:MAX_POINTS]
    values = np.sqrt(values[order]) @ BASIS.T
    values *= UNIT / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return Points(
        np.array([found[row].pt for row in order], np.float32).reshape(-1, 2),
        np.array([found[row].angle for row in order], np.float32),
        np.round(values).astype(np.int8),
    )


class _Index:
    """The strongest points of many images by cell: that of the nearest of some of them."""

    def __init__(self, points):
        self.descriptors = np.concatenate([one.descriptors[:NUM_ASKING] for one in points])
        self.angles = np.concatenate([one.angles[:NUM_ASKING] for one in points])
        sizes = [len(one.angles[:NUM_ASKING]) for one in points]
        self.owners = np.repeat(np.arange(len(points)), sizes)
        self.ends = np.cumsum([0, *sizes])
        total = len(self.descriptors)
        centres = np.linspace(0, total - 1, -(-total // CELL_SIZE)).astype(int)
        self.centres = self.descriptors[centres].astype(np.float32).T
        chunks = np.array_split(self.descriptors, -(-total // CHUNK_SIZE))
        cells = np.concatenate(
            [(chunk.astype(np.float32) @ self.centres).argmax(axis=1) for chunk in chunks]
        )
        self.order = np.argsort(cells, kind="stable")
        self.starts = np.searchsorted(cells[self.order], np.arange(len(centres) + 1))

    def ask(self, first, last, variant):
        """Points `(asking, answering)` that are alike, of images `first` to `last` seen so."""
        begin = self.ends[first]
        values = (self.descriptors[begin : self.ends[last]] * SIGNS[variant]).astype(np.float32)
        # Products of whole numbers of this size are exact in float32, so no order of adding up,
        # and no number of threads, changes what is found.
        likeness = values @ self.centres
        num_probes = min(NUM_PROBES, likeness.shape[1])
        probed = np.empty((num_probes, len(values)), int)
        for probe in range(num_probes):
            probed[probe] = likeness.argmax(axis=1)
            likeness[np.arange(len(values)), probed[probe]] = -np.inf
        probed = probed.ravel()
        order = np.argsort(probed, kind="stable")
        names, starts = np.unique(probed[order], return_index=True)
        found = []
        for cell, rows in zip(names, np.split(order % len(values), starts[1:]), strict=True):
            near = self.order[self.starts[cell] : self.starts[cell + 1]]
            products = values[rows] @ self.descriptors[near].astype(np.float32).T
            is_like = products >= MIN_COSINE * UNIT**2
            # As np.nonzero, which takes longer than the products themselves.
            asking, answering = np.divmod(np.flatnonzero(is_like), is_like.shape[1])
            if len(asking) > MAX_ANSWERS * len(rows):
                best = np.argpartition(-products, MAX_ANSWERS - 1, axis=1)[:, :MAX_ANSWERS]
                is_like = np.take_along_axis(products, best, axis=1) >= MIN_COSINE * UNIT**2
                asking, answering = np.flatnonzero(is_like) // MAX_ANSWERS, best[is_like]
            found.append((begin + rows[asking], near[answering]))
        asking, answering = (np.concatenate(side) for side in zip(*found, strict=True))
        is_other = self.owners[asking] != self.owners[answering]
        return asking[is_other], answering[is_other]

    def vote(self, first, last):
        """Votes of images `first` to `last`: `COLUMNS`, the best first."""
        parts = []
        for variant, (is_mirrored, is_negative) in enumerate(VARIANTS):
            asking, answering = self.ask(first, last, variant)
            # What many images show says little of any one of them.
            weight = 1 / np.bincount(asking)[asking]
            seen = self.angles[asking]
            seen = (180 - seen if is_mirrored else seen) + 180 * is_negative
            turn = ((self.angles[answering] - seen) % 360 * (NUM_TURNS / 360)).astype(int)
            pair = (self.owners[asking] * len(self.ends) + self.owners[answering]) * NUM_TURNS
            keys = np.concatenate([pair + turn % NUM_TURNS, pair + (turn + 1) % NUM_TURNS])
            keys, places, votes = np.unique(keys, return_inverse=True, return_counts=True)
            weight = np.bincount(places, np.tile(weight, 2))
            one, two = np.divmod(keys // NUM_TURNS, len(self.ends))
            columns = {"first": one, "second": two, "variant": variant, "score": weight}
            parts.append(pd.DataFrame(columns)[votes >= MIN_VOTES])
        found = pd.concat(parts)
        best_first = ["first", "score", "second", "variant"]
        found = found.sort_values(best_first, ascending=[True, False, True, True], kind="stable")
        return found.drop_duplicates(["first", "second"])


def propose_pairs(points, groups, num_partners, pool):
    """Propose for every image those that share most points with it, in any variant.

    Parameters
    ----------
    points : sequence of Points
        Of n images.
    groups : ndarray of shape (n,), dtype=int
        Of each group of images (such as a split) an image gets partners of its own.
    num_partners : int
        For each image and group.
    pool : concurrent.futures.Executor
        Its threads change nothing but the time.

    Returns
    -------
    DataFrame
        `COLUMNS`: two positions, the variant of the first (position in `VARIANTS`), and the votes
        of the first for the second.
    """
    if sum(len(one.angles) for one in points) == 0:
        return pd.DataFrame(columns=COLUMNS)
    index = _Index(points)

    def propose(first):
        last = min(first + BATCH_SIZE, len(points))
        if index.ends[first] == index.ends[last]:
            return None  # no points
        found = index.vote(first, last)
        rank = found.groupby([found["first"], groups[found["second"]]]).cumcount()
        return found[rank < num_partners]

    starts = range(0, len(points), BATCH_SIZE)
    parts = tqdm(pool.map(propose, starts), "share points", total=len(starts), leave=False)
    return pd.concat(part for part in parts if part is not None)
