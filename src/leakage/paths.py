"""Where things are: every directory, from the root, with the environment's word first.

Nothing is created here: whoever writes a file makes its folder.
"""

import os
from pathlib import Path


def _find_root():
    """The checkout that holds this package, or the working directory of an installed copy."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "notebooks").is_dir() else Path.cwd()


ROOT = _find_root()


def _get(variable, default):
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else Path(default)


def get_data_dir():
    """Folder of the datasets: `$LEAKAGE_DATA_DIR`, else `data/` of the project."""
    return _get("LEAKAGE_DATA_DIR", ROOT / "data")


def get_cache_dir():
    """Folder of what can be computed again: `$LEAKAGE_CACHE_DIR`, else `data/cache/`.

    It does not follow `LEAKAGE_DATA_DIR`: a user's data folder is never written to.
    """
    return _get("LEAKAGE_CACHE_DIR", ROOT / "data" / "cache")


def get_kept_dir():
    """Folder of what was trained: `$LEAKAGE_KEPT_DIR`, else `trained/` in the cache.

    A forced run names a new one, and so trains everything again.
    """
    return _get("LEAKAGE_KEPT_DIR", get_cache_dir() / "trained")


def get_results_dir():
    """Folder of all runs: `$LEAKAGE_RESULTS_DIR`, else `results/` of the project."""
    return _get("LEAKAGE_RESULTS_DIR", ROOT / "results")


def get_run_dir():
    """Folder of this run: `$LEAKAGE_RUN_DIR`, else `results/interactive/`."""
    return _get("LEAKAGE_RUN_DIR", get_results_dir() / "interactive")


def get_output_dir(notebook):
    """Folder that one notebook writes to.

    Parameters
    ----------
    notebook : str
        Name without suffix, such as `"01_reproduce_original_result"`.

    Returns
    -------
    Path
        `$LEAKAGE_OUTPUT_DIR` where a runner set it, else a folder of that name in the run's.
    """
    return _get("LEAKAGE_OUTPUT_DIR", get_run_dir() / notebook)
