"""How often each rule of the report card finds a leak, and how often it alarms where there is none.

python -m benchmarks.sensitivity [--data-dir DIR] [--sizes 60,160] [--seeds 20] [--kinds 'sex;age']

Draws sets whose truth is known (`LEAKS`, `CLEAN`) at each size with seeds of their own, audits
them, and keeps what each row said in `results/sensitivity/outcomes.csv`: a set that is there is not
drawn again. `rates.csv` has the share of sets in which the row alarmed (warn or fail), with its
Wilson interval; `python -m leakcard rules --out docs/rules` shows it on each rule's page. A leak is
drawn so that a person who looks for it sees it: most of the images of a class, not all, and copies
of a tenth of the test set. A row that is *not testable* has not alarmed.
"""

import contextlib
import functools
import io
import itertools
import sys
import tempfile
from pathlib import Path

import cv2
import joblib
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import leakcard
import phantoms
from benchmarks import common
from leakage import data, evaluation, paths
from leakcard import facts, files
from leakcard.copies import disguises
from phantoms import sets

DEFAULTS = {"data_dir": "", "sizes": "60,160", "seeds": 20, "jobs": 2, "kinds": "", "out": ""}
SMALL = {"sizes": "40", "seeds": 1, "jobs": 1, "kinds": "the same files;sex;nothing follows"}
FOLLOWS = 0.85  # share of the images of a class that have its trait, where a trait follows it
COPIED = 0.1  # share of the test images that are copied into training, at least two
COPIES_KEY = ["image_id_a", "image_id_b", "kind"]


# --- sets: a function of (number of images, seed) gives a table and its pictures


def draw_traits(num_images, seed, base="plain"):
    """A set of `phantoms.sets` with age, sex, source, view and date that follow nothing."""
    table, pictures = sets.SETS[base](num_images, seed)
    rng = np.random.default_rng([seed, 4])
    size = len(table)
    traits = {
        "age_years": rng.integers(20, 85, size).astype(float),
        "sex": rng.choice(["F", "M"], size),
        "source": rng.choice(["one", "two"], size),
        "view": rng.choice(["PA", "AP"], size),
        "date": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, size), "D"),
    }
    known = [name for name in traits if name not in table]
    table = table.assign(**{name: traits[name] for name in known})
    if "date" in known:  # an honest split in time is one way to split; here it follows nothing
        table["date"] = table["date"].dt.strftime("%Y-%m-%d")
    return table, pictures


def change(alter, num_images, seed):
    """A set without a leak, altered: `alter(table, pictures, is_case, rng)` gives both anew."""
    table, pictures = draw_traits(num_images, seed)
    rng = np.random.default_rng([seed, 5])
    return alter(table, pictures, (table["label"] == "case").to_numpy(), rng)


def follow(column, of_case, of_control):
    """A column that follows the label in `FOLLOWS` of the images."""

    def alter(table, pictures, is_case, rng):
        as_label = rng.random(len(table)) < FOLLOWS
        has_case = np.where(as_label, is_case, ~is_case)
        values = np.where(has_case, of_case(len(table), rng), of_control(len(table), rng))
        return table.assign(**{column: values}), pictures

    return functools.partial(change, alter)


def always(value):
    return lambda size, rng: np.full(size, value)


def between(low, high):
    return lambda size, rng: rng.integers(low, high, size).astype(float)


def days(low, high):
    return lambda size, rng: np.datetime_as_string(
        np.datetime64("2020-01-01") + rng.integers(low, high, size)
    )


def redraw(draw):
    """Pictures of one class are changed in `FOLLOWS` of the cases: `draw(picture, rng)`."""

    def alter(table, pictures, is_case, rng):
        chosen = is_case & (rng.random(len(table)) < FOLLOWS)
        return table, [draw(p, rng) if c else p for p, c in zip(pictures, chosen, strict=True)]

    return functools.partial(change, alter)


def copy(disguise=None, source="test", other_label=False):
    """Copies of some images of one split in the training set, as images of other patients."""

    def alter(table, pictures, is_case, rng):
        there = np.flatnonzero(table["split"] == source)
        chosen = rng.choice(there, max(2, round(COPIED * len(there))), replace=False)
        rows = table.iloc[chosen].assign(split="train")
        rows["image_id"] = [f"copy_{number:03d}" for number in range(len(rows))]
        rows["patient_id"] = [f"q{number:03d}" for number in range(len(rows))]
        if other_label:
            rows["label"] = rows["label"].map({"case": "control", "control": "case"})
        made = [disguise(pictures[place], rng) if disguise else pictures[place] for place in chosen]
        return pd.concat([table, rows], ignore_index=True), [*pictures, *made]

    return functools.partial(change, alter)


def share_patients(how):
    """Some images are said to be of a patient who has another image elsewhere."""

    def alter(table, pictures, is_case, rng):
        table = table.assign(device=[f"d{number}" for number in range(len(table))])
        in_test = np.flatnonzero(table["split"] == "test")
        in_train = np.flatnonzero(table["split"] == "train")
        count = max(2, round(COPIED * len(in_test)))
        if how == "labels":
            one = rng.choice(np.flatnonzero(is_case & (table["split"] == "train")), count)
            other = rng.choice(np.flatnonzero(~is_case & (table["split"] == "train")), count)
        else:
            one, other = rng.choice(in_test, count), rng.choice(in_train, count)
        column = "device" if how == "group" else "patient_id"
        names = table[column].to_numpy(copy=True)
        for a, b in zip(one, other, strict=True):
            names[b] = names[a].upper() if how == "spelling" else names[a]
        table = table.assign(**{column: names})
        traits = ["age_years", "sex", "source"]  # of one patient, as the images now are
        table.loc[other, traits] = table.loc[one, traits].to_numpy()
        return table, pictures

    return functools.partial(change, alter)


def assign(function):
    """A column changed: `function(table, is_case, rng)` gives columns."""

    def alter(table, pictures, is_case, rng):
        return table.assign(**function(table, is_case, rng)), pictures

    return functools.partial(change, alter)


def shade(picture, rng):
    """Brighter to the right by up to 50 gray values: seen in a thumbnail."""
    slope = np.linspace(0, 50, picture.shape[1], dtype=np.float32)
    return np.clip(picture + slope, 0, 255).astype(np.uint8)


def shrink(picture, rng):
    return cv2.resize(picture, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)


def move_test_set(table, is_case, rng):
    """Most of the test set and little of the training set are of one source."""
    is_test = (table["split"] == "test").to_numpy()
    is_there = np.where(rng.random(len(table)) < FOLLOWS, is_test, ~is_test)
    return {"source": np.where(is_there, "two", "one")}


def repeat_cases(table, is_case, rng):
    """Cases have three images a patient, controls one; patients stay in their split."""
    names = table["patient_id"].to_numpy(copy=True)
    for split in ("train", "test"):
        places = np.flatnonzero(is_case & (table["split"] == split))
        for place in range(0, len(places) - len(places) % 3, 3):
            names[places[place : place + 3]] = names[places[place]]
    return {"patient_id": names}


def brighten(picture, rng):
    return np.clip(picture * 1.25, 0, 255).astype(np.uint8)


def add_children(table, is_case, rng):
    return {"age_years": np.where(rng.random(len(table)) < 0.1, 5.0, table["age_years"])}


def date_test_first(table, is_case, rng):
    early, late = days(0, 200)(len(table), rng), days(150, 700)(len(table), rng)
    return {"date": np.where(table["split"] == "test", early, late)}


JPEG = disguises.COPIES["JPEG quality 50"]
# Kind: (the row that must alarm, the set).
LEAKS = {
    "the same files": ("duplicates_across_splits", copy()),
    "copies, darker, cut by 0 to 5 %, resized, JPEG": (
        "duplicates_across_splits",
        copy(disguises.COPIES["crop, gamma 0.8, 224, JPEG"]),
    ),
    "mirrored copies": ("duplicates_across_splits", copy(disguises.COPIES["mirrored"])),
    "negative copies": ("duplicates_across_splits", copy(lambda picture, rng: 255 - picture)),
    "copies turned by 4 to 15 degrees": ("duplicates_across_splits", copy(sets.turn)),
    "copies cut by 20 %": ("duplicates_across_splits", copy(disguises.crop_fifth)),
    "four turned versions of each image": ("duplicates_across_splits", sets.SETS["turned_copies"]),
    "copies within training": ("duplicates_within_split", copy(JPEG, "train")),
    "copies under two labels": ("duplicates_across_labels", copy(JPEG, "train", other_label=True)),
    "patients in two splits": ("patient_across_splits", share_patients("splits")),
    "patients under two labels": ("patient_across_labels", share_patients("labels")),
    "patients spelled in two ways": ("patient_spellings", share_patients("spelling")),
    "devices in two splits": ("group_across_splits", share_patients("group")),
    "age": ("age_gap", follow("age_years", between(50, 85), between(20, 55))),
    "some children": ("under_18", assign(add_children)),
    "sex": ("sex", follow("sex", always("M"), always("F"))),
    "view": ("view", follow("view", always("AP"), always("PA"))),
    "source": ("source", follow("source", always("one"), always("two"))),
    "background": ("background", follow("background", always("snow"), always("grass"))),
    "date": ("date_gap", follow("date", days(350, 700), days(0, 400))),
    "a test set before training": ("temporal_order", assign(date_test_first)),
    "file format": ("file_format", follow("suffix", always(".png"), always(".jpg"))),
    "image size": ("size_class", redraw(shrink)),
    "number of images a patient": ("patient_sizes", assign(repeat_cases)),
    "a test set of another source": ("split_source", assign(move_test_set)),
    "a frame": ("border_classifier", sets.SETS["hospitals"]),
    "a frame, two images a case": ("border_classifier", sets.SETS["two_images_a_case"]),
    # With fewer images there would be too few patients to test.
    "a frame, no two patients alike, 8 times as many images": (
        "border_classifier",
        lambda size, seed: sets.draw_films(8 * size, seed),
    ),
    "brightness": ("histogram_classifier", redraw(brighten)),
    "blur": ("quality_classifier", redraw(lambda picture, rng: cv2.blur(picture, (3, 3)))),
    "brighter to one side": ("thumbnail_classifier", redraw(shade)),
    "several traits": ("metadata_classifier", sets.SETS["hospitals"]),
    "an L anywhere": ("patch_classifier", sets.SETS["marks"]),
    "a turned L": ("patch_classifier", sets.SETS["turned_marks"]),
    "a letter anywhere": ("patch_classifier", sets.SETS["letters"]),
    "a faint letter anywhere": ("patch_classifier", sets.SETS["faint_letters"]),
    "a square anywhere": ("patch_classifier", sets.SETS["squares"]),
    "an arrow anywhere": ("patch_classifier", sets.SETS["arrows"]),
    "a letter beside what fills the frame": ("patch_classifier", sets.SETS["tissue_with_letter"]),
}
# Beside each check stand the rows that it makes.
CHECK_OF = {
    row: name
    for name, check in leakcard.CHECKS.items()
    for rule in sys.modules[check.__module__].RULES
    for row in rule.checks
}


def draw_unequal(num_images, seed):
    """One class has a fifth of the images."""
    table, pictures = draw_traits(2 * num_images, seed)
    keep = np.flatnonzero((table["label"] == "control") | (np.arange(len(table)) % 8 == 1))
    keep = keep[: max(num_images, 10)]
    return table.iloc[keep].reset_index(drop=True), [pictures[place] for place in keep]


def draw_three_classes(num_images, seed):
    table, pictures = draw_traits(num_images, seed)
    return table.assign(label=[f"class {n % 3}" for n in range(len(table))]), pictures


def draw_several_images(num_images, seed):
    """Patients have one to four images whatever their label."""
    rng = np.random.default_rng([seed, 6])
    table, pictures = draw_traits(num_images, seed)
    owners = np.repeat(np.arange(len(table)), rng.integers(1, 5, len(table)))[: len(table)]
    same = {name: table[name].to_numpy()[owners] for name in table if name != "image_id"}
    return table.assign(**same), pictures


# Kind: the set; two are read from files.
CLEAN = {
    "nothing follows": draw_traits,
    "three classes": draw_three_classes,
    "unequal classes": draw_unequal,
    "several images a patient": draw_several_images,
    "JPEG files": lambda n, seed: _store_jpeg(*draw_traits(n, seed)),
    "sources that number alike": sets.SETS["same_numbers"],
    "a disease of fine texture": sets.SETS["texture"],
    "tissue that fills the frame": sets.SETS["tissue"],
    "an external test set": sets.SETS["other_place"],
    "chest phantoms": None,
    "real X-rays, labels drawn": None,
}
# What is so in these sets, so that to say it is no false alarm. A test set of so few images is
# small, whatever it holds.
IS_SO = {
    "an external test set": {"split_source", "split_age_group"},
    "sources that number alike": {"split_source"},
    "real X-rays, labels drawn": {"under_18"},
    # Further images of a phantom patient are the same drawing, moved and turned a little.
    "chest phantoms": {"duplicates_within_split"},
}
ALWAYS_SO = {"test_set"}


def _store_jpeg(table, pictures):
    return table.assign(suffix=".jpg"), pictures


def draw_chest(folder, num_images, seed):
    """Chest phantoms whose label follows the lesion alone, patients in one split each."""
    each = -(-num_images // 3)
    wanted = dict.fromkeys(("covid", "normal", "pneumonia"), each)
    drawn = phantoms.write_chest(
        folder / "chest", num_images=wanted, seed=seed, confounding=0.0, size_px=64
    )
    return _split_patients(data.READERS["phantoms"](drawn), seed)


def draw_real(data_dir, num_images, seed):
    """Real X-rays of one collection; the labels are drawn by patient and follow nothing."""
    table = data.READERS["nih"](data_dir, labels=["normal", "pneumonia"])
    rng = np.random.default_rng([seed, 7])
    patients = rng.permutation(sorted(set(table["patient_id"])))
    table = table.set_index("patient_id").loc[patients].reset_index().head(num_images)
    labels = {name: rng.choice(["a", "b"]) for name in patients}
    return _split_patients(table.assign(label=table["patient_id"].map(labels)), seed)


def _split_patients(table, seed):
    patients = np.random.default_rng([seed, 8]).permutation(sorted(set(table["patient_id"])))
    test = set(patients[: round(0.3 * len(patients))])
    return table.assign(split=["test" if p in test else "train" for p in table["patient_id"]])


def audit_set(kind, size, seed, data_dir):
    """Draw and audit one set: rows of kind, size, seed, row of the card and its status."""
    quiet = contextlib.redirect_stderr(
        io.StringIO()
    )  # a progress bar a set would hide the bar of all
    with tempfile.TemporaryDirectory() as place, quiet:
        options = {}
        if kind in LEAKS:
            row, make = LEAKS[kind]
            table = facts.describe_files(sets.write_set(place, *make(size, seed)))
            check = CHECK_OF[row]
            options["checks"] = {check: leakcard.CHECKS[check]}
            if check != "duplicates":  # the search for copies takes longer than all the rest
                options["pairs"] = pd.DataFrame(columns=COPIES_KEY)
            if kind == "devices in two splits":
                options["group"] = "device"
        elif kind == "chest phantoms":
            table = draw_chest(Path(place), size, seed)
        elif kind == "real X-rays, labels drawn":
            table = draw_real(data_dir, size, seed)
        else:
            table = facts.describe_files(sets.write_set(place, *CLEAN[kind](size, seed)))
        card = leakcard.audit(table, seed=seed, **options)
    return pd.DataFrame(
        [(kind, size, seed, row.check, row.status) for row in card.rows],
        columns=["kind", "size", "seed", "row", "status"],
    )


def count_rates(outcomes):
    """Rates of alarms, as `leakcard rules` reads them: a row for each rule, kind and size.

    Of a leak: among all sets. Of clean sets: among those in which the row was testable; kinds in
    which it never alarmed are counted together.
    """
    outcomes = outcomes.assign(
        is_leak=outcomes["kind"].isin(list(LEAKS)),
        alarm=outcomes["status"].isin(["warn", "fail"]),
        rule=outcomes["row"].str.replace("device_", "group_"),  # rows of a column are of one rule
        size=outcomes["size"].astype(str),
    )
    expected = outcomes["kind"].map({kind: row for kind, (row, _) in LEAKS.items()})
    is_so = [row in ALWAYS_SO | IS_SO.get(kind, set()) for kind, row in _pair(outcomes)]
    testable = (outcomes["status"] != "not testable") & ~np.array(is_so)
    asked = outcomes[np.where(outcomes["is_leak"], outcomes["rule"] == expected, testable)].copy()
    alarms = asked.groupby(["rule", "kind"])["alarm"].transform("sum")
    silent = ~asked["is_leak"] & (alarms == 0)
    num_kinds = asked[silent].groupby("rule")["kind"].nunique()
    asked.loc[silent, "kind"] = asked["rule"].map(lambda rule: f"{num_kinds.get(rule)} other kinds")
    asked.loc[silent, "size"] = "all"
    counts = asked.groupby(["rule", "kind", "is_leak", "size"], sort=False)["alarm"]
    rates = counts.agg(alarms="sum", sets="size").reset_index()
    bounds = [
        evaluation.wilson_interval(k, n)
        for k, n in zip(rates["alarms"], rates["sets"], strict=True)
    ]
    rates[["low", "high"]] = np.round(bounds, 4)
    return rates.sort_values(
        ["rule", "is_leak", "kind", "size"], ascending=[True, False, True, True]
    )


def _pair(outcomes):
    return zip(outcomes["kind"], outcomes["row"], strict=True)


def measure(options):
    out = Path(options.out or paths.ROOT / "results" / "sensitivity")
    out.mkdir(parents=True, exist_ok=True)
    named = options.kinds.split(";") if options.kinds else [*LEAKS, *CLEAN]
    kinds = [kind for kind in named if options.data_dir or kind != "real X-rays, labels drawn"]
    wanted = list(
        itertools.product(range(options.seeds), kinds, map(int, options.sizes.split(",")))
    )
    kept = out / "outcomes.csv"
    done = pd.read_csv(kept) if kept.exists() else None
    known = (
        set() if done is None else set(zip(done["seed"], done["kind"], done["size"], strict=True))
    )
    todo = [each for each in wanted if each not in known]
    running = joblib.Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
        joblib.delayed(audit_set)(kind, size, seed, options.data_dir) for seed, kind, size in todo
    )
    for number, rows in enumerate(tqdm(running, "sets", total=len(todo)), start=1):
        done = pd.concat([done, rows], ignore_index=True)
        if number % 20 == 0 or number == len(todo):
            order = done.sort_values(["kind", "size", "seed"], kind="stable")
            with files.open_atomic(kept, "w") as stream:
                order.to_csv(stream, index=False)
    rates = count_rates(done)
    with files.open_atomic(out / "rates.csv", "w") as stream:
        rates.to_csv(stream, index=False)
    clean = done[done["kind"].isin(CLEAN) & (done["status"] == "fail")]
    is_clean = ~rates["is_leak"]
    return {
        "kinds": {"leak": len(LEAKS), "clean": len(CLEAN)},
        "found": _describe_share(rates[~is_clean], "sets with a leak"),
        "false_alarms": _describe_share(rates[is_clean], "testable rows of clean sets"),
        "clean_sets_that_fail": len(clean[["kind", "size", "seed"]].drop_duplicates()),
    }


def _describe_share(rates, what):
    return f"{rates['alarms'].sum()} of {rates['sets'].sum()} {what}"


def main(arguments=None):
    return common.run_benchmark(__doc__, DEFAULTS, SMALL, measure, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
