"""Every published claim beside what the committed results say of it, as text."""

import numpy as np
import pandas as pd

from leakage import published, report
from leakage.claims import answers, listed, verdicts

HEADINGS = {
    "says": "claim", "published": "published", "ours": "ours", "n": "n", "draws": "draws",
    "seeds": "seeds", "interval": "95 % interval", "verdict": "verdict", "run": "run",
    "why": "why, what differs, what it would take",
}  # fmt: skip
COUNTS = """\
{scores} scores have a verdict, and {signs} effects and statements one by their sign alone: {same} \
as claimed, {opposite} the other way, {open} not shown (or our runs disagree); {not_comparable} \
are not comparable and {not_run} were not run"""
HOW = """\
**Scores** are judged as in every notebook (`evaluation.judge_result`, recomputed from k and n): \
*equivalent*, *above*, *below*, *compatible, not equivalent*; on the published photographs, with \
all seeds, *within* or *outside our seeds*. **Effects and statements** are judged by their sign \
alone: *same sign* or *opposite sign* where the 95 % interval excludes 0 (of the share of errors, \
one half), *our runs disagree* where two do so on either side, else *not shown*; where a source \
saw no effect, *equivalent* if the interval lies within 5 points either way, *above* or *below* if \
it excludes 0. A sign is asked of real images and of weights that are not random; whatever else \
differs stands beside it and may be why. *Not comparable* names the reasons, *not run* what it \
would take. Phantoms give no verdict.

The seed declared beforehand is judged. Intervals: the wider of Wilson's and that over patients; \
of a difference the recorded one image by image, else the two intervals combined as if the images \
were others (Newcombe's way; too wide where they are the same); of the ablation over seeds, each \
effect counted together with products of two others. Of several runs the one with the published \
network is judged, then with one of its family, then with any pretrained one, then with random \
weights: what a network has learnt changes more than its form; of equally near ones the one of \
whose recipe least is changed (see the end), then the first by name. Intervals are over images, \
not over trainings: another seed, processor or number of threads can move what is trained on \
pixels by more."""


def list_claims(results_dir):
    """Every published claim with ours and the verdict, as text.

    Parameters
    ----------
    results_dir : str or Path

    Returns
    -------
    DataFrame of shape (n_claims, 13)
        `key`, `kind`, `system`, and the columns of `HEADINGS`.
    """
    groups, rows = answers.read_results(results_dir), []
    for claim in listed.CLAIMS:
        found = answers.find_answers(claim, groups)
        verdict, why = verdicts.judge_claim(claim, found)
        takes = claim.takes if verdict in (verdicts.NOT_RUN, verdicts.NOT_COMPARABLE) else ""
        row = {"key": claim.key, "kind": claim.kind, "system": claim.system, "says": claim.says}
        row |= {"published": show_published(claim)}
        row |= show_answers(claim, found) if found else {}
        takes = takes and f"It would take: {takes}"
        rows.append(row | {"verdict": verdict, "why": ". ".join(filter(None, (why, takes)))})
    columns = ["key", "kind", "system", *HEADINGS]
    return pd.DataFrame(rows, columns=columns, dtype=object).fillna("")


def show_published(claim):
    """The published value, with the size of its test set where the source has it."""
    result = published.RESULTS.get(claim.key)
    if claim.kind == "classes":
        return _show_classes(result, lambda _, __, value: f"{value:.3f}".removesuffix("0"))
    if claim.kind != "score":
        return claim.published or "in words"
    if result.n is None:
        return f"{result.value:.3f}"
    about = "" if result.exact else "about "
    return f"{result.value:.3f} ({about}{result.k:,} of {result.n:,})"


def show_answers(claim, found):
    """Ours as text, and the runs it was found in."""
    score, group = found[0].score, found[0].groups[0]
    num_seeds = len(score.seeds) // score.num_draws
    row = {"run": group.place, "draws": str(score.num_draws), "seeds": str(num_seeds)}
    row |= {"n": "" if np.isnan(score.n) else f"{score.n:.0f}"}
    if claim.kind == "classes":

        def show(metric, name, _, bounds=False):
            # an area that was drawn from hard labels is the balanced accuracy
            hard = metric == "roc_auc"
            own = group.find("balanced_accuracy") if hard else group.find(metric, name)
            if own is None:
                return "not recorded"
            if not bounds:
                return f"{own.value:.3f}"
            # no interval where every resample gives 1
            return "none" if np.isnan(own.lower) else f"{own.lower:.2f}-{own.upper:.2f}"

        result = published.RESULTS[claim.key]
        row["ours"] = _show_classes(result, show)
        row["interval"] = _show_classes(result, lambda *name: show(*name, bounds=True))
        return row

    is_share = claim.kind == "score" or claim.than

    def show_number(value):
        return f"{value:.3f}" if is_share else f"{100 * value:+.1f}"

    def show_interval(score):
        known = not np.isnan(score.lower)
        return " to ".join(map(show_number, (score.lower, score.upper))) if known else ""

    values = [show_number(each.score.value) + " points" * (not is_share) for each in found]
    row["ours"] = values[0]
    for other, value in zip(found[1:], values[1:], strict=True):
        bounds = show_interval(other.score)
        row["run"] += f"; also {other.groups[0].run} {value}" + (bounds and f" ({bounds})")
    row["interval"] = show_interval(score)
    if not np.isnan(score.k):
        row["n"] = f"{score.k:.0f} of {score.n:.0f}"
    if claim.kind == "score" and num_seeds > 1:
        row["seeds"] += f" ({min(score.seeds):.3f} to {max(score.seeds):.3f})"
    return row


def _show_classes(result, show):
    parts = []
    for metric, of_class in result.class_scores.items():
        told = (f"{name} {show(metric, name, value)}" for name, value in of_class.items())
        parts.append(f"{metric}: {', '.join(told)}")
    return "; ".join(parts)


def count_verdicts(table):
    """How many of `list_claims` have which verdict.

    Returns
    -------
    dict of str to int
        `claims`, `scores` and `signs` that have one, of the signs `same`, `opposite` and `open`,
        `not_comparable`, `not_run`.
    """
    counts = table["verdict"].value_counts()
    is_score = table["kind"].isin(["score", "classes"])
    is_real = ~table["verdict"].isin([verdicts.NOT_RUN, verdicts.NOT_COMPARABLE])
    signs = int((is_real & ~is_score).sum())
    same, opposite = int(counts.get("same sign", 0)), int(counts.get("opposite sign", 0))
    return {
        "claims": len(table),
        "scores": int((is_real & is_score).sum()),
        "signs": signs,
        "same": same,
        "opposite": opposite,
        "open": signs - same - opposite,
        "not_comparable": int(counts.get(verdicts.NOT_COMPARABLE, 0)),
        "not_run": int(counts.get(verdicts.NOT_RUN, 0)),
    }


def format_count(results_dir):
    """The count of verdicts in a sentence, for the README."""
    told = f"Of {{claims}} claims of the five published systems {COUNTS}: [claim by claim]"
    return told.format(**count_verdicts(list_claims(results_dir))) + "(results/claims.md).\n"


def format_claims(results_dir):
    """`results/claims.md` as text."""
    table = list_claims(results_dir)
    counts = count_verdicts(table)
    parts = [
        "# Every published claim",
        ("Of {claims} claims of five systems " + COUNTS + ".").format(**counts),
        HOW,
    ]
    for system, rows in table.groupby("system"):
        parts.append(f"## {system}\n\n{listed.SOURCES[system]}")
        parts.append(report.format_markdown(rows[list(HEADINGS)].rename(columns=HEADINGS)).strip())
    recipes = {group.place: group for group in answers.read_results(results_dir)}
    told = ((place, ", ".join(verdicts.list_changes(group))) for place, group in recipes.items())
    parts.append("## Images and recipes of the runs, where they are not the published ones")
    parts.append("\n".join(f"- **{place}**: {recipe}" for place, recipe in told if recipe))
    return "\n\n".join(parts) + "\n"
