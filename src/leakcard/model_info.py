"""The model info sheet of Kapoor & Narayanan 2023, filled in as far as a split can tell.

Their template (doi 10.1016/j.patter.2023.100804, reproducible.cs.princeton.edu) asks for an
argument that each kind of leakage is absent. Its questions are put here in our words and in its
order; what the audit found is the answer, and what it cannot know is left to the author.
"""

from leakcard.rows import CODES

SECTIONS = (
    (
        "General",
        (
            ("Who made the model, where is it described, where is its code?", ()),
            ("What is the scientific claim, and about which population or distribution?", ()),
            ("How many images, patients and classes are there, and from where?", ("about",)),
            ("How well does the model do, with which interval, against which baseline?", ()),
        ),
    ),
    (
        "L1 · Training and test set are kept apart",
        (
            ("How was the test set set aside, and when?", ("L1.1",)),
            ("Is every step of pre-processing fitted on the training set alone?", ("L1.2",)),
            ("Are features, settings and model chosen without the test set?", ("L1.3",)),
            ("Is no image, nor a copy of one, in both?", ("L1.4",)),
        ),
    ),
    (
        "L2 · Every feature is legitimate",
        (
            (
                "What can the model see, and why would all of it be at hand, and mean the same, "
                "where it is to be used?",
                ("L2",),
            ),
        ),
    ),
    (
        "L3 · The test set is from the distribution that the claim is about",
        (
            ("Is the test set from after training, if the claim is about the future?", ("L3.1",)),
            (
                "Are training and test images independent, or dependent only as in use?",
                ("L3.2",),
            ),
            ("Is the test set sampled without selection from that distribution?", ("L3.3",)),
        ),
    ),
)
OPEN = "*To be answered by the author.*"


def format_model_info(card):
    """Fill in the model info sheet from a report card.

    Parameters
    ----------
    card : ReportCard

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        "# Model info sheet",
        "",
        "After Kapoor & Narayanan 2023, doi 10.1016/j.patter.2023.100804. Filled in by "
        "`leakcard` from the split; what a split cannot tell is marked.",
    ]
    number = 0
    for title, questions in SECTIONS:
        lines += ["", f"## {title}"]
        for question, sources in questions:
            number += 1
            lines += ["", f"**{number}. {question}**", ""]
            lines += _answer(card, sources)
    return "\n".join(lines) + "\n"


def _answer(card, sources):
    if not sources:
        return [OPEN]
    if sources == ("about",):
        return [card.describe()]
    lines, questions = [], []
    for row in card.rows:
        if row.code not in sources:
            continue
        text = " ".join(part for part in (row.figure, row.reason) if part)
        lines.append(f"- {row.title}: **{row.status}**. {text}")
        questions.append(row.question)
    asked = [f"- {OPEN} {text}" for text in dict.fromkeys(filter(None, questions))]
    return [*lines, *asked] or [f"{OPEN} ({', '.join(CODES[code] for code in sources)})"]
