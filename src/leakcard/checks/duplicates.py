"""L1.4: is the test set free of images that training has seen?"""

from leakcard import intervals
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

# What each search finds, and what it was not made for: a pass is no more than this.
SEARCHED = {
    "full": "the same file or pixels, and pictures re-encoded, resized, mirrored, turned by any "
    "angle, cut or shifted by up to a fifth, padded, negative, of other brightness or contrast, "
    "blurred, noisy or written on, or two or three of these together. Not looked for: less "
    "than half of the smaller frame in common, bent or redrawn pictures. In pictures of less than "
    "some 256 pixels, and in smooth ones, strong compression and noise hide copies: --calibrate "
    "tries yours.",
    "fast": "the same file or pixels, and pictures re-encoded, resized, cut by up to 5 % a side, "
    "mirrored, or of other brightness. Not looked for: turned, negative, or cut further.",
}
RULES = (
    Rule(
        code="L1.4",
        checks=("duplicates_across_splits", "duplicates_within_split", "duplicates_across_labels"),
        title="Duplicates across splits, within a split, under two labels",
        looks_at="Rows that are repeated, files with the same bytes, files with the same pixels, "
        "and pictures that share points and agree in detail once one is laid over the other. The "
        "full search (the default up to 20,000 images, or `--copies full`) looks for "
        + SEARCHED["full"]
        + " The fast search (`--copies fast`) compares perceptual hashes and looks for "
        + SEARCHED["fast"],
        cannot_see="Copies changed beyond what is looked for, and other images of the same "
        "patient, the same examination or the same moment of a film: those are L3.2. Images of "
        "one colour, and those with too little structure for points (a note counts them), are "
        "nobody's copies. In a crowd of similar images each is compared with the five most "
        "similar of every split.",
        wrong_when="Two exposures of one subject in one pose are nearly the same picture: look at "
        "the pairs on the page before you remove any. Images that share a large overlay or "
        "background may be taken for copies.",
        what_to_do="Keep each unit of `units.csv` in one split (`GroupKFold` or "
        "`StratifiedGroupKFold` of scikit-learn take its column `unit` as `groups`), then train "
        "and test again. Keep one of each group of copies, or count the group as one. Correct or "
        "drop the labels of pairs that have two.",
        files=("pairs.csv", "units.csv"),
    ),
)


ACROSS_SPLITS = {
    "code": "L1.4",
    "check": "duplicates_across_splits",
    "title": "Duplicates across splits",
}
WITHIN_SPLIT = {
    "code": "L1.4",
    "check": "duplicates_within_split",
    "title": "Duplicates within a split",
}
ACROSS_LABELS = {
    "code": "L1.4",
    "check": "duplicates_across_labels",
    "title": "Duplicates under two labels",
}


def check_duplicates(table, links, pairs):
    """L1.4: the same picture in two splits, twice in one split, or under two labels."""
    has_splits = (links["split_a"] != "") & (links["split_b"] != "")
    is_across = has_splits & (links["split_a"] != links["split_b"])
    has_labels = links["label_a"].notna() & links["label_b"].notna()
    is_conflict = has_labels & (links["label_a"].astype(str) != links["label_b"].astype(str))

    rows = [_describe_across(table, links[is_across], pairs)]
    rows.append(
        _describe_pairs(
            WITHIN_SPLIT,
            links[~is_across],
            pairs,
            reason="Repeated pictures count twice: intervals are too narrow.",
            action="Keep one of each, or count a group of duplicates as one.",
        )
    )
    if table["label"].notna().any():
        rows.append(
            _describe_pairs(
                ACROSS_LABELS,
                links[is_conflict],
                pairs,
                reason="One of the two labels is wrong.",
                action="Look at each pair and correct or drop its labels.",
            )
        )
    return rows


def _describe_across(table, across, pairs):
    if table["split"].nunique() < 2:
        question = "Were duplicates removed before the images were split?"
        return card_rows.ask(ACROSS_SPLITS, "There are not two splits to compare.", question)
    trained_on = "Validation images that were trained on choose the model that remembers best."
    action = "Keep one of each, or all copies in one split, then train and test again."
    is_test = table["split"] == "test"
    if not is_test.any():
        what = "pairs between training and validation"
        return _describe_pairs(ACROSS_SPLITS, across, pairs, trained_on, action, what)
    if across.empty:
        return _describe_none(ACROSS_SPLITS, f"0 of {is_test.sum()} test images", pairs)
    # A link of two splits has at most one side in the test set.
    seen = {
        *across.loc[across["split_a"] == "test", "image_id_a"],
        *across.loc[across["split_b"] == "test", "image_id_b"],
    }
    num_test, num_seen = int(is_test.sum()), int(table.loc[is_test, "image_id"].isin(seen).sum())
    share = num_seen / num_test
    lower, upper = intervals.wilson_interval(num_seen, num_test)
    return Row(
        **ACROSS_SPLITS,
        **card_rows.name_images(seen or [*across["image_id_a"], *across["image_id_b"]]),
        status="fail" if num_seen else "warn",
        figure=f"{num_seen} of {num_test} test images ({share:.1%}; {lower:.1%} to {upper:.1%}) "
        f"are in training or validation too ({_count_kinds(across)}){_tell_search(pairs)}",
        value=share,
        lower=lower,
        upper=upper,
        reason="Test images that were trained on measure memory." if num_seen else trained_on,
        action=action,
    )


def _describe_pairs(row, links, pairs, reason, action, what="pairs"):
    links = links.drop_duplicates(["image_id_a", "image_id_b"])
    if links.empty:
        return _describe_none(row, f"0 {what}", pairs)
    return Row(
        **row,
        **card_rows.name_images([*links["image_id_a"], *links["image_id_b"]]),
        status="warn",
        figure=f"{len(links)} {what} ({_count_kinds(links)}){_tell_search(pairs)}",
        value=len(links),
        reason=reason,
        action=action,
    )


def _describe_none(row, figure, pairs):
    """None was found: a pass only if all pictures were searched, not the files alone."""
    if pairs is None:
        question = "Were the images searched for duplicates?"
        figure = "0 pairs" + _tell_search(pairs)
        return card_rows.ask(row, "The images could not be read.", question, figure)
    figure += _tell_search(pairs)
    reason = f"None was found. Looked for: {SEARCHED[pairs.attrs.get('search', 'fast')]}"
    return Row(**row, status="pass", figure=figure, value=0, reason=reason)


def _count_kinds(links):
    return ", ".join(f"{count} {kind}" for kind, count in links["kind"].value_counts().items())


def _tell_search(pairs):
    """What the search left out, to stand behind a figure."""
    if pairs is None:
        return "; only repeated rows and identical files were looked for"
    notes = list(pairs.attrs.get("notes", ()))
    if pairs.attrs.get("search") == "fast":
        notes.insert(
            0, "by the fast search, which sees none that is turned, negative or cut further"
        )
    return "".join(f"; {note}" for note in notes)
