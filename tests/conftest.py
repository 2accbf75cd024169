"""What several tests share: real data where it is, and a cache of their own."""

import functools
import hashlib
import os
from pathlib import Path
from unittest import mock

import pytest

# Before NumPy is imported: what tests compute is small, and slower with two threads, by far so
# where other tests run beside.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(library, "1")

import numpy as np  # noqa: E402

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


def hash_image(image, with_points=True):
    return hashlib.sha256(np.ascontiguousarray(image)).digest(), image.shape, with_points


def hash_arrays(*arrays):
    return [hashlib.sha256(np.ascontiguousarray(one)).digest() for one in arrays]


def hash_points(one, two, variant):
    arrays = (one.places, one.descriptors, two.places, two.descriptors)
    return *hash_arrays(*arrays), variant


def hash_laid(fit, one, two):
    return *hash_arrays(fit.matrix, one, two), fit.is_negative, fit.num_points


def hash_file(path):
    from leakcard import quality

    digest = hashlib.sha256(Path(path).read_bytes()).digest() if os.path.isfile(path) else path
    return digest, quality.can_compute_brisque()


@pytest.fixture(scope="session", autouse=True)
def describe_each_picture_once():
    """Many tests audit the same pictures, each anew; describing and comparing them takes most."""
    from leakcard import looks
    from leakcard.copies import fingerprints, overlay, points

    with (
        remember(fingerprints, "compute_fingerprint", hash_image, 2000),  # 50 kB each
        remember(looks, "_measure", hash_file, 10_000),  # 7 kB each
        remember(points, "describe_points", hash_image, 2000),
        remember(overlay, "register_points", hash_points, 20_000),
        remember(overlay, "compare_pictures", hash_laid, 20_000),
    ):
        yield


@pytest.fixture
def compare_anew(monkeypatch):
    """Describe and compare pictures as if no test had done so before."""
    from leakcard.copies import fingerprints, overlay, points

    for module, name in (
        (fingerprints, "compute_fingerprint"),
        (points, "describe_points"),
        (overlay, "register_points"),
        (overlay, "compare_pictures"),
    ):
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


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep every test's cache apart from the reader's and from other tests'."""
    monkeypatch.setenv("LEAKAGE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(tmp_path / "kept"))


@pytest.fixture
def forget_training(tmp_path, monkeypatch):
    """Return a function after whose call nothing counts as trained already."""
    return lambda: monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(tmp_path / "kept anew"))
