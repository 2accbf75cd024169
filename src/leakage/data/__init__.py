"""Where the images come from: download, one reader a source, the pool of a study, splits.

A new dataset is one file with `read_table(data_dir, **options)` and one line in `READERS`.
"""

from leakage.data import cohen, kermany, nih, phantoms, v7labs, wolf_husky
from leakage.data.study import (
    concatenate_tables,
    describe_unreadable,
    read_animals,
    read_lung_study,
    read_study,
)

READERS = {
    "cohen": cohen.read_table,
    "kermany": kermany.read_table,
    "nih": nih.read_table,
    "wolf_husky": wolf_husky.read_table,
    "v7labs": v7labs.read_table,
    "phantoms": phantoms.read_table,
}
