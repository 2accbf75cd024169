"""Ours: where the records of real images tell of a published claim."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from leakage import evaluation, report
from leakage.claims import verdicts

GROUP = ["run", "notebook", "protocol", "variant", "backbone", "weights"]
# Networks of one family, which differ in three convolutions.
KIN = {"vgg19": "vgg16", "vgg16": "vgg19"}


class Score(NamedTuple):
    """A value of ours with its interval and what it rests on."""

    value: float
    lower: float
    upper: float
    k: float = np.nan
    n: float = np.nan
    seeds: tuple = ()  # the values of all seeds, of every draw
    num_draws: int = 1


class Answer(NamedTuple):
    """Ours, from the groups of records that it was found in."""

    score: Score
    groups: tuple
    obstacle: str
    rank: tuple


class Group:
    """The records of one variant of one run."""

    def __init__(self, key, rows, settings):
        self.run, self.notebook, self.protocol, self.variant, self.backbone, self.weights = key
        self.rows, self.settings = rows, settings
        self.place = f"{self.run} {self.notebook[:2]}"
        self.claims = set(rows["claim"].dropna())
        declared = rows.sort_values("metric", key=lambda name: name != "accuracy", kind="stable")
        self.seed = declared["seed"].iloc[0]

    def matches(self, asked, key=""):
        """Whether it is what was asked for, by name or by the result that it was judged against."""
        named = self.notebook[:2] == asked.notebook and self.variant == asked.variant
        named = named and asked.protocol in ("", self.protocol)
        return named or key in self.claims

    def find(self, metric, class_name="all"):
        """The score of the declared seed; None where it is not recorded."""
        if metric in DERIVED:
            return DERIVED[metric](self, class_name)
        rows = self.rows[(self.rows["metric"] == metric) & (self.rows["class"] == class_name)]
        own = rows[rows["seed"].isna() | (rows["seed"] == self.seed).fillna(False)]
        if own.empty:
            return None
        own = own[own["draw_seed"].isna() | (own["draw_seed"] == own["draw_seed"].iloc[0])]
        widest = (own["upper"] - own["lower"]).astype(float).fillna(-1).argmax()
        bounds, counted = own.iloc[widest], own.iloc[0]
        seeds = tuple(rows.drop_duplicates(["draw_seed", "seed"])["value"])
        if rows["seed"].isna().all():  # an effect over all seeds
            seeds = tuple(self.settings.get("ablation_seeds", ()))
        ends = (float(bounds[name]) for name in ("lower", "upper"))
        counts = (float(counted[name]) if pd.notna(counted[name]) else np.nan for name in "kn")
        draws = max(rows["draw_seed"].nunique(), 1)
        return Score(float(counted["value"]), *ends, *counts, seeds, draws)


def combine(scores, weights):
    """Weighted sum of independent scores; each interval gives its part (Zou & Donner 2008).

    For two shares with Wilson intervals and weights 1 and -1 this is Newcombe's interval.
    """
    value, below, above = 0.0, 0.0, 0.0
    for score, weight in zip(scores, weights, strict=True):
        ends = sorted((weight * score.lower, weight * score.upper))
        value += weight * score.value
        below += (weight * score.value - ends[0]) ** 2
        above += (ends[1] - weight * score.value) ** 2
    first, *others = scores
    n = first.n if all(other.n == first.n for other in others) else np.nan
    seeds = min((score.seeds for score in scores), key=len)
    ends = value - below**0.5, value + above**0.5
    return Score(value, *ends, np.nan, n, seeds, first.num_draws)


def _find_lead(group, _):
    """Accuracy minus the share of the largest class."""
    score, chance = group.find("accuracy"), group.find("chance")
    if not score or not chance:
        return None
    ends = (end - chance.value for end in (score.value, score.lower, score.upper))
    return score._replace(**dict(zip(("value", "lower", "upper"), ends, strict=True)))


def _find_errors_without(group, class_name):
    """Share of the errors that are neither of this class nor called so."""
    right, recall = group.find("accuracy"), group.find("recall", class_name)
    called = group.find("precision", class_name)
    if not (right and recall and called):
        return None
    errors = right.n - right.k
    if not errors:
        return None
    between = errors - (recall.n - recall.k) - (called.n - called.k)
    ends = evaluation.wilson_interval(between, errors)
    return Score(between / errors, *ends, between, errors, right.seeds, right.num_draws)


def _find_macro(group, name):
    """Mean precision or recall of all classes."""
    if name == "recall":
        return group.find("balanced_accuracy")
    classes = group.rows.loc[group.rows["metric"] == name, "class"].unique()
    scores = [group.find(name, each) for each in classes]
    return combine(scores, [1 / len(scores)] * len(scores)) if scores else None


DERIVED = {"lead": _find_lead, "errors_without": _find_errors_without, "macro": _find_macro}


def read_results(results_dir):
    """Read the records of real images of every run.

    Parameters
    ----------
    results_dir : str or Path

    Returns
    -------
    list of Group
    """
    groups = []
    for run_dir in sorted(path for path in Path(results_dir).iterdir() if path.is_dir()):
        records = report.collect_records(run_dir)
        records = records[records["data_source"] == "real"].assign(run=run_dir.name)
        path = run_dir / "environment.json"
        settings = json.loads(path.read_text("utf-8"))["notebooks"] if path.is_file() else {}
        for key, rows in records.groupby(GROUP, dropna=False, sort=False):
            key = tuple(map(report.run_claims.show, key))
            groups.append(Group(key, rows, settings.get(key[1], {})))
    return groups


def rank_group(group, networks):
    """How far a network is from the published ones: 0 is one of them, with weights of its kind.

    Then its family, any pretrained network, the published one with random weights, and others
    with random weights: what a network has learnt changes more than its form.
    """
    if group.weights.startswith("random"):
        return 3 + (group.backbone not in networks)
    if group.backbone in networks:
        return 0
    return 1 if group.backbone in {KIN.get(name) for name in networks} else 2


def find_answers(claim, groups):
    """All of ours that tell of a claim, the nearest first.

    Returns
    -------
    list of Answer
        One a run and alternative at most.
    """
    key = claim.key if claim.kind in ("score", "classes") else ""
    answers = []
    for number, asked in enumerate(claim.ours):
        for run in dict.fromkeys(group.run for group in groups):
            found = []
            for one in asked:
                own = [group for group in groups if group.run == run and group.matches(one, key)]
                own = [group for group in own if group.find(one.metric, one.class_name)]
                own.sort(key=lambda group: (rank_group(group, claim.networks), group.notebook))
                found += own[:1]
            if len(found) < len(asked):
                continue
            score = _find_paired(asked, found, groups) if len(asked) == 2 else None
            if score is None:
                scores = [
                    group.find(one.metric, one.class_name)
                    for one, group in zip(asked, found, strict=True)
                ]
                score = scores[0] if len(scores) == 1 else combine(scores, (1, -1))
            obstacle = ", ".join(filter(None, (one.obstacle for one in asked)))
            furthest = max(rank_group(group, claim.networks) for group in found)
            changes = max(len(verdicts.list_changes(group)) for group in found)
            rank = (bool(obstacle), furthest, number, changes, run)
            answers.append(Answer(score, tuple(found), obstacle, rank))
    return sorted(answers, key=lambda answer: answer.rank)


def _find_paired(asked, found, groups):
    """The recorded difference, image by image, of two variants of one run; None without one."""
    if {one.metric for one in asked} != {"accuracy"}:
        return None
    first, second = (group.variant for group in found)
    for group in groups:
        here = (group.run, group.notebook) == (found[0].run, found[0].notebook)
        if not here or group.variant not in (f"{first} against {second}",
                                             f"{second} against {first}"):  # fmt: skip
            continue
        score = group.find("paired_difference")
        if not score or not score.lower < score.upper:  # no spread: no resample differs
            return None
        if group.variant.startswith(f"{second} against"):
            score = combine([score], [-1])
        return score._replace(n=found[0].find("accuracy").n)
    return None
