"""Fit heads on the feature bank and small networks on pixels, with seeds that reach everything."""

from leakage.training.fitting import (
    EpochBar,
    encode_labels,
    free_memory,
    generate_batches,
    is_worth_compiling,
    predict_scores,
)
from leakage.training.heads import Settings, score_counterfactuals, train_heads, train_protocol
