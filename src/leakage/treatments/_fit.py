"""Treatments that learn from the training images, and from no others."""

from tqdm import tqdm

from leakage.treatments import _apply, _names, _tables


def fit_treatment(name, table, donors=None):
    """Let a treatment learn from the training images, and from no others.

    Parameters
    ----------
    name : str
        As `split_name` takes it; steps before a fitted one are applied first, but donors keep
        their symbols: "inpaint+transplant" learns them from the images before painting.
    table : DataFrame
        Training rows, with `path`, `sha256`, `label` (and `mask_path` where needed).
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
    _tables.check_masks(table, name)
    steps, states = _names.split_name(name), {}
    for number, step in enumerate(steps):
        if step.fit:
            rows = _choose_rows(step, table, donors)
            before = _names.Fitted(name, dict(states), "", ())
            earlier = steps[:number]
            if step.needs_donors:
                # Symbols are taken from images that still have them; a cut moves their place.
                earlier = [one for one in earlier if one.find_box]
            pictures = (
                _apply.load_whole(row, earlier, before)[0] for row in rows.to_dict("records")
            )
            pictures = tqdm(pictures, f"fit {step.name}", total=len(rows), leave=False)
            states[step.name] = step.fit(pictures, rows)
    return _names.make_fitted(name, states, sorted(set(table["sha256"])))


def _choose_rows(step, table, donors):
    if not step.needs_donors:
        return table
    rows = table[table["label"] == donors]
    if rows.empty:
        raise ValueError(
            "A transplant needs donors. Expected `donors`, a label of the training images: "
            f"{sorted(set(table['label']))}. Received: donors={donors!r}."
        )
    return rows
