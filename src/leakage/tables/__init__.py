"""One table for every source: one row an image, the same columns, missing = NaN, never a guess.

A new dataset is one file with `read_table(data_dir, **options)` and one line in `READERS`.
"""

from leakage.tables import cohen, kermany, nih, v7labs, wolf_husky
from leakage.tables._common import (
    ADULT_AGE_YEARS,
    COLUMNS,
    SOURCE_AGE_RANGES_YEARS,
    get_age_groups,
    make_table,
)
from leakage.tables._files import describe_files
from leakage.tables._study import (
    STUDY_CLASSES,
    concatenate_tables,
    read_animals,
    read_phantoms,
    read_study,
)

READERS = {
    "cohen": cohen.read_table,
    "kermany": kermany.read_table,
    "nih": nih.read_table,
    "wolf_husky": wolf_husky.read_table,
    "v7labs": v7labs.read_table,
    "phantoms": read_phantoms,
}

__all__ = [
    "ADULT_AGE_YEARS",
    "COLUMNS",
    "READERS",
    "SOURCE_AGE_RANGES_YEARS",
    "STUDY_CLASSES",
    "concatenate_tables",
    "describe_files",
    "get_age_groups",
    "make_table",
    "read_animals",
    "read_phantoms",
    "read_study",
]
