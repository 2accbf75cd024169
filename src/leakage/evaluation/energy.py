"""How much of an explanation lies where it may: energy of a class activation map in a mask."""

import numpy as np
import pandas as pd

from leakcard import intervals


def measure_energy_in_mask(cams, masks) -> pd.DataFrame:
    """Share of each map's positive energy inside its mask (arXiv 1910.01279).

    Parameters
    ----------
    cams : array-like of shape (n_images, height, width), dtype=float
        Class activation maps as computed, not normalised. Negative values count as 0.
    masks : array-like of shape (n_images, height, width), dtype=bool
        True where evidence is legitimate: lungs, lesion, animal.

    Returns
    -------
    DataFrame
        One row an image, in the same order: `energy` in [0, 1], NaN without evidence; `area`,
        the mask's share of the image, in [0, 1]; `enrichment`, energy / area, 1 where the map
        ignores the mask, NaN without evidence or mask; `evidence`, False for an all-zero map.

    Raises
    ------
    ValueError
        If the shapes differ, a mask is not boolean or a map is not finite.
    """
    cams, masks = np.asarray(cams, dtype=float), np.asarray(masks)
    if cams.ndim != 3 or cams.shape != masks.shape or masks.dtype != bool:
        raise ValueError(
            "Each map needs a mask of its own size. Expected `cams` and `masks` of one shape "
            "(n_images, height, width), masks boolean (resize masks by nearest neighbour, "
            f"compare with `> 0`). Received: {cams.shape}, {masks.shape} of {masks.dtype}."
        )
    if not np.isfinite(cams).all():
        raise ValueError(
            "A map with missing values has no energy. Expected finite `cams` (do not divide an "
            "all-zero map by its maximum). "
            f"Received: {int((~np.isfinite(cams)).any(axis=(1, 2)).sum())} maps with others."
        )
    positive = np.clip(cams, 0, None)
    total = positive.sum(axis=(1, 2))
    area = masks.mean(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        energy = np.where(total > 0, (positive * masks).sum(axis=(1, 2)) / total, np.nan)
        enrichment = np.where(area > 0, energy / area, np.nan)
    return pd.DataFrame(
        {"energy": energy, "area": area, "enrichment": enrichment, "evidence": total > 0}
    )


def summarize_energy(
    frame: pd.DataFrame, by: str = "label", num_bootstrap: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean energy, area and enrichment of each group, with 95 % bootstrap intervals.

    Parameters
    ----------
    frame : DataFrame
        `measure_energy_in_mask` with the column `by`. Patients are resampled if it also has
        `patient_id`, else images.
    by : str, default="label"
    num_bootstrap, seed : int

    Returns
    -------
    DataFrame
        One row a group, sorted: `num_images`, `num_without_evidence`, and for `energy`, `area`
        and `enrichment` the mean over images with evidence, `*_lower` and `*_upper`. NaN where
        no image of the group has evidence.
    """
    missing = [name for name in (by, "energy", "area", "enrichment") if name not in frame]
    if missing:
        raise ValueError(
            "Energy is summarised from `measure_energy_in_mask` with a column to group by. "
            f"Expected also: {missing} (add it with `frame.assign`). "
            f"Received columns: {list(frame.columns)}."
        )
    names = ["energy", "area", "enrichment"]
    rows = []
    for value, part in frame.groupby(by, sort=True):
        shown = part[part["evidence"]]
        row = {by: value, "num_images": len(part), "num_without_evidence": len(part) - len(shown)}
        row |= dict.fromkeys([f"{n}{end}" for n in names for end in ("", "_lower", "_upper")])
        if len(shown):
            row |= _average(shown, names, num_bootstrap, seed)
        rows.append(row)
    summary = pd.DataFrame(rows)
    numeric = [name for name in summary if name.startswith(tuple(names))]
    return summary.astype(dict.fromkeys(numeric, float))


def _average(shown, names, num_bootstrap, seed) -> dict:
    values = shown[names].to_numpy(dtype=float)
    defined = np.isfinite(values)
    filled = np.where(defined, values, 0.0)

    def compute(weights):
        with np.errstate(invalid="ignore"):
            return (weights @ filled) / (weights @ defined.astype(float))

    groups = shown["patient_id"] if "patient_id" in shown else np.arange(len(shown))
    bounds = intervals.bootstrap_interval(compute, groups, num_bootstrap, seed)
    means = compute(np.ones((1, len(shown))))[0]
    row = {}
    for name, mean, lower, upper in zip(names, means, *bounds, strict=True):
        row |= {name: float(mean), f"{name}_lower": float(lower), f"{name}_upper": float(upper)}
    return row
