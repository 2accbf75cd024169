"""The report card as HTML: a table for notebooks, and one page that needs no other file."""

import base64
import html

import cv2
import numpy as np

from leakcard import images, predictions, rules
from leakcard.rows import CODES, FOLDED, MARKS, group_rows, show_first

THUMBNAIL_PX = 128
MAX_PAIRS = 24
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#222;
background:#fff;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:1.5rem 0 .5rem}h3{font-size:1rem;margin:0}p{margin:.3rem 0}
.headline{font-size:1.1rem;font-weight:600;padding:.6rem .8rem;border-radius:.3rem}
.finding{border-left:.4rem solid;padding:.4rem .8rem;margin:.8rem 0}
summary{cursor:pointer}summary h2{display:inline}.finding details{font-size:.9rem}
.pairs{display:flex;flex-wrap:wrap;gap:1rem}.pairs figure{margin:0;width:270px}
.pairs img{width:128px;height:128px;border:1px solid #ddd}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.2rem .5rem;text-align:left;
vertical-align:top;border-bottom:1px solid #ddd}
figcaption{font-size:.75rem;color:#555}code{font-size:.85rem}
"""
# Dark text on light ground, told apart by sign and word as well as by colour.
COLOURS = {"fail": "#fbdcd9", "warn": "#fdf0c8", "not testable": "#e6e6ee", "pass": "#dff2e1"}
EDGES = {"fail": "#b3261e", "warn": "#8a6100", "not testable": "#5b5b6b", "pass": "#2e6b34"}
# Jupyter sets every cell of a table flush right.
LEFT = ' style="text-align:left"'


def format_tables(rows):
    """Return the rows as HTML tables, worst first, what is no alarm folded; without pictures."""
    parts = []
    for status, some in group_rows(rows):
        table = _format_table(some)
        if status in FOLDED:
            summary = f"<summary>{MARKS[status]} {len(some)} {status}</summary>"
            table = f"<details>{summary}{table}</details>"
        parts.append(table)
    return "".join(parts)


def _format_table(rows):
    heads = ("leak", "checked", "status", "found", "why", "what to do")
    lines = ['<div style="overflow-x:auto"><table><thead><tr>']
    lines += [f'<th scope="col"{LEFT}>{head}</th>' for head in heads]
    lines.append("</tr></thead><tbody>")
    for row in rows:
        cells = [row.title, None, row.figure, row.reason, row.action or row.question]
        style = f"background:{COLOURS[row.status]};color:#222;text-align:left"
        status = f"{MARKS[row.status]} {row.status}"
        code = f'<td{LEFT} title="{html.escape(CODES[row.code], quote=True)}">{row.code}</td>'
        parts = [
            f'<td style="{style}">{status}</td>'
            if cell is None
            else f"<td{LEFT}>{html.escape(cell)}</td>"
            for cell in cells
        ]
        lines.append(f"<tr>{code}{''.join(parts)}</tr>")
    return "".join(lines) + "</tbody></table></div>"


def open_page(title, style=""):
    """Return the first parts of a page of our own, with its title as a heading."""
    return [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{STYLE}{style}</style></head><body><main>",
        f"<h1>{title}</h1>",
    ]


def close_page(parts):
    """Join the parts of a page."""
    return "\n".join([*parts, "</main></body></html>"]) + "\n"


def format_page(card, with_pictures=True):
    """Return the whole card as one page.

    Parameters
    ----------
    card : ReportCard
        With its table and pairs, or read from a file (then without pictures).
    with_pictures : bool
        Whether to show the pairs of images concerned.

    Returns
    -------
    str
        HTML that refers to no other file.
    """
    groups = group_rows(card.rows)
    worst = groups[0][0] if groups else "not testable"
    parts = [
        *open_page("Leakage report card"),
        f'<p class="headline" style="background:{COLOURS[worst]}">{MARKS[worst]} '
        f"{html.escape(card.headline)}</p><p>{html.escape(card.describe())}</p>",
    ]
    if card.scores is not None:
        parts += _format_scores(card.scores)
    for status, rows in groups:
        heading = f"<h2>{MARKS[status]} {len(rows)} {status}</h2>"
        findings = "\n".join(_format_finding(row, card.units is not None) for row in rows)
        if status in FOLDED:
            findings = f"<details><summary>{heading}</summary>{findings}</details>"
            heading = ""
        parts += [heading, findings]
    if with_pictures and card.table is not None:
        parts += _format_pairs("The same picture", _list_duplicates(card), card)
        parts += _format_pairs("The same patient", _list_shared_patients(card), card)
        parts += _format_boxes(card)
    if card.questions:
        asked = [f"{code} ({CODES[code]}): {text}" for code, text in card.questions]
        parts += format_list("Questions to the author", asked)
    parts += format_list("What was guessed, joined or not used", card.about.get("notes", ()))
    unreadable = [f"{one['image_id']}: {one['reason']}" for one in card.about["unreadable"]]
    names, more = show_first(unreadable, card.about["num_unreadable"])
    parts += format_list("Left out: could not be read", [*names, *filter(None, [more])])
    return close_page(parts)


def _format_finding(row, has_files):
    """One row with what it means: readable at any width, and without another page."""
    title = f"{MARKS[row.status]} {row.code} {row.title}"
    texts = (("", row.figure), ("Why: ", row.reason), ("What to do: ", row.action))
    texts += (("To be answered by you: ", row.question),)
    parts = [f"<h3>{html.escape(title)}</h3>"]
    parts += [f"<p>{name}{html.escape(text)}</p>" for name, text in texts if text]
    if row.images:
        names, more = show_first(row.images, row.num_images)
        listed = ", ".join(f"<code>{html.escape(name)}</code>" for name in names)
        summary = f"<summary>Images concerned: {row.num_images}</summary>"
        parts.append(f"<details>{summary}{listed} {more}</details>")
    rule = rules.find_rule(row)
    if rule:
        if rule.files and has_files and row.status not in FOLDED:
            parts.append(f"<p>See {' and '.join(rule.files)} beside this page.</p>")
        told = "".join(
            f"<p><strong>{name}.</strong> {html.escape(getattr(rule, part).replace('`', ''))}</p>"
            for part, name in rules.PARTS
        )
        summary = f"<summary>About {row.code}: {html.escape(rule.title)}</summary>"
        parts.append(f"<details>{summary}{told}</details>")
    style = f"background:{COLOURS[row.status]};border-color:{EDGES[row.status]}"
    return f'<article class="finding" style="{style}">{"".join(parts)}</article>'


def _format_scores(scores):
    """What predictions are worth: a sentence a model, then every score as number and line."""
    parts = format_list("What the scores are worth", predictions.describe_scores(scores))
    heads = ("model", "of", "score", "n (units)", "95 %", "0 to 1")
    lines = []
    for row in scores.to_dict("records"):
        told = (row["model"], f"{row['by']}: {row['group']}", row["metric"])
        told += (f"{row['n']} ({row['units']})", predictions.format_value(row))
        lines.append([*(html.escape(str(cell)) for cell in told), draw_interval(row)])
    return [*parts, format_grid(heads, lines)]


def draw_interval(row):
    """A score in [0, 1] as a dot on its interval; what may be negative has no line."""
    if row["metric"] != "accuracy":
        return ""
    left, middle, right = (round(4 + 112 * row[name]) for name in ("lower", "value", "upper"))
    return (
        '<svg width="120" height="14" aria-hidden="true"><line x1="4" x2="116" y1="7" y2="7" '
        f'stroke="#ddd"/><line x1="{left}" x2="{right}" y1="7" y2="7" stroke="#36c" '
        f'stroke-width="3"/><circle cx="{middle}" cy="7" r="4" fill="#036"/></svg>'
    )


def format_grid(heads, lines):
    """Return a table of a page of our own.

    Parameters
    ----------
    heads : iterable of str
        HTML.
    lines : iterable of iterable of str
        HTML; what begins as a cell, such as one with a colour, is one already.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = ""
    for line in lines:
        cells = (one if one.startswith(("<td", "<th")) else f"<td>{one}</td>" for one in line)
        body += f"<tr>{''.join(cells)}</tr>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x:auto" tabindex="0">{table}</div>'


def format_list(title, items):
    listed = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    return [f"<h2>{title}</h2><ul>{listed}</ul>"] if listed else []


def _list_duplicates(card):
    """Pairs of images that are the same picture, those across splits first."""
    pairs = card.pairs[card.pairs["image_a"] != card.pairs["image_b"]]
    return pairs[["image_a", "split_a", "image_b", "split_b", "kind"]].to_numpy().tolist()


def _list_shared_patients(card):
    """One pair of a training and a test image for each patient who has both."""
    known = card.table[card.table["patient_id"] != card.table["image_id"]]
    first = known.drop_duplicates(["split", "patient_id"])
    train, test = (first[first["split"] == name] for name in ("train", "test"))
    both = test.merge(train, on="patient_id", suffixes=("_test", "_train"))
    both = both[both["image_id_train"] != both["image_id_test"]]
    columns = ["image_id_train", "split_train", "image_id_test", "split_test", "patient_id"]
    return both[columns].to_numpy().tolist()


def _format_pairs(title, pairs, card):
    if not pairs:
        return []
    paths = card.table.drop_duplicates("image_id").set_index("image_id")["path"]
    shown = pairs[:MAX_PAIRS]
    more = f": {len(shown)} of {len(pairs)} pairs" if len(pairs) > len(shown) else ""
    parts = [f'<h2>{title}{more}</h2><div class="pairs">']
    for name_a, split_a, name_b, split_b, kind in shown:
        pictures = [embed_image(paths.get(name), name) for name in (name_a, name_b)]
        texts = [
            f"{name} ({split})" if split else name
            for name, split in ((name_a, split_a), (name_b, split_b))
        ]
        caption = html.escape(f"{kind}: {' and '.join(texts)}")
        parts.append(f"<figure>{''.join(pictures)}<figcaption>{caption}</figcaption></figure>")
    return [*parts, "</div>"]


def _format_boxes(card):
    """Patches that tell the label: where each lies, and what it looks like."""
    paths = card.table.drop_duplicates("image_id").set_index("image_id")["path"]
    parts = []
    for row in card.rows:
        figures = [_format_box(paths.get(box["image_id"]), box) for box in row.boxes]
        if figures:
            heading = f"{html.escape(row.title)}: the most typical patches, and where they lie"
            parts += [f'<h2>{heading}</h2><div class="pairs">', *figures, "</div>"]
    return parts


def _format_box(path, box):
    name = box["image_id"]
    caption = f"<figcaption>{html.escape(name)}</figcaption>"
    try:
        image = images.decode_image(path)
    except (OSError, ValueError, TypeError):
        return f"<figure>{caption}</figure>"
    height, width = image.shape[:2]
    left, right = (round(width * (box["left"] + part)) for part in (0, box["width"]))
    top, bottom = (round(height * (box["top"] + part)) for part in (0, box["height"]))
    # With as much around it: a patch alone is hard to recognise.
    beside, above = (right - left + 1) // 2, (bottom - top + 1) // 2
    cut = image[max(0, top - above) : bottom + above, max(0, left - beside) : right + beside]
    whole = images.resize_image(image, THUMBNAIL_PX).copy()  # decoded arrays cannot be drawn on
    corners = [
        (round(THUMBNAIL_PX * x / width), round(THUMBNAIL_PX * y / height))
        for x, y in ((left - beside, top - above), (right + beside, bottom + above))
    ]
    cv2.rectangle(whole, *corners, (255, 160, 0), 1)
    pictures = [embed_picture(whole, name)]
    pictures.append(embed_picture(images.resize_image(cut, THUMBNAIL_PX), f"patch of {name}"))
    return f"<figure>{''.join(pictures)}{caption}</figure>"


def embed_image(path, name):
    """Return an image as HTML that holds its own small JPEG, or that it cannot be read."""
    try:
        image = images.resize_image(images.decode_image(path), THUMBNAIL_PX)
    except (OSError, ValueError, TypeError):
        return f"<span>{html.escape(name)} cannot be read</span>"
    return embed_picture(image, name)


def embed_picture(image, name):
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    content = base64.b64encode(np.asarray(encoded).tobytes()).decode()
    alt = html.escape(name, quote=True)
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{content}">'
