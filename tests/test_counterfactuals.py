"""Measures of shortcut use, on predictions made by hand."""

import numpy as np
import pandas as pd
import pytest

from leakage import evaluation, record

TEST = pd.DataFrame(
    {
        "label": ["covid"] * 10 + ["normal"] * 10,
        "source": ["cohen"] * 10 + ["nih"] * 5 + ["kermany"] * 5,
    }
)


def make_scores(num_right_covid, num_right_normal):
    right = np.array(
        [i < num_right_covid for i in range(10)] + [i < num_right_normal for i in range(10)]
    )
    truth = np.array([0] * 10 + [1] * 10)
    return np.eye(2)[np.where(right, truth, 1 - truth)]


def test_a_version_is_compared_with_the_whole_images_in_points():
    scores = {
        ("full", "test-time"): make_scores(9, 9),
        ("border only", "retrained"): make_scores(7, 7),
        ("border only", "test-time"): make_scores(10, 0),
    }
    table = evaluation.tabulate_counterfactuals(TEST, scores, ["covid", "normal"])
    table = table.set_index(["version", "mode"])
    assert np.isnan(table.loc[("full", "test-time"), "difference_lower"])
    lost = table.loc[("border only", "retrained")]
    assert lost["difference"] == pytest.approx(-0.2)
    # Four images are lost, none is won.
    bounds = evaluation.paired_interval(0, 4, 20)
    assert (lost["difference_lower"], lost["difference_upper"]) == bounds
    assert table.loc[("border only", "test-time"), "difference"] == pytest.approx(-0.4)
    assert ((table["lower"] <= table["value"]) & (table["value"] <= table["upper"])).all()


def test_the_worst_group_is_found_and_small_ones_are_passed_over():
    predicted = np.where(TEST["source"] == "kermany", "covid", TEST["label"])
    worst = evaluation.find_worst_group(TEST, predicted)
    assert worst["group"] == "normal, kermany" and worst["accuracy"] == 0 and worst["n"] == 5
    with pytest.raises(ValueError, match="at least 5"):
        evaluation.find_worst_group(TEST.head(3), predicted[:3])


def test_the_whole_images_are_the_reference():
    with pytest.raises(ValueError, match='"full", "test-time"'):
        evaluation.tabulate_counterfactuals(
            TEST, {("border only", "retrained"): make_scores(5, 5)}, ["covid", "normal"]
        )


def test_every_version_becomes_two_records_that_name_it():
    scores = {
        ("full", "test-time"): make_scores(9, 9),
        ("border only", "retrained"): make_scores(7, 7),
    }
    table = evaluation.tabulate_counterfactuals(TEST, scores, ["covid", "normal"])
    rows = evaluation.list_counterfactual_scores(table, "as drawn")
    rows = record.make_records(rows, system="S1")
    names = rows[["variant", "version", "mode"]].drop_duplicates().to_numpy().tolist()
    assert names == [["as drawn", "full", "test-time"], ["as drawn", "border only", "retrained"]]
    accuracy = rows[rows["metric"] == "counterfactual_accuracy"].iloc[1]
    assert (accuracy["k"], accuracy["n"]) == (14, 20) and accuracy["lower"] < 0.7
    lost = rows[rows["metric"] == "counterfactual_difference"]
    assert lost["value"].tolist() == pytest.approx([0, -0.2]) and lost["lower"].iloc[1] < -0.2
