"""L1.4: is the test set free of images that training has seen?"""

from leakcard import intervals
from leakcard import rows as card_rows
from leakcard.rows import Row

# What the search finds, and what it was not made for: a pass is no more than this.
SEARCHED = (
    "None was found. Looked for: the same file or pixels, and pictures re-encoded, resized, cut by "
    "up to 5 % a side, mirrored, or of other brightness. Not looked for: turned, negative, or cut "
    "further."
)


def check_duplicates(table, links, pairs):
    """L1.4: the same picture in two splits, twice in one split, or under two labels."""
    if pairs is None:
        searched, suffix = False, "; only repeated rows and identical files were looked for"
    else:
        searched = True
        suffix = "".join(f"; {note}" for note in pairs.attrs.get("notes", ()))
    is_across = (links["split_a"] != links["split_b"]) & (links["split_a"] != "")
    is_across &= links["split_b"] != ""
    across, within = links[is_across], links[~is_across]
    conflicts = links[links["label_a"].astype(str) != links["label_b"].astype(str)]
    conflicts = conflicts[conflicts["label_a"].notna() & conflicts["label_b"].notna()]
    rows = [_describe_across(table, across, searched, suffix)]
    rows.append(
        _describe_links(
            within.drop_duplicates(["image_id_a", "image_id_b"]),
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
    return Row(**row, status="pass", figure=f"0 pairs{suffix}", value=0, reason=SEARCHED)


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
            reason=SEARCHED,
        )
    lower, upper = intervals.wilson_interval(num_seen, len(test_rows))
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
