"""The ladder, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from leakage import evaluation


def make_records():
    frames = []
    for variant, accuracies in (("leaky", [0.9, 0.8]), ("clean", [0.5, 0.6])):
        for seed, accuracy in enumerate(accuracies):
            truth = np.arange(100) % 2
            wrong = np.arange(100) >= 100 * accuracy
            scores = np.eye(2)[np.where(wrong, 1 - truth, truth)]
            scored = evaluation.score_predictions(truth, scores, ["a", "b"], num_bootstrap=20)
            frames.append(scored.assign(variant=variant, seed=seed))
    return pd.concat(frames, ignore_index=True)


def test_each_step_is_compared_with_the_one_above():
    table = evaluation.tabulate_steps(make_records(), ["leaky", "clean"]).set_index("step")
    assert table.loc["leaky", "k"] == 90 and np.isnan(table.loc["leaky", "difference"])
    assert table.loc["clean", "difference"] == pytest.approx(-0.4)
    expected = evaluation.newcombe_interval(50, 100, 90, 100)
    assert tuple(table.loc["clean", ["difference_lower", "difference_upper"]]) == expected
    assert table.loc["leaky", "mean"] == pytest.approx(0.85)
    assert table.loc["clean", "num_seeds"] == 2 and table.loc["clean", "num_collapsed"] == 0
    assert table.loc["clean", "recall_a"] == pytest.approx(0.5)


def test_a_step_without_records_is_named():
    with pytest.raises(ValueError, match="'strict'"):
        evaluation.tabulate_steps(make_records(), ["leaky", "strict"])


def make_predictions(variant, images, num_right):
    predicted = ["a"] * num_right + ["b"] * (len(images) - num_right)
    return pd.DataFrame(
        {"variant": variant, "seed": 0, "image_id": images, "label": "a", "predicted": predicted}
    )


def test_steps_on_the_same_images_are_compared_image_by_image():
    images = [f"{number:03}" for number in range(100)]
    both = [make_predictions("leaky", images, 90), make_predictions("clean", images[::-1], 50)]
    table = evaluation.tabulate_steps(make_records(), ["leaky", "clean"], pd.concat(both))
    clean = table.set_index("step").loc["clean"]
    right = np.arange(100) < 90, np.arange(100)[::-1] < 50
    assert clean["p_mcnemar"] == evaluation.mcnemar_test(*right).p_value
    assert clean["num_shared"] == 100 and np.isnan(clean["difference_lower"])


def test_steps_on_other_images_are_independent_samples():
    images = [f"{number:03}" for number in range(110)]
    both = [make_predictions("leaky", images[:100], 90), make_predictions("clean", images[10:], 50)]
    table = evaluation.tabulate_steps(make_records(), ["leaky", "clean"], pd.concat(both))
    clean = table.set_index("step").loc["clean"]
    assert clean["num_shared"] == 90 and clean["difference_upper"] < 0
