"""Compare images instead of classifying them: system S5, notebook 07."""

from leakage.siamese import comparing, covid_net, model, pairs
from leakage.siamese.covid_net import build_covid_net
from leakage.siamese.image_sets import load_image_sets
from leakage.siamese.model import build_siamese
from leakage.siamese.training import (
    Settings,
    choose_settings,
    search_grid,
    train_siamese,
    train_single,
)
