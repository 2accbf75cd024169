"""Fit heads on the feature bank and small networks on pixels, with seeds that reach everything."""

from leakage.training.fitting import Run, encode_labels, fit_model, predict_scores
from leakage.training.heads import Settings, score_counterfactuals, train_heads, train_protocol
from leakage.training.small_cnn import train_small_cnns

__all__ = [
    "Run",
    "Settings",
    "encode_labels",
    "fit_model",
    "predict_scores",
    "score_counterfactuals",
    "train_heads",
    "train_protocol",
    "train_small_cnns",
]
