"""The summary of a run: all its tables as Markdown."""

from pathlib import Path

from leakage.report import run_claims, tables
from leakcard import files

SECTIONS = {
    "What each leak is worth": tables.make_worth_table,
    "What is left on counterfactual versions": tables.make_counterfactual_table,
    "What a planted mark decides": tables.make_mark_table,
    "Where the evidence of Grad-CAM lies": tables.make_energy_table,
    "Every run": tables.make_runs_table,
}


def write_summary(run_dir, remarks=()):
    """Write `summary.md`: notes, `remarks` (sentences), every table; return its path."""
    run_dir = Path(run_dir)
    records = run_claims.collect_records(run_dir)
    parts = [f"# Results: {run_dir.name}", *run_claims.list_notes(records), *remarks]
    networks = records[["backbone", "weights"]].dropna().drop_duplicates()
    if len(networks):
        told = (f"{row.backbone}: {row.weights}" for row in networks.itertuples())
        parts.append(f"Weights: {'; '.join(told)}")
    parts += ["## Claims", tables.format_markdown(_shorten(run_claims.make_claims_table(records)))]
    for title, make_table in SECTIONS.items():
        table = _shorten(make_table(records))
        if len(table):
            parts += [f"## {title}", tables.format_markdown(table)]
    parts.append("\n".join(f"- `{folder.name}`" for folder in list_notebooks(run_dir)))
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    return files.write_text(run_dir / "summary.md", text + "\n")


def _shorten(table):
    """Without columns that say the same in every row, and weights that backbones tell."""
    names = ["system", "data_source", "protocol", "draw_seed"]
    names = [name for name in names if name in table and table[name].nunique() < 2]
    if "weights" in table and table.groupby("backbone")["weights"].nunique().max() < 2:
        names.append("weights")
    return table.drop(columns=names)


def list_notebooks(run_dir):
    """The folders of a run's notebooks, in their order."""
    return sorted(path for path in Path(run_dir).glob("[0-9][0-9]_*") if path.is_dir())
