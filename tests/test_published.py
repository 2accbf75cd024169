import dataclasses

import numpy as np
import pytest

from leakage import published


def with_confusion():
    return [key for key, result in published.RESULTS.items() if result.confusion]


@pytest.mark.parametrize("key", with_confusion())
def test_the_confusion_matrix_adds_up_to_the_published_counts(key):
    result = published.RESULTS[key]
    matrix = np.array(result.confusion)
    assert matrix.shape == (len(result.class_names),) * 2
    assert np.trace(matrix) == result.k
    assert matrix.sum() == result.n


def test_the_rows_of_the_paper_are_its_test_split():
    matrix = np.array(published.RESULTS["paper_vgg19"].confusion)
    sizes = [published.SPLIT_SIZES["S1"][name][2] for name in published.CLASS_NAMES]
    assert matrix.sum(axis=1).tolist() == sizes


def test_precision_recall_and_f1_of_the_paper_follow_from_its_confusion_matrix():
    result = published.RESULTS["paper_vgg19"]
    matrix = np.array(result.confusion)
    precision = np.diag(matrix) / matrix.sum(axis=0)
    recall = np.diag(matrix) / matrix.sum(axis=1)
    f1 = 2 * precision * recall / (precision + recall)
    for metric, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        printed = [result.class_scores[metric][name] for name in result.class_names]
        # Three printed digits; the paper cuts one of them (0.8667 to 0.866).
        np.testing.assert_allclose(printed, values, atol=0.001)


def test_almost_all_errors_of_the_paper_are_between_the_classes_of_one_source():
    matrix = np.array(published.RESULTS["paper_vgg19"].confusion)
    assert matrix[1:, 1:].sum() - np.trace(matrix[1:, 1:]) == 11
    assert matrix.sum() - np.trace(matrix) == 15


def test_split_sizes_are_580_140_140_and_wolf_validation_is_an_eighth():
    totals = np.array(list(published.SPLIT_SIZES["S1"].values())).sum(axis=0)
    assert totals.tolist() == [580, 140, 140]
    assert 80 * published.WOLF_VALIDATION_FRACTION == 10
    assert published.RESULTS["wolf_leaky"].n == 20
    assert published.RESULTS["wolf_swap"].n == 40


def test_the_hard_label_auc_of_s2_is_its_balanced_accuracy():
    for key in ("s2_fine_tuned", "s2_fixed"):
        result = published.RESULTS[key]
        matrix = np.array(result.confusion)
        balanced = (np.diag(matrix) / matrix.sum(axis=1)).mean()
        assert result.class_scores["roc_auc"]["pneumonia"] == pytest.approx(balanced, abs=0.005)


def test_a_count_worked_back_from_an_accuracy_says_so_and_rounds_to_it():
    for key, result in published.RESULTS.items():
        if result.k is None:
            assert not result.exact, key
            continue
        assert 0 <= result.k <= result.n
        assert result.value == pytest.approx(result.k / result.n, abs=0.5 / result.n)
        assert result.exact == (result.accuracy is None), key


def test_every_result_names_its_source_and_backbone():
    for key, result in published.RESULTS.items():
        assert result.system in {"S1", "S2", "S3", "S4", "S5"}, key
        assert result.source and result.backbone and result.name, key


def test_the_ancestor_rotates_a_fifth_of_a_turn():
    assert published.AUGMENTATION["paper"].rotation_degrees == 20
    assert published.AUGMENTATION["ancestor"].rotation_degrees == 0.2 * 360


def test_published_values_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        published.RESULTS["paper_vgg19"].k = 140


def test_a_recipe_that_differs_is_named_and_the_published_one_is_not():
    paper, ancestor = published.PROTOCOLS["paper"], published.PROTOCOLS["ancestor"]
    assert published.list_changes("S1", paper, num_epochs=50, size_px=224) == ""
    assert published.list_changes("S1", ancestor, num_views=1) == ""
    changes = published.list_changes(
        "S1", paper, num_views=1, feature_scaling="standard", num_epochs=20
    )
    assert changes == (
        "num_epochs 20 instead of 50, feature_scaling standard instead of none, "
        "num_views 1 instead of a fresh one an epoch"
    )
