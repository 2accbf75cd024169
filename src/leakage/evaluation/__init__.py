"""Scores, intervals, verdicts and energy of explanations: what a test set can say, and how surely.

scikit-learn's definitions throughout; the patient-cluster bootstrap is the part that no library
has.
"""

from leakage.evaluation.counterfactuals import (
    find_worst_group,
    tabulate_counterfactuals,
)
from leakage.evaluation.energy import measure_energy_in_mask, summarize_energy
from leakage.evaluation.factors import estimate_effects, make_design
from leakage.evaluation.imbalance import bound_hits, score_majority, weigh_recalls
from leakage.evaluation.marks import measure_mark_use
from leakage.evaluation.paired import compare_runs
from leakage.evaluation.records import (
    list_comparison_scores,
    list_counterfactual_scores,
    list_effect_scores,
    list_energy_scores,
    list_mark_scores,
    list_worth_scores,
)
from leakage.evaluation.runs import (
    describe_obstacles,
    describe_provenance,
    make_predictions,
    score_pair,
    score_runs,
    show_score,
    tabulate_scores,
)
from leakage.evaluation.scores import (
    find_never_predicted,
    score_one_against_rest,
    score_predictions,
)
from leakage.evaluation.seeds import summarize_seeds
from leakage.evaluation.verdicts import find_detectable_shares, judge_result
from leakage.evaluation.worth import DrawScores, Worth, estimate_worth, score_draws, tabulate_worth
from leakcard.intervals import (
    McNemar,
    bootstrap_interval,
    draw_resamples,
    fisher_test,
    mcnemar_test,
    newcombe_interval,
    paired_interval,
    wilson_interval,
)

__all__ = [
    "DrawScores",
    "McNemar",
    "Worth",
    "bootstrap_interval",
    "bound_hits",
    "compare_runs",
    "describe_obstacles",
    "describe_provenance",
    "draw_resamples",
    "estimate_effects",
    "estimate_worth",
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
    "list_counterfactual_scores",
    "list_worth_scores",
    "measure_energy_in_mask",
    "measure_mark_use",
    "newcombe_interval",
    "paired_interval",
    "score_draws",
    "score_majority",
    "score_one_against_rest",
    "score_pair",
    "score_predictions",
    "score_runs",
    "show_score",
    "summarize_energy",
    "summarize_seeds",
    "tabulate_counterfactuals",
    "tabulate_scores",
    "tabulate_worth",
    "weigh_recalls",
    "wilson_interval",
]
