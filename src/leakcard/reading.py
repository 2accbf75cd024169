"""Read what a user has, a folder or a list, and say what was guessed, joined or left out."""

import collections
import csv
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from leakcard import facts, hub, values
from leakcard import table as image_table
from leakcard.table import find_split

# What other people call our columns: the public X-ray sets, and habit.
ALIASES = {
    "path": (
        *("file", "filename", "file_name", "filepath", "file_path", "image", "image_path"),
        *("img_path", "image_file", "image_index", "image_name", "img", "filenames"),
    ),
    "label": (
        *("class", "target", "finding", "diagnosis", "category", "labels", "finding_labels"),
        *("class_name", "classname"),
    ),
    "split": ("set", "subset", "fold", "partition", "dataset", "split_name", "phase"),
    "patient_id": (
        *("patient", "patientid", "subject", "subject_id", "person_id", "subjectid", "case_id"),
    ),
    "age_years": ("age", "patient_age", "patientage", "age_at_study"),
    "sex": ("gender", "patient_sex", "patient_gender", "patientsex"),
    "view": ("view_position", "viewposition", "projection", "ap/pa", "frontal/lateral"),
    "source": ("hospital", "site", "institution", "center", "centre"),
    "date": ("study_date", "acquisition_date", "studydate"),
}
FOLD_COLUMNS = ("fold", "folds", "kfold", "cv_fold", "fold_id", "cv")
SEPARATORS = ",;\t|"
# Formats that are drawn by a program of their own, or are no pictures: never opened.
NOT_OPENED = {".eps", ".ps", ".pdf", ".wmf", ".emf", ".mpg", ".mpeg", ".h5", ".hdf", ".grib"}
DICOM_SUFFIXES = (".dcm", ".dicom")
MASK_FOLDERS = re.compile(
    r"(.*[_ -])?(masks?|segmentations?|ground_?truth|gt|annotations?)([_ -].*)?"
)
IMAGE_FOLDERS = re.compile(r"(images?|imgs?|pictures?|data|png|jpe?g|raw|originals?)", re.I)
PATIENT_FOLDERS = re.compile(
    r"(patient|pat|subject|subj|sub|case|person|p|s|study|pid|id)[-_ ]?\d+[a-z]?|\d{5,}", re.I
)
MAX_DEPTH = 4
# Below this share of files a level of folders is not what tells the splits apart.
MIN_SPLIT_SHARE = 0.5
MAX_INDEXED = 500_000


@values.keep_any_text
def read_images(path):
    """Read the images of a folder or of a list into a table.

    Parameters
    ----------
    path : str or Path
        A folder with `split/class/image` (or `class/split/image`, one folder above it,
        `class/image`, `split/patient/study/image`, or images only), or a CSV or Parquet file with a
        column of paths, best with `label` and `split`, and any of `leakcard.COLUMNS` or what the
        public sets call them; or a Hugging Face dataset as `save_to_disk` leaves it. Relative paths
        are relative to the file. Images within a Parquet file or a dataset are written to a
        temporary folder (`leakcard.hub`).

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS` and `split`, further columns kept; what is not there is
        NaN. `image_id` is the path as it is in the folder or in the list. `attrs["notes"]` says
        what was guessed, joined or left out.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    ValueError
        If it holds no images, or the list has no column of paths.
    """
    path, notes = Path(path), []
    if path.is_dir() and hub.is_dataset(path):
        return _read_list(path, *hub.read_dataset(path, notes), notes)
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() in (".parquet", ".pq") and path.is_file():
        return _read_list(path, *hub.read_parquet(path, notes), notes)
    if path.is_file():
        return _read_list(path, _read_rows(path, notes), path.parent, notes)
    raise FileNotFoundError(
        f"There is nothing to audit. Expected a folder, a CSV or Parquet file or a Hugging Face "
        f"dataset. Received: {path}"
    )


def find_image_folders(table):
    """Return the folders that hold the images of a table, resolved."""
    parents = {Path(path).parent for path in table["path"].dropna().unique()}
    return {parent.resolve() for parent in parents}


# ---------------------------------------------------------------------------- folders


def _read_folder(folder):
    notes = []
    files, dicom = _find_images(folder, notes)
    if dicom and not image_table.can_read_dicom():
        notes.append(
            f"Left out: {len(dicom)} DICOM files, such as {_show(dicom[0])}. To read them: "
            "pip install 'leakage[dicom]'."
        )
    else:
        files = sorted(files + dicom)
    if not files:
        found = sorted(_show(entry.name) for entry in folder.iterdir())[:8]
        raise ValueError(
            f"There are no images to audit. Expected split/class/image below {folder}, of a type "
            f"that Pillow reads. Received: {found or 'an empty folder'}. {' '.join(notes)}".strip()
        )
    parts = {file: file.relative_to(folder).parts[:-1] for file in files}
    masks, files = _separate_masks(files, parts, notes)
    level = _find_split_level([parts[file] for file in files])
    if level is None:
        shared = _count_shared([parts[file] for file in files])
    else:
        shared = len(os.path.commonprefix([list(parts[file][:level]) for file in files]))
        if level:
            example = next(parts[file] for file in files if _is_split(parts[file], level))
            notes.append(
                f"Splits were found {level} folder{'s' * (level > 1)} down, such as "
                f"{_show('/'.join(example[: level + 1]))}."
            )
    rows, left_out = [], collections.Counter()
    for file in files:
        split, rest = None, parts[file][shared:]
        if level is not None:
            if not _is_split(parts[file], level):
                left_out["/".join(parts[file]) or "the folder itself"] += 1
                continue
            split = find_split(parts[file][level])
            rest = parts[file][shared:level] + parts[file][level + 1 :]
        rows.append({"path": str(file), "split": split, "rest": rest})
    if left_out:
        named = ", ".join(f"{n} in {_show(place)}" for place, n in sorted(left_out.items())[:5])
        more = f" and {len(left_out) - 5} more folders" if len(left_out) > 5 else ""
        notes.append(
            f"Left out: {left_out.total()} images beside the splits ({named}{more}). Audit them "
            "apart, or move them into a split."
        )
    for row, (label, patient) in zip(rows, _name_classes(rows, notes), strict=True):
        row |= {"label": label, "patient_id": patient}
        file = Path(row["path"])
        row["image_id"] = _show(file.relative_to(folder).as_posix())
        row["mask_path"] = masks.get((_without_kind(parts[file]), file.stem))
        del row["rest"]
    if masks:
        matched = sum(row["mask_path"] is not None for row in rows)
        notes.append(f"{matched} images have a mask of their name.")
    table = image_table.make_table(rows)
    table.attrs["notes"] = notes
    return table


def _show(name):
    """A file name as text that can be written, whatever its bytes."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _find_images(folder, notes):
    """List all files that may be images: links are followed, circles are not."""
    suffixes = _list_suffixes()
    files, dicom, others, seen = [], [], collections.Counter(), set()
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders[:] = []
            notes.append(f"Left out: {_show(here)} leads back to a folder that was read already.")
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            file = Path(here, name)
            suffix = file.suffix.lower()
            if name.startswith((".", "__MACOSX")):
                continue
            if suffix in DICOM_SUFFIXES or (not suffix and _starts_as_dicom(file)):
                dicom.append(file)
            elif suffix in suffixes or (_is_odd(suffix) and _opens(file)):
                files.append(file)
            else:
                others[suffix or "no suffix"] += 1
    if others:
        named = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(6))
        notes.append(f"Left out: {others.total()} files that are no images ({named}).")
    return files, dicom


def _list_suffixes():
    Image.init()
    known = Image.registered_extensions()
    # Pillow opens MPO (two views of a scene) as JPEG, under whose name it is registered.
    kinds = {*Image.OPEN, "MPO"}
    return {suffix for suffix, kind in known.items() if kind in kinds} - NOT_OPENED


def _is_odd(suffix):
    """Whether a suffix says nothing of the content: none at all, or part of a number or a name."""
    return not suffix or not re.fullmatch(r"\.[a-z][a-z0-9]{1,4}", suffix)


def _opens(file):
    try:
        with Image.open(file):
            return True
    except Exception:  # decoders of damaged files raise anything; then it is no image
        return False


def _starts_as_dicom(file):
    try:
        with open(file, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _separate_masks(files, parts, notes):
    """Take masks out of a list of images: folders named so that stand beside others."""
    is_mask = {
        file: any(MASK_FOLDERS.fullmatch(part.lower()) for part in parts[file]) for file in files
    }
    if all(is_mask.values()) or not any(is_mask.values()):
        return {}, files
    masks = collections.defaultdict(list)
    for file in filter(is_mask.get, files):
        masks[_without_kind(parts[file]), file.stem].append(file)
    folders = {
        part
        for file in files
        for part in parts[file]
        if is_mask[file] and MASK_FOLDERS.fullmatch(part.lower())
    }
    named = values.list_some(folders)
    num_masks = sum(is_mask.values())
    notes.append(f"Left out: {num_masks} images in folders of masks ({named}).")
    several = [some for some in masks.values() if len(some) > 1]
    if several:
        shown = [_show("/".join((*parts[file], file.name))) for file in several[0][:2]]
        notes.append(
            f"Not used: masks of {len(several)} names, since several are of the same name, such as "
            f"{shown[0]!r} and {shown[1]!r}."
        )
    masks = {key: str(some[0]) for key, some in masks.items() if len(some) == 1}
    return masks, [file for file in files if not is_mask[file]]


def _without_kind(part):
    """Folders of an image without those that say only that it is an image or a mask."""
    return tuple(
        name
        for name in part
        if not IMAGE_FOLDERS.fullmatch(name) and not MASK_FOLDERS.fullmatch(name.lower())
    )


def _is_split(part, level):
    return len(part) > level and find_split(part[level]) is not None


def _find_split_level(parts):
    """The depth at which folders are named as splits; None where there is none."""
    for level in range(MAX_DEPTH):
        named = [find_split(part[level]) for part in parts if _is_split(part, level)]
        if len(set(named)) > 1 and len(named) >= MIN_SPLIT_SHARE * len(parts):
            return level
    for level in range(MAX_DEPTH):  # one split alone, as the first folder of all
        if all(_is_split(part, level) for part in parts):
            return level
    return None


def _count_shared(parts):
    """How many folders all files lie in together, such as the one around the classes."""
    shared = os.path.commonprefix([list(part) for part in parts])
    # The last folder of all is their class.
    depth = min(len(part) for part in parts)
    return min(len(shared), max(0, depth - 1)) if parts else 0


def _name_classes(rows, notes):
    """Say for each row of what class it is, and of which patient its folders tell."""
    found = []
    levels = [[name for name in row["rest"] if not IMAGE_FOLDERS.fullmatch(name)] for row in rows]
    firsts = {level[0] for level in levels if level}
    are_patients = bool(firsts) and all(PATIENT_FOLDERS.fullmatch(name) for name in firsts)
    are_patients = are_patients and len(firsts) > 2
    num_patients = set()
    for level in levels:
        rest = [name for name in level if not PATIENT_FOLDERS.fullmatch(name)]
        persons = [name for name in level if PATIENT_FOLDERS.fullmatch(name)]
        if are_patients:
            label, patient = (rest[0] if rest else None), level[0] if level else None
        else:
            label = level[0] if level else None
            patient = persons[0] if persons and persons[0] != label else None
        if patient:
            num_patients.add(patient)
        found.append((label, _show(patient) if patient else None))
    if num_patients:
        notes.append(
            f"Folders such as {_show(sorted(num_patients)[0])!r} are read as patients "
            f"({len(num_patients)} of them)."
        )
    if are_patients and all(label is None for label, _ in found):
        notes.append("No folder is named as a class: nothing that follows a label was tested.")
    return [(None if label is None else _show(label), patient) for label, patient in found]


# ---------------------------------------------------------------------------- lists


def _read_list(path, table, folder, notes):
    table = _name_columns(table, path, notes)
    num_unnamed = int(table["path"].isna().sum())
    if num_unnamed:
        notes.append(f"{num_unnamed} rows name no image and are left out.")
    table = table[table["path"].notna()].reset_index(drop=True)
    if table.empty:
        raise ValueError(f"The list names no image. Expected a row an image. Received: {path}")
    _check_ids(table, notes)
    written = table["path"]
    table["path"] = _find_files(table, folder, notes)
    if "mask_path" in table.columns:
        masks = table["mask_path"].map(lambda name: str(name).strip(), na_action="ignore")
        table["mask_path"] = masks.map(lambda name: str(folder / name), na_action="ignore")
    _read_splits_from_paths(table, written, notes)
    # What the files are is read from the files; a list may be of other copies.
    dropped = [name for name in facts.FACTS if name in table.columns]
    if dropped:
        notes.append(f"Not used: columns {', '.join(dropped)}; they are read from the files.")
    table = table.drop(columns=dropped)
    table.attrs["notes"] = notes
    return table


def _read_text(path, notes):
    content = path.read_bytes()
    try:
        is_wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        notes.append("The list is not written in UTF-8; it is read as Windows-1252.")
        return content.decode("cp1252", "replace")


def _read_rows(path, notes):
    """Read the cells of a list: its separator is the one that gives rows of one length."""
    lines = _read_text(path, notes).splitlines()
    declared = re.fullmatch(r'"?sep=(.)"?', lines[0].strip()) if lines else None
    if declared:
        notes.append(f"First line 'sep={declared[1]}' skipped.")
        lines = lines[1:]
    separators = [declared[1]] if declared else list(SEPARATORS)
    known = {*ALIASES, *(name for names in ALIASES.values() for name in names)}

    def rate(separator):
        cells = [row for row in csv.reader(lines[:200], delimiter=separator) if row]
        if not cells:
            return (0, 0, 0)
        fits = sum(len(row) == len(cells[0]) for row in cells) / len(cells)
        names = sum(_plain_name(name) in known for name in cells[0])
        return (names, fits if len(cells[0]) > 1 else 0, len(cells[0]))

    separator = max(separators, key=rate)
    try:
        cells = [row for row in csv.reader(lines, delimiter=separator) if any(map(str.strip, row))]
    except csv.Error as error:
        raise ValueError(
            f"The list of images cannot be read. Expected a CSV file with a header. Received: "
            f"{path}: {error}"
        ) from error
    if not cells:
        raise ValueError(
            f"The list of images cannot be read. Expected a CSV file with a header. Received: "
            f"{path}, which is empty"
        )
    header = [name.strip() for name in cells[0]]
    while header and not header[-1]:
        header.pop()
    longer = [row for row in cells[1:] if len(row) > len(header)]
    wrong = [row for row in longer if any(cell.strip() for cell in row[len(header) :])]
    if wrong:
        # 'Width,Height' in one name without quotes, as in the NIH table: the rest fits
        if len(wrong) == len(cells) - 1 and len({len(row) for row in wrong}) == 1:
            extra = len(wrong[0]) - len(header)
            header += [f"unnamed {number + 1}" for number in range(extra)]
            notes.append(
                f"All rows have {extra} cells more than the header names; the first "
                f"{len(header) - extra} are taken by their names. Look at the columns."
            )
        else:
            raise ValueError(
                f"The list of images cannot be read: a row has more cells than the header names. "
                f"Expected {len(header)} cells ({', '.join(header[:6])}). Quote cells that hold "
                f"{separator!r}. Received: {wrong[0][:8]} in {path}"
            )
    elif longer:
        notes.append(f"{len(longer)} rows end in a separator; the empty cell behind it is dropped.")
    short = sum(len(row) < len(header) for row in cells[1:])
    if short:
        notes.append(f"{short} rows have fewer cells than the header; the rest is not known.")
    rows = [(row + [""] * len(header))[: len(header)] for row in cells[1:]]
    table = pd.DataFrame(rows, columns=header, dtype=object)
    if not table.columns.is_unique:
        twice = sorted(set(table.columns[table.columns.duplicated()]))
        notes.append(f"Columns that come twice are read once, the first: {', '.join(twice)}.")
        table = table.loc[:, ~table.columns.duplicated()]
    return table.map(lambda cell: np.nan if not cell.strip() else cell)


def _plain_name(name):
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _name_columns(table, path, notes):
    lower = {_plain_name(name): name for name in reversed(table.columns)}
    renamed, unsure = {}, {}
    for name in (*image_table.COLUMNS, "split"):
        options = [lower[other] for other in (name, *ALIASES.get(name, ())) if other in lower]
        options = [one for one in dict.fromkeys(options) if one not in renamed]
        if options and name not in table.columns:
            if name == "split":
                options.sort(key=lambda one: not _holds_splits(table[one]))
            renamed[options[0]] = name
            unsure[name] = options
        elif len(options) > 1:
            unsure[name] = [name, *(one for one in options if one != name)]
    folds = next((lower[name] for name in FOLD_COLUMNS if name in lower), None)
    used = next((old for old, new in renamed.items() if new == "split"), None)
    if used and not _holds_splits(table[used]):
        if _holds_folds(table[used]):
            folds = used
            renamed = {old: new for old, new in renamed.items() if new != "split"}
        elif _plain_name(used) in ("dataset", "set"):  # the name of a collection
            has_source = "source" in {*table.columns, *renamed.values()}
            renamed[used] = used if has_source else "source"
    table = table.rename(columns=renamed)
    if "path" not in table.columns:
        raise ValueError(
            f"The list has no column of image paths. Expected `path`, best with `label` and "
            f"`split`. Received: {list(table.columns)[:12]} in {path}"
        )
    for old, new in renamed.items():
        if old != new and new not in facts.FACTS:
            others = [one for one in unsure.get(new, []) if one != old]
            also = f"; not used for it: {', '.join(others)}" if others else ""
            notes.append(f"Column {old!r} is read as {new}{also}.")
    if folds and "split" not in table.columns and _holds_folds(table[folds]):
        numbers = table[folds].astype(str).str.replace(r"\.0$", "", regex=True)
        table["split"] = ("fold " + numbers).where(table[folds].notna())  # pandas 2 writes "nan"
        notes.append(f"Column {folds!r} holds folds: each fold in turn is the test set.")
    contract = {*image_table.COLUMNS, "split", "folder"}
    unused = [name for name in table.columns if name not in contract and name != folds]
    if unused:
        notes.append(f"Not used: columns {values.list_some(unused)}.")
    table.attrs["renamed"] = renamed
    return table


def _holds_splits(column):
    names = set(column.dropna().astype(str))
    return bool(names) and all(find_split(name) for name in names)


def _holds_folds(column):
    names = set(column.dropna().astype(str).str.strip())
    return 1 < len(names) <= 50 and all(
        re.fullmatch(r"(fold)?[ _-]?\d+(\.0)?", n, re.I) for n in names
    )


def _check_ids(table, notes):
    """An image is told by its id; ids that stand for several files are replaced by paths."""
    if "image_id" in table.columns:
        files = table.groupby("image_id")["path"].nunique()
        if table["image_id"].isna().any() or (files > 1).any():
            notes.append(
                f"Column image_id: {int((files > 1).sum())} ids stand for several files or are "
                "missing, so paths are used instead."
            )
            table["image_id"] = table["path"].str.strip()
    else:
        table["image_id"] = table["path"].str.strip()


def _find_files(table, folder, notes):
    """Find the files that a list names, also where its paths are of another machine."""
    stripped = table["path"].astype(str).str.strip()
    if (stripped != table["path"]).any():
        notes.append(
            f"Column path: blanks removed around {(stripped != table['path']).sum()} paths."
        )
    plain = [str(folder / name) for name in stripped]
    missing = [row for row, name in enumerate(plain) if not os.path.exists(name)]
    if not missing:
        return plain
    posix = stripped.str.replace("\\", "/")
    guesses = {
        "with / for \\": lambda row: folder / posix[row],
        "in the folder that the column folder names": lambda row: (
            folder / str(table["folder"][row]).strip() / posix[row] if "folder" in table else None
        ),
    }
    for how, guess in guesses.items():
        found = {row: guess(row) for row in missing}
        found = {row: name for row, name in found.items() if name and os.path.exists(name)}
        if found:
            notes.append(f"{len(found)} files were found {how}.")
            for row, name in found.items():
                plain[row] = str(name)
            missing = [row for row in missing if row not in found]
    if not missing:
        return plain
    index = _index_files(folder)
    found = {}
    for row in missing:
        ends = index.get(posix[row].rsplit("/", 1)[-1], [])
        best = max((_count_same_end(posix[row], end) for end in ends), default=0)
        same = [end for end in ends if _count_same_end(posix[row], end) == best]
        if len(same) == 1:
            found[row] = same[0]
    if found:
        example = min(found)
        notes.append(
            f"{len(found)} paths are not there as written (such as {_show(stripped[example])!r}); "
            f"files of their name below the list were taken ({_show(found[example])!r})."
        )
        for row, name in found.items():
            plain[row] = str(folder / name)
    left = len(missing) - len(found)
    if left:
        notes.append(f"{left} files of the list were not found below {_show(folder.name) or 'it'}.")
    return plain


def _index_files(folder):
    index, count = {}, 0
    for here, _, names in os.walk(folder):
        for name in names:
            index.setdefault(name, []).append(Path(here, name).relative_to(folder).as_posix())
        count += len(names)
        if count > MAX_INDEXED:
            break
    return index


def _count_same_end(one, other):
    pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count


def _read_splits_from_paths(table, written, notes):
    """Where no column names split or patient, folders of the paths may (as in CheXpert)."""
    parts = [Path(name.strip().replace("\\", "/")).parts[:-1] for name in written]
    shared = len(os.path.commonprefix(parts))  # where all lie together tells none of them apart
    parts = [part[shared:] for part in parts]
    if "split" not in table.columns or table["split"].isna().all():
        found = [next((find_split(p) for p in part if find_split(p)), None) for part in parts]
        if all(found) and len(set(found)) > 1:
            table["split"] = found
            notes.append("No column names the splits; they are read from the folders of the paths.")
    if "patient_id" not in table.columns or table["patient_id"].isna().all():
        found = [
            next((p for p in part if re.fullmatch(r"(patient\d+|p\d{8}|person\d+)", p)), None)
            for part in parts
        ]
        if all(found) and len(set(found)) > 1:
            table["patient_id"] = found
            notes.append(
                f"No column names the patients; folders such as {found[0]!r} are read as patients."
            )
