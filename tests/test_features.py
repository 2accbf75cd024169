"""The feature bank: right, shared, resumed and bounded."""

import concurrent.futures
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from leakage import features, networks, published
from leakcard import images

PAPER = published.AUGMENTATION["paper"]


@pytest.fixture(scope="module")
def backbone():
    return networks.build_backbone("vgg19", "random", 32)


@pytest.fixture
def table(tmp_path):
    rows = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 255, (40, 50, 3)).astype(np.uint8)
        cv2.imwrite(str(path), pixels)
        rows.append({"path": str(path), **images.inspect_image(path)})
    return pd.DataFrame(rows)


def make_bank(backbone, tmp_path, **options):
    return features.FeatureBank(backbone, PAPER, cache_dir=tmp_path / "bank", **options)


def count_passes(monkeypatch, backbone):
    """Count the images that pass through the backbone."""
    passed = []
    original = features.FeatureBank._pass_through
    monkeypatch.setattr(
        features.FeatureBank,
        "_pass_through",
        lambda bank, pixels: passed.append(len(pixels)) or original(bank, pixels),
    )
    return passed


def test_the_bank_holds_what_the_backbone_says(backbone, table, tmp_path):
    found = make_bank(backbone, tmp_path, batch_size=4).extract(table)
    expected = np.array(backbone.model(images.load_images(table["path"], 32)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_an_image_passes_through_the_backbone_once(backbone, table, tmp_path, monkeypatch):
    passed = count_passes(monkeypatch, backbone)
    bank = make_bank(backbone, tmp_path)
    first = bank.extract(table)
    shuffled = table.iloc[::-1]
    np.testing.assert_array_equal(bank.extract(shuffled), first[::-1])
    assert sum(passed) == len(table)


def test_what_two_need_at_the_same_time_one_computes(backbone, table, tmp_path, monkeypatch):
    passed = count_passes(monkeypatch, backbone)
    bank = make_bank(backbone, tmp_path, batch_size=2)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        first, second = executor.map(bank.extract, [table, table.iloc[::-1]])
    assert sum(passed) == len(table)
    np.testing.assert_array_equal(second, first[::-1])


def test_features_that_vanish_while_they_are_read_are_computed_again(
    backbone, table, tmp_path, monkeypatch
):
    bank = make_bank(backbone, tmp_path)
    expected = bank.extract(table)
    original, calls = np.load, []

    def drop_at_third(file, **options):
        calls.append(file)
        if len(calls) == 3:  # as another process does that makes room
            shutil.rmtree(file.parent)
        return original(file, **options)

    monkeypatch.setattr(np, "load", drop_at_third)
    np.testing.assert_array_equal(bank.extract(table), expected)


def test_an_interrupted_extraction_resumes(backbone, table, tmp_path, monkeypatch):
    bank = make_bank(backbone, tmp_path, batch_size=2)
    original, calls = features.FeatureBank._pass_through, []

    def fail_at_third(bank, pixels):
        calls.append(len(pixels))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(bank, pixels)

    monkeypatch.setattr(features.FeatureBank, "_pass_through", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        bank.extract(table)
    assert not list(tmp_path.glob("bank/**/*.partial"))
    bank.extract(table)
    assert sum(calls) == 4 + 2 + 2  # two batches, the one that failed, and only that one again


@pytest.mark.parametrize("change", [{"seed": 1}, {"treatment": "border only"}])
def test_what_changes_the_features_changes_the_key(backbone, table, tmp_path, monkeypatch, change):
    make_bank(backbone, tmp_path).extract(table, view=1)
    passed = count_passes(monkeypatch, backbone)
    make_bank(backbone, tmp_path, **change).extract(table, view=1)
    assert sum(passed) == len(table)


def test_validation_features_do_not_depend_on_the_augmentation(
    backbone, table, tmp_path, monkeypatch
):
    make_bank(backbone, tmp_path).extract(table)
    passed = count_passes(monkeypatch, backbone)
    features.FeatureBank(
        backbone, published.AUGMENTATION["ancestor"], cache_dir=tmp_path / "bank"
    ).extract(table)
    assert passed == []


def test_an_image_drawn_twice_gets_two_views(backbone, table, tmp_path):
    doubled = pd.concat([table, table.iloc[:1]], ignore_index=True)
    bank = make_bank(backbone, tmp_path)
    views = bank.extract(doubled, view=1)
    assert not np.allclose(views[0], views[-1])
    plain = bank.extract(doubled)
    np.testing.assert_array_equal(plain[0], plain[-1])


def test_views_differ_from_each_other_and_from_the_image(backbone, table, tmp_path):
    views = make_bank(backbone, tmp_path).extract_views(table, 3)
    assert len(views) == 3
    assert not np.allclose(views[0], views[1])
    frozen = make_bank(backbone, tmp_path).extract_views(table, 0)
    np.testing.assert_array_equal(frozen[0], make_bank(backbone, tmp_path).extract(table))


def test_a_view_without_an_augmentation_is_an_error(backbone, table, tmp_path):
    bank = features.FeatureBank(backbone, cache_dir=tmp_path / "bank")
    with pytest.raises(ValueError, match="view=1"):
        bank.extract(table, view=1)


def test_over_its_cap_the_bank_drops_what_was_used_longest_ago(tmp_path):
    for age, name in enumerate(["new", "middle", "old"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.npy").write_bytes(b"0" * 1000)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    dropped = features.limit_size(tmp_path, keep=tmp_path / "middle", limit_gb=2.5e-6)
    assert [folder.name for folder in dropped] == ["old"]
    dropped = features.limit_size(tmp_path, keep=tmp_path / "middle", limit_gb=0)
    assert [folder.name for folder in dropped] == ["new"]
    shutil.rmtree(tmp_path / "middle")


def test_a_folder_that_another_process_fills_stays(tmp_path):
    for name in ("busy", "idle"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.npy").write_bytes(b"0" * 1000)
    code = (
        "import filelock, sys\n"
        "with filelock.FileLock(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "busy.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        dropped = features.limit_size(tmp_path, limit_gb=0)
        other.communicate()
    assert [folder.name for folder in dropped] == ["idle"]
    assert [folder.name for folder in features.limit_size(tmp_path, limit_gb=0)] == ["busy"]
