"""Keep what was trained, by the content that determines it, so that no run is done twice.

A run that was interrupted goes on with the seed it was at, and notebooks that train the same
thing share it. They lie in `paths.get_kept_dir()`; a new folder there trains anew.
"""

import gc
import hashlib
import importlib.metadata
import json
import os
import time
import zipfile

import keras
import numpy as np

from leakage import features, paths
from leakage.training import fitting
from leakcard import files

# Part of every key: raise it when the way in which networks are built, fed or fitted changes.
STORE_VERSION = 1
# Less than the feature bank may hold: heads are large, and quicker to train than features.
LIMIT_GB = 5.0
LARGE = 5_000_000  # weights; room for fewer is not worth the time of looking for it

gc.freeze()  # TensorFlow's half million objects stay: looking through them takes 0.4 s a head


def load_or_train(content, build_model, train, *, seed, keep_model=True):
    """Return a run from the store, or train it and keep it there.

    Parameters
    ----------
    content : dict
        Everything that determines the run besides the code, the libraries and `seed`; JSON.
    build_model : callable
        `build_model()` returns a new model with its initial weights, sharing none with others.
    train : callable
        `train(model)` fits it in place and returns (history, test scores). The model is empty
        after that: what is kept is a copy.
    seed : int
    keep_model : bool
        Whether the run keeps its model, and the store its weights.

    Returns
    -------
    Run
    """
    known = content | {
        "seed": seed,
        "keep_model": keep_model,
        # another number adds the same numbers up in another order
        "threads": os.environ.get("TF_NUM_INTRAOP_THREADS"),
        "version": STORE_VERSION,
        "float": keras.config.floatx(),
        "libraries": [importlib.metadata.version(name) for name in ("keras", "tensorflow")],
    }
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:24]
    path = paths.get_kept_dir() / digest / "run.npz"
    if path.is_file():
        stored = _read(path, seed, build_model if keep_model else None)
        if stored is not None:
            return stored
    model = build_model()
    started = time.monotonic()
    history, scores = train(model)
    seconds = time.monotonic() - started
    kept = _copy(model, build_model) if keep_model else None
    fitting.free_memory(model)
    run = fitting.Run(seed, history, scores, kept, seconds)
    _write(path, run)
    return run


def hash_arrays(arrays):
    """Name the content of a sequence of arrays: shapes, types and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype.str}".encode())
        digest.update(memoryview(np.ascontiguousarray(array)).cast("B"))
    return digest.hexdigest()[:24]


def _copy(model, build_model):
    """Leave the optimiser's state behind, which is as large as the model."""
    if model.count_params() >= LARGE:
        gc.collect()  # copies that the caller has dropped lie in cycles
    kept = build_model()
    kept.set_weights(model.get_weights())
    return kept


def _write(path, run):
    arrays = {"scores": run.test_scores, "seconds": np.array(run.seconds)}
    arrays["history"] = np.frombuffer(json.dumps(run.history).encode(), dtype=np.uint8)
    if run.model is not None:
        for number, values in enumerate(run.model.get_weights()):
            arrays[f"weights_{number}"] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    with features.get_lock(path.parent):  # another process that makes room leaves it alone
        features.limit_size(path.parent.parent, keep=path.parent, limit_gb=LIMIT_GB)
        with files.open_atomic(path, "wb") as stream:
            np.savez(stream, **arrays)


def _read(path, seed, build_model):
    """Read a stored run; None where another process dropped it or the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            history = json.loads(arrays["history"].tobytes())
            scores, seconds = arrays["scores"], float(arrays["seconds"])
            model = build_model() if build_model else None
            if model is not None:
                count = len(model.get_weights())
                model.set_weights([arrays[f"weights_{number}"] for number in range(count)])
        os.utime(path.parent)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return fitting.Run(seed, history, scores, model, seconds)
