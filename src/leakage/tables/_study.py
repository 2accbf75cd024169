"""The tables of a whole study: real data or phantoms, by one parameter."""

import hashlib
import json
import math

import pandas as pd

from leakage import paths
from leakage.tables import cohen, kermany, nih, wolf_husky

# Enough of each class for the published sizes (260, 300, 300) also when only the first of a
# patient's COVID-19 images is drawn: about 0.8 patients an image.
NUM_PHANTOMS = {"covid": 340, "normal": 450, "pneumonia": 450}
# The classes of each system, in the order of its scores; of two, the second is the one to find.
STUDY_CLASSES = {
    "S1": ("covid", "normal", "pneumonia"),
    "S2": ("normal", "pneumonia"),
    "S3": ("no finding", "covid"),
    "S4": ("bacterial", "healthy", "viral", "covid"),
}
# Kermany's words for the two kinds of pneumonia, which phantoms keep, and those of S4.
PNEUMONIA_KINDS = {"bacteria": "bacterial", "virus": "viral"}
NORMAL_NAMES = {"S3": "no finding", "S4": "healthy"}
DATA_SOURCES = ("real", "phantoms")
CONTROLS = ("children", "adults")


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
    joined = pd.concat([table.copy(deep=False).pipe(_without_attrs) for table in tables])
    joined = joined.sort_values("image_id", ignore_index=True)
    for table in tables:
        for name, value in table.attrs.items():
            empty = [] if isinstance(value, list) else 0
            addable = isinstance(value, (list, int))
            joined.attrs[name] = joined.attrs.get(name, empty) + value if addable else value
    return joined


def _without_attrs(table):
    table.attrs = {}
    return table


def _check(name, value, allowed):
    if value not in allowed:
        raise ValueError(
            f"An unknown value of `{name}`. Expected one of {', '.join(map(repr, allowed))}. "
            f"Received: {name}={value!r}"
        )


def read_phantoms(data_dir, **options):
    """Read a folder of phantoms, as `tables.phantoms.read_table`."""
    from leakage.tables import phantoms  # real data need none of the drawing code

    return phantoms.read_table(data_dir, **options)


def _draw_phantoms(kind, options):
    """Draw phantoms into the cache unless the same ones are there; return their folder."""
    from leakage import phantoms as drawing

    write = {"chest": drawing.write_chest, "animals": drawing.write_animals}[kind]
    key = json.dumps([drawing.VERSION, options], sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return write(paths.get_cache_dir() / "phantoms" / f"{kind}-{digest}", **options)


def read_study(
    data_source,
    controls,
    data_dir=None,
    *,
    classes="S1",
    pneumonia="any",
    confounding=1.0,
    lesion_visibility=1.0,
    num_images=None,
    size_fraction=1.0,
    size_px=224,
    seed=20,
):
    """Read the pool of images that a study draws from.

    Parameters
    ----------
    data_source : {"real", "phantoms"}
        Published data, or radiographs drawn by this project.
    controls : {"children", "adults"}
        Where normal and pneumonia come from. Real: children are Kermany's, adults are NIH's (of
        all ages: a protocol with `adults_only` leaves children out).
    data_dir : str or Path, optional
        Folder of the real datasets; `paths.get_data_dir()` by default.
    classes : {"S1", "S2", "S3", "S4"}
        Whose classes: a key of `STUDY_CLASSES`. S1: COVID-19, normal, pneumonia. S2: normal,
        pneumonia. S3: no finding, COVID-19. S4: bacterial, healthy, viral, COVID-19 (controls
        must be children: NIH does not tell bacteria from viruses).
    pneumonia : {"any", "alone"}
        As `tables.nih.read_table`; for real adults only.
    confounding, lesion_visibility : float in [0, 1]
        For phantoms only: how strongly age group and hospital follow the label, and how visible
        lesions are.
    num_images : dict of str to int, optional
        For phantoms only: images per label, 340 / 450 / 450 by default.
    size_fraction : float
        For phantoms only: share of that default, so that a smaller study draws from a smaller
        pool and shares as many images as the full one.
    size_px : int
        For phantoms only: side of the images.
    seed : int
        For phantoms only: decides everything that is drawn.

    Returns
    -------
    DataFrame
        The columns of `tables.COLUMNS`, `label` one of `STUDY_CLASSES[classes]`.

    Raises
    ------
    ValueError
        For an unknown choice, or four classes with adults as controls.
    FileNotFoundError
        If real data are absent; the message says how to get them.
    """
    _check("data_source", data_source, DATA_SOURCES)
    _check("controls", controls, CONTROLS)
    _check("classes", classes, tuple(STUDY_CLASSES))
    if classes == "S4" and controls != "children":
        raise ValueError(
            "NIH does not say which pneumonia is bacterial and which viral. Expected "
            f'controls="children" with classes="S4". Received: controls={controls!r}'
        )
    if data_source == "phantoms":
        options = {
            "num_images": dict(num_images or _scale(NUM_PHANTOMS, size_fraction)),
            "seed": seed,
            "confounding": confounding,
            "controls": controls,
            "lesion_visibility": lesion_visibility,
            "size_px": size_px,
        }
        return _choose_classes(read_phantoms(_draw_phantoms("chest", options)), classes)
    data_dir = data_dir or paths.get_data_dir()
    if controls == "children":
        sources = [kermany.read_table(data_dir)]
    else:
        wanted = ["normal"] if classes == "S3" else ["normal", "pneumonia"]
        sources = [nih.read_table(data_dir, pneumonia=pneumonia, labels=wanted)]
    if classes != "S2":
        sources.insert(0, cohen.read_table(data_dir, labels=["covid"]))
    return _choose_classes(concatenate_tables(sources), classes)


def _scale(counts, fraction):
    return {label: math.ceil(fraction * count) for label, count in counts.items()}


def _choose_classes(pool, classes):
    """Name the labels as the system does, and leave out what is of none of its classes."""
    labels = pool["label"].replace({"normal": NORMAL_NAMES.get(classes, "normal")})
    if classes == "S4":
        labels = labels.where(labels != "pneumonia", pool["findings"].map(PNEUMONIA_KINDS))
    kept = labels.isin(STUDY_CLASSES[classes])
    chosen = pool.assign(label=labels)[kept].reset_index(drop=True)
    if "patient_id_inferred" in pool.attrs:
        inferred = pool.attrs["patient_id_inferred"]
        chosen.attrs["patient_id_inferred"] = [NORMAL_NAMES.get(classes, x) for x in inferred]
    return chosen


def read_animals(data_source, data_dir=None, *, seed=20, size_px=256):
    """Read wolves and huskies: on their own, swapped and white backgrounds.

    Parameters
    ----------
    data_source : {"real", "phantoms"}
        The photographs, or animals drawn by this project.
    data_dir : str or Path, optional
        Folder of the real datasets; `paths.get_data_dir()` by default.
    seed, size_px : int
        For phantoms only.

    Returns
    -------
    DataFrame
        The columns of `tables.COLUMNS` and `split`; `source` ends in `different_backgrounds`,
        `background_swap` or `same_backgrounds`.

    Raises
    ------
    ValueError, FileNotFoundError
        As `read_study`.
    """
    _check("data_source", data_source, DATA_SOURCES)
    if data_source == "phantoms":
        options = {"seed": seed, "size_px": size_px}
        return read_phantoms(_draw_phantoms("animals", options))
    return wolf_husky.read_table(data_dir or paths.get_data_dir())
