"""A page a rule: what a row looks at, what it cannot see, when it is wrong, and how often."""

import difflib
import importlib
import pkgutil
import re
from pathlib import Path

import pandas as pd

from leakcard import calibration, checks, files
from leakcard.rows import CODES, Rule

SINCE_BASELINE = Rule(
    code="L1.4",
    checks=("crossed_since_baseline",),
    title="Images crossed into the test set since the baseline",
    looks_at="With `--baseline`: the ids of images that the `units.csv` beside the baseline has in "
    "training or validation, and that are test images now.",
    cannot_see="Images that were given other ids since; whether a model was trained in between.",
    wrong_when="Ids were dealt anew: then different images share one.",
    what_to_do="Move the images back, or train anew on this split alone.",
)
# Beside each check stands what its rows mean; a check that has no such text has no page.
RULES = (
    *(
        rule
        for module in pkgutil.iter_modules(checks.__path__)
        for rule in getattr(
            importlib.import_module(f"{checks.__name__}.{module.name}"), "RULES", ()
        )
    ),
    *calibration.RULES,
    SINCE_BASELINE,
)
# Measured by a benchmark of the repository; an installed package does not hold it.
RATES_PATH = Path(__file__).parents[2] / "results" / "sensitivity" / "rates.csv"
RATE_COLUMNS = ("rule", "kind", "is_leak", "size", "alarms", "sets", "low", "high")
PARTS = (
    ("looks_at", "What it looks at"),
    ("cannot_see", "What it cannot see"),
    ("wrong_when", "When it is wrong"),
    ("what_to_do", "What to do"),
)


def find_rule(row):
    """Return the rule of a row of a card, or None for a check of somebody's own.

    The rows of a further group (`--group device`) are named after its column.
    """
    of_group = re.sub(r"^.+(?=_across_(splits|labels)$)", "group", row.check)
    for name in (row.check, of_group):
        for rule in RULES:
            if rule.code == row.code and name in rule.checks:
                return rule
    return None


def find_rules(name):
    """Return the rules of a code (`L1.4`) or of a row (`border_classifier`), in any case.

    Raises
    ------
    ValueError
        If there is none; the message names those that are alike.
    """
    names = [*CODES, *(check for rule in RULES for check in rule.checks)]
    lowered = {known.lower(): known for known in names}
    known = lowered.get(name.lower())
    if known:
        return [rule for rule in RULES if known in (rule.code, *rule.checks)]
    # Parts of names, then names that differ in half of their letters at most (L5: L2).
    near = [known for known in lowered if name.lower() in known]
    near = near or difflib.get_close_matches(name.lower(), lowered, cutoff=0.5)
    hint = f"Did you mean {' or '.join(lowered[known] for known in near)}? " if near else ""
    raise ValueError(
        f"There is no such rule. Expected a code of {', '.join(CODES)} or the name of a row, as "
        f"`leakcard rules` lists them. {hint}Received: {name!r}"
    )


def read_rates(path=RATES_PATH):
    """Read how often each rule raised the alarm, with and without a leak.

    Parameters
    ----------
    path : str or Path
        CSV with `RATE_COLUMNS`, a row for each rule (code or name of a row), kind of data and
        size: `alarms` of `sets` sets, and the 95 % interval `low` to `high` of that share.

    Returns
    -------
    DataFrame or None
        None where those of the project are not.

    Raises
    ------
    ValueError
        If another file is not there, a column is missing, or a rule is not one of ours.
    """
    if not Path(path).is_file():
        if path == RATES_PATH:
            return None
        raise ValueError(f"There are no rates. Expected a CSV file. Received: {path}")
    rates = pd.read_csv(path, dtype={"rule": str, "kind": str, "size": str})
    missing = [name for name in RATE_COLUMNS if name not in rates]
    if missing:
        raise ValueError(
            f"The rates cannot be read. Expected the columns {', '.join(RATE_COLUMNS)}. Received: "
            f"{path} without {', '.join(missing)}"
        )
    for name in rates["rule"].unique():
        find_rules(name)
    rates["is_leak"] = rates["is_leak"].astype(str).str.lower().isin(["true", "1"])
    return rates


def format_rule(rule):
    """Return what is to be known of a rule, as Markdown without a heading."""
    lines = [f"**{title}.** {getattr(rule, name)}" for name, title in PARTS]
    lines.append(f"**Rows of the card.** {', '.join(f'`{check}`' for check in rule.checks)}")
    return "\n\n".join(lines)


def format_page(name, rates=None):
    """Return the page of a code, or of the rule of one row.

    Parameters
    ----------
    name : str
        As for `find_rules`.
    rates : DataFrame, optional
        As from `read_rates`.

    Returns
    -------
    str
        Markdown.
    """
    found = find_rules(name)
    parts = [f"# {found[0].code}: {CODES[found[0].code]}"]
    for rule in found:
        parts += [f"## {rule.title}", format_rule(rule), format_rates(rule, rates)]
    return "\n\n".join(parts) + "\n"


def format_rates(rule, rates=None):
    """Return the measured rates of a rule as Markdown, or that there are none."""
    if rates is None:
        return "**How often.** Not measured: there is no results/sensitivity/rates.csv."
    measured = rates[rates["rule"].isin([*rule.checks, rule.code])]
    if measured.empty:
        return "**How often.** Not measured."
    lines = [
        "**How often** it raises the alarm (results/sensitivity/rates.csv):",
        "",
        "| rule | data | | size | alarms | share (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for one in measured.sort_values("is_leak", ascending=False, kind="stable").itertuples():
        what = "a leak: sensitivity" if one.is_leak else "no leak: false alarms"
        share = one.alarms / one.sets if one.sets else float("nan")
        lines.append(
            f"| {one.rule} | {one.kind} | {what} | {one.size} | {one.alarms} of {one.sets} | "
            f"{share:.2f} ({one.low:.2f} to {one.high:.2f}) |"
        )
    return "\n".join(lines)


def list_rules():
    """Return the codes and their titles, and below each its rules and the rows they are about."""
    lines = []
    for code, title in CODES.items():
        lines.append(f"{code:<5}{title}")
        for rule in find_rules(code):
            lines.append(f"     {rule.title} ({', '.join(rule.checks)})")
    return "\n".join(lines)


def write_pages(folder, rates=None):
    """Write the page of every code, and `README.md` that lists them.

    Returns
    -------
    list of Path
    """
    folder = Path(folder)
    index = ["# The rules of the report card", ""]
    index.append(
        "Generated by `python -m leakcard rules --out docs/rules` from the texts beside each check "
        "(`src/leakcard/checks/`) and option. Codes are those of Kapoor and Narayanan 2023 "
        "([doi 10.1016/j.patter.2023.100804](https://doi.org/10.1016/j.patter.2023.100804))."
    )
    index += ["", "| code | leak | rules |", "|---|---|---|"]
    paths = []
    for code, title in CODES.items():
        paths.append(files.write_text(folder / f"{code}.md", format_page(code, rates)))
        listed = "; ".join(rule.title for rule in find_rules(code))
        index.append(f"| [{code}]({code}.md) | {title} | {listed} |")
    return [*paths, files.write_text(folder / "README.md", "\n".join(index) + "\n")]
