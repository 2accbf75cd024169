"""Factorial designs and their effects; use of a planted mark."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from statsmodels.formula import api

from leakage import evaluation, figures

LEVELS = ("off", "on")
SIX = {name: LEVELS for name in ("a", "b", "c", "d", "e", "f")}


def make_runs(design, effects, seeds=3, noise=0.01, seed=0):
    """Values of every configuration and seed: 0.7 plus half of each effect."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in design.to_dict("records"):
        signs = {name: 1 if row[name] == "on" else -1 for name in row}
        value = 0.7 + sum(effects.get(name, 0) / 2 * sign for name, sign in signs.items())
        rows += [{**row, "seed": s, "value": value + rng.normal(0, noise)} for s in range(seeds)]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("size, most", [(8, 7), (16, 8)])
def test_a_design_is_balanced_in_every_pair_of_factors(size, most):
    factors = {f"x{number}": (0, 1) for number in range(most)}
    design = evaluation.make_design(factors, size)
    assert len(design) == size == len(design.drop_duplicates())
    for first, second in itertools.combinations(factors, 2):
        assert (
            pd.crosstab(design[first], design[second]).to_numpy().tolist() == [[size // 4] * 2] * 2
        )


def test_a_design_says_what_it_cannot_tell_apart():
    assert "b x d" in evaluation.make_design(SIX, 8).attrs["aliases"]["a"]
    assert evaluation.make_design(SIX, 16).attrs["aliases"] == {}
    with pytest.raises(ValueError, match="Expected 3 to 7 factors.*Received: 8 factors"):
        evaluation.make_design({f"x{n}": (0, 1) for n in range(8)}, 8)
    with pytest.raises(ValueError, match=r"one of \[8, 16\].*12"):
        evaluation.make_design(SIX, 12)


def test_planted_effects_are_found_and_absent_ones_are_not():
    design = evaluation.make_design(SIX, 16)
    found = evaluation.estimate_effects(make_runs(design, {"a": 0.1, "d": -0.06}), SIX)
    found = found.set_index("factor")
    assert found.loc["a", "lower"] < 0.1 < found.loc["a", "upper"] and found.loc["a", "lower"] > 0
    assert found.loc["d", "upper"] < 0 and found.loc["d", "p_adjusted"] < 0.001
    assert found.loc[["b", "c", "e", "f"], "p_adjusted"].min() > 0.05
    assert found["run_sd"].iloc[0] == pytest.approx(0.01, rel=0.4)


def test_effects_are_those_of_a_linear_model_of_all_configurations():
    runs = make_runs(evaluation.make_design(SIX, 8), {"b": 0.05}, noise=0.02)
    found = evaluation.estimate_effects(runs, SIX).set_index("factor")
    coded = runs.assign(**{name: (runs[name] == "on").astype(float) for name in SIX})
    coded["cell"] = coded[list(SIX)].astype(str).sum(axis=1)
    means = api.ols("value ~ a + b + c + d + e + f", coded).fit()
    pure = api.ols("value ~ C(cell)", coded).fit()  # spread of equal runs alone
    for name in SIX:
        assert found.loc[name, "effect"] == pytest.approx(means.params[name])
    assert found["run_sd"].iloc[0] == pytest.approx(np.sqrt(pure.mse_resid))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    design = evaluation.make_design(SIX, 8)
    hits = []
    for seed in range(15):
        runs = make_runs(design, {"c": 0.03}, seeds=2, noise=0.02, seed=seed)
        row = evaluation.estimate_effects(runs, SIX).set_index("factor").loc["c"]
        hits.append(row["lower"] <= 0.03 <= row["upper"])
    assert np.mean(hits) >= 0.8


def test_one_seed_gives_effects_without_an_interval():
    runs = make_runs(evaluation.make_design(SIX, 8), {"a": 0.1}, seeds=1)
    found = evaluation.estimate_effects(runs, SIX)
    assert found[["lower", "upper", "p_value", "p_adjusted", "run_sd"]].isna().all().all()
    scores = evaluation.list_effect_scores(found, "S4")
    assert scores["metric"].tolist() == ["main_effect"] * 6 + ["run_to_run_deviation"]


def test_missing_and_doubled_runs_are_refused():
    runs = make_runs(evaluation.make_design(SIX, 8), {})
    for wrong in (runs.iloc[1:], pd.concat([runs, runs.iloc[:1]])):
        with pytest.raises(ValueError, match="every configuration with every seed, once"):
            evaluation.estimate_effects(wrong, SIX)
    unknown = runs.assign(value=runs["value"].where(runs.index != 3))
    with pytest.raises(ValueError, match="a value of every run.*Received: 1 missing"):
        evaluation.estimate_effects(unknown, SIX)
    lopsided = runs[runs["a"] == "on"]
    with pytest.raises(ValueError, match="not balanced.*'a'"):
        evaluation.estimate_effects(lopsided, SIX)


def make_scores(right):
    return np.where(np.asarray(right)[:, None], [0.9, 0.1], [0.1, 0.9])


def test_a_mark_that_is_read_is_called_used_and_one_that_is_not_is_bounded():
    test = pd.DataFrame({"label": ["covid"] * 40})
    used = evaluation.measure_mark_use(
        test, make_scores([True] * 40), make_scores([False] * 40), ["covid", "normal"]
    )
    assert used["verdict"] == "still used" and used["difference"] == 1.0
    same = make_scores([True] * 30 + [False] * 10)
    unused = evaluation.measure_mark_use(test, same, same, ["covid", "normal"])
    assert unused["verdict"] == "use not shown" and 0.02 < unused["upper"] < 0.1
    rows = pd.DataFrame([used, unused]).assign(variant=["x", "y"], seed=27)
    listed = evaluation.list_mark_scores(rows)
    assert listed["metric"].tolist() == ["swapped_accuracy", "mark_use"] * 2
    with pytest.raises(ValueError, match="same images twice.*40 images, 40 and 39 scores"):
        evaluation.measure_mark_use(test, same, same[:39], ["covid", "normal"])


def test_the_paired_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(400):
        b, c, _ = rng.multinomial(60, [0.2, 0.05, 0.75])
        lower, upper = evaluation.paired_interval(b, c, 60)
        hits.append(lower <= 0.15 <= upper)
    assert 0.92 <= np.mean(hits) <= 0.99


def test_effects_are_drawn_with_their_yardstick_and_the_published_ones():
    found = evaluation.estimate_effects(make_runs(evaluation.make_design(SIX, 8), {}), SIX)
    _, ax = plt.subplots()
    figures.draw_effects(ax, found.assign(published=[0.01] + [np.nan] * 5))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any("published" in text for text in texts) and any("run-to-run" in t for t in texts)
    assert ax.get_yticklabels()[0].get_text() == "a: off → on"
    with pytest.raises(ValueError, match="nothing to draw.*'lower'"):
        figures.draw_effects(ax, found.drop(columns="lower"))
    plt.close("all")


def test_quality_is_drawn_by_class_and_missing_values_are_left_out():
    _, ax = plt.subplots()
    values = [1.0, 2.0, np.nan, 4.0, 5.0]
    figures.draw_quality(ax, values, list("aabbb"), bounds=(0.0, 6.0))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "a, n = 2, median 1.50" in texts and "b, n = 2, median 4.50" in texts
    with pytest.raises(ValueError, match="no quality to draw.*0 known"):
        figures.draw_quality(ax, [np.nan], ["a"])
    plt.close("all")
