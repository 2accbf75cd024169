"""Write what a notebook found: tidy records, predictions, figures."""

import io
import json
import re
from pathlib import Path

import pandas as pd
from IPython import display
from matplotlib import pyplot as plt
from PIL import Image

from leakage import evaluation, figures, paths, pictures
from leakage.data import sources
from leakcard import files

RECORD_COLUMNS = (
    "system",
    "notebook",
    "protocol",
    "variant",
    "version",  # counterfactual version of the images that a trained model is asked about
    "mode",  # "test-time", or "retrained" on that version
    "data_source",
    "backbone",
    "weights",
    "draw_seed",
    "seed",
    "metric",
    "class",
    "interval",
    "value",
    "lower",
    "upper",
    "k",
    "n",
    "claim",  # key in `published.RESULTS`
    "published_k",
    "published_n",
    "verdict",
    "reason",  # why it cannot be compared with what was published
)
INTEGER_COLUMNS = ("draw_seed", "seed", "k", "n", "published_k", "published_n")
FLOAT_COLUMNS = ("value", "lower", "upper")
FIGURE_DPI = 120


def make_records(scores, **columns):
    """Complete a table of scores to tidy records.

    Parameters
    ----------
    scores : DataFrame of shape (n_scores, any)
        Some of `RECORD_COLUMNS`, such as metric, class, interval, value, lower, upper, k, n.
    **columns
        The rest, one value for all rows: `system="S1"`, `notebook=...`, `seed=20` ...

    Returns
    -------
    DataFrame of shape (n_scores, 24)
        `RECORD_COLUMNS` in order; what nobody gave is None.

    Raises
    ------
    ValueError
        If a name is no record column, or is given twice.
    """
    for name in [*scores.columns, *columns]:
        if name not in RECORD_COLUMNS:
            raise ValueError(
                f"A record has no column {name!r}. Expected some of {', '.join(RECORD_COLUMNS)}. "
                "Drop the column or rename it."
            )
    twice = sorted(set(scores.columns) & set(columns))
    if twice:
        raise ValueError(
            f"Every record column must be given once. Received twice, in `scores` and as "
            f"argument: {', '.join(twice)}. Leave out one of them."
        )
    rows = [{**columns, **row} for row in scores.to_dict("records")]
    plain = [{name: files.to_plain(row.get(name)) for name in RECORD_COLUMNS} for row in rows]
    return pd.DataFrame(plain, columns=list(RECORD_COLUMNS), dtype=object)


def write_metrics(folder, records):
    """Write `metrics.json`: equal records give equal bytes, one record a line.

    Parameters
    ----------
    folder : str or Path
        The notebook's output folder.
    records : DataFrame
        From `make_records`; several may be put together by `pd.concat`.

    Returns
    -------
    Path
    """
    lines = []
    for row in make_records(records).to_dict("records"):
        row = {
            name: int(value) if name in INTEGER_COLUMNS and value is not None else value
            for name, value in row.items()
        }
        lines.append(json.dumps(row, sort_keys=True, ensure_ascii=False))
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    return files.write_text(Path(folder) / "metrics.json", text)


def read_metrics(path):
    """Read one `metrics.json` as a table with `RECORD_COLUMNS`; null becomes NaN."""
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    frame = pd.DataFrame(rows, columns=list(RECORD_COLUMNS), dtype=object)
    types = dict.fromkeys(INTEGER_COLUMNS, "Int64") | dict.fromkeys(FLOAT_COLUMNS, "float64")
    return frame.astype(types)


def save_figure(figure, folder, name, alt_text):
    """Save a figure as `figures/<name>.png`, its description beside it, and show what was saved.

    Drawing takes longest: it is done once, where IPython would draw an open figure again.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to save; closed after that.
    folder : str or Path
        The notebook's output folder.
    name : str
        Letters, digits and underscores.
    alt_text : str
        What the figure shows, for those who cannot see it; says so if it shows phantoms. Kept in
        `figures/alt_texts.json` and in the notebook.

    Returns
    -------
    Path
        The image.

    Raises
    ------
    ValueError
        If the name is no plain file name or the description is empty.
    """
    if not re.fullmatch(r"\w+", name):
        raise ValueError(
            f"A figure's name is made of letters, digits and underscores, without suffix. "
            f"Received: name={name!r}"
        )
    if not alt_text.strip():
        raise ValueError(
            f"Every figure needs a description: say in a sentence what it shows. "
            f"Received: alt_text={alt_text!r} for {name!r}"
        )
    path = Path(folder) / "figures" / f"{name}.png"
    alt_text = alt_text.strip()
    drawn = io.BytesIO()
    figure.savefig(
        drawn, format="png", dpi=FIGURE_DPI, bbox_inches="tight", metadata={"Software": None}
    )
    plt.close(figure)
    picture = pictures.compress_png(drawn.getvalue())
    with files.open_atomic(path, "wb") as stream:
        stream.write(picture)
    texts = path.with_name("alt_texts.json")
    known = json.loads(texts.read_text(encoding="utf-8")) if texts.exists() else {}
    files.write_json(texts, known | {name: alt_text})
    with Image.open(drawn) as image:
        width = round(image.width * figures.style.DPI / FIGURE_DPI)
    display.display(display.Image(picture, width=width, metadata={"alt": alt_text}))
    return path


def write_predictions(folder, frame):
    """Write `predictions.csv`, one row an image and run, and return its path.

    Columns that end in `path` are left out: they would tell of this machine, and `image_id`
    names the image.
    """
    kept = [name for name in frame.columns if not str(name).endswith("path")]
    return files.write_csv(Path(folder) / "predictions.csv", frame[kept])


def write_timings(folder, timings):
    """Write `timings.json` (seconds by name, to a tenth) and return its path."""
    rounded = {name: round(float(seconds), 1) for name, seconds in timings.items()}
    return files.write_json(Path(folder) / "timings.json", rounded)


class Results:
    """What one notebook finds: scores, predictions and figures, written to its folder.

    Parameters
    ----------
    notebook : str
        Name without suffix.
    data_source : {"real", "phantoms"}
    backbone, weights : str
        As `leakage.networks.Backbone` names them.
    **columns
        Record columns that are the same for all its scores, such as `system` and `draw_seed`.

    Attributes
    ----------
    folder : Path
        Where everything is written.
    provenance : str
        What the numbers come from, in a line; it stands below every figure.
    """

    def __init__(self, notebook, data_source, backbone, weights, **columns):
        self.folder = paths.get_output_dir(notebook)
        self.provenance = evaluation.describe_provenance(data_source, backbone, weights)
        self.columns = columns | {
            "notebook": notebook,
            "data_source": data_source,
            "backbone": backbone,
            "weights": weights,
        }
        self._records, self._predictions = [], []

    @property
    def records(self):
        """All scores so far, as `make_records` lays them out."""
        return pd.concat(self._records, ignore_index=True)

    @property
    def predictions(self):
        """What every run said of every test image, as `evaluation.make_predictions`."""
        return pd.concat(self._predictions, ignore_index=True)

    def add_runs(
        self, test, scores, class_names, published_result=None, *, obstacles="", **columns
    ):
        """Score all seeds of one variant on its test set and keep scores and predictions.

        Parameters
        ----------
        test : DataFrame
            The test images.
        scores : dict of int to ndarray of shape (n_images, n_classes)
            By seed; the first is the one declared beforehand.
        class_names : sequence of str
        published_result : leakage.published.Result, optional
            What the declared seed is judged against.
        obstacles : str
            What else keeps it from being compared, beside files, backbone and weights; see
            `published.list_changes`.
        **columns
            Such as `protocol` and `variant`; they win over those of all.

        Returns
        -------
        DataFrame
            The new records.
        """
        about = self.columns | columns
        known = evaluation.describe_obstacles(
            about["data_source"], about["backbone"], about["weights"], published_result
        )
        if about["data_source"] == "real" and published_result:
            known = ", ".join(filter(None, [known, sources.describe_changed_files(test)]))
        obstacles = ", ".join(filter(None, [known, obstacles]))
        scored = evaluation.score_runs(test, scores, class_names, published_result, obstacles)
        names = {name: columns[name] for name in ("protocol", "variant") if name in columns}
        self.add_predictions(test, scores, class_names, **names)
        return self.add_scores(scored, **columns)

    def add_predictions(self, test, scores, class_names, **columns):
        """Keep what runs said of every test image, for `predictions.csv`."""
        rows = evaluation.make_predictions(test, scores, class_names, **columns)
        self._predictions.append(rows)

    def add_scores(self, scores, **columns):
        """Keep scores of any kind, a table with some of `RECORD_COLUMNS`; return the records."""
        about = {k: v for k, v in (self.columns | columns).items() if k not in scores.columns}
        self._records.append(make_records(scores, **about))
        return self._records[-1]

    def save_figure(self, figure, name, alt_text, note="", provenance=None):
        """Note below a figure what its numbers come from; save and show it."""
        provenance = provenance or self.provenance
        figures.add_note(figure, f"{note} {provenance}".strip())
        save_figure(figure, self.folder, name, f"{alt_text} {provenance}.")

    def write(self):
        """Write `metrics.json` and `predictions.csv`; return the names of all files there are."""
        if self._records:
            write_metrics(self.folder, self.records)
        if self._predictions:
            write_predictions(self.folder, self.predictions)
        return sorted(path.name for path in self.folder.iterdir())
