"""Measure the search for duplicates on real X-rays: what it finds, and what it should not find.

`python -m benchmarks.calibrate_copies --data-dir DIR` copies NIH and Kermany images in the ways in
which pictures travel between data sets, searches originals and copies together, and counts. With
`--side 128` the images are made so small first, and copies alone are counted.
"""

import argparse
import sys

import numpy as np
import pandas as pd
from tqdm import tqdm

from leakage import data, evaluation, paths
from leakcard import files, images
from leakcard.copies import candidates, disguises, overlay
from leakcard.copies import search as duplicates

SOURCES = ("nih", "kermany")
# Of no part in the choice of thresholds. It has the same pictures under several patient numbers.
FRESH_SOURCE = "cohen"


def measure_recall(decoded, sources, seed=0):
    """Copy images in every way of `disguises.COPIES` and count the copies that are found.

    Parameters
    ----------
    decoded : list of ndarray of shape (height, width, 3), dtype=uint8
        Different pictures; each is searched for among the copies of all, and all others.
    sources : sequence of str
        Where each is from.
    seed : int
        Decides what is random in a copy.

    Returns
    -------
    DataFrame
        One row a way, search that promises it, and source: `copy`, `search`, `source`, `n`, `k`
        (found), `recall` with its Wilson interval `lower`, `upper`; `num_false` (pairs found of two
        images of which neither is a copy of the other, whatever the source).
    """
    originals = disguises.fingerprint_images(decoded)
    size, sources = len(decoded), np.array(sources)
    splits = [frozenset({"original"})] * size + [frozenset({"copy"})] * size
    records = []
    kinds = tqdm(disguises.COPIES.items(), "search copies", leave=False)
    for number, (name, copy) in enumerate(kinds):
        rng = np.random.default_rng([seed, number])
        copies = disguises.fingerprint_images([copy(image, rng) for image in decoded])
        # A copy without a change is found as well.
        is_same = [a.pixels == b.pixels for a, b in zip(originals, copies, strict=True)]
        for search in duplicates.SEARCHES if number < disguises.NUM_FAST else ("full",):
            prints = originals + copies
            if search == "fast":
                prints = [one._replace(points=None) for one in prints]
            found = candidates.find_copies(prints, splits).pairs
            is_found = np.array([(row, row + size) in found for row in range(size)]) | is_same
            num_false = sum(one % size != two % size for one, two in found)
            for source in dict.fromkeys(sources):
                n, k = int((sources == source).sum()), int(is_found[sources == source].sum())
                lower, upper = evaluation.wilson_interval(k, n)
                line = {"copy": name, "search": search, "source": source, "n": n, "k": k}
                line |= {"recall": k / n, "lower": lower, "upper": upper, "num_false": num_false}
                records.append(line)
    return pd.DataFrame(records)


def count_false_pairs(table, images_of, search="full"):
    """Search images of many patients for copies and count the pairs of different patients.

    Parameters
    ----------
    table : DataFrame
        With `image_id`, `path`, `patient_id`.
    images_of : str
        What it is called.
    search : {"full", "fast"}

    Returns
    -------
    dict
        `images_of`, `search`, `num_images`, `num_patients`, `num_pairs` (of different patients),
        `num_registered` (laid over each other), `num_false` (confirmed pairs of different patients,
        equal files and pixels apart), `false_per_2000_images`, `num_same_patient_pairs`,
        `num_same_patient` (of those, confirmed), `named` (list of the two ids of each confirmed
        pair).
    """
    pairs = duplicates.find_duplicates(table, search=search)
    patients = table["patient_id"].to_numpy()
    found = pairs[~pairs["kind"].isin(["file", "pixels"])]
    is_false = patients[found["row_a"]] != patients[found["row_b"]]
    sizes = table["patient_id"].value_counts().to_numpy()
    size, num_same = len(table), int((sizes * (sizes - 1) // 2).sum())
    return {
        "images_of": images_of,
        "search": search,
        "num_images": size,
        "num_patients": len(sizes),
        "num_pairs": size * (size - 1) // 2 - num_same,
        "num_registered": pairs.attrs["num_registered"],
        "num_false": int(is_false.sum()),
        "false_per_2000_images": 2000 * float(is_false.sum()) / size,
        "num_same_patient_pairs": num_same,
        "num_same_patient": int((~is_false).sum()),
        "named": found[["image_id_a", "image_id_b"]].to_numpy().tolist(),
    }


def format_calibration(recall, false_pairs, side=None):
    """Write the calibration as Markdown.

    Parameters
    ----------
    recall : DataFrame
        From `measure_recall`.
    false_pairs : list of dict
        From `count_false_pairs`; empty where they were not looked for.
    side : int, optional
        To which the images were made smaller, in pixels.

    Returns
    -------
    str
    """
    columns = list(recall.groupby(["search", "source"], sort=False).groups)
    lines = [
        "# Calibration of the search for copies",
        "",
        f"Real X-rays of {', '.join(dict.fromkeys(recall['source']))}"
        f"{f', made {side} x {side} pixels small first' if side else ''}. Recall with its 95 % "
        f"Wilson interval. A copy: at least {overlay.MIN_POINTS} common points, detail that "
        f"correlates by {overlay.MIN_CORRELATION} and is displaced by at most "
        f"{overlay.MAX_SHIFT_PX} of 128 pixels once one is laid over the other. "
        "These thresholds were chosen on 50 images of each "
        "source (seed 0) and on the pairs of all NIH and Kermany images, so that their counts of "
        "false pairs are of images that were seen; that nearly half of the smaller frame must be "
        "in common was added after a first run on the images of this table, in which 12 pairs had "
        "nothing in common but the letters burned in. Cohen's images were not used; all of their "
        "pairs were looked at and are the same picture, or a part of it, some under two numbers.",
        "",
        "| copy | " + " | ".join(f"{search}, {source}" for search, source in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    cells = {(row["search"], row["source"], row["copy"]): row for row in recall.to_dict("records")}
    for name in dict.fromkeys(recall["copy"]):
        told = [
            "{k}/{n} ({lower:.3f} to {upper:.3f})".format(**cells[*column, name])
            if (*column, name) in cells
            else "not promised"
            for column in columns
        ]
        lines.append(f"| {name} | " + " | ".join(told) + " |")
    num_false = recall.drop_duplicates(["copy", "search"]).groupby("search")["num_false"].sum()
    told = ", ".join(f"{count} ({search})" for search, count in num_false.items())
    lines += ["", f"Pairs found above that are no copies of each other: {told}."]
    if not false_pairs:
        return "\n".join(lines) + "\n"
    names = [name for name in false_pairs[0] if name not in ("images_of", "search", "named")]
    heads = [f"{one['images_of']}, {one['search']}" for one in false_pairs]
    lines += ["", "| all images | " + " | ".join(heads) + " |"]
    lines += ["|---|" + "---|" * len(false_pairs)]
    for name in names:
        told = " | ".join(f"{round(one[name], 1):,}" for one in false_pairs)
        lines.append(f"| {name.removeprefix('num_').replace('_', ' ')} | {told} |")
    return "\n".join(lines) + "\n"


def main(arguments=None):
    """Run the calibration; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=None, help="where nih/ and chest_xray/ are")
    parser.add_argument("--out", default=None, help="default: results/calibration")
    parser.add_argument("--num-images", type=int, default=320, help="copied images a source")
    parser.add_argument("--seed", type=int, default=1, help="decides the images and the copies")
    parser.add_argument("--side", type=int, default=None, help="make images so small, in pixels")
    options = parser.parse_args(arguments)
    data_dir = options.data_dir or paths.get_data_dir()
    out = paths.get_results_dir() / "calibration" if options.out is None else options.out

    pools = [data.READERS[source](data_dir) for source in SOURCES]
    chosen = []
    for number, pool in enumerate(pools):
        rng = np.random.default_rng([options.seed, number])
        pool = pool.drop_duplicates("sha256")
        size = min(options.num_images, len(pool))
        rows = np.sort(rng.choice(len(pool), size, replace=False))
        chosen += [(SOURCES[number], path) for path in pool["path"].iloc[rows]]
    sources, chosen = zip(*chosen, strict=True)
    decoded = [images.decode_image(path) for path in tqdm(chosen, "decode images", leave=False)]
    false_pairs = []
    if options.side:
        decoded = [images.resize_image(image, options.side) for image in decoded]
    else:
        pool, fresh = data.concatenate_tables(pools), data.READERS[FRESH_SOURCE](data_dir)
        false_pairs = [
            count_false_pairs(pool, " and ".join(SOURCES), search) for search in duplicates.SEARCHES
        ]
        false_pairs.append(count_false_pairs(fresh, FRESH_SOURCE))
    recall = measure_recall(decoded, sources, options.seed)
    content = {
        "seed": options.seed,
        "side": options.side,
        "hash_radius": candidates.HASH_RADIUS,
        "min_points": overlay.MIN_POINTS,
        "min_correlation": overlay.MIN_CORRELATION,
        "max_shift_px": overlay.MAX_SHIFT_PX,
        "recall": recall.to_dict("records"),
        "false_pairs": false_pairs,
    }
    name = f"duplicates_{options.side}px" if options.side else "duplicates"
    files.write_json(f"{out}/{name}.json", content)
    report = format_calibration(recall, false_pairs, options.side)
    files.write_text(f"{out}/{name}.md", report)
    sys.stdout.write(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
