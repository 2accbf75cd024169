"""What every reader of a source shares: messages, lists of files, facts that are remembered."""

import re
from pathlib import Path

from leakage import paths
from leakcard import facts

# Human ages above this are errors of entry; NIH has a few hundred years.
MAX_AGE_YEARS = 120


def missing_data(path, source, data_dir, what):
    """Make the FileNotFoundError for data that are not there."""
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        found = f"no folder {data_dir}"
    elif path.is_dir():
        found = f"the folder, with {sum(1 for _ in path.iterdir())} entries but none of these"
    else:
        names = sorted(entry.name for entry in data_dir.iterdir() if entry.name[0] != ".")
        found = f"{', '.join(names[:8]) or 'nothing'} in {data_dir}"
    return FileNotFoundError(
        f"{what} not found. Expected: {path}. Get them with `./run_all.sh setup {source} "
        f"--data-dir {data_dir}`, or say where they are with --data-dir or LEAKAGE_DATA_DIR. "
        f"Found: {found}"
    )


def list_images(folder, suffixes=(".png", ".jpg", ".jpeg")):
    """List the image files below a folder, sorted, without the hidden ones.

    Other systems leave hidden copies ("._name.jpeg", "__MACOSX") in archives.
    """
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in suffixes
        and not any(re.match(r"\.|__MACOSX", part) for part in path.relative_to(folder).parts)
    )


def describe_files(table):
    """Decode every file in full and fill in what it is, as `leakcard.facts.describe_files`."""
    return facts.describe_files(table, cache_dir=paths.get_cache_dir())
