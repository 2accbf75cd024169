"""The benchmarks of speed run and say what they measured; `--small` checks the code, no figures.

The search for copies, which `calibrate_copies` measures, is tested in test_audit_duplicates.py.
"""

import json

import pytest

from benchmarks import ancestor, audit

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
