"""Put the records of a run together: the table of claims, summary and index."""

import html
import json
from pathlib import Path

import pandas as pd

from leakage import record

GROUP = ["notebook", "protocol", "variant", "backbone", "weights"]
CLAIM_COLUMNS = (
    "system notebook claim protocol backbone weights published ours interval chance "
    "seeds spread collapsed recall verdict"
).split()
HEADINGS = {
    "interval": "95 % interval",
    "spread": "over seeds",
    "collapsed": "collapsed runs",
    "recall": "lowest recall",
}
PHANTOM_NOTE = (
    "Made from phantoms (drawn images with a known truth), not from patients or photographs."
)
RANDOM_NOTE = "Backbones with random weights: no statement about pretrained ones."
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color:#222}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}
th,td{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;white-space:nowrap}
.figures{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:20rem;max-width:100%}
img{max-width:100%;border:1px solid #ddd}figcaption{font-size:.8rem;color:#555}
.note{background:#fff6d5;padding:.5rem .8rem}
"""


def collect_records(run_dir):
    """Read every notebook's `metrics.json` below a run's folder.

    Returns
    -------
    DataFrame of shape (n_records, 20)
        `record.RECORD_COLUMNS`, in the order of the notebooks; empty where there is none.
    """
    paths = sorted(Path(run_dir).glob("[0-9][0-9]_*/metrics.json"))
    frames = [frame for frame in map(record.read_metrics, paths) if len(frame)]
    if not frames:
        return pd.DataFrame(columns=list(record.RECORD_COLUMNS))
    # pandas 2.2 warns about all-empty columns, and they carry nothing but their type.
    return pd.concat([frame.astype(object) for frame in frames], ignore_index=True)


def make_claims_table(records):
    """Compare each published claim with ours.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 20)
        From `collect_records`. A claim is a row with metric `accuracy`, interval `wilson` and a
        verdict: the one seed that was declared beforehand. Rows of the same notebook, protocol,
        variant, backbone and weights give seeds, spread and collapsed runs; its metric `chance`
        is the largest class share.

    Returns
    -------
    DataFrame of shape (n_claims, 15)
        Text, ready to show; what is not known is empty. `seeds` and `collapsed` are numbers.
    """
    accuracy = records[records["metric"] == "accuracy"]
    declared = accuracy[(accuracy["interval"] == "wilson") & accuracy["verdict"].notna()]
    rows = [_describe_claim(row, records) for _, row in declared.iterrows()]
    return pd.DataFrame(rows, columns=CLAIM_COLUMNS)


def _describe_claim(row, records):
    def select(names):
        chosen = records
        for name in names:
            same = chosen[name].isna() if pd.isna(row[name]) else chosen[name] == row[name]
            chosen = chosen[same]
        return chosen

    group = select(GROUP)
    accuracies = group[group["metric"] == "accuracy"].drop_duplicates("seed")["value"]
    collapsed = group[(group["metric"] == "num_classes_never_predicted") & (group["value"] > 0)]
    around = select(GROUP[:3])
    chances = around[around["metric"] == "chance"]["value"].dropna()
    return {
        "system": _show(row["system"]),
        "notebook": _show(row["notebook"])[:2],
        "claim": _show(row["variant"]),
        "protocol": _show(row["protocol"]),
        "backbone": _show(row["backbone"]),
        "weights": _show(row["weights"]),
        "published": _show_share(row["published_k"], row["published_n"]),
        "ours": _show_share(row["k"], row["n"]),
        "interval": f"{row['lower']:.3f} to {row['upper']:.3f}",
        "chance": f"{chances.iloc[0]:.3f}" if len(chances) else "",
        "seeds": len(accuracies),
        "spread": f"{accuracies.min():.3f} to {accuracies.max():.3f}",
        "collapsed": collapsed["seed"].nunique(dropna=False),
        "recall": _find_lowest_recall(group[group["seed"] == row["seed"]]),
        "verdict": _show(row["verdict"]),
    }


def make_reliance_table(records):
    """Lay out what is left of each model's accuracy on counterfactual versions of its images.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 20)
        From `collect_records`; those that `evaluation.list_reliance_scores` made are used.

    Returns
    -------
    DataFrame
        One row a model and version: `notebook, model, version, n`, then for "test-time" and
        "retrained" the accuracy with its Wilson interval and the reliance, as text.
    """
    scored = records[records["metric"].isin(["counterfactual_accuracy", "reliance"])]
    rows = {}
    for row in scored.to_dict("records"):
        model, _, rest = row["variant"].rpartition(": ")
        version, _, mode = rest.rpartition(", ")
        name = (row["notebook"][:2], row["backbone"], model, version)
        found = rows.setdefault(name, {"n": row["n"]}).setdefault(mode, {})
        found[row["metric"]] = row
    table = []
    for (notebook, backbone, model, version), modes in rows.items():
        line = {"notebook": notebook, "model": f"{model}, {backbone}", "version": version}
        line["n"] = modes["n"]
        for mode in ("test-time", "retrained"):
            line[mode] = _show_reliance(modes[mode]) if mode in modes else ""
        table.append(line)
    columns = ["notebook", "model", "version", "n", "test-time", "retrained"]
    return pd.DataFrame(table, columns=columns)


def _show_reliance(found):
    row, reliance = found["counterfactual_accuracy"], found["reliance"]["value"]
    kept = "undefined" if pd.isna(reliance) else f"{reliance:.2f}"
    return f"{row['value']:.3f} ({row['lower']:.3f} to {row['upper']:.3f}), reliance {kept}"


def _show(value):
    return "" if pd.isna(value) else str(value)


def _find_lowest_recall(scores):
    """The class that the declared run finds least often: a low accuracy may be one lost class."""
    recalls = scores[(scores["metric"] == "recall") & scores["value"].notna()]
    if recalls.empty:
        return ""
    row = recalls.loc[recalls["value"].astype(float).idxmin()]
    return f"{row['class']} {row['value']:.2f}"


def _show_share(k, n):
    return "" if pd.isna(k) or pd.isna(n) else f"{int(k)}/{int(n)} = {k / n:.3f}"


def format_markdown(table):
    """Format a table of claims as Markdown, ending with a line feed."""
    if table.empty:
        return "Nothing recorded yet.\n"
    rows = [[HEADINGS.get(name, name) for name in table.columns], ["---"] * len(table.columns)]
    rows += [[str(value).replace("|", "\\|") for value in row] for row in table.to_numpy()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def list_notes(records):
    """Say what a reader must know of a run, from its records: phantoms, random weights.

    Parameters
    ----------
    records : DataFrame
        From `collect_records`; empty records have no notes.

    Returns
    -------
    list of str
    """
    notes = []
    if (records["data_source"] == "phantoms").any():
        notes.append(PHANTOM_NOTE)
    if records["weights"].astype(str).str.startswith("random").any():
        notes.append(RANDOM_NOTE)
    return notes


def write_summary(run_dir, remarks=()):
    """Write `summary.md`: notes, `remarks` (sentences), claims, notebooks; return its path."""
    run_dir = Path(run_dir)
    parts = [f"# Results: {run_dir.name}"]
    records = collect_records(run_dir)
    parts += [*list_notes(records), *remarks]
    parts.append(format_markdown(make_claims_table(records)).strip())
    parts.append("\n".join(f"- `{folder.name}`" for folder in _list_notebooks(run_dir)))
    return record.write_text(run_dir / "summary.md", "\n\n".join(filter(None, parts)) + "\n")


def write_index(run_dir, remarks=()):
    """Write `index.html`: one plain page with the claims, the notebooks and their figures."""
    run_dir = Path(run_dir)
    title = html.escape(f"Results: {run_dir.name}")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>",
    ]
    records = collect_records(run_dir)
    notes = [*list_notes(records), *remarks]
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in notes]
    table = make_claims_table(records).rename(columns=HEADINGS)
    parts.append(f'<div class="wide">{table.to_html(index=False, border=0)}</div>')
    for folder in _list_notebooks(run_dir):
        parts.append(_describe_notebook(folder))
    return record.write_text(run_dir / "index.html", "\n".join([*parts, "</body></html>"]) + "\n")


def _list_notebooks(run_dir):
    return sorted(path for path in Path(run_dir).glob("[0-9][0-9]_*") if path.is_dir())


def _describe_notebook(folder):
    name = folder.name
    links = [
        f'<a href="{name}/{file}">{text}</a>'
        for file, text in {f"{name}.html": "read", f"{name}.ipynb": "notebook"}.items()
        if (folder / file).is_file()
    ]
    texts_path = folder / "figures" / "alt_texts.json"
    texts = json.loads(texts_path.read_text(encoding="utf-8")) if texts_path.is_file() else {}
    figures = []
    for image in sorted((folder / "figures").glob("*.png")):
        text = html.escape(texts.get(image.stem, image.stem), quote=True)
        source = f"{name}/figures/{image.name}"
        figures.append(
            f'<figure><a href="{source}"><img src="{source}" alt="{text}" loading="lazy"></a>'
            f"<figcaption>{text}</figcaption></figure>"
        )
    title = html.escape(name[3:].replace("_", " ").capitalize())
    return (
        f"<h2>{name[:2]} {title}</h2><p>{' · '.join(links)}</p>"
        f'<div class="figures">{"".join(figures)}</div>'
    )
