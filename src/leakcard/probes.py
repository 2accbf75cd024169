"""Counterfactual versions of test images for a user's own model to score, with a manifest.

What its answers say is the business of `model_card`. No model is loaded.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from leakcard import card as cards
from leakcard import facts, files, images, symbols, versions
from leakcard import table as image_table
from leakcard.copies import search

MANIFEST, NOTES, FOLDER = "manifest.csv", "probes.json", "images"
MANIFEST_COLUMNS = ["image", "version", "original", "label", "unit", "donor", "donor_label"]
MANIFEST_COLUMNS += ["share_changed"]
MAX_IMAGES = 500
LONGEST_SIDE_PX = 1024
OWN, OTHER = "own_class", "other_class"


@dataclass
class Probes:
    """What was written.

    Attributes
    ----------
    folder : Path
    manifest : DataFrame
        `MANIFEST_COLUMNS`, a row a probe: `image` (its name in `images/`), what version of which
        `original` it is, the true `label`, the independent `unit`; of transplants the `donor` and
        its label; and which share of the pixels is another than in the original.
    notes : list of str
        What was not probed, and what was found on the way.
    """

    folder: Path
    manifest: pd.DataFrame
    notes: list


def select_test(table, pattern=None):
    """Return the test images of a table, once each, and notes on those that cannot be probed.

    Raises
    ------
    ValueError
        If there are none.
    """
    table = image_table.complete_table(table, pattern)
    test = table[table["split"] == "test"]
    notes = list(table.attrs.get("notes", []))
    if test.empty:
        present = ", ".join(map(str, table["split"].dropna().unique()))
        raise ValueError(
            "There is nothing to probe. Expected test images: a folder named test, or `test` in "
            f"the column split. Received: {f'the splits {present}' if present else 'no split'}"
        )
    told = [
        ("no label", test["label"].isna()),
        ("two labels", test.groupby("image_id")["label"].transform("nunique") > 1),
        ("no path", test["path"].isna()),
    ]
    for what, bad in told:
        if bad.any():
            notes.append(f"Not probed: {test.loc[bad, 'image_id'].nunique()} with {what}.")
    bad = np.logical_or.reduce([bad for _, bad in told])
    test = test[~bad].drop_duplicates("image_id").sort_values("image_id", ignore_index=True)
    test.attrs = {}
    return test.astype({"image_id": str, "label": str}), notes


def write_probes(
    table,
    folder,
    *,
    pattern=None,
    group=None,
    copies=None,
    max_images=MAX_IMAGES,
    longest_side_px=LONGEST_SIDE_PX,
    seed=0,
    cache_dir=None,
):
    """Write every version of the test images, and a manifest of them.

    Parameters
    ----------
    table : DataFrame
        As from `leakcard.read_images`; `mask_path` where the subject is known.
    folder : str or Path
        New: probes that a model has scored are not written over.
    pattern, group, copies
        As for `leakcard.audit`: they say which images are not independent.
    cache_dir : str or Path, optional
        As for `leakcard.audit`.
    max_images : int
        Of more test images so many are drawn.
    longest_side_px : int
        Larger images are made smaller, all versions alike.
    seed : int
        Draws images and donors.

    Returns
    -------
    Probes

    Raises
    ------
    ValueError
        If there are no test images that can be read, or the folder has probes or cannot be
        written to.
    """
    folder = Path(folder)
    if (folder / MANIFEST).exists():
        raise ValueError(
            "The folder has probes, which a model may have scored. Expected --predictions with its "
            f"answers, or another folder. Received: {folder}"
        )
    for name, value in (("images", max_images), ("side", longest_side_px)):
        if value < 1:
            raise ValueError(f"--max-{name} must be 1 or more. Received: {value}")
    group = image_table.find_column(table, group)
    test, notes = select_test(table, pattern)
    files.check_writable(folder)
    rng = np.random.default_rng([seed])
    if len(test) > max_images:
        chosen = np.sort(rng.permutation(len(test))[:max_images])
        notes.append(f"{max_images} of {len(test)} test images were drawn (--max-images).")
        test = test.iloc[chosen].reset_index(drop=True)
    test = facts.describe_files(test, cache_dir)
    notes += [
        f"Not probed, cannot be read: {one['image_id']}: {cards.hide_path(one)}"
        for one in test.attrs["unreadable"]
    ]
    test.attrs = {}
    if test.empty:
        raise ValueError(
            "No test image can be read. Expected image files. Received: " + " ".join(notes[-3:])
        )
    columns = ("patient_id", "sha256", *([] if group is None else [group]))
    pairs = search.find_duplicates(test, search=copies, cache_dir=cache_dir)
    notes += pairs.attrs.get("notes", [])
    test["unit"] = image_table.join_units(test, pairs, columns)
    test["mask_path"] = test["mask_path"].where(_check_masks(test, notes))
    _draw_donors(test, rng, notes)
    manifest = _write_images(test, folder, longest_side_px)
    _count_marks(manifest, notes)
    files.write_json(folder / NOTES, {"notes": notes})
    files.write_csv(folder / MANIFEST, manifest)  # last: what has one is whole
    return Probes(folder, manifest, notes)


def _check_masks(test, notes):
    """Whether each image has a mask that can be read and has an inside and an outside."""
    good = np.zeros(len(test), dtype=bool)
    for number, path in enumerate(tqdm(test["mask_path"], "check masks", leave=False)):
        try:
            good[number] = isinstance(path, str) and 0 < _read_mask(path).mean() < 1
        except (OSError, ValueError):
            pass
    if test["mask_path"].isna().all():
        notes.append("Not probed: subject and background; no masks are given (column mask_path).")
    elif not good.all():
        notes.append(
            f"Not probed: subject and background of {(~good).sum()} of {len(good)} images, which "
            "have no mask that can be read and has an inside and an outside; the first: "
            f"{test.loc[~good, 'image_id'].iloc[0]}."
        )
    return good


def _read_mask(path):
    return images.decode_image(path)[..., 0] >= 128


def _draw_donors(test, rng, notes):
    """Add to each image one of its own class and one of another (each as likely), of other units.

    An image that has a mask gets donors that have one, where there are any.
    """
    by_label = {label: rows.index.to_numpy() for label, rows in test.groupby("label")}
    units, masked = test["unit"].to_numpy(), test["mask_path"].notna().to_numpy()
    donors = {OWN: [], OTHER: []}
    for row, label in enumerate(test["label"]):
        others = [name for name in by_label if name != label]
        wanted = {OWN: label, OTHER: rng.choice(others) if others else None}
        for kind, name in wanted.items():
            there = by_label.get(name, np.array([], dtype=int))
            there = there[units[there] != units[row]]
            better = there[masked[there]] if masked[row] else there
            there = better if len(better) else there
            donors[kind].append(int(rng.choice(there)) if len(there) else -1)
    for kind, found in donors.items():
        test[kind] = found
        lacking = sum(number < 0 for number in found)
        if lacking:
            whose = "their own class" if kind == OWN else "another class"
            notes.append(f"Not probed: parts of {whose} in {lacking} of {len(test)} images; there "
                         "is no such image of another unit.")  # fmt: skip


def _write_images(test, folder, longest_side_px):
    paths, masks = test["path"].tolist(), test["mask_path"].tolist()
    labels, names = test["label"].tolist(), test["image_id"].tolist()

    def read(row):
        image = images.decode_image(paths[row])
        share = min(1, longest_side_px / max(image.shape))
        width, height = (max(1, round(side * share)) for side in image.shape[1::-1])
        if share < 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        mask = None
        if isinstance(masks[row], str):
            mask = _read_mask(masks[row]).astype(np.float32)
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
        return image, mask

    def write(row):
        donors = {kind: int(test[kind].iloc[row]) for kind in (OWN, OTHER)}
        given = {kind: read(donor) for kind, donor in donors.items() if donor >= 0}
        image, mask = read(row)
        found = []
        for version, pixels in versions.make_versions(image, mask, given).items():
            name = f"{row:05d}_{version}.png"
            with files.open_atomic(folder / FOLDER / name, "wb") as stream:
                stream.write(encode(pixels))
            donor = next((donors[kind] for kind in donors if version.endswith(kind)), None)
            of = (None, None) if donor is None else (names[donor], labels[donor])
            red, green, blue = np.moveaxis(pixels != image, 2, 0)  # faster than any(axis=2)
            changed = float((red | green | blue).mean())
            unit = int(test["unit"].iloc[row])
            found.append((name, version, names[row], labels[row], unit, *of, changed))
        return found

    rows = images.map_threads(write, range(len(test)), "write probes")
    return pd.DataFrame([one for some in rows for one in some], columns=MANIFEST_COLUMNS)


def encode(pixels):
    """Return an image as the bytes of a PNG file: gray where it is, else RGB."""
    ordered = pixels[..., 0] if symbols.is_gray(pixels) else pixels[..., ::-1]
    return cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 2])[1].tobytes()


def _count_marks(manifest, notes):
    painted = manifest[manifest["version"] == "marks_painted_out"]
    found = painted["share_changed"].gt(0).groupby(painted["label"])
    numbers = zip(found.sum(), found.size(), found.groups, strict=True)
    told = ", ".join(f"{some} of {every} {label}" for some, every, label in numbers)
    notes.append(
        f"Small bright marks were found in {told}. Dark, faint and large marks, and those that "
        "touch the edge, are not seen; wires, clips and other small bright things are."
    )


def read_probes(folder, table, pattern=None, group=None):
    """Read the manifest of probes, and see that they are of this table.

    Raises
    ------
    ValueError
        If there is none, or an image of it is no test image of the table or has another label.
    """
    folder = Path(folder)
    try:
        columns = dict.fromkeys(MANIFEST_COLUMNS[:7], str)
        empty = {"donor": [""], "donor_label": [""]}  # a class may be called "NA"
        manifest = pd.read_csv(
            folder / MANIFEST, dtype=columns, keep_default_na=False, na_values=empty
        )
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))["notes"]
        manifest = manifest[MANIFEST_COLUMNS].astype({"unit": int})
    except FileNotFoundError as error:
        raise ValueError(
            "There are no probes to which the predictions could belong. Expected --out with the "
            "folder that `leakcard probes DATA --out DIR` wrote, without --predictions first. "
            f"Received: {folder}"
        ) from error
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"The manifest cannot be read. Expected {MANIFEST} and {NOTES} as `leakcard probes` "
            f"wrote them. Received: {folder} ({error})"
        ) from error
    image_table.find_column(table, group)
    test, _ = select_test(table, pattern)
    known = dict(zip(test["image_id"], test["label"], strict=True))
    wrong = manifest.loc[manifest["original"].map(known) != manifest["label"], "original"]
    if len(wrong):
        raise ValueError(
            f"The probes are of other images: {wrong.nunique()} are no test images here, or have "
            "another label. Expected the images that they were made from. Received: "
            f"{wrong.iloc[0]}"
        )
    return Probes(folder, manifest, notes)
