"""What several tests share: real data where it is, and a cache of their own."""

import contextlib
import functools
import hashlib
import importlib
import os
import pickle
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

# Before NumPy is imported: what tests compute is small, and slower with two threads, by far so
# where other tests run beside.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
                "TF_NUM_INTRAOP_THREADS"):  # fmt: skip
    os.environ.setdefault(library, "1")


ROOT = Path(__file__).resolve().parents[1]


def remember(module, name, make_key, most):
    """Let a function of a module give what it gave before for the same key."""
    compute, known = getattr(module, name), {}

    @functools.wraps(compute)
    def look_up(*arguments):
        key = make_key(*arguments)
        try:
            return known[key]
        except KeyError:
            found = compute(*arguments)
        if len(known) >= most:
            known.clear()
        known[key] = found
        return found

    return mock.patch.object(module, name, look_up)


def hash_values(*arguments):
    return hashlib.sha256(pickle.dumps(arguments)).digest()


def hash_file(path):
    from leakcard import quality

    digest = hashlib.sha256(Path(path).read_bytes()).digest() if os.path.isfile(path) else path
    return digest, quality.can_compute_brisque()


def name_file(path):
    known = os.stat(path)
    return path, known.st_size, known.st_mtime_ns, Image.MAX_IMAGE_PIXELS


# The notebooks keep two cores busy; beside them run those that mostly wait for other processes.
# Then the longest: begun last, the other process would wait for one of them.
FIRST = ["notebooks", "run", "sweep", "colab",
         "probes", "audit_duplicates", "backbones", "experiment", "audit_real", "sets",
         "benchmarks", "symbols"]  # fmt: skip


def pytest_collection_modifyitems(items):
    """Order the files; within a file nothing changes."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


# What depends on its arguments alone, and how many of its answers are remembered.
REMEMBERED = (
    ("leakcard.facts", "_inspect", name_file, 50_000),  # real sources are read again and again
    ("leakcard.looks", "_measure", hash_file, 10_000),  # 7 kB each
    ("leakcard.copies.fingerprints", "compute_fingerprint", hash_values, 2000),  # 50 kB each
    ("leakcard.copies.points", "describe_points", hash_values, 2000),
    ("leakcard.copies.overlay", "register_points", hash_values, 20_000),
    ("leakcard.copies.overlay", "compare_pictures", hash_values, 20_000),
    ("leakcard.patches", "compare_with_words", hash_values, 100),  # 1 MB each
    ("leakcard.classifier", "score_features", hash_values, 10_000),
)


@pytest.fixture(scope="session", autouse=True)
def compute_once():
    """Many tests audit the same pictures, each anew: what is computed of them takes most."""
    with contextlib.ExitStack() as stack:
        for module, *what in REMEMBERED:
            stack.enter_context(remember(importlib.import_module(module), *what))
        yield


@pytest.fixture
def compute_anew(monkeypatch):
    """Remember nothing of other tests, where two ways to the same answer are compared."""
    for module, name, *_ in REMEMBERED:
        module = importlib.import_module(module)
        monkeypatch.setattr(module, name, getattr(module, name).__wrapped__)


@pytest.fixture(scope="session")
def shared_dir():
    """The folder with real data, weights and manifests beside the project."""
    folder = Path(os.environ.get("LEAKAGE_SHARED_DIR") or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data in {folder} (set LEAKAGE_SHARED_DIR to its place)")
    return folder


@pytest.fixture(scope="session")
def read_real(shared_dir):
    """Read a real source by its name, once for all tests of a process; a table of one's own."""
    from leakage import data

    read = functools.cache(lambda name: data.READERS[name](shared_dir / "data"))
    return lambda name: read(name).copy()


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory):
    """What was measured of real pictures, for all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "measured"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep every test's cache apart from the reader's and from other tests'."""
    monkeypatch.setenv("LEAKAGE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(tmp_path / "kept"))


@pytest.fixture
def forget_training(tmp_path, monkeypatch):
    """Return a function after whose call nothing counts as trained already."""
    return lambda: monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(tmp_path / "kept anew"))
