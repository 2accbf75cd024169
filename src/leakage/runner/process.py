"""Start one notebook in a process of its own, watch it and end it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import filelock

from leakage import paths
from leakage.runner import screen
from leakcard import files

# Set for every notebook: the order of sets of text is the same in each.
HASH_SEED = "0"
SOURCE_DIR = Path(__file__).resolve().parents[2]
# Everything that starts threads of its own accord: TensorFlow (which oneDNN and XLA share), the
# BLAS of NumPy and SciPy on any machine, scikit-learn, OpenCV, joblib.
THREAD_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "LOKY_MAX_CPU_COUNT",
)
# A notebook whose runner was killed has noticed it, and ended its kernel, long before.
END_SECONDS = 30


def pin_threads(num_threads):
    """Variables that give every library the same number of threads: sums then add up alike."""
    return dict.fromkeys(THREAD_VARIABLES, str(num_threads))


def write_kernel(folder):
    """Write the kernel `python3` of this very interpreter; return the folder that finds it.

    A user's own kernel of that name may belong to another Python, and would come first.
    """
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    files.write_json(Path(folder) / "kernels" / "python3" / "kernel.json", spec)
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
    variables : dict of str to str, optional
        Further variables of its environment.
    """

    def __init__(self, source, parameters, state, data_dir, force=False, variables=None):
        self.name = source.stem
        self.started = time.monotonic()
        alive = state.path(self.name, ".alive")  # locked by a notebook for as long as it lives
        with filelock.FileLock(alive, timeout=END_SECONDS):
            pass
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
            "alive": str(alive),
        }
        environment = os.environ | (variables or {})
        target = state.run_dir / self.name
        job["names"] = _list_names(staging, target, source, data_dir, environment)
        environment |= {
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
            environment["LEAKAGE_KEPT_DIR"] = tempfile.mkdtemp(prefix="leakage-")
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
        return describe_progress(self.name, self.status, self.progress, self.seconds)

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


def describe_progress(name, status, progress, seconds):
    """The same from the files of a notebook that runs, wherever it does."""
    cells = re.findall(r"(\d+/\d+) \[", screen.read_tail(status))
    parts = [name, f"{cells[-1]} cells" if cells else "starting"]
    parts += [screen.read_tail(progress), screen.format_duration(seconds)]
    return ", ".join(filter(None, parts))


def _join(folder, variable):
    return os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def _list_names(staging, target, source, data_dir, environment):
    """Folders of this machine and what to call them in a notebook that others read."""
    results_dir = Path(environment.get("LEAKAGE_RESULTS_DIR") or paths.get_results_dir())
    inside = target.is_relative_to(results_dir)
    run = target.parent.relative_to(results_dir).as_posix() if inside else target.parent.name
    shown = f"results/{run}/{target.name}"
    names = {
        str(staging): shown,
        str(target): shown,
        f"{target.parent}/": f"results/{run}/",
        f"{source.parent}/": "notebooks/",
        f"{data_dir}/": "data/",
        f"{environment.get('LEAKAGE_CACHE_DIR') or paths.get_cache_dir()}/": "data/cache/",
        f"{paths.ROOT}/": "",
        f"{Path.home()}/": "~/",
    }
    named = [(folder, name) for folder, name in names.items() if folder.strip("/")]  # HOME may be /
    return sorted(named, key=lambda item: -len(item[0]))
