"""The siamese net: distances, templates, trials and pairs, each against a plain loop."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest

from leakage import evaluation, networks, siamese
from leakage.siamese import comparing, pairs
from leakage.siamese.image_sets import ImageSet

NUM_FEATURES = 6


def build_toy(seed=0):
    """A tower of one dense layer, so that everything can be worked out again by hand."""
    pixels = keras.Input((4, 4, 3), name="pixels")
    flat = keras.layers.Flatten(name="flatten")(pixels)
    dense = networks.heads.build_dense(NUM_FEATURES, "relu", "features", seed, 1)
    model = siamese.build_siamese(keras.Model(pixels, dense(flat), name="toy"), seed)
    kernel = np.linspace(-1, 0.5, NUM_FEATURES, dtype=np.float32)[:, np.newaxis]
    model.get_layer("similarity").set_weights([kernel, np.array([0.3], np.float32)])
    return model


def draw_part(num_images, seed=0, size_px=4):
    """Three classes that differ in where they are bright; every image is a patient's only one."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3, dtype=np.int32), num_images)
    pixels = rng.uniform(0, 60, (len(labels), size_px, size_px, 3)).astype(np.float32)
    third = size_px // 4
    for row, label in enumerate(labels):
        pixels[row, third * label : third * (label + 1)] += 150
    return ImageSet(pixels, labels, np.array([f"{seed}:{row}" for row in range(len(labels))]))


def compare_by_hand(model, first, second):
    """Similarity of two images, by two passes through the layers and a loop over features."""
    kernel, bias = model.get_layer("features").get_weights()
    scale, offset = model.get_layer("similarity").get_weights()
    vectors = [
        np.maximum(image.ravel().astype(float) @ kernel + bias, 0) for image in (first, second)
    ]
    total = offset[0] + sum(
        scale[i, 0] * abs(vectors[0][i] - vectors[1][i]) for i in range(NUM_FEATURES)
    )
    return 1 / (1 + np.exp(-total))


# --- the model


def test_the_similarity_is_symmetric_and_the_bias_alone_for_equal_inputs():
    model = build_toy()
    features = comparing.extract_features(model, draw_part(4).pixels)
    similarity = siamese.model.compare_features(model, features, features)
    np.testing.assert_array_equal(similarity, similarity.T)
    of_equal = np.diag(similarity)
    assert (of_equal == of_equal[0]).all() and of_equal[0] == pytest.approx(1 / (1 + np.exp(-0.3)))
    assert (similarity[~np.eye(12, dtype=bool)] != of_equal[0]).all()


def test_the_graph_the_arrays_and_two_passes_by_hand_agree():
    model, pixels = build_toy(), draw_part(3).pixels
    chosen = np.array(list(itertools.product(range(9), range(9))), dtype=np.int32)
    graph = model([pixels, chosen]).numpy().reshape(9, 9)
    features = comparing.extract_features(model, pixels)
    by_hand = [[compare_by_hand(model, a, b) for b in pixels] for a in pixels]
    np.testing.assert_allclose(graph, by_hand, rtol=2e-4, atol=1e-6)
    arrays = siamese.model.compare_features(model, features, features)
    np.testing.assert_allclose(arrays, by_hand, rtol=2e-4, atol=1e-6)


def test_many_vectors_are_compared_in_steps(monkeypatch):
    model, rng = build_toy(), np.random.default_rng(0)
    a, b = rng.normal(size=(11, NUM_FEATURES)), rng.normal(size=(7, NUM_FEATURES))
    whole = siamese.model.compare_features(model, a, b)
    monkeypatch.setattr(siamese.model, "MAX_DIFFERENCES", 100)
    np.testing.assert_allclose(siamese.model.compare_features(model, a, b), whole)
    assert whole.shape == (11, 7)


def test_extreme_distances_do_not_overflow():
    features = np.array([[0.0] * NUM_FEATURES, [1e6] * NUM_FEATURES])
    with np.errstate(all="raise", under="ignore"):
        values = siamese.model.compare_features(build_toy(), features, features)
    assert np.isfinite(values).all()


def test_a_saved_siamese_net_needs_no_code_of_ours(tmp_path):
    model, part = build_toy(), draw_part(3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    chosen = np.array([[0, 4], [2, 2]], dtype=np.int32)
    np.testing.assert_array_equal(model([part.pixels, chosen]), loaded([part.pixels, chosen]))


def test_the_siamese_covid_net_shares_one_flat_tower():
    tower = siamese.build_covid_net(32, None, 8, 16)
    model = siamese.build_siamese(tower)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.count_params() == tower.count_params() + 256 + 1
    pixels = draw_part(2, size_px=32).pixels
    np.testing.assert_allclose(
        comparing.extract_features(model, pixels), tower(pixels), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(ValueError, match="ends in one"):
        siamese.build_siamese(keras.Model(tower.input, tower.get_layer("stage_4").output))


# --- templates and trials


def test_templates_equal_a_brute_force_mean():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(20, 5)), rng.permutation(np.arange(20) % 3)
    found = siamese.model.average_features(features, labels, 3)
    for label in range(3):
        rows = [features[row] for row in range(20) if labels[row] == label]
        np.testing.assert_allclose(found[label], sum(rows) / len(rows), rtol=1e-12)
    with pytest.raises(ValueError, match=r"without images has no template.*\[7, 7, 6, 0\]"):
        siamese.model.average_features(features, labels, 4)


def test_the_test_by_templates_equals_a_loop():
    model, parts = build_toy(), {"train": draw_part(5), "test": draw_part(4, seed=1)}
    found = comparing.score_templates(model, parts, 3)
    features = {n: comparing.extract_features(model, p.pixels) for n, p in parts.items()}
    scale, offset = model.get_layer("similarity").get_weights()
    for row, vector in enumerate(features["test"]):
        for label in range(3):
            mean = features["train"][parts["train"].labels == label].mean(axis=0)
            logit = float(np.abs(vector - mean) @ scale[:, 0] + offset[0])
            assert found[row, label] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)


def test_three_way_accuracy_equals_a_naive_implementation():
    model, part = build_toy(), draw_part(8)
    queries, references = pairs.draw_trials(part.labels, 24, seed=3)
    right = 0
    for query, of_class in zip(queries, references, strict=True):
        values = [compare_by_hand(model, part.pixels[query], part.pixels[row]) for row in of_class]
        right += values.index(max(values)) == part.labels[query]
    features = comparing.extract_features(model, part.pixels)
    similarity = siamese.model.compare_features(model, features, features)
    assert comparing.score_trials(similarity, part.labels, queries, references) == right
    score = comparing.make_pair_score(model, part, 24, seed=3)()
    assert score["val_three_way"] == pytest.approx(right / 24)


def test_single_references_are_training_images_of_their_class():
    model, parts = build_toy(), {"train": draw_part(5), "test": draw_part(4, seed=1)}
    found = comparing.score_references(model, parts, seed=2)
    drawn = pairs.draw_references(parts["train"].labels, 12, seed=2)
    assert (parts["train"].labels[drawn] == [0, 1, 2]).all()
    for row, column in itertools.product(range(12), range(3)):
        image = parts["train"].pixels[drawn[row, column]]
        by_hand = compare_by_hand(model, parts["test"].pixels[row], image)
        assert found[row, column] == pytest.approx(by_hand, rel=1e-3, abs=1e-6)


def test_trials_name_each_image_once_and_never_refer_to_its_own_patient():
    labels = np.repeat([0, 1, 2], 10)
    patients = np.arange(30) // 2  # two images a patient
    queries, references = pairs.draw_trials(labels, 30, seed=0, patients=patients)
    assert len(set(queries)) == 30
    assert (labels[references] == [0, 1, 2]).all()
    assert (patients[references] != patients[queries][:, np.newaxis]).all()
    again = pairs.draw_trials(labels, 30, seed=0, patients=patients)
    np.testing.assert_array_equal(references, again[1])
    with pytest.raises(ValueError, match="multiple of 3 of at most 30.*Received: 31"):
        pairs.draw_trials(labels, 31, seed=0)
    with pytest.raises(ValueError, match="at least two patients in each"):
        pairs.draw_trials(labels, 30, seed=0, patients=labels)


# --- pairs


@pytest.mark.parametrize("images_per_batch", [None, 12])
def test_pairs_are_balanced_and_never_of_an_image_with_itself(images_per_batch):
    labels = np.repeat([0, 1, 2], [10, 40, 25])
    drawn = pairs.draw_pairs(labels, 1200, 24, 5, 0, images_per_batch)
    assert drawn.shape == (50, 24, 2)
    assert (drawn[..., 0] != drawn[..., 1]).all()
    kinds = np.sort(labels[drawn], axis=-1)
    same = kinds[..., 0] == kinds[..., 1]
    assert (same.sum(axis=1) == 12).all()  # half of every batch
    names, counts = np.unique(kinds.reshape(-1, 2), axis=0, return_counts=True)
    assert names.tolist() == [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]
    assert (counts == 200).all()
    # all of the smallest class and as many of the others
    seen = np.unique(drawn)
    assert np.bincount(labels[seen]).max() <= 10
    assert (labels[seen] == 0).sum() == 10
    if images_per_batch:
        assert max(len(np.unique(batch)) for batch in drawn) <= images_per_batch


def test_pairs_follow_the_seed_and_are_new_every_epoch():
    labels = np.repeat([0, 1, 2], 20)
    first, again = (pairs.draw_pairs(labels, 96, 32, 7, 0) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != pairs.draw_pairs(labels, 96, 32, 7, 1)).any()
    assert (first != pairs.draw_pairs(labels, 96, 32, 8, 0)).any()


def test_batches_hold_each_image_once_and_point_to_it():
    part = draw_part(6)
    batches = pairs.generate_pair_batches(part.pixels, part.labels, 32, 8, 3)
    expected = np.concatenate([pairs.draw_pairs(part.labels, 32, 8, 3, epoch) for epoch in (0, 1)])
    for rows, ((images, local), same) in zip(expected, batches, strict=False):
        assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
        np.testing.assert_array_equal(images[local], part.pixels[rows])
        assert (
            same.ravel().tolist() == (part.labels[rows[:, 0]] == part.labels[rows[:, 1]]).tolist()
        )


def test_what_cannot_be_paired_is_refused():
    part = draw_part(4)
    with pytest.raises(ValueError, match="Class 1 cannot form a pair.*Received: 1"):
        pairs.check_classes(part.pixels[:5], part.labels[:5], 3)
    with pytest.raises(ValueError, match="Class 2 cannot form a pair.*Received: 0"):
        pairs.check_classes(part.pixels[:8], part.labels[:8], 3)
    equal = part.pixels.copy()
    equal[4:8] = equal[4]
    with pytest.raises(ValueError, match="All images of class 1 are equal"):
        pairs.check_classes(equal, part.labels, 3)
    for sizes, message in (
        ((8, 3, 0, 0), "even batch_size"),
        ((2, 4, 0, 0), "at least as many"),
        ((8, 4, 0, 0, 3), "two images of each class"),
    ):
        with pytest.raises(ValueError, match=message):
            pairs.draw_pairs(part.labels, *sizes)
    with pytest.raises(ValueError, match="at least two classes"):
        pairs.draw_pairs(np.zeros(5, int), 8, 4, 0, 0)


def test_a_patient_in_two_parts_is_refused():
    split = pd.DataFrame({"patient_id": ["a", "a", "b"], "split": ["train", "test", "val"]})
    with pytest.raises(ValueError, match="each patient in one part.*1 patients.*'a'"):
        siamese.load_image_sets(split, ["covid"], 8)


# --- training


@pytest.fixture
def parts():
    sizes = {"train": 8, "val": 4, "test": 3}
    return {n: draw_part(k, seed, 32) for seed, (n, k) in enumerate(sizes.items())}


SETTINGS = siamese.Settings(
    learning_rate=1e-3, batch_size=8, num_epochs=3, num_filters=4, num_units=8, num_pairs=24,
    images_per_batch=12, num_trials=12, stages=(1, 1, 2, 1), dropout="shared",
)  # fmt: skip


def test_the_siamese_net_goes_back_to_its_best_epoch_and_is_kept(parts, monkeypatch):
    run = siamese.train_siamese(parts, 3, SETTINGS, 27)
    assert run.test_scores.shape == (9, 3)
    assert set(run.history) == {
        "accuracy", "loss", "val_accuracy", "val_loss", "val_three_way",
    }  # fmt: skip
    scored = comparing.make_pair_score(run.model, parts["val"], 12, 27)()
    best = int(np.argmax(run.history["val_three_way"]))
    assert scored["val_three_way"] == max(run.history["val_three_way"])
    assert scored["val_loss"] == pytest.approx(run.history["val_loss"][best], rel=1e-4)

    monkeypatch.setattr("leakage.siamese.training._fit", None)  # a second training would fail
    again = siamese.train_siamese(parts, 3, SETTINGS, 27)
    np.testing.assert_array_equal(run.test_scores, again.test_scores)
    found = comparing.score_templates(again.model, parts, 3)
    np.testing.assert_allclose(found, run.test_scores, rtol=1e-4, atol=1e-6)


def test_the_grid_ranks_by_validation_and_the_single_net_ends_in_scores(parts):
    grid = {"learning_rate": [1e-3, 1e-5], "batch_size": [8]}
    frame = siamese.search_grid(siamese.train_single, parts, 3, SETTINGS, grid, 27)
    assert len(frame) == 2 and frame["validation"].is_monotonic_decreasing
    chosen = siamese.choose_settings(SETTINGS, frame, 7)
    assert (chosen.learning_rate, chosen.num_epochs) == (frame["learning_rate"].iloc[0], 7)
    assert chosen.num_filters == SETTINGS.num_filters
    assert isinstance(chosen.batch_size, int)  # beside a rate: a batch of 8.0 cannot be drawn
    one = siamese.search_grid(None, parts, 3, SETTINGS, {"batch_size": [5]}, 27)  # trains nothing
    assert siamese.choose_settings(SETTINGS, one, 7).batch_size == 5
    run = siamese.train_single(parts, 3, SETTINGS, 27)
    np.testing.assert_allclose(run.test_scores.sum(axis=1), 1, rtol=1e-5)
    row = frame[frame["learning_rate"] == SETTINGS.learning_rate].iloc[0]
    assert row["validation"] == pytest.approx(max(run.history["val_balanced_accuracy"]))


def test_validation_scores_of_a_softmax_equal_their_definitions():
    scores = np.array([[0.7, 0.3], [0.4, 0.6], [0.9, 0.1]])
    found = comparing.score_classes(scores, np.array([0, 1, 1]))
    assert found["val_accuracy"] == pytest.approx(2 / 3)
    assert found["val_balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["val_loss"] == pytest.approx(-np.log([0.7, 0.6, 0.1]).mean())


# --- what the results are set against


PUBLISHED = {"covid": 31, "normal": 885, "pneumonia": 594}


def test_a_majority_vote_scores_the_largest_class():
    found = evaluation.score_majority(PUBLISHED)
    assert (found["class"], found["k"], found["n"]) == ("normal", 885, 1510)
    assert found["balanced_accuracy"] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="images of each"):
        evaluation.score_majority({"covid": 0, "normal": 5})


def test_recalls_are_weighed_by_the_mix_asked_for():
    hits, counts = {"a": 9, "b": 30}, {"a": 10, "b": 60}
    value, lower, upper = evaluation.weigh_recalls(hits, counts)
    assert value == pytest.approx(0.7) and lower < 0.7 < upper
    assert evaluation.weigh_recalls(hits, counts, counts)[0] == pytest.approx(39 / 70)
    # one class of all the weight: its own Wilson interval
    alone = evaluation.weigh_recalls(hits, counts, {"a": 1, "b": 0})
    np.testing.assert_allclose(alone[1:], evaluation.wilson_interval(9, 10))
    # the simulated coverage is near 95 %
    rng = np.random.default_rng(0)
    inside = 0
    for a, b in zip(rng.binomial(31, 0.7, 400), rng.binomial(80, 0.9, 400), strict=True):
        _, low, high = evaluation.weigh_recalls({"a": a, "b": b}, {"a": 31, "b": 80})
        inside += low <= 0.8 <= high
    assert 0.92 <= inside / 400 <= 0.99


def test_printed_shares_bound_the_counts_behind_them():
    bounds = evaluation.bound_hits(PUBLISHED, 0.87, {"covid": 0.65, "pneumonia": 0.88})
    assert bounds.loc["covid"].tolist() == [20, 20]
    assert bounds.loc["pneumonia"].tolist() == [520, 525]
    low, high = bounds.loc["normal"]
    assert round(0.865 * 1510) - 20 - 525 <= low <= high <= round(0.875 * 1510) - 20 - 520
    with pytest.raises(ValueError, match="contradict"):
        evaluation.bound_hits(PUBLISHED, 0.10, {"covid": 0.65, "pneumonia": 0.88})
    with pytest.raises(ValueError, match="all classes but one"):
        evaluation.bound_hits(PUBLISHED, 0.87, {"covid": 0.65})
