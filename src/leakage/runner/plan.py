"""Decide what a run does, and refuse what cannot work before anything starts."""

import os
from dataclasses import dataclass
from pathlib import Path

from leakage import paths
from leakage.runner import parameters, state


@dataclass(frozen=True)
class Plan:
    """What one call runs: notebooks by number, their overrides and complete parameters."""

    notebooks: dict
    overrides: dict
    parameters: dict
    run_dir: Path
    data_dir: Path


def make_plan(options, say=print):
    """Check everything that can be checked before a notebook runs.

    Raises
    ------
    ValueError, FileNotFoundError
        Saying what is wrong and how to mend it.
    """
    every, declared, overrides = read_profile(options.profile)
    chosen = select_notebooks(every, options.only)
    taking = {number: declared[number] for number in chosen}
    for note in parameters.add_arguments(overrides, taking, options.parameter, Path.cwd()):
        say(f"note: {note}")
    complete = {number: complete_values(declared[number], overrides[number]) for number in chosen}
    data_dir = choose_data_dir(options.data_dir, complete.values(), say)
    run_dir = paths.get_results_dir() / (options.name or options.profile)
    return Plan(chosen, overrides, complete, run_dir, data_dir)


def read_profile(profile):
    """Read all notebooks, what they declare, and what a profile overrides, by their numbers."""
    folder = paths.get_notebooks_dir()
    every = find_notebooks(folder)
    declared = {number: parameters.read_declared(path) for number, path in every.items()}
    if profile == "paper":
        return every, declared, {number: {} for number in every}
    path = folder / "profiles" / f"{profile}.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"The profile {path} is missing. Is the checkout complete?")
    return every, declared, parameters.read_profile(path, declared)


def complete_values(declared, overrides):
    """All parameters of one notebook: what it declares, and what is overridden."""
    return {name: parameter.default for name, parameter in declared.items()} | overrides


def choose_data_dir(given, values, say):
    """Choose the data folder; check that it is there where one is named or needed.

    Parameters
    ----------
    given : str or None
        What the command line names.
    values : iterable of dict
        Complete parameters of all notebooks.
    say : callable
        Takes a note for the reader.
    """
    data_dir = Path(given).absolute() if given else paths.get_data_dir()
    given = given or os.environ.get("LEAKAGE_DATA_DIR")
    needs_data = any(each.get("data_source") == "real" for each in values)
    if given or needs_data:
        check_data(data_dir)
    if given and not needs_data:
        say("note: the data folder is not used, these notebooks draw phantoms")
    return data_dir


def find_notebooks(folder):
    """Find the numbered notebooks of a folder: paths by number such as `"01"`, sorted."""
    found = {}
    for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb")):
        if path.stem[:2] in found:
            raise ValueError(
                f"Every notebook needs a number of its own. Received: {path.name} and "
                f"{found[path.stem[:2]].name}. Rename one."
            )
        found[path.stem[:2]] = path
    if not found:
        raise FileNotFoundError(f"No notebook NN_name.ipynb in {folder}. Is the checkout complete?")
    return found


def select_notebooks(notebooks, only, asked="--only"):
    """Select by number (`2`, `02`) or name; all where nothing is asked for."""
    chosen = set()
    for wanted in only:
        number = wanted.zfill(2) if wanted.isdigit() else Path(wanted).stem[:2]
        named = wanted.isdigit() or Path(wanted).stem == getattr(notebooks.get(number), "stem", "")
        if number not in notebooks or not named:
            names = ", ".join(path.stem for path in notebooks.values())
            raise ValueError(
                f"{asked} names a notebook that does not exist. Expected a number or a name of: "
                f"{names}. Received: {wanted!r}"
            )
        chosen.add(number)
    return {number: path for number, path in notebooks.items() if number in chosen or not only}


def check_data(data_dir):
    """Check that there is a data folder with something in it."""
    fix = (
        "Download the data (./run_all.sh setup cohen kermany wolf_husky nih), or name the "
        "folder that holds them with --data-dir DIR or LEAKAGE_DATA_DIR. "
        "Without data, ./run_all.sh demo draws phantoms."
    )
    if not data_dir.is_dir():
        raise FileNotFoundError(f"There is no data folder {data_dir}. {fix}")
    if not state.list_data_files(data_dir):
        raise FileNotFoundError(f"The data folder {data_dir} is empty. {fix}")
