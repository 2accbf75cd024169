"""Draw chest radiographs of which every pixel's truth is known, and write sets of them."""

import functools
import pathlib

import numpy as np

from phantoms import _anatomy, _attenuation, _draw, _exposure, _lesions, _storage, plan

# Enough patients for the published draw: 260 COVID-19, 300 normal and 300 pneumonia, one image of
# each COVID-19 patient.
NUM_IMAGES = {"covid": 280, "normal": 450, "pneumonia": 450}


def draw_chest(row, size_px=224):
    """Draw one chest radiograph and its true masks.

    Parameters
    ----------
    row : mapping
        One row of `plan_chest`, such as an item of ``table.to_dict("records")``. Two rows that
        differ only in `label`, `findings` and identifiers give the same image outside the lesion.
    size_px : int
        Longer side of the image, 48 or more.

    Returns
    -------
    image : ndarray of shape (height, width), dtype=uint8, in [0, 255]
        Longer side `size_px`; the shape follows the hospital.
    masks : dict of str to ndarray of shape (height, width), dtype=bool
        `lungs` (as far as they are seen beside heart and diaphragm), `lesion`, `symbols`.
        `lesion` is empty for a normal image and at a `lesion_visibility` of 0.

    Raises
    ------
    ValueError
        If `size_px` is under 48.
    """
    _storage.check_size(size_px)
    patient_rng = np.random.default_rng([int(row["patient_seed"]), 1])
    image_rng = np.random.default_rng([int(row["draw_seed"]), 1])
    body = _anatomy.draw_body(row, patient_rng)
    pose = _draw.make_pose(
        image_rng.normal(0.0, 1.6), image_rng.normal(1.0, 0.025), image_rng.normal(0.0, 0.025, 2)
    )

    lungs, heart = _attenuation.draw_organs(body, pose, size_px)
    visible = lungs * (1.0 - heart)
    visibility = float(row["lesion_visibility"])
    lesion = np.zeros_like(visible)
    if visibility > 0:
        position = _attenuation.measure_position(body, pose, size_px)
        lesion = visibility * _lesions.draw_lesion(
            row,
            visible,
            position,
            np.random.default_rng([int(row["patient_seed"]), 2]),
            np.random.default_rng([int(row["draw_seed"]), 2]),
            size_px,
        )
    attenuation = _attenuation.attenuate(body, pose, lungs, heart, lesion, patient_rng, size_px)
    image, symbols, crop = _exposure.develop(attenuation, row, image_rng, size_px)

    in_lungs = visible > 0.5
    masks = {
        "lungs": in_lungs,
        "lesion": in_lungs & (lesion > _lesions.MASK_THRESHOLD * max(float(lesion.max()), 1e-6)),
        "symbols": symbols > 0.3,
    }
    return image[crop], {name: mask[crop] for name, mask in masks.items()}


def write_chest(
    folder,
    *,
    num_images=None,
    seed=20,
    confounding=1.0,
    controls="children",
    lesion_visibility=1.0,
    size_px=224,
    num_jobs=2,
):
    """Write a set of chest phantoms: images, true masks and a table of metadata.

    The folder holds `images/`, `masks/{lungs,lesion,symbols}/`, `metadata.csv` and `card.json`;
    ``data.phantoms.read_table(folder)`` reads it. File names say nothing about their label. The
    set is drawn beside the folder and moved there when it is whole, and not drawn again if it is
    there already.

    Parameters
    ----------
    folder : path-like
        New, empty, or a set written before with the same arguments.
    num_images : dict of str to int, optional
        Images for each label, 280 / 450 / 450 of covid, normal and pneumonia by default.
    seed : int
        Decides every pixel, together with the other arguments.
    confounding, controls, lesion_visibility
        As for `plan_chest`.
    size_px : int
        Longer side of the images, 48 or more.
    num_jobs : int
        Threads to draw with.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        If an argument is out of range.
    FileExistsError
        If the folder holds anything else.
    """
    folder = pathlib.Path(folder)
    num_images = dict(NUM_IMAGES if num_images is None else num_images)
    _storage.check_size(size_px)
    options = {
        "seed": int(seed),
        "confounding": float(confounding),
        "controls": controls,
        "lesion_visibility": float(lesion_visibility),
    }
    table = plan.plan_chest(num_images, **options)
    counts = {label: int(number) for label, number in sorted(num_images.items())}
    arguments = {"kind": "chest", "num_images": counts, **options, "size_px": int(size_px)}
    card = {"arguments": arguments, "version": _storage.VERSION}
    if _storage.is_complete(folder, card):
        return folder
    draw_row = functools.partial(write_row, size_px=size_px)
    rows = table.to_dict("records")
    return _storage.write_set(folder, card, rows, draw_row, num_jobs, "draw chest phantoms")


def write_row(row, folder, size_px):
    """Draw one row of the plan into a folder; return the row with the paths of its files."""
    image, masks = draw_chest(row, size_px)
    name = row["image_id"]
    path = folder / "images" / f"{name}.{'png' if row['file_format'] == 'PNG' else 'jpeg'}"
    _storage.save_image(path, image, row["file_format"])
    return {
        **row,
        "path": path.relative_to(folder).as_posix(),
        "mask_path": _storage.save_mask(folder, "lungs", name, masks["lungs"]),
        "lesion_mask_path": _storage.save_mask(folder, "lesion", name, masks["lesion"]),
        "symbol_mask_path": _storage.save_mask(folder, "symbols", name, masks["symbols"]),
    }
