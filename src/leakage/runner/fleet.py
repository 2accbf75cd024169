"""Run many jobs: on this machine by joblib, or on a Dask cluster."""

import uuid

import joblib

from leakage.runner import job as one

CONNECT_SECONDS = 30
INSTALL = (
    "A sweep on a cluster needs the package `distributed`, which is optional. Install it where "
    "this command and the workers run, such as: .venv/bin/python -m pip install distributed "
    "(or: uv pip install --python .venv/bin/python distributed)."
)


def run_here(jobs, num_jobs):
    """Run jobs on this machine, some at a time.

    Parameters
    ----------
    jobs : list of dict
        As `job.run_job` takes them.
    num_jobs : int

    Yields
    ------
    dict
        The outcome of each job, as it ends.
    """
    # A job is a process of its own that a thread waits for.
    parallel = joblib.Parallel(
        num_jobs,
        backend="threading",
        batch_size=1,
        pre_dispatch="n_jobs",
        return_as="generator_unordered",
    )
    yield from parallel(joblib.delayed(one.run_job)(job) for job in jobs)


def run_on_cluster(jobs, address, say):
    """Run jobs on the workers of a Dask cluster, which see the same folders.

    Parameters
    ----------
    jobs : list of dict
        As `job.run_job` takes them.
    address : str
        Of the scheduler, such as `tcp://10.0.0.1:8786`.
    say : callable
        Takes a note for the reader.

    Yields
    ------
    dict
        The outcome of each job, as it ends. Where a worker dies, its job begins again elsewhere.

    Raises
    ------
    ModuleNotFoundError
        Without the package `distributed`.
    ConnectionError
        Where no scheduler answers.
    """
    try:
        import distributed  # optional, and seconds of imports
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(INSTALL) from error
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConnectionError(
            f"No Dask scheduler answers at {address}. Start one (dask scheduler) and its workers "
            f"(dask worker {address} --nthreads 1), or name another. Received: {error}"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            say(f"note: no worker is connected to {address} yet; waiting for the first")
        call = uuid.uuid4().hex[:8]
        futures = {
            client.submit(one.run_job, job, key=f"{job['id']}-{call}", pure=False): job
            for job in jobs
        }
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                yield _get_outcome(future, futures[future])
        finally:
            client.cancel(list(futures))


def _get_outcome(future, job):
    if future.status == "finished":
        return future.result()
    if future.status == "cancelled":
        error, message = "Cancelled", "the scheduler is gone, or somebody cancelled the job"
    else:  # such as KilledWorker, or a worker that cannot import the package
        raised = future.exception()
        error, message = type(raised).__name__, str(raised)
    return {"ok": False, "error": error, "message": message, "cell": None, "id": job["id"],
            "seconds": 0.0}  # fmt: skip
