"""Compare images instead of classifying them: system S5, notebook 07."""

from leakage.siamese import arrays, comparing, covid_net, model, pairs
from leakage.siamese.arrays import load_parts
from leakage.siamese.covid_net import build_covid_net
from leakage.siamese.model import build_siamese
from leakage.siamese.training import (
    Settings,
    choose_settings,
    search_grid,
    train_siamese,
    train_single,
)

__all__ = [
    "Settings",
    "arrays",
    "build_covid_net",
    "build_siamese",
    "choose_settings",
    "comparing",
    "covid_net",
    "load_parts",
    "model",
    "pairs",
    "search_grid",
    "train_siamese",
    "train_single",
]
