"""papermill's engine `nbrun`: bars are shown while cells run, and stay out of the notebook."""

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time

import jupyter_client
from jupyter_client import kernelspec
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from nbrun import state

POLL_SECONDS = 0.25
STATUS_SECONDS = 1.0  # at most one write a second of how far a bar is
# A bar as tqdm draws it, from the return of the carriage to the closing bracket.
BAR = re.compile(r"\r([^\r\n]*?(?:\d+%\|[^|\r\n]*\||\d+\w+ )[^\r\n\[]*\[[^\]\r\n]*\])\n?")
BAR_REMAINS = re.compile(r"\r +(?=\r)|\r(?!\n)")  # blanks over it
MOVE_UP = "\x1b[A"  # from a bar within a bar


def take_out_bars(text):
    """Return a stream's text without progress bars, and what the last of them said, if any."""
    bars, text = BAR.findall(text), text.replace(MOVE_UP, "")
    if bars or not text.strip():
        text = BAR_REMAINS.sub("", BAR.sub("", text))
    return text if text.strip() else "", bars[-1].strip() if bars else ""


class OwnPython(kernelspec.KernelSpecManager):
    """Knows one kernel, this very Python: a user's own `python3` may belong to another."""

    def get_kernel_spec(self, kernel_name):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return kernelspec.KernelSpec(argv=argv, display_name="Python 3", language="python")


class Client(PapermillNotebookClient):
    """Runs cells as papermill does, and writes to `status` (a path) how far it is."""

    status, folder, told = None, "", 0.0

    def create_kernel_manager(self):
        self.folder = tempfile.mkdtemp(prefix="nbrun-")
        self.km = jupyter_client.AsyncKernelManager(
            kernel_name=self.kernel_name,
            kernel_spec_manager=OwnPython(),
            # Sockets in a folder: a free port may be taken by another kernel that starts now.
            transport="ipc",
            connection_file=os.path.join(self.folder, "k.json"),
        )
        return self.km

    def execute_cell(self, cell, cell_index, **options):
        self.tell(cell=cell_index + 1, bar="")
        return super().execute_cell(cell, cell_index, **options)

    def output(self, outs, msg, display_id, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "stream" and (content["name"] == "stderr" or "\r" in content["text"]):
            content["text"], bar = take_out_bars(content["text"])
            if bar and time.monotonic() - self.told > STATUS_SECONDS:
                self.tell(bar=bar)
            if not content["text"]:
                return None
        return super().output(outs, msg, display_id, cell_index)

    def tell(self, **shown):
        self.told = time.monotonic()
        self.shown = getattr(self, "shown", {"since": time.time()}) | shown
        with contextlib.suppress(OSError):  # a full disk shall fail where it loses something
            state.write_json(self.status, self.shown)

    def kill(self):
        """Kill the kernel and what it started."""
        group = getattr(getattr(self.km, "provisioner", None), "pgid", None)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(group, signal.SIGKILL)

    def kill_without(self, token, ended):
        while not ended.wait(POLL_SECONDS):
            if not token.exists():
                self.kill()


class Engine(NBClientEngine):
    """Executes a notebook with an environment of its own until the file `token` is gone."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, variables, working_dir, status, log, token, **_
    ):
        client = Client(
            nb_man, kernel_name=kernel_name, startup_timeout=120, timeout=None,
            shutdown_kernel="immediate", coalesce_streams=True,
        )  # fmt: skip
        client.status = status
        # Else papermill writes all of it before and after every cell, for nobody: at the end it
        # writes it as well, also where a cell failed.
        path, nb_man.output_path = nb_man.output_path, None
        client.tell(cell=0, cells=len(nb_man.nb.cells), bar="")
        ended = threading.Event()
        watch = threading.Thread(target=client.kill_without, args=(token, ended), daemon=True)
        watch.start()
        try:
            with open(log, "wb") as stream:  # what libraries say past Python
                client.execute(env=variables, cwd=working_dir, stdout=stream, stderr=stream)
        finally:
            nb_man.output_path = path
            ended.set()
            watch.join()
            client.kill()
            status.unlink(missing_ok=True)
            shutil.rmtree(client.folder, ignore_errors=True)


papermill_engines.register("nbrun", Engine)
