"""Compare networks, weights and ways of freezing them: systems S2 to S4, notebook 05."""

from leakage.transfer import fine_tuning
from leakage.transfer.backbones import build_backbones
from leakage.transfer.experiments import Experiment, list_experiments
from leakage.transfer.outcomes import (
    score_extra,
    score_outcome,
    tabulate_outcomes,
    tabulate_shares,
)
from leakage.transfer.pretraining import pretrain_on_findings
from leakage.transfer.training import Options, train_experiment
