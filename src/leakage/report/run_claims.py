"""The claims of a run: what was published, what was found, how sure one can be of it."""

from pathlib import Path

import pandas as pd

from leakage import record

GROUP = ["notebook", "protocol", "variant", "backbone", "weights"]
AS_RECORDED = ["system", "protocol", "backbone", "weights", "data_source", "verdict", "reason"]
CLAIM_COLUMNS = (
    "system notebook claim protocol backbone weights data_source published ours interval chance "
    "seeds spread collapsed recall verdict reason"
).split()
PHANTOM_NOTE = (
    "Made from phantoms (drawn images with a known truth), not from patients or photographs."
)
RANDOM_NOTE = "Backbones with random weights: no statement about pretrained ones."
MIXED_NOTE = "Rows whose backbone has random weights say nothing about pretrained ones."


def collect_records(run_dir):
    """Read every notebook's `metrics.json` below a run's folder.

    Returns
    -------
    DataFrame of shape (n_records, n_columns)
        `record.RECORD_COLUMNS`, in the order of the notebooks; empty where there is none.
    """
    paths = sorted(Path(run_dir).glob("[0-9][0-9]_*/metrics.json"))
    frames = [frame for frame in map(record.read_metrics, paths) if len(frame)]
    if not frames:
        return pd.DataFrame(columns=list(record.RECORD_COLUMNS))
    # pandas 2.2 warns about all-empty columns, and they carry nothing but their type.
    return pd.concat([frame.astype(object) for frame in frames], ignore_index=True)


def find_claims(records):
    """Find the published claims and ours in the records, as numbers.

    Parameters
    ----------
    records : DataFrame
        From `collect_records`. A claim is a row with metric `accuracy`, interval `wilson` and a
        verdict: the one seed that was declared beforehand. Rows of the same notebook, protocol,
        variant, backbone and weights give seeds and collapsed runs; their metric `chance` is the
        largest class share.

    Returns
    -------
    DataFrame
        The record of each claim, with `chance`, `seeds` (list of the accuracies of all seeds),
        `collapsed` (how many of them never predict one of the classes), `lost_class` and `recall`
        (the class that the declared run finds least often, and how often). Its interval is the
        wider of Wilson's and that over patients.
    """
    accuracy = records[(records["metric"] == "accuracy") & (records["interval"] == "wilson")]
    declared = accuracy[accuracy["verdict"].notna()]
    groups = dict(list(records.groupby(GROUP, dropna=False, sort=False)))
    groups = {tuple(map(show, key)): group for key, group in groups.items()}
    rows = []
    for row in declared.to_dict("records"):
        group = groups[tuple(show(row[name]) for name in GROUP)]
        values = {name: frame for name, frame in group.groupby("metric") if len(frame)}
        lost = values.get("num_classes_never_predicted", group.iloc[:0])
        chance = values.get("chance", group.iloc[:0])["value"].dropna()
        seeds = values["accuracy"].drop_duplicates("seed")["value"]
        own = group[group["seed"] == row["seed"]]
        name, recall = find_lowest_recall(own)
        bounds = own[own["metric"] == "accuracy"].dropna(subset=["lower", "upper"])
        widest = (bounds["upper"] - bounds["lower"]).astype(float).idxmax()
        row |= bounds.loc[widest, ["interval", "lower", "upper"]].to_dict()
        found = {
            "chance": chance.iloc[0] if len(chance) else None,
            "seeds": seeds.tolist(),
            "collapsed": lost.loc[lost["value"] > 0, "seed"].nunique(dropna=False),
            "lost_class": name,
            "recall": recall,
        }
        rows.append(row | found)
    columns = [*records.columns, "chance", "seeds", "collapsed", "lost_class", "recall"]
    return pd.DataFrame(rows, columns=columns)


def find_lowest_recall(scores):
    """The class that a run finds least often, and its recall: a low accuracy may be one class."""
    recalls = scores[(scores["metric"] == "recall") & scores["value"].notna()]
    if recalls.empty:
        return None, None
    row = recalls.loc[recalls["value"].astype(float).idxmin()]
    return row["class"], row["value"]


def make_claims_table(records):
    """Lay out `find_claims` for readers.

    Returns
    -------
    DataFrame of shape (n_claims, 17)
        Text, ready to show; what is not known is empty. `seeds` and `collapsed` are numbers.
    """
    rows = [
        {
            **{name: show(row[name]) for name in AS_RECORDED},
            "notebook": show(row["notebook"])[:2],
            "claim": show(row["variant"]),
            "published": show_share(row["published_k"], row["published_n"]),
            "ours": show_share(row["k"], row["n"]),
            "interval": show_interval(row),
            "chance": show_number(row["chance"]),
            "seeds": len(row["seeds"]),
            "spread": f"{min(row['seeds']):.3f} to {max(row['seeds']):.3f}",
            "collapsed": row["collapsed"],
            "recall": f"{show(row['lost_class'])} {show_number(row['recall'], 2)}".strip(),
        }
        for row in find_claims(records).to_dict("records")
    ]
    return pd.DataFrame(rows, columns=CLAIM_COLUMNS)


def list_reasons(table):
    """Say why claims of a table cannot be compared, a line for each reason: too long for a column.

    Parameters
    ----------
    table : DataFrame
        From `make_claims_table`.

    Returns
    -------
    list of str
    """
    rows = table[table["reason"] != ""].groupby("reason", sort=False)
    return [
        f"Not comparable ({', '.join(dict.fromkeys(rows['claim'] + ', ' + rows['protocol']))}): "
        f"{reason}."
        for reason, rows in rows
    ]


def show(value):
    """Text of a value; nothing where it is missing."""
    return "" if pd.isna(value) else str(value)


def show_number(value, digits=3):
    """`0.686`; nothing where it is missing."""
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def show_share(k, n):
    """`48/70 = 0.686`; nothing where a count is missing."""
    return "" if pd.isna(k) or pd.isna(n) else f"{int(k)}/{int(n)} = {k / n:.3f}"


def show_interval(row, digits=3):
    """`0.570 to 0.782`; nothing where a bound is missing."""
    bounds = [show_number(row[name], digits) for name in ("lower", "upper")]
    return " to ".join(bounds) if all(bounds) else ""


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
        notes.append(
            f"{PHANTOM_NOTE.removesuffix('.')}: the rows whose data are `phantoms` "
            f"({drawn['variant'].nunique()} of {records['variant'].nunique()} variants)."
        )
    weights = records["weights"].dropna().astype(str)
    is_random = weights.str.startswith("random")
    if is_random.any():
        has_others = not weights[~is_random].str.endswith("from scratch").all()
        notes.append(MIXED_NOTE if has_others else RANDOM_NOTE)
    return notes
