"""Find pictures that are in a table twice: as a file, as pixels, or changed as people do."""

import numpy as np
import pandas as pd

from leakcard import values
from leakcard.copies import candidates, fingerprints

COLUMNS = [
    "image_id_a",
    "image_id_b",
    "split_a",
    "split_b",
    "label_a",
    "label_b",
    "kind",
    "distance",
    "correlation",
    "transform",
    "path_a",
    "path_b",
    "row_a",
    "row_b",
]
KINDS = ("file", "pixels", "near", "mirror", "changed")
# "full" compares points and hashes, "fast" hashes alone: a third of the time, and none of the
# memory, 30 kB an image.
SEARCHES = ("full", "fast")
MAX_FULL_IMAGES = 20_000

# A hundred copies of one picture are one finding, not 4,950 pairs.
MAX_GROUP_PAIRS = 200


def _get_column(table, name):
    missing = pd.Series(np.nan, index=table.index, dtype=object)
    column = table[name].astype(object) if name in table else missing
    return column.where(column.notna(), np.nan).to_numpy(dtype=object)


def _check(table, search):
    absent = [name for name in ("image_id", "path") if name not in table]
    if absent:
        raise ValueError(
            f"Duplicates cannot be searched for: the table lacks {absent}. Expected the columns "
            f"image_id and path, and split, label and sha256 where they are known. Received: "
            f"columns {list(table.columns)}"
        )
    if search is not None and search not in SEARCHES:
        raise ValueError(
            f"There is no such search for copies. Expected one of {SEARCHES}. Received: {search!r}"
        )


class _Rows:
    """The rows of a table by what they hold, and pairs of them in bounded number."""

    def __init__(self, table):
        self.ids = table["image_id"].astype(str).to_numpy()
        self.paths = table["path"].to_numpy(dtype=object)
        self.splits, self.labels = _get_column(table, "split"), _get_column(table, "label")
        self.num_left_out = 0

    def pick(self, rows):
        """The first row of every split: enough to tell who leaks into whom."""
        return list({self.splits[row]: row for row in reversed(rows)}.values())

    def pair_group(self, rows):
        """Pairs within a group of equal rows: all, or each with the first of every split."""
        size = len(rows)
        if size * (size - 1) // 2 <= MAX_GROUP_PAIRS:
            return [(a, b) for place, a in enumerate(rows) for b in rows[place + 1 :]]
        heads = self.pick(rows)
        pairs = {(min(a, b), max(a, b)) for a in heads for b in rows if a != b}
        self.num_left_out += size * (size - 1) // 2 - len(pairs)
        return sorted(pairs)

    def pair_groups(self, one, two):
        """Pairs between two groups: all, or between the first of every split of each."""
        if len(one) * len(two) > MAX_GROUP_PAIRS:
            self.num_left_out += len(one) * len(two)
            one, two = self.pick(one), self.pick(two)
            self.num_left_out -= len(one) * len(two)
        return [(min(a, b), max(a, b)) for a in one for b in two]

    def describe(self, pair, kind, distance, correlation, transform):
        a, b = sorted(pair, key=lambda row: (self.ids[row], row))
        return {
            "image_id_a": self.ids[a],
            "image_id_b": self.ids[b],
            "split_a": self.splits[a],
            "split_b": self.splits[b],
            "label_a": self.labels[a],
            "label_b": self.labels[b],
            "kind": kind,
            "distance": distance,
            "correlation": correlation,
            "transform": transform,
            "path_a": self.paths[a],
            "path_b": self.paths[b],
            "row_a": a,
            "row_b": b,
        }


def _write_notes(rows, found, num_flat):
    notes = []
    if rows.num_left_out:
        notes.append(
            f"{rows.num_left_out} further pairs of large groups of copies are not listed; every "
            "copy is listed with the first of its group in every split"
        )
    if num_flat:
        notes.append(f"{num_flat} images of one colour were left out: they are nobody's copies")
    if found.num_plain:
        notes.append(
            f"{found.num_plain} images have too little structure for a search of copies: only the "
            "same file or pixels were looked for"
        )
    if found.num_crowded:
        notes.append(
            f"{found.num_crowded} images within crowds of similar images may have further copies: "
            f"the {candidates.MAX_PARTNERS} most similar of each split were looked at"
        )
    if not found.is_complete:
        notes.append(
            f"the search for near-duplicates stopped after {found.num_candidates} similar pairs; "
            "there may be more"
        )
    return notes


@values.keep_any_text
def find_duplicates(table, *, search=None, cache_dir=None):
    """Find the pairs of rows that show the same picture.

    Parameters
    ----------
    table : DataFrame
        With `image_id` and `path`, and `split`, `label` and `sha256` where they are known. Rows
        may be repeated (draws with replacement): they are pairs of kind "file".
    search : {"full", "fast"}, optional
        "full" finds what a copy keeps however it was turned, cut, padded or inverted; "fast" only
        copies in nearly the same frame. By default full up to `MAX_FULL_IMAGES`.
    cache_dir : str or Path, optional
        Where fingerprints are kept, as for `leakcard.audit`; nowhere by default.

    Returns
    -------
    DataFrame
        One row a pair, with `COLUMNS`. `kind` is the strongest that holds of "file" (equal bytes),
        "pixels" (equal when decoded), "near" (re-encoded, resized, cut by up to some 5 % a side,
        brighter, of other gamma), "mirror" (the same, mirrored) and "changed" (turned, cut further,
        padded, negative, or else not found by its hash); `transform` says how one lies on the
        other, in words, empty where the frame is the same; `distance` the bits in which
        the closest perceptual hashes of their views differ (0 for the first two kinds);
        `correlation` in [0, 1]; `row_a`, `row_b` positions in `table`. Missing split or label is
        NaN. `attrs`: `notes` (list of str: all that was capped or left out), `unreadable` (list of
        dict `path`, `reason`), `search` (which one ran), `num_images` (files compared),
        `num_flat`, `flat`, `num_candidates`, `num_registered`.

    Raises
    ------
    ValueError
        If a column is missing or there is no such search.
    """
    _check(table, search)
    rows = _Rows(table)
    is_file = table["path"].notna().to_numpy()
    unique = sorted({str(path) for path in rows.paths[is_file]})
    files = fingerprints.hash_files(rows.paths, _get_column(table, "sha256"))
    search = search or ("full" if len(unique) <= MAX_FULL_IMAGES else "fast")
    prints, unreadable = fingerprints.compute_fingerprints(unique, search == "full", cache_dir)

    # A file that cannot be decoded can still be the same file as another.
    flat_paths = {path for path, one in prints.items() if one.is_flat}
    is_flat = np.array([str(path) in flat_paths for path in rows.paths], dtype=bool)
    groups = {}
    for row in np.flatnonzero(is_file).tolist():
        path = str(rows.paths[row])
        content = prints[path].pixels if path in prints else files[row]
        if content is not None:
            groups.setdefault(content, []).append(row)
    records = []
    for members in groups.values():
        if is_flat[members[0]]:
            continue  # one colour: the same content says nothing of where it comes from
        for a, b in rows.pair_group(members):
            kind = "file" if files[a] is not None and files[a] == files[b] else "pixels"
            records.append(rows.describe((a, b), kind, 0, 1.0, ""))

    unlike = {one.pixels: one for one in prints.values()}  # one of each group of equal pixels
    contents = list(unlike)
    group_splits = [frozenset(str(rows.splits[row]) for row in groups[one]) for one in contents]
    found = candidates.find_copies(list(unlike.values()), group_splits)
    for (one, two), measured in found.pairs.items():
        members = groups[contents[one]], groups[contents[two]]
        for pair in rows.pair_groups(*members):
            records.append(rows.describe(pair, *measured))

    def place(pair):
        names = ("image_id_a", "image_id_b", "row_a", "row_b")
        return KINDS.index(pair["kind"]), *(pair[name] for name in names)

    pairs = pd.DataFrame(sorted(records, key=place), columns=COLUMNS)
    num_flat = sum(one.is_flat for one in unlike.values())
    pairs.attrs = {
        "search": search,
        "notes": _write_notes(rows, found, num_flat),
        "unreadable": unreadable,
        "num_images": len(prints),
        "num_flat": num_flat,
        "flat": sorted(set(rows.ids[is_flat])),
        "num_candidates": found.num_candidates,
        "num_registered": found.num_registered,
    }
    return pairs
