"""From fingerprints to copies: similar hashes or common points, then one laid over the other."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import threadpoolctl
from tqdm import tqdm

from leakcard import images
from leakcard.copies import fingerprints, hashes, overlay, points, tangents

# Bits of 64: with six views of each image, radius 10 finds crops that one view does not find at 12,
# among as many candidates (500 real X-rays).
HASH_RADIUS = 10
# Caps, each counted and reported when reached: thousands of frames of one film, or of almost black
# images, must not become millions of pairs to lay over each other. A copy is nearly always the
# first of its partners.
MAX_PARTNERS = 5  # of an image in each split
MAX_CANDIDATES = 200_000_000  # twice what 100,000 chest X-rays give


@dataclasses.dataclass(frozen=True)
class Copies:
    """Confirmed copies among fingerprints, and what it took to find them.

    Attributes
    ----------
    pairs : dict
        `(row, later row)` to `(kind, distance, correlation, transform)`.
    num_candidates, num_registered : int
        Views within the hash radius of another image, where hashes were compared; pairs laid over
        each other.
    num_crowded, num_plain : int
        Images all of whose `MAX_PARTNERS` of a split are copies, so that there may be more; images
        with too few points to be anybody's copy.
    is_complete : bool
        False if the search stopped at `MAX_CANDIDATES`.
    """

    pairs: dict
    num_candidates: int
    num_registered: int
    num_crowded: int
    num_plain: int
    is_complete: bool


def _propose_by_hashes(prints):
    """Pairs of images with similar hashes and thumbnails, as `points.propose_pairs` gives them."""
    eligible = np.flatnonzero([not one.is_flat for one in prints])
    queries = np.array([prints[row].queries for row in eligible], dtype=np.uint64)
    queries = queries.reshape(-1, fingerprints.NUM_QUERIES)  # also where all are flat
    thumbnails = [one.thumbnail for one in prints]
    parts, num_candidates = [], 0
    found = hashes.search_hashes(queries[:, :1].ravel(), queries.ravel(), HASH_RADIUS)
    for query_rows, rows in tqdm(found, "compare images", leave=False):
        first, query = np.divmod(query_rows, fingerprints.NUM_QUERIES)
        # An image may be the mirror image of itself, but that is no second image.
        is_other = first != rows
        num_candidates += int(is_other.sum())
        first, second, query = eligible[first[is_other]], eligible[rows[is_other]], query[is_other]
        score = tangents.score_tangents(thumbnails, first, query, second)
        variant = np.where(query >= len(fingerprints.VIEWS), points.MIRRORED, 0)
        columns = {"first": first, "second": second, "variant": variant, "score": score}
        parts.append(pd.DataFrame(columns)[score >= tangents.MIN_TANGENT_SCORE])
        if num_candidates >= MAX_CANDIDATES:
            break
    found = pd.concat(parts) if parts else pd.DataFrame(columns=points.COLUMNS)
    return found, num_candidates


def _select_partners(proposed, groups):
    """Each pair once, the best first, if it is among the best of one of its images."""
    pairs = proposed.assign(
        low=proposed[["first", "second"]].min(axis=1),
        high=proposed[["first", "second"]].max(axis=1),
    )
    best_first = ["score", "low", "high", "variant", "first"]
    pairs = pairs.sort_values(best_first, ascending=[False, True, True, True, True])
    pairs = pairs.drop_duplicates(["low", "high"])
    low, high = pairs["low"].to_numpy(int), pairs["high"].to_numpy(int)
    ranks = [
        pairs.groupby([one, groups[other]]).cumcount() for one, other in ((low, high), (high, low))
    ]
    return pairs[np.minimum(*ranks) < MAX_PARTNERS]


def find_copies(prints, splits):
    """Find the images that are copies of others.

    Parameters
    ----------
    prints : list of fingerprints.Fingerprint
        Of images with different pixels. Where they have no points, candidates are those with
        similar hashes.
    splits : list of frozenset of str
        The splits that each is in: an image has partners in each, so that a crowd within one split
        cannot hide a copy in another.

    Returns
    -------
    Copies
        The same for the same images in the same order, whatever the number of threads.
    """
    groups = pd.factorize(np.array(["\n".join(sorted(names)) for names in splits], object))[0]
    described, num_candidates = [one.points for one in prints], 0
    # Small matrices: a second BLAS thread only waits, and takes the core from somebody else.
    with (
        threadpoolctl.threadpool_limits(1, "blas"),
        ThreadPoolExecutor(images.NUM_JOBS) as pool,
    ):
        if described and described[0] is None:
            proposed, num_candidates = _propose_by_hashes(prints)
            proposed = _select_partners(proposed, groups)
            rows = np.unique(proposed[["first", "second"]].to_numpy(int))
            several = pool.map(points.describe_points, [prints[row].thumbnail for row in rows])
            for row, found in zip(rows, several, strict=True):
                described[row] = found
        else:
            proposed = points.propose_pairs(described, groups, MAX_PARTNERS, pool)
            proposed = _select_partners(proposed, groups)

        def register(pair):
            first, second = int(pair.first), int(pair.second)
            fit = overlay.register_points(described[first], described[second], int(pair.variant))
            if fit is None or fit.num_points < overlay.MIN_POINTS:
                return None
            fit = overlay.compare_pictures(fit, prints[first].thumbnail, prints[second].thumbnail)
            return fit if overlay.is_copy(fit) else None

        proposed = list(proposed.itertuples(index=False))
        fits = pool.map(register, proposed)
        fits = list(tqdm(fits, "lay over each other", total=len(proposed), leave=False))
    pairs, num_partners = {}, {}
    for pair, fit in zip(proposed, fits, strict=True):
        if fit is None:
            continue
        first, second = int(pair.first), int(pair.second)
        distance = np.bitwise_count(prints[first].queries ^ prints[second].queries[0]).min()
        kind, transform = overlay.describe_transform(fit)
        key = (min(first, second), max(first, second))
        pairs[key] = (kind, int(distance), fit.correlation, transform)
        for one, other in ((first, second), (second, first)):
            num_partners[one, groups[other]] = num_partners.get((one, groups[other]), 0) + 1
    crowded = {row for (row, _), count in num_partners.items() if count >= MAX_PARTNERS}
    return Copies(
        pairs=pairs,
        num_candidates=num_candidates,
        num_registered=len(proposed),
        num_crowded=len(crowded),
        num_plain=sum(
            found is not None and len(found.angles) < overlay.MIN_POINTS and not one.is_flat
            for one, found in zip(prints, described, strict=True)
        ),
        is_complete=num_candidates < MAX_CANDIDATES,
    )
