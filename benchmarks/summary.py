"""The README's table of speed, from what the other benchmarks print.

python -m benchmarks.summary                    the table of what lies in results/benchmarks/
python -m benchmarks.summary --run              run all benchmarks first (minutes), one by one
python -m benchmarks.summary --readme README.md put the table between the README's marks

A benchmark's output is kept as results/benchmarks/NAME.json; one that was not run has no row. With
`--data-dir DIR`, the audit is measured on real X-rays.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import common
from leakage import paths, published
from leakcard import files

NAMES = ("ancestor", "extraction", "scaling", "audit", "memory")  # their order
TAKES_DATA = ("audit",)
BLOCK = re.compile(r"(<!-- speed -->\n).*?(<!-- /speed -->)", re.DOTALL)
HEADER = ("what", "by the clock", "by processor time", "goal", "reached")


def run_all(folder, is_small=False, data_dir=None):
    """Run every benchmark in a process of its own and keep what it prints."""
    for number, name in enumerate(NAMES, 1):
        sys.stderr.write(f"{number}/{len(NAMES)} benchmarks.{name}\n")
        command = [sys.executable, "-m", f"benchmarks.{name}", *["--small"] * is_small]
        if data_dir and name in TAKES_DATA:
            command += ["--data-dir", str(Path(data_dir).absolute())]
        done = subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE, check=True)
        files.write_json(folder / f"{name}.json", json.loads(done.stdout))


def read_all(folder):
    """What each benchmark found, by name; one that was not run is left out."""
    files = {name: Path(folder) / f"{name}.json" for name in NAMES}
    found = {name: json.loads(file.read_text()) for name, file in files.items() if file.is_file()}
    if not found:
        raise FileNotFoundError(
            f"No benchmark was run yet. Expected {', '.join(NAMES)}.json in the folder: run "
            f"`python -m benchmarks.summary --run`. Received: {folder}"
        )
    return found


def list_rows(found):
    """Rows of the table, as `HEADER` names their cells.

    Parameters
    ----------
    found : dict of str to dict
        As `read_all` returns it.

    Returns
    -------
    list of tuple of str
    """
    return [row for name in NAMES if name in found for row in MAKERS[name](found[name])]


def _make_row(what, values, form, goal=None, is_least=True):
    """A goal is reached by both clocks, by one or by none; `values` may be one for both."""
    values = values if isinstance(values, dict) else {"seconds": values}
    cells = [form.format(values[clock]) if clock in values else "" for clock in common.CLOCKS]
    if goal is None:
        return (what, *cells, "", "")
    reached = [value >= goal if is_least else value <= goal for value in values.values()]
    said = "yes" if all(reached) else "by one clock" if any(reached) else "no"
    return (what, *cells, f"at {'least' if is_least else 'most'} {form.format(goal)}", said)


def _list_ancestor(result):
    epochs = f"{published.TRAINING['S1'].num_epochs} epochs"
    for name, study in result["published_study"].items():
        what = f"Bank and head, times faster than all epochs through the network: {epochs}, {name}"
        yield _make_row(what, study["times_faster"], "{:.1f}", study["goal"])


def _list_extraction(result):
    for name, share in result["share_of_bare_speed"].items():
        what = f"Extraction of an {name}, share of the speed of the bare forward pass"
        yield _make_row(what, share, "{:.0%}", result["goal"])


def _list_scaling(result):
    studies = [result["published_study"][clock] for clock in common.CLOCKS]
    most = max(part["views"] for part in studies[0])
    for parts in zip(*studies, strict=True):
        shares = [part["further_over_first"] for part in parts]
        views = parts[0]["views"]
        yield _make_row(
            f"A further seed, share of the first, {views} view{'s' * (views > 1)}",
            dict(zip(common.CLOCKS, shares, strict=True)),
            "{:.1%}",
            result["goal"] if views == most else None,
            is_least=False,
        )


def _list_audit(result):
    for run in result["runs"]:
        goal = result["goal_seconds"] if run["num_images"] >= result["goal_images"] else None
        what = f"Audit of {run['num_images']:,} {result['images']}"
        row = _make_row(what, run["seconds"], "{:.0f} s", goal, is_least=False)
        yield (*row[:2], f"{run['cpu_seconds']:.0f} s", *row[3:])


def _list_memory(result):
    options, peak = result["options"], max(result["peak_gb"].values())
    what = f"Peak memory, {options['num_images']:,} images with {options['num_views']} views"
    yield _make_row(what, peak, "{:.2f} GB", result["goal_gb"], is_least=False)


MAKERS = {
    "ancestor": _list_ancestor,
    "extraction": _list_extraction,
    "scaling": _list_scaling,
    "audit": _list_audit,
    "memory": _list_memory,
}


def make_table(found):
    """The table as Markdown, with a line on the machine and the load of each benchmark."""
    lines = [HEADER, ("---",) * len(HEADER), *list_rows(found)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    machines = {
        (run["machine"]["processor"], run["machine"]["num_cores"]) for run in found.values()
    }
    where = "; ".join(f"{processor}, {cores} cores" for processor, cores in sorted(machines))
    loads = [f"{name} {run['machine']['load_before']}" for name, run in found.items()]
    small = [name for name, run in found.items() if run["options"]["small"]]
    notes = (
        f"{where}. Processes that wanted a core in the minute before each run, the benchmark "
        f"before it among them: {', '.join(loads)}."
    )
    if small:
        notes += f" Run with --small, so no figures: {', '.join(small)}."
    return f"{table}\n\n{notes}\n"


def fill_readme(readme, table):
    """Put the table between `<!-- speed -->` and `<!-- /speed -->`; True if that changed it.

    Raises
    ------
    ValueError
        If the file has no such marks.
    """
    old = Path(readme).read_text(encoding="utf-8")
    if not BLOCK.search(old):
        raise ValueError(
            "The table of speed has no place. Expected the lines <!-- speed --> and "
            f"<!-- /speed --> in the file. Received: {readme} without them."
        )
    new = BLOCK.sub(lambda match: match[1] + table + match[2], old)
    if new != old:
        files.write_text(Path(readme), new)
    return new != old


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="store_true", help="run all benchmarks first")
    parser.add_argument("--small", action="store_true", help="with --run: a check of the code")
    parser.add_argument("--data-dir", help="with --run: real images for audit")
    parser.add_argument("--folder", type=Path, help="of the JSON (results/benchmarks)")
    parser.add_argument("--readme", help="file to put the table into")
    options = parser.parse_args(arguments)
    folder = options.folder or paths.get_results_dir() / "benchmarks"
    if options.run:
        run_all(folder, options.small, options.data_dir)
    table = make_table(read_all(folder))
    sys.stdout.write(table)
    if options.readme:
        fill_readme(options.readme, table)


if __name__ == "__main__":
    main()
