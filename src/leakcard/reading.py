"""Read what a user has: a folder `split/class/image`, or a CSV that lists images."""

from pathlib import Path

import pandas as pd

from leakcard import table as image_table
from leakcard.table import SPLIT_NAMES

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".pgm")
# What other people call our columns.
ALIASES = {
    "path": ("file", "filename", "file_name", "filepath", "file_path", "image", "image_path"),
    "label": ("class", "target", "finding", "diagnosis", "category"),
    "split": ("set", "subset", "fold", "partition", "dataset"),
    "patient_id": ("patient", "patientid", "subject", "subject_id", "person_id"),
    "age_years": ("age", "patient_age"),
    "sex": ("gender", "patient_sex"),
    "view": ("view_position", "projection"),
    "source": ("hospital", "site", "institution", "center", "centre"),
    "date": ("study_date", "acquisition_date"),
}


def read_images(path):
    """Read the images of a folder or of a CSV file into a table.

    Parameters
    ----------
    path : str or Path
        A folder with `split/class/image` (or `class/image`, or images only; deeper folders
        belong to their class), or a CSV file with a column `path`, best with `label` and
        `split`, and any of `leakcard.COLUMNS`. Relative paths are relative to the CSV file.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS` and `split`, further columns kept; what is not there is
        NaN. `image_id` is the path as it is in the folder or in the CSV.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    ValueError
        If it holds no images, or the CSV has no column of paths.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if path.is_file():
        return _read_csv(path)
    raise FileNotFoundError(
        f"There is nothing to audit. Expected a folder or a CSV file. Received: {path}"
    )


def find_image_folders(table):
    """Return the folders that hold the images of a table, resolved."""
    parents = {Path(path).parent for path in table["path"].dropna().unique()}
    return {parent.resolve() for parent in parents}


def _read_folder(folder):
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in SUFFIXES
        and file.is_file()
        and not any(part.startswith((".", "__MACOSX")) for part in file.relative_to(folder).parts)
    ]
    if not files:
        found = sorted(entry.name for entry in folder.iterdir())[:8]
        raise ValueError(
            f"There are no images to audit. Expected split/class/image below {folder}, of type "
            f"{', '.join(SUFFIXES)}. Received: {found or 'an empty folder'}"
        )
    parts = [file.relative_to(folder).parts[:-1] for file in files]
    has_splits = any(part and part[0].strip().lower() in SPLIT_NAMES for part in parts)
    rows = []
    for file, part in zip(files, parts, strict=True):
        split = None
        if has_splits:
            name = part[0].strip().lower() if part else ""
            split, part = SPLIT_NAMES.get(name), part[1:] if name in SPLIT_NAMES else part
        rows.append(
            {
                "image_id": file.relative_to(folder).as_posix(),
                "path": str(file),
                "label": part[0] if part else None,
                "split": split,
            }
        )
    return image_table.make_table(rows)


def _read_csv(path):
    try:
        with open(path, encoding="utf-8-sig") as stream:
            header = stream.readline()
        # Of equals the first: a comma where there is no separator at all.
        separator = max(",;\t|", key=header.count)
        table = pd.read_csv(path, dtype=object, sep=separator, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The list of images cannot be read. Expected a CSV file in UTF-8 with a header. "
            f"Received: {path}: {error}"
        ) from error
    table.columns = [str(name).strip() for name in table.columns]
    lower = {name.lower().replace(" ", "_"): name for name in reversed(table.columns)}
    renamed = {}
    for name in (*image_table.COLUMNS, "split"):
        options = [lower[other] for other in (name, *ALIASES.get(name, ())) if other in lower]
        if options and name not in table.columns:
            renamed[options[0]] = name
    table = table.rename(columns=renamed)
    if "path" not in table.columns:
        raise ValueError(
            f"The list has no column of image paths. Expected `path`, best with `label` and "
            f"`split`. Received: {list(table.columns)[:12]} in {path}"
        )
    table = table[table["path"].notna()].reset_index(drop=True)
    if table.empty:
        raise ValueError(f"The list names no image. Expected a row an image. Received: {path}")
    if "image_id" not in table.columns:
        table["image_id"] = table["path"]
    table["path"] = [str(path.parent / name) for name in table["path"].astype(str)]
    for name in ("width_px", "height_px", "num_bytes", "age_years"):
        if name in table.columns:
            table[name] = pd.to_numeric(table[name], errors="coerce")
    # What the files are is read from the files; a list may be of other copies.
    facts = ["width_px", "height_px", "file_format", "num_bytes", "sha256"]
    return table.drop(columns=[name for name in facts if name in table.columns])
