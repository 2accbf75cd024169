"""Refuse unknown and ill-typed parameters before anything runs: papermill only warns of them."""

import ast
import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import papermill
import yaml

TYPES = {kind.__name__: kind for kind in (int, float, str, bool, list, dict)}
EXAMPLES = {list: "[1, 2, 3]", dict: "{name: value}", bool: "true or false", float: "0.001"}


@dataclass(frozen=True)
class Parameter:
    """One line of the cell tagged `parameters`: `name: type = literal`."""

    name: str
    kind: type | None
    default: object

    def convert(self, value, text=None):
        """Return a value as the notebook takes it; ValueError where it has another type.

        Parameters
        ----------
        value : object
            As YAML reads it.
        text : str, optional
            What was typed, which is kept where text is declared.
        """
        if value is None and self.default is None:
            return None
        if self.kind is str and text is not None and not isinstance(value, str):
            value = text
        value = _to_float(value, self.kind)
        items = {type(one) for one in self.default or ()} if self.kind is list else set()
        right = self.kind is None or type(value) is self.kind
        if right and len(items) == 1:  # a list of what the default is a list of
            value = [_to_float(one, *items) for one in value]
            right = {type(one) for one in value} <= items
        if not right:
            example = f", such as {EXAMPLES[self.kind]}" if self.kind in EXAMPLES else ""
            of_items = "".join(f" of {one.__name__}" for one in items if len(items) == 1)
            raise ValueError(
                f"Parameter {self.name!r} has the wrong type. Expected: {self.kind.__name__}"
                f"{of_items}{example}. Received: {value!r} (type {type(value).__name__})"
            )
        return value


def _to_float(value, kind):
    """YAML reads 1e-3 as text and 1 as an integer."""
    try:
        return float(value) if kind is float and type(value) in (int, str) else value
    except ValueError:
        return value


def read_declared(path):
    """Read the parameters that a notebook declares: dict of name to Parameter."""
    try:
        found = papermill.inspect_notebook(str(path)).values()
        declared = {
            one["name"]: (one["inferred_type_name"], ast.literal_eval(one["default"]))
            for one in found
        }
    except (SyntaxError, ValueError, OSError, papermill.exceptions.PapermillException) as error:
        raise ValueError(
            f"{path} must be a notebook whose cell tagged `parameters` holds lines `name: type = "
            f"literal` only. Received: {error}"
        ) from error
    if not declared:
        raise ValueError(
            f"A notebook must declare parameters in one cell tagged `parameters`, else papermill "
            f"would silently run its defaults. Received: none in {path}"
        )
    return {
        name: Parameter(name, TYPES.get(written.partition("[")[0], type(default)), default)
        for name, (written, default) in declared.items()
    }


class Values:
    """What is set for each notebook, beyond its own defaults.

    Parameters
    ----------
    notebooks : dict of str to Path
        By number, such as `"01"`.
    """

    def __init__(self, notebooks):
        self.declared = {number: read_declared(path) for number, path in notebooks.items()}
        self.overrides = {number: {} for number in notebooks}

    def complete(self, number):
        """All parameters of a notebook: its defaults, and what is set."""
        defaults = {name: one.default for name, one in self.declared[number].items()}
        return defaults | self.overrides[number]

    def assign(self, numbers, name, value, where, text=None):
        """Set a parameter in those of some notebooks that declare it; one of them must."""
        takers = [number for number in numbers if name in self.declared[number]]
        if not takers:
            names = sorted({known for number in numbers for known in self.declared[number]})
            close = difflib.get_close_matches(str(name), names, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"No notebook {', '.join(numbers)} has a parameter {name!r} (from {where})."
                f"{guess} Expected one of: {', '.join(names)}."
            )
        for number in takers:
            self.overrides[number][name] = self.declared[number][name].convert(value, text)

    def read_profile(self, path):
        """Set what a profile says: `all:` and one section a notebook number."""
        for number, section in read_yaml(path).items():
            number = f"{number:02d}" if isinstance(number, int) else str(number)
            if number != "all" and number not in self.declared:
                raise ValueError(
                    f"{path} has a section {number!r}, but there is no such notebook. "
                    f"Expected `all` or one of {', '.join(self.declared)}."
                )
            numbers = list(self.declared) if number == "all" else [number]
            for name, value in (section or {}).items():
                self.assign(numbers, name, value, f"section {number!r} of {path}")

    def assign_typed(self, numbers, name, text, suffixes, where="-p"):
        """Set what was typed; a relative path of a file is the caller's and becomes absolute."""
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if isinstance(value, str) and value:
            path = Path(value).expanduser().absolute()
            if path.is_file() or (os.sep in value and path.exists()):
                value = text = str(path)
            elif path.suffix in suffixes:
                raise ValueError(
                    f"Parameter {name!r} names a file that does not exist. Expected a path from "
                    f"here ({Path.cwd()}) or an absolute one. Received: {text!r}"
                )
        self.assign(numbers, name, value, where, text)


def read_yaml(path):
    """Read `name: value` from a YAML file; ValueError or FileNotFoundError says what is wrong."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no readable YAML: {error}") from error
    except OSError as error:
        raise FileNotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold `name: value`. Received: {content!r}")
    return content
