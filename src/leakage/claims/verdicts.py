"""The verdict on every published claim, by intervals alone, and why there is none."""

import functools

import numpy as np

from leakage import evaluation, paths, published, report
from nbrun import parameters

NOT_RUN, NOT_COMPARABLE = "not run", "not comparable"
DISAGREE = "our runs disagree"
UNCHANGED = 0.05  # an effect within counts as none, as in `evaluation.judge_result`
WOLVES = "02"
SUBSET = "resized copies of a subset of the images"
# Parameters of notebooks that are part of a recipe; a default of None is the published value.
RECIPE = (
    "size_px size_fraction num_views num_feature_views num_pixel_views num_epochs "
    "num_epochs_single ablation_epochs ablation_fraction batch_size batch_sizes learning_rates "
    "feature_scaling num_filters num_pairs images_per_batch dropouts"
).split()
USUAL = {"num_views": "a fresh one an epoch (the ancestor kept one, too)"}


@functools.cache
def _read_defaults(notebook):
    path = paths.ROOT / "notebooks" / f"{notebook}.ipynb"
    return parameters.read_declared(path) if path.is_file() else {}


def list_changes(group):
    """Say in what images and parameters of a run's notebook are not as published.

    The defaults of the notebooks are as published.

    Returns
    -------
    list of str
        One an image set or parameter.
    """
    changes = [] if group.notebook.startswith(WOLVES) else [SUBSET]
    for name, declared in _read_defaults(group.notebook).items():
        used = group.settings.get(name, declared.default)
        if name in RECIPE and used != declared.default:
            usual = USUAL.get(name, declared.default)
            usual = "the published" if usual is None else usual
            changes.append(f"{name} {used} instead of {usual}")
    return changes


def describe_changes(group, system):
    """Say what beside the network is not as published; refer to `list_changes` for a run."""
    told = group.rows[group.rows["claim"].notna()]
    if len(told):
        return report.run_claims.show(told["reason"].iloc[0])
    recipe = list_changes(group) and f"images and recipe of {group.place} (below)"
    return ", ".join(filter(None, [published.OTHER_IMAGES.get(system), recipe]))


def judge_claim(claim, found):
    """Judge a claim by the nearest answer, unless another contradicts it.

    Parameters
    ----------
    claim : Claim
    found : list of Answer
        The nearest first.

    Returns
    -------
    tuple of (str, str)
        The verdict, and why it is none or what differs; a verdict is never empty.
    """
    if not found:
        return NOT_RUN, ""
    told = [_judge_answer(claim, answer) for answer in found]
    disagree = {"same sign", "opposite sign"} <= {verdict for verdict, _ in told}
    return (DISAGREE, told[0][1]) if disagree else told[0]


def _judge_answer(claim, answer):
    judged = published.RESULTS.get(claim.key) if claim.kind in ("score", "classes") else None
    reasons = [answer.obstacle]
    for group in dict.fromkeys(answer.groups):
        changes = describe_changes(group, claim.system)
        network = evaluation.describe_obstacles("real", group.backbone, group.weights, judged)
        if not judged and group.backbone not in ("", *claim.networks):
            other = f"{group.backbone} instead of {' and '.join(claim.networks)}"
            network = ", ".join(filter(None, [other, network]))
        reasons += [network] * (network not in changes) + [changes]
    if judged and judged.n is None:
        reasons.append("published without the number of test images")
    has_interval = not np.isnan(answer.score.lower + answer.score.upper)
    if not (judged or has_interval):
        reasons.insert(0, "no interval in the records")
    why = ", ".join(filter(None, dict.fromkeys(reasons)))
    if not judged:
        is_random = any(group.weights.startswith("random") for group in answer.groups)
        if answer.obstacle or is_random or not has_interval:
            return NOT_COMPARABLE, why
        return judge_sign(claim, answer.score), why
    if why:
        return NOT_COMPARABLE, why
    if claim.kind == "score":
        return judge_count(answer, judged), ""
    return judge_classes(answer.groups[0], judged)


def judge_sign(claim, score):
    """The verdict on an effect or a statement by the interval of ours alone."""
    lower, upper = score.lower - claim.than, score.upper - claim.than
    sign = int(lower > 0) - int(upper < 0)
    if claim.sign:
        return {0: "not shown", claim.sign: "same sign"}.get(sign, "opposite sign")
    if -UNCHANGED < lower and upper < UNCHANGED:
        return "equivalent"
    return {0: "compatible, not equivalent", 1: "above", -1: "below"}[sign]


def judge_count(answer, result):
    """The verdict on k of n, recomputed: on the published images with the k of all seeds."""
    score = answer.score
    counts = [round(value * score.n) for value in score.seeds] if result.same_images else None
    return evaluation.judge_result(
        int(score.k), int(score.n), result.k, result.n, same_images=counts
    )


def judge_classes(group, result):
    """The verdict on each recall and precision of a published confusion matrix."""
    if not result.confusion:
        return NOT_COMPARABLE, "published without the counts of each class"
    matrix, told = np.array(result.confusion), []
    for metric, axis in (("recall", 1), ("precision", 0)):
        for position, name in enumerate(result.class_names):
            ours = group.find(metric, name)
            k, n = int(matrix[position, position]), int(matrix.sum(axis=axis)[position])
            verdict = "undefined"  # the precision of a class that is never predicted
            if ours and ours.n > 0:
                verdict = evaluation.judge_result(int(ours.k), int(ours.n), k, n)
            told.append(f"{metric} {name} {verdict}")
    return "; ".join(told), ""
