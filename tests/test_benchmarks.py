"""The benchmarks of speed run and say what they measured; `--small` checks the code, no figures.

The search for copies, which `calibrate_copies` measures, is tested in test_audit_duplicates.py.
"""

import json

import pandas as pd
import pytest

from benchmarks import ancestor, audit, predictions, probes, repair, sensitivity
from leakcard import rules

CLOCKS = {"seconds", "cpu_seconds"}


def test_the_ancestors_way_and_ours_are_the_same_study(capsys):
    found = ancestor.main(["--small"])
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found))
    assert found["options"]["small"] and found["machine"]["num_cores"] > 0
    assert found["agreement"]["equal_predictions"] == 1.0
    assert found["agreement"]["largest_difference"] < 1e-3
    assert set(found["published_study"]["5 seeds"]["times_faster"]) == CLOCKS


def test_the_audit_is_timed_on_a_folder_of_links_and_one_that_fails_is_not(tmp_path):
    (run,) = audit.main(["--small"])["runs"]
    assert run["num_images"] == 24 and run["seconds"] > 0 and run["cpu_seconds"] > 0
    with pytest.raises(RuntimeError, match="The audit failed"):
        audit.audit_folder(tmp_path / "nowhere", tmp_path)


def test_a_repair_of_planted_units_is_timed_and_compared_with_the_fewest_moves():
    found = repair.main(["--small"])
    (run,) = found["runs"]
    assert run["num_images"] == 200 and run["seconds"] > 0 and not found["real"]
    assert run["units_in_two_splits"] == 0 and run["moved"] >= run["moved_at_least"] > 0


def test_the_scores_of_several_models_are_timed():
    found = predictions.main(["--small"])
    assert found["num_scores"] > 2 * 8 and found["seconds"] > 0  # groups of each of two models


def test_probes_tell_for_each_model_whether_it_was_named():
    found = {one["model"]: one for one in probes.main(["--small", "--num-images", "24"])["models"]}
    assert set(found) == set(probes.KINDS)
    assert found["letter in the corner"]["named"] == 1 and not found["lesion, texture"]["named"]


def test_sensitivity_is_measured_once_a_set_and_read_by_the_pages_of_the_rules(tmp_path):
    found = sensitivity.main(["--small", "--out", str(tmp_path)])
    rates = rules.read_rates(tmp_path / "rates.csv").set_index("kind")
    for kind, row in (("the same files", "duplicates_across_splits"), ("sex", "sex")):
        assert rates.loc[kind, "rule"] == row and rates.loc[kind, "alarms"] == 1
        assert rates.loc[kind, "low"] < 1 == rates.loc[kind, "high"]
    assert found["clean_sets_that_fail"] == 0 and "test_set" not in set(rates["rule"])
    kept = pd.read_csv(tmp_path / "outcomes.csv").replace({"status": {"fail": "pass"}})
    kept.to_csv(tmp_path / "outcomes.csv", index=False)
    again = sensitivity.main(["--small", "--out", str(tmp_path)])  # draws nothing again
    assert again["found"].startswith("0 of 2")


def test_every_kind_of_leak_names_a_row_that_a_card_has():
    assert len(sensitivity.LEAKS) >= 24 and len(sensitivity.CLEAN) >= 8
    assert {row for row, _ in sensitivity.LEAKS.values()} <= set(sensitivity.CHECK_OF)


def test_copies_cut_by_a_fifth_keep_four_fifths_each_way():
    table, pictures = sensitivity.LEAKS["copies cut by 20 %"][1](40, 0)
    is_copy = table["image_id"].str.startswith("copy_")
    height, width = next(p.shape for p, copied in zip(pictures, is_copy, strict=True) if not copied)
    for place in is_copy.to_numpy().nonzero()[0]:
        assert pictures[place].shape == pytest.approx((0.8 * height, 0.8 * width), abs=1)
