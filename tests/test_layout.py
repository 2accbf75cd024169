"""The repository is laid out, and every notebook written, as DESIGN.md and STYLE.md ask for."""

import ast
import json
import os
import re
import tomllib

import nbformat
import pytest

from leakage import paths
from nbrun import parameters, plan

ROOT = paths.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = ["Question", "Setup", "Parameters", "Data", "Method", "Result", "What this shows"]
PATH_START = re.compile(r"^(\.{0,2}/\w|\.\./|~/|data/|results/|notebooks/|[A-Z]:\\)")
FILES = """
README.md LICENSE CITATION.cff CHANGELOG.md pyproject.toml requirements.txt requirements-dev.txt
requirements.lock run_all.sh .gitignore .pre-commit-config.yaml .ci/run .ci/lock
.github/workflows/ci.yml data/README.md notebooks/profiles/demo.yaml notebooks/profiles/smoke.yaml
trovi.json notebooks/bootstrap.py notebooks/chameleon/run_on_a_node.ipynb
""".split()

NUMBERED = [path for path in NOTEBOOKS if path.stem != "exercises"]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
every_numbered_notebook = pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)


def read_cells(path, kind=None):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if kind in (None, cell.cell_type)]


def count_lines(cell):
    return len(cell.source.strip().splitlines())


@pytest.mark.parametrize("name", FILES)
def test_the_file_exists(name):
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", ["run_all.sh", ".ci/run", ".ci/lock"])
def test_scripts_can_be_executed(name):
    assert os.access(ROOT / name, os.X_OK)


def test_the_version_is_the_same_everywhere():
    from leakage import __version__

    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_profiles_name_only_what_the_notebooks_declare():
    if not NOTEBOOKS:
        pytest.skip("no notebooks yet")
    notebooks = plan.find_notebooks(ROOT / "notebooks")
    for profile in (ROOT / "notebooks" / "profiles").glob("*.yaml"):
        values = parameters.Values(notebooks)
        values.read_profile(profile)
        assert any(values.overrides.values())


@every_numbered_notebook
def test_the_name_is_a_number_a_verb_and_an_object(path):
    assert re.fullmatch(r"\d\d_[a-z0-9]+(_[a-z0-9]+)+", path.stem)


@every_notebook
def test_it_is_committed_without_outputs(path):
    for cell in read_cells(path, "code"):
        assert cell.outputs == [] and cell.execution_count is None
    assert "papermill" not in json.loads(path.read_text())["metadata"]


@every_notebook
def test_the_kernel_is_python3(path):
    kernel = json.loads(path.read_text())["metadata"]["kernelspec"]
    assert (kernel["name"], kernel.get("language")) == ("python3", "python")


@every_notebook
def test_parameters_are_literals_with_a_type_and_a_comment_each(path):
    assert parameters.read_declared(path)
    (cell,) = [c for c in read_cells(path) if "parameters" in c.metadata.get("tags", [])]
    for line in ast.parse(cell.source).body:
        assert isinstance(line, ast.AnnAssign), f"no type: {ast.unparse(line)}"
    for line in cell.source.splitlines():
        assert not re.match(r"\w+\s*:", line) or re.search(r"#\s*\S", line), f"no comment: {line}"


@every_notebook
def test_cells_define_nothing_and_call_no_shell(path):
    for cell in read_cells(path, "code"):
        assert not re.search(r"^\s*([!]|%%|%(sx|system|pip|conda|cd))", cell.source, re.MULTILINE)
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not any(isinstance(node, kinds) for node in nodes), cell.source


@every_notebook
def test_no_cell_is_copied_and_none_holds_a_path(path):
    cells = read_cells(path, "code")
    long = [cell.source.strip() for cell in cells if count_lines(cell) >= 3]
    assert len(long) == len(set(long))
    for cell in cells[1:]:  # the first is the bootstrap, the same in all
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not PATH_START.match(node.value), f"path literal: {node.value!r}"


@every_notebook
def test_a_sentence_stands_before_every_cell_but_the_bootstrap(path):
    cells = read_cells(path)
    for before, cell in zip(cells[1:], cells[2:], strict=False):
        # right after the parameters stands what shows them, where papermill puts its own cell
        if cell.cell_type == "code" and "parameters" not in before.metadata.get("tags", []):
            assert before.cell_type == "markdown", f"nothing said before: {cell.source[:60]}"


@every_numbered_notebook
def test_sections_stand_in_order(path):
    text = "\n".join(cell.source for cell in read_cells(path, "markdown"))
    headings = re.findall(r"^#{2,3} +(?:\d+[.)]? +)?(.+)$", text, re.MULTILINE)
    firsts = [
        next((i for i, heading in enumerate(headings) if heading.startswith(name)), None)
        for name in SECTIONS
    ]
    assert None not in firsts, dict(zip(SECTIONS, firsts, strict=True))
    assert firsts == sorted(firsts)


@every_notebook
def test_title_badge_and_bootstrap_lead_to_the_address_of_the_project(path):
    first, second = read_cells(path)[:2]
    badge = ADDRESS.replace("https://github.com", "https://colab.research.google.com/github")
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert f"({badge}/blob/main/notebooks/{path.name})" in first.source
    assert second.cell_type == "code" and "colab" in second.source.lower()
    assert re.findall(r"https?://[^\s\"')]+", second.source) in ([ADDRESS], [f"{ADDRESS}.git"])
