"""Read tables that may hold the images themselves: Parquet files, Hugging Face datasets on disk."""

import collections
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
        classes = {}
        for name, feature in part.features.items():
            if isinstance(feature, datasets.Image):
                part = part.cast_column(name, datasets.Image(decode=False))
            elif isinstance(feature, datasets.ClassLabel):
                classes[name] = dict(enumerate(feature.names))
        batches = part.with_format("pandas").iter(BATCH_SIZE)
        table = _gather(batches, len(part), place, split, notes)
        for name, names in classes.items():
            table[name] = table[name].map(
                lambda text, names=names: names.get(int(float(text))), "ignore"
            )
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
            batches = (batch.to_pandas() for batch in file.iter_batches(BATCH_SIZE))
            table = _gather(batches, file.metadata.num_rows, place, "", notes)
    except ArrowException as error:
        raise ValueError(
            f"The list of images cannot be read. Expected a Parquet file. Received: {path}: {error}"
        ) from error
    return table, (place if any(place.iterdir()) else Path(path).parent)


def _make_place():
    _kept.append(tempfile.TemporaryDirectory(prefix="leakcard_"))
    return Path(_kept[-1].name)


def _gather(batches, num_rows, place, split, notes):
    """Join batches of rows as text, their images written to files."""
    tables, counts, first = [], collections.Counter(), 0
    with tqdm(total=num_rows, desc=f"read {split}".strip(), leave=False) as bar:
        for batch in batches:
            batch = pd.DataFrame(batch)
            batch = batch.set_axis(range(first, first + len(batch)))
            batch = _write_images(batch, place, re.sub(r"[^\w-]", "_", split), counts, notes)
            tables.append(_write_as_text(batch, notes))
            first += len(batch)
            bar.update(len(batch))
    where = f" (split {split})" if split else ""
    notes.extend(f"{count} {what}{where}." for what, count in counts.items())
    return pd.concat(tables) if tables else pd.DataFrame()


def _is_image(cell):
    return isinstance(cell, dict) and {"bytes", "path"} <= set(cell)


def _write_images(batch, place, split, counts, notes):
    held = [name for name in batch if batch[name].map(_is_image).any()]
    if not held:
        return batch
    names = {}
    for number, cell in batch[held[0]].items():
        if not _is_image(cell) or (cell["bytes"] is None and not cell["path"]):
            counts["rows without an image are left out"] += 1
        elif cell["bytes"] is None:
            names[number] = cell["path"]
        else:
            # Named by its row, so that a person finds it again; its own name need not be unique.
            name = Path(split) / f"{number:06d}{Path(cell['path'] or '').suffix}"
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_bytes(cell["bytes"])
            names[number] = name.as_posix()
            counts["images that the data hold are read from temporary copies"] += 1
    if len(held) > 1:
        _say_once(f"Not used: the images of {values.list_some(held[1:])}.", notes)
    return batch.drop(columns=held).assign(path=pd.Series(names, dtype=object))


def _write_as_text(batch, notes):
    """Cells as a list would have them; columns of lists and records are left out."""
    nested = [
        name
        for name in batch
        if batch[name].map(lambda c: isinstance(c, list | dict | np.ndarray)).any()
    ]
    if nested:
        told = f"Not used: columns {values.list_some(nested)}, which hold several values a row."
        _say_once(told, notes)
    flat = batch.drop(columns=nested)
    return flat.astype(str).astype(object).where(flat.notna(), np.nan)


def _say_once(note, notes):
    if note not in notes:  # each batch would say it
        notes.append(note)
