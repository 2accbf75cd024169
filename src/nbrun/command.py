"""The command line: a run of all notebooks with a profile, or a sweep over a grid."""

import argparse
import collections
import contextlib
import errno
import os
import re
import signal
import sys
import time
import uuid
from concurrent import futures
from pathlib import Path

import filelock
import joblib

from nbrun import job as one
from nbrun import plan, screen, state

EXIT_OK, EXIT_FAILED, EXIT_REFUSED = 0, 1, 2
CONNECT_SECONDS, SECONDS_TO_STOP = 10, 15
RUN_HELP = """\
Run the notebooks: check every parameter first, skip what is complete, report all results.

A profile overrides the notebooks' own defaults; `{plan.OWN_DEFAULTS}` is those defaults. Results
lie in results/NAME/, one folder a notebook. A relative path, as in -p weights my/net.keras, is
yours.
"""
SWEEP_HELP = """\
Run notebooks over a grid of parameters, on this machine or on a Dask cluster.

GRID is a YAML file: `notebook` (one or a list), `profile`, `fixed: {{name: value}}`,
`vary: {{name: [values]}}` for all combinations, `jobs: [{{name: value}}]` for single ones. Results
lie in results/sweeps/NAME/: tables of jobs and records, and jobs/ with the
executed notebooks.
"""
EXAMPLES = """\
examples:
  {project.command} {plan.UNASKED} --only 02 -p num_epochs 3 --name try
  {project.command} {plan.OWN_DEFAULTS} --data-dir /data --jobs 2
  {project.command} sweep GRID.yaml --jobs 4
  {project.command} sweep GRID.yaml --scheduler tcp://HOST:8786

Exit code: 0 all well, 1 a notebook failed, 2 nothing was run (see the message).
"""


class Refused(Exception):
    """Nothing can be run; the message says why, and how to mend it."""


def parse_arguments(project, arguments):
    """Parse the command line; exits with code 2 where it is not understood."""
    is_sweep = arguments[:1] == ["sweep"]
    parser = argparse.ArgumentParser(
        prog=f"{project.command} sweep" if is_sweep else project.command,
        description=(SWEEP_HELP if is_sweep else RUN_HELP).format(project=project, plan=plan),
        epilog=EXAMPLES.format(project=project, plan=plan),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    if is_sweep:
        add("grid", metavar="GRID.yaml", help="what to run")
        add("--scheduler", metavar="ADDRESS", help="of a Dask cluster that sees the same folders")
        add("--threads", type=int, default=1, metavar="N", help="of each job (default: 1)")
        name, num_jobs = "in results/sweeps/ (default: the grid's name)", "one a core, or one a GPU"
    else:
        profiles, default = plan.list_profiles(project), f"default: {plan.UNASKED}"
        add("profile", nargs="?", default=plan.UNASKED, choices=profiles, help=default)
        add("--only", action="append", default=[], metavar="02", help="this notebook; repeatable")
        add("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
            help="to the notebooks that declare it; as YAML; repeatable")  # fmt: skip
        parser.set_defaults(scheduler=None, threads=None)
        name, num_jobs = "in results/ (default: the profile's)", f"2; {plan.OWN_DEFAULTS}: 1"
    add("--data-dir", metavar="DIR", help=f"the real data (else ${project.prefix}_DATA_DIR)")
    add("--name", help=f"of the folder {name}")
    add("--jobs", type=int, metavar="N", help=f"notebooks at a time (default: {num_jobs})")
    add("--share-gpu", action="store_true", help="several on one GPU (default: one a GPU)")
    add("--force", action="store_true", help="redo what is complete")
    call = parser.parse_args(arguments[is_sweep:])
    for option in ("jobs", "threads"):
        if (value := getattr(call, option)) is not None and value < 1:
            parser.error(f"--{option} must be at least 1. Received: {value}")
    if call.scheduler and call.jobs:
        parser.error("--jobs is for this machine; on a cluster, its workers say how many.")
    call.is_sweep = is_sweep
    call.name = call.name or (Path(call.grid).stem if is_sweep else call.profile)
    if not re.fullmatch(r"\w[\w.-]*", call.name):
        parser.error(
            f"--name is the name of a folder: letters, digits, '.', '_', '-'. "
            f"Received: {call.name!r}"
        )
    return call


def run_here(project, call, calls):
    """Run notebooks on this machine; yield each outcome as it ends.

    A notebook is a process of its own already, its kernel: a thread waits for it.
    """
    default = joblib.cpu_count() // (call.threads or 1)
    if not call.is_sweep:  # small networks leave one of two cores idle
        default = 1 if call.profile == plan.OWN_DEFAULTS else 2
    gpus = [] if call.share_gpu else one.list_gpus()
    num_jobs = min(call.jobs or max(1, default), len(gpus) or sys.maxsize)
    yield from joblib.Parallel(
        num_jobs, backend="threading", batch_size=1, return_as="generator_unordered"
    )(calls)


def run_on_cluster(call, calls):
    """Run notebooks on the workers of a Dask cluster; yield each outcome as it ends."""
    try:
        import distributed  # optional

        client = distributed.Client(call.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except ModuleNotFoundError as error:
        raise Refused(
            "A sweep on a cluster needs the package `distributed`, which is optional. Install it "
            f"where this command and the workers run: {sys.executable} -m pip install distributed"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise Refused(
            f"No Dask scheduler answers at {call.scheduler}. Start one (dask scheduler) and its "
            f"workers (dask worker {call.scheduler} --nthreads 1), or name another. "
            f"Received: {error}"
        ) from error
    with client, joblib.parallel_config("dask", client=client, wait_for_workers_timeout=60):
        try:  # the scheduler gives the job of a worker that dies to another
            yield from joblib.Parallel(
                -1, batch_size=1, pre_dispatch="all", return_as="generator_unordered"
            )(calls)
        except (distributed.KilledWorker, futures.CancelledError, TimeoutError) as error:
            raise RuntimeError(f"The cluster gave up: {type(error).__name__}: {error}") from error


def run_jobs(project, call, jobs, terminal, outcomes):
    """Run those of some jobs that are not complete; `outcomes` (dict by id) fills."""
    waiting = []
    for job in jobs:
        if not call.force and state.RunState(job.run_dir).is_complete(job.name, job.key):
            outcomes[job.id] = {"status": "skipped"}
            if not call.is_sweep:
                why = "complete, same parameters, code and data; --force redoes it"
                terminal.say(f"{job.label} skipped ({why})")
        else:
            waiting.append(job)
    if call.is_sweep and len(waiting) < len(jobs):
        count = f"{len(jobs) - len(waiting)} of {len(jobs)}"
        terminal.say(f"{count} jobs skipped (complete; --force redoes them)")
    if not waiting:
        return
    calls = [joblib.delayed(one.run_job)(project, call, job) for job in waiting]
    ended = run_on_cluster(call, calls) if call.scheduler else run_here(project, call, calls)
    with terminal.following(waiting), contextlib.closing(ended):
        for count, outcome in enumerate(ended, start=1):
            outcomes[outcome["id"]] = outcome
            terminal.say(describe_outcome(project, outcome, f"{count} of {len(waiting)}"))


def describe_outcome(project, outcome, count):
    """Say in a line that a notebook is done; in up to three what failed, where, how to go on."""
    if outcome["status"] == "done":
        return f"{outcome['label']} done in {screen.format_duration(outcome['seconds'])} ({count})"
    where = f" in cell [{outcome['cell']}]" if outcome["cell"] else ""
    lines = [f"{outcome['label']} FAILED{where}: {outcome['error']}: {outcome['message']}"]
    if any(f"[Errno {number}]" in outcome["message"] for number in state.DISK_FULL):
        lines.append(f"    {say_how_to_go_on(project, state.DISK_FULL[0])}")
    if outcome.get("kept"):
        lines.append(f"    as far as it came, with the traceback: {outcome['kept']} (and .html)")
    return "\n".join(lines)


def say_how_to_go_on(project, number):
    """What to do after the operating system's error of this number."""
    where = f"set {project.prefix}_RESULTS_DIR to a folder"
    if number in state.DISK_FULL:
        return f"The disk is full: free some space, or {where} elsewhere."
    return f"Make the results writable, or {where} that is."


@contextlib.contextmanager
def take_results(project, folder, jobs):
    """Have a folder of results alone; yield the file whose end ends all notebooks."""
    lock = filelock.FileLock(folder / ".run" / "lock")
    token = folder / ".run" / f"{uuid.uuid4().hex[:8]}.token"
    try:
        token.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        for run_dir in {folder, *(job.run_dir for job in jobs)}:
            state.RunState(run_dir).clear()
        token.write_text("Notebooks that run end when this file goes.\n")
    except filelock.Timeout as error:
        raise Refused(f"Another run is writing to {folder}. Wait for it, or use --name.") from error
    except OSError as error:
        fix = say_how_to_go_on(project, error.errno)
        raise Refused(f"The results cannot be written: {error}. {fix}") from error
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)
        end = time.monotonic() + SECONDS_TO_STOP
        while any(job.file("status").exists() for job in jobs) and time.monotonic() < end:
            time.sleep(screen.REDRAW_SECONDS)
        state.RunState(folder).clear()
        lock.release()


def exit_on_signals():
    """Let the signals that end a process unwind it, so that it ends what it started."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) != signal.SIG_IGN:  # as `nohup` sets it: the run stays
            signal.signal(name, lambda number, _: sys.exit(128 + number))


def write_environment(project, call, folder, jobs):
    """Write on what machine, with which parameters, the notebooks of a folder were made."""
    path = folder / "environment.json"
    content = {"variables": {}} | project.describe_environment()
    content["variables"]["PYTHONHASHSEED"] = one.HASH_SEED
    if call.is_sweep:
        content |= {"grid": call.content, "threads": call.threads}
    else:
        used = (state.read_json(path) or {}).get("notebooks", {})
        for job in jobs:
            values = job.parameters.items()
            used[job.name] = {name: plan.hide_folder(value) for name, value in values}
        content |= {"profile": call.profile, "notebooks": used}
    state.write_json(path, content)


def list_outcomes(jobs, outcomes):
    """Lay out all jobs: parameters, whether done, failed (where and why) or left; and folder."""
    names, rows = dict.fromkeys(name for job in jobs for name in job.given), []
    for job in jobs:
        outcome = outcomes.get(job.id, {"status": "left"})
        status = {"skipped": "done", "stopped": "left"}.get(outcome["status"], outcome["status"])
        row = {"job": job.label, "notebook": job.name, "status": status}
        row |= {f"p_{name}": plan.show(job.given.get(name, "")) for name in names}
        row |= {name: outcome.get(name, "") for name in ("cell", "error", "message")}
        rows.append(row | {"folder": f"jobs/{job.run_dir.name}"})
    return rows


def report(project, call, folder, jobs, outcomes, terminal):
    """Write and say what came out of a call; return the exit code."""
    by_status = collections.defaultdict(list)
    for job in jobs:
        by_status[outcomes.get(job.id, {"status": "left"})["status"]].append(job)
    if by_status["done"] or not (folder / "environment.json").exists():
        complete = [*by_status["done"], *by_status["skipped"]]
        write_environment(project, call, folder, complete)
    if call.is_sweep:
        text = project.at_sweep_end(folder, list_outcomes(jobs, outcomes))
    else:
        remarks = [
            f"{job.label} failed in the last run ({outcomes[job.id]['error']})"
            + ("; what stands here is from an earlier one." if target.exists() else ".")
            for job in by_status["failed"]
            for target in [job.run_dir / job.name]
        ]
        text = project.at_end(folder, remarks)
    counts = {what: len(by_status[what]) for what in ("done", "skipped", "failed")}
    counted = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    terminal.say(f"\n{text or ''}\n\n{counted}; see {os.path.relpath(folder)}")
    return EXIT_FAILED if by_status["failed"] else EXIT_OK


def run_all(project, call, folder, jobs, terminal):
    """Run all notebooks, the last one after the others are through; return the exit code."""
    outcomes = {}
    try:
        for is_last in (False, True):
            phase = [job for job in jobs if (job.number == project.last) == is_last]
            phase = plan.complete_jobs(project, call, phase)
            run_jobs(project, call, phase, terminal, outcomes)
    except (KeyboardInterrupt, SystemExit, RuntimeError):
        call.token.unlink(missing_ok=True)
        if call.is_sweep and outcomes:  # what is done counts
            report(project, call, folder, jobs, outcomes, terminal)
        raise
    return report(project, call, folder, jobs, outcomes, terminal)


def main(project, arguments=None):
    """Run what the command line asks for.

    Parameters
    ----------
    project : Project
    arguments : list of str, optional
        Those of this process by default.

    Returns
    -------
    int
        The exit code.
    """
    call = parse_arguments(project, list(sys.argv[1:] if arguments is None else arguments))
    terminal = screen.Screen(project.seconds_between_lines)
    exit_on_signals()
    try:
        try:
            jobs, folder = (plan.plan_sweep if call.is_sweep else plan.plan_run)(project, call)
            call.data_dir = plan.choose_data_dir(project, call, jobs, terminal.say)
        except (ValueError, FileNotFoundError) as error:
            raise Refused(error) from error
        passed_on = tuple(project.passed_on)
        call.variables = {n: v for n, v in os.environ.items() if n.startswith(passed_on)}
        with take_results(project, folder, jobs) as call.token:
            return run_all(project, call, folder, jobs, terminal)
    except Refused as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        terminal.say("interrupted; what is complete stays, the same command goes on from there")
        return 128 + signal.SIGINT
    except (OSError, RuntimeError) as error:
        number, fix = getattr(error, "errno", None), "The same command goes on from there."
        if isinstance(error, PermissionError) or number in (errno.EROFS, *state.DISK_FULL):
            fix = say_how_to_go_on(project, number)
        terminal.say(f"error: {str(error).rstrip('.')}. {fix}")
        return EXIT_FAILED
