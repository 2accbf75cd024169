"""Run one job of a sweep to its end, on this machine or on a worker of a cluster."""

import functools
import os
import tempfile
import time
from pathlib import Path

import filelock

from leakage import environment
from leakage.runner import process, queue, state
from leakcard import files

STOPPED = {"ok": False, "error": "Stopped", "message": "the sweep was interrupted", "cell": None}


def run_job(job):
    """Run one notebook in a process of its own and move what it wrote into place.

    It may be called again for the same job, elsewhere, while the first call is still at it or its
    process has just been killed: then it waits, and finds the job done or does it.

    Parameters
    ----------
    job : dict
        Plain values, since it may travel: id, source, overrides, parameters, run_dir, data_dir,
        key, code and notebook (hashes of the package and of the notebook), variables
        (environment), share_gpus, force, and stop: a file that ends the job when it appears.

    Returns
    -------
    dict
        The outcome as `notebook.execute` returns it, with id and seconds; where it failed, also
        kept: the executed notebook as far as it came.
    """
    started = time.monotonic()
    try:
        outcome = _run(job, Path(job["source"]), Path(job["stop"]))
    except OSError as error:
        full = error.errno in state.DISK_FULL
        outcome = {"ok": False, "error": type(error).__name__, "message": str(error),
                   "cell": None, "disk_full": full}  # fmt: skip
    return outcome | {"id": job["id"], "seconds": time.monotonic() - started}


def _run(job, source, stop):
    if state.hash_code() != job["code"] or state.hash_notebook(source) != job["notebook"]:
        message = (
            "the package or notebook here is not the one that the sweep started with: it was "
            "changed meanwhile, or a worker has another version. Start the sweep again"
        )
        return {"ok": False, "error": "OtherCode", "message": message, "cell": None}
    run_state = state.RunState(job["run_dir"])
    own = _wait_for_one([run_state.path(source.stem, ".taken")], stop)
    if own is None:
        return STOPPED
    with own:
        run_state.recover(source.stem)
        if not job["force"] and run_state.is_complete(source.stem, job["key"]):
            return {"ok": True}
        gpus = [] if job["share_gpus"] else list_gpus()
        free = {_name_gpu_lock(gpu): gpu for gpu in gpus}
        device = _wait_for_one(free, stop) if free else None
        if free and device is None:
            return STOPPED
        try:
            chosen = {"CUDA_VISIBLE_DEVICES": free[Path(device.lock_file)]} if device else {}
            return _execute(job, source, run_state, stop, job["variables"] | chosen)
        finally:
            if device:
                device.release()


def _execute(job, source, run_state, stop, variables):
    name = source.stem
    running = files.write_json(run_state.path(name, ".running"), {"since": time.time()})
    notebook = process.NotebookProcess(
        source, job["overrides"], run_state, Path(job["data_dir"]), job["force"], variables
    )
    try:
        while notebook.is_running():
            if stop.exists():
                return STOPPED
            time.sleep(queue.POLL_SECONDS)
        outcome = notebook.get_outcome()
        if outcome["ok"]:
            outcome = queue.publish(notebook, run_state, job["key"], job["parameters"])
        if not outcome["ok"]:
            kept = run_state.keep_failed(name)
            outcome |= {"kept": str(kept) if kept else None}
        return outcome
    finally:
        notebook.end()
        running.unlink(missing_ok=True)


@functools.cache
def list_gpus():
    """What `CUDA_VISIBLE_DEVICES` may name here, one GPU each; empty where there is none."""
    num_gpus = len(environment.describe_environment()["gpus"])
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None or not num_gpus:
        return [str(number) for number in range(num_gpus)]
    return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]


def _name_gpu_lock(gpu):
    """A file of this machine: workers and sweeps beside each other see the same."""
    return Path(tempfile.gettempdir()) / f"leakage-{os.getuid()}-gpu-{gpu.replace('/', '_')}.lock"


def _wait_for_one(files, stop):
    """Lock the first of some files that is free; None where the sweep is stopped meanwhile."""
    while not stop.exists():
        for file in files:
            lock = filelock.FileLock(file, timeout=0)
            try:
                lock.acquire()
                return lock
            except filelock.Timeout:
                continue
        time.sleep(queue.POLL_SECONDS)
    return None
