"""Phantoms drawn by this project: chest radiographs, or wolves and huskies, with true masks.

Source: `phantoms`. Nobody's data, MIT licence like the project. Every column is known; age,
sex, view and date are invented along with the image.
"""

from pathlib import Path

import pandas as pd

from leakage.data import _common
from leakcard import table as image_table

LICENSE = "MIT"
PATH_COLUMNS = ("path", "mask_path", "lesion_mask_path", "symbol_mask_path")


def read_table(data_dir):
    """Read a folder that `phantoms.write_chest` or `phantoms.write_animals` wrote.

    Parameters
    ----------
    data_dir : str or Path
        Folder that holds `metadata.csv`.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS`. Chests: `source` is "phantom hospital A", B or C,
        `mask_path` the visible lungs; where there is no lesion (normal, or a visibility of 0) or
        no letter, that mask's path is NaN. Animals: `source` is "phantom_animals/" and the set,
        `mask_path` the animal, and a further column `split`.

    Raises
    ------
    FileNotFoundError
        If there is no `metadata.csv`; the message says how to draw one.
    """
    folder = Path(data_dir)
    path = folder / "metadata.csv"
    if not path.is_file():
        found = sorted(p.name for p in folder.iterdir())[:8] if folder.is_dir() else "no folder"
        raise FileNotFoundError(
            f"There are no phantoms in {folder}. Expected: {path}. Draw them with "
            f"`phantoms.write_chest(folder)` or `phantoms.write_animals(folder)`. Found: {found}"
        )
    # "No Finding" and the like are text; only an empty field is missing.
    rows = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name in PATH_COLUMNS:
        if name in rows:
            rows[name] = rows[name].map(lambda part: str(folder / part), na_action="ignore")
    rows["license"] = LICENSE
    if "hospital" in rows:
        rows["source"] = "phantom hospital " + rows["hospital"].astype(str)
        columns = [name for name in image_table.COLUMNS if name in rows]
    else:
        rows["source"] = "phantom_animals/" + rows["set"].astype(str)
        rows["image_id"] = "phantom_animals:" + rows["image_id"].astype(str)
        columns = [*(name for name in image_table.COLUMNS if name in rows), "split"]
    return _common.describe_files(image_table.make_table(rows[columns]))
