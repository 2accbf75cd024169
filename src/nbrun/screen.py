"""Say how a call is going: lines that stay, and how far the notebooks are that run."""

import contextlib
import shutil
import sys
import threading
import time

from nbrun import state

REDRAW_SECONDS = 0.5


def format_duration(seconds):
    """Format seconds as `42 s` or `3 min 07 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Screen:
    """Standard output; on a terminal its last lines are redrawn, one a notebook that runs.

    Parameters
    ----------
    seconds_between_lines : float
        Elsewhere, such as in a log, each notebook writes a line so often.
    """

    def __init__(self, seconds_between_lines):
        self.stream = sys.stdout
        self.seconds = seconds_between_lines
        self.num_drawn = 0
        self.lock = threading.Lock()

    def say(self, text):
        """Print a line that stays."""
        with self.lock:
            self._erase()
            self.stream.write(f"{text}\n")
            self.stream.flush()

    @contextlib.contextmanager
    def following(self, jobs):
        """Show how far those jobs are that run, until the block ends."""
        ended = threading.Event()
        seconds = REDRAW_SECONDS if self.stream.isatty() else self.seconds

        def follow():
            while not ended.wait(seconds):
                self._show([describe(job) for job in jobs if job.file("status").exists()])

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with self.lock:
                self._erase()
                self.stream.flush()

    def _show(self, lines):
        with self.lock:
            if self.stream.isatty():
                size = shutil.get_terminal_size()
                lines = [line[: size.columns - 1] for line in lines[: size.lines - 1]]
                self._erase()
                self.stream.write("\n".join(lines))
                self.num_drawn = len(lines)
            elif lines:
                self.stream.write("".join(f"  ... {line}\n" for line in lines))
            self.stream.flush()

    def _erase(self):
        if self.num_drawn:
            up = f"\x1b[{self.num_drawn - 1}A" if self.num_drawn > 1 else ""
            self.stream.write(f"\r{up}\x1b[J")
            self.num_drawn = 0


def describe(job):
    """Notebook, cell, how long, and what its bar says."""
    shown = state.read_json(job.file("status")) or {
        "cell": 0,
        "cells": 0,
        "bar": "",
        "since": time.time(),
    }
    cell = f"cell {shown['cell']} of {shown['cells']}" if shown["cell"] else "starting"
    elapsed = format_duration(max(0.0, time.time() - shown["since"]))
    return ", ".join(filter(None, [job.label, cell, elapsed, shown["bar"]]))
