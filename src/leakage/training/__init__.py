"""Fit heads on the feature bank and small networks on pixels, with seeds that reach everything."""

from leakage.training import (
    comparing,
    experiments,
    outcomes,
    pairs,
    pretraining,
    schedules,
    siamese,
    starts,
    study,
    transfer,
    views,
)
from leakage.training.experiments import Experiment, list_experiments
from leakage.training.fitting import Run, encode_labels, fit_model, predict_scores
from leakage.training.heads import (
    Settings,
    score_counterfactuals,
    train_heads,
    train_protocol,
)
from leakage.training.networks import train_small_cnns
from leakage.training.outcomes import (
    Outcome,
    score_extra,
    score_outcome,
    tabulate_outcomes,
    tabulate_shares,
)
from leakage.training.parts import load_parts
from leakage.training.pretraining import pretrain_on_findings
from leakage.training.starts import build_backbones, choose_size_px
from leakage.training.study import draw_further, draw_study
from leakage.training.transfer import Options, train_experiment

__all__ = [
    "Experiment",
    "Options",
    "Outcome",
    "Run",
    "Settings",
    "build_backbones",
    "choose_size_px",
    "comparing",
    "draw_further",
    "draw_study",
    "encode_labels",
    "experiments",
    "fit_model",
    "list_experiments",
    "load_parts",
    "outcomes",
    "pairs",
    "predict_scores",
    "pretrain_on_findings",
    "pretraining",
    "schedules",
    "score_counterfactuals",
    "score_extra",
    "score_outcome",
    "siamese",
    "starts",
    "study",
    "tabulate_outcomes",
    "tabulate_shares",
    "train_experiment",
    "train_heads",
    "train_protocol",
    "train_small_cnns",
    "transfer",
    "views",
]
