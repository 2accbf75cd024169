"""Figures of what a score costs."""

import numpy as np
from matplotlib.lines import Line2D

from leakage.figures import style

MAX_LABEL_WIDTH = 46
# Room for the list of runs beside the axes: constrained layout would squeeze these instead.
INCHES_PER_RUN, INCHES_AROUND, MIN_HEIGHT_INCHES = 0.24, 1.6, 4.2


def get_tradeoff_size(frame):
    """Size in inches of a figure that has room for the names of all runs beside its axes."""
    height = max(MIN_HEIGHT_INCHES, INCHES_AROUND + INCHES_PER_RUN * (len(frame) + 2))
    return 12.0, height


def draw_tradeoff(ax, frame, xlabel="trained parameters", ylabel="accuracy"):
    """Draw accuracy against the number of trained parameters, beside chance and the null.

    Parameters
    ----------
    ax : matplotlib Axes
        Of a figure of `get_tradeoff_size`.
    frame : DataFrame
        One row a run of one test set, in the order of its numbers: `run, trained, accuracy,
        lower, upper, chance`, and `is_null` (True: nothing was learnt before and the network is
        frozen; its accuracy is drawn as a line and a band).
    xlabel, ylabel : str

    Returns
    -------
    Axes
        Each point carries the number of its run, counted from 1; the legend beside the axes says
        which is which.
    """
    expected = ["run", "trained", "accuracy", "lower", "upper", "chance", "is_null"]
    style.check_columns(frame, expected)
    chance = float(frame["chance"].iloc[0])
    ax.axhline(chance, color=style.CHANCE, linestyle=":")
    handles = [Line2D([], [], color=style.CHANCE, linestyle=":", label=f"chance: {chance:.2f}")]
    for row in frame[frame["is_null"]].head(1).to_dict("records"):
        ax.axhspan(row["lower"], row["upper"], color=style.PUBLISHED, alpha=0.12, linewidth=0)
        ax.axhline(row["accuracy"], color=style.PUBLISHED, linewidth=1.2)
        label = f"nothing learnt before: {row['accuracy']:.2f}, with its interval"
        handles.append(Line2D([], [], color=style.PUBLISHED, label=label))
    for number, row in enumerate(_spread(frame).to_dict("records"), start=1):
        color = style.PUBLISHED if row["is_null"] else style.OURS
        ax.plot([row["x"]] * 2, [row["lower"], row["upper"]], color=color, linewidth=1.1)
        ax.plot(row["x"], row["accuracy"], "o", color=color, markersize=12)
        ax.text(row["x"], row["accuracy"], str(number), color="white", fontsize=8, ha="center",
                va="center", fontweight="bold")  # fmt: skip
        label = style.wrap_text(f"{number}  {row['run']}", MAX_LABEL_WIDTH)
        handles.append(Line2D([], [], linestyle="", label=label))
    ax.set_xscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_ylim(min(0, chance - 0.05), 1.04)
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0,
              handlelength=1.2, fontsize=9)  # fmt: skip
    return ax


def _spread(frame):
    """Move points of one number of parameters apart, so that none hides another."""
    frame = frame.reset_index(drop=True)
    rounded = np.round(np.log10(frame["trained"].astype(float).clip(lower=1)), 1)
    position = frame.groupby(rounded).cumcount()
    return frame.assign(x=frame["trained"].clip(lower=1) * 1.22**position)
