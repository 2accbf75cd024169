"""The fast search for copies: time to compare the hashes of very many images.

python -m benchmarks.hashes [--data-dir DIR] [--sizes 10000,30000,100000] [--small]

Hashes of real X-rays (or phantoms) and of six views of each and of its mirror image; as many as
asked for are made by flipping bits of them at random, so that they crowd as those of X-rays do.
Pairs within the radius of the search are counted, not kept. Prints JSON.
"""

import sys
import time

import numpy as np

from benchmarks import audit, common
from leakcard.copies import candidates, fingerprints, hashes

DEFAULTS = {"data_dir": "", "sizes": "10000,30000,100000", "file_size_px": 128, "flipped": 12}
SMALL = {"sizes": "300"}
NUM_SEEDS = 300  # images whose hashes are made into many
GOALS = {"100000": {"seconds": 20}}


def make_hashes(seeds, size, num_flipped, rng):
    """Hashes of `size` images: those of a seed with some bits flipped, the same in every view."""
    chosen = rng.integers(len(seeds), size=size)
    places = rng.integers(64, size=(size, num_flipped)).astype(np.uint64)
    flips = np.bitwise_xor.reduce(np.uint64(1) << places, axis=1)
    return seeds[chosen] ^ flips[:, np.newaxis]


def measure(options):
    pool = audit.read_pool(options, NUM_SEEDS).iloc[:NUM_SEEDS]
    prints, _ = fingerprints.compute_fingerprints(pool["path"], with_points=False)
    seeds = np.array([one.queries for one in prints.values()])
    rng, runs = np.random.default_rng(0), []
    for size in map(int, options.sizes.split(",")):
        queries = make_hashes(seeds, size, options.flipped, rng)
        started, used = time.perf_counter(), time.process_time()
        found = hashes.search_hashes(queries[:, 0].copy(), queries.ravel(), candidates.HASH_RADIUS)
        num_pairs = sum(len(rows) for rows, _, _ in found)
        runs.append(
            {"num_images": size, "num_pairs": num_pairs,
             "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - used}
        )  # fmt: skip
    return {"runs": runs, "goals": GOALS, "radius": candidates.HASH_RADIUS}


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
