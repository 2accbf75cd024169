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
from leakage.figures.style import add_note, set_style
from leakage.figures.tradeoffs import draw_tradeoff, get_tradeoff_size
