"""Check the parameters of a run against what its notebooks declare, before anything runs."""

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

# A text parameter with one of these endings can only mean a file.
FILE_SUFFIXES = (".keras", ".h5")
EXAMPLES = {list: "[1, 2, 3]", dict: "{name: value}", bool: "true or false", float: "0.001"}


@dataclass(frozen=True)
class Parameter:
    """One line of a cell tagged `parameters`: `name: annotation = default`."""

    name: str
    annotation: str
    types: tuple
    choices: tuple
    item: type | None
    default: object


def read_declared(path):
    """Read the parameters that a notebook declares.

    Parameters
    ----------
    path : str or Path
        A notebook with one code cell tagged `parameters`, of lines `name: type = literal`.

    Returns
    -------
    dict of str to Parameter

    Raises
    ------
    ValueError
        If the file is no notebook, has no such cell or several, or one that is no literal.
    """
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no readable notebook: {error}") from error
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(
            f"A notebook must have one cell tagged `parameters`, else papermill would silently "
            f"run its defaults. Received: {len(tagged)} in {path}"
        )
    try:
        return dict(_read_line(line) for line in ast.parse(tagged[0].source).body)
    except (SyntaxError, ValueError, AttributeError) as error:
        raise ValueError(
            f"The cell tagged `parameters` of {path} must hold lines `name: type = literal` "
            f"only. Received: {error}"
        ) from error


def _read_line(line):
    if isinstance(line, ast.Assign):
        name, annotation = line.targets[0].id, None
    else:
        name, annotation = line.target.id, line.annotation
    default = ast.literal_eval(line.value)
    if annotation is None:
        return name, Parameter(name, type(default).__name__, (type(default),), (), None, default)
    types, choices, item = _read_annotation(annotation)
    return name, Parameter(name, ast.unparse(annotation), types, choices, item, default)


def _read_annotation(node):
    """Types, choices of a Literal and type of the items; no types: anything goes."""
    known = {t.__name__: t for t in (int, float, str, bool, list, tuple, dict)}
    if isinstance(node, ast.Constant) and node.value is None:
        return (type(None),), (), None
    if isinstance(node, ast.Name):
        return ((known[node.id],) if node.id in known else ()), (), None
    if isinstance(node, ast.BinOp):  # int | None
        left, right = _read_annotation(node.left), _read_annotation(node.right)
        types = left[0] + right[0] if left[0] and right[0] else ()
        return types, left[1] + right[1], left[2] or right[2]
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value).rpartition(".")[2]
        if outer == "Literal":
            choices = ast.literal_eval(node.slice)
            choices = choices if isinstance(choices, tuple) else (choices,)
            return tuple({type(choice) for choice in choices}), choices, None
        if outer == "Optional":
            types, choices, item = _read_annotation(node.slice)
            return (*types, type(None)), choices, item
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        item = known.get(first.id) if isinstance(first, ast.Name) else None
        return ((known[outer],) if outer in known else ()), (), item if outer != "dict" else None
    return (), (), None


def convert_value(parameter, value, text=None):
    """Convert a value to what the parameter declares.

    Parameters
    ----------
    parameter : Parameter
    value : object
        As YAML reads it.
    text : str, optional
        What was typed, kept as it is where text is declared.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If the value has another type or is none of the choices.
    """
    # JSON and YAML have no tuples: a list stands for one
    types = (*parameter.types, list) if tuple in parameter.types else parameter.types
    if text is not None and str in types and not (value is None and type(None) in types):
        value = text if not isinstance(value, str) else value
    value = _convert_type(value, types)
    wrong = bool(types) and type(value) not in types
    if value is None and parameter.default is None:  # `num_views: int = None`
        wrong = False
    if isinstance(value, list) and parameter.item and not wrong:
        value = [_convert_type(item, (parameter.item,)) for item in value]
        wrong = any(type(item) is not parameter.item for item in value)
    if wrong:
        example = next((f", such as {EXAMPLES[t]}" for t in types if t in EXAMPLES), "")
        raise ValueError(
            f"Parameter {parameter.name!r} has the wrong type. "
            f"Expected: {parameter.annotation}{example}. "
            f"Received: {value!r} (type {type(value).__name__})"
        )
    if parameter.choices and value not in parameter.choices and value is not None:
        raise ValueError(
            f"Parameter {parameter.name!r} must be one of "
            f"{', '.join(map(str, parameter.choices))}. Received: {value!r}"
        )
    return value


def _convert_type(value, types):
    if float in types and type(value) in (int, str) and type(value) not in types:
        try:
            return float(value)  # YAML reads 1e-3 as text
        except ValueError:
            return value
    return value


def read_profile(path, declared):
    """Read a profile: `all:` and one section a notebook number.

    Parameters
    ----------
    path : Path
    declared : dict of str to dict of str to Parameter
        For every notebook, by its number such as `"01"`.

    Returns
    -------
    dict of str to dict
        Overrides by notebook number.

    Raises
    ------
    ValueError
        If a name is declared nowhere, or a section belongs to no notebook.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"The profile {path} is no readable YAML: {error}") from error
    overrides = {number: {} for number in declared}
    sections = {f"{k:02d}" if isinstance(k, int) else str(k): v or {} for k, v in content.items()}
    for name, value in sections.pop("all", {}).items():
        _assign(overrides, declared, name, value, None, f"the profile {path}")
    for number, section in sections.items():
        if number not in declared:
            raise ValueError(
                f"The profile {path} has a section {number!r}, but there is no notebook of that "
                f"number. Expected `all` or one of {', '.join(sorted(declared))}."
            )
        for name, value in section.items():
            only = {number: declared[number]}
            _assign(overrides, only, name, value, None, f"section {number!r} of {path}")
    return overrides


def add_arguments(overrides, declared, arguments, caller_dir, where="-p"):
    """Add what was given as `-p name value`, or in a grid.

    Parameters
    ----------
    overrides : dict of str to dict
        By notebook number; changed in place.
    declared : dict of str to dict of str to Parameter
        For the selected notebooks.
    arguments : list of (name, text)
    caller_dir : Path
        Relative paths of files that exist are the caller's and become absolute.
    where : str
        What messages call the place of the arguments.

    Returns
    -------
    list of str
        What was read otherwise than typed, one sentence each.
    """
    notes = []
    for name, text in arguments:
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if isinstance(value, str):
            path = Path(caller_dir, value).expanduser()
            if value and path.exists() and (path.is_file() or "/" in value):
                value = text = str(path.resolve())
            elif path.suffix in FILE_SUFFIXES:
                raise ValueError(
                    f"Parameter {name!r} names a file that does not exist. Expected a path from "
                    f"here ({caller_dir}) or an absolute one. Received: {text!r}"
                )
        for converted in _assign(overrides, declared, name, value, text, where):
            if type(converted) is float and isinstance(value, str):
                notes.append(f"{where} {name} {text} is read as {converted!r}")
    return sorted(set(notes))


def _assign(overrides, declared, name, value, text, where):
    takers = [number for number, parameters in declared.items() if name in parameters]
    if not takers:
        names = sorted({known for parameters in declared.values() for known in parameters})
        close = difflib.get_close_matches(str(name), names, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"No notebook {', '.join(sorted(declared))} has a parameter {name!r} (from {where})."
            f"{guess} Expected one of: {', '.join(names) or 'none at all'}."
        )
    for number in takers:
        overrides[number][name] = convert_value(declared[number][name], value, text)
    return [overrides[number][name] for number in takers]
