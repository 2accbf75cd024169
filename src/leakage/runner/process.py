"""Start one notebook in a process of its own, watch it and end it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from leakage import paths, record
from leakage.runner import screen

# Set for every notebook: the order of sets of text is the same in each.
HASH_SEED = "0"
SOURCE_DIR = Path(__file__).resolve().parents[2]


def write_kernel(folder):
    """Write the kernel `python3` of this very interpreter; return the folder that finds it.

    A user's own kernel of that name may belong to another Python, and would come first.
    """
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    record.write_json(Path(folder) / "kernels" / "python3" / "kernel.json", spec)
    return Path(folder)


class NotebookProcess:
    """One notebook that runs.

    Parameters
    ----------
    source : Path
        The notebook.
    parameters : dict
        What to override.
    state : RunState
        Where it is staged.
    data_dir : Path
    force : bool
        Whether to train anew what was trained before.
    """

    def __init__(self, source, parameters, state, data_dir, force=False):
        self.name = source.stem
        self.started = time.monotonic()
        staging = state.stage(self.name)
        self.status = state.path(self.name, ".cells")
        self.progress = state.path(self.name, ".progress")
        self.log = state.path(self.name, ".log")
        for path in (self.status, self.progress):
            path.write_text("")
        job = {
            "source": str(source),
            "target": str(staging / source.name),
            "parameters": parameters,
            "working_dir": str(source.parent),
            "status": str(self.status),
            "names": _list_names(staging, state.run_dir / self.name, source, data_dir),
        }
        environment = os.environ | {
            "LEAKAGE_DATA_DIR": str(data_dir),
            "LEAKAGE_OUTPUT_DIR": str(staging),
            "LEAKAGE_RUN_DIR": str(state.run_dir),
            "LEAKAGE_PROGRESS_FILE": str(self.progress),
            "JUPYTER_PATH": _join(write_kernel(state.folder / "jupyter"), "JUPYTER_PATH"),
            "JUPYTER_RUNTIME_DIR": str(state.folder / "jupyter" / "runtime"),
            "IPYTHONDIR": str(state.folder / "ipython"),  # no history, no start-up files
            "PYTHONHASHSEED": HASH_SEED,
            "PYTHONPATH": _join(SOURCE_DIR, "PYTHONPATH"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        if force:
            environment["LEAKAGE_FORCE"] = "1"
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # notebooks share one GPU
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with open(self.log, "wb") as log:
            # a session of its own: Ctrl-C reaches the runner alone, which then ends this
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "leakage.runner.notebook"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()

    @property
    def seconds(self):
        """How long it has been running."""
        return time.monotonic() - self.started

    def is_running(self):
        return self._process.poll() is None

    def describe(self):
        """Notebook, cell, what its loop says and how long: one short text."""
        cells = re.findall(r"(\d+/\d+) \[", screen.read_tail(self.status))
        parts = [self.name, f"{cells[-1]} cells" if cells else "starting"]
        parts += [screen.read_tail(self.progress), screen.format_duration(self.seconds)]
        return ", ".join(filter(None, parts))

    def get_outcome(self):
        """What `notebook.execute` returned; to be called once, when it no longer runs."""
        answer = self._process.stdout.read().decode().strip()
        self._close()
        for path in (self.status, self.progress):
            path.unlink(missing_ok=True)
        try:
            return json.loads(answer.splitlines()[-1])
        except (IndexError, ValueError):
            code = self._process.returncode
            reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            last = screen.read_tail(self.log)
            message = f"its process ended with {reason}; {last or 'it left no message'}"
            return {"ok": False, "error": "ProcessEnded", "message": message, "cell": None}

    def end(self):
        """End the notebook and its kernel now."""
        if self.is_running():
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close()

    def _close(self):
        self._process.stdin.close()
        self._process.stdout.close()


def _join(folder, variable):
    return os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def _list_names(staging, target, source, data_dir):
    """Folders of this machine and what to call them in a notebook that others read."""
    shown = f"results/{target.parent.name}/{target.name}"
    names = {
        str(staging): shown,
        str(target): shown,
        f"{target.parent}/": f"results/{target.parent.name}/",
        f"{source.parent}/": "notebooks/",
        f"{data_dir}/": "data/",
        f"{paths.get_cache_dir()}/": "data/cache/",
        f"{paths.ROOT}/": "",
        f"{Path.home()}/": "~/",
    }
    return sorted(names.items(), key=lambda item: -len(item[0]))
