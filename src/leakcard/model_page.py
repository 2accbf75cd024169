"""The pages of probes: what was made, as pictures, and the card of the models that scored it."""

import html

from leakcard import files, model_card, page, predictions
from leakcard.probes import FOLDER, OTHER
from leakcard.rows import MARKS

NUM_EXAMPLES = 2  # images, of different classes where there are
MIXED = (
    "A probe mixes use with surprise: a black or blurred image is unlike anything in training, and "
    "a model may fail on it for that alone. So a loss does not show use, and no loss shows only "
    "that the part is not needed. What shows use is a transplant: the same part from an image of "
    "another class against that of its own, equally strange. Even then the part may hold some of "
    "the disease: look at the pictures."
)
LIMITS = (
    "Intervals are 95 %, over units (patients and copies), the wider of bootstrap and formula. "
    "Those that name a model (transplants; border and background only) hold together, by "
    "Bonferroni, for each model; of forty models that use nothing about one is named."
)
STYLE = ".pairs figure{width:140px}"


def write_page(probes, with_pictures=True):
    """Write `probes.html`: what each version is, two images in all versions, what was left out."""
    parts = page.open_page("Probes", STYLE)
    parts += [f"<p>{html.escape(tell_size(probes))}</p>", f"<p>{MIXED}</p>"]
    parts += _format_meanings(probes)
    parts += _format_examples(probes, {}) if with_pictures else []
    parts += page.format_list("What was not probed, and what was found", probes.notes)
    return files.write_text(probes.folder / "probes.html", page.close_page(parts))


def write_model_card(probes, answers, scores, with_pictures=True):
    """Write `model_card.html` and `model_card.csv` beside the probes."""
    parts = page.open_page("Model card", STYLE)
    for model in answers:
        status, title = model_card.judge(scores, model)
        parts.append(
            f'<p class="headline" style="background:{page.COLOURS[status]}">'
            f"{MARKS[status]} {html.escape(title)}</p>"
        )
    parts += [f"<p>{html.escape(tell_size(probes))}</p>", f"<p>{MIXED}</p><p>{LIMITS}</p>"]
    for model in answers:
        parts += page.format_list(html.escape(model), model_card.describe_model(scores, model))
        parts.append(_format_table(scores, model))
    parts += _format_examples(probes, answers) if with_pictures else []
    parts += _format_meanings(probes)
    parts += page.format_list("What was not probed, and what was found", probes.notes)
    files.write_csv(probes.folder / "model_card.csv", scores)
    return files.write_text(probes.folder / "model_card.html", page.close_page(parts))


def tell_size(probes):
    """Say how much was made."""
    originals = probes.manifest[probes.manifest["version"] == "original"]
    return (
        f"{len(originals)} test images of {originals['unit'].nunique()} units, "
        f"{probes.manifest['version'].nunique()} versions, {len(probes.manifest)} probes."
    )


def _format_table(scores, model):
    lines = []
    for line in model_card.tabulate(scores, model):
        accuracy = line["accuracy"]
        told = [model_card.TOLD[line["version"]][0], predictions.format_value(accuracy)]
        told += [line[name] for name in ("difference", "changed", "verdict")]
        cells = [html.escape(cell) for cell in told]
        interval = page.draw_interval({"metric": "accuracy", **accuracy})
        lines.append([*cells[:2], interval, *cells[2:]])
    heads = ("version", "accuracy", "0 to 1", "to the original", "calls changed", "verdict")
    return page.format_grid(heads, lines)


def _format_meanings(probes):
    there = set(probes.manifest["version"])
    lines = [
        [html.escape(cell) for cell in told]
        for version, told in model_card.TOLD.items()
        if version in there
    ]
    heads = ("version", "made by", "a loss")
    return ["<h2>What a loss means</h2>", page.format_grid(heads, lines)]


def _choose_examples(probes, answers):
    """Images of different classes, first those in which most calls follow a transplant."""
    rows = probes.manifest
    originals = rows[rows["version"] == "original"].set_index("original")
    swapped = rows[rows["version"].str.endswith(OTHER)]
    score = (swapped["share_changed"] > 0).astype(float)  # a mark was found
    for said in answers.values():
        aim = swapped["donor_label"].to_numpy()
        before = said[originals.loc[swapped["original"], "image"]].to_numpy()
        score += 10 * ((said[swapped["image"]].to_numpy() == aim) & (before != aim))
    score = score.groupby(swapped["original"]).sum().reindex(originals.index, fill_value=0)
    order = originals.assign(score=score).sort_values("score", ascending=False, kind="stable")
    return order.drop_duplicates("label").index[:NUM_EXAMPLES]


def _format_examples(probes, answers):
    """Every version of a few images, with what each model calls it."""
    order = list(model_card.TOLD)
    parts = ["<h2>Examples</h2>"]
    for original in _choose_examples(probes, answers):
        rows = probes.manifest[probes.manifest["original"] == original]
        rows = rows.sort_values("version", key=lambda names: names.map(order.index))
        title = f"{original}: truth {rows['label'].iloc[0]}"
        parts.append(f'<h3>{html.escape(title)}</h3><div class="pairs">')
        for row in rows.itertuples():
            told = [model_card.TOLD[row.version][0]]
            if isinstance(row.donor, str):
                told.append(f"from {row.donor} ({row.donor_label})")
            told += [f"{model} says {said[row.image]}" for model, said in answers.items()]
            caption = "<br>".join(html.escape(text) for text in told)
            picture = page.embed_image(probes.folder / FOLDER / row.image, row.image)
            parts.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
        parts.append("</div>")
    return parts
