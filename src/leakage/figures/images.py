"""Grids of images and of class activation maps laid over them."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cm, colors

from leakage.figures import style

CAM_COLORS = "inferno"  # brightness rises with the value, in gray print too
CAM_ALPHA = 0.55
CELL_CHARACTERS = 11  # of 10-point title that fit into an inch


def draw_image_grid(images, titles=None, num_columns: int = 4, suptitle: str = ""):
    """Draw images in a grid.

    Parameters
    ----------
    images : sequence of array-like, each (height, width) or (height, width, 3)
        In [0, 255], of any sizes.
    titles : sequence of str, optional
    num_columns : int
    suptitle : str

    Returns
    -------
    Figure
        Made with pyplot, so a notebook shows it once: assign it, do not end the cell with it.
    """
    images = [_prepare_image(image) for image in images]
    titles = [""] * len(images) if titles is None else list(titles)
    _check_lengths(images=images, titles=titles)
    num_columns = min(num_columns, len(images))
    figure, axes = _make_grid(len(images), num_columns, titles)
    width = int(CELL_CHARACTERS * style.WIDTH_INCHES / num_columns)
    for ax, image, title in zip(axes, images, titles, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)
        ax.set_title(style.wrap_text(title, width), fontsize=10)
    _set_suptitle(figure, suptitle)
    return figure


def draw_cam_grid(
    images, cams, titles, explained_classes, masks=None, suptitle: str = "", scale: str = "common"
):
    """Draw each image beside its class activation map, two pairs a row, with one colour bar.

    Parameters
    ----------
    images : sequence of array-like, each (height, width) or (height, width, 3), in [0, 255]
    cams : sequence of array-like, each (rows, columns), dtype=float
        As computed, not normalised, of any resolution. Negative values count as 0. An all-zero
        map is written out as "no evidence", never drawn.
    titles : sequence of str
        True and predicted class of each image.
    explained_classes : sequence of str
        The class each map explains.
    masks : sequence of array-like, each (height, width), dtype=bool, optional
        Drawn as an outline: lungs, lesion, animal.
    suptitle : str
    scale : {"common", "each"}
        Colours from 0 to the maximum of all maps, or of each map. The colour bar says which; each
        title gives the maximum of its map.

    Returns
    -------
    Figure
    """
    images = [_prepare_image(image) for image in images]
    cams = [np.clip(np.asarray(cam, dtype=float), 0, None) for cam in cams]
    masks = [None] * len(images) if masks is None else list(masks)
    _check_lengths(
        images=images, cams=cams, titles=titles, explained_classes=explained_classes, masks=masks
    )
    if scale not in ("common", "each"):
        raise ValueError(
            "The scale of the maps is unknown. Expected 'common' (one maximum for all) or 'each' "
            f"(its own maximum for each). Received: scale={scale!r}."
        )
    if not all(np.isfinite(cam).all() for cam in cams):
        raise ValueError(
            "A map with missing values has no colours. Expected finite `cams`, not normalised "
            "(an all-zero map divided by its maximum is NaN)."
        )
    maxima = [float(cam.max()) for cam in cams]
    largest = max(maxima)
    num_pairs = min(2, len(images))
    rights = [
        _describe_map(name, maximum)
        for name, maximum in zip(explained_classes, maxima, strict=True)
    ]
    texts = [text for pair in zip(titles, rights, strict=True) for text in pair]
    figure, axes = _make_grid(2 * len(images), 2 * num_pairs, texts)
    width = int(CELL_CHARACTERS * style.WIDTH_INCHES / (2 * num_pairs))
    # A figure of empty maps still needs a scale: the bar is then left out.
    norm = colors.Normalize(0, 1 if scale == "each" or largest == 0 else largest)
    for index, (image, cam, mask) in enumerate(zip(images, cams, masks, strict=True)):
        left, right = axes[2 * index], axes[2 * index + 1]
        left.imshow(image, cmap="gray", vmin=0, vmax=255)
        left.set_title(style.wrap_text(titles[index], width), fontsize=10)
        right.set_title(style.wrap_text(rights[index], width), fontsize=10)
        divisor = maxima[index] if scale == "each" and maxima[index] > 0 else 1.0
        _draw_map(right, image, cam / divisor, norm)
        outlined = (left, right) if maxima[index] > 0 else (left,)
        for ax in outlined if mask is not None else ():
            ax.contour(np.asarray(mask, dtype=float), levels=[0.5], colors="#56B4E9",
                       linewidths=1.2, extent=_get_extent(image), origin="upper")  # fmt: skip
    if largest > 0:
        bar = figure.colorbar(
            cm.ScalarMappable(norm, CAM_COLORS), ax=list(axes), location="bottom", aspect=50,
            shrink=0.8, alpha=CAM_ALPHA,
        )  # fmt: skip
        bar.set_label(_describe_scale(scale, largest))
    _set_suptitle(figure, suptitle)
    return figure


def _draw_map(ax, image, cam, norm):
    extent = _get_extent(image)
    if cam.max() > 0:
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)
        ax.imshow(cam, cmap=CAM_COLORS, norm=norm, alpha=CAM_ALPHA, extent=extent,
                  interpolation="bilinear")  # fmt: skip
        return
    ax.imshow(np.full(image.shape[:2], 235), cmap="gray", vmin=0, vmax=255)
    ax.text(0.5, 0.5, "no evidence\n(all-zero map)", transform=ax.transAxes, ha="center",
            va="center", fontsize=10)  # fmt: skip


def _describe_map(name, maximum) -> str:
    # The maximum belongs in the title under either scale: a map that looks dark may have a peak.
    return f"explained: {name}" + (f", maximum {maximum:.2g}" if maximum > 0 else "")


def _describe_scale(scale, largest) -> str:
    if scale == "each":
        return "class activation, each map divided by its own maximum"
    return f"class activation, not normalised; one scale for all maps (maximum {largest:.2g})"


def _get_extent(image):
    height, width = image.shape[:2]
    return (-0.5, width - 0.5, height - 0.5, -0.5)


def _make_grid(num_cells, num_columns, titles):
    num_rows = -(-num_cells // num_columns)
    cell = style.WIDTH_INCHES / num_columns
    width = int(CELL_CHARACTERS * cell)
    num_lines = max(style.wrap_text(title, width).count("\n") + 1 for title in titles)
    height = num_rows * (cell + 0.2 * num_lines + 0.2) + 1.0
    figure, axes = plt.subplots(
        num_rows, num_columns, figsize=(style.WIDTH_INCHES, height), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    # Constrained layout leaves a title of two lines too little room above an image.
    figure.get_layout_engine().set(h_pad=0.1)
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes.ravel()


def _set_suptitle(figure, suptitle):
    if suptitle:
        figure.suptitle(style.wrap_text(suptitle, 100))


def _prepare_image(image) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            "An image cannot be drawn. Expected shape (height, width) or (height, width, 3). "
            f"Received: {image.shape}."
        )
    if np.issubdtype(image.dtype, np.floating) and 0 < image.max() <= 1:
        raise ValueError(
            "An image would come out black. Expected values in [0, 255] (multiply an image in "
            f"[0, 1] by 255). Received: maximum {image.max():.3g}."
        )
    return np.clip(image, 0, 255).astype(np.uint8)


def _check_lengths(**sequences):
    lengths = {name: len(values) for name, values in sequences.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(
            "Images and what goes with them do not match. Expected one of each an image, at "
            f"least one image. Received: {lengths}."
        )
