"""Figures, drawn on the axes they are given; grids make their own figure.

Use them inside `with plt.rc_context(figures.set_style()):`, or update `plt.rcParams` with it once
in a notebook.
"""

from leakage.figures.comparisons import draw_claims, draw_scores
from leakage.figures.curves import draw_confusion, draw_dose_response, draw_history, draw_roc
from leakage.figures.factors import draw_effects, draw_quality, draw_worth
from leakage.figures.grids import draw_status_grid
from leakage.figures.images import draw_cam_grid, draw_image_grid
from leakage.figures.networks import draw_embedding, draw_network
from leakage.figures.style import COLORS, add_note, set_style
from leakage.figures.tradeoffs import draw_tradeoff, get_tradeoff_size

__all__ = [
    "COLORS",
    "add_note",
    "draw_cam_grid",
    "draw_claims",
    "draw_confusion",
    "draw_dose_response",
    "draw_embedding",
    "draw_effects",
    "draw_history",
    "draw_image_grid",
    "draw_network",
    "draw_quality",
    "draw_roc",
    "draw_scores",
    "draw_status_grid",
    "draw_tradeoff",
    "draw_worth",
    "get_tradeoff_size",
    "set_style",
]
