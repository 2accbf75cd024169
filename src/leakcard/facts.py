"""Facts of the image files themselves, decoded once and remembered."""

import os
import warnings
from pathlib import Path

import pandas as pd

from leakcard import files, images

FACTS = ("width_px", "height_px", "file_format", "num_bytes", "sha256")
_KEY = ["path", "size", "mtime_ns"]


def _read_store(store):
    try:
        return pd.read_csv(store, dtype={"file_format": object, "sha256": object})
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame(columns=[*_KEY, *FACTS])


def _add_to_store(store, rows):
    # Read again just before the write, and replaced in one step: another process may have
    # added its own. At worst, one of two simultaneous additions is computed again.
    known = _read_store(store)
    new = pd.DataFrame(rows, columns=[*_KEY, *FACTS])
    merged = new if known.empty else pd.concat([known, new])
    merged = merged.drop_duplicates("path", keep="last").sort_values("path")
    try:
        with files.open_atomic(store) as stream:
            merged.to_csv(stream, index=False)
    except OSError as error:
        warnings.warn(
            f"The facts of {len(rows)} files could not be kept and will be computed again: "
            f"{error}. Name a cache folder that can be written to.",
            stacklevel=3,
        )


def _inspect(path):
    try:
        return images.inspect_image(path)
    except (ValueError, OSError) as error:
        return str(error)


def describe_files(table, cache_dir=None):
    """Decode every file in full and fill in what it is.

    Parameters
    ----------
    table : DataFrame
        With `image_id` and `path`.
    cache_dir : str or Path, optional
        Where facts are remembered, by path, size and time of change; nowhere by default.

    Returns
    -------
    DataFrame
        The rows whose file can be read, with `width_px`, `height_px`, `file_format`,
        `num_bytes` and `sha256`. The others are in `attrs["unreadable"]`: a list of dicts with
        `image_id`, `path` and `reason`.
    """
    store = cache_dir and Path(cache_dir) / f"files-v{images.DECODER_VERSION}.csv"
    known = {
        (row.path, row.size, row.mtime_ns): tuple(getattr(row, name) for name in FACTS)
        for row in (_read_store(store).itertuples(index=False) if store else ())
    }
    facts, keys, wanted = {}, {}, []
    for path in dict.fromkeys(table["path"]):
        try:
            status = os.stat(path)
            keys[path] = (str(Path(path).absolute()), status.st_size, status.st_mtime_ns)
        except OSError as error:
            facts[path] = str(error)
            continue
        if keys[path] in known:
            facts[path] = dict(zip(FACTS, known[keys[path]], strict=True))
        else:
            wanted.append(path)
    if wanted:
        results = images.map_threads(_inspect, wanted, "check images")
        facts |= zip(wanted, results, strict=True)
        fresh = [path for path in wanted if isinstance(facts[path], dict)]
        if store:
            _add_to_store(
                store,
                [dict(zip(_KEY, keys[path], strict=True)) | facts[path] for path in fresh],
            )
    readable = [isinstance(facts[path], dict) for path in table["path"]]
    described = table.loc[readable].reset_index(drop=True)
    described.attrs = dict(table.attrs)
    for name in FACTS:
        values = [facts[path][name] for path in described["path"]]
        text = name in ("file_format", "sha256")
        described[name] = pd.Series(values, dtype=object if text else "float64")
    described.attrs["unreadable"] = [
        {"image_id": row.image_id, "path": row.path, "reason": facts[row.path]}
        for row in table.loc[[not good for good in readable]].itertuples(index=False)
    ]
    return described
