"""The live table of a sweep: what is done, running, failed and left, and how long it may take."""

import json
import threading
import time
from pathlib import Path

from leakage.runner import process, queue, screen, state

REDRAW_SECONDS = 0.5


class Board:
    """What the reader sees while jobs run; used as a context, within which it redraws itself.

    Parameters
    ----------
    terminal : Screen
    jobs : dict of str to dict
        What is to be run, as `job.run_job` takes it, with `source`, `label` and `run_dir`; by id.
    num_skipped : int
        Jobs that were complete before.
    """

    def __init__(self, terminal, jobs, num_skipped=0):
        self.terminal, self.left = terminal, dict(jobs)
        self.num_all = len(jobs) + num_skipped
        self.counts = {"done": num_skipped, "failed": 0}
        self.seconds = {}  # of jobs that ended, by notebook
        self._lock, self._end = threading.Lock(), threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._redraw, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def say(self, text):
        """Print a line that stays above the table."""
        with self._lock:
            self.terminal.say(text)

    def settle(self, outcome):
        """Count a job that ended, and tell of one that failed."""
        with self._lock:
            job = self.left.pop(outcome["id"])
            self.counts["done" if outcome["ok"] else "failed"] += 1
            if outcome["ok"]:
                self.seconds.setdefault(job["source"], []).append(outcome["seconds"])
                self.terminal.say(
                    f"{job['label']} done in {screen.format_duration(outcome['seconds'])} "
                    f"({self.num_all - len(self.left)} of {self.num_all})"
                )
            else:
                text = queue.describe_failure(job["label"], outcome, outcome.get("kept"))
                self.terminal.say(text)

    def describe(self):
        """The lines of the table: a summary, and one line for every job that runs.

        Returns
        -------
        list of str
        """
        now, running = time.time(), {}
        for job in self.left.values():
            since = read_start(job)
            if since is not None:
                running[job["id"]] = max(0.0, now - since)
        counts = {"done": self.counts["done"], "running": len(running)}
        counts |= {"failed": self.counts["failed"], "left": len(self.left) - len(running)}
        summary = ", ".join(f"{count} {what}" for what, count in counts.items())
        seconds = self.estimate(running)
        if seconds is not None:
            summary += f"; about {screen.format_duration(seconds)} to go"
        lines = [f"{self.num_all} jobs: {summary}"]
        for job_id, elapsed in running.items():
            job = self.left[job_id]
            status, progress = (locate(job, suffix) for suffix in (".cells", ".progress"))
            text = process.describe_progress(job["label"], status, progress, elapsed)
            lines.append(f"  {text}")
        return lines

    def estimate(self, running):
        """Estimate the seconds to the end from the jobs that ended; None before the first.

        Parameters
        ----------
        running : dict of str to float
            Seconds that each running job has taken so far, by id.
        """
        ended = [seconds for known in self.seconds.values() for seconds in known]
        if not ended or not running:
            return None
        total = 0.0
        for job in self.left.values():
            known = self.seconds.get(job["source"], ended)
            total += max(0.0, sum(known) / len(known) - running.get(job["id"], 0.0))
        return total / len(running)

    def _redraw(self):
        while not self._end.wait(REDRAW_SECONDS):
            with self._lock:
                if self.left:
                    self.terminal.show(self.describe(), as_table=True)


def locate(job, suffix):
    """A file of the state of a job, which its process writes wherever it runs."""
    return Path(job["run_dir"], state.STATE_FOLDER, Path(job["source"]).stem + suffix)


def read_start(job):
    """When a job that runs began, in seconds since the epoch; None where it does not run."""
    try:
        return json.loads(locate(job, ".running").read_text(encoding="utf-8"))["since"]
    except (OSError, ValueError):
        return None
