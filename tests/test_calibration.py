"""The card tries itself on the user's own images."""

import functools

import numpy as np
import planted
import pytest
from PIL import Image

import leakcard
from leakcard import __main__ as command
from leakcard import calibration, facts, rules
from phantoms import sets

KINDS = ("mirrored", "turned by 3 degrees", "negative")


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    table = facts.describe_files(sets.write_set(folder, *sets.SETS["plain"](60, 3)))
    return leakcard.audit(table, pairs=planted.find_same_files(table), checks={})


def test_disguised_images_are_found_again(card):
    copies, absurd = calibration.calibrate(card, 20, KINDS, num_permutations=99)
    assert copies.status == "pass" and copies.value >= 0.95 and "of 60 disguised" in copies.figure
    assert absurd.status == "pass" and "cannot be told" in absurd.reason
    assert all(rules.find_rule(row) is not None for row in (copies, absurd))


def test_the_search_that_is_tried_is_the_one_that_the_card_used(card):
    fast = leakcard.audit(card.table, copies="fast", checks={})
    copies, _ = calibration.calibrate(fast, 6, ("mirrored", "negative"), num_permutations=99)
    assert copies.status == "warn" and "by the fast search (50.0%" in copies.figure
    assert "fewest of 'negative': 0" in copies.figure


def test_what_is_not_found_on_images_like_these_is_no_pass(card):
    """Smooth images of 96 pixels keep no points when they are compressed so far."""
    copies, _ = calibration.calibrate(card, 10, ("JPEG quality 10",), num_permutations=99)
    assert copies.status == "warn" and copies.value < 0.5 and "misses copies" in copies.reason


def test_a_label_that_means_nothing_and_shows_is_a_warning(tmp_path):
    """Images whose brightness follows the label that is dealt to their units."""
    rng = np.random.default_rng(0)
    for number in range(60):
        place = tmp_path / "set" / "train" / "ab"[number % 2] / f"{number:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 90, (40, 40), dtype=np.uint8)).save(place)
    table = leakcard.read_images(tmp_path / "set")
    audited = leakcard.audit(table, pairs=planted.NO_PAIRS, checks={})
    units = audited.units.set_index("image")["unit"]
    for image, path in table[["image_id", "path"]].to_numpy():
        bright = np.asarray(Image.open(path)) + 80 * calibration.deal_label(units[image], 0)
        Image.fromarray(bright.astype(np.uint8)).save(path)
    table = leakcard.read_images(tmp_path / "set")
    again = leakcard.audit(table, pairs=planted.NO_PAIRS, checks={})
    _, absurd = calibration.calibrate(again, 2, KINDS[:1], num_permutations=199)
    assert absurd.status == "warn" and "not independent" in absurd.reason


def test_the_command_puts_it_into_the_card(tmp_path, monkeypatch, capsys):
    few = functools.partial(
        calibration.calibrate, num_images=6, kinds=KINDS[:1], num_permutations=99
    )
    monkeypatch.setattr(calibration, "calibrate", few)
    sets.write_set(tmp_path / "set", *sets.SETS["plain"](30, 3)).to_csv(
        tmp_path / "set" / "list.csv", index=False
    )
    arguments = ["audit", str(tmp_path / "set" / "list.csv"), "--out", str(tmp_path / "card")]
    assert command.main([*arguments, "--calibrate", "--verbose"]) in (0, 1)
    assert "Copies found in this set" in capsys.readouterr().out
