"""Every published claim stands in results/claims.md with what the committed records say of it."""

import json
import math

import pandas as pd
import pytest

from leakage import claims, evaluation, paths, published, record
from leakage.claims import answers, verdicts
from leakage.transfer import experiments

RESULTS = paths.ROOT / "results"
COUNTED = {"metric": "accuracy", "class": "all", "interval": "wilson"}


@pytest.fixture(scope="module")
def committed():
    return claims.list_claims(RESULTS)


def plant(results_dir, rows, run="planted", notebook="01_toy", **columns):
    """Write records of real images to a run; `columns` are the same for all of them."""
    about = {"data_source": "real", "notebook": notebook, "protocol": "paper", "draw_seed": 20}
    rows = [{"seed": 27, **row} for row in rows]
    records = record.make_records(pd.DataFrame(rows), **about | columns)
    record.write_metrics(results_dir / run / notebook, records)


def count(k, n, **columns):
    lower, upper = evaluation.wilson_interval(k, n)
    found = {"value": k / n, "k": k, "n": n, "lower": lower, "upper": upper}
    return COUNTED | found | columns


def look_up(results_dir, key, kind=None):
    found = claims.list_claims(results_dir).query("key == @key")
    return found[found["kind"] == (kind or found["kind"].iloc[0])].iloc[0]


def test_every_published_result_is_a_claim_once_and_all_five_systems_are_there(committed):
    scores = [claim.key for claim in claims.CLAIMS if claim.kind == "score"]
    assert scores == list(published.RESULTS)
    assert not committed.duplicated(["key", "kind"]).any()
    assert set(committed["system"]) == {"S1", "S2", "S3", "S4", "S5"}


def test_no_verdict_is_empty_and_none_has_the_older_words(committed):
    assert (committed["verdict"] != "").all()
    assert not committed["verdict"].str.contains("reproduced|inconclusive|no published").any()


def test_what_has_no_verdict_says_why_and_what_it_would_take(committed):
    for row in committed.itertuples():
        if row.verdict in (verdicts.NOT_RUN, verdicts.NOT_COMPARABLE):
            assert "It would take: " in row.why, row.says
        if row.verdict == verdicts.NOT_COMPARABLE:
            assert not row.why.startswith("It would take"), row.says


def test_every_published_score_is_found_in_the_committed_records(committed):
    assert (committed.loc[committed["kind"] == "score", "ours"] != "").all()


def test_the_names_of_variants_are_those_that_notebook_05_gives():
    for run in experiments.list_experiments("imagenet"):
        if run.claim:
            assert claims.listed.PLACES[run.claim].variant == run.name


def test_the_demo_and_other_phantoms_judge_nothing(committed):
    assert not committed["run"].str.contains("demo").any()
    groups = answers.read_results(RESULTS)
    assert groups and not any((each.rows["data_source"] == "phantoms").any() for each in groups)


def test_the_committed_file_is_what_the_records_give():
    kept = (RESULTS / "claims.md").read_text(encoding="utf-8")
    assert kept == claims.format_claims(RESULTS), "run: python -m leakage.readme README.md"


def test_the_count_adds_up(committed):
    counts = claims.count_verdicts(committed)
    names = ("scores", "signs", "not_comparable", "not_run")
    assert sum(counts[name] for name in names) == counts["claims"] == len(committed) >= 34
    assert str(counts["claims"]) in claims.format_count(RESULTS)


def test_without_records_nothing_was_run(tmp_path):
    assert set(claims.list_claims(tmp_path)["verdict"]) == {verdicts.NOT_RUN}


@pytest.mark.parametrize(("k", "verdict"), [(100, "below"), (125, "compatible, not equivalent")])
def test_a_planted_record_of_the_published_network_is_judged(tmp_path, k, verdict):
    network = {"backbone": "vgg19", "weights": "ImageNet", "variant": "any name"}
    rows = [count(k, 140, claim="paper_vgg19", verdict=verdict, reason="")]
    plant(tmp_path, rows, **network)
    row = look_up(tmp_path, "paper_vgg19", "score")
    assert (row["verdict"], row["run"], row["n"]) == (verdict, "planted 01", f"{k} of 140")


def test_a_recorded_reason_keeps_it_from_being_compared(tmp_path):
    rows = [count(125, 140, claim="paper_vgg19", reason="num_epochs 20 instead of 50")]
    plant(tmp_path, rows, backbone="vgg19", weights="random (seed 0)", variant="any name")
    row = look_up(tmp_path, "paper_vgg19", "score")
    assert row["verdict"] == verdicts.NOT_COMPARABLE
    assert row["why"].startswith("random weights, num_epochs 20 instead of 50. It would take")


def test_the_published_network_is_preferred_and_random_weights_come_last(tmp_path):
    about = {"variant": "children as controls"}
    for run, backbone, weights in (
        ("a", "vgg19", "random (seed 0)"), ("b", "mobilenet", "ImageNet"),
        ("c", "vgg16", "ImageNet"), ("d", "vgg19", "ImageNet"),
    ):  # fmt: skip
        plant(tmp_path, [count(120, 140)], run, backbone=backbone, weights=weights, **about)
    row = look_up(tmp_path, "paper_vgg19", "score")
    others = "".join(f"; also {run} 0.857 (0.790 to 0.906)" for run in "cba")
    assert row["run"] == f"d 01{others}"


def test_of_equal_networks_the_one_with_the_recipe_nearest_to_the_published_is_judged(tmp_path):
    notebook = "01_reproduce_original_result"
    about = {"backbone": "vgg19", "weights": "ImageNet", "variant": "children as controls"}
    for run, settings in (("a", {"size_px": 96, "num_views": 1}), ("b", {"num_views": 1})):
        plant(tmp_path, [count(120, 140)], run, notebook, **about)
        environment = json.dumps({"notebooks": {notebook: settings}})
        (tmp_path / run / "environment.json").write_text(environment)
    row = look_up(tmp_path, "paper_vgg19", "score")
    assert row["run"] == "b 01; also a 0.857 (0.790 to 0.906)"


def test_on_the_published_photographs_all_seeds_count(tmp_path):
    about = {"variant": "wolf/husky, white", "backbone": "small_cnn", "weights": "trained"}
    rows = [count(17, 20), count(16, 20, seed=1)]
    plant(tmp_path, rows, notebook="02_toy", **about)
    assert look_up(tmp_path, "wolf_white", "score")["verdict"] == "outside our seeds"
    plant(tmp_path, [*rows, count(12, 20, seed=2)], notebook="02_toy", **about)
    row = look_up(tmp_path, "wolf_white", "score")
    assert (row["verdict"], row["seeds"]) == ("within our seeds", "3 (0.600 to 0.850)")


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [((0.01, 0.05), "same sign"), ((-0.05, -0.01), "opposite sign"), ((-0.01, 0.03), "not shown"),
     ((None, None), verdicts.NOT_COMPARABLE)],
)  # fmt: skip
def test_an_effect_is_judged_by_the_sign_of_its_interval(tmp_path, bounds, verdict):
    plant_effect(tmp_path, bounds)
    assert look_up(tmp_path, "s4_augmentation")["verdict"] == verdict


def test_where_two_runs_exclude_0_on_either_side_neither_decides(tmp_path):
    plant_effect(tmp_path, (0.01, 0.05), "one")
    plant_effect(tmp_path, (-0.05, -0.01), "two")
    row = look_up(tmp_path, "s4_augmentation")
    assert row["verdict"] == "our runs disagree" and "two +2.0 points (-5.0 to -1.0)" in row["run"]


def plant_effect(results_dir, bounds, run="planted"):
    row = {"variant": "ablation: augmentation, off to on", "metric": "main_effect", "class": "all"}
    row |= {"interval": "seeds", "value": 0.02, "seed": None}
    row |= dict(zip(("lower", "upper"), bounds, strict=True))
    plant(results_dir, [row], run, "06_toy", backbone="lung_cnn", weights="from scratch")


def test_a_difference_image_by_image_wins_over_one_of_two_accuracies(tmp_path):
    pair = [
        count(30, 42, variant=name, backbone=backbone, weights="from scratch")
        for name, backbone in (
            ("One convolution, Dense 64", "one_convolution"), ("Flatten, Dense 64", "pixels"),
        )
    ]  # fmt: skip
    plant(tmp_path, pair, notebook="05_toy")
    row = look_up(tmp_path, "s3_close")
    lower, upper = evaluation.newcombe_interval(30, 42, 30, 42)
    assert row["interval"] == f"{100 * lower:+.1f} to {100 * upper:+.1f}"
    assert row["verdict"] == "compatible, not equivalent"
    name = "Flatten, Dense 64 against One convolution, Dense 64"
    paired = {"variant": name, "metric": "paired_difference", "class": "all", "value": 0.01,
              "lower": -0.02, "upper": 0.03}  # fmt: skip
    plant(tmp_path, [*pair, paired], notebook="05_toy")
    row = look_up(tmp_path, "s3_close")
    assert (row["interval"], row["verdict"]) == ("-3.0 to +2.0", "equivalent")


def test_random_weights_give_an_effect_no_verdict(tmp_path):
    rows = [
        count(k, 131, variant=f"ResNet18, {name}")
        for name, k in (("everything trained", 60), ("fixed features", 120))
    ]
    plant(tmp_path, rows, notebook="05_toy", backbone="resnet18", weights="random (seed 0)")
    row = look_up(tmp_path, "s2_worse")
    assert (row["ours"], row["verdict"]) == ("-45.8 points", verdicts.NOT_COMPARABLE)


def test_errors_between_the_other_classes_are_counted_from_recall_and_precision():
    matrix = published.RESULTS["paper_vgg19"].confusion
    rows = [count(125, 140), count(38, 40, metric="recall", **{"class": "covid"})]
    rows.append(count(38, 40, metric="precision", **{"class": "covid"}))
    frame = record.make_records(pd.DataFrame(rows), seed=27)
    group = answers.Group(("run", "01", "", "", "vgg19", "ImageNet"), frame, {})
    score = group.find("errors_without", "covid")
    assert (score.k, score.n) == (matrix[1][2] + matrix[2][1], 15)


def test_scores_by_class_of_a_published_matrix_are_judged(tmp_path):
    matrix, rows = published.RESULTS["paper_vgg19"].confusion, []
    for position, name in enumerate(published.CLASS_NAMES):
        k, column = matrix[position][position], sum(line[position] for line in matrix)
        rows.append(count(k, sum(matrix[position]), metric="recall", **{"class": name}))
        rows.append(count(k, column, metric="precision", **{"class": name}))
    rows = [count(125, 140, claim="paper_vgg19", reason=""), *rows]
    plant(tmp_path, rows, backbone="vgg19", weights="ImageNet", variant="any")
    row = look_up(tmp_path, "paper_vgg19", "classes")
    assert row["verdict"].count("compatible, not equivalent") == 6
    assert "pneumonia 0.780" in row["ours"]


def test_two_independent_shares_combine_to_newcombes_interval():
    first, second = (
        answers.Score(k / n, *evaluation.wilson_interval(k, n)) for k, n in ((17, 20), (3, 40))
    )
    found = answers.combine([first, second], (1, -1))
    expected = evaluation.newcombe_interval(17, 20, 3, 40)
    assert all(map(math.isclose, (found.lower, found.upper), expected))


def test_a_parameter_that_is_not_as_published_is_named():
    group = next(each for each in answers.read_results(RESULTS) if each.run == "transfer")
    assert "size_px 96 instead of the published" in ", ".join(verdicts.list_changes(group))
