"""Scores, intervals, verdicts and energy of explanations: what a test set can say, and how surely.

scikit-learn's definitions throughout; the patient-cluster bootstrap is the part that no library
has.
"""

from leakage.evaluation.energy import measure_energy_in_mask, summarize_energy
from leakage.evaluation.factors import estimate_effects, make_design
from leakage.evaluation.imbalance import bound_hits, score_majority, weigh_recalls
from leakage.evaluation.marks import measure_mark_use
from leakage.evaluation.paired import compare_runs
from leakage.evaluation.records import (
    list_comparison_scores,
    list_effect_scores,
    list_energy_scores,
    list_mark_scores,
    list_reliance_scores,
)
from leakage.evaluation.reliance import (
    find_worst_group,
    measure_reliance,
    tabulate_counterfactuals,
)
from leakage.evaluation.runs import (
    describe_obstacles,
    describe_provenance,
    make_predictions,
    score_pair,
    score_runs,
    tabulate_scores,
)
from leakage.evaluation.scores import (
    find_never_predicted,
    score_one_against_rest,
    score_predictions,
)
from leakage.evaluation.seeds import summarize_seeds
from leakage.evaluation.steps import tabulate_steps
from leakage.evaluation.verdicts import Verdict, find_detectable_shares, judge_result
from leakcard.intervals import (
    McNemar,
    bootstrap_interval,
    draw_resamples,
    fisher_test,
    mcnemar_test,
    newcombe_interval,
    paired_interval,
    trend_test,
    wilson_interval,
)

__all__ = [
    "McNemar",
    "Verdict",
    "bootstrap_interval",
    "bound_hits",
    "compare_runs",
    "describe_obstacles",
    "describe_provenance",
    "draw_resamples",
    "estimate_effects",
    "find_detectable_shares",
    "find_never_predicted",
    "find_worst_group",
    "fisher_test",
    "judge_result",
    "make_design",
    "make_predictions",
    "mcnemar_test",
    "list_comparison_scores",
    "list_effect_scores",
    "list_energy_scores",
    "list_mark_scores",
    "list_reliance_scores",
    "measure_energy_in_mask",
    "measure_mark_use",
    "measure_reliance",
    "newcombe_interval",
    "paired_interval",
    "score_majority",
    "score_one_against_rest",
    "score_pair",
    "score_predictions",
    "score_runs",
    "summarize_energy",
    "summarize_seeds",
    "tabulate_counterfactuals",
    "trend_test",
    "tabulate_scores",
    "tabulate_steps",
    "weigh_recalls",
    "wilson_interval",
]
