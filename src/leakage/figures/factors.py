"""Figures of experiments on treatments: effects of factors, quality by class."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from leakage.figures import style

NUM_BINS = 30


def draw_effects(ax, effects, xlabel="effect on accuracy", interval="95 % over seeds"):
    """Draw the effect of each factor, or any difference, with its interval.

    Parameters
    ----------
    ax : matplotlib Axes
    effects : DataFrame
        From `leakage.evaluation.estimate_effects`; optionally with `published`, the difference
        that a published ablation found (missing = NaN).
    xlabel : str
    interval : str
        What the intervals are, for the legend.

    Returns
    -------
    Axes
        With a line at no effect and a band as wide as two equal runs differ (one deviation).

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    style.check_columns(effects, ["factor", "effect", "lower", "upper"])
    handles = [Line2D([], [], marker="o", color=style.OURS, label=f"ours, {interval}")]
    for y, row in enumerate(effects.to_dict("records")):
        if pd.notna(row["lower"]):
            ax.plot([row["lower"], row["upper"]], [y, y], color=style.OURS, solid_capstyle="butt")
        ax.plot(row["effect"], y, "o", color=style.OURS, markersize=7)
        if pd.notna(row.get("published", np.nan)):
            ax.plot(row["published"], y + 0.22, "D", color=style.PUBLISHED, markerfacecolor="white")
    if "published" in effects and effects["published"].notna().any():
        handles.append(
            Line2D([], [], marker="D", linestyle="", color=style.PUBLISHED,
                   markerfacecolor="white", label="published, one run each")
        )  # fmt: skip
    ax.axvline(0, color=style.CHANCE, linestyle=":")
    handles.append(Line2D([], [], color=style.CHANCE, linestyle=":", label="no effect"))
    spread = effects["run_sd"].iloc[0] if "run_sd" in effects else np.nan
    if pd.notna(spread):
        ax.axvspan(-spread, spread, color=style.CHANCE, alpha=0.15, linewidth=0)
        handles.append(
            Patch(color=style.CHANCE, alpha=0.15, label=f"run-to-run deviation: {spread:.3f}")
        )
    style.label_rows(ax, [_describe_factor(row) for row in effects.to_dict("records")], handles)
    ax.set_xlabel(xlabel)
    return ax


def draw_worth(ax, table, truth=None):
    """Draw what each leak is worth, in points, with its interval over draws and over patients.

    Parameters
    ----------
    ax : matplotlib Axes
    table : DataFrame
        Rows of `leakage.evaluation.tabulate_worth`.
    truth : dict of str to float, optional
        The planted worth of a contrast, where it is known; in [-1, 1].

    Returns
    -------
    Axes
        With a line at 0, and at each row a band of what would not have been seen.
    """
    truth = truth or {}
    for y, row in enumerate(table.to_dict("records")):
        points = {name: 100 * value for name, value in row.items() if isinstance(value, float)}
        ax.barh(y, 2 * points["smallest"], 0.7, -points["smallest"], color=style.CHANCE, alpha=0.15)
        ax.plot([points["lower"], points["upper"]], [y, y], color=style.OURS, linewidth=3)
        ax.plot(
            [points["patient_lower"], points["patient_upper"]], [y + 0.2, y + 0.2], color="black"
        )
        ax.plot(points["worth"], y, "o", color=style.OURS, markersize=7)
        if row["contrast"] in truth:
            ax.plot(100 * truth[row["contrast"]], y - 0.2, "D", color=style.PUBLISHED)
        text = "{worth:+.1f} [{lower:+.1f}, {upper:+.1f}]".format(**points)
        ax.text(1.02, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=10)
    handles = [
        Line2D([], [], marker="o", color=style.OURS, linewidth=3, label="95 % over draws"),
        Line2D([], [], color="black", label="95 % over patients"),
        Patch(color=style.CHANCE, alpha=0.15, label="too small to be seen (80 % power)"),
    ]
    if truth:
        handles.append(
            Line2D([], [], marker="D", linestyle="", color=style.PUBLISHED, label="as planted")
        )
    ax.axvline(0, color=style.CHANCE, linestyle=":")
    style.label_rows(ax, list(table["contrast"]), handles)
    return ax


def draw_quality(ax, values, labels, bounds=None, xlabel: str = "quality"):
    """Draw the histogram of a measure of quality, one line a class.

    Parameters
    ----------
    ax : matplotlib Axes
    values : array-like of shape (n_images,)
        Missing values are left out.
    labels : array-like of str, shape (n_images,)
    bounds : tuple of float, optional
        Beyond them lie the outliers.
    xlabel : str

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If no value is known.
    """
    values, labels = np.asarray(values, dtype=float), np.asarray(labels, dtype=object)
    known = np.isfinite(values)
    if values.shape != labels.shape or not known.any():
        raise ValueError(
            "There is no quality to draw. Expected a value and a label for each image, one value "
            f"known at least. Received: {values.shape} values, {labels.shape} labels, "
            f"{int(known.sum())} known."
        )
    edges = np.histogram_bin_edges(values[known], bins=NUM_BINS)
    for number, label in enumerate(sorted(set(labels[known]))):
        part = values[known & (labels == label)]
        counts, _ = np.histogram(part, bins=edges)
        median = np.median(part)
        color = style.get_color(number)
        ax.stairs(counts / len(part), edges, color=color, linewidth=1.6,
                  label=f"{label}, n = {len(part)}, median {median:.2f}")  # fmt: skip
        ax.axvline(median, ymax=0.04, color=color, linewidth=3)
    for number, bound in enumerate(bounds or ()):
        name = "1.5 interquartile ranges" if number == 0 else None
        ax.axvline(bound, color=style.CHANCE, linestyle=":", label=name)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("share of the class's images")
    ax.legend()
    return ax


def _describe_factor(row) -> str:
    levels = f": {row['low']} → {row['high']}" if "low" in row else ""
    return f"{row['factor']}{levels}"
