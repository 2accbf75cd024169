"""L2: do small patches tell the label, wherever they lie: a letter, a marker, an arrow?

Border, thumbnail and quality see neither what is small nor what lies elsewhere in each image.
"""

import numpy as np
import pandas as pd

from leakcard import classifier, patches
from leakcard import rows as card_rows
from leakcard.rows import Row, Rule

ROW = {
    "code": "L2",
    "check": "patch_classifier",
    "title": "Label predicted from small patches anywhere",
}
WARN_GAIN = 0.15
# Lesions have patches of their own: phantoms with plain lesions and no confound reach a gain of
# 0.29 (609 patients of three classes). Half as much more is the alarm, and never a failure.
ALARM_GAIN = 0.45
NUM_SHOWN = 8
ACTION = (
    "Look at the patches on the page: if they are marks, paint them over or crop them in all "
    "classes alike, and test again."
)
QUESTION = "Are the patches that tell the classes apart marks, or the subject itself?"

RULES = (
    Rule(
        code=ROW["code"],
        checks=(ROW["check"],),
        title=ROW["title"],
        looks_at=f"The {patches.NUM_PATCHES} patches of an image that stand out most from what is "
        f"around them, at two sizes (3 % and 6 % of its width). Patches of all images are sorted "
        f"into {patches.NUM_WORDS} kinds without a look at any label, and a classifier (nearest "
        "shrunken centroids) sees how near an image comes to each kind, not where. It is trained "
        "and tested in five folds that keep patients together, and again with labels dealt out "
        f"anew among patients. A gain of {ALARM_GAIN} and more warns (0: chance, 1: all right), "
        f"and it never fails; from {WARN_GAIN} to there it is not testable.",
        cannot_see="Marks smaller than about 2 % of the height, much larger than 6 %, or fainter "
        "than what else stands out in the image; where a patch lies. A mark that half of a class "
        "has, or less, does not warn: on real X-rays its gain was 0.2 to 0.4, as that of lesions. "
        "Only a person can tell a mark from a disease: the page shows the patches most typical of "
        "one class, `boxes` in the JSON file say where they lie.",
        wrong_when="The disease, or the subject itself, has small details of its own (cells of "
        "another size, nodules, fur).",
        what_to_do=ACTION,
    ),
)


def check_marks(images, units, looks, num_permutations, seed):
    """L2: a classifier that sees which small patches an image has, not where they lie."""
    if looks is None:
        return [_skip("The images could not be read.")]
    cut, found = looks.select(images["image_id"], "patches")
    usable = found & images["label"].notna().to_numpy()
    obstacle = classifier.find_obstacle(images.loc[usable, "label"].astype(str), units[usable])
    if obstacle:
        return [_skip(obstacle)]
    # Sampled before words are learned: all patches of a large set would not fit.
    chosen = classifier.sample_groups(units[usable], classifier.MAX_IMAGES, seed)
    cut = cut[usable[found]][chosen]
    places = looks.select(images["image_id"], "places")[0][usable[found]][chosen]
    images, units = images[usable].iloc[chosen], units[usable][chosen]
    codes, names = pd.factorize(images["label"].astype(str), sort=True)
    features, nearest = patches.compare_with_words(cut, seed)
    if not (np.ptp(features, axis=0) > 0).any():
        told = {"figure": "the same for all images", "reason": "There is nothing to learn from."}
        return [Row(**ROW, status="pass", **told)]
    score = classifier.score_features(
        features, codes, units, num_permutations, seed, classifier.fit_centroids
    )
    label, rows, numbers = _find_typical(features, nearest, codes, units)
    ids = images["image_id"].iloc[rows].astype(str)
    boxes = tuple(
        {"image_id": name, **_describe_place(place)}
        for name, place in zip(ids, places[rows, numbers].astype(float), strict=True)
    )
    return [_describe(score, names[label], boxes, len(names))]


def _find_typical(features, nearest, codes, units):
    """The patches of the word that most tells a label by being there: label, rows, patches."""
    deviations = features - features.mean(axis=0)
    deviations /= np.maximum(features.std(axis=0), 1e-9)
    targets = np.eye(codes.max() + 1, dtype=np.float32)[codes]
    centroids = classifier.shrink_centroids(deviations, targets[np.newaxis])[0]
    label, word = np.unravel_index(centroids.argmax(), centroids.shape)
    of_label = np.flatnonzero(codes == label)
    order = of_label[np.argsort(-features[of_label, word], kind="stable")]
    rows = order[np.sort(np.unique(units[order], return_index=True)[1])][:NUM_SHOWN]
    return label, rows, nearest[rows, word]


def _describe_place(place):
    left, top, side = (round(float(part), 4) for part in place)
    return {"left": left, "top": top, "width": side, "height": side}


def _describe(score, label, boxes, num_labels):
    status = "pass"
    if score.gain >= WARN_GAIN:
        status = "warn" if score.gain >= ALARM_GAIN else "not testable"
    first = boxes[0]
    where = (
        f"Most typical of {label!r}: in {first['image_id']}, {first['left']:.0%} from the left and "
        f"{first['top']:.0%} from the top. Only a person can tell a mark from a disease."
    )
    reasons = {
        "pass": "It comes hardly further than chance.",
        "not testable": f"Above chance, by a gain of {score.gain:.2f} of 1; under {ALARM_GAIN} the "
        f"disease alone may be what tells, so subject and mark cannot be told apart here. {where}",
        "warn": f"The label can be told from small patches alone. {where}",
    }
    seen = {} if status == "pass" else {"boxes": boxes}
    if status == "warn":
        seen |= card_rows.name_images(box["image_id"] for box in boxes) | {"action": ACTION}
    return Row(
        **ROW,
        status=status,
        reason=reasons[status],
        question="" if status == "pass" else QUESTION,
        **classifier.describe_score(score, num_labels),
        threshold=WARN_GAIN,
        **seen,
    )


def _skip(reason):
    return card_rows.ask(ROW, reason, "Is there a letter or a marker in the images of one class?")
