"""Figures that set results side by side: intervals, seeds, claims against what we find."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from leakage import evaluation
from leakage.figures import style


def draw_scores(ax, frame: pd.DataFrame, chance: float | None = None, xlabel: str = "score"):
    """Draw scores with their intervals, one row each, from the top.

    Parameters
    ----------
    ax : matplotlib Axes
    frame : DataFrame
        Columns `label, value, lower, upper`, and optionally `n` (added to the label),
        `published` (a second marker) and `chance` (its own mark in each row).
    chance : float, optional
        One chance line through all rows.
    xlabel : str

    Returns
    -------
    Axes
    """
    style.check_columns(frame, ["label", "value", "lower", "upper"])
    handles = [Line2D([], [], marker="o", color=style.OURS, label="ours, 95 % interval")]
    for y, row in enumerate(frame.to_dict("records")):
        _draw_interval(ax, y, row, style.OURS, "o")
        text = style.describe_interval(row["value"], row["lower"], row["upper"])
        ax.text(1.02, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=10)
        if pd.notna(row.get("published", np.nan)):
            ax.plot(row["published"], y, "D", color=style.PUBLISHED, markerfacecolor="white")
        if pd.notna(row.get("chance", np.nan)):
            _draw_chance(ax, y, row["chance"])
    if "published" in frame and frame["published"].notna().any():
        handles.append(_published_handle("published"))
    if chance is not None:
        ax.axvline(chance, color=style.CHANCE, linestyle=":")
        handles.append(_chance_handle(f"chance: {chance:.2f}"))
    elif "chance" in frame:
        handles.append(_chance_handle("chance"))
    _finish_rows(ax, frame, xlabel, handles)
    return ax


def draw_claims(ax, claims):
    """Draw each published claim beside what we find: the figure to remember.

    Parameters
    ----------
    ax : matplotlib Axes
    claims : DataFrame or list of dict
        Records of `Results` (a row for each declared run, named by its variant), or one row a
        claim. Of those, `label, k, n` are ours (the seed declared beforehand; missing where it
        was not run). Optional:
        `published_k, published_n`, or `published` where only a value in [0, 1] is known;
        `seeds` (list of values in [0, 1], all seeds); `chance` (in [0, 1]); `verdict` (text).

    Returns
    -------
    Axes
    """
    claims = pd.DataFrame(claims)
    if "metric" in claims and "label" not in claims:
        claims = _list_claims(claims)
    style.check_columns(claims, ["label", "k", "n"])
    for y, row in enumerate(claims.to_dict("records")):
        published_y, ours_y, seeds_y = y - 0.22, y, y + 0.22
        if pd.notna(row.get("published_k", np.nan)):
            interval = _share(row["published_k"], row["published_n"])
            _draw_interval(ax, published_y, interval, style.PUBLISHED, "D")
        elif pd.notna(row.get("published", np.nan)):
            interval = {"value": row["published"], "lower": np.nan, "upper": np.nan}
            _draw_interval(ax, published_y, interval, style.PUBLISHED, "D")
        if pd.notna(row["k"]):  # a claim not yet run keeps its row
            _draw_interval(ax, ours_y, _share(row["k"], row["n"]), style.OURS, "o")
        seeds = row.get("seeds")
        if isinstance(seeds, (list, tuple, np.ndarray)):
            ax.plot(seeds, np.full(len(seeds), seeds_y), "o", color=style.OURS, alpha=0.45,
                    markersize=4)  # fmt: skip
        if pd.notna(row.get("chance", np.nan)):
            _draw_chance(ax, y, row["chance"])
        verdict = row.get("verdict")
        if isinstance(verdict, str):
            ax.text(1.02, y, style.wrap_text(verdict, 16), transform=ax.get_yaxis_transform(),
                    va="center", fontsize=10)  # fmt: skip
    handles = [
        _published_handle("published, 95 % interval"),
        Line2D([], [], marker="o", color=style.OURS, label="ours, 95 % interval"),
        Line2D([], [], marker="o", linestyle="", color=style.OURS, alpha=0.45, markersize=4,
               label="ours, each seed"),
        _chance_handle("chance: largest class"),
    ]  # fmt: skip
    _finish_rows(ax, claims, "accuracy", handles)
    ax.set_xlim(-0.03, 1.03)
    for y in range(1, len(claims)):
        ax.axhline(y - 0.5, color="#DDDDDD", linewidth=0.8, zorder=0)
    return ax


def _list_claims(records):
    """One row for each declared run of these records, with its seeds and chance beside it."""
    key = ["notebook", "protocol", "variant", "backbone", "weights"]
    accuracy = records[(records["metric"] == "accuracy") & (records["interval"] == "wilson")]
    groups = accuracy.groupby(key, dropna=False, sort=False)["value"]
    seeds = groups.agg(list).rename("seeds").reset_index()
    chance = records[records["metric"] == "chance"].drop_duplicates(key)
    rows = accuracy[accuracy["verdict"].notna()].merge(seeds, on=key)
    rows = rows.merge(chance[[*key, "value"]].rename(columns={"value": "chance"}), on=key)
    several = rows["variant"].duplicated(keep=False)
    label = rows["variant"].where(~several, rows["variant"] + ", protocol " + rows["protocol"])
    return rows.assign(label=label)


def _share(k, n) -> dict:
    lower, upper = evaluation.wilson_interval(k, n)
    return {"value": k / n if n else np.nan, "lower": lower, "upper": upper}


def _draw_interval(ax, y, row, color, marker):
    if pd.notna(row["lower"]) and pd.notna(row["upper"]):
        ax.plot([row["lower"], row["upper"]], [y, y], color=color, solid_capstyle="butt")
    face = "white" if marker == "D" else color
    ax.plot(row["value"], y, marker, color=color, markerfacecolor=face, markersize=7)


def _draw_chance(ax, y, chance):
    ax.plot([chance, chance], [y - 0.4, y + 0.4], color=style.CHANCE, linestyle=":")


def _published_handle(label):
    return Line2D([], [], marker="D", color=style.PUBLISHED, markerfacecolor="white", label=label)


def _chance_handle(label):
    return Line2D([], [], color=style.CHANCE, linestyle=":", label=label)


def _finish_rows(ax, frame, xlabel, handles):
    labels = list(frame["label"])
    if "n" in frame:
        labels = [
            label if pd.isna(n) else f"{label}\nn = {int(n)}"
            for label, n in zip(labels, frame["n"], strict=True)
        ]
    style.label_rows(ax, labels, handles)
    ax.set_xlabel(xlabel)
