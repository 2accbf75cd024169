"""Imports point down: between the packages, and between the rooms of each (DESIGN.md)."""

import ast
import graphlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
# What each package may import of ours.
ALLOWED = {
    "phantoms": set(),
    "leakcard": set(),
    "nbrun": set(),
    "leakage": {"phantoms", "leakcard", "nbrun"},
}
WITHOUT_TENSORFLOW = ("phantoms", "leakcard", "nbrun")
PACKAGES = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file())


def list_imports(path):
    """Dotted names of everything a file imports, as lists of their parts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ([*node.module.split("."), alias.name] for alias in node.names)


def list_rooms(package):
    """What each module or sub-package of a package imports of its siblings."""
    folder, rooms = SOURCE / package, {}
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        found = {name[1] for name in list_imports(path) if name[0] == package and len(name) > 1}
        rooms.setdefault(room, set()).update(found - {room})
    return {room: found & set(rooms) for room, found in rooms.items() if room != "__init__"}


def test_every_package_has_its_place():
    assert set(PACKAGES) <= set(ALLOWED)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_below_it(package):
    for path in (SOURCE / package).rglob("*.py"):
        names = {name[0] for name in list_imports(path)}
        wrong = names & set(ALLOWED) - ALLOWED[package] - {package}
        assert not wrong, f"{path.relative_to(SOURCE)} must not import {wrong}"
        if package in WITHOUT_TENSORFLOW:
            assert not names & {"tensorflow", "keras", "tf_keras_vis"}, path


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_runs_in_a_circle(package):
    assert list(graphlib.TopologicalSorter(list_rooms(package)).static_order())


def test_a_planted_import_upwards_would_be_found(tmp_path):
    planted = tmp_path / "images.py"
    planted.write_text("from leakage import report\nimport keras.layers")
    assert list(list_imports(planted)) == [["leakage", "report"], ["keras", "layers"]]
