"""Toys: a project for the runner, whose notebooks do what they are told; images and a network."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil

import nbrun

SOURCE = Path(nbrun.__file__).parents[1]
PARAMETERS = """\
num_images: int = 3  # how many
learning_rate: float = 0.5
weights: str = "random"  # or a path
seeds: list = [20, 1, 2]
limit: int = None
mode: str = "fine"  # or fail, kill, exit, sleep, once, real
"""
WORK = """\
import json, os, signal, sys, time, warnings
from pathlib import Path
from tqdm import tqdm
output = Path(os.environ["TOY_OUTPUT_DIR"])
begun = time.time()
for _ in tqdm(range(3), "loop", leave=False):
    for _ in tqdm(range(12), "inner loop", leave=False): time.sleep(0.01)
print("images", num_images, "in", output)
"""
ACT = """\
(output / "mode").write_text(mode)
if mode == "fail": raise ValueError("Too few. Expected: 4. Received: 3")
if mode == "exit": sys.exit()
if mode == "kill": os.kill(os.getpid(), signal.SIGKILL)
if mode == "warn": warnings.warn("look here", UserWarning)
waited = Path(os.environ["TOY_CACHE_DIR"]) / "waited"
if mode == "once" and num_images == 4 and not waited.exists():
    waited.parent.mkdir(parents=True, exist_ok=True)
    waited.touch()
    mode = "sleep"
if mode == "sleep":
    for _ in tqdm(range(6000), "sleep", leave=False): time.sleep(0.1)
"""
WRITE = """\
kept = os.environ.get("TOY_KEPT_DIR")
found = {"images": num_images, "rate": learning_rate, "seed": seeds[0],
         "threads": os.environ.get("OMP_NUM_THREADS")}
(output / "metrics.json").write_text(json.dumps(found))
told = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "times": [begun, time.time()],
        "kept": kept and not os.path.exists(kept)}
(output / "timings.json").write_text(json.dumps(told))
"""
AT_A_GLANCE = """\
import os
from pathlib import Path
found = sorted(Path(os.environ["TOY_RUN_DIR"]).glob("0*/metrics.json"))
(Path(os.environ["TOY_OUTPUT_DIR"]) / "all.txt").write_text(str(len(found)))
"""
# Its hooks stand in the script itself, as they do in `python -m leakage.run`.
SCRIPT = """\
import json, os, sys
from pathlib import Path
import nbrun

root = Path(__file__).absolute().parent

def at_end(run_dir, remarks):
    (run_dir / "summary.md").write_text("".join(f"{remark}\\n" for remark in remarks))
    return "the end of the run"

def at_sweep_end(folder, jobs):
    (root / "jobs.json").write_text(json.dumps(jobs))
    return f"{len(jobs)} jobs"

def make_project():
    return nbrun.Project(
        root=root, notebooks=root / "note books", results_dir=root / "results",
        data_dir=root / "data", cache_dir=root / "cache", packages=[root / "package"],
        prefix="TOY", last="07", reads_data=lambda given: given.get("mode") == "real",
        data_help="Download the data.", file_suffixes=(".keras",), at_end=at_end,
        at_sweep_end=at_sweep_end, seconds_between_lines=0.5,
    )

if __name__ == "__main__":
    sys.exit(nbrun.main(make_project()))
"""


def write_notebook(path, *cells, parameters=PARAMETERS):
    """Write a notebook with one cell tagged `parameters` in front of the others."""
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[tagged, *map(nbformat.v4.new_code_cell, cells)])
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["kernelspec"] = spec
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def write_project(folder, profile="all: {num_images: 4}\n01: {weights: none, mode: warn}\n"):
    """Write two notebooks, a summary of them, a profile, a package, and the script to run."""
    for name in ("01_first", "02_second"):
        write_notebook(folder / "note books" / f"{name}.ipynb", WORK, ACT, WRITE)
    last = folder / "note books" / "07_at_a_glance.ipynb"
    write_notebook(last, AT_A_GLANCE, parameters="num_rows: int = 5")
    for path, text in {
        "note books/profiles/demo.yaml": profile,
        "package/code.py": "x = 1\n",
        "toy.py": SCRIPT,
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


def start(folder, *arguments, env=None, max_bytes=None, **options):
    """Start the project's script as a user would; no file may grow beyond `max_bytes`."""

    def prepare():
        # a job in the background of a shell script inherits that Ctrl-C is ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        if max_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))

    return subprocess.Popen(
        [sys.executable, "-P", str(folder / "toy.py"), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=prepare,
        **options,
    )


def run(folder, *arguments, **options):
    """Run to the end; return exit code and output."""
    process = start(folder, *arguments, **options)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def list_files(folder):
    """Every file with its bytes, the state of the run left out."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".run" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def wait_for(condition, process=None, seconds=60):
    """Wait until a condition holds, while a process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def list_descendants(*processes):
    """The processes that some have started, kernels among them."""
    return [p for each in processes for p in psutil.Process(each.pid).children(recursive=True)]


def are_gone(processes):
    """Whether none of some processes of psutil is alive."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def make_pixels(size_px, num_images=2):
    """Images of noise, as networks take them: the same at every call."""
    shape = (num_images, size_px, size_px, 3)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def build_small_cnn(size_px, num_classes, seed):
    """The network of notebook 02."""
    import keras
    from keras import layers

    from leakage import networks

    model = keras.Sequential(
        [
            keras.Input((size_px, size_px, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(64, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, activation="relu", name="conv_3"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )
    networks.set_initial_weights(model, seed, first=1)
    return model
