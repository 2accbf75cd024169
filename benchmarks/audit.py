"""`leakcard audit FOLDER` against the number of images.

python -m benchmarks.audit [--data-dir DIR] [--sizes 500,2000,10000] [--small]

A folder split/class/image of links to real X-rays of the three collections in `--data-dir`, whole
patients in one split; phantoms where there are no (more) real ones. Each size is audited as a user
would, in a process of its own, HTML with pictures included. Prints JSON.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

import phantoms
from benchmarks import common
from leakage import data, paths

DEFAULTS = {"sizes": "500,2000,10000", "data_dir": "", "file_size_px": 512}
SMALL = {"sizes": "24", "file_size_px": 48}
NUM_TEST_IN = 5  # one patient of five is a test patient
GOALS = {"2000": {"seconds": 120, "gigabytes": 1.5}, "10000": {"seconds": 720, "gigabytes": 2.0}}


def read_pool(options, num_images):
    """Real X-rays of all collections, in random order, then phantoms up to `num_images`."""
    real = pd.DataFrame()
    if options.data_dir:
        found = [data.READERS[name](options.data_dir) for name in ("cohen", "kermany", "nih")]
        real = data.concatenate_tables(found).sample(frac=1, random_state=0)
    each = -(-max(0, num_images - len(real)) // 3)
    if not each:
        return real
    drawn = phantoms.draw_study(
        paths.get_cache_dir(),
        controls=("adults",),
        num_images={"covid": each, "normal": each, "pneumonia": each},
        size_px=options.file_size_px,
    )
    return pd.concat([real, data.read_study(drawn, "adults").sample(frac=1, random_state=0)])


def link_folder(folder, rows):
    """Lay links to images out as split/class/image, patients in one split each."""
    patients = rows["patient_id"].drop_duplicates().sample(frac=1, random_state=0)
    test = set(patients.iloc[::NUM_TEST_IN])
    for number, row in enumerate(rows.itertuples()):
        path = Path(row.path)
        split = "test" if row.patient_id in test else "train"
        place = folder / split / str(row.label) / f"{number:05d}_{path.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())


def audit_folder(folder, out):
    """Audit a folder in a process of its own; return its times by both clocks, and the verdict."""
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}  # no --cache
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [
        sys.executable,
        "-P",
        "-m",
        "leakcard",
        "audit",
        str(folder),
        "--out",
        str(out / "card"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise RuntimeError(f"The audit failed:\n{done.stdout}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used, 1),
        # Of the largest process so far: sizes grow.
        "gigabytes": round(after.ru_maxrss * 1024 / 1e9, 2),
        "has_leak": bool(done.returncode),
    }


def measure(options):
    sizes = sorted(int(size) for size in options.sizes.split(","))
    pool = read_pool(options, sizes[-1])
    runs = []
    for size in sizes:
        rows = pool.iloc[:size]
        with tempfile.TemporaryDirectory() as place:
            link_folder(Path(place) / "images", rows)
            run = audit_folder(Path(place) / "images", Path(place))
        runs.append({"num_images": len(rows), **run})
    return {
        "num_real": int((~pool["source"].astype(str).str.startswith("phantom")).sum()),
        "runs": runs,
        "goals": GOALS,
    }


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    sys.exit(not main())
