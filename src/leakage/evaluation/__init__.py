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
    score_one_against_rest,
    score_predictions,
)
from leakage.evaluation.seeds import summarize_seeds
from leakage.evaluation.verdicts import find_detectable_shares, judge_result
from leakage.evaluation.worth import estimate_worth, score_draws, tabulate_worth
from leakcard.intervals import (
    bootstrap_interval,
    draw_resamples,
    fisher_test,
    mcnemar_test,
    newcombe_interval,
    paired_interval,
    wilson_interval,
)
