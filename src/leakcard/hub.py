"""Read tables that may hold the images themselves: Parquet files, Hugging Face datasets on disk."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from leakcard import values

BATCH_SIZE = 1000  # rows held in memory with their images
NEEDS = "To read it: pip install 'leakage[datasets]'."
_kept = []  # temporary folders live as long as the program: a card shows their images


def is_dataset(folder):
    """Whether a folder is what `save_to_disk` of a Hugging Face dataset leaves."""
    folder = Path(folder)
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def read_dataset(folder, notes):
    """Read a Hugging Face dataset that lies on disk.

    Parameters
    ----------
    folder : str or Path
        As `Dataset.save_to_disk` or `DatasetDict.save_to_disk` leaves it.
    notes : list of str
        What was guessed, dropped or written is added.

    Returns
    -------
    table : DataFrame
        Text; names of classes for their numbers, `split` if there are several, and `path`.
    place : Path
        What paths are relative to: a temporary folder, where images that the dataset holds are
        written. It is removed when Python ends.

    Raises
    ------
    ValueError
        If the package `datasets` is not installed, or cannot read the folder.
    """
    try:
        import datasets
    except ImportError as error:
        raise ValueError(
            f"This folder is a Hugging Face dataset, and the package datasets is not installed. "
            f"{NEEDS} Received: {folder}"
        ) from error
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # of many kinds
        raise ValueError(
            f"The Hugging Face dataset cannot be read. Expected what save_to_disk leaves. "
            f"Received: {folder}: {error}"
        ) from error
    parts = found if isinstance(found, datasets.DatasetDict) else {"": found}
    place, tables = _make_place(), []
    for split, part in parts.items():
        part = part.with_format("arrow")  # images as they are stored
        table = _gather(part.iter(BATCH_SIZE), part.data.schema, len(part), place, split, notes)
        for name, feature in part.features.items():
            if isinstance(feature, datasets.ClassLabel):
                table[name] = pd.to_numeric(table[name]).map(dict(enumerate(feature.names)))
        tables.append(table.assign(split=split) if split else table)
    return pd.concat(tables, ignore_index=True), place


def read_parquet(path, notes):
    """Read a Parquet file, with paths of images or with the images themselves.

    Parameters and returned values are those of `read_dataset`; where there are no images, paths are
    relative to the file.

    Raises
    ------
    ValueError
        If the package `pyarrow` is not installed, or cannot read the file.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(
            f"This list is a Parquet file, and the package pyarrow is not installed. {NEEDS} "
            f"Received: {path}"
        ) from error
    place = _make_place()
    try:
        with parquet.ParquetFile(path) as file:
            batches, num_rows = file.iter_batches(BATCH_SIZE), file.metadata.num_rows
            table = _gather(batches, file.schema_arrow, num_rows, place, "", notes)
    except ArrowException as error:
        raise ValueError(
            f"The list of images cannot be read. Expected a Parquet file. Received: {path}: {error}"
        ) from error
    return table, (place if any(place.iterdir()) else Path(path).parent)


def _make_place():
    _kept.append(tempfile.TemporaryDirectory(prefix="leakcard_"))
    return Path(_kept[-1].name)


def _gather(batches, schema, num_rows, place, split, notes):
    """Join Arrow batches of rows as text, the images in them written to files."""
    held, unused = _choose_columns(schema)
    if unused:
        told = f"Not used: columns {values.list_some(unused)}, of bytes or several values a row."
        if told not in notes:  # each split would say it
            notes.append(told)
    tables, first = [], 0
    folder = re.sub(r"[^\w-]", "_", split)  # a name, never a way out of the temporary folder
    with tqdm(total=num_rows, desc=f"read {split}".strip(), leave=False) as bar:
        for batch in batches:
            batch = batch.to_pandas().drop(columns=unused)
            batch = batch.set_axis(range(first, first + len(batch)))
            if held:
                cells = batch.pop(held).items()
                paths = {
                    number: _write_image(cell, place, folder, number) for number, cell in cells
                }
                batch["path"] = pd.Series(paths, dtype=object)
            text = batch.astype(str).astype(object)
            tables.append(text.where(batch.notna(), np.nan))
            first += len(batch)
            bar.update(len(batch))
    num_written = sum(1 for file in (place / folder).glob("*") if file.is_file())
    if num_written:
        where = f" (split {split})" if split else ""
        notes.append(
            f"{num_written} images that the data hold are read from temporary copies{where}."
        )
    return pd.concat(tables) if tables else pd.DataFrame()


def _choose_columns(schema):
    """The column of images, or None, and those that no list could have."""
    from pyarrow import types

    kinds = {field.name: getattr(field.type, "storage_type", field.type) for field in schema}
    images = [
        name
        for name, kind in kinds.items()
        if types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}
    ]
    held = images[0] if images else None
    is_odd = (types.is_nested, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    odd = [name for name, kind in kinds.items() if any(one(kind) for one in is_odd)]
    return held, [name for name in odd if name != held]


def _write_image(cell, place, folder, number):
    """Return where the image of a cell lies; NaN if there is none."""
    if cell is None or (cell["bytes"] is None and not cell["path"]):
        return np.nan
    if cell["bytes"] is None:
        return cell["path"]
    # Named by its row, so that a person finds it again; its own name need not be unique.
    name = Path(folder) / f"{number:06d}{Path(cell['path'] or '').suffix}"
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_bytes(cell["bytes"])
    return name.as_posix()
