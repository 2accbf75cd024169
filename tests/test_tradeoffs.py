"""The figure of accuracy against trained parameters."""

import matplotlib

matplotlib.use("Agg")

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from leakage import figures


def make_frame():
    return pd.DataFrame(
        {
            "run": ["frozen", "trained", "also frozen"],
            "trained": [1_000, 1_000_000, 1_000],
            "accuracy": [0.7, 0.9, 0.72],
            "lower": [0.6, 0.8, 0.6],
            "upper": [0.8, 0.95, 0.8],
            "chance": [0.5, 0.5, 0.5],
            "is_null": [True, False, False],
        }
    )


def test_it_has_a_log_axis_a_chance_line_a_null_and_a_name_for_each_run():
    figure, ax = plt.subplots()
    figures.draw_tradeoff(ax, make_frame())
    assert ax.get_xscale() == "log"
    texts = [text.get_text().replace("\n", " ") for text in ax.get_legend().get_texts()]
    assert texts[0] == "chance: 0.50" and texts[1].startswith("nothing learnt before: 0.70")
    assert texts[2:] == ["1  frozen", "2  trained", "3  also frozen"]
    positions = [text.get_position()[0] for text in ax.texts]
    assert positions[0] < positions[2] < positions[1]  # no point hides another
    plt.close(figure)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="Missing: .'chance'"):
        figures.draw_tradeoff(None, make_frame().drop(columns="chance"))
