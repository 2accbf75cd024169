"""From fingerprints to copies: similar hashes, thumbnails that roughly fit, registration."""

import dataclasses

import numpy as np
import pandas as pd
from tqdm import tqdm

from leakcard.copies import fingerprints, hashes, registration

# Caps, each counted and reported when reached: thousands of frames of one film, or of almost black
# images, must not become millions of registrations.
MAX_PARTNERS = 20
MAX_CANDIDATES = 200_000_000  # twice what 100,000 chest X-rays give


@dataclasses.dataclass(frozen=True)
class Copies:
    """Confirmed copies among fingerprints, and what it took to find them.

    Attributes
    ----------
    pairs : dict
        `(row, later row)` to `(kind, distance, correlation)`, kind "near" or "mirror".
    num_candidates, num_plausible, num_registered, num_skipped : int
        Views within the hash radius of another image; pairs whose thumbnails fit roughly; pairs
        registered; pairs left out because both images have `MAX_PARTNERS` in the other's splits.
    is_complete : bool
        False if the search stopped at `max_candidates`.
    """

    pairs: dict
    num_candidates: int
    num_plausible: int
    num_registered: int
    num_skipped: int
    is_complete: bool


def _search(prints, radius, max_candidates):
    """Pairs of images with similar hashes and thumbnails, the best first."""
    eligible = np.flatnonzero(~prints.is_flat)
    queries = prints.queries[eligible].ravel()
    parts, num_candidates = [], 0
    found = hashes.search_hashes(prints.hashes[eligible], queries, radius)
    for query_rows, rows, distances in tqdm(found, "compare images", leave=False):
        first, query = np.divmod(query_rows, fingerprints.NUM_QUERIES)
        # An image may be the mirror image of itself, but that is no second image.
        is_other = first != rows
        num_candidates += int(is_other.sum())
        part = pd.DataFrame(
            {
                "first": eligible[first[is_other]],
                "second": eligible[rows[is_other]],
                "query": query[is_other],
                "distance": distances[is_other],
            }
        )
        part["score"] = registration.score_tangents(
            prints.thumbnails, *(part[name].to_numpy() for name in ("first", "query", "second"))
        )
        parts.append(part[part["score"] >= registration.MIN_TANGENT_SCORE])
        if num_candidates >= max_candidates:
            break
    if not parts:
        return None, 0
    pairs = pd.concat(parts, ignore_index=True)
    pairs["low"] = pairs[["first", "second"]].min(axis=1)
    pairs["high"] = pairs[["first", "second"]].max(axis=1)
    pairs["mirrored"] = pairs["query"] >= len(fingerprints.VIEWS)
    best_first = ["score", "low", "high", "query", "first"]
    pairs = pairs.sort_values(best_first, ascending=[False, True, True, True, True])
    pair = ["low", "high", "mirrored"]
    closest = pairs.groupby(pair)["distance"].transform("min")
    return pairs.assign(distance=closest).drop_duplicates(pair), num_candidates


def find_copies(prints, splits, radius, min_correlation, max_candidates=MAX_CANDIDATES):
    """Find the images that are copies of others, mirrored or not.

    Parameters
    ----------
    prints : fingerprints.Fingerprints
        Of images with different pixels.
    splits : list of frozenset of str
        The splits that each is in: the cap on partners counts by split, so that a crowd within
        one split cannot hide a copy in another.
    radius, min_correlation, max_candidates
        As for `search.find_duplicates`.

    Returns
    -------
    Copies
        The same for the same images in the same order.
    """
    likely, num_candidates = _search(prints, radius, max_candidates)
    if likely is None:
        return Copies({}, 0, 0, 0, 0, True)
    pairs, num_partners, num_registered, num_skipped = {}, {}, 0, 0
    rows = likely.itertuples(index=False)
    for row in tqdm(rows, "register pairs", total=len(likely), leave=False):
        pair = (int(row.low), int(row.high))
        keys = (pair[0], splits[pair[1]]), (pair[1], splits[pair[0]])
        if min(num_partners.get(key, 0) for key in keys) >= MAX_PARTNERS and pair not in pairs:
            num_skipped += 1
            continue
        num_registered += 1
        correlation = registration.register_pair(
            prints.thumbnails[row.first], row.query, prints.thumbnails[row.second]
        )
        if correlation < min_correlation or correlation <= pairs.get(pair, (0, 0, 0.0))[2]:
            continue
        if pair not in pairs:
            for key in keys:
                num_partners[key] = num_partners.get(key, 0) + 1
        pairs[pair] = ("mirror" if row.mirrored else "near", int(row.distance), correlation)
    return Copies(
        pairs=pairs,
        num_candidates=num_candidates,
        num_plausible=len(likely),
        num_registered=num_registered,
        num_skipped=num_skipped,
        is_complete=num_candidates < max_candidates,
    )
