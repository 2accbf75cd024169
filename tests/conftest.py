"""What several tests share: real data where it is, and a cache of their own."""

import functools
import gc
import hashlib
import os
from pathlib import Path

import pytest

# Before NumPy is imported: what tests compute is small, and slower with two threads, by far so
# where other tests run beside.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(library, "1")

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def quick_garbage_collection():
    """statsmodels collects garbage at every correction: half a second with TensorFlow loaded."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def fingerprint_each_picture_once():
    """Many tests search the same pictures for copies, each anew; its points take most of that."""
    from leakcard.copies import fingerprints

    compute, known = fingerprints.compute_fingerprint, {}

    def look_up(image, with_points=True):
        key = hashlib.sha256(np.ascontiguousarray(image)).digest(), image.shape, with_points
        if key not in known and len(known) >= 2000:  # 50 kB each
            known.clear()
        if key not in known:
            known[key] = compute(image, with_points)
        return known[key]

    fingerprints.compute_fingerprint = look_up
    yield
    fingerprints.compute_fingerprint = compute


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


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep every test's cache apart from the reader's and from other tests'."""
    monkeypatch.setenv("LEAKAGE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(tmp_path / "kept"))


@pytest.fixture
def forget_training(tmp_path, monkeypatch):
    """Return a function after whose call nothing counts as trained already."""
    return lambda: monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(tmp_path / "kept anew"))
