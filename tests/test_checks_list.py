"""Every check can be left out alone, one can be added, and asks for what there is."""

import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import planted
import pytest

import leakcard

pytestmark = pytest.mark.usefixtures("compute_anew")

# What the correction for the number of tests may change of a row with a p-value.
CORRECTED = {"status": "pass", "p_adjusted": None, "figure": "", "reason": "", "action": ""}
CORRECTED |= {"question": "", "images": (), "num_images": 0}


@pytest.fixture(scope="module")
def given():
    """A table with a leak of every kind that is quick to find, and what is measured of it."""
    counts = {"covid": 14, "normal": 14, "pneumonia": 14}
    table = planted.make_clean(1, 48, counts)
    train, test = (table.index[table["split"] == split] for split in ("train", "test"))
    table.loc[test[0], "patient_id"] = table.loc[train[0], "patient_id"]
    twin = table.loc[train[1:2]].assign(image_id="twin", split="test")
    table = pd.concat([table, twin], ignore_index=True)
    looks, pairs = leakcard.measure_looks(table), planted.find_same_files(table)
    record = leakcard.make_record(table[table["split"] == "train"])
    return {"table": table, "looks": looks, "pairs": pairs, "record": record}


def audit(given, checks):
    rows = leakcard.audit(**given, num_permutations=9, checks=checks).rows
    return {row.check: row if row.p_value is None else replace(row, **CORRECTED) for row in rows}


@pytest.fixture(scope="module")
def whole(given):
    return audit(given, leakcard.CHECKS)


@pytest.mark.parametrize("left_out", leakcard.CHECKS)
def test_any_check_can_be_left_out_and_the_rows_of_the_others_stay(given, whole, left_out):
    others = {name: check for name, check in leakcard.CHECKS.items() if name != left_out}
    found = audit(given, others)
    assert found and found.items() < whole.items()


def test_a_check_of_ones_own_adds_its_rows(given, whole):
    def check_twins(images, num_permutations):
        share = float(np.mean(images["image_id"] == "twin"))
        return [leakcard.Row("L3.3", "twins", "Twins", "pass", str(num_permutations), value=share)]

    found = audit(given, leakcard.CHECKS | {"twins": check_twins})
    assert found.pop("twins").figure == "9"
    assert found == whole


def test_pictures_are_looked_at_only_where_a_check_asks_for_it(given, monkeypatch):
    monkeypatch.setattr(leakcard, "measure_looks", lambda *_: pytest.fail("looked at"))
    others = {name: given[name] for name in ("table", "pairs")}
    for name, check in leakcard.CHECKS.items():
        if "looks" not in inspect.signature(check).parameters:
            assert leakcard.audit(**others, num_permutations=9, checks={name: check}).rows


def test_a_check_that_asks_for_what_there_is_not_is_refused_before_anything_is_measured():
    def check_weather(table, weather):
        return []

    table = pd.DataFrame({"path": ["nowhere.png"]})
    expected = "The check 'sky' asks for.*named any of table, listed.*Received: weather$"
    with pytest.raises(ValueError, match=expected):
        leakcard.audit(table, checks={"sky": check_weather})


def test_what_may_be_asked_for_is_there(given):
    def check_all(**found):
        seen.update(found)
        return []

    seen = {}
    wanted = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in leakcard.ARGUMENTS
    ]
    check_all.__signature__ = inspect.Signature(wanted)
    audit(given, {"all": check_all})
    assert list(seen) == list(leakcard.ARGUMENTS) and seen["record"] == given["record"]
