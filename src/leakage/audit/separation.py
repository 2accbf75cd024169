"""L1.1 and L1.4: is there a test set, and is it free of images that training has seen?"""

import itertools

import pandas as pd

from leakage import evaluation
from leakage.audit import rows as card_rows
from leakage.audit.context import SPLITS
from leakage.audit.rows import Row

# Under this many images the 95 % interval of an accuracy of 90 % spans about 20 points.
FEW_TEST_IMAGES = 40


def check_test_set(table, context):
    """L1.1: a test set that is there, large enough, and has all classes of training."""
    row = {"code": "L1.1", "check": "test_set", "title": "A test set"}
    counts = {name: int((table["split"] == name).sum()) for name in SPLITS}
    if table["split"].isna().all():
        return [
            Row(
                **row,
                status="not testable",
                reason="The table does not say which images are for training and for testing.",
                question="Which images were held out for testing, and when were they set aside?",
            )
        ]
    figure = ", ".join(f"{name} {count}" for name, count in counts.items())
    if not counts["test"] or not counts["train"]:
        missing = "test" if not counts["test"] else "training"
        return [
            Row(
                **row,
                status="fail",
                figure=figure,
                value=counts["test"],
                reason=f"There is no {missing} set: a score would be measured on what was learned.",
                action="Hold out whole patients for testing before anything else is done.",
            )
        ]
    test, train = (table[table["split"] == name] for name in ("test", "train"))
    absent = sorted(set(train["label"].dropna().astype(str)) - set(test["label"].astype(str)))
    lower, upper = evaluation.wilson_interval(round(0.9 * len(test)), len(test))
    figure += f"; an accuracy of 90 % would have an interval of {lower:.0%} to {upper:.0%}"
    status, reason, action = "pass", "Training and test set are there.", ""
    if absent:
        status, reason = "warn", f"Classes without a test image: {', '.join(absent)}."
        action = "Hold out test images of every class."
    elif len(test) < FEW_TEST_IMAGES:
        status, reason = "warn", f"With {len(test)} test images a score says little."
        action = "Report the interval with every score; test on more images."
    return [Row(**row, status=status, figure=figure, value=len(test), reason=reason, action=action)]


def list_links(table, pairs):
    """List which images are the same picture: shared files, repeated rows, confirmed pairs.

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
    for _, same in rows.dropna(subset=["sha256"]).groupby("sha256"):
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


def check_duplicates(table, context):
    """L1.4: the same picture in two splits, twice in one split, or under two labels."""
    if context.pairs is None:
        searched, suffix = False, "; only repeated rows and identical files were looked for"
    else:
        searched = True
        suffix = "".join(f"; {note}" for note in context.pairs.attrs.get("notes", ()))
    links = list_links(table, context.pairs)
    context.memory["links"] = links
    is_across = (links["split_a"] != links["split_b"]) & (links["split_a"] != "")
    is_across &= links["split_b"] != ""
    across, within = links[is_across], links[~is_across]
    conflicts = links[links["label_a"].astype(str) != links["label_b"].astype(str)]
    conflicts = conflicts[conflicts["label_a"].notna() & conflicts["label_b"].notna()]
    rows = [_describe_across(table, across, searched, suffix)]
    pairs = within.drop_duplicates(["image_id_a", "image_id_b"])
    rows.append(
        _describe_links(
            pairs,
            "duplicates_within_split",
            "Duplicates within a split",
            "Repeated pictures count twice: intervals are too narrow.",
            "Keep one of each, or count a group of duplicates as one.",
            searched,
            suffix,
        )
    )
    if table["label"].notna().any():
        rows.append(
            _describe_links(
                conflicts.drop_duplicates(["image_id_a", "image_id_b"]),
                "duplicates_across_labels",
                "Duplicates under two labels",
                "One of the two labels is wrong.",
                "Look at each pair and correct or drop its labels.",
                searched,
                suffix,
            )
        )
    return rows


def _describe_links(pairs, check, title, reason, action, searched, suffix):
    row = {"code": "L1.4", "check": check, "title": title}
    if len(pairs):
        ids = [*pairs["image_id_a"], *pairs["image_id_b"]]
        kinds = pairs["kind"].value_counts()
        figure = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        return Row(
            **row,
            **card_rows.name_images(ids),
            status="warn",
            figure=f"{len(pairs)} pairs ({figure}){suffix}",
            value=len(pairs),
            reason=reason,
            action=action,
        )
    if not searched:
        return Row(
            **row,
            status="not testable",
            figure="0 pairs" + suffix,
            reason="The images could not be read.",
            question="Were the images searched for duplicates?",
        )
    return Row(**row, status="pass", figure=f"0 pairs{suffix}", value=0, reason="None was found.")


def _describe_across(table, across, searched, suffix):
    row = {
        "code": "L1.4",
        "check": "duplicates_across_splits",
        "title": "Duplicates across splits",
    }
    if table["split"].nunique() < 2:
        return Row(
            **row,
            status="not testable",
            reason="There are not two splits to compare.",
            question="Were duplicates removed before the images were split?",
        )
    test_rows = table[table["split"] == "test"]
    seen = set()
    for side, other in (("a", "b"), ("b", "a")):
        of_test = across[(across[f"split_{side}"] == "test") & (across[f"split_{other}"] != "test")]
        seen |= set(of_test[f"image_id_{side}"])
    num_seen = int(test_rows["image_id"].isin(seen).sum())
    if not len(across):
        if not searched:
            return Row(
                **row,
                status="not testable",
                figure="0 pairs" + suffix,
                reason="The images could not be read.",
                question="Were the images searched for duplicates?",
            )
        return Row(
            **row,
            status="pass",
            figure=f"0 of {len(test_rows)} test images{suffix}",
            value=0.0,
            reason="None was found.",
        )
    lower, upper = evaluation.wilson_interval(num_seen, len(test_rows))
    share = num_seen / len(test_rows) if len(test_rows) else float("nan")
    kinds = across["kind"].value_counts()
    figure = (
        f"{num_seen} of {len(test_rows)} test images ({share:.1%}; {lower:.1%} to {upper:.1%}) "
        f"are in training or validation too ("
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        + f"){suffix}"
    )
    fails = num_seen > 0
    return Row(
        **row,
        **card_rows.name_images(seen or [*across["image_id_a"], *across["image_id_b"]]),
        status="fail" if fails else "warn",
        figure=figure,
        value=share,
        lower=lower,
        upper=upper,
        reason="Test images that were trained on measure memory."
        if fails
        else "Validation images that were trained on choose the model that remembers best.",
        action="Remove duplicates before splitting, then train and test again.",
    )
