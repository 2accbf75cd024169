"""The runs of S2, S3 and S4: their list, their schedules, their training and their table."""

import dataclasses
import json

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from leakage import evaluation, networks, published, record, training, transfer
from leakage.data import splits
from leakage.training import fitting
from leakage.transfer import backbones as starts
from leakage.transfer import fine_tuning, schedules, views
from leakcard import facts
from leakcard import table as image_table

OPTIONS = transfer.Options("standard", num_epochs=2, num_pixel_views=2, num_feature_views=0)
CLASSES = ("no finding", "covid")


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Forty-four small images in two classes, told apart by their brightness."""
    folder, rows = tmp_path_factory.mktemp("images"), []
    rng = np.random.default_rng(0)
    parts = ["train"] * 20 + ["val"] * 8 + ["test"] * 8 + ["extra"] * 8
    for number, part in enumerate(parts):
        label = CLASSES[0] if part == "extra" else CLASSES[number % 2]
        image = rng.integers(0, 80, (24, 24)) + 150 * (label == "covid")
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), image.astype(np.uint8))
        patient = f"p{number}"
        findings = "Edema|Mass" if number % 2 else "No Finding"
        rows.append(
            {"image_id": f"i{number:02d}", "path": str(path), "label": label, "source": "toy",
             "patient_id": patient, "findings": findings}
        )  # fmt: skip
    table = image_table.make_table(pd.DataFrame(rows))
    return facts.describe_files(table).assign(split=parts)


@pytest.fixture(scope="module")
def kept_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def keep_training(kept_dir, own_cache, monkeypatch):
    """Let what one test has trained be trained for the others that ask for this, too."""
    monkeypatch.setenv("LEAKAGE_KEPT_DIR", str(kept_dir))


def define(backbone="pixels", **options):
    given = {"system": "S3", "name": "toy", "head": "dense_64", "schedule": "S3"}
    return transfer.Experiment(**(given | {"backbone": backbone, "weights": "random"} | options))


def train(split, experiment, seeds=(27,), options=OPTIONS, **more):
    backbone = networks.build_backbone(experiment.backbone, "random", 24)
    return transfer.train_experiment(experiment, backbone, split, CLASSES, seeds, options, **more)


@pytest.mark.usefixtures("keep_training")
def test_a_run_scores_test_and_further_images_and_counts_its_weights(split):
    outcome = train(split, define(), seeds=(27, 1))
    assert {seed: scores.shape for seed, scores in outcome.get_scores().items()} == {
        27: (8, 2), 1: (8, 2),
    }  # fmt: skip
    assert outcome.get_scores("extra")[27].shape == (8, 2)
    expected = 24 * 24 * 3 * 64 + 64 + 64 * 2 + 2
    assert (outcome.num_trained, outcome.num_weights) == (expected, expected)
    assert outcome.model is None and outcome.seconds > 0


def test_a_kept_model_gives_the_scores_of_the_first_seed_from_raw_pixels(split):
    run = define("one_convolution", train_from="everything")
    outcome = train(split, run, seeds=(27, 1), keep_model=True)
    from leakcard import images

    pixels = images.load_images(outcome.get_table()["path"], 24)
    np.testing.assert_allclose(
        training.predict_scores(outcome.model, pixels), outcome.get_scores()[27], atol=1e-5
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"backbone": "one_convolution", "train_from": "everything"}, {"loss": "binary"}],
)
def test_interrupted_and_resumed_no_run_is_done_twice(split, monkeypatch, options):
    fresh = train(split, define(**options), seeds=(27, 1), keep_model=True)
    monkeypatch.setattr(fitting, "fit_batches", None)  # training again would fail
    again = train(split, define(**options), seeds=(27, 1), keep_model=True)
    for seed, scores in fresh.get_scores().items():
        np.testing.assert_array_equal(scores, again.get_scores()[seed])
    with pytest.raises(TypeError):
        train(split, define(**options, has_class_weights=True))


def test_the_same_pixels_in_other_files_have_other_views_and_are_another_run(split, monkeypatch):
    run = define("one_convolution", train_from="everything")
    train(split, run)
    monkeypatch.setattr(fitting, "fit_batches", None)
    with pytest.raises(TypeError):
        train(split.assign(sha256=split["sha256"] + "0"), run)


def test_one_seed_gives_one_answer_and_another_seed_another(split, keep_training, forget_training):
    first, second = train(split, define(), (27, 1)).get_scores().values()
    forget_training()
    np.testing.assert_array_equal(first, train(split, define()).get_scores()[27])
    assert not np.array_equal(first, second)


@pytest.mark.usefixtures("keep_training")
def test_both_losses_give_one_score_a_class(split):
    softmax = train(split, define()).get_scores()[27]
    np.testing.assert_allclose(softmax.sum(axis=1), 1, atol=1e-5)
    sigmoid = train(split, define(loss="binary")).get_scores()[27]
    assert sigmoid.shape == (8, 2) and not np.allclose(sigmoid.sum(axis=1), 1, atol=1e-3)


def test_rare_classes_weigh_more_and_s4_finds_its_published_weights():
    counts = {name: sum(sizes) for name, sizes in published.SPLIT_SIZES["S4"].items()}
    labels = np.repeat(range(4), list(counts.values()))
    # The source: bacterial 1.00, healthy 1.75, viral 1.94, covid 6.40, of its own images.
    weights = dict(zip(labels, fitting.weigh_images(labels), strict=True))
    np.testing.assert_allclose(list(weights.values()), [1, 1.75, 1.94, 6.4], rtol=0.09)
    truth = np.array([0, 0, 0, 0, 2, 2])
    weights = fitting.weigh_images(truth)
    batch = next(fitting.generate_batches([truth[:, None]], truth, 6, 0, image_weights=weights))
    np.testing.assert_array_equal(batch[2], np.where(batch[1] == 2, 2.0, 1.0))


def test_the_rate_falls_to_a_tenth_after_every_seven_epochs():
    schedule = schedules.SCHEDULES["S2_fine_tuned"]
    decay = schedules.build_callbacks(schedule)[0]
    rates = [decay.schedule(epoch) for epoch in range(15)]
    np.testing.assert_allclose(rates, [1e-4] * 7 + [1e-5] * 7 + [1e-6])
    assert (schedule.batch_size, schedule.num_epochs, schedule.patience) == (4, 50, 10)
    with pytest.raises(KeyError, match="adagrad"):
        schedules.build_optimizer(dataclasses.replace(schedule, optimizer="adagrad"))


def test_training_stops_after_its_patience_and_keeps_the_best_epoch():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    schedule = schedules.Schedule("sgd", 0.1, 4, 20, step_epochs=7, patience=2)
    stopping = schedules.build_callbacks(schedule)[-1]
    stopping.set_model(model)
    stopping.on_train_begin()
    for epoch, accuracy in enumerate([0.5, 0.9, 0.7, 0.8]):
        model.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        stopping.on_epoch_end(epoch, {"val_accuracy": accuracy})
    assert stopping.stopped_epoch == 3
    stopping.on_train_end()
    assert model.get_weights()[0] == 1


def build_normalising(size_px=4):
    pixels = keras.Input((size_px, size_px, 3), name="pixels")
    maps = networks.weights.add_preprocessing(pixels, 1.0, (0.0,) * 3)
    model = keras.Model(pixels, keras.layers.BatchNormalization(epsilon=0.0)(maps))
    model.trainable = False
    return networks.Backbone(model, "toy", "random (seed 0)", "toy", "preprocessing")


def test_batch_statistics_standardise_each_batch_and_leave_the_network_alone():
    backbone = build_normalising()
    pixels = np.random.default_rng(0).uniform(0, 255, (32, 4, 4, 3)).astype(np.float32)
    before = [values.copy() for values in backbone.model.get_weights()]
    drawn = views.PixelViews(pixels, ("a",) * 32, 0, None)
    (features,) = views.extract_with_batch_statistics(backbone, drawn)
    # One batch of all images, so that the oracle is a line of NumPy.
    expected = (pixels - pixels.mean(axis=(0, 1, 2))) / pixels.std(axis=(0, 1, 2))
    np.testing.assert_allclose(features, expected, atol=1e-3)
    assert not np.allclose(features, backbone.model(pixels), atol=1.0)
    for old, new in zip(before, backbone.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(ValueError, match="nothing|normalises batches.*Received: pixels"):
        plain = networks.build_backbone("pixels", "random", 8)
        views.extract_with_batch_statistics(plain, drawn)


def test_batch_statistics_are_those_of_the_views_that_stored_statistics_see(split):
    backbone, options = build_normalising(24), dataclasses.replace(OPTIONS, num_feature_views=2)
    parts = dict.fromkeys(("train", "val", "scored"), split[split["split"] == "train"])
    drawn = {
        batch_norm: transfer.training._load_inputs(
            define(batch_norm=batch_norm), backbone, backbone, parts, schedules.SCHEDULES["S3"],
            options,
        )["train"]
        for batch_norm in ("inference", "batch")
    }  # fmt: skip
    assert len(drawn["inference"]) == len(drawn["batch"]) == 2
    assert not np.allclose(drawn["inference"][0], drawn["inference"][1])
    for number, found in enumerate(drawn["batch"]):
        seen = drawn["inference"][number]  # its stored statistics change nothing: the pixels
        rows = np.resize(np.random.default_rng([0, number]).permutation(20), 32)
        mean, deviation = seen[rows].mean(axis=(0, 1, 2)), seen[rows].std(axis=(0, 1, 2))
        np.testing.assert_allclose(found, (seen - mean) / deviation, atol=1e-3)


def test_every_view_of_pixels_is_another_and_none_leaves_them_alone():
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)
    drawn = views.PixelViews(pixels, ("a", "b", "c"), 2, published.AUGMENTATION["S4"])
    rows = np.array([2, 0])
    assert len(drawn) == 2 and drawn[0][rows].shape == (2, 16, 16, 3)
    assert not np.allclose(drawn[0][rows], drawn[1][rows])
    np.testing.assert_array_equal(drawn[0][rows][0], drawn[0][np.array([2])][0])
    np.testing.assert_array_equal(views.PixelViews(pixels, ("a",) * 3, 0, None)[0], pixels)


def save_card(folder, name):
    """A file that stands for a saved backbone, with a real card: the list reads no more of it."""
    card = {"name": name, "weights": "toy", "input_size_px": 8, "input_range": [0, 255]}
    (folder / "some.json").write_text(json.dumps(card))
    (folder / "some.keras").touch()
    return folder / "some.keras"


def test_the_list_has_every_kind_of_run_once(tmp_path):
    runs = transfer.list_experiments("imagenet", save_card(tmp_path, "mobilenet"))
    names = [run.name for run in runs]
    assert len(set(names)) == len(names)
    assert {run.backbone for run in runs} == set(networks.BACKBONES) | {"mobilenet"}
    assert {run.loss for run in runs} == {"categorical", "binary"}
    assert {run.batch_norm for run in runs} == {"inference", "batch"}
    assert any(run.weights == "nih" for run in runs) and any(run.has_class_weights for run in runs)
    s3 = [run.name for run in runs if run.system == "S3"]
    assert sum("(a)" in name for name in s3) == sum("(c)" in name for name in s3) == 3
    claims = [run.claim for run in runs if run.claim]
    assert set(claims) <= set(published.RESULTS) and len(claims) == 11
    assert all(run.schedule in schedules.SCHEDULES and run.head in networks.HEADS for run in runs)


@pytest.mark.parametrize("weights", ["imagenet", "random"])
def test_each_system_has_one_network_that_learnt_nothing_before(weights):
    runs = transfer.list_experiments(weights)
    nulls = [run for run in runs if run.is_null]
    assert sorted(run.system for run in nulls) == ["S2", "S3", "S4"]
    assert all(run.train_from == "head" for run in nulls)


def test_a_saved_backbone_takes_the_place_of_its_network_and_is_run_once(tmp_path):
    path = save_card(tmp_path, "vgg16")
    runs = {run.name: run for run in transfer.list_experiments("random", path)}
    on_vgg16 = {name for name, run in runs.items() if run.backbone == "vgg16"}
    assert {name for name in on_vgg16 if runs[name].weights != str(path)} == {
        "vgg16 untrained, frozen"
    }
    assert "VGG16 (c) last 3 convolutions trained" in on_vgg16
    assert {name for name in runs if "frozen (S" in name} == {"vgg16, frozen (S2)"}
    assert runs["vgg16 untrained, frozen"].is_null and not runs["VGG16, frozen"].is_null
    with pytest.raises(FileNotFoundError, match="saved backbone"):
        transfer.list_experiments("random", tmp_path / "no.keras")


def test_a_run_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(ValueError, match="VGG16, frozen.*Received: .'VGG61'"):
        transfer.list_experiments("random", names=["VGG61"])
    with pytest.raises(ValueError, match="none of S2, S4; add one of.*ResNet18, fixed features"):
        transfer.list_experiments("random", names=["Flatten, Dense 64"])
    with pytest.raises(ValueError, match="saved_backbone.*Received: weights='a.keras'"):
        transfer.list_experiments("a.keras")


def test_every_layer_to_train_from_is_in_its_backbone():
    built = {name: networks.build_backbone(name, "random", 32) for name in ("vgg16", "resnet18")}
    for run in transfer.list_experiments("random"):
        if run.train_from not in ("head", "everything") and run.backbone in built:
            backbone = built[run.backbone]
            assert fine_tuning.cut_backbone(backbone, run.train_from).model.output_shape[-1] > 0


def test_runs_share_backbones_and_get_at_least_the_size_they_need():
    names = ["ResNet18, fixed features", "Flatten, Dense 64", "CNN from scratch"]
    runs = transfer.list_experiments("random", names=names)
    twice = [*runs, dataclasses.replace(runs[1], name="again")]
    built = transfer.build_backbones(twice, "random", 16)
    assert built["again"] is built["Flatten, Dense 64"]
    assert built["CNN from scratch"].size_px == 16
    xception = define("xception")
    assert starts.choose_size_px(xception, 48) == 71
    assert starts.choose_size_px(xception) == 224
    with pytest.raises(ValueError, match="pretrain_on_findings"):
        transfer.build_backbones([define("resnet18", weights="nih")], "random", 32)


def make_pool():
    rng = np.random.default_rng(0)
    rows = [
        {"image_id": f"{label}{number}", "label": label, "patient_id": f"{label}{number // 2}",
         "view": rng.choice(["PA", "AP"]), "sha256": f"{label}{number}"}
        for label in CLASSES
        for number in range(400)
    ]  # fmt: skip
    return image_table.make_table(rows)


def test_a_draw_of_s3_is_pa_alone_and_no_patient_is_in_two_parts():
    pool = make_pool()
    split = splits.draw_study(pool, "S3", 1.0, seed=20)
    assert set(split["view"]) == {"PA"}
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    extra = splits.draw_further(pool, split, "no finding", 50, seed=20)
    assert set(extra["view"]) == {"PA"} and set(extra["split"]) == {"extra"}
    assert not set(extra["patient_id"]) & set(split["patient_id"]) and len(extra) == 50
    assert len(splits.draw_further(pool, split, "no finding", 9_999, 20)) < 400


@pytest.mark.usefixtures("keep_training")
def test_the_table_sets_published_and_own_side_by_side(split):
    run = define(claim="s4_vgg16")
    outcome = train(split, run, seeds=(27, 1))
    scored = transfer.score_outcome(outcome, "phantoms", num_bootstrap=50)
    assert scored["verdict"].dropna().tolist() == ["not comparable"]  # S4 prints no size
    frames = [scored, transfer.score_extra(outcome)]
    records = pd.concat([frame.assign(system="S3", variant="toy") for frame in frames])
    (row,) = transfer.tabulate_outcomes([outcome], records).to_dict("records")
    assert (row["published"], row["seeds"], row["trained"]) == (0.816, 2, outcome.num_trained)
    scores = outcome.get_scores()[27]
    truth = training.encode_labels(outcome.get_table()["label"], CLASSES)
    assert row["accuracy"] == pytest.approx((scores.argmax(axis=1) == truth).mean())
    shares = transfer.tabulate_shares(records[records["seed"] == 27])
    assert list(shares.columns) == [
        "recall no finding, n = 4", "recall covid, n = 4", "specificity no finding, n = 8",
    ]  # fmt: skip


def test_a_recipe_that_is_not_published_is_no_verdict_and_is_told(split):
    run = define("resnet18", system="S2", head="average_pool", schedule="S2_fixed")
    run = dataclasses.replace(run, claim="s2_fixed")
    random = networks.build_backbone("resnet18", "random", 32)
    backbone = dataclasses.replace(random, weights="as if from ImageNet", key="toy resnet18")
    shorter = transfer.Options(num_epochs=1, batch_size=8, num_feature_views=0)
    outcome = transfer.train_experiment(run, backbone, split, CLASSES, [27], shorter)
    changes = "num_epochs 1 instead of 50, batch_size 8 instead of 4, size_px 32 instead of 256, "
    changes += "num_feature_views 0 instead of a fresh one an epoch"
    scored = transfer.score_outcome(outcome, "real", num_bootstrap=50)
    (judged,) = scored.dropna(subset="verdict").to_dict("records")
    assert (judged["verdict"], judged["reason"]) == ("not comparable", changes)
    as_published = dataclasses.replace(outcome, changes="")
    scored = transfer.score_outcome(as_published, "real", num_bootstrap=50)
    assert "not comparable" not in scored["verdict"].dropna().tolist()


@pytest.mark.usefixtures("keep_training")
def test_a_run_without_a_published_number_is_no_claim(split):
    scored = transfer.score_outcome(train(split, define()), "phantoms", num_bootstrap=50)
    assert scored["verdict"].isna().all()


def test_findings_become_a_column_each_and_rare_ones_none():
    found = pd.Series(["Edema|Mass", "No Finding", "Edema", None, "Hernia"] * 4)
    encoded = transfer.pretraining.encode_findings(found)
    assert list(encoded.columns) == ["Edema"] and encoded["Edema"].tolist() == [1, 0, 1, 0, 0] * 4


def test_pretraining_gives_a_frozen_backbone_with_a_key_of_its_own(split):
    start = networks.build_backbone("lung_cnn", "random", 24)
    done = transfer.pretrain_on_findings(split, start, num_epochs=1)
    assert (
        done.backbone.key.startswith("lung_cnn/nih/") and done.backbone.weights == "nih (33 images)"
    )
    assert done.backbone.model.trainable_weights == []
    assert done.backbone.model.output_shape == start.model.output_shape
    kernels = [x.model.get_layer("conv_6").get_weights()[0] for x in (start, done.backbone)]
    assert not np.array_equal(*kernels)
    assert done.scores["finding"].tolist() == ["Edema", "Mass"]
    assert (done.scores["num_train"] + done.scores["num_val"]).tolist() == [22, 22]


def test_pretraining_without_a_finding_says_so(split):
    plain = split.assign(findings="No Finding")
    with pytest.raises(ValueError, match="nothing to pretrain on.*Received: 44 images"):
        start = networks.build_backbone("lung_cnn", "random", 24)
        transfer.pretrain_on_findings(plain, start)


def test_no_patient_is_held_out_and_trained_on():
    patients = pd.Series([f"p{number // 3}" for number in range(30)])
    is_val = transfer.pretraining._hold_out(patients, 0)
    assert not set(patients[is_val]) & set(patients[~is_val]) and 0 < is_val.sum() < 30


# --- comparing runs


def test_mcnemar_with_holm_is_what_statsmodels_and_hand_give():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    good, bad, worse = (
        np.eye(2)[np.where(rng.random(200) < p, truth, 1 - truth)] for p in (0.9, 0.6, 0.55)
    )
    frame = evaluation.compare_runs(truth, {"good": good, "bad": bad, "worse": worse})
    assert len(frame) == 3
    row = frame[(frame["run"] == "good") & (frame["against"] == "bad")].iloc[0]
    right = [(scores.argmax(axis=1) == truth) for scores in (good, bad)]
    only_good, only_bad = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
    assert (row["only_run_right"], row["only_against_right"]) == (only_good, only_bad)
    from scipy import stats

    exact = stats.binomtest(min(only_good, only_bad), only_good + only_bad).pvalue
    assert row["p_value"] == pytest.approx(exact)
    # Holm by hand: p times the number of tests not yet passed, never falling.
    by_hand = np.maximum.accumulate(np.minimum(frame["p_value"].to_numpy() * [3, 2, 1], 1))
    np.testing.assert_allclose(frame["p_holm"], by_hand)
    assert row["survives"] and row["lower"] <= row["difference"] <= row["upper"]


def test_a_comparison_is_recorded_with_its_interval_and_both_p_values():
    truth = np.arange(40) % 2
    wrong = np.eye(2)[np.where(np.arange(40) < 10, 1 - truth, truth)]
    frame = evaluation.compare_runs(truth, {"a": np.eye(2)[truth], "b": wrong, "c": wrong}, "b")
    found = record.make_records(evaluation.list_comparison_scores(frame, "covid"), system="S5")
    assert len(found) == 6 and set(found["class"]) == {"covid"}
    rows = found[found["variant"] == "a against b"].set_index("metric")
    assert rows.loc["paired_difference", "value"] == 0.25
    assert 0 < rows.loc["paired_difference", "lower"] < 0.25
    assert rows.loc["mcnemar_p", "value"] == pytest.approx(2 / 2**10)
    assert rows.loc["mcnemar_p_holm", "value"] == pytest.approx(4 / 2**10)
    assert rows.loc["mcnemar_p", "n"] == 10
    same = found[(found["variant"] == "c against b") & (found["metric"] == "mcnemar_p")]
    assert same["value"].tolist() == [1.0]


def test_against_a_reference_each_other_run_is_compared_once():
    truth = np.array([0, 1, 1, 0])
    scores = {name: np.eye(2)[truth] for name in "abc"}
    frame = evaluation.compare_runs(truth, scores, "b")
    assert sorted(frame["run"]) == ["a", "c"] and set(frame["against"]) == {"b"}
    assert (frame["p_holm"] == 1).all() and not frame["survives"].any()
    with pytest.raises(ValueError, match="reference='z'"):
        evaluation.compare_runs(truth, scores, "z")
    with pytest.raises(ValueError, match="same test images.*for 'c'"):
        evaluation.compare_runs(truth, scores | {"c": np.eye(2)})
