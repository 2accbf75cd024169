"""L1.3: was anything chosen by its score on the test set? Answered from a training record."""

from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

QUESTION = (
    "Were features, hyperparameters, the epoch and the model to report chosen without a look at "
    "the test set? How many were tried? (--record lets this be checked.)"
)
# Parts of the names of scores of which less, or else more, is better.
LESS_IS_BETTER = ("loss", "error", "mae", "mse", "brier", "entropy", "perplexity", "nll")
MORE_IS_BETTER = (
    *("acc", "auc", "auroc", "f1", "precision", "recall", "sensitivity", "specificity"),
    *("dice", "iou", "kappa", "mcc"),
)
FIX = "Choose on validation images; score the one chosen model on the test set once."


RULES = (
    Rule(
        code="L1.3",
        checks=("selection",),
        title="Chosen without the test set",
        looks_at="A training record (`--record`): on which split, and by which images, the epoch, "
        "the settings or the network were chosen, and whether the chosen candidate leads on the "
        "test set but not on validation.",
        cannot_see="Anything without a record; choices made by a person who had seen test scores; "
        "candidates that were not written down.",
        wrong_when="The candidate that was rightly chosen on the split of the record is missing "
        "from its list, or two candidates differ by chance only.",
        what_to_do="Choose on validation images, score the one chosen model on the test set once, "
        "and say how many were tried.",
    ),
)


def check_selection(table, record):
    """L1.3: what the model was chosen on, by its record."""
    row = {"code": "L1.3", "check": "selection", "title": "Chosen without the test set"}
    selection = (record or {}).get("selection")
    if not selection:
        reason = "Images do not show how a model was chosen, and no training record was given."
        return card_rows.ask(row, reason, QUESTION)
    chosen_on = str(selection.get("on", "")).strip().lower()
    if chosen_on == "test":
        metric = selection.get("metric", "a score")
        return Row(
            **row,
            status="fail",
            figure=f"chosen by {metric} on the test set",
            reason="The record says so. The best of many test scores is too good.",
            action=FIX,
        )
    test = table[table["split"] == "test"]
    outside = set(table.loc[table["split"] != "test", "sha256"].dropna())
    used = set(selection.get("images") or ()) & (set(test["sha256"].dropna()) - outside)
    if used:
        concerned = test.loc[test["sha256"].isin(used), "image_id"]
        return Row(
            **row,
            **card_rows.name_images(concerned),
            status="fail",
            figure=f"{len(used)} test images are among those it was chosen on",
            value=len(used),
            reason="The record's own list of images says so.",
            action=FIX,
        )
    candidates = [one for one in selection.get("candidates") or () if isinstance(one, dict)]
    less_is_better, assumed = _find_direction(selection)
    best_of_test = _find_best_of_test(candidates, selection.get("chosen"), less_is_better)
    if best_of_test:
        return Row(
            **row,
            status="fail",
            figure=best_of_test,
            action=FIX,
            reason="The chosen candidate is the best on the test set and not the best on "
            f"validation.{assumed}",
        )
    if chosen_on not in ("val", "validation", "train", "cross-validation"):
        return card_rows.ask(row, "The record does not say on what the choice was made.", QUESTION)
    figure = f"chosen on {chosen_on}" + (f" among {len(candidates)}" if candidates else "")
    reason = f"The record says so.{assumed if candidates else ''}"
    return Row(**row, status="pass", figure=figure, reason=reason)


def _find_direction(selection):
    """Whether less of the metric is better, and what to say where that is not known."""
    if isinstance(selection.get("lower_is_better"), bool):
        return selection["lower_is_better"], ""
    metric = str(selection.get("metric", "the score"))
    name = metric.lower()
    is_negated = name.startswith("neg_")  # as scikit-learn names a loss of which more is better
    if any(part in name for part in LESS_IS_BETTER):
        return not is_negated, ""
    if any(part in name for part in MORE_IS_BETTER):
        return False, ""
    return False, f" Of {metric} more was taken to be better: the record does not say."


def _find_best_of_test(candidates, chosen, less_is_better):
    """Say that the chosen one leads on the test set only; empty if it does not."""
    scored = [one for one in candidates if "test" in one and "val" in one]
    found = [one for one in scored if one.get("name") == chosen]
    if len(scored) < 2 or not found:
        return ""
    sign = -1 if less_is_better else 1
    best = {part: max(sign * one[part] for one in scored) for part in ("val", "test")}
    if sign * found[0]["test"] < best["test"] or sign * found[0]["val"] >= best["val"]:
        return ""
    return (
        f"{chosen}: best of {len(scored)} on the test set ({found[0]['test']:.3g}), "
        f"{found[0]['val']:.3g} on validation where another has {sign * best['val']:.3g}"
    )
