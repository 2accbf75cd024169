"""Run the notebooks of this project: what `nbrun` must know of it.

`python -m leakage.run [demo|smoke|paper] ...` or `python -m leakage.run sweep GRID.yaml ...`
"""

import re
import sys

import nbrun
from leakage import paths

# TensorFlow's start-up talk (level I), its guess that a function is compiled too often, which is
# what training many small models looks like, and the bars of Keras; other warnings stay.
NOISE = re.compile(
    r"^(I\d{4} \d\d:|\d{4}-\d\d-\d\d \S+ I |WARNING: All log messages before absl::Init)"
    r"|triggered tf\.function retracing|^\s*(\x1b\[1m)?\d+/\d+(\x1b\[0m)? .*━"
)
NO_DATA = (
    "Download the data (./run_all.sh setup cohen kermany wolf_husky nih), or name the folder that "
    "holds them with --data-dir DIR or LEAKAGE_DATA_DIR. Without data, ./run_all.sh demo draws "
    "phantoms."
)
# The claims as a terminal shows them; summary.md has all columns.
SHOWN = ["notebook", "claim", "protocol", "backbone", "published", "ours", "interval", "verdict"]
MAX_WIDTH = 36


def reads_data(parameters):
    """Whether a notebook with these parameters reads the data folder."""
    return parameters.get("data_source", "phantoms") == "real"


def report_run(run_dir, remarks):
    """Write summary.md and index.html of a run; return the table of claims as text."""
    from leakage import report  # seconds of imports, not needed to refuse a call

    report.write_summary(run_dir, remarks)
    report.write_index(run_dir, remarks)
    return format_claims(report.collect_records(run_dir))


def report_sweep(sweep_dir, jobs):
    """Write jobs.csv, runs.csv (the records of all jobs with their parameters) and summary.md."""
    import pandas as pd

    from leakage import record, report
    from leakcard import files

    files.write_csv(sweep_dir / "jobs.csv", pd.DataFrame(jobs))
    frames = []
    for job in (job for job in jobs if job["status"] == "done"):
        frame = record.read_metrics(sweep_dir / job["folder"] / job["notebook"] / "metrics.json")
        given = {name: value for name, value in job.items() if name[:2] == "p_" or name == "job"}
        frames.append(frame.astype(object).assign(**given))
    if not frames:
        return "No job is done."
    runs = pd.concat(frames, ignore_index=True)
    files.write_csv(sweep_dir / "runs.csv", runs[[*given, *record.RECORD_COLUMNS]])
    claims = [
        report.make_claims_table(records).assign(job=job)
        for job, records in runs.groupby("job", sort=False)
    ]
    claims = pd.concat(claims)[["job", *report.CLAIM_COLUMNS]]
    parts = [f"# Sweep: {sweep_dir.name}", *report.list_notes(runs), report.format_markdown(claims)]
    files.write_text(sweep_dir / "summary.md", "\n\n".join(parts))
    return format_claims(runs, claims)


def format_claims(records, claims=None):
    """Format the table of claims for a terminal, with what a reader must know of the records."""
    from leakage import report

    claims = report.make_claims_table(records) if claims is None else claims
    if claims.empty:
        return "No claims recorded."
    shown = claims[[name for name in ("job", *SHOWN) if name in claims and claims[name].any()]]
    shown = shown.apply(lambda column: column.astype(str).str[:MAX_WIDTH])
    return "\n".join([*report.list_notes(records), shown.to_string(index=False)])


def make_project():
    """Describe this project to the runner; the environment names its folders."""
    from leakage import environment

    packages = (paths.ROOT / "src" / name for name in ("phantoms", "leakcard", "leakage"))
    return nbrun.Project(
        root=paths.ROOT,
        notebooks=paths.ROOT / "notebooks",
        results_dir=paths.get_results_dir(),
        data_dir=paths.get_data_dir(),
        cache_dir=paths.get_cache_dir(),
        packages=tuple(folder for folder in packages if folder.is_dir()),
        prefix="LEAKAGE",
        command="./run_all.sh",
        last="08",
        variables={"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"},
        passed_on=("TF_", "KERAS_", "XLA_"),
        reads_data=reads_data,
        data_help=NO_DATA,
        not_data=("README.md", "manifests", "cache", ".gitignore"),
        file_suffixes=(".keras", ".h5"),
        noise=NOISE,
        describe_environment=environment.describe_environment,
        at_end=report_run,
        at_sweep_end=report_sweep,
    )


if __name__ == "__main__":
    sys.exit(nbrun.main(make_project()))
