"""Find all pairs of 64-bit hashes within a Hamming radius, by comparing all with all."""

import numpy as np

BLOCK_SIZE = 1 << 17  # comparisons at once: they stay in the processor's cache
CHUNK_SIZE = 1 << 20  # pairs handed over at a time, about


def search_hashes(hashes, queries, radius):
    """Yield every pair of a query and a hash that differ in at most `radius` bits.

    Time grows with the product of both numbers, memory does not.

    Parameters
    ----------
    hashes, queries : ndarray of shape (n_hashes,) and (n_queries,), dtype=uint64
    radius : int in [0, 64)

    Yields
    ------
    query_rows, hash_rows : ndarray of shape (n_pairs,), dtype=int
        In chunks of bounded size.
    """
    step, found, size = max(1, BLOCK_SIZE // max(1, len(hashes))), [], 0
    for start in range(0, len(queries), step):
        distances = np.bitwise_count(queries[start : start + step, np.newaxis] ^ hashes)
        near = np.flatnonzero(distances <= radius)
        found.append(near + start * len(hashes))
        size += len(near)
        if size >= CHUNK_SIZE or start + step >= len(queries):
            yield np.divmod(np.concatenate(found), len(hashes))
            found, size = [], 0
