"""Measure the search for duplicates on real X-rays: what it finds, and what it should not find.

`python -m benchmarks.calibrate_copies --data-dir DIR` copies NIH and Kermany images in the ways in
which pictures travel between data sets, searches originals and copies together, and counts.
"""

import argparse
import dataclasses
import io
import sys

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from leakage import data, evaluation, paths
from leakcard import files, images
from leakcard.copies import candidates, fingerprints
from leakcard.copies import search as duplicates

RADII = (6, 8, 10, 12)
SOURCES = ("nih", "kermany")


def _compress(image, quality=50):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def _apply_gamma(image, gamma):
    return np.round(255 * (image / 255.0) ** gamma).astype(np.uint8)


def brighten(image, levels=30):
    return np.clip(image.astype(int) + levels, 0, 255).astype(np.uint8)


def _combine(image, rng, gamma, mirrored):
    image = fingerprints.crop_view(image, rng.uniform(0, 0.05, 4))
    image = image[:, ::-1] if mirrored else image
    return _compress(images.resize_image(_apply_gamma(image, gamma), 224))


# What is done to an RGB image; a generator decides what is random. The five that the project
# promises to find come first.
COPIES = {
    "JPEG quality 50": lambda image, rng: _compress(image),
    "resized to 224": lambda image, rng: images.resize_image(image, 224),
    "crop, 5 % in all (2.5 % a side)": lambda image, rng: fingerprints.crop_view(
        image, (0.025, 0.025, 0.025, 0.025)
    ),
    "crop, 5 % off each side": lambda image, rng: fingerprints.crop_view(image, (0.05,) * 4),
    "crop, 5 % off a corner": lambda image, rng: fingerprints.crop_view(image, (0, 0.05, 0.05, 0)),
    "crop, 0 to 5 % off each side": lambda image, rng: fingerprints.crop_view(
        image, rng.uniform(0, 0.05, 4)
    ),
    "mirrored": lambda image, rng: image[:, ::-1],
    "gamma 0.8": lambda image, rng: _apply_gamma(image, 0.8),
    "gamma 1.25": lambda image, rng: _apply_gamma(image, 1.25),
    "30 gray levels brighter": lambda image, rng: brighten(image),
    "crop, gamma 0.8, 224, JPEG": lambda image, rng: _combine(image, rng, 0.8, False),
    "crop, mirrored, gamma 1.25, 224, JPEG": lambda image, rng: _combine(image, rng, 1.25, True),
}
MIRRORED = {"mirrored", "crop, mirrored, gamma 1.25, 224, JPEG"}


def _make_prints(decoded):
    """Fingerprints of images in memory."""
    rows = [fingerprints.compute_fingerprint(np.ascontiguousarray(image)) for image in decoded]
    queries = np.array([row[1] for row in rows], dtype=np.uint64)
    return fingerprints.Fingerprints(
        paths=[str(number) for number in range(len(rows))],
        pixels=np.array([row[0] for row in rows], dtype=object),
        hashes=queries[:, 0].copy(),
        queries=queries,
        thumbnails=np.array([row[2] for row in rows]),
        is_flat=np.array([row[3] for row in rows], dtype=bool),
        unreadable=[],
    )


def _join(one, two):
    arrays = ("pixels", "hashes", "queries", "thumbnails", "is_flat")
    joined = {name: np.concatenate([getattr(one, name), getattr(two, name)]) for name in arrays}
    return dataclasses.replace(one, paths=one.paths + two.paths, **joined)


def measure_recall(decoded, seed=0):
    """Copy images in every way of `COPIES` and count the copies that are found.

    Parameters
    ----------
    decoded : list of ndarray of shape (height, width, 3), dtype=uint8
        Different pictures.
    seed : int
        Decides the random crops.

    Returns
    -------
    DataFrame
        One row a way: `copy`, `n`, `k` (found and confirmed, of the right kind), `recall` with its
        Wilson interval `lower`, `upper`; and the recall of the perceptual hash alone by radius and
        number of views, such as `hash_6_bits_1_view`.
    """
    originals = _make_prints(decoded)
    records = []
    for number, (name, copy) in enumerate(tqdm(COPIES.items(), "search copies", leave=False)):
        rng = np.random.default_rng([seed, number])
        copies = _make_prints([copy(image, rng) for image in decoded])
        size = len(decoded)
        found = candidates.find_copies(
            _join(originals, copies),
            [frozenset({"original"})] * size + [frozenset({"copy"})] * size,
            duplicates.HASH_RADIUS,
            duplicates.MIN_CORRELATION,
        )
        kind = "mirror" if name in MIRRORED else "near"
        k = 0
        for row in range(size):
            is_same = originals.pixels[row] == copies.pixels[row]  # a copy without a change
            k += is_same or found.pairs.get((row, row + size), ("",))[0] == kind
        lower, upper = evaluation.wilson_interval(k, size)
        line = {"copy": name, "n": size, "k": k, "recall": k / size, "lower": lower, "upper": upper}
        views = len(fingerprints.VIEWS)
        start = views if kind == "mirror" else 0
        for num_views in (1, views):
            queries = slice(start, start + num_views)
            distances = np.minimum(
                np.bitwise_count(originals.queries[:, queries] ^ copies.hashes[:, None]).min(1),
                np.bitwise_count(copies.queries[:, queries] ^ originals.hashes[:, None]).min(1),
            )
            for radius in RADII:
                column = f"hash_{radius}_bits_{num_views}_view{'s' * (num_views > 1)}"
                line[column] = float((distances <= radius).mean())
        records.append(line)
    return pd.DataFrame(records)


def count_false_pairs(table, num_jobs=1):
    """Search images of many patients for duplicates and count the pairs of different patients.

    Parameters
    ----------
    table : DataFrame
        With `image_id`, `path`, `patient_id`.
    num_jobs : int
        Threads to decode with.

    Returns
    -------
    dict
        `num_images`, `num_patients`, `num_pairs` (of different patients), `num_similar_hashes`
        (views of one within the radius of another), `num_registered`, `num_false` (confirmed near
        or mirror pairs of different patients), `false_per_2000_images`.
    """
    pairs = duplicates.find_duplicates(table, num_jobs=num_jobs)
    patients = table["patient_id"].to_numpy()
    near = pairs[pairs["kind"].isin(["near", "mirror"])]
    num_false = int((patients[near["row_a"]] != patients[near["row_b"]]).sum())
    sizes = table["patient_id"].value_counts().to_numpy()
    size = len(table)
    return {
        "num_images": size,
        "num_patients": len(sizes),
        "num_pairs": int(size * (size - 1) // 2 - (sizes * (sizes - 1) // 2).sum()),
        "num_similar_hashes": pairs.attrs["num_candidates"],
        "num_registered": pairs.attrs["num_registered"],
        "num_false": num_false,
        "false_per_2000_images": 2000 * num_false / size,
    }


def format_calibration(recall, false_pairs):
    """Write the calibration as Markdown.

    Parameters
    ----------
    recall : DataFrame
        From `measure_recall`.
    false_pairs : dict
        From `count_false_pairs`.

    Returns
    -------
    str
    """
    views = len(fingerprints.VIEWS)
    hash_columns = [name for name in recall if name.startswith("hash_")]
    names = [name.removeprefix("hash_").replace("_", " ") for name in hash_columns]
    lines = [
        "# Calibration of the search for duplicates",
        "",
        f"Real X-rays of {', '.join(SOURCES)}. Found: {views} views, radius "
        f"{duplicates.HASH_RADIUS} bits, correlation of at least {duplicates.MIN_CORRELATION} once "
        "registered. The columns on the right: the perceptual hash alone.",
        "",
        "| copy | found | recall (95 %) | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    for row in recall.to_dict("records"):
        hashes = " | ".join(f"{row[name]:.3f}" for name in hash_columns)
        interval = f"{row['recall']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})"
        lines.append(f"| {row['copy']} | {row['k']}/{row['n']} | {interval} | {hashes} |")
    lines += ["", "| pairs of different patients | |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value:,} |" for name, value in false_pairs.items()]
    return "\n".join(lines) + "\n"


def main(arguments=None):
    """Run the calibration; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=None, help="where nih/ and chest_xray/ are")
    parser.add_argument("--out", default=None, help="default: results/calibration")
    parser.add_argument("--num-images", type=int, default=250, help="copied images a source")
    parser.add_argument("--seed", type=int, default=0, help="decides the images and the crops")
    options = parser.parse_args(arguments)
    data_dir = options.data_dir or paths.get_data_dir()
    out = paths.get_results_dir() / "calibration" if options.out is None else options.out

    pools = [data.READERS[source](data_dir) for source in SOURCES]
    chosen = []
    for number, pool in enumerate(pools):
        rng = np.random.default_rng([options.seed, number])
        pool = pool.drop_duplicates("sha256")
        size = min(options.num_images, len(pool))
        chosen += pool["path"].iloc[np.sort(rng.choice(len(pool), size, replace=False))].tolist()
    decoded = [images.decode_image(path) for path in tqdm(chosen, "decode images", leave=False)]
    recall = measure_recall(decoded, options.seed)
    false_pairs = count_false_pairs(data.concatenate_tables(pools))
    content = {
        "radius": duplicates.HASH_RADIUS,
        "num_views": len(fingerprints.VIEWS),
        "min_correlation": duplicates.MIN_CORRELATION,
        "seed": options.seed,
        "recall": recall.to_dict("records"),
        "false_pairs": false_pairs,
    }
    files.write_json(f"{out}/duplicates.json", content)
    report = format_calibration(recall, false_pairs)
    files.write_text(f"{out}/duplicates.md", report)
    sys.stdout.write(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
