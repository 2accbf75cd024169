"""Execute one notebook, in a process of its own, and leave a clean, checked copy and its HTML.

`python -m leakage.runner.notebook` reads one line of JSON, the job, from standard input, and
prints one line, the outcome. Standard input stays open as a life line: when the runner dies,
even by kill -9, it closes, and this process ends its kernel and itself.
"""

import base64
import errno
import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

import filelock
import nbformat
import psutil

from leakage import pictures
from leakage.runner import state
from leakcard import files

PROGRESS_BAR = re.compile(r"\d+%\|.*\|\s*[\d.,kMG]+/[\d.,kMG]+|\d+it \[|^\s*\d+/\d+ [━\-=]")
NUM_SECONDS_TO_DIE = 5
# The outcome goes through a pipe that holds 64 KiB, and is read at the end.
MAX_MESSAGE_LENGTH = 4000
# A kernel is told a port that was free a second ago; where many begin at once another may have it.
NUM_STARTS, NOT_STARTED = 3, "Kernel died before replying"
# TensorFlow's start-up talk (level I), and its guess that a function is compiled too often, which
# is what training many small models looks like; other warnings and errors stay.
CHATTER = re.compile(
    r"^(I\d{4} \d\d:|\d{4}-\d\d-\d\d \S+ I |WARNING: All log messages before absl::Init)"
    r"|triggered tf\.function retracing"
)
PATH_BEGINS = r"(?:(?<![\w.~-])|(?<=\dm))"  # the last: after the colour code of a traceback
KERNEL_TEMPORARY = re.compile(r"(/[^\s:'\"]*)?/ipykernel_\d+/\d+\.py")


def execute(job):
    """Execute, check, clean and export one notebook.

    Parameters
    ----------
    job : dict
        source, target (paths of notebooks), parameters, working_dir, status (file for the
        count of cells), alive (file that this process locks) and names (list of [path, what to
        call it] to make machine-free).

    Returns
    -------
    dict
        `{"ok": True}`, or what failed: error, message, cell (number or None), disk_full.
    """
    import papermill  # seconds of imports that the runner itself does not need
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        with open(job["status"], "w", encoding="utf-8") as status:
            _start(
                papermill.execute_notebook,
                job["source"],
                job["target"],
                parameters=job["parameters"],
                kernel_name="python3",
                language="python",
                progress_bar={"file": status, "mininterval": 0, "ascii": True},
                cwd=job["working_dir"],
                log_output=False,
            )
        check_completeness(job["target"], job["parameters"])
        clean_notebook(job["target"], job["names"])
        export_html(job["target"])
    except PapermillExecutionError as error:
        clean_notebook(job["target"], job["names"])
        full = f"[Errno {errno.ENOSPC}]" in error.evalue
        return _fail(error.ename, error.evalue, error.exec_count, full)
    except DeadKernelError:
        return _fail("DeadKernelError", "the kernel died; most often the memory was not enough")
    except OSError as error:
        return _fail(type(error).__name__, str(error), None, error.errno in state.DISK_FULL)
    except (ValueError, RuntimeError, nbformat.ValidationError) as error:
        return _fail(type(error).__name__, str(error))
    return {"ok": True}


def _start(execute_notebook, *arguments, **options):
    """Execute a notebook; where its kernel did not come up, once more."""
    for number in range(NUM_STARTS):
        try:
            return execute_notebook(*arguments, **options)
        except RuntimeError as error:
            if NOT_STARTED not in str(error) or number == NUM_STARTS - 1:
                raise


def _fail(name, message, cell=None, disk_full=False):
    if len(message) > MAX_MESSAGE_LENGTH:
        message = f"{message[:MAX_MESSAGE_LENGTH]} ... (shortened)"
    return {"ok": False, "error": name, "message": message, "cell": cell, "disk_full": disk_full}


def check_completeness(path, parameters):
    """Check that a notebook ran to its end with these parameters.

    papermill writes `exception: null` after success and after a kill alike, so the end time, no
    exception and equal parameters are asked for together.

    Raises
    ------
    ValueError
        Saying what is not as it should be.
    """
    found = nbformat.read(path, as_version=4).metadata.get("papermill", {})
    problem = None
    if not found.get("end_time"):
        problem = "it has no end time"
    elif found.get("exception"):
        problem = "it ended with an exception"
    elif json.loads(json.dumps(found.get("parameters"))) != json.loads(json.dumps(parameters)):
        problem = f"it ran with the parameters {found.get('parameters')}, not {parameters}"
    if problem:
        raise ValueError(f"{Path(path).name} is not complete: {problem}. Run it again.")


def clean_notebook(path, names):
    """Take progress bars and the machine's own names out of an executed notebook.

    Parameters
    ----------
    path : str or Path
        Changed in place, atomically.
    names : list of (str, str)
        Folders and what to call them, longest first.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_clean_output, cell.outputs) if output]
    notebook = nbformat.from_dict(_rename(notebook, names))
    for key in ("environment_variables", "version"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    files.write_text(path, nbformat.writes(notebook, version=4) + "\n")


def _clean_output(output):
    if "image/png" in output.get("data", {}):
        picture = base64.b64decode(output.data["image/png"])
        output.data["image/png"] = base64.b64encode(pictures.compress_png(picture)).decode()
    if output.output_type != "stream":
        return output
    ended_by_return = output.text.split("\n")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in ended_by_return]
    kept = [line for line in lines if not (PROGRESS_BAR.search(line) or CHATTER.search(line))]
    output.text = "\n".join(kept)
    removed_some = len(kept) < len(lines) or "\r" in "".join(ended_by_return)
    return output if output.text.strip() or not removed_some else None


def _rename(value, names, key=""):
    if isinstance(value, dict):
        return {k: _rename(v, names, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_rename(item, names, key) for item in value]
    if not isinstance(value, str) or key.startswith("image/"):
        return value
    for folder, name in names:
        if folder in value:
            end = "" if folder.endswith("/") else r"(?![\w.-])"
            value = re.sub(PATH_BEGINS + re.escape(folder) + end, lambda _, name=name: name, value)
    return KERNEL_TEMPORARY.sub("cell", value)


def export_html(path):
    """Write the notebook as HTML beside it, with its images inside."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter(embed_images=True).from_filename(str(path))
    files.write_text(Path(path).with_suffix(".html"), page)


def end_descendants():
    """Kill what this process started, kernels above all, without waiting for its consent."""
    descendants = psutil.Process().children(recursive=True)
    for process in descendants:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(descendants, timeout=NUM_SECONDS_TO_DIE)  # until then they may write


def _end(*_):
    end_descendants()
    os._exit(128 + signal.SIGTERM)


def _watch_life_line():
    while sys.stdin.readline():
        pass
    _end()


def main():
    signal.signal(signal.SIGTERM, _end)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch_life_line, daemon=True).start()
    alive = filelock.FileLock(job["alive"])
    alive.acquire()  # whoever wants the same folders waits for the end of this process
    outcome = execute(job)
    end_descendants()
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the life line thread still reads


if __name__ == "__main__":
    main()
