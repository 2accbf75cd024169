"""What a run keeps in `.run/`: keys of what is complete, staging folders, the move into place."""

import errno
import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

import filelock

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_text(path, text):
    """Write a text file beside its place and move it there: no reader sees half of one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path, content):
    """Write JSON with sorted keys, as `write_text` does."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path):
    """Read JSON; None where there is no such file, or half of one."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def hash_content(content):
    """Hash whatever JSON can hold."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def list_files(folder, without=()):
    """List the files of a folder and of linked ones: sorted (path in it, bytes, mtime in ns).

    Parameters
    ----------
    folder : str or Path
    without : sequence of Path
        Files and folders in it that do not count.
    """
    found = []
    for here, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if Path(here, name) not in without]
        for path in (Path(here, name) for name in files):
            if path not in without and path.exists():  # a link to nowhere holds no data
                status = path.stat()
                name = path.relative_to(folder).as_posix()
                found.append((name, status.st_size, status.st_mtime_ns))
    return sorted(found)


def list_results(run_dir, without):
    """List what the notebooks of a run found: (file, hash), without what tells of time only."""
    found = []
    for path in sorted(Path(run_dir).glob("[0-9][0-9]_*/**/*")):
        notebook = path.relative_to(run_dir).parts[0]
        timed = path.suffix in (".ipynb", ".html") or path.name == "timings.json"
        if path.is_file() and not timed and not notebook.startswith(without):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found.append((path.relative_to(run_dir).as_posix(), digest))
    return found


def hash_code(packages):
    """Hash every Python file of some folders."""
    return hash_content(
        [
            [path.relative_to(folder).as_posix(), path.read_text("utf-8")]
            for folder in packages
            for path in sorted(Path(folder).rglob("*.py"))
        ]
    )


def make_key(job, code):
    """Name the result of a job: equal keys, equal result.

    The notebook counts without its outputs, all parameters with size and time of the files that
    they name, what the job reads, and the code, from `hash_code`.
    """
    cells = json.loads(job.source.read_text(encoding="utf-8"))["cells"]
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    named = [Path(v) for v in job.parameters.values() if isinstance(v, str) and os.path.isabs(v)]
    stamps = [[p.stat().st_size, p.stat().st_mtime_ns] for p in named if p.exists()]
    return hash_content([cells, job.parameters, stamps, code, job.inputs])


class RunState:
    """What is known of the notebooks in one folder; theirs appear there only when complete."""

    def __init__(self, run_dir):
        self.run_dir = Path(run_dir)
        self.folder = self.run_dir / ".run"

    def clear(self):
        """Undo what a killed run left; for whoever has the folder alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("*.old"):
            if not (self.run_dir / old.stem).exists():
                os.rename(old, self.run_dir / old.stem)  # it was being replaced
            shutil.rmtree(old, ignore_errors=True)
        for partial in [*self.folder.glob("*.partial"), self.folder / "kept"]:
            shutil.rmtree(partial, ignore_errors=True)
        for left in [*self.folder.glob("*.status"), *self.folder.glob("*.token")]:
            left.unlink(missing_ok=True)

    def is_complete(self, name, key):
        """Whether the folder of a notebook holds the result of this key, all of it."""
        held = read_json(self.folder / f"{name}.json")
        return bool(held) and held["key"] == key and held["files"] == self._list_sizes(name)

    def _list_sizes(self, name):
        return {path: size for path, size, _ in list_files(self.run_dir / name)}

    def stage(self, name):
        """Make an empty folder of the notebook's name; what was killed may still write its own."""
        staging = self.folder / f"{uuid.uuid4().hex[:8]}.partial" / name
        staging.mkdir(parents=True)
        return staging

    def publish(self, staging, key, parameters):
        """Move a complete folder into place, and remember its key."""
        name = staging.name
        target, old = self.run_dir / name, self.folder / f"{name}.old"
        with filelock.FileLock(self.folder / f"{name}.lock"):
            (self.folder / f"{name}.json").unlink(missing_ok=True)
            if target.exists():
                os.rename(target, old)
            os.rename(staging, target)
            held = {"key": key, "parameters": parameters, "files": self._list_sizes(name)}
            write_json(self.folder / f"{name}.json", held)
            shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(staging.parent, ignore_errors=True)

    def keep_failed(self, staging):
        """Keep a failed notebook and its page for reading; return its path, or None."""
        failed = self.folder / "failed"
        kept = None
        for path in (staging / f"{staging.name}{kind}" for kind in (".html", ".ipynb")):
            if path.is_file():
                failed.mkdir(exist_ok=True)
                kept = failed / path.name
                os.replace(path, kept)
        shutil.rmtree(staging.parent, ignore_errors=True)
        return kept
