"""L3.3: does age follow the label, and are there stray children or adults?"""

from leakcard import association
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

# A minority this small can be neither learned nor measured: it is an oversight, not a mixture.
STRAY_SHARE = 0.15


RULES = (
    Rule(
        code="L3.3",
        checks=("age_gap",),
        title="Label and age",
        looks_at="Whether age in years follows the label, by its ranks, against labels dealt out "
        "anew among patients.",
        cannot_see="Anything without ages in two classes.",
        wrong_when="The disease is one of an age: the card cannot tell that from a set of "
        "controls of another age.",
        what_to_do=association.ACTIONS["L3.3"],
    ),
    Rule(
        code="L3.3",
        checks=("under_18",),
        title="A small minority of children or adults",
        looks_at=f"Whether under {STRAY_SHARE:.0%} of a class are children, or adults.",
        cannot_see="Anything without ages; minorities of another kind.",
        wrong_when="The minority is meant to be there and is reported apart.",
        what_to_do="Leave them out, or report them apart.",
    ),
)


def check_ages(images, units, num_permutations, seed):
    """L3.3: the gap between the median ages of the classes, and stray children or adults."""
    row = {"code": "L3.3", "check": "age_gap", "title": "Label and age"}
    gap = association.compare_numbers(
        images, units, "age_years", "age in years", "{:.0f}".format, row, num_permutations, seed
    )
    gap = gap or association.ask(row, "age", "is not known for two classes")
    return [gap, _check_minority(images)]


def _check_minority(images):
    row = {"code": "L3.3", "check": "under_18", "title": "A small minority of children or adults"}
    groups = images["age_group"].dropna()
    if groups.empty:
        return association.ask(row, "age", "is not known")
    labels = images.loc[groups.index, "label"].fillna("no label").astype(str)
    shares = (groups == "child").groupby(labels).agg(["mean", "size"])
    figure = "under 18 years: " + ", ".join(
        f"{label} {share:.1%} of {size:.0f}" for label, share, size in shares.itertuples()
    )
    total = float((groups == "child").mean())
    result = {**row, "figure": figure, "value": total}
    # The share within the class, or within all images where it is small there too.
    own = labels.map(shares["mean"])
    if 0 < min(total, 1 - total) < STRAY_SHARE and not set(shares["mean"]) <= {0.0, 1.0}:
        own[:] = total
    stray = (groups == "child") & (own < STRAY_SHARE)
    stray |= (groups == "adult") & (own > 1 - STRAY_SHARE)
    if stray.any():
        few = " and ".join(sorted(set(groups[stray])))
        concerned = images.loc[stray.index[stray], "image_id"]
        return Row(
            **result,
            **card_rows.name_images(concerned),
            status="warn",
            reason=f"Too few {few} patients to learn from or to test on.",
            action="Leave them out, or report them apart.",
            question="For patients of which age is the claim?",
        )
    return Row(**result, status="pass", reason="No small minority of children or adults.")
