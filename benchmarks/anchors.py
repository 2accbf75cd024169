"""The search for copies beside CleanVision, fastdup and imagededup, on the same files.

python -m benchmarks.anchors --data-dir DIR --python VENV/bin/python

VENV is an environment of its own with those that install (`pip install cleanvision fastdup
imagededup`); the project does not need them. Images of as many patients and one copy of each, the
ways of `disguises.COPIES` in turn, are written into one folder, and every tool searches it. Writes
results/calibration/anchors.{json,md}.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

NUM_IMAGES = 10  # copied in each way, of each source


def run_cleanvision(folder):
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, verbose=False)
    kinds = ("exact_duplicates", "near_duplicates")
    sets = [one for kind in kinds for one in lab.info[kind].get("sets", [])]
    return [(a, b) for one in sets for a in one for b in one if a < b]


def run_imagededup(folder, max_distance):
    from imagededup.methods import PHash

    method = PHash(verbose=False)
    found = method.find_duplicates(
        image_dir=str(folder), max_distance_threshold=max_distance, scores=False
    )
    return [(a, b) for a, others in found.items() for b in others]


def run_fastdup(folder, threshold):
    import fastdup

    with tempfile.TemporaryDirectory() as work:
        search = fastdup.create(work_dir=work, input_dir=str(folder))
        search.run(ccthreshold=threshold, threshold=threshold, nearest_neighbors_k=5)
        table = search.similarity()
        table = table[table["distance"] >= threshold]
        return list(zip(table["filename_from"], table["filename_to"], strict=True))


TOOLS = {
    "CleanVision": run_cleanvision,
    "imagededup, PHash 6": lambda folder: run_imagededup(folder, 6),
    "imagededup, PHash 10": lambda folder: run_imagededup(folder, 10),
    "imagededup, PHash 12": lambda folder: run_imagededup(folder, 12),
    "fastdup, 0.96": lambda folder: run_fastdup(folder, 0.96),
    "fastdup, 0.90": lambda folder: run_fastdup(folder, 0.90),
}


def run_tools(folder, out):
    """Run every tool that installs, in its own environment; write what each found, by file name."""
    found = {}
    for name, tool in TOOLS.items():
        try:
            pairs = tool(folder)
        except Exception as error:  # a tool that fails is told of, and the others still run
            found[name] = f"{type(error).__name__}: {error}"[:300]
            continue
        found[name] = sorted({tuple(sorted((Path(a).name, Path(b).name))) for a, b in pairs})
    Path(out).write_text(json.dumps(found), encoding="utf-8")


def write_images(folder, data_dir, num_images, seed):
    """Write originals and a copy of each as PNG; return one row a file: name, kind, picture.

    One copy each: of many copies of one picture a search need not name every pair.
    """
    import cv2
    import numpy as np
    import pandas as pd

    from benchmarks import calibrate_copies
    from leakage import data
    from leakcard import images
    from leakcard.copies import disguises

    rows, kinds = [], list(disguises.COPIES)
    for place, source in enumerate(calibrate_copies.SOURCES):
        pool = data.READERS[source](data_dir).drop_duplicates("sha256")
        pool = pool.drop_duplicates("patient_id")
        pool = pool.sample(num_images * len(kinds), random_state=seed)
        for number, path in enumerate(pool["path"]):
            image, kind = images.decode_image(path), kinds[number % len(kinds)]
            rng = np.random.default_rng([seed, place, number])
            picture = f"{source}_{number:04d}"
            for made, pixels in (("original", image), (kind, disguises.COPIES[kind](image, rng))):
                name = f"{picture}_{made == 'original':d}.png"
                pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(folder / name), pixels)
                rows.append((name, made, picture))
    return pd.DataFrame(rows, columns=["name", "kind", "picture"])


def count(table, pairs):
    """Recall of each kind (found with its original), and pairs of two different pictures."""
    picture = dict(zip(table["name"], table["picture"], strict=True))
    found = {picture[one] for one, two in pairs if picture[one] == picture[two]}
    num_false = sum(picture[one] != picture[two] for one, two in pairs)
    copies = table[table["kind"] != "original"]
    recall = copies["picture"].isin(found).groupby(copies["kind"]).mean()
    recall = recall[list(dict.fromkeys(copies["kind"]))]
    return {"recall": recall.round(3).to_dict(), "mean": float(recall.mean()), "false": num_false}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="where nih/ and chest_xray/ are")
    parser.add_argument("--python", default="", help="of the environment that has the tools")
    parser.add_argument("--num-images", type=int, default=NUM_IMAGES, help="a way and source")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--out", default="", help="default: results/calibration")
    parser.add_argument("--tools", nargs=2, help=argparse.SUPPRESS)  # FOLDER OUT, in the other one
    options = parser.parse_args(arguments)
    if options.tools:
        run_tools(Path(options.tools[0]), options.tools[1])
        return 0
    import pandas as pd

    from leakage import paths
    from leakcard import files
    from leakcard.copies import search

    out = Path(options.out or paths.get_results_dir() / "calibration")
    with tempfile.TemporaryDirectory() as place:
        folder, told = Path(place) / "images", Path(place) / "found.json"
        folder.mkdir()
        table = write_images(folder, options.data_dir, options.num_images, options.seed)
        listed = table.assign(image_id=table["name"], path=[folder / n for n in table["name"]])
        found = {
            f"leakcard, {name}": search.find_duplicates(listed, search=name)[
                ["image_id_a", "image_id_b"]
            ].to_numpy()
            for name in search.SEARCHES
        }
        if options.python:
            script = [options.python, str(Path(__file__).resolve()), "--tools", folder, told]
            subprocess.run([str(part) for part in script], check=True, stdout=sys.stderr)
            found |= json.loads(told.read_text(encoding="utf-8"))
    failed = {name: pairs for name, pairs in found.items() if isinstance(pairs, str)}
    counted = {name: count(table, pairs) for name, pairs in found.items() if name not in failed}
    recall = pd.DataFrame({name: one["recall"] for name, one in counted.items()})
    recall.loc["**mean recall**"] = {name: one["mean"] for name, one in counted.items()}
    recall.loc["**false pairs**"] = {name: one["false"] for name, one in counted.items()}
    text = (
        f"# Copies: beside other tools\n\n{len(table) // 2} real X-rays of as many patients (NIH, "
        f"Kermany; seed {options.seed}) and one copy of each, {2 * options.num_images} in each of "
        f"{len(recall) - 2} ways, {len(table):,} files in one folder, searched by every tool. "
        "Recall: copies found together with their original. False "
        "pairs: two different X-rays. Tools cluster or cap in their own ways; their settings are "
        "in `benchmarks/anchors.py`.\n\n| copy | " + " | ".join(recall) + " |\n"
        + "|---" * (1 + len(recall.columns)) + "|\n"
    )  # fmt: skip
    for name, row in recall.iterrows():
        is_count = "pairs" in name
        text += f"| {name} | " + " | ".join(f"{v:,.0f}" if is_count else f"{v:.2f}" for v in row)
        text += " |\n"
    for name, why in failed.items():
        text += f"\n{name} did not run: {why}\n"
    files.write_json(out / "anchors.json", {"counted": counted, "failed": failed})
    files.write_text(out / "anchors.md", text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
