"""Find all pairs of 64-bit hashes within a Hamming radius, exactly and without all comparisons.

Multi-index hashing (Norouzi et al. 2014, arXiv 1307.2982) with unequal thresholds (Qin et al. 2018,
general pigeonhole principle): of four bands of 16 bits, a pair within the radius is close in at
least one, so only hashes of like bands are compared, in blocks that NumPy does fast. The twelve
views of 100,000 chest X-rays take some 11 s of processor time so (benchmarks/hashes.py).
"""

import numpy as np

NUM_BITS = 64
NUM_BANDS = 4
# Comparisons in one block: small enough for the processor's cache, large enough for NumPy.
BLOCK_SIZE = 1 << 20
# Pairs handed over at a time.
CHUNK_SIZE = 1 << 20
SAMPLE_SIZE = 400


def _check(hashes, queries, radius):
    for name, values in (("hashes", hashes), ("queries", queries)):
        if values.dtype != np.uint64 or values.ndim != 1:
            raise ValueError(
                f"`{name}` cannot be searched. Expected an array of shape (n,) and dtype uint64. "
                f"Received: shape {values.shape}, dtype {values.dtype}"
            )
    if not 0 <= radius < NUM_BITS:
        raise ValueError(
            f"The radius is out of range. Expected 0 <= radius < {NUM_BITS} bits. "
            f"Received: radius={radius}"
        )


def _make_masks(hashes):
    """Deal the bits to the bands from the most to the least varying: even bands select best."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    share = bits.mean(axis=0)
    order = np.argsort(-share * (1 - share), kind="stable")
    weights = np.uint64(1) << (NUM_BITS - 1 - np.arange(NUM_BITS)).astype(np.uint64)
    return [np.bitwise_or.reduce(weights[order[band::NUM_BANDS]]) for band in range(NUM_BANDS)]


def _extract_keys(values, mask):
    """Gather the bits of a mask into 16-bit numbers."""
    keys = np.zeros(len(values), dtype=np.uint16)
    positions = [bit for bit in range(NUM_BITS) if int(mask) >> bit & 1]
    for place, bit in enumerate(positions):
        one = (values >> np.uint64(bit)) & np.uint64(1)
        keys |= one.astype(np.uint16) << np.uint16(place)
    return keys


def _choose_thresholds(hashes, queries, masks, radius):
    """Share radius + 1 out over the bands; what is left over goes where it costs least.

    If band b differed in more than t_b bits for every b, the pair would differ in at least
    sum(t_b + 1) = radius + 1 bits. A threshold of -1 leaves a band out.
    """
    base, extra = divmod(radius + 1, NUM_BANDS)
    rows = np.linspace(0, len(hashes) - 1, min(SAMPLE_SIZE, len(hashes))).astype(int)
    columns = np.linspace(0, len(queries) - 1, min(SAMPLE_SIZE, len(queries))).astype(int)
    difference = queries[columns][:, np.newaxis] ^ hashes[rows]
    costs = [int((np.bitwise_count(difference & mask) == base).sum()) for mask in masks]
    thresholds = np.full(NUM_BANDS, base - 1)
    thresholds[np.argsort(costs, kind="stable")[:extra]] += 1
    return thresholds.tolist()


def _group(keys):
    order = np.argsort(keys, kind="stable")
    unique, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    return order, unique, starts, counts


def _expand(starts, counts):
    """Concatenate ranges: [5, 9], [2, 3] -> 5 6 9 10 11."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)


def _search_band(hashes, queries, band, masks, thresholds, radius):
    """Yield the pairs that are close in this band and in none before it."""
    order, keys, starts, counts = _group(_extract_keys(hashes, masks[band]))
    query_order, query_keys, query_starts, query_counts = _group(
        _extract_keys(queries, masks[band])
    )
    by_key, queries_by_key = hashes[order], queries[query_order]
    for key, first, count in zip(query_keys, query_starts, query_counts, strict=True):
        near = np.flatnonzero(np.bitwise_count(keys ^ key) <= thresholds[band])
        if not len(near):
            continue
        positions = _expand(starts[near], counts[near])
        candidates = by_key[positions]
        step = max(1, BLOCK_SIZE // len(candidates))
        for start in range(first, first + count, step):
            block = queries_by_key[start : min(start + step, first + count)]
            difference = block[:, np.newaxis] ^ candidates
            distances = np.bitwise_count(difference)
            hits = np.flatnonzero(distances <= radius)
            if not len(hits):
                continue
            difference = difference.ravel()[hits]
            is_new = np.ones(len(hits), dtype=bool)
            for mask, threshold in zip(masks[:band], thresholds[:band], strict=True):
                is_new &= np.bitwise_count(difference & mask).astype(np.int8) > threshold
            hits = hits[is_new]
            rows, columns = np.divmod(hits, len(candidates))
            yield (
                query_order[start + rows].astype(np.int32),
                order[positions[columns]].astype(np.int32),
                distances.ravel()[hits],
            )


def search_hashes(hashes, queries, radius):
    """Find every hash within a Hamming radius of every query.

    Parameters
    ----------
    hashes : ndarray of shape (n_hashes,), dtype=uint64
        The hashes to find.
    queries : ndarray of shape (n_queries,), dtype=uint64
        What to find neighbours of; may be `hashes` itself.
    radius : int in [0, 63]
        The largest number of differing bits.

    Yields
    ------
    query_rows, hash_rows : ndarray of shape (n_pairs,), dtype=int32
        Positions in `queries` and `hashes`. Every pair comes once, exactly as comparing all with
        all would find them, in chunks of about a million so that memory stays bounded however many
        there are; the order depends on the hashes alone.
    distances : ndarray of shape (n_pairs,), dtype=uint8, in [0, radius]
        Differing bits.

    Raises
    ------
    ValueError
        If an array is not of 64-bit hashes or the radius is out of range.
    """
    hashes, queries = np.asarray(hashes), np.asarray(queries)
    _check(hashes, queries, radius)
    if not len(hashes) or not len(queries):
        return
    masks = _make_masks(hashes)
    thresholds = _choose_thresholds(hashes, queries, masks, radius)
    chunk, size = [], 0
    for band in range(NUM_BANDS):
        if thresholds[band] < 0:
            continue
        for found in _search_band(hashes, queries, band, masks, thresholds, radius):
            chunk.append(found)
            size += len(found[0])
            if size >= CHUNK_SIZE:
                yield tuple(np.concatenate(parts) for parts in zip(*chunk, strict=True))
                chunk, size = [], 0
    if chunk:
        yield tuple(np.concatenate(parts) for parts in zip(*chunk, strict=True))
