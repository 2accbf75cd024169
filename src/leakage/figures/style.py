"""One look for every figure: colours that colour-blind readers tell apart, 900 px wide."""

import textwrap

import numpy as np

# Okabe & Ito 2008, "Color Universal Design", without its yellow (too light on white).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
OURS, PUBLISHED, CHANCE = "#0072B2", "#D55E00", "#767676"
WIDTH_INCHES, DPI = 9.0, 100
NOTE_SIZE, NOTE_CHARACTERS = 9, 14  # in points, and so many of them an inch
LABEL_WIDTH = 34  # characters: leaves more than half of 900 px to the axis


def set_style() -> dict:
    """Settings for `plt.rc_context(figures.set_style())`; nothing is changed globally."""
    return {
        "figure.figsize": (WIDTH_INCHES, 4.5),
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 11,
        "axes.labelsize": 11,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.6,
    }


def add_note(figure, text: str):
    """Write below a figure, no wider than it, such as that its images are phantoms.

    Takes the room it needs under constrained layout, so it covers nothing.
    """
    wrapped = wrap_text(text, int(NOTE_CHARACTERS * figure.get_figwidth()))
    return figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=NOTE_SIZE, color=CHANCE)


def wrap_text(text, width: int) -> str:
    """Break a label at spaces so that no line is longer than `width` characters."""
    lines = str(text).splitlines() or [""]
    return "\n".join(part for line in lines for part in (textwrap.wrap(line, width) or [""]))


def get_color(index: int) -> str:
    """Colour of a series; the palette repeats after six."""
    return COLORS[index % len(COLORS)]


def describe_interval(value: float, lower: float, upper: float) -> str:
    """`0.89 [0.83, 0.93]`, or what is known of it."""
    if np.isnan(value):
        return "undefined"
    if np.isnan(lower) or np.isnan(upper):
        return f"{value:.2f}"
    return f"{value:.2f} [{lower:.2f}, {upper:.2f}]"


def check_columns(frame, expected):
    """Refuse a table without rows or without one of these columns."""
    missing = [name for name in expected if name not in frame]
    if missing or len(frame) == 0:
        raise ValueError(
            f"There is nothing to draw. Expected at least one row and the columns {expected}. "
            f"Missing: {missing}. Received: {len(frame)} rows, columns {list(frame.columns)}."
        )


def label_rows(ax, labels, handles):
    """Name the rows of an axis, the first at the top, and put the legend above them."""
    ax.set_yticks(range(len(labels)), [wrap_text(label, LABEL_WIDTH) for label in labels])
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2, borderaxespad=0)
