"""Sets whose images have several labels each: a card a label, has it against has it not."""

import html
from pathlib import Path

import pandas as pd

import leakcard
from leakcard import files, page
from leakcard.card import name_file
from leakcard.rows import MARKS, STATUSES

SEPARATOR = "|"


def split_labels(labels, separator=SEPARATOR):
    """Tell which labels each image has.

    Parameters
    ----------
    labels : Series of str or NaN
        Such as "Effusion|Mass"; blanks around names do not count.
    separator : str

    Returns
    -------
    DataFrame of bool
        A column a label, in the order of the alphabet; rows without a label are NaN.

    Raises
    ------
    ValueError
        If no row has two labels: then they are classes, and one card tells all.
    """
    names = labels.map(
        lambda text: {name.strip() for name in str(text).split(separator)} - {""}, "ignore"
    )
    if not names.dropna().map(len).gt(1).any():
        raise ValueError(
            f"No image has several labels. Expected names with {separator!r} between them in the "
            f"column label, or no --multi-label. Received: {labels.dropna().unique()[:5].tolist()}"
        )
    every = sorted(set().union(*names.dropna()))
    return pd.DataFrame(
        {one: names.map(lambda has, one=one: one in has, "ignore") for one in every}
    )


def audit_labels(table, separator=SEPARATOR, **options):
    """Audit a set whose images have several labels each.

    Parameters
    ----------
    table : DataFrame
        As for `leakcard.audit`; `label` holds names with `separator` between them.
    separator : str
    **options
        As for `leakcard.audit`. Copies are searched for and pictures measured once.

    Returns
    -------
    dict of str to ReportCard
        By label: a card in which the classes are the label and "no " before it.

    Raises
    ------
    ValueError
        If there is no column of labels, or no image has two.
    """
    if "label" not in table:
        raise ValueError(
            f"There are no labels to split. Expected a column label. Received: {list(table)}"
        )
    has = split_labels(table["label"], separator)
    notes = list(table.attrs.get("notes", []))
    notes.append(
        f"One of {has.shape[1]} labels of a multi-label set: the classes of this card are having "
        "it and not having it. Each card is corrected for its own tests, not for those of the "
        "other cards, so that of many cards a warning of one may be chance."
    )
    cards = {}
    for name in has:
        one = table.assign(label=has[name].map({True: name, False: f"no {name}"}))
        one.attrs = table.attrs | {"notes": notes}
        cards[name] = leakcard.audit(one, **options)
        options |= {key: cards[name].measured[key] for key in ("pairs", "looks")}
    return cards


def write_labels(folder, cards, with_pictures=True):
    """Write every card into a folder of its own, and `index.html`, which sets them side by side.

    Parameters
    ----------
    folder : str or Path
    cards : dict of str to ReportCard
        From `audit_labels`.
    with_pictures : bool
        As for `ReportCard.write`.

    Returns
    -------
    Path
        Of `index.html`.
    """
    folder, heads = Path(folder), ["row of the card"]
    for number, (name, card) in enumerate(cards.items(), start=1):
        place = name_file(number, name)
        card.write(folder / place, with_pictures)
        heads.append(f'<a href="{place}/report_card.html">{html.escape(name)}</a>')
    grid = leakcard.compare_cards(cards)
    counts = [(grid == status).sum(axis=1) for status in STATUSES[:2]]
    order = sorted(range(len(grid)), key=lambda row: [-count.iloc[row] for count in counts])
    lines = [
        [
            f'<th scope="row">{html.escape(" ".join(grid.index[row]))}</th>',
            *(
                f'<td style="white-space:nowrap">{MARKS.get(status, "")} {status}</td>'
                for status in grid.iloc[row]
            ),
        ]
        for row in order
    ]
    about = next(iter(cards.values())).about
    parts = [
        *page.open_page("Report cards by label"),
        "<p>A card a label: having it against not having it.</p>",
        page.format_grid(heads, lines),
        *page.format_list("What was guessed, joined or not used", about["notes"]),
        f"<p>{about['num_unreadable']} images could not be read; the cards name them.</p>",
    ]
    return files.write_text(folder / "index.html", page.close_page(parts))
