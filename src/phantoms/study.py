"""Draw what a whole study reads, once, into a folder whose name follows from the arguments."""

import hashlib
import json
import math
import pathlib

from phantoms import _storage, animals, chest

# Enough of each class for the published sizes (260, 300, 300) also when only the first of a
# patient's COVID-19 images is drawn: about 0.8 patients an image.
NUM_IMAGES = {"covid": 340, "normal": 450, "pneumonia": 450}


def draw_study(
    folder,
    *,
    controls=("children",),
    confounding=1.0,
    lesion_visibility=1.0,
    num_images=None,
    size_fraction=1.0,
    size_px=224,
    seed=20,
):
    """Draw the chest radiographs of a study, unless the same ones are there.

    Parameters
    ----------
    folder : path-like
        Where the folder of the study is made, such as a cache.
    controls : sequence of {"children", "adults"}
        Which collections of controls; each becomes a sub-folder of that name, with the COVID-19
        images beside its controls.
    confounding, lesion_visibility : float in [0, 1]
        How strongly age group and hospital follow the label, and how visible lesions are.
    num_images : dict of str to int, optional
        Images a label in each sub-folder, 340 / 450 / 450 by default.
    size_fraction : float
        Share of that default, so that a smaller study draws from a smaller pool and shares as
        many images as the full one.
    size_px : int
        Longer side of the images.
    seed : int
        Decides everything that is drawn.

    Returns
    -------
    pathlib.Path
        The folder of the study.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    counts = num_images or {k: math.ceil(size_fraction * n) for k, n in NUM_IMAGES.items()}
    options = {
        "num_images": dict(counts),
        "seed": seed,
        "confounding": confounding,
        "lesion_visibility": lesion_visibility,
        "size_px": size_px,
    }
    place = _name_folder(folder, "chest", options)
    for each in controls:
        chest.write_chest(place / each, controls=each, **options)
    return place


def draw_animal_study(folder, *, size_px=256, seed=20):
    """Draw the wolves and huskies of a study, unless the same ones are there.

    Parameters
    ----------
    folder : path-like
        Where the folder of the study is made, such as a cache.
    size_px, seed : int
        Side of the images, and what decides everything that is drawn.

    Returns
    -------
    pathlib.Path
        The folder of the study.
    """
    options = {"seed": seed, "size_px": size_px}
    return animals.write_animals(_name_folder(folder, "animals", options), **options)


def _name_folder(folder, kind, options):
    key = json.dumps([_storage.VERSION, options], sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return pathlib.Path(folder) / "phantoms" / f"{kind}-{digest}"
