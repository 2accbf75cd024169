"""Run one notebook to its end, on this machine or a worker, and move its folder into place.

The kernel is a process of its own, which ends when this one does, even by kill -9.
"""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import nbformat
import papermill
from nbclient.exceptions import DeadKernelError

from nbrun import clean, kernel, state

HASH_SEED = "0"  # the order of sets of text is the same in every notebook
COLOUR = re.compile(r"\x1b\[[\d;]*m")
# Everything that starts threads of its own accord: TensorFlow, the BLAS of NumPy and SciPy on any
# machine, scikit-learn, OpenCV, joblib.
THREAD_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS TF_NUM_INTEROP_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS "
    "MKL_NUM_THREADS VECLIB_MAXIMUM_THREADS OPENCV_FOR_THREADS_NUM LOKY_MAX_CPU_COUNT"
).split()


@dataclass(frozen=True)
class Job:
    """One notebook with one set of parameters."""

    label: str
    number: str
    source: Path
    overrides: dict
    parameters: dict
    run_dir: Path
    given: dict = field(default_factory=dict)  # what a grid names
    inputs: str = ""  # hash of what it reads
    key: str = ""

    @property
    def name(self):
        """Of the notebook, and of its folder of results."""
        return self.source.stem

    @property
    def id(self):
        """Of the job: two may have the same label, with weights of one name in two folders."""
        return str(self.run_dir / self.name)

    def file(self, kind):
        """A file of this notebook's state, such as `status`: how far it is while it runs."""
        return self.run_dir / ".run" / f"{self.name}.{kind}"


def run_job(project, call, job):
    """Run one notebook; where it fails, say why instead of raising.

    It may be called again for the same job, elsewhere, when its worker is killed.

    Parameters
    ----------
    project : Project
    call : argparse.Namespace
        What the user asked for, with `data_dir`, `variables` and `token`.
    job : Job

    Returns
    -------
    dict
        `id`, `label`, `status` ("done", "failed" or "stopped") and `seconds`; where it failed also
        `error`, `message`, `cell` and `kept`: the notebook as far as it came.
    """
    started, staging = time.monotonic(), None
    run_state = state.RunState(job.run_dir)
    outcome = {"id": job.id, "label": job.label, "status": "done", "seconds": 0.0}
    try:
        if not call.force and run_state.is_complete(job.name, job.key):
            return outcome  # it was, before its worker was killed
        if state.make_key(job, state.hash_code(project.packages)) != job.key:
            raise ValueError("the code or notebook here is not that of the start; start it again")
        staging = run_state.stage(job.name)
        with take_gpu(call) as devices:
            execute(project, call, job, staging, devices)
        outcome["seconds"] = time.monotonic() - started
        timings = state.read_json(staging / "timings.json") or {}
        timings["whole_notebook"] = round(outcome["seconds"], 1)
        state.write_json(staging / "timings.json", timings)
        run_state.publish(staging, job.key, job.parameters)
        return outcome
    except papermill.PapermillExecutionError as error:
        outcome |= fail(error.ename, COLOUR.sub("", error.evalue), error.exec_count)
    except DeadKernelError as error:
        hint = f"most often the memory was not enough. Its log: {job.file('log')}"
        outcome |= fail("DeadKernelError", f"{error}; {hint}")
    except (OSError, ValueError, RuntimeError, nbformat.ValidationError) as error:
        outcome |= fail(type(error).__name__, str(error))
    if staging:
        with contextlib.suppress(OSError, ValueError):  # of a full disk, half a notebook
            names = clean.list_names(project, call, job, staging)
            clean.clean_notebook(staging / job.source.name, project, names, job.run_dir / job.name)
        outcome["kept"] = run_state.keep_failed(staging)
    return outcome | ({} if call.token.exists() else {"status": "stopped"})


def fail(error, message, cell=""):
    """What an outcome says of a notebook that failed, or did not begin."""
    return {"status": "failed", "error": error, "message": message.strip(), "cell": cell}


def execute(project, call, job, staging, devices):
    """Execute, clean and export a notebook in its staging folder; errors are raised."""
    target = staging / job.source.name
    executed = papermill.execute_notebook(
        str(job.source), str(target), job.overrides, engine_name="nbrun", kernel_name="python3",
        language="python", progress_bar=False, token=call.token,
        variables=make_variables(project, call, job, staging) | devices,
        working_dir=str(job.source.parent), status=job.file("status"), log=job.file("log"),
    )  # fmt: skip
    if executed.metadata.papermill.get("exception"):
        raise RuntimeError("a cell ended the notebook early, as by sys.exit()")
    names = clean.list_names(project, call, job, staging)
    clean.clean_notebook(target, project, names, job.run_dir / job.name)


def make_variables(project, call, job, staging):
    """The environment of a kernel: its variables name folders, and never steer a function."""
    sources = dict.fromkeys(str(Path(folder).parent) for folder in project.packages)
    paths = [*sources, *filter(None, [os.environ.get("PYTHONPATH")])]
    folders = {"OUTPUT": staging, "RUN": job.run_dir, "DATA": call.data_dir}
    folders |= {"CACHE": project.cache_dir, "RESULTS": project.results_dir}
    if call.force:  # empty for this call
        folders["KEPT"] = call.token.parent / "kept"
    return {
        **project.variables,
        **os.environ,
        **call.variables,
        **dict.fromkeys(THREAD_VARIABLES if call.threads else (), str(call.threads)),
        **{f"{project.prefix}_{name}_DIR": str(folder) for name, folder in folders.items()},
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": HASH_SEED,
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "IPYTHONDIR": str(job.run_dir / ".run" / "ipython"),  # no start-up files of the user
    }


@contextlib.contextmanager
def take_gpu(call):
    """Yield the variable that names a GPU no other job has; nothing without GPU, or if shared."""
    gpus = [] if call.share_gpu else list_gpus()
    while gpus and call.token.exists():
        for gpu in gpus:
            # on this machine: workers, and other calls beside this one, see the same file
            name = f"nbrun-{os.getuid()}-gpu-{gpu.replace('/', '_')}.lock"
            lock = filelock.FileLock(Path(tempfile.gettempdir(), name))
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=0)
            if lock.is_locked:
                try:
                    yield {"CUDA_VISIBLE_DEVICES": gpu}
                finally:
                    lock.release()
                return
        time.sleep(kernel.POLL_SECONDS)
    yield {}


def list_gpus():
    """What `CUDA_VISIBLE_DEVICES` may name here, one GPU each; empty where there is none."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    try:
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []  # no driver, no GPU
    return [str(n) for n in range(len(re.findall(r"^GPU \d", found.stdout, re.MULTILINE)))]
