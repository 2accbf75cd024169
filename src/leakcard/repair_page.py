"""What a repair changed and what it cost: sentences, one page with both cards, and tables."""

import html
import os
from pathlib import Path

import numpy as np
import pandas as pd

from leakcard import facts, files, page
from leakcard.rows import MARKS, NUM_SHOWN
from leakcard.table import COLUMNS, SPLITS

# Rows of a card that keeping units together can close.
ACROSS_SPLITS = "_across_splits"
ACCURACY = 0.9
STYLE = """
body{max-width:75rem}
.bar{display:flex;height:1.2rem;margin:.2rem 0 .6rem}.bar span{display:block;overflow:hidden}
"""
# Kept, came, left for another split, dropped.
BAR_COLOURS = {"kept": "#8da0b3", "came": "#2e6b34", "left": "#d9a441", "dropped": "#b3261e"}


def name_folder(out):
    """Return the folder beside a new split in which its cards lie."""
    out = Path(out)
    return out.with_name(f"{out.stem}_repair")


def write_repair(out, repair, with_pictures=True):
    """Write the new split, and beside it what changed and both cards; each file atomically.

    The split is written last: if anything fails, one from before is still there.
    """
    out = Path(out)
    folder = name_folder(out)
    repair.before.write(folder / "before", with_pictures)
    repair.after.write(folder / "after", with_pictures)
    changed = repair.rows[repair.rows["reason"] != ""]
    columns = {"image_id": "image_id", "label": "label", "unit": "unit", "was": "from"}
    columns |= {"split": "to", "is_dropped": "is_dropped", "reason": "reason", "detail": "detail"}
    files.write_csv(folder / "changes.csv", changed[list(columns)].rename(columns=columns))
    files.write_text(folder / "index.html", format_page(repair))
    files.write_csv(out, make_list(repair, out.parent))


def make_list(repair, folder):
    """Return the new split as a list that `leakcard audit` reads.

    Paths are relative to `folder`. What the list said besides is kept; facts of the files are not.
    """
    kept = repair.kept
    table = repair.table.loc[kept.index]
    table["patient_id"] = table["patient_id"].where(table["patient_id"] != table["image_id"])
    for name in ("path", "mask_path"):
        table[name] = table[name].map(lambda path: _relate(path, folder), na_action="ignore")
    new = ["split", *(name for name in ("fold", "matched") if name in kept), "unit"]
    # Folds and units of the old split are none of the new one.
    made = {"split", "fold", "matched", "unit"}
    others = [name for name in table.columns if name not in made.union(COLUMNS)]
    first = ["image_id", "path", "label"]
    rest = [name for name in COLUMNS if name not in (*first, *facts.FACTS)]
    listed = pd.concat([table[first], kept[new], table[[*rest, *others]]], axis=1)
    return listed.dropna(axis=1, how="all")


def _relate(path, folder):
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # another drive
        return os.path.abspath(path)


def tell(repair):
    """Say in lines what was changed, what it cost, what is left, and what was not looked at."""
    moved, dropped = repair.moved, repair.dropped
    num = repair.rows["image_id"].nunique()
    lines = [f"Moved {len(moved)} of {num} images{_count(_name_ways(moved))}."]
    lines.append(f"Dropped {len(dropped)} rows{_count(dropped['reason'])}.")
    lines += _tell_sizes(repair)
    leaks = [_find_alarms(one, True) for one in (repair.before, repair.after)]
    lines.append(f"Rows of the card on leaks between splits: {len(leaks[0])} before, "
                 f"{len(leaks[1])} after.")  # fmt: skip
    left = _find_alarms(repair.after, False)
    if left:
        titles = "; ".join(f"{row.title} ({row.status})" for row in left)
        lines.append(f"Moving images cannot repair: {titles}.")
    lines += [repair.matched, *repair.notes]
    if len(moved) and not np.isnan(repair.gap):
        lines.append(f"This choice costs at most {repair.gap:.1%} more than the best one.")
    return [*lines, *_tell_unseen(repair)]


def _name_ways(moved):
    return moved["was"] + " to " + moved["split"]


def _count(names):
    counts = names.value_counts()
    told = ", ".join(f"{number} {name}" for name, number in counts.items())
    return f": {told}" if told else ""


def _find_alarms(found, across):
    return [
        row
        for row in found.rows
        if row.status in ("fail", "warn") and row.check.endswith(ACROSS_SPLITS) == across
    ]


def count_classes(repair):
    """Return images by split and class, before (rows of the list) and after.

    Returns
    -------
    before, after : DataFrame
        A row a split, a column a class.
    """
    labels = repair.rows["label"].fillna("no label").astype(str)
    before = pd.crosstab(repair.rows["was"], labels)
    after = pd.crosstab(repair.kept["split"], labels)
    splits = [name for name in SPLITS if name in before.index]
    splits += [name for name in before.index if name not in splits]
    return before.reindex(splits), after.reindex(splits, fill_value=0).reindex(
        columns=before.columns, fill_value=0
    )


def _tell_sizes(repair):
    before, after = count_classes(repair)
    lines = []
    if before.empty:
        sizes = repair.kept["fold"].value_counts().sort_index()
        return [f"Folds of {', '.join(map(str, sizes))} images."]
    if "test" in before.index:
        units = [
            some["unit"].nunique()
            for some in (
                repair.rows[repair.rows["was"] == "test"],
                repair.kept[repair.kept["split"] == "test"],
            )
        ]
        sizes = [int(one.loc["test"].sum()) for one in (before, after)]
        told = [
            f"{size} images of {number} units, an accuracy of {ACCURACY:.0%} has "
            f"{_tell_interval(size)}"
            for size, number in zip(sizes, units, strict=True)
        ]
        lines.append(f"Test set before: {told[0]}; after: {told[1]}.")
    sizes = "; ".join(f"{name} {before.loc[name].sum()} to {after.loc[name].sum()}" for name in
                      before.index)  # fmt: skip
    shares = [one.div(one.sum(axis=1).clip(lower=1), axis=0) * 100 for one in (before, after)]
    change = shares[1] - shares[0]
    split, name = np.unravel_index(np.abs(change.to_numpy()).argmax(), change.shape)
    lines.append(
        f"Rows by split: {sizes}. Largest change of the share of a class: "
        f"{change.iloc[split, name]:+.1f} points ({change.columns[name]} in {change.index[split]})."
    )
    if "fold" in repair.kept:
        sizes = repair.kept["fold"].value_counts().sort_index()
        lines.append(f"Folds of {', '.join(map(str, sizes))} images outside the test set.")
    return lines


def _tell_interval(size):
    if not size:
        return "no interval"
    from statsmodels.stats import proportion  # waited for only here

    # Not rounded to whole images, or a set that is one smaller could have a narrower interval.
    low, high = proportion.proportion_confint(ACCURACY * size, size, method="wilson")
    return f"an interval of {low:.1%} to {high:.1%}"


def _tell_unseen(repair):
    """What the repair did not look at."""
    table, about = repair.table, repair.before.about
    lines = []
    unknown = int((table["patient_id"] == table["image_id"]).sum())
    if unknown:
        lines.append(f"Not looked at: the patients of {unknown} of {len(table)} rows, not known.")
    if about["num_unreadable"]:
        lines.append(
            f"Not looked at: {about['num_unreadable']} images that could not be read; copies of "
            "them were not looked for, they stay with their patients."
        )
    unsplit = int(repair.rows["was"].isna().sum())
    if unsplit and "fold" not in repair.rows:
        lines.append(f"Not looked at: {unsplit} rows without a split; they have none now.")
    if table["date"].notna().any():
        lines.append("Not looked at: dates. Look at the row L3.1 of the second card.")
    return lines


def format_page(repair):
    """Return one page: what changed, sizes, and the rows of both cards next to each other."""
    lines = tell(repair)
    parts = [
        *page.open_page("Repaired split", STYLE),
        f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>",
        *_draw_bars(repair),
        *_format_sizes(repair),
        "<h2>Both cards</h2>",
        '<p>Whole: <a href="before/report_card.html">before</a>, '
        '<a href="after/report_card.html">after</a>. Every image that moved or went: '
        '<a href="changes.csv">changes.csv</a>.</p>',
        _format_cards(repair.before, repair.after),
    ]
    dropped = repair.dropped.head(NUM_SHOWN)
    if len(dropped):
        listed = "".join(
            f"<li><code>{html.escape(str(row.image_id))}</code>: {html.escape(row.reason)} "
            f"({html.escape(str(row.detail))})</li>"
            for row in dropped.itertuples()
        )
        more = len(repair.dropped) - len(dropped)
        more = f"<p>and {more} more in changes.csv</p>" if more else ""
        parts.append(f"<h2>Dropped</h2><ul>{listed}</ul>{more}")
    return page.close_page(parts)


def _draw_bars(repair):
    """One bar a split: what it kept, what came, what left and what was dropped."""
    rows = repair.rows
    bars, longest = [], 1
    for name in count_classes(repair)[0].index:
        was, now = rows["was"] == name, rows["split"] == name
        numbers = {
            "kept": int((was & now).sum()),
            "came": int((now & ~was).sum()),
            "left": int((was & ~now & ~rows["is_dropped"]).sum()),
            "dropped": int((was & rows["is_dropped"]).sum()),
        }
        longest = max(longest, sum(numbers.values()))
        bars.append((name, numbers))
    parts = ["<h2>What happened to each split</h2>"] if bars else []
    for name, numbers in bars:
        told = ", ".join(f"{number} {what}" for what, number in numbers.items())
        spans = "".join(
            f'<span style="width:{100 * number / longest:.2f}%;background:{BAR_COLOURS[what]}" '
            f'title="{number} {what}"></span>'
            for what, number in numbers.items()
        )
        label = html.escape(f"{name}: {told}", quote=True)
        parts.append(
            f'<p>{label}</p><div class="bar" role="img" aria-label="{label}">{spans}</div>'
        )
    return parts


def _format_sizes(repair):
    before, after = count_classes(repair)
    if before.empty:
        return []
    lines = []
    for split in before.index:
        cells = [html.escape(str(split))]
        cells += [f"{before.loc[split].sum()} &rarr; {after.loc[split].sum()}"]
        for name in before:
            pair = [int(one.loc[split, name]) for one in (before, after)]
            shares = [
                one.loc[split, name] / max(one.loc[split].sum(), 1) for one in (before, after)
            ]
            cells.append(f"{pair[0]} ({shares[0]:.1%}) &rarr; {pair[1]} ({shares[1]:.1%})")
        lines.append(cells)
    heads = [html.escape(str(name)) for name in ("split", "all", *before)]
    title = "<h2>Images by split and class, before and after</h2>"
    return [title, page.format_grid(heads, lines)]


def _format_cards(before, after):
    """Return the rows of both cards side by side, those that changed first."""
    found = [{row.check: row for row in one.rows} for one in (before, after)]
    names = list(dict.fromkeys([*found[0], *found[1]]))
    pairs = [tuple(one.get(name) for one in found) for name in names]
    statuses = [tuple(row.status if row else "" for row in pair) for pair in pairs]
    order = np.argsort([one[0] == one[1] for one in statuses], kind="stable")
    lines = []
    for number in order:
        row = pairs[number][0] or pairs[number][1]
        lines.append([row.code, html.escape(row.title), *map(_format_cell, pairs[number])])
    return page.format_grid(("leak", "checked", "before", "after"), lines)


def _format_cell(row):
    if row is None:
        return "no such row"
    told = row.reason if row.status == "not testable" else row.figure or row.reason
    return (
        f'<td style="background:{page.COLOURS[row.status]}"><strong>{MARKS[row.status]} '
        f"{row.status}</strong><br>{html.escape(told)}</td>"
    )
