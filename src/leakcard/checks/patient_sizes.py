"""L3.3: does the number of images of a patient follow the label?"""

import numpy as np
import pandas as pd

from leakcard import association, stats
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

RULES = (
    Rule(
        code="L3.3",
        checks=("patient_sizes",),
        title="Label and number of images a patient",
        looks_at="Whether the number of images of a patient (joined with those who share a "
        "picture) follows the label, by its ranks. It warns and never fails.",
        cannot_see="Anything where patients are not known.",
        wrong_when="Every patient has images of all classes.",
        what_to_do="Take as many images of every patient, or weigh them.",
        files=("units.csv",),
    ),
)


def check_patient_sizes(images, units, num_permutations, seed):
    """L3.3: no single image shows it, but classes then weigh otherwise, and copies count more."""
    row = {
        "code": "L3.3",
        "check": "patient_sizes",
        "title": "Label and number of images a patient",
    }
    if (images["patient_id"] == images["image_id"]).all():
        reason = "No column says which images belong together (patients)."
        question = "Does the number of images a patient differ between the classes?"
        return card_rows.ask(row, reason, question)
    labelled = images["label"].notna().to_numpy()
    labels, units = images.loc[labelled, "label"], units[labelled]
    chosen = association.keep_testable(labels, units, np.ones(len(labels), dtype=bool))
    labels, units = labels[chosen].astype(str), units[chosen]
    if labels.nunique() < 2:
        return association.ask(row, "number of images a patient", "is known for one class only")
    sizes = pd.Series(units).groupby(units).transform("size").to_numpy()
    if (sizes == 1).all():
        reason = "Every patient, as far as patients are known, has one image."
        return Row(**row, status="pass", figure=f"{len(sizes)} patients", reason=reason)
    codes = pd.factorize(labels, sort=True)[0]
    test = stats.measure_rank_gap(codes, sizes, units, num_permutations, seed)
    means = pd.Series(sizes).groupby([labels.to_numpy(), units]).first().groupby(level=0).mean()
    figure = "images a patient: " + ", ".join(f"{name} {mean:.1f}" for name, mean in means.items())
    status = "pass" if card_rows.judge_effect(test.effect) == "pass" else "warn"
    return Row(
        **row,
        **card_rows.describe_test(test),
        status=status,
        figure=f"{figure}; effect {test.effect:.2f}",
        value=float(means.max() - means.min()),
        reason="It does not follow the label."
        if status == "pass"
        else "It follows the label: no single image shows it, but the class with more images a "
        "patient weighs more in training, and its near-copies count as many.",
        action="" if status == "pass" else "Take as many images of every patient, or weigh.",
    )
