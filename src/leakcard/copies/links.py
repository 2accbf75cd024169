"""Which rows of a table show the same picture: repeated rows, equal files, confirmed pairs."""

import itertools

import pandas as pd


def list_links(table, pairs, flat=()):
    """List which images are the same picture: shared files, repeated rows, confirmed pairs.

    Parameters
    ----------
    table : DataFrame
    pairs : DataFrame or None
        As from `search.find_duplicates`.
    flat : collection of str
        Ids of images of one colour: they are nobody's copies.

    Returns
    -------
    DataFrame
        `image_id_a`, `split_a`, `label_a`, the same for b, and `kind`; each pair of rows in
        different splits once, and pairs within a split.
    """
    columns = ["image_id", "split", "label"]
    rows = table[[*columns, "sha256"]].assign(split=table["split"].fillna(""))
    links = []
    for _, same in rows[rows["image_id"].duplicated(keep=False)].groupby("image_id"):
        links += _pair_rows(same[columns].to_numpy().tolist(), "repeated row")
    rows = rows.drop_duplicates(columns)
    pictures = rows[~rows["image_id"].isin(flat)].dropna(subset=["sha256"])
    for _, same in pictures.groupby("sha256"):
        if len(set(same["image_id"])) > 1:
            links += [
                link
                for link in _pair_rows(same[columns].to_numpy().tolist(), "file")
                if link[0] != link[3]
            ]
    names = [f"{name}_{side}" for side in "ab" for name in columns]
    found = pd.DataFrame(links, columns=[*names, "kind"])
    if pairs is not None and len(pairs):
        spread = _spread_pairs(rows[columns], pairs)
        found = pd.concat([found, spread], ignore_index=True) if len(found) else spread
    return found.drop_duplicates(["image_id_a", "split_a", "image_id_b", "split_b"])


def _pair_rows(members, kind):
    # Each is paired with the first of its group in each split: pairs grow with n, not n^2.
    members = sorted(members, key=str)
    heads = {split: number for number, (_, split, _) in reversed(list(enumerate(members)))}
    pairs = {tuple(sorted(pair)) for pair in itertools.product(heads.values(), range(len(members)))}
    return [[*members[a], *members[b], kind] for a, b in sorted(pairs) if a != b]


def _spread_pairs(rows, pairs):
    """Give confirmed pairs of images all splits that their rows are in."""
    merged = pairs[["image_id_a", "image_id_b", "kind"]]
    for side in "ab":
        merged = merged.merge(rows.add_suffix(f"_{side}"), on=f"image_id_{side}")
    swap = merged["image_id_a"] > merged["image_id_b"]
    sides = [[f"{name}_{side}" for name in ("image_id", "split", "label")] for side in "ab"]
    flipped = dict(zip(sides[0] + sides[1], sides[1] + sides[0], strict=True))
    return pd.concat([merged[~swap], merged[swap].rename(columns=flipped)])
