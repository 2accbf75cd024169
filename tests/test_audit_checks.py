"""The measures behind the rows, against independent implementations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import leakcard
from leakcard import classifier, looks, rows, training_record
from leakcard import stats as permutation


def test_cramers_v_agrees_with_scipy_up_to_bergsmas_correction():
    rng = np.random.default_rng(0)
    counts = rng.integers(5, 40, (3, 4))
    n, (r, k) = counts.sum(), counts.shape
    v = stats.contingency.association(counts, method="cramer")
    phi = max(0.0, v**2 * min(r - 1, k - 1) - (k - 1) * (r - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    assert permutation.compute_cramers_v(counts) == pytest.approx(np.sqrt(phi / smaller))
    assert permutation.compute_cramers_v(np.diag([30, 30])) == pytest.approx(1.0)
    assert permutation.compute_cramers_v([[10, 10], [20, 20]]) == 0.0
    assert permutation.compute_cramers_v([[10, 20], [0, 0]]) == 0.0


def test_the_permutation_p_agrees_with_chi_squared_and_kruskal_wallis():
    rng = np.random.default_rng(3)
    codes, groups = rng.integers(0, 2, 200), np.arange(200)
    values = np.where(rng.random(200) < 0.12, codes, rng.integers(0, 2, 200))
    table = pd.crosstab(codes, values)
    expected = stats.chi2_contingency(table, correction=False).pvalue
    p_value = permutation.measure_association(codes, values, groups, 2000, 0).p_value
    assert p_value == pytest.approx(expected, abs=0.03)
    numbers = rng.normal(size=200) + 0.2 * codes
    expected = stats.kruskal(numbers[codes == 0], numbers[codes == 1]).pvalue
    p_value = permutation.measure_rank_gap(codes, numbers, groups, 2000, 0).p_value
    assert p_value == pytest.approx(expected, abs=0.03)


def test_labels_move_with_their_patients_and_within_their_blocks():
    groups = np.repeat(np.arange(40), np.resize([1, 2, 3, 2], 40))
    codes = (groups % 3 == 0).astype(int)
    blocks = groups % 2
    chunks = permutation.permute_labels(codes, groups, 150, 0, blocks)
    permuted = np.concatenate(list(chunks))
    assert permuted.shape == (150, len(codes)) and (permuted != codes).any(axis=1).all()
    for group in range(40):
        assert (np.ptp(permuted[:, groups == group], axis=1) == 0).all()
    firsts = np.unique(groups, return_index=True)[1]  # one image of each patient
    for block in (0, 1):
        of_block = firsts[blocks[firsts] == block]
        assert (permuted[:, of_block].sum(axis=1) == codes[of_block].sum()).all()


def test_a_patient_of_a_size_that_nobody_else_has_takes_other_labels_too():
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    codes = (groups >= 10).astype(int)  # the number of images follows the label
    permuted = np.concatenate(list(permutation.permute_labels(codes, groups, 400, 0)))
    shares = [permuted[:, groups == group].mean() for group in range(20)]
    np.testing.assert_allclose(shares, 0.5, atol=0.1)


def test_labels_of_a_patient_with_two_are_dealt_in_turn():
    groups, codes = np.array([0, 0, 0, 1, 1]), np.array([2, 2, 2, 0, 1])
    found = {tuple(row) for c in permutation.permute_labels(codes, groups, 50, 0) for row in c}
    assert found == {(2, 2, 2, 0, 1), (0, 1, 0, 2, 2)}


def test_the_smallest_p_is_that_of_the_labellings_or_of_the_permutations():
    groups, codes = np.arange(6), np.array([0, 0, 0, 1, 1, 1])
    assert permutation.compute_smallest_p(codes, groups, 999) == pytest.approx(1 / 20)
    assert permutation.compute_smallest_p(codes, groups, 9) == pytest.approx(1 / 10)
    # Two ways in block 0, three in block 1, where two of three patients have both labels.
    groups, codes = np.array([5, 6, 2, 2, 3, 3, 4]), np.array([0, 1, 0, 1, 1, 0, 1])
    blocks = np.array([0, 0, 1, 1, 1, 1, 1])
    assert permutation.compute_smallest_p(codes, groups, 999, blocks) == pytest.approx(1 / 6)
    many = np.arange(2000)
    assert permutation.compute_smallest_p(many % 2, many, 999) == pytest.approx(1 / 1000)


def test_the_median_is_that_of_numpy_to_the_last_bit():
    rng = np.random.default_rng(0)
    for shape in ((1,), (2,), (7, 9), (64, 64)):
        for kind in (np.float32, np.float64):
            values = rng.normal(size=shape).astype(kind)
            found, expected = permutation.find_median(values), np.median(values)
            assert found == expected and found.dtype == expected.dtype


def test_the_upper_bound_covers_the_effect_in_95_of_100_sets():
    rng = np.random.default_rng(5)
    for effect in (0.0, 0.2):  # V of two even classes and two even values is the difference
        covered = []
        for seed in range(200):
            codes = rng.integers(0, 2, 150)
            values = rng.random(150) < 0.5 + effect * (codes - 0.5)
            test = permutation.measure_association(codes, values, np.arange(150), 1, seed)
            covered.append(test.upper >= effect)
        assert np.mean(covered) >= 0.91


def test_many_images_of_few_patients_are_not_taken_for_many():
    # Twelve patients with 30 images each: the property is the patient's, and chance.
    rng = np.random.default_rng(1)
    p_by_patient, p_by_image = [], []
    for seed in range(30):
        groups = np.repeat(np.arange(12), 30)
        codes = rng.permutation(np.arange(12) % 2)[groups]
        values = rng.integers(0, 2, 12)[groups]
        for found, units in ((p_by_patient, groups), (p_by_image, np.arange(len(groups)))):
            test = permutation.measure_association(codes, values, units, 199, seed)
            found.append(test.p_value)
    assert np.mean(np.array(p_by_patient) <= 0.05) <= 0.15
    assert np.mean(np.array(p_by_image) <= 0.05) >= 0.5


def test_the_classifier_finds_what_is_there_and_its_p_is_uniform_where_nothing_is():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 2)
    codes = (np.arange(60) % 3)[groups]
    features = rng.normal(size=(120, 30))
    features[:, 4] += 3.0 * (codes == 1)
    score = classifier.score_features(features, codes, groups, 199, 0)
    assert score.p_value == 1 / 200 and score.gain > 0.25
    assert score.lower <= score.accuracy <= score.upper
    assert score.largest_share == pytest.approx(1 / 3)
    p_values = []
    for seed in range(40):  # patients are recognisable, but their labels are chance
        features = rng.normal(size=(60, 10))[groups] + 0.1 * rng.normal(size=(120, 10))
        shuffled = rng.permutation(np.arange(60) % 3)[groups]
        p_values.append(classifier.score_features(features, shuffled, groups, 99, seed).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15


def test_whole_patients_are_sampled():
    groups = np.repeat(np.arange(100), 3)
    chosen = classifier.sample_groups(groups, 90, 0)
    assert len(chosen) == 90 and len(set(groups[chosen])) == 30


def make_row(status, p_value, **columns):
    return leakcard.Row("L2", "x", "x", status, figure="f", p_value=p_value, **columns)


def test_what_may_be_the_subject_is_called_chance_where_chance_explains_it():
    told = {"reason": "may be the subject", "boxes": ({"image_id": "i"},), "detectable": 0.3}
    told |= {"effect": 0.2, "threshold": 0.15}
    by_chance, above = rows.settle_rows(
        [make_row("not testable", 0.3, **told), make_row("not testable", 0.001, **told)]
    )
    assert by_chance.status == above.status == "not testable"
    assert "occurs by chance" in by_chance.reason and not by_chance.boxes
    assert above.reason == "may be the subject" and above.boxes


def test_p_values_are_corrected_for_their_number_and_chance_findings_are_not_testable():
    settled = rows.settle_rows(
        [
            make_row("fail", 0.001),
            make_row("fail", 0.03),
            make_row("warn", None),
            make_row("pass", 0.5, effect_upper=0.05, threshold=0.1),
            make_row("pass", 0.5, effect_upper=0.25, threshold=0.1, detectable=0.31),
        ]
    )
    assert [row.status for row in settled] == [
        *("fail", "not testable", "warn", "pass", "not testable")
    ]
    assert settled[0].p_adjusted == pytest.approx(0.004)
    assert settled[1].p_adjusted == pytest.approx(0.09) and "by chance" in settled[1].reason
    assert "corrected for 4 tests" in settled[0].figure and settled[2].figure == "f"
    assert "0.25 cannot be excluded" in settled[4].reason and "0.31" in settled[4].reason


def test_what_no_permutation_could_reach_is_not_testable_and_says_what_it_needs():
    alarms = [make_row("fail", 0.01, smallest_p=0.01) for _ in range(9)]
    settled = rows.settle_rows(alarms)
    assert {row.status for row in settled} == {"not testable"}
    assert "180 permutations" in settled[0].reason


def test_a_row_of_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="status of .* Received: status='good'"):
        make_row("good", None)


def test_a_letter_in_the_corner_shows_in_the_border_and_the_middle_does_not():
    image = np.full((160, 160), 50, np.uint8)
    plain = looks.measure_squares(image)[0]
    image[40:120, 40:120] = 255
    np.testing.assert_array_equal(looks.measure_squares(image)[0], plain)
    image[5:12, 5:12] = 255
    assert (looks.measure_squares(image)[0] != plain).sum() == 3  # mean, deviation, maximum of one


def test_the_statistics_of_a_record_agree_with_numpy(tmp_path):
    import cv2

    rng = np.random.default_rng(0)
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), rng.integers(0, 255, (20, 20), dtype=np.uint8))
    values = np.stack([cv2.imread(str(path)) for path in paths]) / 127.5 - 1
    table = pd.DataFrame({"path": paths, "sha256": list("abc")})
    found = leakcard.make_record(table, value_range=(-1, 1))["fitted_statistics"]
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-6)
    assert found["std"] == pytest.approx(values.std(), abs=1e-6)
    assert found["fitted_on"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[1]",
        '{"mean": 1}',
        '{"fitted_statistics": null}',
        '{"fitted_statistics": [0.5, 0.2], "selection": {"on": "val"}}',
    ],
)
def test_a_file_that_is_no_training_record_is_refused(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="training record"):
        training_record.read_record(path)


@pytest.mark.parametrize(
    ("pattern", "path", "patient"),
    [
        ("nih", "x/00000013_005.png", "00000013"),
        ("kermany", "a/person12_virus_3.jpeg", "person12"),
        ("kermany", "a/NORMAL2-IM-0012-0001.jpeg", "NORMAL2-IM-0012"),
        (r"case(\d+)", "case7-b.png", "7"),
    ],
)
def test_patients_are_read_from_file_names_and_marked_as_inferred(pattern, path, patient):
    table = pd.DataFrame({"path": [path, "other.png"], "image_id": ["a", "b"]})
    found = leakcard.infer_patients(table.assign(patient_id=np.nan), pattern)
    assert found["patient_id"].iloc[0] == patient and pd.isna(found["patient_id"].iloc[1])
    assert found.attrs["patient_id_inferred"]


@pytest.mark.parametrize("pattern", ["(", "nothing", r"x(\d+)"])
def test_a_pattern_that_finds_no_patient_is_refused(pattern):
    table = pd.DataFrame({"path": ["a.png"], "image_id": ["a"], "patient_id": [np.nan]})
    with pytest.raises(ValueError, match="pattern of patients"):
        leakcard.infer_patients(table, pattern)


def test_copies_join_patients_into_one_independent_unit():
    images = pd.DataFrame(
        {
            "image_id": list("abcde"),
            "patient_id": ["p", "p", "q", "r", "s"],
            "sha256": ["1", "2", "3", "3", None],
        }
    )
    pairs = pd.DataFrame({"image_id_a": ["b"], "image_id_b": ["e"]})
    units = leakcard.join_units(images, pairs)
    assert units[0] == units[1] == units[4] and units[2] == units[3] != units[0]
