"""Measure the search for duplicates on real X-rays: what it finds, and what it should not find.

`python -m benchmarks.calibrate_copies --data-dir DIR` copies NIH and Kermany images in the ways in
which pictures travel between data sets, searches originals and copies together, and counts.
"""

import argparse
import dataclasses
import io
import sys

import cv2
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


def turn(image, rng, degrees):
    """Turn either way; the frame stays, its corners are black."""
    height, width = image.shape[:2]
    degrees = degrees * rng.choice([-1, 1])
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height))


def crop_fifth(image, rng):
    """Cut by a fifth in each direction, wherever the rest lies."""
    left, top = rng.uniform(0, 0.2, 2)
    return fingerprints.crop_view(image, (left, 0.2 - left, top, 0.2 - top))


def shift(image, rng, share=0.1):
    """Move by a tenth across and down, black where nothing was."""
    height, width = image.shape[:2]
    across, down = rng.choice([-share, share], 2) * (width, height)
    return cv2.warpAffine(image, np.float32([[1, 0, across], [0, 1, down]]), (width, height))


def pad(image, rng, share=0.15):
    across, down = (round(share * side) for side in image.shape[1::-1])
    return cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT)


def invert(image, rng=None):
    return 255 - image


def equalise(image, rng=None, limit=3.0):
    gray = cv2.createCLAHE(limit, (8, 8)).apply(np.ascontiguousarray(image[..., 0]))
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def write_letters(image, rng):
    """Burn in a line of letters and a large one, as stations do."""
    image = image.copy(order="C")
    height, width = image.shape[:2]
    for text, scale in (("R" if rng.random() < 0.5 else "L", 0.12), ("PORTABLE AP 14:25", 0.05)):
        place = (round(width * rng.uniform(0.05, 0.3)), round(height * rng.uniform(0.15, 0.9)))
        size, weight = scale * height / 22, max(1, round(scale * height / 8))
        image = cv2.putText(
            image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), weight
        )
    return image


def blur(image, rng=None):
    return cv2.GaussianBlur(image, (0, 0), min(image.shape[:2]) / 256)


def add_noise(image, rng, levels=10):
    noise = rng.normal(0, levels, image.shape[:2])[..., np.newaxis]
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def squash(image, rng=None):
    height, width = image.shape[:2]
    return cv2.resize(image, (width, round(0.7 * height)), interpolation=cv2.INTER_AREA)


# What is done to an RGB image; a generator decides what is random. The fast search promises the
# first twelve, the full search all.
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
NUM_FAST = len(COPIES)
COPIES |= {
    "turned by 3 degrees": lambda image, rng: turn(image, rng, 3),
    "turned by 8 degrees": lambda image, rng: turn(image, rng, 8),
    "turned by 15 degrees": lambda image, rng: turn(image, rng, 15),
    "turned by a quarter": lambda image, rng: np.rot90(image, rng.choice([1, 3])),
    "upside down": lambda image, rng: image[::-1, ::-1],
    "crop, 20 % across and down": crop_fifth,
    "shifted by 10 %": shift,
    "padded by 15 % a side": pad,
    "negative": invert,
    "CLAHE": equalise,
    "letters burned in": write_letters,
    "JPEG quality 10": lambda image, rng: _compress(image, 10),
    "blurred": blur,
    "noise": add_noise,
    "thumbnail of 96 px": lambda image, rng: images.resize_image(image, 96),
    "squashed to 70 %": squash,
    "turned by 8 degrees, negative": lambda image, rng: invert(turn(image, rng, 8)),
    "crop 20 %, CLAHE": lambda image, rng: equalise(crop_fifth(image, rng)),
    "mirrored, letters": lambda image, rng: write_letters(image[:, ::-1], rng),
    "padded, JPEG 10": lambda image, rng: _compress(pad(image, rng), 10),
    "crop 20 %, CLAHE, 224 px": lambda image, rng: images.resize_image(
        equalise(crop_fifth(image, rng)), 224
    ),
    "turned by 5 degrees, mirrored, JPEG 10": lambda image, rng: _compress(
        np.ascontiguousarray(turn(image, rng, 5)[:, ::-1]), 10
    ),
    "negative, crop 20 %, noise": lambda image, rng: add_noise(crop_fifth(invert(image), rng), rng),
    "turned by 10 degrees, brighter, 128 px": lambda image, rng: images.resize_image(
        brighten(turn(image, rng, 10)), 128
    ),
    "quarter turn, letters, blurred": lambda image, rng: blur(write_letters(np.rot90(image), rng)),
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
