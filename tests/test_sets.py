"""Built sets whose truth is known: perfect leaks are found, clean sets do not fail."""

import cv2
import numpy as np
import pandas as pd
import planted
import pytest

import leakcard
from leakcard import facts

SIZE_PX = 128


def draw_field(rng, scale):
    field = cv2.GaussianBlur(rng.standard_normal((SIZE_PX, SIZE_PX)).astype("f4"), (0, 0), scale)
    return (field - field.mean()) / field.std()


def draw_subject(rng):
    """Smooth individual anatomy with two lungs, by one law for all classes."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX - 0.5
    image = 110 + 35 * draw_field(rng, 12.8) + 10 * draw_field(rng, 3.2)
    centre = rng.normal(0, 0.02, 2)
    for side in (-1, 1):
        wide, high = 0.13 * rng.uniform(0.9, 1.1), 0.27 * rng.uniform(0.9, 1.1)
        along = ((x - side * 0.2 - centre[0]) / wide) ** 2 + ((y - centre[1]) / high) ** 2
        image -= 45 * np.exp(-(along**2))
    return image + 3 * rng.standard_normal(image.shape)


def add_frame(image):
    image[:10] = image[-10:] = 250
    image[:, :10] = image[:, -10:] = 250


def build(folder, patients, seed):
    """Write a set: `patients` are dicts of label, num_images, frame and columns of the table."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, patient in enumerate(patients):
        split = patient.get("split") or ("train" if rng.random() < 0.7 else "test")
        columns = {k: v for k, v in patient.items() if k not in ("num_images", "frame", "texture")}
        for copy in range(patient.get("num_images", 1)):
            image = draw_subject(rng)
            if patient.get("texture"):  # a disease of the lungs that takes bytes to write
                image[30:98, 30:98] += 18 * draw_field(rng, 0.7)[30:98, 30:98]
            if patient.get("frame"):
                add_frame(image)
            path = folder / f"{number:04d}_{copy:02d}.png"
            path.write_bytes(cv2.imencode(".png", np.clip(image, 0, 255).astype("u1"))[1])
            rows.append({"patient_id": f"p{number}", **columns, "split": split, "path": str(path)})
    table = pd.DataFrame(rows)
    return facts.describe_files(table.assign(image_id=table["path"].str.rsplit("/").str[-1]))


def run(table, **options):
    return leakcard.audit(table, pairs=planted.find_same_files(table), **options)


def make_case(rng, num_images=1):
    return {"label": "case", "num_images": num_images, "frame": True, "source": "A", "view": "AP",
            "age_years": rng.integers(55, 85)}  # fmt: skip


def make_control(rng, num_images=1):
    return {"label": "control", "num_images": num_images, "source": "B", "view": "PA",
            "age_years": rng.integers(20, 45)}  # fmt: skip


@pytest.mark.parametrize(
    "seed", [21, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (22, 23))]
)
def test_a_leak_is_found_where_all_cases_have_two_images_and_all_controls_one(tmp_path, seed):
    rng = np.random.default_rng(seed)
    patients = [make_case(rng, 2) for _ in range(60)] + [make_control(rng) for _ in range(120)]
    card = run(build(tmp_path, patients, seed))
    for check in ("source", "view", "border_classifier", "metadata_classifier"):
        assert card.get_row(check).status == "fail", check
    assert card.get_row("patient_sizes").status == "warn"


@pytest.mark.parametrize("seed", [21, pytest.param(22, marks=pytest.mark.slow)])
def test_a_leak_is_found_where_no_two_patients_have_as_many_images(tmp_path, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.permutation(np.arange(4, 36))
    patients = [
        (make_case if number % 2 else make_control)(rng, int(size))
        for number, size in enumerate(sizes)
    ]
    card = run(build(tmp_path, patients, seed))
    assert card.get_row("source").status == "fail"
    assert card.get_row("border_classifier").status == "fail"
    assert card.get_row("patient_sizes").status != "warn"


def test_too_few_permutations_are_no_pass(tmp_path):
    rng = np.random.default_rng(21)
    patients = [make(rng) for _ in range(40) for make in (make_case, make_control)]
    card = run(build(tmp_path, patients, 21), num_permutations=99)
    for check in ("source", "border_classifier"):
        row = card.get_row(check)
        assert row.status == "not testable" and "permutations" in row.reason


def test_a_test_set_of_another_place_and_age_is_reported_and_does_not_fail(tmp_path):
    rng = np.random.default_rng(21)
    patients = [
        {
            "label": "ab"[number % 2],
            "split": split,
            "source": source,
            "age_years": rng.integers(*ages),
        }
        for split, source, ages, count in (
            ("train", "one", (20, 50), 120),
            ("test", "two", (60, 85), 60),
        )
        for number in range(count)
    ]
    card = run(build(tmp_path, patients, 21))
    for check in ("split_source",):
        row = card.get_row(check)
        assert row.status == "warn" and "external" in row.reason
    assert card.get_row("split_label").status != "warn"
    assert not card.has_leak


def test_two_sources_that_number_alike_are_asked_about(tmp_path):
    patients = [
        {"label": "ab"[number % 2], "split": split, "source": source, "patient_id": str(number)}
        for split, source in (("train", "one"), ("test", "two"))
        for number in range(60)
    ]
    table = build(tmp_path, patients, 21)
    row = run(table).get_row("patient_across_splits")
    assert row.status == "not testable" and "number" in row.reason and row.question
    one = table.assign(source="one")
    assert run(one).get_row("patient_across_splits").status == "fail"


def test_a_disease_that_takes_bytes_to_write_is_no_leak(tmp_path):
    patients = [{"label": "ab"[n % 2], "texture": n % 2 == 1} for n in range(160)]
    card = run(build(tmp_path, patients, 21))
    assert not card.has_leak
    row = card.get_row("bytes_classifier")
    assert row.status == "not testable" and row.effect > 0.5
