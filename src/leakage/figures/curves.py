"""Figures of one model: confusion matrix, training history, ROC."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation
from sklearn import metrics

from leakage import evaluation
from leakage.figures import style


def draw_confusion(ax, matrix, class_names, title: str = ""):
    """Draw a confusion matrix: counts, and the share of each true class.

    Parameters
    ----------
    ax : matplotlib Axes
    matrix : array-like of shape (n_classes, n_classes), dtype=int
        Rows are the true class, columns the predicted one.
    class_names : sequence of str
    title : str

    Returns
    -------
    Axes
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(class_names), len(class_names)):
        raise ValueError(
            "A confusion matrix has a row and a column a class. Expected shape "
            f"{(len(class_names), len(class_names))} for {list(class_names)}. "
            f"Received: {matrix.shape}."
        )
    num_true = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(num_true, 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(matrix.shape):
        percent = f"{100 * shares[row, column]:.0f} %" if num_true[row, 0] else "no images"
        color = "white" if shares[row, column] > 0.55 else "black"
        ax.text(column, row, f"{matrix[row, column]}\n{percent}", ha="center", va="center",
                color=color)  # fmt: skip
    ticks = range(len(class_names))
    names = [style.wrap_text(name, 11) for name in class_names]
    ax.set_xticks(ticks, names)
    ax.set_yticks(
        ticks, [f"{name}\nn = {int(n)}" for name, n in zip(names, num_true[:, 0], strict=True)]
    )
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.set_title(style.wrap_text(title, 36))
    return ax


def draw_history(axes, histories, labels, chance=None):
    """Draw accuracy and loss by epoch, training dashed and validation solid.

    Parameters
    ----------
    axes : two Axes
        For accuracy and for loss.
    histories : list of dict
        Keras histories: `accuracy`, `loss` and, where there is validation, `val_accuracy`,
        `val_loss`, each a list by epoch. One a seed, or one a model.
    labels : list of str
        One a history; equal labels (seeds of one model) share a colour.
    chance : float, optional
        Accuracy by chance: the share of the largest class.

    Returns
    -------
    The two Axes
    """
    if len(histories) != len(labels) or len(axes) != 2:
        raise ValueError(
            "Every history needs a label, and the figure two axes. Expected as many `labels` as "
            f"`histories`. Received: {len(histories)} histories, {len(labels)} labels, "
            f"{len(axes)} axes."
        )
    names = list(dict.fromkeys(labels))
    for ax, metric in zip(axes, ("accuracy", "loss"), strict=True):
        for history, label in zip(histories, labels, strict=True):
            color = style.get_color(names.index(label))
            for key, line in ((metric, "--"), (f"val_{metric}", "-")):
                if key in history:
                    values = history[key]
                    # A single epoch is a point: without a marker it would be invisible.
                    marker = "o" if len(values) == 1 else None
                    ax.plot(range(1, len(values) + 1), values, line, color=color, marker=marker,
                            linewidth=1.3)  # fmt: skip
        ax.set(xlabel="epoch", ylabel=metric)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylim(top=1.02)
    axes[1].set_ylim(bottom=0)
    handles = [
        Line2D([], [], color=style.get_color(i), label=style.wrap_text(name, 20))
        for i, name in enumerate(names)
    ]
    handles += [
        Line2D([], [], color="black", linestyle="--", label="training"),
        Line2D([], [], color="black", label="validation"),
    ]
    if chance is not None:
        label = f"chance: {chance:.2f}"
        handles.append(axes[0].axhline(chance, color=style.CHANCE, linestyle=":", label=label))
        axes[0].set_ylim(bottom=min(axes[0].get_ylim()[0], chance - 0.02))
    axes[1].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
    return axes


def draw_roc(
    ax, y_true, scores, class_names, groups=None, num_bootstrap: int = 1000, seed: int = 0
):
    """Draw the ROC curve of each class against the rest, with its AUC and 95 % interval.

    Parameters
    ----------
    ax : matplotlib Axes
    y_true : array-like of shape (n_images,), dtype=int
    scores : array-like of shape (n_images, n_classes) or, for two classes, (n_images,)
        Scores, never hard labels. With two classes the curve is that of `class_names[1]`.
    class_names : sequence of str
    groups : array-like of shape (n_images,), optional
        Patients, for the interval.

    Returns
    -------
    Axes
    """
    y_true, scores = np.asarray(y_true), np.asarray(scores, dtype=float)
    if len(class_names) == 2 and scores.ndim == 1:
        scores = np.stack([1 - scores, scores], axis=1)
    ax.plot([0, 1], [0, 1], color=style.CHANCE, linestyle=":", label="chance: 0.50")
    for index in [1] if len(class_names) == 2 else range(len(class_names)):
        area = evaluation.score_one_against_rest(y_true, scores, index, groups, num_bootstrap, seed)
        text = style.describe_interval(area["value"], area["lower"], area["upper"])
        label = style.wrap_text(class_names[index], 24) + f": {text}"
        positive = y_true == index
        x, y = [], []
        if not np.isnan(area["value"]):
            x, y, _ = metrics.roc_curve(positive, scores[:, index])
        ax.plot(x, y, color=style.get_color(index), label=label)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate")
    title = "One class against the rest"
    if len(class_names) == 2:
        title = f"{class_names[1]} against {class_names[0]}"
    ax.set_title(style.wrap_text(f"{title}, n = {len(y_true)}", 40))
    # Below: inside, the box would cover the curve of a classifier worse than chance.
    # The distance is in inches, so that it holds for axes of any height.
    below_labels = ScaledTranslation(0, -0.6, ax.figure.dpi_scale_trans)
    ax.legend(
        title="AUC [95 % interval]",
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + below_labels,
        borderaxespad=0,
        alignment="left",
    )
    return ax


def draw_dose_response(ax, frame, value, bounds, chance=None, ylabel=None, chance_label="chance"):
    """Draw a response against the dose of confounding, with its interval.

    Parameters
    ----------
    ax : matplotlib Axes
    frame : DataFrame
        Column `dose` in [0, 1], and those named by `value` and `bounds`.
    value : str
        Column of the response.
    bounds : tuple of str
        Columns of the lower and upper end of its interval.
    chance : float, optional
        Where the response would lie by chance.
    ylabel : str, optional
        Name of the response, if not that of its column.
    chance_label : str
        What the line of `chance` is.

    Returns
    -------
    Axes
    """
    frame = frame.sort_values("dose").astype({name: float for name in (value, *bounds)})
    values = frame[value]
    below, above = values - frame[bounds[0]], frame[bounds[1]] - values
    ax.errorbar(frame["dose"], values, yerr=[below.clip(lower=0), above.clip(lower=0)],
                color=style.OURS, marker="o", capsize=3, label="ours, 95 % interval")  # fmt: skip
    if chance is not None:
        label = f"{chance_label}: {chance:.2f}"
        ax.axhline(chance, color=style.CHANCE, linestyle=":", label=label)
    ax.set(xlabel="confounding", ylabel=ylabel or value, xlim=(-0.05, 1.05))
    ax.set_ylim(bottom=0)
    ax.set_xticks(frame["dose"])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2)
    return ax
