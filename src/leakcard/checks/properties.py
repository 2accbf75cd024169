"""L2 and L3.3: does a property that is not the disease follow the label?"""

from leakcard import association, rows
from leakcard.rows import Rule

PROPERTIES = {
    "source": ("L3.3", "Label and source"),
    "sex": ("L3.3", "Label and sex"),
    "view": ("L3.3", "Label and view (PA, AP)"),
    "age_group": ("L3.3", "Label and age group (child, adult)"),
    "background": ("L2", "Label and background"),
    "file_format": ("L2", "Label and file type"),
    "size_class": ("L2", "Label and image size"),
}


RULES = tuple(
    Rule(
        code=code,
        checks=tuple(name for name, (of_code, _) in PROPERTIES.items() if of_code == code),
        title=title,
        looks_at=f"Whether the label goes with {what}, by bias-corrected Cramer's V (0: not at "
        f"all, 1: one tells the other), against labels dealt out anew among patients. From "
        f"{rows.WARN_EFFECT} on it warns, from {rows.FAIL_EFFECT} on it fails; the p-values of a "
        "card are corrected for their number (Holm).",
        cannot_see="A property that was not given; whether what follows the label is the disease "
        "itself; two properties that follow it only together (a classifier of the card may).",
        wrong_when="The property belongs to the disease (older patients are iller): it is then "
        "still a way to be right without looking at the subject. Values that are missing more "
        "often in one class are left out.",
        what_to_do=what_to_do,
    )
    for code, title, what, what_to_do in (
        (
            "L2",
            "Label and background, file type, image size",
            "the background, the type of the files or their size",
            association.ACTIONS["L2"],
        ),
        (
            "L3.3",
            "Label and source, sex, view, age group",
            "the source, the sex, the view or the age group (child, adult) of the patients",
            association.ACTIONS["L3.3"],
        ),
    )
)


def check_properties(images, units, num_permutations, seed):
    """L2 and L3.3: bias-corrected Cramer's V of the label with each property."""
    return [
        association.compare_names(images, units, name, code, title, num_permutations, seed)
        for name, (code, title) in PROPERTIES.items()
    ]
