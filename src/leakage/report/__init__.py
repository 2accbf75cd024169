"""Put the records of a run together: tables, a summary, and the page to send to a colleague."""

from leakage.report.page import write_index
from leakage.report.run_claims import (
    CLAIM_COLUMNS,
    PHANTOM_NOTE,
    collect_records,
    find_claims,
    list_notes,
    list_reasons,
    make_claims_table,
)
from leakage.report.summary import write_summary
from leakage.report.tables import (
    Table,
    format_markdown,
    make_counterfactual_table,
    make_energy_table,
    make_mark_table,
    make_runs_table,
    make_worth_table,
)
