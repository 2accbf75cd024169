"""Keep the result tables of the README what the results say.

`python -m leakage.readme README.md` brings them up to date.
"""

import argparse
import re
import sys
from pathlib import Path

from leakage import report
from leakcard import files

# The words after the name are numbers of notebooks; none means all.
BLOCK = re.compile(
    r"(<!-- (results|reliance|marks|runs):([\w.-]+)((?: \d\d)*) -->\n).*?(<!-- /\2:\3 -->)",
    re.DOTALL,
)
# The heading and the note above a table say these.
LEFT_OUT = ["system", "weights"]
RUN_COLUMNS = ["run", "backbone", "accuracy", "interval", "balanced", "auc", "recall"]


def list_declared_runs(records):
    """The first seed of each run, the one that was declared beforehand; as `make_runs_table`."""
    runs = report.make_runs_table(records)
    return runs.drop_duplicates(["notebook", "protocol", "run", "backbone"])[RUN_COLUMNS]


TABLES = {
    "reliance": report.make_reliance_table,
    "marks": report.make_mark_table,
    "runs": list_declared_runs,
}


def fill_blocks(text, results_dir):
    """Fill every block `<!-- results:NAME 01 02 -->` ... `<!-- /results:NAME -->` of a text.

    The numbers choose notebooks. A claim that a later notebook repeats stands once. Blocks named
    `reliance:NAME` get what is left of the accuracies on counterfactual versions, those named
    `marks:NAME` how much a planted mark decides, those named `runs:NAME` every run.

    Raises
    ------
    ValueError
        If a block names a run that `results_dir` does not hold.
    """

    def fill(match):
        start, kind, name, numbers, end = match.groups()
        run_dir = Path(results_dir) / name
        if not any(run_dir.glob("*/metrics.json")):
            raise ValueError(
                f"The block {kind}:{name} needs the records of a run of that name. "
                f"Run it, or take the block out. Received: nothing in {run_dir}"
            )
        records = report.collect_records(run_dir)
        if numbers:
            records = records[records["notebook"].str[:2].isin(numbers.split())]
        if kind in TABLES:
            return start + report.format_markdown(TABLES[kind](records)) + end
        claims = report.make_claims_table(records)
        claims = claims.drop_duplicates(["claim", "protocol", "backbone", "weights", "ours"])
        table = report.format_markdown(claims.drop(columns=LEFT_OUT))
        notes = [*report.list_notes(records), _list_weights(claims)]
        return "".join([start, *(f"{note}\n\n" for note in notes), table, end])

    return BLOCK.sub(fill, text)


def _list_weights(claims):
    pairs = claims[["backbone", "weights"]].drop_duplicates()
    return "Weights: " + "; ".join(f"{row.backbone}: {row.weights}" for row in pairs.itertuples())


def update_readme(readme, results_dir=None):
    """Bring the blocks of a README up to date; True if that changed something."""
    readme = Path(readme)
    old = readme.read_text(encoding="utf-8")
    new = fill_blocks(old, results_dir or readme.absolute().parent / "results")
    if new != old:
        files.write_text(readme, new)
    return new != old


def is_readme_current(readme, results_dir=None):
    """Whether every block shows what the results say."""
    text = Path(readme).read_text(encoding="utf-8")
    return text == fill_blocks(text, results_dir or Path(readme).absolute().parent / "results")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m leakage.readme", description=__doc__)
    parser.add_argument("readme", nargs="?", default="README.md")
    options = parser.parse_args(arguments)
    changed = update_readme(options.readme)
    sys.stdout.write(f"{options.readme}: {'updated' if changed else 'was up to date'}\n")


if __name__ == "__main__":
    main()
