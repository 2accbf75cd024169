"""Accepted leaks stay quiet, new ones fail, and CI systems can read both."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import yaml

from leakcard import __main__ as command

ROOT = Path(__file__).parents[1]
# The images of these lists are absent, which is said by a code of its own where nothing fails.
NO_LEAK = 2


def write_list(folder, splits=None, shared=0):
    """A list of absent images; `shared` patients are in two splits, `splits` overrides some."""
    rows = []
    for number in range(60):
        split = "test" if number % 3 == 0 else "train"
        patient = f"p{number // 3}" if number < 3 * shared else f"q{number}"
        rows.append((f"image_{number:02d}.png", "ab"[number % 2], split, patient))
    table = pd.DataFrame(rows, columns=["path", "label", "split", "patient_id"])
    for name, split in (splits or {}).items():
        table.loc[table["path"] == name, "split"] = split
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / "list.csv", index=False)
    return folder / "list.csv"


def audit(listed, out, *options):
    return command.main(["audit", str(listed), "--out", str(out), *map(str, options)])


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The card of a set in which one patient is in two splits."""
    folder = tmp_path_factory.mktemp("baseline")
    assert audit(write_list(folder / "set", shared=1), folder / "card") == 1
    return folder / "card" / "report_card.json"


def test_a_known_leak_is_accepted_and_a_new_image_of_it_fails(baseline, tmp_path, capsys):
    same = write_list(tmp_path / "same", shared=1)
    assert audit(same, tmp_path / "a", "--baseline", baseline) == NO_LEAK
    out = capsys.readouterr().out
    assert "0 new, 1 accepted" in out and "no reason is given" in out
    more = write_list(tmp_path / "more", shared=2)
    assert audit(more, tmp_path / "b", "--baseline", baseline) == 1
    assert "1 new" in capsys.readouterr().out


def test_a_reason_is_told_and_a_solved_leak_is_named(baseline, tmp_path, capsys):
    content = json.loads(baseline.read_text(encoding="utf-8"))
    (check,) = [row["check"] for row in content["rows"] if row["status"] == "fail"]
    content["accepted"] = {check: "one patient moved, see the paper"}
    path = tmp_path / "known.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    more = write_list(tmp_path / "more", shared=2)
    assert audit(more, tmp_path / "a", "--baseline", path) == NO_LEAK
    out = capsys.readouterr().out
    assert "one patient moved, see the paper" in out and "no units.csv beside" in out
    assert audit(write_list(tmp_path / "none"), tmp_path / "b", "--baseline", path) == NO_LEAK
    assert f"solved: {check}" in capsys.readouterr().out


def test_an_image_that_crossed_from_training_into_test_is_a_leak(baseline, tmp_path, capsys):
    moved = write_list(tmp_path / "set", {"image_40.png": "test"}, shared=1)
    assert audit(moved, tmp_path / "card", "--baseline", baseline) == 1
    assert "1 test images were in training" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"schema_version": 99}, "another form"),
        (lambda c: {"hello": 1}, "no report card"),
        (lambda c: c | {"accepted": {"bordr": "x"}}, "no check of these cards.*bordr"),
        (
            lambda c: c | {"accepted": ["age_group"]},
            r'accepted` in .*known.json .*such as {"age_group": ".*Received: \["age_group"\]',
        ),
        (lambda c: c | {"accepted": {"test_set": " "}}, 'a reason.*Received: {"test_set": " "}'),
    ],
)
def test_a_baseline_that_cannot_be_used_is_refused(baseline, tmp_path, capsys, change, message):
    path = tmp_path / "known.json"
    path.write_text(json.dumps(change(json.loads(baseline.read_text(encoding="utf-8")))))
    assert audit(write_list(tmp_path / "set"), tmp_path / "card", "--baseline", path) == 2
    assert re.search(message, capsys.readouterr().err)
    assert audit(write_list(tmp_path / "set"), tmp_path / "card", "--baseline", "nowhere") == 2


def test_junit_and_sarif_tell_what_fails_and_what_is_accepted(baseline, tmp_path):
    listed = write_list(tmp_path / "set", shared=1)
    for name, options in (("new", ()), ("known", ("--baseline", baseline))):
        files = {kind: tmp_path / f"{name}.{kind}" for kind in ("junit", "sarif")}
        audit(listed, tmp_path / name, *options, "--junit", files["junit"], "--sarif",
              files["sarif"])  # fmt: skip
        suite = ElementTree.parse(files["junit"]).getroot()
        assert int(suite.get("tests")) == len(suite) > 10
        assert int(suite.get("failures")) == len(suite.findall(".//failure")) == (name == "new")
        sarif = json.loads(files["sarif"].read_text(encoding="utf-8"))
        (run,) = sarif["runs"]
        failed = [one for one in run["results"] if one["level"] == "error"]
        assert len(failed) == 1 and ("suppressions" in failed[0]) == (name == "known")
        assert {one["ruleId"] for one in run["results"]} <= {
            rule["id"] for rule in run["tool"]["driver"]["rules"]
        }
        uris = [
            place["physicalLocation"]["artifactLocation"]["uri"] for place in failed[0]["locations"]
        ]
        assert "image_00.png" in uris and not any(uri.startswith("/") for uri in uris)


def make_environment(tmp_path):
    """A PATH on which `leakcard` is this checkout's, as after `pip install`."""
    script = tmp_path / "bin" / "leakcard"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m leakcard "$@"\n')
    script.chmod(0o755)
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "src")}


@pytest.mark.parametrize(("shared", "code"), [(0, NO_LEAK), (1, 1)])
def test_the_action_runs_as_a_workflow_would(tmp_path, shared, code):
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    listed = write_list(tmp_path / "set", shared=shared)
    given = {name: one.get("default", "") for name, one in action["inputs"].items()}
    given |= {"images": str(listed), "out": str(tmp_path / "card")}
    (step,) = [one for one in action["runs"]["steps"] if "leakcard audit" in one.get("run", "")]
    variables = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], value)
        for name, value in step["env"].items()
    }
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], env=make_environment(tmp_path) | variables,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert (tmp_path / "card" / "leakcard.sarif").exists()


def test_the_hook_runs_as_pre_commit_would(tmp_path):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["language"] == "python" and not hook["pass_filenames"]
    listed = write_list(tmp_path / "set", shared=1)
    done = subprocess.run(
        [*hook["entry"].split(), str(listed), "--out", str(tmp_path / "card")],
        env=make_environment(tmp_path), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and "patient" in done.stdout
