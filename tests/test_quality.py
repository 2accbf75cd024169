"""Quality: measured where it can be, named honestly where not, tested against its class."""

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from leakcard import quality


@pytest.fixture
def chest():
    values = np.random.default_rng(0).normal(120, 25, (200, 240)).clip(0, 255)
    return cv2.GaussianBlur(values.astype(np.uint8), (5, 5), 0)


def make_measured(shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(["a", "b", "c"], 40)
    values = rng.normal(0, 1, 120) + shift * (labels == "c")
    patients = [f"p{number}" for number in range(120)]
    return pd.DataFrame({"label": labels, "patient_id": patients, "sharpness": values})


def test_a_blurred_image_is_less_sharp_and_a_grainy_one_noisier(chest):
    plain = quality.describe_image(chest)
    blurred = quality.describe_image(cv2.GaussianBlur(chest, (9, 9), 0))
    grain = np.random.default_rng(1).normal(0, 12, chest.shape)
    grainy = quality.describe_image((chest + grain).clip(0, 255).astype(np.uint8))
    assert blurred["sharpness"] < plain["sharpness"] and blurred["noise"] < plain["noise"]
    assert grainy["noise"] > plain["noise"] + 5


def test_noise_is_measured_in_gray_values():
    values = 128 + np.random.default_rng(2).normal(0, 10, (256, 256))
    noise = quality.describe_image(values.clip(0, 255).astype(np.uint8))["noise"]
    assert noise == pytest.approx(10, rel=0.05)


@pytest.mark.skipif(not quality.can_compute_brisque(), reason="OpenCV without contrib")
def test_brisque_features_are_those_of_opencv_and_the_score_says_it_is_missing(chest):
    found = quality.describe_image(chest)
    expected = np.asarray(cv2.quality.QualityBRISQUE_computeFeatures(chest)).ravel()
    np.testing.assert_allclose([found[name] for name in quality.BRISQUE_COLUMNS], expected)
    assert np.isnan(found["brisque_score"]) and "the BRISQUE score is not here" in found["note"]


def test_without_contrib_modules_the_simple_measures_are_left(chest, monkeypatch):
    monkeypatch.setattr(quality, "can_compute_brisque", lambda: False)
    found = quality.describe_image(chest)
    assert np.isfinite([found[name] for name in quality.SIMPLE_COLUMNS]).all()
    assert np.isnan(found["brisque_01"]) and "without its contrib modules" in found["note"]
    frame = pd.DataFrame([found])
    assert quality.choose_measure(frame) == "sharpness"
    assert quality.choose_measure(frame.assign(brisque_score=30.0)) == "brisque_score"


@pytest.mark.parametrize("shape, value", [((64, 64), 0), ((64, 64), 255), ((2, 2), 7)])
def test_a_flat_or_tiny_image_has_no_quality(shape, value):
    found = quality.describe_image(np.full(shape, value, np.uint8))
    assert np.isnan(found["sharpness"]) and "flat or tiny" in found["note"]


def test_half_a_model_is_refused(tmp_path):
    model = tmp_path / "brisque_model_live.yml"
    table = pd.DataFrame(columns=["image_id", "label", "patient_id", "path"])
    with pytest.raises(ValueError, match="both files.*not found: .*model_live"):
        quality.measure_quality(table, tmp_path)
    model.write_text("x")
    with pytest.raises(ValueError, match="both files.*not found: .'brisque_range_live.yml'"):
        quality.measure_quality(table, tmp_path)


def test_images_of_a_table_are_measured_at_one_size(tmp_path, chest):
    rows = []
    for number, pixels in enumerate((chest, cv2.resize(chest, None, fx=3, fy=3))):
        path = tmp_path / f"{number}.png"
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        rows.append({"image_id": number, "label": "a", "patient_id": number, "path": str(path)})
    measured = quality.measure_quality(pd.DataFrame(rows))
    assert measured["image_id"].tolist() == [0, 1]
    assert measured["contrast"][0] == pytest.approx(measured["contrast"][1], rel=0.1)


def test_outliers_lie_beyond_the_quartiles_of_the_known():
    values = np.array([1.0, 2, 3, 4, 5, 100, np.nan, -90])
    known = np.array([True] * 5 + [False] * 3)
    outliers, bounds = quality.find_outliers(values, known)
    assert bounds == (2 - 3, 4 + 3)
    assert outliers.tolist() == [False] * 5 + [True, False, True]
    with pytest.raises(ValueError, match="no values to take quartiles of.*none finite"):
        quality.find_outliers([np.nan, np.nan])


def test_a_class_of_other_quality_is_found_with_its_effect():
    measured = make_measured(shift=2.0)
    found = quality.compare_classes(measured, "sharpness")
    groups = [part["sharpness"] for _, part in measured.groupby("label")]
    expected = stats.kruskal(*groups)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value < 1e-6 and found.effect > 0.3
    pairs = found.pairs.set_index(["first", "second"])
    assert pairs.loc[("a", "c"), "p_adjusted"] < 1e-4 < 0.05 < pairs.loc[("a", "b"), "p_adjusted"]
    a, c = groups[0].to_numpy(), groups[2].to_numpy()
    delta = (np.sign(a[:, None] - c[None])).mean()
    assert pairs.loc[("a", "c"), "effect"] == pytest.approx(delta)


def test_equal_classes_are_rarely_called_different():
    p_values = [
        quality.compare_classes(make_measured(0.0, seed), "sharpness").p_value for seed in range(20)
    ]
    assert np.mean(np.array(p_values) < 0.05) <= 0.15


def test_many_images_of_one_patient_count_once():
    measured = make_measured(0.0)
    crowd = pd.concat([measured] + [measured.iloc[[0]].assign(sharpness=9.0)] * 100)
    found = quality.compare_classes(crowd, "sharpness")
    assert found.p_value > 0.01
    with pytest.raises(ValueError, match="at least two classes with two patients.*'a': 1"):
        quality.compare_classes(measured.iloc[[0]], "sharpness")
