"""A contact sheet of the phantoms, with their true masks outlined."""

from phantoms import animals, chest, plan

MASK_COLOURS = {"lungs": "#4fc3f7", "lesion": "#ff5252", "symbols": "#ffd54f", "animal": "#ff4081"}
CHEST_ROWS = (
    ("Child\nnormal", {"label": "normal", "findings": "No Finding"}, "child", "B"),
    ("Child\npneumonia", {"label": "pneumonia", "findings": "bacteria"}, "child", "B"),
    ("Adult\nnormal", {"label": "normal", "findings": "No Finding"}, "adult", "C"),
    ("Adult\nCOVID-19", {"label": "covid", "findings": "COVID-19"}, "adult", "A"),
)
ANIMAL_ROWS = (
    ("Training\nbackgrounds", (("wolf", "snow"), ("husky", "grass"))),
    ("Swapped\nbackgrounds", (("wolf", "grass"), ("husky", "snow"))),
    ("White\nbackgrounds", (("wolf", "white"), ("husky", "white"))),
)


def draw_sheet(*, seed=20, num_columns=6, size_px=224):
    """Draw examples of every kind of phantom, half of them with their true masks outlined.

    Parameters
    ----------
    seed : int
        The same seed shows the same examples.
    num_columns : int
        Images a row, an even number.
    size_px : int
        Longer side of each image.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot, so that nothing is shown or kept open: use its `savefig`.

    Raises
    ------
    ValueError
        If `num_columns` is not an even number of 2 or more.
    """
    if num_columns < 2 or num_columns % 2:
        raise ValueError(
            "`num_columns` must be an even number of 2 or more, for half of the columns show the "
            f"masks. Received: {num_columns!r}"
        )
    from matplotlib import figure, patches  # comes with the study; drawing needs none

    num_rows = len(CHEST_ROWS) + len(ANIMAL_ROWS)
    # Chest images are wider than high, animals square with a line of text above.
    heights = [0.92] * len(CHEST_ROWS) + [1.12] * len(ANIMAL_ROWS)
    sheet = figure.Figure(figsize=(1.45 * num_columns + 0.9, 1.45 * sum(heights) + 0.8))
    ratios = {"height_ratios": heights}
    axes = sheet.subplots(num_rows, num_columns, squeeze=False, gridspec_kw=ratios)
    for row_axes, (title, label, age_group, hospital) in zip(axes, CHEST_ROWS, strict=False):
        rows = pick_rows(label, age_group, hospital, seed, num_columns)
        for index, (ax, row) in enumerate(zip(row_axes, rows, strict=True)):
            image, masks = chest.draw_chest(row, size_px)
            show(ax, image, masks if index >= num_columns // 2 else {})
        row_axes[0].set_ylabel(title, fontsize=9)
    for number, (title, pairs) in enumerate(ANIMAL_ROWS):
        row_axes = axes[len(CHEST_ROWS) + number]
        for index, ax in enumerate(row_axes):
            species, background = pairs[index % 2]
            draw_seed = 100 * seed + num_columns * number + index
            row = {"label": species, "background": background, "draw_seed": draw_seed}
            image, mask = animals.draw_animal(row, size_px)
            show(ax, image, {"animal": mask} if index >= num_columns // 2 else {})
            ax.set_title(f"{species}, {background}", fontsize=7, pad=2)
        row_axes[0].set_ylabel(title, fontsize=9)
    handles = [patches.Patch(color=colour, label=name) for name, colour in MASK_COLOURS.items()]
    sheet.legend(handles=handles, loc="lower center", ncols=4, fontsize=8, frameon=False)
    sheet.suptitle("Phantoms drawn by this project; right half: true masks", fontsize=11)
    sheet.subplots_adjust(left=0.09, right=0.99, top=0.945, bottom=0.035, wspace=0.03, hspace=0.10)
    return sheet


def pick_rows(label, age_group, hospital, seed, number):
    """Plan a few images and give them one label, age group and hospital."""
    table = plan.plan_chest({"normal": number}, seed=seed)
    fixed = {**label, "age_group": age_group, "hospital": hospital}
    rows = table.assign(**fixed).to_dict("records")
    return [{**row, "view": "PA" if index % 2 else "AP"} for index, row in enumerate(rows)]


def show(ax, image, masks):
    """Show an image without ticks, with the outline of each mask that is not empty."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    for name, mask in masks.items():
        if mask.any():
            ax.contour(mask, levels=[0.5], colors=[MASK_COLOURS[name]], linewidths=0.8)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
