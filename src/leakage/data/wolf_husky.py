"""Wolves and huskies of shaivimalik/covid_illegitimate_features at d76e391: 240 JPEGs.

The origin of the pictures is unknown: download, never redistribute. Known problem: the white
set has 10 byte-identical pairs, two of them across train and test. See `data/README.md`.
"""

from pathlib import Path

from leakage.data import _common
from leakcard import table as image_table

LABELS = ("husky", "wolf")
# Folder below `wolf_husky/`: (set, split, background of each label)
FOLDERS = {
    "different_backgrounds/train": ("train", {"wolf": "snow", "husky": "grass"}),
    "different_backgrounds/test": ("test", {"wolf": "snow", "husky": "grass"}),
    "background_swap": ("test", {"wolf": "grass", "husky": "snow"}),
    "same_backgrounds/train": ("train", {"wolf": "white", "husky": "white"}),
    "same_backgrounds/test": ("test", {"wolf": "white", "husky": "white"}),
}


def read_table(data_dir):
    """Read the three sets below `wolf_husky/`.

    Parameters
    ----------
    data_dir : str or Path
        Folder that holds `wolf_husky/`.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS` and `split` (train or test; the swap set is test).
        `source` is `wolf_husky/` and the set; `background` is snow, grass or white, as the
        set's name says, not by looking.

    Raises
    ------
    FileNotFoundError
        If there are no images; the message says how to get them.
    """
    root = Path(data_dir) / "wolf_husky"
    rows = [
        {
            "image_id": f"wolf_husky:{path.relative_to(root).as_posix()}",
            "path": str(path),
            "label": label,
            "source": f"wolf_husky/{folder.split('/')[0]}",
            "background": backgrounds[label],
            "split": split,
        }
        for folder, (split, backgrounds) in FOLDERS.items()
        for label in LABELS
        if (root / folder / label).is_dir()
        for path in _common.list_images(root / folder / label)
    ]
    if not rows:
        raise _common.missing_data(root, "wolf_husky", data_dir, "The wolves and huskies were")
    return _common.describe_files(image_table.make_table(rows))
