"""What the benchmarks of speed share: options, images, a clock and words on the machine.

Whatever is compared is timed in one process; where `time_in_turns` does it, in turns, of which the
best counts. On a machine that does other work too, `cpu_seconds` (of all threads of the process)
tell more than `seconds`, so both are given.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np

import phantoms
from leakage import data, paths, published
from leakage.data import splits

CLOCKS = ("seconds", "cpu_seconds")
# One image of each patient with COVID-19 is drawn: so many more phantoms are needed.
SPARE = 1.6
NETWORK = {"backbone": "vgg19", "weights": "random", "size_px": 224, "file_size_px": 512}
SMALL_NETWORK = {"size_px": 32, "file_size_px": 48}


def run_benchmark(description, defaults, small, measure, arguments=None):
    """Read the options, measure in a scratch cache, print JSON and return it as a dict.

    Parameters
    ----------
    description : str
        Its first line is the help.
    defaults, small : dict
        Options and their values; `small` is what `--small` changes.
    measure : callable
        `measure(options)` returns a dict.
    arguments : sequence of str, optional
        The command line.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="seconds: checks the code, no figures")
    for name, value in defaults.items():
        kind = int if isinstance(value, int) else str
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value)
    if parser.parse_known_args(arguments)[0].small:
        parser.set_defaults(**small)
    options = parser.parse_args(arguments)
    machine = describe_machine()
    with use_scratch_cache():
        measured = measure(options)
    told = {  # JSON is kept: it names no folder of this machine
        name: Path(value).name if isinstance(value, str) else value
        for name, value in vars(options).items()
    }
    result = {"options": told, "machine": machine, **round_values(measured)}
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return result


@contextlib.contextmanager
def use_scratch_cache():
    """Lead the project's cache to a folder that is deleted, and train what was trained before."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {"LEAKAGE_CACHE_DIR": folder}),
    ):
        yield


def make_folder():
    """A new, empty folder in the scratch cache, such as that of a feature bank."""
    paths.get_cache_dir().mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=paths.get_cache_dir()))


def draw_images(num_train, num_val, num_test, file_size_px):
    """Draw a slice of the published study, in phantoms.

    Returns
    -------
    DataFrame
        Rows of the table contract with `split`; the three classes are as even as can be.
    """
    names = published.CLASS_NAMES
    wanted = {
        label: tuple(_share(count, number) for count in (num_train, num_val, num_test))
        for number, label in enumerate(names)
    }
    pool_sizes = {label: int(SPARE * sum(counts)) + 4 for label, counts in wanted.items()}
    drawn = phantoms.draw_study(paths.get_cache_dir(), num_images=pool_sizes, size_px=file_size_px)
    pool = data.read_study(drawn, "children")
    return splits.draw_split(pool, published.PROTOCOLS["paper"], wanted, seed=20)


def _share(count, number):
    """How many of `count` images the class `number` gets."""
    num_classes = len(published.CLASS_NAMES)
    return count // num_classes + (number < count % num_classes)


def time_call(function, *arguments):
    """Call a function; return what it returned, and the time it took by each clock."""
    started = time.perf_counter(), time.process_time()
    result = function(*arguments)
    ended = time.perf_counter(), time.process_time()
    return result, {name: b - a for name, a, b in zip(CLOCKS, started, ended, strict=True)}


def time_in_turns(functions, num_rounds):
    """Call each function once a round, in turns; return the best time of each by each clock."""
    times = {name: [] for name in functions}
    for _ in range(num_rounds):
        for name, function in functions.items():
            times[name].append(time_call(function)[1])
    return {name: take_best(found) for name, found in times.items()}


def take_best(times):
    """Best of several times by each clock."""
    return {clock: min(one[clock] for one in times) for clock in CLOCKS}


def divide(first, second):
    """Ratio of two times by each clock."""
    return {clock: first[clock] / second[clock] for clock in CLOCKS}


def combine(times, factors):
    """Add up times, each multiplied by its factor, by each clock."""
    return {clock: sum(times[name][clock] * factors[name] for name in factors) for clock in CLOCKS}


def round_values(found, digits=4):
    """Round every float in nested dicts and lists, for printing."""
    if isinstance(found, dict):
        return {name: round_values(value, digits) for name, value in found.items()}
    if isinstance(found, list):
        return [round_values(value, digits) for value in found]
    return round(found, digits) if isinstance(found, float) else found


def compare_scores(first, second):
    """How far two arrays of class scores, of shape (n_images, n_classes), agree."""
    equal = first.argmax(axis=1) == second.argmax(axis=1)
    return {
        "equal_predictions": float(equal.mean()),
        "different": int((~equal).sum()),
        "largest_difference": float(np.abs(first - second).max()),
    }


def describe_machine():
    """What decides the figures: the processor, and what else it was doing."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    model = re.search(r"model name\s*:\s*(.+)", text)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "num_cores": os.cpu_count(),
        "load_before": None if load is None else round(load, 2),
    }
