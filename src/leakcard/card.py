"""The report card of one split: rows, and the forms in which it is read."""

import html
import json
import re
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

import pandas as pd

from leakcard import files, page, predictions, rules
from leakcard.model_info import format_model_info
from leakcard.rows import (
    CODES,
    FOLDED,
    MARKS,
    STATUSES,
    Row,
    describe_row,
    group_rows,
    show_first,
    sort_rows,
)

# Of the cards of a study, which lie beside each other.
PREFIX = "report_card"
# Of report_card.json (see docs/report_card.md): another one for every release that changes its keys
# or what they mean. 0 are the cards from before it was written into them.
SCHEMA_VERSION = 1
READABLE_VERSIONS = (0, SCHEMA_VERSION)


@dataclass(repr=False)
class ReportCard:
    """What an audit found.

    Attributes
    ----------
    rows : list of Row
        In the order of `CODES`.
    about : dict
        From `describe_table`: numbers of images, splits, classes, and what could not be read.
    table : DataFrame or None
        The images that were audited; None for a card read from a file.
    pairs, units : DataFrame or None
        What `pairs.csv` and `units.csv` hold, see `findings`; None for a card read from a file.
    scores : DataFrame or None
        What the predictions of models are worth, see `predictions.score_predictions`.
    measured : dict
        What took long: `pairs` and `looks` as `audit` takes them, for another split of the images.
    """

    rows: list[Row]
    about: dict
    table: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    units: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    measured: dict = field(default_factory=dict)

    @property
    def counts(self):
        """How many rows have each status, worst first."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUSES}

    @property
    def has_leak(self):
        """Whether any row fails."""
        return any(row.status == "fail" for row in self.rows)

    @property
    def headline(self):
        """One line that a person can act on: how bad it is, and what to do first."""
        if not self.rows:
            return "Nothing was checked."
        counts, num_rows = self.counts, len(self.rows)
        num_tested = num_rows - counts["not testable"]
        if counts["fail"]:
            text = (
                f"Fail: {counts['fail']} of {num_rows} checks fail, {counts['warn']} warn. First: "
            )
        elif counts["warn"]:
            text = f"Warning: none of {num_rows} checks fails, {counts['warn']} warn. First: "
        elif num_tested == num_rows:
            return f"No leak was found by {num_rows} checks."
        else:
            text = f"No leak was found by {num_tested} checks, {counts['not testable']} could not "
            text = (text if num_tested else "Nothing could ") + "be tested. First of these: "
        first = sort_rows(self.rows)[0]
        found = first.reason if first.status == "not testable" else first.figure or first.reason
        told = f"{first.title}: {found.rstrip('.')}. {first.action or first.question}".strip()
        rule = rules.find_rule(first)
        where = rule.files if rule and self.units is not None else ()
        return text + told + (f" See {' and '.join(where)}." if where else "")

    @property
    def questions(self):
        """What only the author can answer, each once, by code."""
        return list(dict.fromkeys((row.code, row.question) for row in self.rows if row.question))

    def get_row(self, check):
        """Return the row of a check by its name, such as "border_classifier"."""
        for row in self.rows:
            if row.check == check:
                return row
        raise ValueError(
            f"The card has no such row. Expected one of "
            f"{', '.join(row.check for row in self.rows)}. Received: {check!r}"
        )

    def to_frame(self):
        """Return one row a check, with the attributes of `Row` as columns."""
        names = [one.name for one in fields(Row)]
        return pd.DataFrame([describe_row(row) for row in self.rows], columns=names)

    def to_json(self):
        """Return the content of `report_card.json`; it has no path of this machine."""
        return {
            "schema_version": SCHEMA_VERSION,
            "headline": self.headline,
            "counts": self.counts,
            "about": self.about,
            "rows": [describe_row(row) for row in self.rows],
        }

    def to_markdown(self):
        """Return the card as Markdown."""
        lines = ["# Leakage report card", "", f"**{_escape_cell(self.headline)}**", ""]
        lines += [self.describe(), ""]
        for status, some in group_rows(self.rows):
            table = _format_table(some)
            if status in FOLDED:
                folded = f"<details><summary>{MARKS[status]} {len(some)} {status}</summary>"
                table = [folded, "", *table, "", "</details>"]
            lines += [*table, ""]
        for row in sort_rows(self.rows):
            if row.images:
                names, more = show_first(row.images, row.num_images)
                shown = ", ".join(f"`{name}`" for name in names)
                lines += [
                    f"**{row.code} {row.title}**: {row.num_images} images. {shown} {more}",
                    "",
                ]
        if self.scores is not None:
            lines += ["## What the scores are worth", ""]
            lines += [f"- {line}" for line in predictions.describe_scores(self.scores)] + [""]
        if self.questions:
            lines += ["## Questions to the author", ""]
            lines += [f"- {code} ({CODES[code]}): {text}" for code, text in self.questions]
        if self.about.get("notes"):
            lines += ["", "## What was guessed, joined or not used", ""]
            lines += [f"- {note}" for note in self.about["notes"]]
        if self.about["unreadable"]:
            lines += ["", "## Left out: could not be read", ""]
            names = [one["image_id"] for one in self.about["unreadable"]]
            names, more = show_first(names, self.about["num_unreadable"])
            lines += [*(f"- `{name}`" for name in names), *([f"- {more}"] if more else [])]
        return "\n".join(lines) + "\n"

    def describe(self):
        """Say in a sentence or two what was audited and what came out."""
        about = self.about
        parts = ", ".join(f"{name} {count}" for name, count in about["splits"].items())
        text = f"{about['num_rows']} rows, {about['num_images']} images ({parts or 'no splits'}); "
        text += f"classes: {', '.join(about['labels']) or 'not given'}. "
        if about["num_unreadable"]:
            text += f"{about['num_unreadable']} images could not be read. "
        if about.get("notes"):
            text += f"{len(about['notes'])} notes on how the input was read. "
        found = ", ".join(f"{count} {status}" for status, count in self.counts.items() if count)
        text += f"Result: {found}."
        if about["is_phantom"]:
            text += " Made from phantoms drawn by this project, not from patients."
        return text

    def write(self, folder, with_pictures=True):
        """Write `report_card.{json,md,html}`, `model_info.md`, `pairs.csv` and `units.csv`, and
        `scores.csv` where predictions were given.

        Each is written atomically; a card read from a file has no pairs and units to write.

        Parameters
        ----------
        folder : str or Path
            Made if it is not there.
        with_pictures : bool
            Whether the HTML page shows the pairs of images concerned, within itself. Leave
            them out where pictures of patients must not be kept or published.

        Returns
        -------
        Path
            The folder.
        """
        folder = Path(folder)
        files.write_json(folder / "report_card.json", self.to_json())
        files.write_text(folder / "report_card.md", self.to_markdown())
        files.write_text(folder / "report_card.html", page.format_page(self, with_pictures))
        files.write_text(folder / "model_info.md", format_model_info(self))
        for name in ("pairs", "units", "scores"):
            if getattr(self, name) is not None:
                files.write_csv(folder / f"{name}.csv", getattr(self, name))
        return folder

    def __repr__(self):
        return f"<ReportCard: {self.describe()}>"

    def _repr_html_(self):
        """Show the table in a notebook, without any picture."""
        parts = [f"<p><strong>{html.escape(self.headline)}</strong></p>"]
        parts.append(f"<p>{html.escape(self.describe())}</p>")
        return "".join(parts) + page.format_tables(self.rows)


def _format_table(rows):
    heads = ("leak", "checked", "status", "found", "why", "what to do")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        status = f"{MARKS[row.status]} {row.status}"
        cells = [row.code, row.title, status, row.figure, row.reason, row.action or row.question]
        lines.append("| " + " | ".join(_escape_cell(cell) for cell in cells) + " |")
    return lines


def _escape_cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def describe_table(table, unreadable):
    """Say what a table holds, and what could not be read, without paths of this machine."""
    sources = table["source"].dropna().astype(str)
    return {
        "num_rows": len(table),
        "num_images": int(table["image_id"].nunique()),
        "splits": {str(k): int(v) for k, v in table["split"].value_counts().sort_index().items()},
        "labels": sorted(set(table["label"].dropna().astype(str))),
        "num_unreadable": len(unreadable),
        "unreadable": [
            {"image_id": str(one["image_id"]), "reason": hide_path(one)} for one in unreadable
        ],
        "is_phantom": bool(len(sources)) and bool(sources.str.startswith("phantom").all()),
    }


def hide_path(item):
    """Return the reason why a file could not be read, without where it lies."""
    return str(item["reason"]).replace(str(item["path"]), str(item["image_id"]))


def read_card(path):
    """Read a card from the `report_card.json` that `ReportCard.write` left.

    Raises
    ------
    ValueError
        If the file is no report card, or of a version that is not known.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        version = content.get("schema_version", 0)
        if version not in READABLE_VERSIONS:
            raise ValueError(
                f"The report card has another form than this leakcard knows. Expected a "
                f"schema_version of {' or '.join(map(str, READABLE_VERSIONS))}: read it with the "
                f"leakcard that wrote it, or audit again. Received: {version!r} in {path}"
            )
        rows = [
            Row(**one | {name: tuple(one.get(name, ())) for name in ("images", "boxes")})
            for one in content["rows"]
        ]
        return ReportCard(rows, content["about"])
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"The file is no report card. Expected a report_card.json. Received: {path} ({error!r})"
        ) from error


def compare_cards(cards):
    """Put several cards beside each other.

    Parameters
    ----------
    cards : dict of str to ReportCard
        By the name of what was audited.

    Returns
    -------
    DataFrame
        One row a check (`code`, `title`), one column a card, its status in it; empty where a
        card has no such row.
    """
    columns = {
        name: pd.Series({(row.code, row.title): row.status for row in card.rows}, dtype=object)
        for name, card in cards.items()
    }
    grid = pd.DataFrame(columns).fillna("")
    grid.index.names = ["code", "title"]
    return grid.sort_index(level="code", sort_remaining=False)


def name_file(number, name):
    """A name for a file that sorts by number and is allowed everywhere: `02_no_finding`."""
    return f"{number:02d}_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}"


def write_cards(folder, cards):
    """Write each card as JSON and Markdown.

    Parameters
    ----------
    folder : str or Path
        The notebook's output folder.
    cards : dict of str to ReportCard
        By the name of the draw, in the order in which a reader wants them.

    Returns
    -------
    list of Path
        `report_card_<number>_<name>.json` of each card; the Markdown stands beside it.
    """
    paths = []
    for number, (name, card) in enumerate(cards.items(), start=1):
        stem = f"{PREFIX}_{name_file(number, name)}"
        paths.append(files.write_json(Path(folder) / f"{stem}.json", card.to_json()))
        files.write_text(Path(folder) / f"{stem}.md", card.to_markdown())
    return paths


def read_cards(run_dir):
    """Read the cards of every notebook of a run.

    Parameters
    ----------
    run_dir : str or Path

    Returns
    -------
    dict of str to ReportCard
        By number of the notebook and name of the draw, in their order.
    """
    found = {}
    for path in sorted(Path(run_dir).glob(f"[0-9][0-9]_*/{PREFIX}_*.json")):
        name = re.sub(rf"{PREFIX}_(\d\d_)?", "", path.stem).replace("_", " ")
        found[f"{path.parent.name[:2]} {name}"] = read_card(path)
    return found
