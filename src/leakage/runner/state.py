"""What a run keeps: keys of what is complete, staging folders, and the move into place.

All of it lies in `results/<name>/.run/`; a notebook's folder appears in `results/<name>/` only
when it is complete, by renaming.
"""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import leakage
from leakage import paths
from leakcard import files

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
STATE_FOLDER = ".run"
# Parts of the default data folder that are no data.
NOT_DATA = ("README.md", "manifests", "cache", ".gitignore")


def list_data_files(data_dir):
    """List the files of a data folder with size and time of change, the project's own left out.

    Returns
    -------
    list of (str, int, int)
        Relative path, bytes, mtime in ns; sorted. Empty if there is no such folder.
    """
    data_dir, cache_dir = Path(data_dir), paths.get_cache_dir()
    found = []
    for folder, folders, names in os.walk(data_dir, followlinks=True):
        here = Path(folder)
        top = here == data_dir
        folders[:] = sorted(
            name for name in folders if here / name != cache_dir and not (top and name in NOT_DATA)
        )
        for name in names:
            if not (top and name in NOT_DATA):
                try:
                    status = (here / name).stat()
                except OSError:  # a link to nowhere holds no data
                    continue
                relative = (here / name).relative_to(data_dir).as_posix()
                found.append((relative, status.st_size, status.st_mtime_ns))
    return sorted(found)


def hash_code():
    """Hash of every Python file of the package."""
    folder = Path(leakage.__file__).parent
    files = sorted(folder.rglob("*.py"))
    return _hash([[f.relative_to(folder).as_posix(), f.read_text("utf-8")] for f in files])


def hash_notebook(path):
    """Hash of a notebook's cells without their outputs."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    return _hash([[cell["cell_type"], "".join(cell["source"])] for cell in cells])


def make_key(source, parameters, code, data):
    """Key of a notebook's result: equal keys, equal result.

    Parameters
    ----------
    source : Path
        The notebook.
    parameters : dict
        All of them, defaults included. Files that they name count with size and time.
    code : str
        From `hash_code`.
    data : object
        What the notebook reads: a fingerprint that JSON can hold.
    """
    files = [Path(v) for v in parameters.values() if isinstance(v, str) and os.path.isabs(v)]
    stamps = [[f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.exists()]
    return _hash([hash_notebook(source), parameters, stamps, code, data])


def _hash(content):
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _list_sizes(folder):
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


class RunState:
    """The state of one run folder.

    Parameters
    ----------
    run_dir : str or Path
        `results/<name>`; made with its state folder.
    """

    def __init__(self, run_dir):
        self.run_dir = Path(run_dir)
        self.folder = self.run_dir / STATE_FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / "probe"  # some file systems allow folders but no file
        probe.write_text("writable\n")
        probe.unlink()

    def path(self, notebook, suffix):
        """A file or folder of the state that belongs to a notebook."""
        return self.folder / f"{notebook}{suffix}"

    def recover(self, notebook):
        """Undo what a killed run left: put back a folder that was being replaced."""
        target, old = self.run_dir / notebook, self.path(notebook, ".old")
        if old.exists() and not target.exists():
            os.rename(old, target)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self.path(notebook, ".partial"), ignore_errors=True)

    def is_complete(self, notebook, key):
        """Whether the notebook's folder holds the result of this key."""
        try:
            held = json.loads(self.path(notebook, ".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return held["key"] == key and held["files"] == _list_sizes(self.run_dir / notebook)

    def stage(self, notebook):
        """Make the empty folder that a notebook writes to until it is complete."""
        self.recover(notebook)
        staging = self.path(notebook, ".partial")
        staging.mkdir()
        return staging

    def publish(self, notebook, key, parameters):
        """Move a complete staging folder into place and remember its key."""
        target, old = self.run_dir / notebook, self.path(notebook, ".old")
        self.path(notebook, ".json").unlink(missing_ok=True)
        if target.exists():
            os.rename(target, old)
        os.rename(self.path(notebook, ".partial"), target)
        content = {"key": key, "parameters": parameters, "files": _list_sizes(target)}
        files.write_json(self.path(notebook, ".json"), content)
        shutil.rmtree(old, ignore_errors=True)

    def keep_failed(self, notebook):
        """Keep the notebook of a failed run for reading; return its path, or None."""
        staging = self.path(notebook, ".partial")
        executed = staging / f"{notebook}.ipynb"
        kept = None
        if executed.is_file():
            kept = self.folder / "failed" / executed.name
            kept.parent.mkdir(exist_ok=True)
            os.replace(executed, kept)
        shutil.rmtree(staging, ignore_errors=True)
        return kept
