"""Find pictures that are in a table twice: as a file, as pixels, re-encoded, cut or mirrored."""

import numpy as np
import pandas as pd

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
    "path_a",
    "path_b",
    "row_a",
    "row_b",
]
KINDS = ("file", "pixels", "near", "mirror")

# Bits of 64 (see benchmarks/calibrate_copies.py): with six views of each image, radius 10 finds
# crops that one view does not find at 12, among as many candidates.
HASH_RADIUS = 10
# After registration; FACTS section 4 gives no false pair in 159,000 at this value.
MIN_CORRELATION = 0.97
# A hundred copies of one picture are one finding, not 4,950 pairs.
MAX_GROUP_PAIRS = 200


def _get_column(table, name):
    missing = pd.Series(np.nan, index=table.index, dtype=object)
    column = table[name].astype(object) if name in table else missing
    return column.where(column.notna(), np.nan).to_numpy(dtype=object)


def _check(table, radius, min_correlation):
    absent = [name for name in ("image_id", "path") if name not in table]
    if absent:
        raise ValueError(
            f"Duplicates cannot be searched for: the table lacks {absent}. Expected the columns "
            f"image_id and path, and split, label and sha256 where they are known. Received: "
            f"columns {list(table.columns)}"
        )
    if not 0 <= radius < 64 or not 0 < min_correlation <= 1:
        raise ValueError(
            "A threshold is out of range. Expected 0 <= radius < 64 bits and "
            f"0 < min_correlation <= 1. Received: radius={radius}, "
            f"min_correlation={min_correlation}"
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

    def describe(self, pair, kind, distance, correlation):
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
    if found.num_skipped:
        notes.append(
            f"{found.num_skipped} likely pairs within crowds of similar images were not confirmed: "
            f"both images have {candidates.MAX_PARTNERS} copies in the other's split already"
        )
    if not found.is_complete:
        notes.append(
            f"the search for near-duplicates stopped after {found.num_candidates} similar pairs; "
            "there may be more"
        )
    return notes


def find_duplicates(
    table,
    *,
    radius=HASH_RADIUS,
    min_correlation=MIN_CORRELATION,
    num_jobs=2,
    max_candidates=candidates.MAX_CANDIDATES,
):
    """Find the pairs of rows that show the same picture.

    Parameters
    ----------
    table : DataFrame
        With `image_id` and `path`, and `split`, `label` and `sha256` where they are known. Rows
        may be repeated (draws with replacement): they are pairs of kind "file".
    radius : int in [0, 63]
        Bits in which the perceptual hashes (64 bits) of near-duplicates may differ.
    min_correlation : float in (0, 1]
        Pearson correlation that near-duplicates must reach after registration.
    num_jobs : int
        Threads to decode with.
    max_candidates : int
        Pairs of similar hashes to look at before the search for near-duplicates gives up.

    Returns
    -------
    DataFrame
        One row a pair, with `COLUMNS`. `kind` is the strongest that holds of "file" (equal bytes),
        "pixels" (equal when decoded), "near" (re-encoded, resized, cut by up to some 5 % a side,
        brighter, of other gamma) and "mirror" (the same, mirrored); `distance` the bits in which
        the closest perceptual hashes of their views differ (0 for the first two kinds);
        `correlation` in [0, 1]; `row_a`, `row_b` positions in `table`. Missing split or label is
        NaN. `attrs`: `notes` (list of str: all that was capped or left out), `unreadable` (list of
        dict `path`, `reason`), `num_images` (files compared), `num_flat`, `num_candidates`,
        `num_plausible`, `num_registered`.

    Raises
    ------
    ValueError
        If a column is missing or a threshold is out of range.
    """
    _check(table, radius, min_correlation)
    rows = _Rows(table)
    is_file = table["path"].notna().to_numpy()
    unique = sorted({str(path) for path in rows.paths[is_file]})
    files = fingerprints.hash_files(rows.paths, _get_column(table, "sha256"))
    prints = fingerprints.compute_fingerprints(unique, num_jobs)
    pixels = dict(zip(prints.paths, prints.pixels, strict=True))

    # A file that cannot be decoded can still be the same file as another.
    flat_paths = {path for path, flat in zip(prints.paths, prints.is_flat, strict=True) if flat}
    is_flat = np.array([str(path) in flat_paths for path in rows.paths], dtype=bool)
    groups = {}
    for row in np.flatnonzero(is_file).tolist():
        content = pixels.get(str(rows.paths[row])) or files[row]
        if content is not None:
            groups.setdefault(content, []).append(row)
    records = []
    for members in groups.values():
        if is_flat[members[0]]:
            continue  # one colour: the same content says nothing of where it comes from
        for a, b in rows.pair_group(members):
            kind = "file" if files[a] is not None and files[a] == files[b] else "pixels"
            records.append(rows.describe((a, b), kind, 0, 1.0))

    prints = fingerprints.select_first(prints)  # one of each group of equal pixels
    group_splits = [
        frozenset(str(rows.splits[row]) for row in groups[content]) for content in prints.pixels
    ]
    found = candidates.find_copies(prints, group_splits, radius, min_correlation, max_candidates)
    for (one, two), (kind, distance, correlation) in found.pairs.items():
        members = groups[prints.pixels[one]], groups[prints.pixels[two]]
        for pair in rows.pair_groups(*members):
            records.append(rows.describe(pair, kind, distance, correlation))

    def place(pair):
        names = ("image_id_a", "image_id_b", "row_a", "row_b")
        return KINDS.index(pair["kind"]), *(pair[name] for name in names)

    pairs = pd.DataFrame(sorted(records, key=place), columns=COLUMNS)
    num_flat = int(prints.is_flat.sum())
    pairs.attrs = {
        "notes": _write_notes(rows, found, num_flat),
        "unreadable": prints.unreadable,
        "num_images": len(pixels),
        "num_flat": num_flat,
        "flat": sorted(set(rows.ids[is_flat])),
        "num_candidates": found.num_candidates,
        "num_plausible": found.num_plausible,
        "num_registered": found.num_registered,
    }
    return pairs
