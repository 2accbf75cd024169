"""Put the records of a run together: the table of claims and the summary."""

from pathlib import Path

import pandas as pd

from leakage import record
from leakcard import files

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
        "system": show(row["system"]),
        "notebook": show(row["notebook"])[:2],
        "claim": show(row["variant"]),
        "protocol": show(row["protocol"]),
        "backbone": show(row["backbone"]),
        "weights": show(row["weights"]),
        "published": show_share(row["published_k"], row["published_n"]),
        "ours": show_share(row["k"], row["n"]),
        "interval": f"{row['lower']:.3f} to {row['upper']:.3f}",
        "chance": f"{chances.iloc[0]:.3f}" if len(chances) else "",
        "seeds": len(accuracies),
        "spread": f"{accuracies.min():.3f} to {accuracies.max():.3f}",
        "collapsed": collapsed["seed"].nunique(dropna=False),
        "recall": find_lowest_recall(group[group["seed"] == row["seed"]]),
        "verdict": show(row["verdict"]),
    }


def show(value):
    """Text of a value; nothing where it is missing."""
    return "" if pd.isna(value) else str(value)


def find_lowest_recall(scores):
    """The class that a run finds least often: a low accuracy may be one lost class."""
    recalls = scores[(scores["metric"] == "recall") & scores["value"].notna()]
    if recalls.empty:
        return ""
    row = recalls.loc[recalls["value"].astype(float).idxmin()]
    return f"{row['class']} {row['value']:.2f}"


def show_share(k, n):
    """`48/70 = 0.686`; nothing where a count is missing."""
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
    drawn = records[records["data_source"] == "phantoms"]
    if len(drawn) and len(drawn) == len(records):
        notes.append(PHANTOM_NOTE)
    elif len(drawn):
        names = dict.fromkeys(drawn["variant"].dropna().str.partition(": ")[0])
        notes.append(f"{PHANTOM_NOTE.removesuffix('.')}: {', '.join(names)}. The rest is real.")
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
    parts.append("\n".join(f"- `{folder.name}`" for folder in list_notebooks(run_dir)))
    return files.write_text(run_dir / "summary.md", "\n\n".join(filter(None, parts)) + "\n")


def list_notebooks(run_dir):
    """The folders of a run's notebooks, in their order."""
    return sorted(path for path in Path(run_dir).glob("[0-9][0-9]_*") if path.is_dir())
