"""Imports point to lower layers, or leftward in the data flow within a layer (DESIGN.md)."""

import ast
from pathlib import Path

import pytest

import leakage

PACKAGE = Path(leakage.__file__).parent
# From left to right; a module may import those left of it in its own layer, and all lower layers.
LAYERS = [
    ["published", "paths", "progress"],
    [
        *("environment", "exercises", "pictures", "record"),
        # images stands left of tables: readers decode every file in full before they list it
        *("images", "sources", "_archives", "download", "phantoms", "tables"),
        *("protocols", "splits", "treatments", "quality"),
        # the checks of a report card take their intervals from evaluation
        *("evaluation", "audit", "figures", "report", "readme"),
    ],
    ["augment"],
    ["models", "features"],
    ["training", "explain"],
    ["runner", "run", "sweep"],
]
PLACE = {name: (i, j) for i, layer in enumerate(LAYERS) for j, name in enumerate(layer)}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def get_module(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def list_imports(path):
    """Top-level names of everything a file imports, and our own modules among them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".")
            if node.level:  # from . import x: within the sub-package
                package = path.relative_to(PACKAGE.parent).parts[: -node.level]
                base = [*package, *filter(None, base)]
            for alias in node.names:
                yield [*base, alias.name]


def list_own_imports(path):
    return {name[1] for name in list_imports(path) if name[0] == "leakage" and len(name) > 1}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down_or_left(path):
    module = get_module(path)
    assert module in PLACE, f"say in LAYERS where {module} belongs"
    for imported in list_own_imports(path) - {module, "__version__"}:
        assert imported in PLACE, f"{path.name} imports leakage.{imported}, which has no place"
        assert PLACE[imported] < PLACE[module], f"{module} must not import {imported}"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if PLACE.get(get_module(path), (9,))[0] <= 1],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_the_lower_layers_do_not_import_tensorflow(path):
    assert not {name[0] for name in list_imports(path)} & {"tensorflow", "keras", "tf_keras_vis"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_stay_small_and_say_what_went_wrong(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 250
    nodes = list(ast.walk(ast.parse(source)))
    assert not any(isinstance(node, ast.Assert) for node in nodes), "raise a ValueError instead"
    bare = [n for n in nodes if isinstance(n, ast.ExceptHandler) and n.type is None]
    assert not bare, "name the exceptions"


def test_a_planted_import_to_the_right_would_be_found(tmp_path):
    planted = tmp_path / "images.py"
    planted.write_text("from leakage import report\nimport leakage.training\nimport keras.layers")
    assert list_own_imports(planted) == {"report", "training"}
    assert ["keras", "layers"] in list(list_imports(planted))
    assert PLACE["report"] > PLACE["images"] and PLACE["training"] > PLACE["images"]
