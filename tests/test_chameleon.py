"""The notebook for Chameleon and trovi.json, as far as they can be checked without a testbed."""

import json
import re
import subprocess
import tomllib

import nbformat

from leakage import paths

FOLDER = paths.ROOT / "notebooks" / "chameleon"
CODE = [
    cell
    for cell in nbformat.read(FOLDER / "run_on_a_node.ipynb", as_version=4).cells
    if cell.cell_type == "code"
]
ADDRESS = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["urls"]


def test_its_cells_compile_and_hold_no_path_no_secret_and_no_output():
    for cell in CODE:
        compile(cell.source, "cell", "exec")
        assert not re.search(r"/home|/root|/work|password|token|secret|[\w.]+@[\w]+\.", cell.source)
        assert cell.outputs == [] and cell.execution_count is None
    (parameters,) = [cell.source for cell in CODE if "parameters" in cell.metadata.get("tags", [])]
    assert ADDRESS["Repository"] in parameters


def test_the_node_checks_out_runs_and_keeps_the_exit_code(tmp_path):
    remote = tmp_path / "remote"
    remote.mkdir()
    (remote / "run_all.sh").write_text('#!/bin/sh\necho "run_all.sh $*"\n[ "$1" = setup ]\n')
    (remote / "run_all.sh").chmod(0o755)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    for words in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=remote, check=True)
    (tmp_path / "node.sh").write_text((FOLDER / "node.sh").read_text())
    words = ["bash", "node.sh", "a name", f"file://{remote}", "main", "nih cohen", "paper"]
    subprocess.run(words, cwd=tmp_path, check=True)
    subprocess.run(["flock", "--wait", "60", "run.lock", "true"], cwd=tmp_path, check=True)
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert lines == ["run_all.sh setup nih cohen", "run_all.sh paper --name a name"]
    assert (tmp_path / "run.exit").read_text() == "1\n"


def test_trovi_finds_what_it_needs():
    entities = json.loads((paths.ROOT / "trovi.json").read_text(encoding="utf-8"))["@graph"]
    crate = {entity["@id"]: entity for entity in entities}
    dataset = crate["./"]
    for key, most in {"name": 70, "disambiguatingDescription": 70, "description": 5000}.items():
        assert 0 < len(dataset[key]) <= most  # the lengths that Trovi takes
    assert ADDRESS["Repository"] in dataset["description"]
    for key in ("author", "citation", "actionApplication"):
        assert all(part["@id"] in crate for part in dataset[key])
    assert all(crate[author["@id"]]["email"] for author in dataset["author"])
