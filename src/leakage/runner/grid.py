"""Read what a sweep runs: notebooks, a profile, fixed parameters and lists to vary."""

import collections
import dataclasses
import hashlib
import itertools
import json
import os
import re
from pathlib import Path

import yaml

from leakage.runner import parameters, plan, queue

KEYS = ("notebook", "profile", "fixed", "vary", "jobs")
PROFILES = ("demo", "smoke", "paper")
MAX_SLUG_LENGTH = 80


@dataclasses.dataclass(frozen=True)
class Job:
    """One notebook with one set of parameters.

    Parameters
    ----------
    id : str
        Name of its folder: the same parameters give the same one.
    label : str
        What distinguishes it from the other jobs, for readers.
    number : str
        Of the notebook, such as `"02"`.
    source : Path
    overrides, parameters : dict
        What differs from the notebook's defaults, and all of them.
    given : dict
        What the grid names, apart from the profile.
    """

    id: str
    label: str
    number: str
    source: Path
    overrides: dict
    parameters: dict
    given: dict


def read_grid(path, caller_dir):
    """Read a grid and check every job of it against what the notebooks declare.

    Parameters
    ----------
    path : str or Path
        YAML with `notebook` (a number or name, or a list), `profile` (default `paper`), `fixed`
        (parameters by name), `vary` (lists of values by name: all combinations) and `jobs` (a
        list of single combinations, beside or instead of `vary`). A value for a parameter that
        is a list stands for a list of it alone: `seeds: [27, 1]` are two jobs.
    caller_dir : Path
        Where relative paths of files among the values start.

    Returns
    -------
    list of Job
        Without repetitions: a notebook that does not declare what varies runs once.
    list of str
        What was read otherwise than written.

    Raises
    ------
    ValueError, FileNotFoundError
        Saying what is wrong and how to mend it.
    """
    content = _read_yaml(path)
    profile = content.get("profile", "paper")
    if profile not in PROFILES:
        raise ValueError(
            f"The grid {path} names an unknown profile. Expected one of {', '.join(PROFILES)}. "
            f"Received: {profile!r}"
        )
    every, declared, base = plan.read_profile(profile)
    wanted = content["notebook"]
    wanted = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
    chosen = plan.select_notebooks(every, wanted, f"`notebook` of {path}")
    if queue.LAST in chosen:
        raise ValueError(
            f"Notebook {queue.LAST} reads what other notebooks wrote: it has nothing to read in a "
            f"sweep. Leave it out of {path}."
        )
    taking = {number: declared[number] for number in chosen}
    found, notes = {}, []
    for combination in _list_combinations(content):
        overrides = {number: dict(base[number]) for number in base}
        given = [(name, _to_text(name, value, taking)) for name, value in combination.items()]
        notes += parameters.add_arguments(overrides, taking, given, caller_dir, "the grid")
        for number, source in chosen.items():
            complete = plan.complete_values(declared[number], overrides[number])
            own = {name: complete[name] for name in combination if name in declared[number]}
            key = json.dumps([number, complete], sort_keys=True, default=str)
            found.setdefault(key, (number, source, overrides[number], complete, own))
    return _name_jobs(found), sorted(set(notes))


def _read_yaml(path):
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"The grid {path} is no readable YAML: {error}") from error
    except OSError as error:
        raise FileNotFoundError(f"The grid {path} cannot be read: {error.strerror}.") from error
    form = (
        "Expected `notebook`, and optionally `profile`, `fixed: {name: value}`, "
        "`vary: {name: [values]}` and `jobs: [{name: value}]`."
    )
    if not isinstance(content, dict) or "notebook" not in content or set(content) - set(KEYS):
        known = sorted(map(str, content)) if isinstance(content, dict) else content
        raise ValueError(f"The grid {path} is not understood. {form} Received: {known!r}")
    kinds = {"fixed": dict, "vary": dict, "jobs": list}
    for name, kind in kinds.items():
        content[name] = content.get(name) or kind()
        if not isinstance(content[name], kind):
            raise ValueError(
                f"`{name}` of the grid {path} has the wrong form. {form} "
                f"Received: {content[name]!r}"
            )
    for where, values in content["vary"].items():
        if not isinstance(values, list) or not values:
            raise ValueError(
                f"`vary` of the grid {path} needs a list of values for {where!r}; a single one "
                f"belongs in `fixed`. Received: {values!r}"
            )
    for one in content["jobs"]:
        if not isinstance(one, dict):
            raise ValueError(f"`jobs` of the grid {path} has the wrong form. {form} Got: {one!r}")
    twice = set(content["fixed"]) & set(content["vary"])
    if twice:
        raise ValueError(
            f"The grid {path} names {', '.join(sorted(twice))} in `fixed` and in `vary`. "
            "Leave out one of them."
        )
    return content


def _list_combinations(content):
    fixed, vary = content["fixed"], content["vary"]
    combinations = []
    if vary or not content["jobs"]:
        products = itertools.product(*vary.values())
        combinations = [fixed | dict(zip(vary, values, strict=True)) for values in products]
    return combinations + [fixed | one for one in content["jobs"]]


def _to_text(name, value, taking):
    """A value as it would be typed after `-p name`, so that both are read alike."""
    types = {t for known in taking.values() if name in known for t in known[name].types}
    if types & {list, tuple} and not isinstance(value, list) and value is not None:
        value = [value]
    return value if isinstance(value, str) else json.dumps(value)


def _name_jobs(found):
    every = [own for *_, own in found.values()]
    names = dict.fromkeys(name for own in every for name in own)
    seen = {  # where a job does not name it, that distinguishes it too
        name: {json.dumps(own[name], default=str) if name in own else None for own in every}
        for name in names
    }
    several = len({number for number, *_ in found.values()}) > 1
    jobs = []
    for key, (number, source, overrides, complete, own) in found.items():
        varied = [f"{name}={show_value(v)}" for name, v in own.items() if len(seen[name]) > 1]
        label = ", ".join([number] * several + varied) or source.stem
        slug = re.sub(r"[^\w.=-]+", "_", "_".join([number, *varied]))[:MAX_SLUG_LENGTH]
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        jobs.append(Job(f"{slug}_{digest}", label, number, source, overrides, complete, own))
    labels = collections.Counter(job.label for job in jobs)
    return [  # such as weights of one name in two folders
        dataclasses.replace(job, label=f"{job.label} ({job.id[-8:]})")
        if labels[job.label] > 1
        else job
        for job in jobs
    ]


def show_value(value):
    """A parameter for readers: a list of one as its item, a file of this machine by its name."""
    if isinstance(value, list):
        return show_value(value[0]) if len(value) == 1 else "+".join(map(show_value, value))
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else str(value)
