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
    folder = paths.get_notebooks_dir()
    every = find_notebooks(folder)
    declared = {number: parameters.read_declared(path) for number, path in every.items()}
    overrides = {number: {} for number in every}
    if options.profile != "paper":
        profile = folder / "profiles" / f"{options.profile}.yaml"
        if not profile.is_file():
            raise FileNotFoundError(f"The profile {profile} is missing. Is the checkout complete?")
        overrides = parameters.read_profile(profile, declared)
    chosen = select_notebooks(every, options.only)
    taking = {number: declared[number] for number in chosen}
    for note in parameters.add_arguments(overrides, taking, options.parameter, Path.cwd()):
        say(f"note: {note}")
    complete = {
        number: {name: parameter.default for name, parameter in declared[number].items()}
        | overrides[number]
        for number in chosen
    }
    given = options.data_dir or os.environ.get("LEAKAGE_DATA_DIR")
    data_dir = Path(options.data_dir).absolute() if options.data_dir else paths.get_data_dir()
    needs_data = any(values.get("data_source") == "real" for values in complete.values())
    if given or needs_data:
        check_data(data_dir)
    if given and not needs_data:
        say("note: the data folder is not used, these notebooks draw phantoms")
    run_dir = paths.get_results_dir() / (options.name or options.profile)
    return Plan(chosen, overrides, complete, run_dir, data_dir)


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


def select_notebooks(notebooks, only):
    """Select by number (`2`, `02`) or name; all where nothing is asked for."""
    chosen = set()
    for wanted in only:
        number = wanted.zfill(2) if wanted.isdigit() else Path(wanted).stem[:2]
        named = wanted.isdigit() or Path(wanted).stem == getattr(notebooks.get(number), "stem", "")
        if number not in notebooks or not named:
            names = ", ".join(path.stem for path in notebooks.values())
            raise ValueError(
                f"--only names a notebook that does not exist. Expected a number or a name of: "
                f"{names}. Received: {wanted!r}"
            )
        chosen.add(number)
    return {number: path for number, path in notebooks.items() if number in chosen or not only}


def check_data(data_dir):
    """Check that there is a data folder with something in it."""
    fix = (
        "Download the data (python -m leakage.download cohen kermany wolf_husky), or name the "
        "folder that holds them with --data-dir DIR or LEAKAGE_DATA_DIR. "
        "Without data, ./run_all.sh demo draws phantoms."
    )
    if not data_dir.is_dir():
        raise FileNotFoundError(f"There is no data folder {data_dir}. {fix}")
    if not state.list_data_files(data_dir):
        raise FileNotFoundError(f"The data folder {data_dir} is empty. {fix}")
