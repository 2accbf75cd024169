"""Draw wolves and huskies on snow, grass or white, and write the wolf/husky set of phantoms."""

import functools
import pathlib

import numpy as np
import pandas as pd

from phantoms import _animal_shapes, _coats, _draw, _scenery, _storage

BACKGROUNDS = ("snow", "grass", "white")
# The layout and the counts of the set that the ancestor published (shaivimalik/
# covid_illegitimate_features): folder, split, images of each species, background of each species.
SETS = (
    ("different_backgrounds/train", "train", 40, {"wolf": "snow", "husky": "grass"}),
    ("different_backgrounds/test", "test", 10, {"wolf": "snow", "husky": "grass"}),
    ("same_backgrounds/train", "train", 40, {"wolf": "white", "husky": "white"}),
    ("same_backgrounds/test", "test", 10, {"wolf": "white", "husky": "white"}),
    ("background_swap", "test", 20, {"wolf": "grass", "husky": "snow"}),
)


def plan_animals(*, seed):
    """List the animals of a set: which species on which background, in which folder.

    Parameters
    ----------
    seed : int

    Returns
    -------
    DataFrame
        One row an image: `image_id, label, background, set, split, draw_seed`.
    """
    rng = np.random.default_rng([seed, 7])
    rows = [
        {
            "image_id": f"{folder}/{label}/{label}_{number}",
            "label": label,
            "background": backgrounds[label],
            "set": folder.split("/")[0],
            "split": split,
            "draw_seed": int(rng.integers(2**31)),
        }
        for folder, split, num_images, backgrounds in SETS
        for label in ("wolf", "husky")
        for number in range(num_images)
    ]
    return pd.DataFrame(rows)


def draw_animal(row, size_px=256):
    """Draw one wolf or husky and its true mask.

    Parameters
    ----------
    row : mapping
        `label` ("wolf" or "husky"), `background` ("snow", "grass" or "white"), `draw_seed` (int).
        The background of a seed is the same whichever animal stands on it.
    size_px : int
        Side of the image.

    Returns
    -------
    image : ndarray of shape (size_px, size_px, 3), dtype=uint8, RGB in [0, 255]
    mask : ndarray of shape (size_px, size_px), dtype=bool
        True where the animal is seen.

    Raises
    ------
    ValueError
        If the label or the background is unknown.
    """
    _storage.check_size(size_px)
    species, background = row["label"], row["background"]
    for name, value, known in (
        ("label", species, tuple(_animal_shapes.SHAPES)),
        ("background", background, BACKGROUNDS),
    ):
        if value not in known:
            raise ValueError(f"`{name}` is unknown. Expected one of {known}. Received: {value!r}")
    scene_rng = np.random.default_rng([int(row["draw_seed"]), 1])
    rng = np.random.default_rng([int(row["draw_seed"]), 2])

    picture = _scenery.draw_background(background, scene_rng, size_px)
    parts, pose, foot = stand_animal(species, rng)
    parts = [(name, [_draw.place_points(c, pose) for c in curves]) for name, curves in parts]
    cast_shadow(picture, foot, pose, background, size_px)
    colours, mask = _coats.paint_animal(parts, species, pose, rng, size_px)
    _scenery.paint(picture, mask, colours)
    mask = cover_paws(picture, mask, foot, background, scene_rng, size_px)

    light = scene_rng.uniform(0.88, 1.06) if background != "white" else 1.0
    tint = 1.0 + scene_rng.normal(0.0, 0.02, 3) * (background != "white")
    picture = picture * (light * tint).astype(np.float32)
    if background != "white":
        picture += 0.012 * scene_rng.standard_normal(picture.shape, np.float32)
    image = np.clip(np.round(picture * 255.0), 0, 255).astype(np.uint8)
    return image, mask > 0.5


def stand_animal(species, rng):
    """Choose view, size and place; return parts, pose and the height of the ground under it."""
    if rng.random() < 0.6:
        parts, scale = _animal_shapes.build_side(species, rng), rng.uniform(0.75, 1.25)
        foot = min(0.92, rng.uniform(0.45, 0.85))
        shift = np.array([rng.uniform(-0.18, 0.18), foot - 0.55 * scale])
    else:
        parts = _animal_shapes.build_front(species, rng)
        portrait = rng.random() < 0.45
        scale = rng.uniform(1.7, 2.3) if portrait else rng.uniform(0.9, 1.35)
        foot = 0.55 * scale + rng.uniform(0.55, 0.75) if portrait else rng.uniform(0.6, 0.9)
        shift = np.array([rng.uniform(-0.2, 0.2), foot - 0.55 * scale])
    flip = rng.choice([-1.0, 1.0])
    pose = _draw.make_pose(rng.normal(0.0, 2.0), scale, shift)
    pose[:, 0] *= flip
    return parts, pose, foot


def cast_shadow(picture, foot, pose, background, size_px):
    """Darken the ground under the animal, in place."""
    scale = abs(pose[0, 0])
    centre = (pose[0, 2], min(foot, 1.1))
    shadow = _draw.fill_curves([_draw.make_ellipse(centre, (0.5 * scale, 0.07 * scale))], size_px)
    strength = {"snow": 0.45, "grass": 0.5, "white": 0.10}[background]
    colour = {"snow": (0.42, 0.50, 0.64), "grass": (0.05, 0.10, 0.03), "white": (0.5,) * 3}
    _scenery.paint(picture, strength * _draw.blur(shadow, 0.07, size_px), colour[background])


def cover_paws(picture, mask, foot, background, rng, size_px):
    """Let the paws sink into snow or grass, in place; return what is left of the mask."""
    if background == "white" or foot > 1.05:
        return mask
    line = (np.arange(size_px, dtype=np.float32) + 0.5) * 2.0 / size_px - 1.0
    line = np.broadcast_to(line[:, None], (size_px, size_px))
    if background == "snow":
        edge = foot - 0.015 + 0.012 * _draw.make_noise(rng, size_px, (2, 16), 2)
        layer = np.clip((line - edge) * size_px / 4.0, 0.0, 1.0)
        layer *= np.clip((foot + 0.12 - line) * 8.0, 0.0, 1.0) * np.clip(mask * 2, 0, 1)
        _scenery.paint(picture, layer, (0.91, 0.93, 0.97))
    else:
        near = np.clip((line - foot + 0.35) / 1.0, 0.0, 0.6) * (line > foot - 0.02)
        before = picture.copy()
        layer = _scenery.add_blades(picture, near, rng, size_px, 700, lowest=foot - 0.02)
        layer = np.clip(layer * 1.4, 0.0, 1.0) * (np.abs(picture - before).sum(2) > 0)
    return mask * (1.0 - layer)


def write_animals(folder, *, seed=20, size_px=256, num_jobs=2):
    """Write the wolf/husky set of phantoms in the layout and with the counts of the real one.

    `different_backgrounds/{train,test}` (40 + 40 and 10 + 10, wolves on snow and huskies on grass),
    `same_backgrounds/{train,test}` (as many, on white), `background_swap` (20 + 20, wolves on grass
    and huskies on snow), each with a folder a species; `masks/` in the same layout, `metadata.csv`
    and `card.json`. ``data.phantoms.read_table(folder)`` reads it.

    Parameters
    ----------
    folder : path-like
        New, empty, or a set written before with the same arguments.
    seed : int
    size_px : int
        Side of the images, 48 or more.
    num_jobs : int
        Threads to draw with.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        If `size_px` is under 48.
    FileExistsError
        If the folder holds anything else.
    """
    _storage.check_size(size_px)
    folder = pathlib.Path(folder)
    arguments = {"kind": "animals", "seed": int(seed), "size_px": int(size_px)}
    card = {"arguments": arguments, "version": _storage.VERSION}
    if _storage.is_complete(folder, card):
        return folder
    rows = plan_animals(seed=seed).to_dict("records")
    draw_row = functools.partial(write_row, size_px=size_px)
    return _storage.write_set(folder, card, rows, draw_row, num_jobs, "draw animal phantoms")


def write_row(row, folder, size_px):
    """Draw one row of the plan into a folder; return the row with the paths of its files."""
    image, mask = draw_animal(row, size_px)
    path = folder / f"{row['image_id']}.jpeg"
    _storage.save_image(path, image, "JPEG")
    mask_path = _storage.save_mask(folder, "animal", row["image_id"], mask)
    return {**row, "path": path.relative_to(folder).as_posix(), "mask_path": mask_path}
