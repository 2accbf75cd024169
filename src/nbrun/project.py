"""What the runner has to be told about the project whose notebooks it runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def _nothing(*_):
    return None


@dataclass(frozen=True)
class Project:
    """A project of notebooks `NN_name.ipynb`.

    Parameters
    ----------
    root, notebooks, results_dir, data_dir, cache_dir : Path
        Its folders. `notebooks/profiles/NAME.yaml` overrides the notebooks' own defaults.
    packages : sequence of Path
        The packages that notebooks import: when their code changes, no result is complete.
    prefix : str
        Kernels find folders in PREFIX_OUTPUT_DIR (what this notebook writes), PREFIX_RUN_DIR (with
        the folders of the others), PREFIX_DATA_DIR, PREFIX_CACHE_DIR, PREFIX_RESULTS_DIR, and
        with `--force` in PREFIX_KEPT_DIR: empty, for what they keep of earlier runs.
    command : str
        What users type, for help.
    last : str
        Number of the notebook that reads the results of the others.
    variables : dict of str to str
        Further variables of the kernels, where the caller's environment does not set them.
    passed_on : sequence of str
        Variables of the caller that begin so reach notebooks on other machines as well.
    reads_data : callable
        `reads_data(parameters)`: whether a notebook reads the data folder.
    data_help : str
        How to get the data, for those who have none.
    not_data : sequence of str
        Files and folders in the data folder that are none.
    file_suffixes : sequence of str
        A text with one of these endings can only name a file.
    noise : re.Pattern
        Lines of output that are left out of executed notebooks.
    describe_environment : callable
        Returns what `environment.json` says of the machine.
    at_end, at_sweep_end : callable
        `at_end(run_dir, remarks)` and `at_sweep_end(sweep_dir, jobs)` write summary and page, and
        return what to print; `jobs` is a table of parameters and outcomes, a list of dicts.
    seconds_between_lines : float
        In a log, every notebook that runs says so often how far it is.
    """

    root: Path
    notebooks: Path
    results_dir: Path
    data_dir: Path
    cache_dir: Path
    packages: tuple = ()
    prefix: str = "NBRUN"
    command: str = "nbrun"
    last: str = ""
    variables: dict = field(default_factory=dict)
    passed_on: tuple = ()
    reads_data: Callable = _nothing
    data_help: str = ""
    not_data: tuple = ()
    file_suffixes: tuple = ()
    noise: re.Pattern | None = None
    describe_environment: Callable = dict
    at_end: Callable = _nothing
    at_sweep_end: Callable = _nothing
    seconds_between_lines: float = 60.0
