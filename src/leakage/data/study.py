"""The tables of a whole study: real data or phantoms, whichever lie in the folder."""

from pathlib import Path

import pandas as pd

from leakage import published
from leakage.data import cohen, kermany, nih, phantoms, v7labs, wolf_husky

# Kermany's words for the two kinds of pneumonia, which phantoms keep, and those of S4.
PNEUMONIA_KINDS = {"bacteria": "bacterial", "virus": "viral"}
NORMAL_NAMES = {"S3": "no finding", "S4": "healthy"}
CONTROLS = ("children", "adults")
NUM_NAMED = 3  # files left out, in a sentence


def concatenate_tables(tables):
    """Put tables of several sources under each other, sorted by `image_id`.

    Parameters
    ----------
    tables : list of DataFrame
        As readers return them.

    Returns
    -------
    DataFrame
        With the attributes of all: lists and counts are added up.
    """
    joined = pd.concat(tables).sort_values("image_id", ignore_index=True)
    joined.attrs = {}
    for table in tables:
        for name, value in table.attrs.items():
            joined.attrs[name] = joined.attrs[name] + value if name in joined.attrs else value
    return joined


def describe_unreadable(table):
    """Say in a line which files a reader left out: how many, and the first of them.

    Parameters
    ----------
    table : DataFrame
        As a reader returns it.

    Returns
    -------
    str
        "none" if none was.
    """
    absent, broken = [], []
    for one in table.attrs.get("unreadable", []):
        if Path(one["path"]).exists():
            broken.append(one["reason"])
        else:
            absent.append(one["image_id"])
    told = [
        f"{len(names)} {what} ({', '.join(names[:NUM_NAMED])}{', ...' * (len(names) > NUM_NAMED)})"
        for names, what in ((absent, "not there"), (broken, "not readable"))
        if names
    ]
    return "; ".join(told) or "none"


def _check(name, value, allowed):
    if value not in allowed:
        raise ValueError(
            f"An unknown value of `{name}`. Expected one of {', '.join(map(repr, allowed))}. "
            f"Received: {name}={value!r}"
        )


def read_study(data_dir, controls, *, classes="S1", pneumonia="any"):
    """Read the pool of images that a study draws from.

    Parameters
    ----------
    data_dir : str or Path
        Folder of the datasets, or what `phantoms.draw_study` returned.
    controls : {"children", "adults"}
        Where normal and pneumonia come from. Real: children are Kermany's, adults are NIH's (of
        all ages: a protocol with `adults_only` leaves children out).
    classes : {"S1", "S2", "S3", "S4"}
        Whose classes: a key of `published.STUDY_CLASSES`. S1: COVID-19, normal, pneumonia. S2:
        normal, pneumonia. S3: no finding, COVID-19. S4: bacterial, healthy, viral, COVID-19
        (controls must be children: NIH does not tell bacteria from viruses).
    pneumonia : {"any", "alone"}
        As `data.nih.read_table`; for real adults only.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS`, `label` one of `published.STUDY_CLASSES[classes]`.

    Raises
    ------
    ValueError
        For an unknown choice, or four classes with adults as controls.
    FileNotFoundError
        If the data are absent; the message says how to get them.
    """
    _check("controls", controls, CONTROLS)
    _check("classes", classes, tuple(published.STUDY_CLASSES))
    if classes == "S4" and controls != "children":
        raise ValueError(
            "NIH does not say which pneumonia is bacterial and which viral. Expected "
            f'controls="children" with classes="S4". Received: controls={controls!r}'
        )
    drawn = Path(data_dir) / controls
    if (drawn / "metadata.csv").is_file():
        return _choose_classes(phantoms.read_table(drawn), classes)
    if controls == "children":
        sources = [kermany.read_table(data_dir)]
    else:
        wanted = ["normal"] if classes == "S3" else ["normal", "pneumonia"]
        sources = [nih.read_table(data_dir, pneumonia=pneumonia, labels=wanted)]
    if classes != "S2":
        sources.insert(0, cohen.read_table(data_dir, labels=["covid"]))
    return _choose_classes(concatenate_tables(sources), classes)


def read_lung_study(data_dir):
    """Read the pool of system S4: its own source if that is there, else Cohen and Kermany.

    Parameters
    ----------
    data_dir : str or Path
        As `read_study`. `v7labs.FOLDER` in it is the source that S4 cut its lungs out of.

    Returns
    -------
    DataFrame
        As `read_study` with the classes of S4. From v7labs only images with a lung polygon, since
        masks for some classes and none for others would be a new shortcut; `attrs["origin"]`
        says in words what was read and what was left out.
    """
    if not (Path(data_dir) / v7labs.FOLDER).is_dir():
        pool = read_study(data_dir, "children", classes="S4")
        pool.attrs["origin"] = f"No folder {v7labs.FOLDER}: images without the polygons of v7labs."
        return pool
    table = v7labs.read_table(data_dir)
    has_lungs = table["mask_path"].notna()
    pool = _choose_classes(table[has_lungs], "S4")
    pool.attrs["origin"] = (
        f"{v7labs.FOLDER}: {len(table)} images, {int((~has_lungs).sum())} of them without a lung "
        f"polygon left out, {len(pool)} of the four classes; {table.attrs['num_without_label']} "
        "annotations name no class."
    )
    return pool


def _choose_classes(pool, classes):
    """Name the labels as the system does, and leave out what is of none of its classes."""
    labels = pool["label"].replace({"normal": NORMAL_NAMES.get(classes, "normal")})
    if classes == "S4":
        labels = labels.where(labels != "pneumonia", pool["findings"].map(PNEUMONIA_KINDS))
    kept = labels.isin(published.STUDY_CLASSES[classes])
    chosen = pool.assign(label=labels)[kept].reset_index(drop=True)
    if "patient_id_inferred" in pool.attrs:
        inferred = pool.attrs["patient_id_inferred"]
        chosen.attrs["patient_id_inferred"] = [NORMAL_NAMES.get(classes, x) for x in inferred]
    return chosen


def read_animals(data_dir):
    """Read wolves and huskies: on their own, swapped and white backgrounds.

    Parameters
    ----------
    data_dir : str or Path
        Folder of the datasets, or what `phantoms.draw_animal_study` returned.

    Returns
    -------
    DataFrame
        The columns of `leakcard.COLUMNS` and `split`; `source` ends in `different_backgrounds`,
        `background_swap` or `same_backgrounds`.

    Raises
    ------
    FileNotFoundError
        As `read_study`.
    """
    if (Path(data_dir) / "metadata.csv").is_file():
        return phantoms.read_table(data_dir)
    return wolf_husky.read_table(data_dir)
