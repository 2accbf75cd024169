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
from leakcard.copies import candidates, fingerprints, overlay
from leakcard.copies import search as duplicates

SOURCES = ("nih", "kermany")
# Of no part in the choice of thresholds. It has the same pictures under several patient numbers.
FRESH_SOURCE = "cohen"


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


def _make_prints(decoded):
    """Fingerprints of images in memory."""
    rows = [fingerprints.compute_fingerprint(np.ascontiguousarray(image)) for image in decoded]
    return fingerprints.stack_fingerprints(map(str, range(len(rows))), rows)


def _join(one, two, with_points):
    names = ("pixels", "hashes", "queries", "thumbnails", "is_flat", "points")
    joined = {name: np.concatenate([getattr(one, name), getattr(two, name)]) for name in names}
    if not with_points:
        joined["points"] = np.full(len(joined["points"]), None)
    return dataclasses.replace(one, paths=one.paths + two.paths, **joined)


def measure_recall(decoded, sources, seed=0, num_jobs=1):
    """Copy images in every way of `COPIES` and count the copies that are found.

    Parameters
    ----------
    decoded : list of ndarray of shape (height, width, 3), dtype=uint8
        Different pictures; each is searched for among the copies of all, and all others.
    sources : sequence of str
        Where each is from.
    seed : int
        Decides what is random in a copy.
    num_jobs : int
        Threads to search with.

    Returns
    -------
    DataFrame
        One row a way, search that promises it, and source: `copy`, `search`, `source`, `n`, `k`
        (found), `recall` with its Wilson interval `lower`, `upper`; `num_false` (pairs found of two
        images of which neither is a copy of the other, whatever the source).
    """
    originals = _make_prints(decoded)
    size, sources = len(decoded), np.array(sources)
    splits = [frozenset({"original"})] * size + [frozenset({"copy"})] * size
    records = []
    for number, (name, copy) in enumerate(tqdm(COPIES.items(), "search copies", leave=False)):
        rng = np.random.default_rng([seed, number])
        copies = _make_prints([copy(image, rng) for image in decoded])
        is_same = originals.pixels == copies.pixels  # a copy without a change
        for search in duplicates.SEARCHES if number < NUM_FAST else ("full",):
            found = candidates.find_copies(
                _join(originals, copies, search == "full"),
                splits,
                radius=duplicates.HASH_RADIUS,
                num_jobs=num_jobs,
            ).pairs
            is_found = np.array([(row, row + size) in found for row in range(size)]) | is_same
            num_false = sum(one % size != two % size for one, two in found)
            for source in dict.fromkeys(sources):
                n, k = int((sources == source).sum()), int(is_found[sources == source].sum())
                lower, upper = evaluation.wilson_interval(k, n)
                line = {"copy": name, "search": search, "source": source, "n": n, "k": k}
                line |= {"recall": k / n, "lower": lower, "upper": upper, "num_false": num_false}
                records.append(line)
    return pd.DataFrame(records)


def count_false_pairs(table, images_of, search="full", num_jobs=1):
    """Search images of many patients for copies and count the pairs of different patients.

    Parameters
    ----------
    table : DataFrame
        With `image_id`, `path`, `patient_id`.
    images_of : str
        What it is called.
    search : {"full", "fast"}
    num_jobs : int
        Threads.

    Returns
    -------
    dict
        `images_of`, `search`, `num_images`, `num_patients`, `num_pairs` (of different patients),
        `num_registered` (laid over each other), `num_false` (confirmed pairs of different patients,
        equal files and pixels apart), `false_per_2000_images`, `num_same_patient_pairs`,
        `num_same_patient` (of those, confirmed), `named` (list of the two ids of each confirmed
        pair).
    """
    pairs = duplicates.find_duplicates(table, search=search, num_jobs=num_jobs)
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


def format_calibration(recall, false_pairs):
    """Write the calibration as Markdown.

    Parameters
    ----------
    recall : DataFrame
        From `measure_recall`.
    false_pairs : list of dict
        From `count_false_pairs`.

    Returns
    -------
    str
    """
    columns = list(recall.groupby(["search", "source"], sort=False).groups)
    lines = [
        "# Calibration of the search for copies",
        "",
        f"Real X-rays of {', '.join(dict.fromkeys(recall['source']))}. Recall with its 95 % Wilson "
        f"interval. A copy: at least {overlay.MIN_POINTS} common points, detail that correlates by "
        f"{overlay.MIN_CORRELATION} and is displaced by at most {overlay.MAX_SHIFT_PX} of 128 "
        "pixels once one is laid over the other. These thresholds were chosen on 50 images of each "
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
    parser.add_argument("--jobs", type=int, default=1, help="threads")
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
    pool = data.concatenate_tables(pools)
    false_pairs = [
        count_false_pairs(pool, " and ".join(SOURCES), search, options.jobs)
        for search in duplicates.SEARCHES
    ]
    fresh = data.READERS[FRESH_SOURCE](data_dir)
    false_pairs.append(count_false_pairs(fresh, FRESH_SOURCE, num_jobs=options.jobs))
    recall = measure_recall(decoded, sources, options.seed, options.jobs)
    content = {
        "seed": options.seed,
        "hash_radius": duplicates.HASH_RADIUS,
        "min_points": overlay.MIN_POINTS,
        "min_correlation": overlay.MIN_CORRELATION,
        "max_shift_px": overlay.MAX_SHIFT_PX,
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
