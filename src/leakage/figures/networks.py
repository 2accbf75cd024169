"""Drawings of a network of stages, and of the space in which it compares images."""

import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from leakage.figures import style

BOX_WIDTH, BOX_HEIGHT = 0.74, 0.36
LINK_COLOR = "#9A9A9A"
LINK_CURVE = -0.14  # long links rise higher than short ones, within the room between two rows
MARKERS = ("o", "s", "^", "D", "v", "P")


def draw_network(ax, blocks, title: str = ""):
    """Draw a COVID-Net stage by stage, each with its long-range sums.

    Parameters
    ----------
    ax : matplotlib Axes
    blocks : DataFrame
        One row a block in the order of computation, as `siamese.covid_net.tabulate_blocks`
        returns it: `block`, `stage` (0 for what stands before and after), `side_px`, `channels`,
        `parameters`.
    title : str

    Returns
    -------
    Axes
        One row a stage: its "upper" 1x1 convolution, its PEPX modules, their sum. A line from one
        box to another means that the output of the first is part of the sum that the second takes.
    """
    missing = {"block", "stage", "side_px", "channels", "parameters"} - set(blocks.columns)
    if missing or not (blocks["stage"] > 0).any():
        raise ValueError(
            "There is no network to draw. Expected a table of blocks with at least one stage. "
            f"Missing columns: {sorted(missing)}. Received: {len(blocks)} blocks."
        )
    in_stages = np.flatnonzero(blocks["stage"] > 0)
    before, after = blocks.iloc[: in_stages[0]], blocks.iloc[in_stages[-1] + 1 :]
    rows = [("input", before)] if len(before) else []
    for stage, part in blocks.iloc[in_stages].groupby("stage"):
        # the upper convolution first: every module takes its output
        part = part.sort_values("block", key=lambda names: ~names.str.startswith("upper"))
        rows.append((f"stage {stage}", part))
    rows += [("head", after)] if len(after) else []
    for y, (name, part) in enumerate(rows):
        _draw_row(ax, y, name, part, has_sums=name.startswith("stage"))
    longest = max(len(part) for _, part in rows)
    ax.set(xlim=(-1.75, longest + 0.4), ylim=(len(rows) - 0.6, -0.75))
    ax.axis("off")
    ax.set_title(style.wrap_text(title, 90))
    return ax


def draw_embedding(ax, points, labels, class_names, templates=None, title: str = ""):
    """Draw images as points in a plane, and the mean of each class as a large sign.

    Parameters
    ----------
    ax : matplotlib Axes
    points : array-like of shape (n_images, 2)
        Such as the first two principal components of the feature vectors.
    labels : array-like of shape (n_images,), dtype=int
        Indices of `class_names`.
    class_names : sequence of str
    templates : array-like of shape (n_classes, 2), optional
        In the order of `class_names`.
    title : str

    Returns
    -------
    Axes
    """
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    if points.shape != (len(labels), 2) or len(labels) == 0 or not np.isfinite(points).all():
        raise ValueError(
            "Points cannot be drawn in a plane. Expected finite `points` of shape (n_images, 2), "
            f"one label each. Received: {points.shape} and {len(labels)} labels."
        )
    for index, name in enumerate(class_names):
        chosen = points[labels == index]
        marker, color = MARKERS[index % len(MARKERS)], style.get_color(index)
        ax.plot(*chosen.T, marker, color=color, alpha=0.55, markersize=5, linestyle="",
                label=f"{name}, n = {len(chosen)}")  # fmt: skip
        if templates is not None:
            ax.plot(*np.asarray(templates)[index], marker, color=color, markersize=15,
                    markeredgecolor="black", markeredgewidth=1.5, linestyle="")  # fmt: skip
    if templates is not None:
        ax.plot([], [], "o", color="white", markersize=11, markeredgecolor="black",
                markeredgewidth=1.5, label="mean of the class's training images")  # fmt: skip
    ax.set_title(style.wrap_text(title, 60))
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
    return ax


def _draw_row(ax, y, name, part, has_sums):
    sides = part["side_px"].dropna()
    shape = ""
    if len(sides):
        shape = f"\n{sides.iloc[-1]} x {sides.iloc[-1]} x {part['channels'].iloc[-1]}"
    ax.text(-0.6, y, name + shape, ha="right", va="center", fontsize=10)
    ends = []
    for x, row in enumerate(part.to_dict("records")):
        is_upper = row["block"].startswith("upper")
        color = style.get_color(1 if is_upper else 0 if has_sums else 4)
        ax.add_patch(
            FancyBboxPatch(
                (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2), BOX_WIDTH, BOX_HEIGHT, facecolor=color,
                alpha=0.25, edgecolor=color, boxstyle="round,pad=0,rounding_size=0.06",
            )
        )  # fmt: skip
        ax.text(x, y, f"{_shorten(row['block'])}\n{_format_count(row['parameters'])}", ha="center",
                va="center", fontsize=9)  # fmt: skip
        ends.append(x)
    if has_sums:
        ax.add_patch(Circle((len(ends), y), 0.13, facecolor="white", edgecolor="black", zorder=3))
        ax.text(len(ends), y, "+", ha="center", va="center", fontsize=12, zorder=4)
        _draw_links(ax, y, [*ends, len(ends)])
        return
    for x in ends[1:]:
        _draw_arrow(ax, (x - 1 + BOX_WIDTH / 2, y), (x - BOX_WIDTH / 2, y), 0)


def _draw_links(ax, y, places):
    """Link every box to all later ones but the first module, which takes the stage's input."""
    for start in places[:-1]:
        for end in places[start + 1 :]:
            if end == 1:
                continue
            if end == start + 1:
                left = end - (0.13 if end == places[-1] else BOX_WIDTH / 2)
                _draw_arrow(ax, (start + BOX_WIDTH / 2, y), (left, y), 0)
            else:
                top = 0.13 if end == places[-1] else BOX_HEIGHT / 2
                _draw_arrow(ax, (start, y - BOX_HEIGHT / 2), (end, y - top), LINK_CURVE)


def _draw_arrow(ax, start, end, curve):
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=8, color=LINK_COLOR, linewidth=0.8,
            shrinkA=0, shrinkB=0, connectionstyle=f"arc3,rad={curve}",
        )
    )  # fmt: skip


def _shorten(block):
    kind, *numbers = block.split("_")
    names = {"pepx": "PEPX", "upper": "1x1", "preprocessing": "gray", "stem": "7x7 / 2"}
    if kind == "pepx":
        return f"PEPX {numbers[-1]}"
    return names.get(kind, block)


def _format_count(count):
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count:,}"
