"""Take the notebooks of a plan through their processes, and publish what is complete."""

import json
import time

from leakage import record
from leakage.runner import process, screen, state

# This notebook reads what the others wrote: it runs last, and depends on their records.
LAST = "08"
POLL_SECONDS = 0.25
FIX_DISK = "The disk is full: free some space, or set LEAKAGE_RESULTS_DIR to a folder elsewhere."


class Queue:
    """One call's way through its notebooks.

    Parameters
    ----------
    plan : Plan
    run_state : RunState
    terminal : Screen
    num_jobs : int
        Notebooks at a time.
    force : bool
        Redo what is complete.

    Attributes
    ----------
    counts : dict
        How many are done, skipped, failed.
    settled : set of str
        Numbers of those done or skipped: their results are of this call's parameters.
    remarks : list of str
        What a reader of the results must know of those that failed.
    """

    def __init__(self, plan, run_state, terminal, num_jobs=1, force=False):
        self.plan, self.state, self.terminal = plan, run_state, terminal
        self.num_jobs, self.force = num_jobs, force
        self.code = state.hash_code()
        self.data = None
        self.counts = {"done": 0, "skipped": 0, "failed": 0}
        self.remarks = []
        self.settled = set()
        self.running = {}

    def execute(self):
        """Run all notebooks, the last one after the others are through."""
        try:
            rest = {n: path for n, path in self.plan.notebooks.items() if n != LAST}
            self._execute_all(rest)
            self._execute_all({n: p for n, p in self.plan.notebooks.items() if n == LAST})
        finally:
            for running in self.running.values():
                running.end()

    def _execute_all(self, notebooks):
        waiting = dict(notebooks)
        while waiting or self.running:
            while waiting and len(self.running) < self.num_jobs:
                number = next(iter(waiting))
                self._start(number, waiting.pop(number))
            for number in [n for n, job in self.running.items() if not job.is_running()]:
                self._finish(number)
            if self.running:
                self.terminal.show([job.describe() for job in self.running.values()])
                time.sleep(POLL_SECONDS)

    def _start(self, number, source):
        key = self._make_key(number, source)
        self.state.recover(source.stem)
        if not self.force and self.state.is_complete(source.stem, key):
            self.counts["skipped"] += 1
            self.settled.add(number)
            self.terminal.say(
                f"{source.stem} skipped (complete, same parameters, code and data; "
                f"--force redoes it)"
            )
            return
        self.terminal.say(f"{source.stem} ...")
        overrides = self.plan.overrides[number]
        job = process.NotebookProcess(source, overrides, self.state, self.plan.data_dir, self.force)
        job.key = key
        self.running[number] = job

    def _make_key(self, number, source):
        values = self.plan.parameters[number]
        data = None
        if number == LAST:
            found = sorted(self.plan.run_dir.glob("[0-9][0-9]_*/metrics.json"))
            data = [
                [p.parent.name, p.read_text("utf-8")] for p in found if p.parent.name[:2] != LAST
            ]
        elif values.get("data_source", "real") == "real":
            self.data = self.data or state.list_data_files(self.plan.data_dir)
            data = self.data
        return state.make_key(source, values, self.code, data)

    def _finish(self, number):
        job = self.running[number]
        outcome = job.get_outcome()
        if outcome["ok"]:
            outcome = publish(job, self.state, job.key, self.plan.parameters[number])
        del self.running[number]
        if outcome["ok"]:
            self.counts["done"] += 1
            self.settled.add(number)
            self.terminal.say(f"{job.name} done in {screen.format_duration(job.seconds)}")
        else:
            self.counts["failed"] += 1
            self._explain(job, outcome)

    def _explain(self, job, outcome):
        kept = self.state.keep_failed(job.name)
        self.terminal.say(describe_failure(job.name, outcome, kept))
        earlier = (self.plan.run_dir / job.name).exists()
        self.remarks.append(
            f"{job.name} failed in the last run ({outcome['error']})"
            + ("; what stands here is from an earlier one." if earlier else ".")
        )


def publish(job, run_state, key, parameters):
    """Move what a notebook wrote into place.

    Parameters
    ----------
    job : NotebookProcess
        It ended well.
    run_state : RunState
    key : str
        From `state.make_key`.
    parameters : dict
        All of them.

    Returns
    -------
    dict
        The outcome, as `notebook.execute` returns it.
    """
    try:
        timings = run_state.path(job.name, ".partial") / "timings.json"
        known = json.loads(timings.read_text(encoding="utf-8")) if timings.exists() else {}
        record.write_timings(timings.parent, known | {"whole_notebook": job.seconds})
        run_state.publish(job.name, key, parameters)
    except OSError as error:
        full = error.errno in state.DISK_FULL
        return {"ok": False, "error": type(error).__name__, "message": str(error), "cell": None,
                "disk_full": full}  # fmt: skip
    return {"ok": True}


def describe_failure(name, outcome, kept=None):
    """Say in one to three lines what failed, where, and how to go on; `kept` is its notebook."""
    where = f" in cell [{outcome['cell']}]" if outcome.get("cell") else ""
    lines = [f"{name} FAILED{where}: {outcome['error']}: {outcome['message'].strip()}"]
    if outcome.get("disk_full"):
        lines.append(f"    {FIX_DISK}")
    if kept:
        lines.append(f"    as far as it came, with the traceback: {kept}")
    return "\n".join(lines)
