"""Treat whole tables: fit, load, write, and say what was changed."""

import dataclasses

import numpy as np
import pandas as pd
from tqdm import tqdm

from leakage.treatments import _compose, _load
from leakcard import images
from leakcard.symbols import MIN_SIDE_PX

# A change of half a gray value is rounding.
MIN_CHANGE = 0.5
MIN_CONTRAST = 16


def fit_treatment(name, table, donors=None):
    """Let a treatment learn from the training images, and from no others.

    Parameters
    ----------
    name : str
        As `split_name` takes it; steps before a fitted one are applied first, but donors keep
        their symbols: "inpaint+transplant" learns them from the images before painting.
    table : DataFrame
        Training rows, with `path`, `label` (and `mask_path` where needed).
    donors : str, optional
        Label whose images give their symbols, for "transplant" and "threshold transplant".

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        If a row is of another split than training (leak L1.2), or a transplant has no donors.
    """
    others = sorted(set(table.get("split", [])) - {"train"})
    if others or len(table) == 0:
        raise ValueError(
            "A treatment learns from training images only (leak L1.2). Expected rows of the split "
            f"'train'. Received: {len(table)} rows, splits {others or ['train']}."
        )
    check_masks(table, name)
    earlier, fitted = [], _compose.Fitted("none", {})
    for step in _compose.split_name(name):
        if step.fit:
            rows = table[table["label"] == donors] if step.needs_donors else table
            if rows.empty:
                raise ValueError(
                    "A transplant needs donors. Expected `donors`, a label of the training "
                    f"images: {sorted(set(table['label']))}. Received: donors={donors!r}."
                )
            # Symbols are taken from images that still have them; a cut moves their place.
            before = [one for one in earlier if one.find_box] if step.needs_donors else earlier
            rows_read = tqdm(rows.to_dict("records"), f"fit {step.name}", leave=False)
            pictures = (_load.load_whole(row, before, fitted) for row in rows_read)
            states = fitted.states | {step.name: step.fit(pictures, rows)}
            fitted = dataclasses.replace(fitted, states=states)
        earlier = [*earlier, step]
    return dataclasses.replace(fitted, name=name)


def load_treated_images(table, size_px, name):
    """Decode, treat and resize every image of a table.

    Parameters
    ----------
    table : DataFrame
    size_px : int
    name : str or Fitted

    Returns
    -------
    ndarray of shape (n_images, size_px, size_px, 3), dtype=float32, in [0, 255]
    """
    check_masks(table, name)
    rows = tqdm(table.to_dict("records"), f"load images, {_compose.get_name(name)}", leave=False)
    return np.stack([_load.load_treated_image(row, size_px, name) for row in rows])


def report_changes(table, treatment):
    """Say which images a treatment changes, how much, and why not the others.

    Parameters
    ----------
    table : DataFrame
        Rows with `image_id`, `label`, `path`; `mask_path` and `symbol_mask_path` are used where
        they are.
    treatment : str or Fitted
        Of the whole image: what is applied at the network's size changes every image.

    Returns
    -------
    DataFrame
        One row an image: `image_id`, `label`, `changed`, `share_changed` of its pixels (of what
        is cut, the share that is gone), `share_lungs_changed` (NaN without a mask),
        `share_symbols_changed` (NaN without a true mask of symbols) and `note`.
    """
    check_masks(table, treatment)
    rows = tqdm(table.to_dict("records"), f"compare, {_compose.get_name(treatment)}", leave=False)
    return pd.DataFrame([_compare(row, treatment) for row in rows])


def write_treated_images(table, folder, size_px, treatment):
    """Write treated copies of images, and of their masks, as PNG.

    Parameters
    ----------
    table : DataFrame
        Rows of the table contract.
    folder : str or Path
        Made if it is not there; files are named by their content, so others may use it too.
        Pictures of patients: keep it out of results.
    size_px : int
        Side of the copies.
    treatment : str or Fitted

    Returns
    -------
    DataFrame
        The rows with `path`, `mask_path` (where there was one; a cut moves it along), sizes and
        `sha256` of the copies; `lesion_mask_path` and `symbol_mask_path` are left out, since they
        no longer fit.
    """
    check_masks(table, treatment)
    written = []
    for row in tqdm(table.to_dict("records"), f"write {_compose.get_name(treatment)}", leave=False):
        has_mask = isinstance(row.get("mask_path"), str)
        image, mask = _load.load_treated_pair(row, size_px, treatment, has_mask)
        path = images.write_by_content(folder, np.rint(image).astype(np.uint8))
        row |= {"path": str(path), "lesion_mask_path": np.nan, "symbol_mask_path": np.nan}
        row |= images.inspect_image(path)
        if has_mask:
            own_mask = images.write_by_content(folder, mask.astype(np.uint8) * 255)
            row["mask_path"] = str(own_mask)
        written.append(row)
    return pd.DataFrame(written, index=table.index, columns=table.columns)


def check_masks(table, treatment):
    """Refuse a treatment by masks where some images have none: it would mark those that have.

    Raises
    ------
    ValueError
        With the numbers of each class.
    """
    if not _compose.needs_mask(treatment) or table["mask_path"].notna().all():
        return
    counts = table["mask_path"].notna().groupby(table["label"]).agg(["sum", "size"])
    found = ", ".join(f"{label} {n_with} of {n}" for label, n_with, n in counts.itertuples())
    raise ValueError(
        f"Treatment {_compose.get_name(treatment)!r} needs a mask for every image: masks for some "
        "classes and none for others would be a new shortcut. Expected `mask_path` in each row, "
        "or a box version such as 'centre box only', or 'crop'. "
        f"Received masks for: {found} images."
    )


def _compare(row, treatment):
    steps = [step for step in _compose.split_name(treatment) if step.at_full_size]
    before = _load.load_whole(row, [], "none")
    after = _load.load_whole(row, steps, treatment)
    found = {"image_id": row["image_id"], "label": row["label"]}
    if after.shape != before.shape:
        gone = 1 - after[..., 0].size / before[..., 0].size
        unknown = {"share_lungs_changed": np.nan, "share_symbols_changed": np.nan}
        return found | {"changed": True, "share_changed": gone} | unknown | {"note": ""}
    changed = np.abs(after - before).max(axis=2) > MIN_CHANGE
    shares = {"share_changed": float(changed.mean())}
    for name, column in (("lungs", "mask_path"), ("symbols", "symbol_mask_path")):
        inside = None
        if isinstance(row.get(column), str):
            stored = _load.read_mask(row[column], row["path"], before.shape[:2])
            inside = _load.shrink(before, stored)[1]
        known = inside is not None and inside.any()
        shares[f"share_{name}_changed"] = float(changed[inside].mean()) if known else np.nan
    note = "" if changed.any() else _explain(before)
    return found | {"changed": bool(changed.any())} | shares | {"note": note}


def _explain(image):
    if min(image.shape[:2]) < MIN_SIDE_PX:
        return f"smaller than {MIN_SIDE_PX} pixels"
    if image.max() - image.min() < MIN_CONTRAST:
        return "flat: all pixels are about equal"
    return "nothing was found to change"
