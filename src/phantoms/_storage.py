"""Write phantoms to disk: all of a set or nothing of it."""

import itertools
import json
import os
import pathlib
import shutil
import tempfile
from concurrent import futures

import cv2
import pandas as pd
from tqdm import tqdm

# Raise it whenever a drawing changes: sets written before are then drawn anew.
VERSION = 1
CARD_NAME = "card.json"
JPEG_QUALITY = 92
MIN_SIZE_PX = 48


def check_size(size_px):
    """Refuse a size at which nothing could be recognised."""
    if int(size_px) != size_px or size_px < MIN_SIZE_PX:
        raise ValueError(
            f"`size_px` is too small, or not a whole number. Expected an integer of {MIN_SIZE_PX} "
            f"or more. Received: {size_px!r}"
        )


def is_complete(folder, card):
    """Tell whether `folder` holds this very set, so that nothing is left to draw.

    Raises
    ------
    FileExistsError
        If the folder holds anything else than phantoms drawn with these arguments.
    """
    folder = pathlib.Path(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("arguments") != card["arguments"]:
        raise FileExistsError(
            f"The folder {folder} is in use. Expected a new or empty folder, or one with phantoms "
            f"drawn with the same arguments: choose another folder or remove this one. Wanted: "
            f"{card['arguments']}. Found: {found.get('arguments') if found else 'no phantoms'}"
        )
    if found.get("version") != card["version"]:
        return False
    return all((folder / name).is_file() for name in found.get("files", ["missing"]))


def write_set(folder, card, jobs, draw_job, num_jobs, description):
    """Draw a set into a temporary folder beside `folder`, then move it into place.

    Parameters
    ----------
    folder : path-like
    card : dict
        `arguments` and `version`; the names of all files are added.
    jobs : list
        What to draw, one item an image.
    draw_job : callable
        ``draw_job(job, folder) -> dict``: writes the files of one image under `folder` and returns
        its row of the metadata, in which every column named `*path` is relative to the folder.
    num_jobs : int
        Threads to draw with.
    description : str
        Shown with the progress.

    Returns
    -------
    pathlib.Path
    """
    folder = pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        drawing = temporary / "new"
        drawing.mkdir()
        # OpenCV and most of NumPy let other threads run. After an error `map` cancels what has not
        # begun, and the pool waits for what has, so that nothing is written into a removed folder.
        with futures.ThreadPoolExecutor(max_workers=max(1, num_jobs)) as pool:
            drawn = pool.map(draw_job, jobs, itertools.repeat(drawing))
            rows = list(tqdm(drawn, description, total=len(jobs), leave=False))
        table = pd.DataFrame(rows).sort_values("image_id")
        table.to_csv(drawing / "metadata.csv", index=False, lineterminator="\n")
        files = [row[name] for row in rows for name in row if name.endswith("path") and row[name]]
        content = {**card, "files": ["metadata.csv", *sorted(files)]}
        (drawing / CARD_NAME).write_text(json.dumps(content, indent=1), encoding="utf-8")
        move_into_place(drawing, folder, temporary / "old", card)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def move_into_place(drawing, folder, aside, card):
    """Give the finished set its name; an older version of the same set steps aside for it."""
    try:
        os.replace(drawing, folder)
    except OSError:
        # Another process may have finished the same set meanwhile: then its copy is as good.
        if is_complete(folder, card):
            return
        os.replace(folder, aside)
        os.replace(drawing, folder)


def save_image(path, image, file_format):
    """Write an image as PNG or JPEG; a three-channel one is taken as RGB.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if file_format == "JPEG" else []
    done, encoded = cv2.imencode(".jpg" if file_format == "JPEG" else ".png", image, options)
    if not done:
        raise OSError(f"The image {path} could not be encoded as {file_format}.")
    path.write_bytes(encoded.tobytes())


def save_mask(folder, kind, image_id, mask):
    """Write a mask as a PNG of 0 and 255 and return its path relative to `folder`.

    An empty mask is not written; its path is the empty string, read back as missing.
    """
    if not mask.any():
        return ""
    path = folder / "masks" / kind / f"{image_id}.png"
    save_image(path, mask.astype("uint8") * 255, "PNG")
    return path.relative_to(folder).as_posix()
