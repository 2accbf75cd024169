"""Time the search of perceptual hashes at three sizes, or a folder of real X-rays.

python benchmarks/audit_duplicates.py [--sizes 25000 50000 100000]
python benchmarks/audit_duplicates.py --folder DIR [--num-images 2000]

The hashes are drawn to lie as those of chest X-rays do: half of the bits hardly vary, the others
follow a few directions (build, exposure, position), the mirror image turns the odd columns of the
transform, and the other views differ from the whole image in some 9 bits. `rates`: the
pairs per 10,000 within a radius; `XRAY_RATES` those measured on 2,895 real ones. Prints JSON.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np

from leakcard.copies import fingerprints, hashes
from leakcard.copies import search as duplicates

# Of 801 NIH, 1,500 Kermany and 594 Cohen images, `{radius: pairs per 10,000}`.
XRAY_RATES = {
    "plain": {6: 0.6, 8: 3.4, 10: 14.7, 12: 50.1, 14: 148},
    "mirror": {8: 0.4, 10: 2.3, 12: 11.1, 14: 41},
}
ODD_COLUMNS = np.tile([False, True], 32)
# A chest is nearly symmetric: the even columns are what all have in common.
BIAS = np.where(ODD_COLUMNS, 0.4, 1.5)
NUM_FACTORS, FACTOR_STRENGTH = 6, 1.3
NUM_SOURCES, SOURCE_SHIFT = 3, 0.2
# Correlation of what is the image's own in its whole, its whole mirror image, and its other views.
WHOLE_KEPT, VIEW_KEPT = (1.0, 0.95), 0.5
MIRROR_FLIPS = 0.07  # the transform's median moves when the odd columns turn


def _pack(bits):
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def draw_hashes(num_hashes, seed=0):
    """Draw hashes and queries, uint64 arrays of shape (n,) and (n, NUM_QUERIES)."""
    rng = np.random.default_rng([seed, 0])  # the population does not depend on the size
    bias = rng.normal(0, BIAS, 64) + rng.normal(0, SOURCE_SHIFT, (NUM_SOURCES, 64))
    loadings = rng.normal(0, FACTOR_STRENGTH, (NUM_FACTORS, 64))
    # What shifts a body sideways moves the odd columns alone, as often to the left as to the right.
    loadings[::2, ODD_COLUMNS] = loadings[1::2, ~ODD_COLUMNS] = 0
    rng = np.random.default_rng([seed, 1])
    source = rng.integers(NUM_SOURCES, size=num_hashes)
    values = bias[source] + rng.standard_normal((num_hashes, NUM_FACTORS)) @ loadings
    noise = rng.standard_normal((num_hashes, 64))
    queries = []
    for side in (False, True):
        for view in range(len(fingerprints.VIEWS)):
            kept = WHOLE_KEPT[side] if view == 0 else VIEW_KEPT
            fresh = rng.standard_normal((num_hashes, 64))
            bits = values + kept * noise + np.sqrt(1 - kept**2) * fresh > 0
            if side:
                bits = bits ^ ODD_COLUMNS ^ (rng.random(bits.shape) < MIRROR_FLIPS)
            queries.append(_pack(bits))
    return queries[0], np.stack(queries, axis=1)


def measure_rates(found, queries):
    """Pairs per 10,000 within each radius of the first 3,000 hashes, plain and mirrored."""
    rates = {}
    upper = np.triu_indices(min(3000, len(found)), 1)
    for name, column in (("plain", 0), ("mirror", len(fingerprints.VIEWS))):
        some = np.bitwise_count(found[:3000, np.newaxis] ^ queries[:3000, column])[upper]
        rates[name] = {r: round(1e4 * float((some <= r).mean()), 2) for r in XRAY_RATES[name]}
    return rates


def time_search(num_hashes, radius):
    """Search one size in this process."""
    found, queries = draw_hashes(num_hashes)
    start, cpu = time.perf_counter(), time.process_time()
    num_pairs = sum(len(chunk[0]) for chunk in hashes.search_hashes(found, queries.ravel(), radius))
    return {
        "num_hashes": num_hashes,
        "num_queries": queries.size,
        "radius": radius,
        "num_pairs": num_pairs,
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "rates": measure_rates(found, queries),
    }


def time_folder(folder, num_images):
    """Search real images, decoding included."""
    import pandas as pd

    suffixes = {".png", ".jpg", ".jpeg"}
    files = [path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in suffixes]
    files = sorted(str(path) for path in files if "masks" not in str(path))
    chosen = np.sort(np.random.default_rng(0).permutation(len(files))[:num_images])
    files = [files[number] for number in chosen]
    start = time.perf_counter()
    pairs = duplicates.find_duplicates(pd.DataFrame({"image_id": files, "path": files}))
    return {
        "num_images": len(files),
        "seconds": round(time.perf_counter() - start, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "pairs": pairs["kind"].value_counts().to_dict(),
        "num_candidates": pairs.attrs["num_candidates"],
        "num_registered": pairs.attrs["num_registered"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[25_000, 50_000, 100_000])
    parser.add_argument("--radius", type=int, default=duplicates.HASH_RADIUS)
    parser.add_argument("--folder")
    parser.add_argument("--num-images", type=int, default=2000)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(time_search(options.one, options.radius)))
        return
    if options.folder:
        print(json.dumps(time_folder(options.folder, options.num_images), indent=1))
        return
    runs = []
    for size in sorted(options.sizes):  # each in its own process, so that memory is its own
        command = [sys.executable, __file__, "--one", str(size), "--radius", str(options.radius)]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    logs = [[np.log(run[name]) for run in runs] for name in ("num_hashes", "cpu_seconds")]
    exponent = round(float(np.polyfit(*logs, 1)[0]), 2) if len(runs) > 1 else None
    print(json.dumps({"runs": runs, "exponent": exponent, "xray_rates": XRAY_RATES}, indent=1))


if __name__ == "__main__":
    main()
