"""Does the card work on this set? Copies of its own images, and a label that means nothing."""

import hashlib

import numpy as np
import pandas as pd
from tqdm import tqdm

from leakcard import classifier, images, intervals
from leakcard.copies import candidates, disguises, search
from leakcard.looks import measure_looks
from leakcard.rows import Row, Rule

NUM_IMAGES = 100
# One of each sort, and three that are harder.
KINDS = (
    "JPEG quality 10",
    "thumbnail of 96 px",
    "mirrored",
    "turned by 3 degrees",
    "turned by a quarter",
    "crop, 20 % across and down",
    "padded by 15 % a side",
    "negative",
    "CLAHE",
    "letters burned in",
    "crop 20 %, CLAHE, 224 px",
    "turned by 5 degrees, mirrored, JPEG 10",
)
LEAST_RECALL = 0.95
COPIES = {"code": "L1.4", "check": "copies_found_here", "title": "Copies found in this set"}
ABSURD = {"code": "L3.2", "check": "absurd_label", "title": "A label that means nothing"}
SIGNIFICANCE = 0.01

RULES = (
    Rule(
        code=COPIES["code"],
        checks=(COPIES["check"],),
        title="Copies found in this set",
        looks_at=f"With `--calibrate`: {NUM_IMAGES} images of different units are disguised in "
        f"{len(KINDS)} ways, and the search that the card used looks for them among the images "
        "as they are.",
        cannot_see="Other disguises than these. Copies of images that the search itself left out, "
        "such as those of one colour. False pairs that are rarer than one in these images.",
        wrong_when="The set already has copies under two units: they are counted as pairs that "
        "are none.",
        what_to_do="Where the search misses copies of images like yours, a pass of L1.4 says "
        "little: look at the pairs, and ask where the images come from.",
    ),
    Rule(
        code=ABSURD["code"],
        checks=(ABSURD["check"],),
        title="A label that means nothing",
        looks_at="With `--calibrate`: each unit gets a label by a hash of its number. Whether "
        "the images, as 16 x 16 pixels, tell it better than such labels exchanged between units.",
        cannot_see="Groups within a unit, and those that 16 x 16 pixels do not show.",
        wrong_when=f"Chance tells it in {SIGNIFICANCE:.0%} of sets without hidden groups.",
        what_to_do="Look for groups that the list does not name, such as series, devices or "
        "stations; name them by `--group` and audit again.",
    ),
)


def calibrate(card, num_images=NUM_IMAGES, kinds=KINDS, num_permutations=999, seed=0):
    """Try the search for copies and the classifiers on the images of a card.

    Parameters
    ----------
    card : ReportCard
        With its table, units and what it measured.
    num_images : int
        Images to disguise, of different units.
    kinds : sequence of str
        Names in `disguises.COPIES`.
    num_permutations, seed : int

    Returns
    -------
    list of Row
        `copies_found_here`: how many disguised images are found again, and how many pairs are
        found that are none; a warning under a recall of 0.95 or with a false pair.
        `absurd_label`: whether a label dealt to units by a hash can be told from 16 x 16 pixels, as
        it cannot where units are independent; a warning if so.
    """
    table = card.table.dropna(subset=["path", "sha256"]).drop_duplicates("image_id")
    units = card.units.drop_duplicates("image").set_index("image")["unit"]
    table = table.assign(unit=table["image_id"].map(units).to_numpy())
    pairs = card.measured.get("pairs")  # from elsewhere they may not say by which search
    used = None if pairs is None else pairs.attrs.get("search")
    used = used or ("full" if len(table) <= search.MAX_FULL_IMAGES else "fast")
    return [
        _try_copies(table, used, num_images, kinds, seed),
        _try_absurd_label(card, table, num_permutations, seed),
    ]


def _try_copies(table, used, num_images, kinds, seed):
    rng = np.random.default_rng([seed, 4])
    several = table.drop_duplicates("unit")
    chosen = several.iloc[np.sort(rng.permutation(len(several))[:num_images])]
    decoded = [images.decode_image(path) for path in tqdm(chosen["path"], "decode", leave=False)]
    with_points = used == "full"
    originals = disguises.fingerprint_images(decoded, with_points)
    splits = [frozenset({"original"})] * len(decoded) + [frozenset({"copy"})] * len(decoded)
    found, num_false = {}, 0
    names = list(disguises.COPIES)
    for kind in tqdm(kinds, "disguise images", leave=False):
        own = np.random.default_rng([seed, names.index(kind)])
        copies = [disguises.COPIES[kind](image, own) for image in decoded]
        prints = originals + disguises.fingerprint_images(copies, with_points)
        pairs = candidates.find_copies(prints, splits).pairs
        size = len(decoded)
        found[kind] = sum((row, row + size) in pairs for row in range(size))
        num_false += sum(one % size != two % size for one, two in pairs)
    total, tries = sum(found.values()), len(kinds) * len(decoded)
    if not tries:
        reason = "No image could be read."
        return Row(**COPIES, status="not testable", reason=reason)
    worst = min(found, key=found.get)
    recall, (lower, upper) = total / tries, intervals.wilson_interval(total, tries)
    is_good = recall >= LEAST_RECALL and not num_false
    return Row(
        **COPIES,
        status="pass" if is_good else "warn",
        figure=f"{total} of {tries} disguised copies of {len(decoded)} images found by the {used} "
        f"search ({recall:.1%}; {lower:.1%} to {upper:.1%}); fewest of {worst!r}: {found[worst]}; "
        f"{num_false} pairs found that are none",
        value=recall,
        lower=lower,
        upper=upper,
        reason="The search works on images like these."
        if is_good
        else "On images like these the search misses copies, or takes others for copies.",
        action="" if is_good else "Look at the pairs yourself; count what is not found as unknown.",
    )


def deal_label(unit, seed):
    """Return the label that means nothing of a unit: 0 or 1 by a hash of its number."""
    return hashlib.sha256(f"{seed} {unit}".encode()).digest()[-1] % 2


def _try_absurd_label(card, table, num_permutations, seed):
    looks = card.measured.get("looks") or measure_looks(table)
    row = ABSURD | {"status": "not testable"}
    if looks.image_ids.empty:
        return Row(**row, reason="The images could not be read.")
    features, seen = looks.select(table["image_id"], "thumbnails")
    units = table["unit"].to_numpy()[seen]
    codes = np.array([deal_label(unit, seed) for unit in units])
    obstacle = classifier.find_obstacle(pd.Series(codes.astype(str)), units)
    if obstacle:
        return Row(**row, reason=obstacle)
    score = classifier.score_features(features, codes, units, num_permutations, seed)
    is_told = score.p_value < SIGNIFICANCE
    told = classifier.describe_score(score, 2)
    return Row(
        **ABSURD,
        status="warn" if is_told else "pass",
        figure=f"{told['figure']}; p = {score.p_value:.3f}",
        value=score.accuracy,
        lower=score.lower,
        upper=score.upper,
        reason="A label dealt to units by a hash can be told: units are not independent of each "
        "other, or this is the one time in a hundred that chance does it."
        if is_told
        else "A label dealt to units by a hash cannot be told, as it should be.",
        action="Look for groups that the list does not name (series, devices)." if is_told else "",
    )
