"""Compare networks, weights and ways of freezing them: systems S2 to S4, notebook 05."""

from leakage.transfer import fine_tuning
from leakage.transfer.backbones import build_backbones, choose_size_px
from leakage.transfer.experiments import Experiment, list_experiments
from leakage.transfer.outcomes import (
    Outcome,
    score_extra,
    score_outcome,
    tabulate_outcomes,
    tabulate_shares,
)
from leakage.transfer.pretraining import pretrain_on_findings
from leakage.transfer.training import Options, train_experiment

__all__ = [
    "Experiment",
    "Options",
    "Outcome",
    "build_backbones",
    "choose_size_px",
    "fine_tuning",
    "list_experiments",
    "pretrain_on_findings",
    "score_extra",
    "score_outcome",
    "tabulate_outcomes",
    "tabulate_shares",
    "train_experiment",
]
