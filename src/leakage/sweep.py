"""Run notebooks over a grid of parameters, on this machine or on a Dask cluster.

GRID is a YAML file: `notebook` (one or a list), `profile`, `fixed: {name: value}`,
`vary: {name: [values]}` for all combinations, `jobs: [{name: value}]` for single ones. Results
lie in results/sweeps/NAME/: runs.csv (parameters and records of all jobs), jobs.csv, figures/, and
jobs/ with the executed notebooks. Finished jobs are skipped. A relative path in GRID is yours.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
import uuid
from pathlib import Path

import filelock
import joblib

from leakage import environment, paths, run
from leakage.runner import board, collect, fleet, grid, job, plan, process, queue, screen, state
from leakcard import files

# What decides on results and on places, and must be the same on another machine.
PASSED_ON = ("LEAKAGE_", "TF_", "KERAS_", "XLA_")
NUM_SECONDS_TO_STOP = 15


def parse_arguments(arguments=None):
    """Parse the command line; exits with code 2 where it is not understood."""
    parser = argparse.ArgumentParser(
        prog="./run_all.sh sweep (python -m leakage.sweep)",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code: 0 all well, 1 a job failed, 2 nothing was run (see the message).",
    )
    add = parser.add_argument
    add("grid", metavar="GRID.yaml", help="what to run")
    add("--jobs", type=int, metavar="N", help="at a time (default: one a core, or one a GPU)")
    add("--threads", type=int, default=1, metavar="N", help="of each job, pinned (default: 1)")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster that sees the same folders")
    add("--name", help="folder in results/sweeps/ (default: the name of the grid)")
    add("--data-dir", metavar="DIR", help="the real data (else $LEAKAGE_DATA_DIR, else data/)")
    add("--gpus-shared", action="store_true", help="let jobs share a GPU (default: one job a GPU)")
    add("--force", action="store_true", help="redo what is complete")
    options = parser.parse_args(arguments)
    for name in ("jobs", "threads"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be at least 1. Received: {value}")
    if options.scheduler and options.jobs:
        parser.error("--jobs is for this machine; on a cluster, its workers say how many.")
    options.name = Path(options.grid).stem if options.name is None else options.name
    run.check_name(parser, options.name)
    return options


def make_tasks(jobs, options, sweep_dir, data_dir, stop):
    """Complete jobs to what `job.run_job` takes.

    Returns
    -------
    dict of str to dict
        By id.
    """
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    folders = {
        "LEAKAGE_CACHE_DIR": str(paths.get_cache_dir()),
        "LEAKAGE_RESULTS_DIR": str(paths.get_results_dir()),
    }
    variables = passed | folders | process.pin_threads(options.threads)
    code, data, tasks = state.hash_code(), None, {}
    for each in jobs:
        uses_data = each.parameters.get("data_source", "real") == "real"
        if uses_data and data is None:
            data = state.list_data_files(data_dir)
        read = [data if uses_data else None, options.threads]
        tasks[each.id] = {
            "id": each.id,
            "label": each.label,
            "source": str(each.source),
            "overrides": each.overrides,
            "parameters": each.parameters,
            "run_dir": str(sweep_dir / "jobs" / each.id),
            "data_dir": str(data_dir),
            "key": state.make_key(each.source, each.parameters, code, read),
            "code": code,
            "notebook": state.hash_notebook(each.source),
            "variables": variables,
            "share_gpus": options.gpus_shared,
            "force": options.force,
            "stop": str(stop),
        }
    return tasks


def count_jobs(options):
    """How many jobs run at a time on this machine: one a core, or one a GPU where there are."""
    num_jobs = options.jobs or max(1, joblib.cpu_count() // options.threads)
    num_gpus = 0 if options.gpus_shared else len(job.list_gpus())
    return min(num_jobs, num_gpus) if num_gpus else num_jobs


def write_results(sweep_dir, jobs, outcomes, options):
    """Write runs.csv, jobs.csv, the grid and, where the records changed, figures and environment.

    Parameters
    ----------
    sweep_dir : Path
    jobs : list of grid.Job
    outcomes : dict of str to dict
        Of the jobs that ended, by id.
    options : argparse.Namespace
    """
    done = [each for each in jobs if outcomes.get(each.id, {}).get("ok")]
    runs = collect.collect_runs(done, sweep_dir / "jobs")
    path = sweep_dir / "runs.csv"
    written = _write_beside(path, runs)
    if not (_is_same(path, written) and (sweep_dir / "figures").is_dir()):
        collect.draw_runs(runs, sweep_dir)
        content = environment.describe_environment()
        content["variables"]["PYTHONHASHSEED"] = process.HASH_SEED  # the notebooks' own
        content["variables"] |= process.pin_threads(options.threads)
        files.write_json(sweep_dir / "environment.json", content)
        files.write_text(sweep_dir / "grid.yaml", options.grid_text)
        os.replace(written, path)  # last: where it stands, the rest is whole
    path = sweep_dir / "jobs.csv"
    written = _write_beside(path, collect.list_jobs(jobs, outcomes))
    if not _is_same(path, written):
        os.replace(written, path)


def _write_beside(path, frame):
    return files.write_csv(path.parent / state.STATE_FOLDER / path.name, frame)


def _is_same(path, written):
    return path.is_file() and path.read_bytes() == written.read_bytes()


def select_waiting(tasks):
    """Select the tasks that are not complete, and clear what a killed sweep left of them.

    Returns
    -------
    dict of str to dict
        By id.
    """
    waiting = {}
    for name, task in tasks.items():
        run_state, notebook = state.RunState(task["run_dir"]), Path(task["source"]).stem
        if task["force"] or not run_state.is_complete(notebook, task["key"]):
            waiting[name] = task
            taken = filelock.FileLock(run_state.path(notebook, ".taken"), timeout=0)
            with contextlib.suppress(filelock.Timeout), taken:
                run_state.path(notebook, ".running").unlink(missing_ok=True)
    return waiting


def execute(tasks, options, terminal, num_skipped, outcomes):
    """Run tasks, here or on the cluster; `outcomes` (dict) fills as they end."""
    jobs = list(tasks.values())
    stop = Path(jobs[0]["stop"])
    with board.Board(terminal, tasks, num_skipped) as shown:
        if options.scheduler:
            ending = fleet.run_on_cluster(jobs, options.scheduler, shown.say)
        else:
            ending = fleet.run_here(jobs, count_jobs(options))
        with contextlib.closing(ending):
            try:
                for outcome in ending:
                    outcomes[outcome["id"]] = outcome
                    shown.settle(outcome)
            except BaseException:
                stop.touch()
                raise


def wait_for_the_end(tasks):
    """Wait until no job of a stopped sweep runs, but not for ever."""
    end = time.monotonic() + NUM_SECONDS_TO_STOP
    while any(map(board.read_start, tasks.values())) and time.monotonic() < end:
        time.sleep(queue.POLL_SECONDS)


def main(arguments=None):
    """Run what the command line asks for; return the exit code."""
    options = parse_arguments(arguments)
    terminal = screen.Screen()
    try:
        jobs, notes = grid.read_grid(options.grid, Path.cwd())
        # Kept from here on: the file may change meanwhile.
        options.grid_text = Path(options.grid).read_text(encoding="utf-8")
        for note in notes:
            terminal.say(f"note: {note}")
        values = [each.parameters for each in jobs]
        data_dir = plan.choose_data_dir(options.data_dir, values, terminal.say)
        sweep_dir = paths.get_results_dir() / "sweeps" / options.name
        run_state, lock = run.lock_results(sweep_dir)
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        return run.refuse(error)
    run.exit_on_signals()
    stop = run_state.path(uuid.uuid4().hex, ".stop")
    tasks = make_tasks(jobs, options, sweep_dir, data_dir, stop)
    waiting = select_waiting(tasks)
    outcomes = {name: {"ok": True} for name in tasks if name not in waiting}
    num_skipped = len(outcomes)
    if num_skipped:
        terminal.say(f"{num_skipped} of {len(tasks)} jobs skipped (complete; --force redoes them)")
    try:
        try:
            if waiting:
                execute(waiting, options, terminal, num_skipped, outcomes)
        finally:
            if outcomes:  # what is done counts, also of a sweep that is interrupted
                write_results(sweep_dir, jobs, outcomes, options)
    except (ModuleNotFoundError, ConnectionError) as error:
        return run.refuse(error)
    except KeyboardInterrupt:
        terminal.say("interrupted; what is complete stays, the same command goes on from there")
        return 128 + signal.SIGINT
    except OSError as error:
        fix = queue.FIX_DISK if error.errno in state.DISK_FULL else "See the message."
        terminal.say(f"error: the results cannot be written: {error}. {fix}")
        return run.EXIT_FAILED
    finally:
        if stop.exists():
            wait_for_the_end(waiting)
            if not options.scheduler:  # workers may see it late, and a job may still wait there
                stop.unlink(missing_ok=True)
        lock.release()
    num_failed = sum(not outcome["ok"] for outcome in outcomes.values())
    terminal.say(
        f"{len(outcomes) - num_failed - num_skipped} done, {num_skipped} skipped, "
        f"{num_failed} failed; see {os.path.relpath(sweep_dir / 'runs.csv')}"
    )
    return run.EXIT_FAILED if num_failed else run.EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
