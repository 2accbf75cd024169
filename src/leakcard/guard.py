"""Keep leaks from coming back: what is new since a baseline, and reports for CI systems."""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pandas as pd

from leakcard import card as cards
from leakcard import files, rules
from leakcard.rows import CODES, Row

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
SARIF_LEVELS = {"fail": "error", "warn": "warning"}
# Of one row; the card itself names all of them.
MAX_LOCATIONS = 100
(CROSSED,) = rules.SINCE_BASELINE.checks


@dataclass(frozen=True)
class Comparison:
    """A card against its baseline.

    Attributes
    ----------
    new : list of Row
        Rows that fail now and did not, or that fail for images that were not concerned before.
    accepted : dict of str to str
        Check of each row that failed before and fails no further now, with the reason for which
        the baseline accepts it.
    solved : list of str
        Checks that failed before and do not any more.
    notes : list of str
        What could not be compared.
    """

    new: list
    accepted: dict
    solved: list
    notes: list


def compare_to_baseline(card, path):
    """Find the leaks of a card that a baseline does not have.

    Parameters
    ----------
    card : ReportCard
        With its units.
    path : str or Path
        A `report_card.json`. It may have a key `accepted`, the reason of each check that may fail:
        `{"age_group": "all controls are children, see the paper"}`. With the `units.csv` that lay
        beside it, images that were in training and are test images now are found: a leak that no
        single card can show, since a model trained then has seen them.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the file is no report card, is of another version, or accepts an unknown check or one
        without a reason.
    """
    path = Path(path)
    before = cards.read_card(path)
    reasons = json.loads(path.read_text(encoding="utf-8")).get("accepted", {})
    good = isinstance(reasons, dict) and all(
        isinstance(why, str) and why.strip() for why in reasons.values()
    )
    if not good:
        raise ValueError(
            f"What the baseline accepts cannot be read. Expected `accepted` in {path} to give each "
            'check a reason, such as {"age_group": "all controls are children, see the paper"}. '
            f"Received: {json.dumps(reasons)}"
        )
    unknown = set(reasons) - {row.check for row in [*before.rows, *card.rows]}
    if unknown:
        raise ValueError(
            f"The baseline accepts what is no check of these cards. Expected some of "
            f"{', '.join(sorted({row.check for row in card.rows}))}. Received: "
            f"{', '.join(sorted(unknown))} in {path}"
        )
    old = {row.check: row for row in before.rows if row.status == "fail"}
    new, accepted = [], {}
    for row in card.rows:
        if row.status != "fail":
            continue
        known = old.get(row.check)
        is_new = known is None or set(row.images) - set(known.images)
        if is_new and row.check not in reasons:
            new.append(row)
        else:
            accepted[row.check] = reasons.get(row.check, "in the baseline, no reason is given")
    failing = {row.check for row in card.rows if row.status == "fail"}
    crossed, notes = _find_crossed(card, path.with_name("units.csv"))
    return Comparison(new + crossed, accepted, sorted(set(old) - failing), notes)


def _find_crossed(card, path):
    """Test images that were in training or validation when the baseline was made."""
    if not path.is_file():
        note = f"which images crossed from training into test was not looked at: no {path.name} "
        return [], [note + "beside the baseline"]
    units = pd.read_csv(path, dtype=str)
    there = set(units.loc[units["split"].isin(["train", "val"]), "image"])
    is_test = card.units["split"] == "test"
    crossed = sorted(set(card.units.loc[is_test, "image"].astype(str)) & there)
    if not crossed:
        return [], []
    row = Row(
        code=rules.SINCE_BASELINE.code,
        check=CROSSED,
        title=rules.SINCE_BASELINE.title,
        status="fail",
        figure=f"{len(crossed)} test images were in training or validation then",
        images=tuple(crossed),
        num_images=len(crossed),
        reason="A model that was trained since then may have seen them.",
        action="Move them back, or train anew on this split alone.",
    )
    return [row], []


def describe_comparison(comparison):
    """Say what is new, what is accepted and why, and what is solved, a line each."""
    lines = [f"new: {row.code} {row.title}: {row.figure}" for row in comparison.new]
    lines += [f"accepted: {check} ({why})" for check, why in comparison.accepted.items()]
    lines += [f"solved: {check}" for check in comparison.solved]
    lines += [f"note: {note}" for note in comparison.notes]
    head = f"Against the baseline: {len(comparison.new)} new, {len(comparison.accepted)} accepted, "
    return [f"{head}{len(comparison.solved)} solved.", *lines]


def _judge(card, comparison):
    """Every row with the status that CI is to see: what the baseline accepts does not fail."""
    crossed = [] if comparison is None else [r for r in comparison.new if r.check == CROSSED]
    for row in [*card.rows, *crossed]:
        why = "" if comparison is None else comparison.accepted.get(row.check, "")
        yield row, ("accepted" if why else row.status), why


def write_junit(path, card, comparison=None):
    """Write a card as JUnit XML: a test case a row, what could not be tested is skipped.

    Parameters
    ----------
    path : str or Path
    card : ReportCard
    comparison : Comparison, optional
        Rows that it accepts do not fail.
    """
    suite = ElementTree.Element("testsuite", name="leakcard")
    counts = dict.fromkeys(("tests", "failures", "skipped"), 0)
    for row, status, why in _judge(card, comparison):
        counts["tests"] += 1
        case = ElementTree.SubElement(suite, "testcase", classname=row.code, name=row.check)
        told = f"{row.title}: {row.figure} {row.reason} {row.action or row.question}".strip()
        if status == "fail":
            counts["failures"] += 1
            ElementTree.SubElement(case, "failure", message=told).text = "\n".join(row.images)
        elif status == "not testable":
            counts["skipped"] += 1
            ElementTree.SubElement(case, "skipped", message=told)
        elif status != "pass":
            ElementTree.SubElement(case, "system-out").text = f"{status}: {told} {why}".strip()
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
    return files.write_text(path, text + "\n")


def write_sarif(path, card, comparison=None):
    """Write what fails and warns as SARIF 2.1.0, which code hosts show beside the files.

    Parameters
    ----------
    path : str or Path
    card : ReportCard
    comparison : Comparison, optional
        What it accepts is written as suppressed, with its reason.
    """
    told, results = {}, []
    for row, status, why in _judge(card, comparison):
        if row.status not in SARIF_LEVELS:
            continue
        rule = rules.find_rule(row)
        told[row.check] = {
            "id": row.check,
            "name": row.title,
            "shortDescription": {"text": f"{row.code}: {CODES[row.code]}"},
            "help": {"text": rule.what_to_do if rule else row.action},
        }
        names = row.images[:MAX_LOCATIONS] or ("",)
        result = {
            "ruleId": row.check,
            "level": SARIF_LEVELS[row.status],
            "message": {"text": f"{row.title}: {row.figure} {row.reason} {row.action}".strip()},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": quote(name) or "."}}}
                for name in names
            ],
        }
        if status == "accepted":
            result["suppressions"] = [{"kind": "external", "justification": why}]
        results.append(result)
    driver = {"name": "leakcard", "rules": list(told.values())}
    runs = [{"tool": {"driver": driver}, "results": results}]
    return files.write_json(path, {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": runs})
