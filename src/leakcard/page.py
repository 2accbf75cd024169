"""The report card as HTML: a table for notebooks, and one page that needs no other file."""

import base64
import html

import cv2
import numpy as np

from leakcard import images
from leakcard.rows import CODES, MARKS

THUMBNAIL_PX = 128
MAX_PAIRS = 24
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:0 auto;padding:1rem;color:#222}
.wide{overflow-x:auto}table.card{border-collapse:collapse;font-size:.85rem}
.card th,.card td{border-bottom:1px solid #ccc;padding:.35rem .6rem;text-align:left;
vertical-align:top}.card .status{white-space:nowrap;font-weight:600}
.pairs{display:flex;flex-wrap:wrap;gap:1rem}.pairs figure{margin:0;width:270px}
.pairs img{width:128px;height:128px;border:1px solid #ddd}
figcaption{font-size:.75rem;color:#555;overflow-wrap:anywhere}
code{overflow-wrap:anywhere;font-size:.8rem}
"""
# Dark text on light ground, told apart by sign and word as well as by colour.
COLOURS = {"fail": "#fbdcd9", "warn": "#fdf0c8", "not testable": "#e6e6ee", "pass": "#dff2e1"}
# Jupyter sets every cell of a table flush right.
LEFT = ' style="text-align:left"'


def format_table(rows):
    """Return the rows as one HTML table, without pictures."""
    heads = ("leak", "checked", "status", "found", "why", "what to do")
    lines = ['<div class="wide"><table class="card"><thead><tr>']
    lines += [f'<th scope="col"{LEFT}>{head}</th>' for head in heads]
    lines.append("</tr></thead><tbody>")
    for row in rows:
        cells = [row.title, None, row.figure, row.reason, row.action or row.question]
        style = f"background:{COLOURS[row.status]};color:#222;text-align:left"
        status = f"{MARKS[row.status]} {row.status}"
        code = f'<td{LEFT} title="{html.escape(CODES[row.code], quote=True)}">{row.code}</td>'
        parts = [
            f'<td class="status" style="{style}">{status}</td>'
            if cell is None
            else f"<td{LEFT}>{html.escape(cell)}</td>"
            for cell in cells
        ]
        lines.append(f"<tr>{code}{''.join(parts)}</tr>")
    return "".join(lines) + "</tbody></table></div>"


def format_page(card, with_pictures=True):
    """Return the whole card as one page.

    Parameters
    ----------
    card : ReportCard
        With its table and links, or read from a file (then without pictures).
    with_pictures : bool
        Whether to show the pairs of images concerned.

    Returns
    -------
    str
        HTML that refers to no other file.
    """
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Leakage report card</title><style>{STYLE}</style></head><body>",
        f"<h1>Leakage report card</h1><p>{html.escape(card.describe())}</p>",
        format_table(card.rows),
    ]
    if with_pictures and card.table is not None:
        parts += _format_pairs("The same picture", _list_duplicates(card), card)
        parts += _format_pairs("The same patient", _list_shared_patients(card), card)
    if card.questions:
        parts.append("<h2>Questions to the author</h2><ul>")
        parts += [f"<li>{code}: {html.escape(text)}</li>" for code, text in card.questions]
        parts.append("</ul>")
    parts += _format_images(card)
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _format_images(card):
    concerned = [row for row in card.rows if row.images]
    parts = ["<h2>Images concerned</h2>"] if concerned else []
    for row in concerned:
        names = ", ".join(html.escape(name) for name in row.images)
        more = row.num_images - len(row.images)
        names += f" and {more} more" if more else ""
        parts.append(
            f"<details><summary>{row.code} {html.escape(row.title)}: {row.num_images} images"
            f"</summary><code>{names}</code></details>"
        )
    if card.about.get("notes"):
        parts.append("<h2>What was guessed, joined or not used</h2><ul>")
        parts += [f"<li>{html.escape(note)}</li>" for note in card.about["notes"]]
        parts.append("</ul>")
    if card.about["unreadable"]:
        parts.append("<h2>Left out: could not be read</h2><ul>")
        parts += [
            f"<li><code>{html.escape(one['image_id'])}</code> {html.escape(one['reason'])}</li>"
            for one in card.about["unreadable"]
        ]
        parts.append("</ul>")
    return parts


def _list_duplicates(card):
    """Pairs of images that are the same picture, those across splits first."""
    links = card.links
    if links is None or links.empty:
        return []
    links = links[links["image_id_a"] != links["image_id_b"]]
    across = (links["split_a"] != links["split_b"]).astype(int)
    links = links.loc[across.sort_values(ascending=False, kind="stable").index]
    columns = ["image_id_a", "split_a", "image_id_b", "split_b", "kind"]
    return links[columns].head(MAX_PAIRS).to_numpy().tolist()


def _list_shared_patients(card):
    """One pair of a training and a test image for each patient who has both."""
    table, found = card.table, []
    table = table[table["patient_id"] != table["image_id"]]
    first = {
        name: table[table["split"] == name].drop_duplicates("patient_id").set_index("patient_id")
        for name in ("train", "test")
    }
    both = first["test"].index.intersection(first["train"].index)
    for patient in both[:MAX_PAIRS]:
        pair = [first[name].loc[patient, "image_id"] for name in ("train", "test")]
        if pair[0] != pair[1]:
            found.append([pair[0], "train", pair[1], "test", str(patient)])
    return found


def _format_pairs(title, pairs, card):
    if not pairs:
        return []
    paths = card.table.drop_duplicates("image_id").set_index("image_id")["path"]
    parts = [f'<h2>{title}</h2><div class="pairs">']
    for name_a, split_a, name_b, split_b, kind in pairs:
        shown = [_embed_picture(paths.get(name), name) for name in (name_a, name_b)]
        texts = [
            f"{name} ({split})" if split else name
            for name, split in ((name_a, split_a), (name_b, split_b))
        ]
        caption = html.escape(f"{kind}: {' and '.join(texts)}")
        parts.append(f"<figure>{''.join(shown)}<figcaption>{caption}</figcaption></figure>")
    return [*parts, "</div>"]


def _embed_picture(path, name):
    """Return an image as HTML that holds its own small JPEG, or its name if it cannot be read."""
    try:
        image = images.resize_image(images.decode_image(path), THUMBNAIL_PX)
    except (OSError, ValueError, TypeError):
        return f"<span>{html.escape(name)}</span>"
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    content = base64.b64encode(np.asarray(encoded).tobytes()).decode()
    alt = html.escape(name, quote=True)
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{content}">'
