"""Put the records of all jobs of a sweep together: a tidy table, and a figure for each claim."""

import re
import shutil

import matplotlib
import pandas as pd
from matplotlib import figure as mpl_figure

from leakage import figures, record, report
from leakage.runner import grid

PREFIX = "p_"  # of parameters: `weights` and others are also columns of records
GROUP = ["notebook", "protocol", "variant"]
INCHES_PER_JOB, INCHES_AROUND = 0.62, 1.9
MAX_NAME_LENGTH = 60


def collect_runs(jobs, jobs_dir):
    """Read the records of jobs that are complete.

    Parameters
    ----------
    jobs : list of grid.Job
    jobs_dir : Path
        Holds a folder for each.

    Returns
    -------
    DataFrame
        One row a record: `job`, `p_NAME` for what the grid names, `record.RECORD_COLUMNS`.
    """
    names, frames = _list_names(jobs), []
    for job in jobs:
        path = jobs_dir / job.id / job.source.stem / "metrics.json"
        if path.is_file():
            frame = record.read_metrics(path).astype(object)
            frame.insert(0, "job", job.label)
            for position, (name, value) in enumerate(_show_given(job, names).items(), start=1):
                frame.insert(position, name, value)
            frames.append(frame)
    if not frames:
        return pd.DataFrame(columns=["job", *(PREFIX + n for n in names), *record.RECORD_COLUMNS])
    return pd.concat(frames, ignore_index=True)


def list_jobs(jobs, outcomes):
    """List all jobs: done, failed (where and why) or left.

    Parameters
    ----------
    jobs : list of grid.Job
    outcomes : dict of str to dict
        Of the jobs that ended, by id.

    Returns
    -------
    DataFrame of shape (n_jobs, any)
    """
    names, rows = _list_names(jobs), []
    for job in jobs:
        outcome = outcomes.get(job.id, {})
        status = {None: "left", True: "done", False: "failed"}[outcome.get("ok")]
        why = {name: outcome.get(name) for name in ("cell", "error", "message")}
        first = {"job": job.label, "notebook": job.source.stem, **_show_given(job, names)}
        rows.append({**first, "status": status, **why, "folder": f"jobs/{job.id}"})
    return pd.DataFrame(rows).astype({"cell": "Int64"})


def _list_names(jobs):
    return list(dict.fromkeys(name for job in jobs for name in job.given))


def _show_given(job, names):
    return {
        f"{PREFIX}{name}": grid.show_value(job.given[name]) if name in job.given else None
        for name in names
    }


def draw_runs(runs, folder):
    """Draw the accuracy of every job with its interval, a figure for each claim.

    Parameters
    ----------
    runs : DataFrame
        From `collect_runs`. The accuracies are those of the seed declared beforehand.
    folder : Path
        Of the sweep; its `figures/` are drawn anew.

    Returns
    -------
    list of Path
    """
    shutil.rmtree(folder / "figures", ignore_errors=True)
    chosen = (runs["metric"] == "accuracy") & (runs["interval"] == "wilson")
    claims = runs[chosen & runs["verdict"].notna()]
    chances = runs[runs["metric"] == "chance"]
    note = " ".join(report.list_notes(runs))
    drawn = []
    for number, (group, rows) in enumerate(claims.groupby(GROUP, sort=False, dropna=False)):
        notebook, protocol, variant = map(str, group)
        around = chances[(chances[GROUP].astype(str) == [notebook, protocol, variant]).all(axis=1)]
        known = around.drop_duplicates("job").set_index("job")["value"]
        frame = _label_rows(rows).assign(chance=rows["job"].map(known).astype(float).to_numpy())
        slug = re.sub(r"\W+", "_", f"{notebook[:2]}_{protocol}_{variant}")[:MAX_NAME_LENGTH]
        with matplotlib.rc_context(figures.set_style()):
            width = matplotlib.rcParams["figure.figsize"][0]
            shown = mpl_figure.Figure((width, INCHES_AROUND + INCHES_PER_JOB * len(frame)))
            axes = shown.subplots()
            shares = frame["chance"].drop_duplicates().tolist()
            chance = shares[0] if len(shares) == 1 and pd.notna(shares[0]) else None
            if chance is not None or not any(map(pd.notna, shares)):
                frame = frame.drop(columns="chance")  # one line through all rows, or none
            figures.draw_scores(axes, frame, chance, "accuracy")
            title = f"{notebook[:2]} {variant} ({protocol})"
            figures.add_note(shown, " ".join(filter(None, [f"{title}.", note])))
            text = _describe(frame, title, chance, note)
            name = f"accuracy_{number:02d}_{slug}"
            drawn.append(record.save_figure(shown, folder, name, text))
    return drawn


def _label_rows(rows):
    """Label each row by its job, and by its network where a job has several of one claim."""
    networks = rows["backbone"].astype(str) + " " + rows["weights"].astype(str)
    several = rows["job"].duplicated(keep=False)
    labels = rows["job"].where(~several, rows["job"] + ", " + networks)
    numbers = rows[["value", "lower", "upper", "n"]].astype(float)
    return numbers.assign(label=labels).reset_index(drop=True)


def _describe(frame, title, chance, note):
    best, worst = (frame.loc[getattr(frame["value"], f"idx{end}")()] for end in ("max", "min"))
    text = (
        f"Accuracy with 95 % interval of {len(frame)} runs on {title}: from {worst['value']:.2f} "
        f"({worst['label']}) to {best['value']:.2f} ({best['label']})."
    )
    if chance is not None:
        text += f" The line at {chance:.2f} is chance, the share of the largest class."
    return f"{text} {note}".strip()
