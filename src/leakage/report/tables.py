"""Tables of a run beside its claims, and the forms in which a table is read."""

import html
import re

import pandas as pd

from leakage.report import run_claims

HEADINGS = {
    "data_source": "data",
    "interval": "95 % interval",
    "spread": "over seeds",
    "collapsed": "collapsed runs",
    "recall": "lowest recall",
    "balanced": "balanced accuracy",
    "auc": "AUC",
    "lost": "classes never predicted",
}
MAX_NOWRAP = 45  # characters of a cell that stay in one line
RUN = ["notebook", "variant", "protocol", "backbone", "weights", "draw_seed", "seed"]
ENERGY = {"energy_in_mask": "energy", "mask_area": "area", "enrichment": "energy / area"}
MARKS = {
    "accuracy": "accuracy as planted",
    "swapped_accuracy": "mark on the other class",
    "mark_use": "difference",
}


def make_runs_table(records):
    """Describe each training run by its scores on the test images.

    Parameters
    ----------
    records : DataFrame
        From `collect_records`. A run is a row with metric `accuracy` and interval `wilson`; its
        other scores are the rows of the same notebook, protocol, variant, backbone, weights,
        draw and seed.

    Returns
    -------
    DataFrame
        Text, ready to show; what is not known is empty. `auc` is the macro average, or that of
        the one class that has any.
    """
    rows = []
    for _, group in records.groupby(RUN, dropna=False, sort=False):
        found = {name: frame for name, frame in group.groupby("metric") if len(frame)}
        accuracy = found.get("accuracy", group.iloc[:0]).query("interval == 'wilson'")
        if accuracy.empty:
            continue
        aucs = found.get("roc_auc", group.iloc[:0])
        aucs = aucs[aucs["class"] == "macro"] if len(aucs) > 1 else aucs
        name, recall = run_claims.find_lowest_recall(group)
        row = {column: run_claims.show(accuracy[column].iloc[0]) for column in RUN}
        row |= {
            "accuracy": run_claims.show_share(accuracy["k"].iloc[0], accuracy["n"].iloc[0]),
            "interval": run_claims.show_interval(accuracy.iloc[0]),
            "balanced": _show_first(found.get("balanced_accuracy")),
            "auc": _show_first(aucs),
            "recall": f"{run_claims.show(name)} {run_claims.show_number(recall, 2)}".strip(),
            "lost": _show_first(found.get("num_classes_never_predicted"), digits=0),
        }
        rows.append(row | {"notebook": row["notebook"][:2]})
    return pd.DataFrame(rows)


def _show_first(scores, digits=3):
    return (
        run_claims.show_number(scores["value"].iloc[0], digits)
        if scores is not None and len(scores)
        else ""
    )


def make_counterfactual_table(records):
    """Lay out what is left of each model's accuracy on counterfactual versions of its images.

    Returns
    -------
    DataFrame
        Text. One row a model and version; for each mode ("test-time", "retrained") the accuracy
        with its Wilson interval, and the points by which it differs from the whole images, where
        the run recorded them.
    """
    lost = records[records["metric"] == "counterfactual_difference"].dropna(subset="lower")
    scored = records[records["metric"] == "counterfactual_accuracy"]
    key = ["notebook", "variant", "backbone", "version", "mode"]
    told = [
        f", {100 * row.value:+.1f} points ({100 * row.lower:+.1f} to {100 * row.upper:+.1f})"
        for row in lost.itertuples()
    ]
    told = lost[key].assign(told=pd.Series(told, index=lost.index, dtype=object))
    scored = scored.merge(told, on=key, how="left")
    scored = scored.assign(shown=_show_values(scored) + scored["told"].fillna(""))
    return _spread(scored, ["notebook", "variant", "backbone", "version", "n"], "mode")


def make_mark_table(records):
    """Lay out how much a planted mark decides after each treatment of the images.

    Returns
    -------
    DataFrame
        Text. One row a variant (mark and treatment): the accuracy with the mark where it was in
        training and on the other class, and their paired difference, each with its interval.
    """
    scored = records[
        records["metric"].isin(list(MARKS)) & (records["interval"] != "patient_bootstrap")
    ]
    key = ["notebook", "variant", "backbone", "seed"]
    used = scored[scored["metric"] == "mark_use"][key].drop_duplicates()
    scored = scored.merge(used, on=key)
    scored = scored.assign(shown=_show_values(scored), metric=scored["metric"].map(MARKS))
    return _spread(scored, [*key[:3], "n"], "metric")


def make_worth_table(records):
    """Lay out what each leak is worth, paired by draw.

    Returns
    -------
    DataFrame
        Text. One row a contrast and score: its mean over `n` draws, the intervals over draws and
        over patients, Holm's p, and the smallest worth that would have been seen.
    """
    names = {"worth": "worth", "worth_p_holm": "p (Holm)", "smallest_worth": "smallest seen"}
    scored = records[records["metric"].isin(list(names))]
    over_patients = scored["interval"] == "patient_bootstrap"
    shown = scored["value"].map(lambda value: f"{value:.3f}")
    shown = shown.where(scored["metric"] != "worth", _show_values(scored))
    metric = scored["metric"].map(names).where(~over_patients, "over patients")
    scored = scored.assign(shown=shown, metric=metric)
    key = ["notebook", "protocol", "variant", "class", "backbone", "n"]
    return _spread(scored, key, "metric")


def make_energy_table(records):
    """Lay out which share of the Grad-CAM evidence lies where it may lie.

    Returns
    -------
    DataFrame
        Text. One row a class and network: the share of the evidence in the mask, the share of the
        image that the mask covers, and their ratio, each with its interval.
    """
    scored = records[records["metric"].isin(list(ENERGY))]
    scored = scored.assign(shown=_show_values(scored, 2), metric=scored["metric"].map(ENERGY))
    return _spread(scored, ["notebook", "class", "variant", "protocol", "backbone", "n"], "metric")


def _show_values(scored, digits=3):
    texts = [
        f"{run_claims.show_number(row['value'], digits)} ({run_claims.show_interval(row, digits)})"
        for row in scored.to_dict("records")
    ]
    return pd.Series(texts, index=scored.index, dtype=object)


def _spread(scored, index, columns):
    """One row for each `index`, one column for each of `columns`, the column `shown` in them."""
    rows = {}
    for row in scored.to_dict("records"):
        key = tuple(run_claims.show(row[name]) for name in index)
        line = rows.setdefault(key, dict(zip(index, key, strict=True)))
        line[run_claims.show(row[columns])] = row["shown"]
    table = pd.DataFrame(list(rows.values())).fillna("")
    return table.assign(notebook=table["notebook"].str[:2]) if len(table) else table


def format_markdown(table):
    """Format a table as Markdown, ending with a line feed."""
    if table.empty:
        return "Nothing recorded yet.\n"
    rows = [[HEADINGS.get(name, name) for name in table.columns], ["---"] * len(table.columns)]
    rows += [[str(value).replace("|", "\\|") for value in row] for row in table.to_numpy()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


class Table:
    """A table for readers of a notebook and of its page, where its columns can be sorted.

    Parameters
    ----------
    frame : DataFrame
        Text or numbers, as they shall stand in the cells. The first column heads its rows.
    caption : str
    keys : DataFrame, optional
        What to sort by instead of the text: numbers, in columns of the same names.
    """

    def __init__(self, frame, caption, keys=None):
        self.frame, self.caption = frame, caption
        self.keys = pd.DataFrame(index=frame.index) if keys is None else keys

    def __repr__(self):
        return f"{self.caption}\n{self.frame.to_string(index=False)}"

    def _repr_html_(self):
        name = re.sub(r"\W+", "-", self.caption.lower()).strip("-")
        heads = "".join(
            f'<th scope="col">{html.escape(HEADINGS.get(column, column).capitalize())}</th>'
            for column in self.frame.columns
        )
        lines = "".join(self._format_row(number) for number in range(len(self.frame)))
        return (
            f'<div class="wide" role="region" tabindex="0" aria-labelledby="{name}">\n'
            f'<table class="sortable"><caption id="{name}">{html.escape(self.caption)}</caption>\n'
            f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>"
        )

    def _format_row(self, number):
        cells = []
        for column in self.frame.columns:
            tag, given = ("td", "") if cells else ("th", ' scope="row"')
            if column in self.keys:
                given += f' data-key="{run_claims.show(self.keys[column].iloc[number])}"'
            text = run_claims.show(self.frame[column].iloc[number])
            if len(text) > MAX_NOWRAP:
                given += ' class="long"'
            cells.append(f"<{tag}{given}>{html.escape(text)}</{tag}>")
        return f"<tr>{''.join(cells)}</tr>\n"
