"""Run the notebooks: check every parameter first, skip what is complete, report all results.

A profile (demo, smoke) overrides the notebooks' own defaults; `paper` is those defaults, the
published study on real data. Results lie in results/NAME/, one folder a notebook, with
summary.md and index.html. A relative path in `-p weights path/to/file.keras` is yours.
"""

import argparse
import json
import os
import re
import signal
import sys
from pathlib import Path

import filelock

from leakage import environment, report
from leakage.runner import plan, process, queue, screen, state
from leakcard import files

PROFILES = ("demo", "smoke", "paper")
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def parse_arguments(arguments=None):
    """Parse the command line; exits with code 2 where it is not understood."""
    parser = argparse.ArgumentParser(
        prog="./run_all.sh (python -m leakage.run)",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code: 0 all well, 1 a notebook failed, 2 nothing was run (see the message).",
    )
    add = parser.add_argument
    add("profile", nargs="?", default="demo", choices=PROFILES, help="default: demo")
    add("--only", action="append", default=[], metavar="02", help="this notebook; repeatable")
    pair = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
    add("-p", "--parameter", **pair, help="to the notebooks that declare it; as YAML; repeatable")
    add("--data-dir", metavar="DIR", help="the real data (else $LEAKAGE_DATA_DIR, else data/)")
    add("--name", help="folder in results/ (default: the profile's name)")
    add("--jobs", type=int, metavar="N", help="notebooks at a time (default: 2; paper: 1)")
    add("--force", action="store_true", help="redo what is complete")
    options = parser.parse_args(arguments)
    if options.jobs is None:  # the small networks of phantoms leave one of two cores idle
        options.jobs = 1 if options.profile == "paper" else 2
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1. Received: {options.jobs}")
    check_name(parser, options.name)
    return options


def check_name(parser, name):
    """Exit with code 2 unless `name`, if given, can be the name of a folder in results/."""
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        parser.error(
            f"--name is the name of a folder: letters, digits, '.', '_', '-'. Received: {name!r}"
        )


def report_run(run, profile, terminal):
    """Write environment, summary and index, and print the table of claims."""
    run_dir = run.plan.run_dir
    path = run_dir / "environment.json"
    held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if run.counts["done"] or not held:
        used = {
            source.stem: {name: _hide_folder(v) for name, v in run.plan.parameters[n].items()}
            for n, source in run.plan.notebooks.items()
            if n in run.settled
        }
        content = environment.describe_environment() | {
            "profile": profile,
            "notebooks": held.get("notebooks", {}) | used,
        }
        content["variables"]["PYTHONHASHSEED"] = process.HASH_SEED  # the notebooks' own
        files.write_json(path, content)
    report.write_summary(run_dir, run.remarks)
    index = report.write_index(run_dir, run.remarks)
    terminal.say("")
    records = report.collect_records(run_dir)
    for note in report.list_notes(records):
        terminal.say(note)
    terminal.say(screen.format_claims(report.make_claims_table(records)))
    counted = ", ".join(f"{count} {what}" for what, count in run.counts.items() if count)
    terminal.say(f"\n{counted}; see {os.path.relpath(index)}")


def _hide_folder(value):
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else value


def lock_results(run_dir):
    """Take a folder of results for this process alone.

    Returns
    -------
    RunState
    filelock.FileLock
        Held; release it at the end.

    Raises
    ------
    RuntimeError
        If another process has it, or it cannot be written.
    """
    try:
        run_state = state.RunState(run_dir)
        lock = filelock.FileLock(run_state.folder / "lock", timeout=0)
        lock.acquire()
    except filelock.Timeout as error:
        raise RuntimeError(
            f"Another run is writing to {run_dir}. Wait for it, or use --name."
        ) from error
    except OSError as error:
        fix = queue.FIX_DISK if error.errno in state.DISK_FULL else (
            "Make it writable, or set LEAKAGE_RESULTS_DIR to a folder that is."
        )  # fmt: skip
        raise RuntimeError(f"The results cannot be written: {error}. {fix}") from error
    return run_state, lock


def exit_on_signals():
    """Let the signals that end a process unwind it, so that it ends what it started."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) != signal.SIG_IGN:  # as `nohup` sets it: the run stays
            signal.signal(name, lambda number, _: sys.exit(128 + number))


def main(arguments=None):
    """Run what the command line asks for; return the exit code."""
    options = parse_arguments(arguments)
    terminal = screen.Screen()
    try:
        chosen = plan.make_plan(options, terminal.say)
        run_state, lock = lock_results(chosen.run_dir)
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        return refuse(error)
    exit_on_signals()
    run = queue.Queue(chosen, run_state, terminal, options.jobs, options.force)
    try:
        run.execute()
        report_run(run, options.profile, terminal)
    except KeyboardInterrupt:
        terminal.say("interrupted; what is complete stays, the same command goes on from there")
        return 128 + signal.SIGINT
    except OSError as error:
        fix = queue.FIX_DISK if error.errno in state.DISK_FULL else "See the message."
        terminal.say(f"error: the results cannot be written: {error}. {fix}")
        return EXIT_FAILED
    finally:
        lock.release()
    return EXIT_FAILED if run.counts["failed"] else EXIT_OK


def refuse(message):
    """Say why nothing is run; return the exit code."""
    sys.stderr.write(f"error: {message}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
