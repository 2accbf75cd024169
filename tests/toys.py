"""Toy notebooks: they run in a second, without TensorFlow, and do what their parameters say."""

import os
import signal
import subprocess
import sys

import nbformat

from leakage import paths

PARAMETERS = """\
data_source: str = "phantoms"  # or real
num_images: int = 3  # how many
learning_rate: float = 0.5  # of the toy
weights: str = "random"  # or a path
seeds: list[int] = [20, 1, 2]  # the first is declared
mode: str = "fine"  # or fail, sleep, bar, kill
"""
WORK = """\
import os, sys, time
from pathlib import Path
import pandas as pd
from tqdm import tqdm
from leakage import paths, record
output = paths.get_output_dir("toy")
print("images", num_images, "rate", learning_rate, "in", output)
for _ in tqdm(range(3), "loop", leave=False): time.sleep(0.01)
if mode == "fail": raise ValueError("Too few. Expected: 4. Received: 3")
if mode == "kill": os.kill(os.getpid(), 9)
if mode == "bar": print("\\r 50%|#####     | 5/10 [00:01<00:01]\\nWARNING real", file=sys.stderr)
if mode == "sleep":
    (output / "begun").write_text("x")
    time.sleep(600)
"""
WRITE = """\
row = {"metric": "accuracy", "interval": "wilson", "value": num_images / 10, "lower": 0.0,
       "upper": 1.0, "k": num_images, "n": 10, "verdict": "not comparable"}
records = record.make_records(pd.DataFrame([row]), system="S1", notebook=output.name[:2],
                              protocol="paper", variant="toy", weights=weights, seed=seeds[0])
record.write_metrics(output, records);
"""
PROFILE = "all: {num_images: 4}\n01: {weights: none}\n"
AT_A_GLANCE = """\
from leakage import paths, report
from leakcard import files
records = report.collect_records(paths.get_run_dir())
files.write_csv(paths.get_output_dir("toy") / "all.csv", records)
"""


def write_notebook(path, *cells, parameters=PARAMETERS):
    """Write a notebook with one cell tagged `parameters` in front of the others."""
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[tagged, *map(nbformat.v4.new_code_cell, cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def write_project(folder):
    """Write two toys, a summary and a profile; return the environment that leads to them."""
    notebooks = folder / "note books"
    write_notebook(notebooks / "01_toy_first.ipynb", WORK, WRITE)
    write_notebook(notebooks / "02_toy_second.ipynb", WORK, WRITE)
    write_notebook(notebooks / "07_at_a_glance.ipynb", AT_A_GLANCE, parameters="num_rows: int = 5")
    (notebooks / "profiles").mkdir()
    (notebooks / "profiles" / "demo.yaml").write_text(PROFILE)
    return {
        "LEAKAGE_NOTEBOOKS_DIR": str(notebooks),
        "LEAKAGE_RESULTS_DIR": str(folder / "results"),
        "LEAKAGE_CACHE_DIR": str(folder / "cache"),
    }


def start(environment, *arguments, **options):
    """Start `python -m leakage.run` as a user would, from `cwd` if given."""
    held = {k: v for k, v in os.environ.items() if not k.startswith("LEAKAGE_")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "leakage.run", *map(str, arguments)],
        env=held | {"PYTHONPATH": str(paths.ROOT / "src")} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a job in the background of a shell script inherits that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def run(environment, *arguments, **options):
    """Run to the end; return exit code and output."""
    process = start(environment, *arguments, **options)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output
