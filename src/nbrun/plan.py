"""Decide what a call runs, and refuse what cannot work before anything starts."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

from nbrun import parameters, state
from nbrun.job import Job

GRID_FORM = (
    "Expected `notebook`, and optionally `profile`, `fixed: {name: value}`, `vary: {name: "
    "[values]}` and `jobs: [{name: value}]`."
)
MAX_NAME_LENGTH = 80
# The profile that runs unasked, and what the notebooks' own defaults without one are called.
UNASKED, OWN_DEFAULTS = "demo", "paper"


def plan_run(project, call):
    """List the notebooks that a profile and options ask for.

    Returns
    -------
    list of Job
    Path
        The folder of results.
    """
    notebooks = find_notebooks(project.notebooks)
    numbers = select_notebooks(notebooks, call.only, "--only")
    values = read_profile(project, notebooks, call.profile)
    for name, text in call.parameter:
        values.assign_typed(numbers, name, text, project.file_suffixes)
    run_dir = project.results_dir / call.name
    return [
        Job(notebooks[n].stem, n, notebooks[n], values.overrides[n], values.complete(n), run_dir)
        for n in numbers
    ], run_dir


def plan_sweep(project, call):
    """List the combinations of a grid, each with the notebooks that it names; as `plan_run`.

    A notebook that does not declare what varies runs once.
    """
    from sklearn.model_selection import ParameterGrid  # a second of imports

    grid = call.content = {"profile": OWN_DEFAULTS, **parameters.read_yaml(call.grid)}
    notebook, fixed, vary = grid.get("notebook"), grid.get("fixed", {}), grid.get("vary", {})
    try:
        varied = list(ParameterGrid(vary)) if vary or "jobs" not in grid else []
        combinations = [(fixed | one, one) for one in [*varied, *grid.get("jobs", [])]]
        if notebook is None or set(grid) - {"notebook", "profile", "fixed", "vary", "jobs"}:
            raise ValueError(f"Its keys are {', '.join(map(str, grid))}.")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{call.grid} is not understood. {GRID_FORM} {error}") from error
    notebooks = find_notebooks(project.notebooks)
    wanted = map(str, notebook if isinstance(notebook, list) else [notebook])
    numbers = select_notebooks(notebooks, wanted, f"`notebook` of {call.grid}")
    if project.last in numbers:
        raise ValueError(
            f"Notebook {project.last} reads what the others wrote, and has nothing to read in a "
            f"sweep. Leave it out of {call.grid}."
        )
    sweep_dir, found = project.results_dir / "sweeps" / call.name, {}
    for combination, named in combinations:
        values = read_profile(project, notebooks, grid["profile"])
        for name, value in combination.items():
            kinds = {one[name].kind for one in values.declared.values() if name in one}
            if list in kinds and not isinstance(value, list):
                value = [value]  # `seeds: [27, 1]` are two jobs
            text = value if isinstance(value, str) else json.dumps(value)
            values.assign_typed(numbers, name, text, project.file_suffixes, call.grid)
        for n in numbers:
            complete = values.complete(n)
            given = {name: complete[name] for name in named if name in complete}
            label = ", ".join([n, *(f"{name}={show(value)}" for name, value in given.items())])
            digest = state.hash_content([n, complete])[:8]
            slug = re.sub(r"[^\w.=-]+", "_", label)[:MAX_NAME_LENGTH]
            run_dir = sweep_dir / "jobs" / f"{slug}_{digest}"
            overrides = dict(values.overrides[n])
            job = Job(label, n, notebooks[n], overrides, complete, run_dir, given)
            found.setdefault(digest, job)
    return list(found.values()), sweep_dir


def show(value):
    """A parameter for readers: a list of one as its item, a file of this machine by its name."""
    return "+".join(map(show, value)) if isinstance(value, list) else str(hide_folder(value))


def hide_folder(value):
    """A file of this machine by its name alone; any other value as it is."""
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else value


def find_notebooks(folder):
    """Find the numbered notebooks of a folder: paths by number such as `"01"`, sorted."""
    found = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    notebooks = {path.stem[:2]: path for path in found}
    if not found or len(notebooks) < len(found):
        raise ValueError(
            f"Expected notebooks NN_name.ipynb in {folder}, each with a number of its own. "
            f"Received: {', '.join(path.name for path in found) or 'none'}"
        )
    return notebooks


def select_notebooks(notebooks, wanted, where):
    """Numbers of the notebooks that are named by number (`2`, `02`) or name; all for none."""
    known = {path.stem: number for number, path in notebooks.items()} | {n: n for n in notebooks}
    chosen = set()
    for name in wanted:
        number = known.get(name.zfill(2) if name.isdigit() else Path(name).stem)
        if number is None:
            raise ValueError(
                f"{where} names a notebook that does not exist. Expected a number or a name of: "
                f"{', '.join(path.stem for path in notebooks.values())}. Received: {name!r}"
            )
        chosen.add(number)
    return [number for number in notebooks if number in chosen or not chosen]


def list_profiles(project):
    """Names of all profiles, the notebooks' own defaults last."""
    found = sorted(path.stem for path in (project.notebooks / "profiles").glob("*.yaml"))
    return [*found, OWN_DEFAULTS]


def read_profile(project, notebooks, profile):
    """Read what notebooks declare, and set what a profile says."""
    if profile not in list_profiles(project):
        raise ValueError(
            f"There is no such profile. Expected one of {', '.join(list_profiles(project))}. "
            f"Received: {profile!r}"
        )
    values = parameters.Values(notebooks)
    if profile != OWN_DEFAULTS:
        values.read_profile(project.notebooks / "profiles" / f"{profile}.yaml")
    return values


def choose_data_dir(project, call, jobs, say):
    """Choose the data folder; it must be there where it is needed, or named in the call."""
    data_dir = Path(call.data_dir).absolute() if call.data_dir else project.data_dir
    needed = any(project.reads_data(job.parameters) for job in jobs)
    if not needed and (call.data_dir or os.environ.get(f"{project.prefix}_DATA_DIR")):
        say("note: the data folder is not used, these notebooks read none")
    if (call.data_dir or needed) and not data_dir.is_dir():
        raise FileNotFoundError(f"There is no data folder {data_dir}. {project.data_help}")
    if needed and not list_data(project, data_dir):
        raise FileNotFoundError(f"The data folder {data_dir} is empty. {project.data_help}")
    return data_dir


def list_data(project, data_dir):
    return state.list_files(
        data_dir, [project.cache_dir, *map(data_dir.joinpath, project.not_data)]
    )


def complete_jobs(project, call, jobs):
    """Add to each job what it reads, and the key of its result."""
    code, data, completed = state.hash_code(project.packages), None, []
    for job in jobs:
        inputs = None
        if job.number == project.last:
            inputs = state.list_results(job.run_dir, without=project.last)
        elif project.reads_data(job.parameters):
            data = inputs = data or list_data(project, call.data_dir)
        job = replace(job, inputs=state.hash_content([inputs, call.threads]))
        completed.append(replace(job, key=state.make_key(job, code)))
    return completed
