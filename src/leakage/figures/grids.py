"""A grid of statuses: several report cards beside each other."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from leakage.figures import style

# Colour and sign say the same thing, so that neither is needed to read the grid.
STATUSES = {
    "pass": ("#CDE8D6", "✓"), "warn": ("#FBE6A9", "!"), "fail": ("#F4B6AE", "✗"),
    "not testable": ("#DADAE3", "?"), "": ("#FFFFFF", ""),
}  # fmt: skip
MAX_WRAPPED = 12  # so many columns leave room for names of two lines


def draw_status_grid(ax, grid):
    """Draw the status of every check (rows) in every report card (columns).

    Parameters
    ----------
    ax : matplotlib Axes
    grid : DataFrame
        As from `leakcard.compare_cards`: index (code, title), one column a card, values
        "pass", "warn", "fail", "not testable" or "" where a card has no such row.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the grid is empty or holds another status.
    """
    names = list(STATUSES)
    unknown = sorted(set(grid.to_numpy().ravel()) - set(names))
    if grid.empty or unknown:
        raise ValueError(
            f"The grid of report cards cannot be drawn. Expected at least one card and the "
            f"statuses {names}. Received: {grid.shape[1]} cards, unknown statuses {unknown}."
        )
    values = grid.map(names.index).to_numpy()
    colors = ListedColormap([color for color, _ in STATUSES.values()])
    ax.imshow(values, cmap=colors, vmin=-0.5, vmax=len(names) - 0.5, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, STATUSES[names[value]][1], ha="center", va="center", fontsize=10)
    ax.set_yticks(range(len(grid)), [f"{code}  {title}" for code, title in grid.index])
    cards = list(grid.columns)
    if len(cards) <= MAX_WRAPPED:
        cards = [style.wrap_text(name, 22) for name in cards]
    ax.set_xticks(range(len(cards)), cards, rotation=45, ha="left", rotation_mode="anchor")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    handles = [
        Patch(color=color, label=f"{sign} {name}")
        for name, (color, sign) in STATUSES.items()
        if name
    ]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.01), ncols=4)
    return ax
