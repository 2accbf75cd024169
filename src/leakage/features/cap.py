"""The cap of the feature bank, and of other folders of what can be computed again."""

import contextlib
import os
import shutil

import filelock

LIMIT_GB = 20.0


def limit_size(root, keep=None, limit_gb=LIMIT_GB):
    """Drop the least recently used folders of the bank until it fits its cap.

    A folder that another process fills and reads right now stays.

    Parameters
    ----------
    root : pathlib.Path
        Folder of the bank.
    keep : pathlib.Path, optional
        A folder in use, which stays.
    limit_gb : float
        Cap in gigabytes.

    Returns
    -------
    list of pathlib.Path
        The folders that were dropped.
    """
    known = sorted(filter(None, map(_measure, root.iterdir())))
    total = sum(num_bytes for _, _, num_bytes in known)
    dropped = []
    for _, folder, num_bytes in known:
        if total <= limit_gb * 1e9:
            break
        if folder != keep:
            with contextlib.suppress(filelock.Timeout), get_lock(folder, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
                dropped.append(folder)
                total -= num_bytes
    return dropped


def get_lock(folder, timeout=-1):
    """Lock of a folder, as a file beside it: a lock inside would go with the folder."""
    return filelock.FileLock(f"{folder}.lock", timeout=timeout)


def _measure(folder):
    """When a folder was used and what it holds; None for a file, or what is dropped meanwhile."""
    try:
        if not folder.is_dir():
            return None
        used, num_bytes = folder.stat().st_mtime, 0
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):  # a temporary file found its place
                num_bytes += entry.stat().st_size
    except FileNotFoundError:
        return None
    return used, folder, num_bytes
