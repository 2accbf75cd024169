import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

from leakage import evaluation, published

NAMES = ("covid", "normal", "pneumonia")


def make_predictions(num_images=140, seed=0, margin=0.6, num_classes=3, decimals=None):
    rng = np.random.default_rng(seed)
    y_true = np.arange(num_images) % num_classes
    scores = rng.random((num_images, num_classes))
    scores[np.arange(num_images), y_true] += margin
    if decimals is not None:  # ties
        scores = scores.round(decimals)
    return y_true, scores


def get_value(frame, metric, name="all", column="value"):
    rows = frame[(frame["metric"] == metric) & (frame["class"] == name)]
    return rows.iloc[0][column]


# Intervals


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    [(125, 140, 83.1, 93.4), (129, 140, 86.5, 95.6), (72, 140, 43.2, 59.6),
     (18, 20, 69.9, 97.2), (14, 20, 48.1, 85.5), (0, 40, 0, 8.8)],
)  # fmt: skip
def test_wilson_intervals_of_the_published_results(k, n, lower, upper):
    np.testing.assert_allclose(
        np.multiply(evaluation.wilson_interval(k, n), 100), (lower, upper), atol=0.051
    )


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 7), (7, 7), (125, 140)])
def test_wilson_agrees_with_scipy(k, n):
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(evaluation.wilson_interval(k, n), expected, atol=1e-12)


def test_newcombe_agrees_with_its_formula():
    k1, n1, k2, n2 = 56, 70, 48, 80  # Newcombe 1998, Statistics in Medicine 17, 873: method 10
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = evaluation.wilson_interval(k1, n1), evaluation.wilson_interval(k2, n2)
    expected = (
        p1 - p2 - np.hypot(p1 - l1, u2 - p2),
        p1 - p2 + np.hypot(u1 - p1, p2 - l2),
    )
    np.testing.assert_allclose(evaluation.newcombe_interval(k1, n1, k2, n2), expected, atol=1e-12)
    np.testing.assert_allclose(expected, (0.0524, 0.3339), atol=5e-5)  # as printed there


def test_the_wolf_claim_does_not_rest_on_its_white_backgrounds():
    assert evaluation.fisher_test(18, 20, 14, 20) == pytest.approx(0.235, abs=0.0005)


def test_an_empty_sample_has_no_interval():
    assert np.isnan(evaluation.wilson_interval(0, 0)).all()
    assert np.isnan(evaluation.newcombe_interval(0, 0, 1, 2)).all()


@pytest.mark.parametrize(("k", "n"), [(5, 4), (-1, 4), (0.9, 1), (np.nan, 4)])
def test_a_rate_in_place_of_a_count_is_refused(k, n):
    with pytest.raises(ValueError, match=r"Expected integers with 0 <= k <= n.*Received: k="):
        evaluation.wilson_interval(k, n)


def test_mcnemar_is_a_binomial_test_of_the_images_that_only_one_model_gets_right():
    a = np.array([True] * 10 + [True] * 7 + [False] * 2 + [False])
    b = np.array([True] * 10 + [False] * 7 + [True] * 2 + [False])
    result = evaluation.mcnemar_test(a, b)
    assert result[:4] == (10, 7, 2, 1)
    assert result.p_value == pytest.approx(stats.binomtest(2, 9).pvalue)
    assert evaluation.mcnemar_test(a, a).p_value == 1.0


def test_mcnemar_refuses_different_images():
    with pytest.raises(ValueError, match="two models on the same images"):
        evaluation.mcnemar_test(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(ValueError, match="boolean"):
        evaluation.mcnemar_test(np.array([0, 2]), np.array([0, 1]))


# Bootstrap


def mean_of(values):
    return lambda weights: (weights @ values) / weights.sum(axis=1)


def test_patients_are_resampled_whole_and_in_any_row_order():
    groups = np.array(["p2", "p1", "p2", "p3", "p1", "p2"])
    weights = evaluation.draw_resamples(groups, 200, seed=3)
    assert (weights[:, groups == "p2"] == weights[:, [0]]).all()
    one_each = weights[:, [1, 0, 3]]
    assert (one_each.sum(axis=1) == 3).all()
    order = np.array([5, 0, 3, 1, 4, 2])
    again = evaluation.draw_resamples(groups[order], 200, seed=3)
    np.testing.assert_array_equal(again, weights[:, order])
    again[:] = 0  # a caller's own: what is drawn next is not changed
    np.testing.assert_array_equal(evaluation.draw_resamples(groups, 200, seed=3), weights)


def test_the_seed_decides_the_bootstrap():
    values = np.random.default_rng(0).random(30)
    intervals = [
        evaluation.bootstrap_interval(mean_of(values), np.arange(30), 200, s) for s in (1, 1, 2)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_the_cluster_bootstrap_covers_and_the_image_bootstrap_does_not():
    num_patients, num_images, truth = 60, 8, 0.7
    covered = {"patient": 0, "image": 0}
    groups = np.repeat(np.arange(num_patients), num_images)
    rng = np.random.default_rng(5)
    num_trials = 150
    for trial in range(num_trials):
        # All images of a patient are mostly right or mostly wrong: strong dependence.
        patient = rng.beta(0.7, 0.3, num_patients)
        correct = (rng.random(len(groups)) < patient[groups]).astype(float)
        for name, units in (("patient", groups), ("image", np.arange(len(groups)))):
            lower, upper = evaluation.bootstrap_interval(mean_of(correct), units, 300, trial)
            covered[name] += lower <= truth <= upper
    assert covered["patient"] / num_trials > 0.89
    assert covered["image"] / num_trials < 0.75


def test_a_missing_patient_is_refused():
    with pytest.raises(ValueError, match="1 of them missing"):
        evaluation.draw_resamples(np.array(["a", None, "b"], dtype=object))


# Scores


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("decimals", [None, 1])
def test_scores_agree_with_scikit_learn(num_classes, decimals):
    y_true, scores = make_predictions(num_classes=num_classes, decimals=decimals)
    names = NAMES[:num_classes]
    y_pred = scores.argmax(axis=1)
    frame = evaluation.score_predictions(y_true, scores, names, num_bootstrap=50)
    assert get_value(frame, "accuracy") == metrics.accuracy_score(y_true, y_pred)
    assert get_value(frame, "balanced_accuracy") == pytest.approx(
        metrics.balanced_accuracy_score(y_true, y_pred)
    )
    expected = metrics.precision_recall_fscore_support(y_true, y_pred)
    for index, name in enumerate(names):
        ours = [get_value(frame, metric, name) for metric in ("precision", "recall", "f1")]
        np.testing.assert_allclose(ours, [column[index] for column in expected[:3]])
    auc_names = names if num_classes > 2 else names[1:]
    areas = [metrics.roc_auc_score(y_true == names.index(n), scores[:, names.index(n)])
             for n in auc_names]  # fmt: skip
    np.testing.assert_allclose([get_value(frame, "roc_auc", n) for n in auc_names], areas)
    if num_classes > 2:
        assert get_value(frame, "roc_auc", "macro") == pytest.approx(np.mean(areas))
    else:
        assert set(frame.loc[frame["metric"] == "roc_auc", "class"]) == {"normal"}


def test_every_resample_agrees_with_scikit_learn_on_its_rows():
    y_true, scores = make_predictions(60, decimals=1)
    groups = np.arange(60) // 2
    num_bootstrap = 40
    frame = evaluation.score_predictions(y_true, scores, NAMES, groups, num_bootstrap, seed=7)
    samples = []
    for weights in evaluation.draw_resamples(groups, num_bootstrap, seed=7).astype(int):
        rows = np.repeat(np.arange(60), weights)
        y_pred = scores[rows].argmax(axis=1)
        samples.append([
            metrics.balanced_accuracy_score(y_true[rows], y_pred),
            metrics.f1_score(y_true[rows], y_pred, average=None, labels=[0, 1, 2])[1],
            metrics.roc_auc_score(y_true[rows] == 2, scores[rows, 2]),
        ])  # fmt: skip
    expected = np.quantile(samples, [0.025, 0.975], axis=0).T
    picked = [("balanced_accuracy", "all"), ("f1", "normal"), ("roc_auc", "pneumonia")]
    for (metric, name), bounds in zip(picked, expected, strict=True):
        ours = [get_value(frame, metric, name, column) for column in ("lower", "upper")]
        np.testing.assert_allclose(ours, bounds)


def test_the_published_confusion_matrix_gives_the_published_scores():
    result = published.RESULTS["paper_vgg19"]
    matrix = np.array(result.confusion)
    y_true = np.repeat(np.repeat([0, 1, 2], 3), matrix.ravel())
    y_pred = np.repeat(np.tile([0, 1, 2], 3), matrix.ravel())
    frame = evaluation.score_predictions(y_true, np.eye(3)[y_pred], NAMES, num_bootstrap=20)
    row = frame[frame["metric"] == "accuracy"].iloc[0]
    assert (row["k"], row["n"], row["interval"]) == (125, 140, "wilson")
    assert get_value(frame, "chance") == 50 / 140
    for metric, values in result.class_scores.items():
        for name, value in values.items():
            assert get_value(frame, metric, name) == pytest.approx(value, abs=0.001)


def test_accuracy_has_a_second_interval_by_patient():
    y_true, scores = make_predictions()
    groups = np.repeat(np.arange(28), 5)
    frame = evaluation.score_predictions(y_true, scores, NAMES, groups)
    rows = frame[frame["metric"] == "accuracy"].set_index("interval")
    assert list(rows.index) == ["wilson", "patient_bootstrap"]
    assert rows["value"].iloc[0] == rows["value"].iloc[1]
    assert (rows["lower"] < rows["value"]).all() and (rows["value"] < rows["upper"]).all()


def test_a_collapsed_head_is_counted_and_its_precision_is_undefined_not_zero():
    y_true, _ = make_predictions(30)
    scores = np.tile([0.2, 0.7, 0.1], (30, 1))
    frame = evaluation.score_predictions(y_true, scores, NAMES, num_bootstrap=50)
    assert get_value(frame, "num_classes_never_predicted") == 2
    assert np.isnan(get_value(frame, "precision", "covid"))
    assert get_value(frame, "recall", "covid") == 0
    assert get_value(frame, "f1", "covid") == 0
    assert get_value(frame, "roc_auc", "covid") == 0.5


def test_scores_of_a_class_that_the_test_set_lacks_are_undefined():
    y_true = np.array([0, 1] * 10)
    scores = np.random.default_rng(0).random((20, 3))
    frame = evaluation.score_predictions(y_true, scores, NAMES, num_bootstrap=50)
    for metric in ("recall", "f1", "roc_auc"):
        assert np.isnan(get_value(frame, metric, "pneumonia"))
        assert np.isnan(get_value(frame, metric, "pneumonia", "upper"))
    assert np.isnan(get_value(frame, "balanced_accuracy"))
    assert np.isnan(get_value(frame, "roc_auc", "macro"))
    assert get_value(frame, "recall", "covid") >= 0


def test_one_column_of_probabilities_is_the_second_of_two_classes():
    y_true, wolf = np.array([0, 1, 1, 0]), np.array([0.2, 0.7, 0.4, 0.1])
    frame = evaluation.score_predictions(y_true, wolf, ("husky", "wolf"), num_bootstrap=20)
    assert get_value(frame, "accuracy") == 0.75
    assert get_value(frame, "recall", "wolf") == 0.5
    assert get_value(frame, "roc_auc", "wolf") == 1


def test_large_test_sets_are_weighed_in_parts(monkeypatch):
    from leakage.evaluation import scores as scores_module

    y_true, scores = make_predictions()
    whole = evaluation.score_predictions(y_true, scores, NAMES, num_bootstrap=100)
    monkeypatch.setattr(scores_module, "MAX_WEIGHTS", 1000)
    pd.testing.assert_frame_equal(
        evaluation.score_predictions(y_true, scores, NAMES, num_bootstrap=100), whole
    )


@pytest.mark.parametrize(
    ("y_true", "scores", "message"),
    [
        ([0, 1], np.zeros((3, 3)), r"do not fit.*y_true \(2,\), scores \(3, 3\), 3 names"),
        ([0, 3], np.zeros((2, 3)), r"Expected integers from 0 to 2.*\[0, 3\]"),
        (["covid", "normal"], np.zeros((2, 3)), "encode names"),
        ([0, 1], np.full((2, 3), np.nan), "finite `scores`.*Received: 2 images"),
        ([], np.zeros((0, 3)), "n_images at least 1"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(y_true, scores, message):
    with pytest.raises(ValueError, match=message):
        evaluation.score_predictions(y_true, scores, NAMES)


def test_one_against_rest_is_the_row_of_the_full_table():
    y_true, scores = make_predictions()
    groups = np.arange(140) // 3
    frame = evaluation.score_predictions(y_true, scores, NAMES, groups, 200, seed=4)
    row = frame[(frame["metric"] == "roc_auc") & (frame["class"] == "covid")].iloc[0]
    for given in (scores, scores[:, 0]):
        one = evaluation.score_one_against_rest(y_true, given, 0, groups, 200, seed=4)
        assert one["interval"] == "patient_bootstrap"
        np.testing.assert_allclose(
            [one["value"], one["lower"], one["upper"]],
            row[["value", "lower", "upper"]].astype(float),
        )
    assert np.isnan(evaluation.score_one_against_rest(y_true, scores[:, 0], 9)["value"])


# Verdicts


@pytest.mark.parametrize(
    ("k", "n", "published_k", "published_n", "expected"),
    [
        (125, 140, 125, 140, "compatible, not equivalent"),  # equal, and too few to show it
        (133, 140, 125, 140, "compatible, not equivalent"),
        (890, 1000, 880, 1000, "equivalent"),
        (9900, 10000, 9960, 10000, "equivalent"),  # surely below, by less than 5 points
        (138, 140, 125, 140, "above"),
        (72, 140, 129, 140, "below"),
        (14, 20, 18, 20, "compatible, not equivalent"),
        (5, 10, None, None, "no published value"),
        (5, 10, np.nan, 140, "no published value"),
    ],
)
def test_verdicts(k, n, published_k, published_n, expected):
    assert evaluation.judge_result(k, n, published_k, published_n) == expected


def test_equivalence_takes_as_many_images_as_its_power_says():
    share = 125 / 140
    quantiles = stats.norm.ppf(0.95) + stats.norm.ppf(0.90)  # two one-sided tests, 80 % power
    size = round(2 * share * (1 - share) * (quantiles / 0.05) ** 2, -1)
    assert size == 660  # docs/results.md tells it
    rng = np.random.default_rng(0)
    counts = rng.binomial(int(size), share, (300, 2))
    found = [evaluation.judge_result(k, size, m, size) == "equivalent" for k, m in counts]
    assert np.mean(found) == pytest.approx(0.80, abs=0.07)


def test_on_the_published_images_only_the_spread_over_seeds_is_compared():
    for seeds, verdict in (([18, 16, 19], "within our seeds"), ([16, 17], "outside our seeds")):
        assert evaluation.judge_result(seeds[0], 20, 18, 20, same_images=seeds) == verdict


def test_phantoms_are_never_compared():
    assert evaluation.judge_result(125, 140, 125, 140, "phantoms") == "not comparable"
    with pytest.raises(ValueError, match="whole counts.*k=141"):
        evaluation.judge_result(125, 140, 141, 140, "phantoms")


def test_a_verdict_without_images_is_refused():
    with pytest.raises(ValueError, match="Received: n=0"):
        evaluation.judge_result(0, 0, 125, 140)
    with pytest.raises(ValueError, match="published_n=0"):
        evaluation.judge_result(1, 2, 0, 0)


@pytest.mark.parametrize(("published_k", "published_n", "n"), [(125, 140, 140), (0, 40, 40)])
def test_the_stated_power_is_the_rate_of_the_verdict(published_k, published_n, n):
    below, above = evaluation.find_detectable_shares(published_k, published_n, n)
    rng = np.random.default_rng(0)
    for share, verdict in ((below, "below"), (above, "above")):
        if np.isnan(share):
            assert (published_k, verdict) == (0, "below")
            continue
        found = [
            evaluation.judge_result(k, n, published_k, published_n) == verdict
            for k in rng.binomial(n, share, 400)
        ]
        assert np.mean(found) == pytest.approx(0.80, abs=0.06)


# Seeds


RUN_KEYS = ["protocol", "metric", "class"]


def make_records(accuracies, num_never=0, **extra):
    rows = []
    for seed, value in enumerate(accuracies):
        base = {"seed": seed, "class": "all", **extra}
        rows.append({**base, "metric": "accuracy", "value": value, "interval": "wilson"})
        rows.append({**base, "metric": "accuracy", "value": value, "interval": "bootstrap"})
        never = 2.0 if seed < num_never else 0.0
        rows.append({**base, "metric": "num_classes_never_predicted", "value": never})
    return rows


def test_seed_spread_counts_each_seed_once_and_collapses_apart():
    records = make_records([0.9, 0.6, 0.9], num_never=1, protocol="paper")
    records += make_records([0.8], protocol="strict")
    summary = evaluation.summarize_seeds(records, RUN_KEYS)
    summary = summary[summary["metric"] == "accuracy"].set_index("protocol")
    paper = summary.loc["paper"]
    np.testing.assert_allclose(
        paper[["mean", "sd", "min", "max"]].astype(float), [0.8, np.sqrt(0.03), 0.6, 0.9]
    )
    assert (paper["num_seeds"], paper["num_collapsed"]) == (3, 1)
    assert np.isnan(summary.loc["strict", "sd"])
    assert (summary.loc["strict", "num_seeds"], summary.loc["strict", "num_collapsed"]) == (1, 0)


def test_mixed_runs_are_refused():
    with pytest.raises(ValueError, match="mix runs.*Received twice:.*accuracy"):
        evaluation.summarize_seeds(make_records([0.9]) + make_records([0.8]), RUN_KEYS[1:])
    with pytest.raises(ValueError, match=r"Missing: \['seed'\]"):
        evaluation.summarize_seeds([{"metric": "accuracy", "value": 0.9}], RUN_KEYS)


# Energy


def test_energy_of_a_known_map():
    cams = np.zeros((3, 4, 4))
    cams[0, :2] = 3.0  # all above the middle
    cams[1, 0] = 1.0
    cams[1, 3] = 3.0
    cams[1, 2] = -5.0  # negative evidence counts as none
    masks = np.zeros((3, 4, 4), dtype=bool)
    masks[:, :1] = True
    frame = evaluation.measure_energy_in_mask(cams, masks)
    np.testing.assert_allclose(frame["energy"], [0.5, 0.25, np.nan])
    np.testing.assert_allclose(frame["area"], 0.25)
    np.testing.assert_allclose(frame["enrichment"], [2, 1, np.nan])
    assert frame["evidence"].tolist() == [True, True, False]


def test_energy_in_an_empty_mask_has_no_enrichment():
    frame = evaluation.measure_energy_in_mask(np.ones((1, 2, 2)), np.zeros((1, 2, 2), bool))
    assert frame.loc[0, "energy"] == 0 and np.isnan(frame.loc[0, "enrichment"])


@pytest.mark.parametrize(
    ("cams", "masks", "message"),
    [
        (np.ones((1, 2, 2)), np.ones((1, 4, 4), bool), r"\(1, 2, 2\), \(1, 4, 4\)"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), 255, np.uint8), "masks boolean.*uint8"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2), bool), "1 maps with others"),
    ],
)
def test_maps_and_masks_that_do_not_fit_are_refused(cams, masks, message):
    with pytest.raises(ValueError, match=message):
        evaluation.measure_energy_in_mask(cams, masks)


def test_energy_summary_leaves_maps_without_evidence_out_and_counts_them():
    frame = pd.DataFrame({
        "energy": [0.2, 0.4, np.nan, np.nan], "area": [0.5, 0.5, 0.3, 0.1],
        "enrichment": [0.4, 0.8, np.nan, np.nan], "evidence": [True, True, False, False],
        "label": ["covid", "covid", "covid", "normal"],
    })  # fmt: skip
    summary = evaluation.summarize_energy(frame, num_bootstrap=100).set_index("label")
    covid = summary.loc["covid"]
    assert (covid["num_images"], covid["num_without_evidence"]) == (3, 1)
    assert covid["energy"] == pytest.approx(0.3) and covid["area"] == pytest.approx(0.5)
    assert covid["energy_lower"] == pytest.approx(0.2)
    assert covid["energy_upper"] == pytest.approx(0.4)
    assert np.isnan(summary.loc["normal", "energy"])
    with pytest.raises(ValueError, match="background"):
        evaluation.summarize_energy(frame, by="background")


def test_energies_become_records_with_their_chance_level():
    frame = pd.DataFrame({
        "energy": [0.2, 0.4, np.nan], "area": [0.5, 0.5, 0.3],
        "enrichment": [0.4, 0.8, np.nan], "evidence": [True, True, False],
        "label": ["covid", "covid", "normal"],
    })  # fmt: skip
    summary = evaluation.summarize_energy(frame, num_bootstrap=100)
    rows = evaluation.list_energy_scores(summary, "as drawn").set_index(["class", "metric"])
    assert rows.loc[("covid", "energy_in_mask"), "value"] == pytest.approx(0.3)
    assert rows.loc[("covid", "mask_area"), "value"] == pytest.approx(0.5)
    assert rows.loc[("covid", "energy_in_mask"), "n"] == 2
    assert np.isnan(rows.loc[("normal", "energy_in_mask"), "value"])


def test_two_classes_of_three_are_ranked_by_the_share_each_has_of_both():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], size=60)
    test = pd.DataFrame({"label": ["a", "b", "c"] * 20, "patient_id": range(60)})
    row = evaluation.score_pair(test, {27: scores}, ["a", "b", "c"], "c", "b").iloc[0]
    chosen = test["label"].isin(["b", "c"]).to_numpy()
    share = scores[chosen, 2] / scores[chosen, 1:].sum(axis=1)
    expected = metrics.roc_auc_score(test["label"][chosen] == "c", share)
    assert row["value"] == pytest.approx(expected) and row["lower"] < expected < row["upper"]
    assert (row["class"], row["seed"]) == ("c against b", 27)
