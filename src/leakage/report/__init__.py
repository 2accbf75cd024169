"""Put the records of a run together: tables, a summary, and the page to send to a colleague."""

from leakage.report.claims import (
    CLAIM_COLUMNS,
    GROUP,
    HEADINGS,
    PHANTOM_NOTE,
    RANDOM_NOTE,
    collect_records,
    format_markdown,
    list_notes,
    make_claims_table,
    write_summary,
)
from leakage.report.page import FIGURE_TO_REMEMBER, write_index
from leakage.report.scores import (
    make_energy_table,
    make_mark_table,
    make_reliance_table,
    make_runs_table,
)

__all__ = [
    "CLAIM_COLUMNS",
    "FIGURE_TO_REMEMBER",
    "GROUP",
    "HEADINGS",
    "PHANTOM_NOTE",
    "RANDOM_NOTE",
    "collect_records",
    "format_markdown",
    "list_notes",
    "make_claims_table",
    "make_energy_table",
    "make_mark_table",
    "make_reliance_table",
    "make_runs_table",
    "write_index",
    "write_summary",
]
