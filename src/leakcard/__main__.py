"""Audit a split: `leakcard audit DATA [--out DIR]` (or `python -m leakcard audit ...`).

Writes report_card.{json,md,html}, pairs.csv, units.csv and model_info.md, and scores.csv where
predictions are given. Exit code 0: pass or warnings; 1: a leak was found (with --baseline: a new
one); 2: wrong usage, or nothing could be checked. Nothing is written into the audited images.
"""

import argparse
import functools
import sys
import warnings
from pathlib import Path

import leakcard
from leakcard import (
    calibration,
    files,
    guard,
    images,
    model_card,
    model_page,
    multilabel,
    predictions,
    probes,
    reading,
    repair,
    repair_page,
    rows,
    rules,
    stats,
    values,
)

PLAIN_MARKS = {"fail": "x", "warn": "!", "not testable": "?", "pass": "ok"}


REPAIR_HELP = """Write the nearest split without a patient or a picture in two of its parts.

Writes OUT (the new split as CSV), and beside it a folder OUT_repair: index.html (both cards next to
each other, what changed and what it cost), changes.csv, and both cards whole in before/ and after/.
Exit code 0: the second audit finds no leak; 1: one is left that moving images cannot close; 2:
wrong usage. Nothing is written into the audited images, and the list is not changed.
"""

PROBES_HELP = """Write versions of the test images that show what a model uses; read its answers.

First writes OUT/images and OUT/manifest.csv (image: its file; version, original, label, unit,
donor, donor_label), and probes.html to look at. Your own model scores the images. Then, with
--predictions, writes OUT/model_card.html and model_card.csv. Exit code 0: done, and no use was
shown; 1: a model follows the border, marks or background; 2: wrong usage. Nothing is written into
the audited images, and no model is loaded.
"""
PROBES_EXAMPLE = """Example:
  leakcard probes chest_xray --pattern kermany --out probes
  (your model scores probes/images, see docs/probes.md)
  leakcard probes chest_xray --pattern kermany --out probes --predictions scores.csv
"""


def make_parser():
    parser = argparse.ArgumentParser(prog="leakcard", description="Find the leaks of image data.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    audit = commands.add_parser(
        "audit",
        help="write the report card of a folder or a list of images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: leakcard audit chest_xray --pattern kermany --out card",
    )
    audit.add_argument("--out", default="report_card", help="folder of the card (./report_card)")
    audit.add_argument(
        "--record", help="JSON record of the training run (see leakcard.training_record)"
    )
    audit.add_argument(
        "--predictions",
        metavar="FILE",
        help="CSV of what models say of the test images (image, then a label a model or a score a "
        "class): what is their score worth without the leak, and in which group is it worst?",
    )
    audit.add_argument(
        "--baseline",
        metavar="REPORT_CARD.json",
        help="fail on leaks alone that this card does not have (its units.csv beside it)",
    )
    audit.add_argument("--junit", metavar="FILE", help="write the rows as JUnit XML, for CI")
    audit.add_argument(
        "--sarif", metavar="FILE", help="write what fails and warns as SARIF, for code hosts"
    )
    audit.add_argument(
        "--calibrate",
        action="store_true",
        help=f"disguise {calibration.NUM_IMAGES} images in {len(calibration.KINDS)} ways and say "
        "how many of these copies are found in this set (a minute more)",
    )
    audit.add_argument(
        "--multi-label",
        metavar="SEPARATOR",
        nargs="?",
        const=multilabel.SEPARATOR,
        help="images have several labels each, written with this (|) between them: a card a label",
    )
    audit.add_argument("--verbose", action="store_true", help="show the rows that pass, too")
    _add_options(audit)
    mend = commands.add_parser(
        "repair",
        help="write the nearest split without a patient or a picture in two of its parts",
        description=REPAIR_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: leakcard repair chest_xray --pattern kermany --out repaired/split.csv",
    )
    mend.add_argument("--out", required=True, help="CSV of the new split")
    mend.add_argument(
        "--folds", type=int, help="a column `fold` too: so many, by unit, outside the test set"
    )
    _add_options(mend)
    probe = commands.add_parser(
        "probes",
        help="write versions of the test images that show what a model uses",
        description=PROBES_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=PROBES_EXAMPLE,
    )
    probe.add_argument("--out", required=True, help="folder of the probes")
    probe.add_argument(
        "--predictions",
        metavar="FILE",
        help="CSV of what models say of the probes (image, a label a model or a score a class)",
    )
    probe.add_argument(
        "--max-images",
        type=int,
        default=probes.MAX_IMAGES,
        help="of more test images so many are drawn (%(default)s)",
    )
    probe.add_argument(
        "--max-side",
        type=int,
        default=probes.LONGEST_SIDE_PX,
        help="longest side of a probe in pixels (%(default)s)",
    )
    _add_options(probe, with_permutations=False)
    explain = commands.add_parser(
        "rules",
        help="what a row looks at, what it cannot see, when it is wrong, what to do",
        epilog="Example: leakcard rules L1.4",
    )
    explain.add_argument("rule", nargs="?", help="a code or a row, such as L1.4; all if left out")
    explain.add_argument(
        "--rates",
        default=rules.RATES_PATH,
        help="CSV of measured rates (default: those of the project, where they are)",
    )
    explain.add_argument("--out", help="write a page a code into this folder")
    return parser


def _add_options(parser, with_permutations=True):
    """What every command that reads images needs to know."""
    add = parser.add_argument
    add(
        "images",
        help="folder split/class/image, CSV or Parquet with path,label,split, or a Hugging Face "
        "dataset on disk",
    )
    add("--group", help="a CSV column whose groups must not be in two splits")
    add(
        "--pattern",
        help=f"finds the patient in file names: {', '.join(leakcard.PATTERNS)} or a regular "
        "expression with a group",
    )
    if with_permutations:
        least = stats.LEAST_PERMUTATIONS
        text = f"for each p-value (999); fewer than {least} are raised to that"
        add("--permutations", type=int, default=999, help=text)
    else:
        parser.set_defaults(permutations=max(999, stats.LEAST_PERMUTATIONS))
    add("--seed", type=int, default=0, help="of all that is drawn (0)")
    add(
        "--max-pixels",
        type=int,
        default=images.MAX_PIXELS,
        help="largest image that is decoded, at about 10 bytes a pixel (%(default)s)",
    )
    add(
        "--copies",
        choices=("full", "fast"),
        help="search for copies that were turned, cut or inverted too (full, the default up to "
        "20,000 images), or for those in the same frame alone (fast)",
    )
    add("--no-pictures", action="store_true", help="HTML without thumbnails")
    add(
        "--cache",
        metavar="DIR",
        help="keep there what is measured of each picture (some 60 kB, a small gray version among "
        "it): no other audit measures it again, and one that was interrupted goes on",
    )


def check_output(out, audited, option="--out"):
    """Refuse to write into the audited images.

    Raises
    ------
    ValueError
        If `out` is one of the folders or lies in one.
    """
    out = Path(out).resolve()
    for place in sorted(audited):
        if out == place or place in out.parents:
            raise ValueError(
                f"Files would be written into the audited images. Expected a folder outside of "
                f"{place}: choose one with {option}. Received: {out}"
            )


@values.keep_any_text
def main(arguments=None):
    options = make_parser().parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # what cannot be read is named by the card
    try:
        if options.command == "rules":
            return explain_rules(options)
        if options.command == "repair":
            return repair_images(options)
        if options.command == "probes":
            return probe_images(options)
        if options.multi_label:
            return audit_labels(options)
        card = audit_images(options)
        try:
            if options.calibrate:
                card.rows += calibration.calibrate(card, seed=options.seed)
            if options.predictions:
                said = predictions.read_predictions(options.predictions, card)
                card.scores = predictions.score_predictions(card, said, seed=options.seed)
        finally:  # a card may have taken minutes: it is kept where the predictions cannot be read
            out = card.write(options.out, with_pictures=not options.no_pictures)
        compared = guard.compare_to_baseline(card, options.baseline) if options.baseline else None
        for path, write in ((options.junit, guard.write_junit), (options.sarif, guard.write_sarif)):
            if path:
                write(path, card, compared)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"leakcard: {error}\n")
        return 2
    write_report(card, out, options.verbose)
    if compared:
        for line in guard.describe_comparison(compared):
            _say(line)
    return _conclude([card], compared.new if compared else card.has_leak)


def _conclude(cards, has_leak):
    """The exit code of cards of the same images; why, where nothing could be checked."""
    if has_leak:
        return 1
    if cards[0].about["num_read"] == 0 and cards[0].about["num_unreadable"]:
        sys.stderr.write("leakcard: no image could be read; nothing was checked but the list.\n")
        return 2
    if all(row.status == "not testable" for card in cards for row in card.rows):
        sys.stderr.write(
            "leakcard: nothing could be checked. Give readable images, or columns label and "
            "split.\n"
        )
        return 2
    return 0


def read_input(options, out):
    """Return the table of what the command line names, and how many permutations a card needs.

    Raises
    ------
    ValueError
        If an option is out of range, or `out` or another file lies in the audited images.
    """
    for name in ("permutations", "max_pixels"):
        if getattr(options, name) < 1:
            raise ValueError(
                f"--{name.replace('_', '-')} must be 1 or more. Received: {getattr(options, name)}"
            )
    images.allow_pixels(options.max_pixels)
    target = Path(options.images)
    table = reading.read_images(target)
    audited = {target.resolve()} if target.is_dir() else reading.find_image_folders(table)
    check_output(out, audited)
    for name in ("junit", "sarif", "cache"):
        if getattr(options, name, None):
            check_output(getattr(options, name), audited, f"--{name}")
    if options.cache:
        files.check_writable(options.cache, "--cache")
    num_permutations = max(options.permutations, stats.LEAST_PERMUTATIONS)
    if num_permutations > options.permutations:
        table.attrs["notes"] = [
            *table.attrs.get("notes", []),
            f"{num_permutations} permutations instead of {options.permutations}: with fewer, no "
            f"p-value of a card of {stats.NUM_TESTS} tests could be under 0.05 once corrected.",
        ]
    return table, num_permutations


def audit_images(options, audit=leakcard.audit):
    """Return the card (or what `audit` returns) of what the command line names."""
    table, num_permutations = read_input(options, options.out)
    record = leakcard.read_record(options.record) if options.record else None
    files.check_writable(options.out)
    return audit(
        table,
        record=record,
        group=options.group,
        pattern=options.pattern,
        copies=options.copies,
        num_permutations=num_permutations,
        seed=options.seed,
        cache_dir=options.cache,
    )


def audit_labels(options):
    """Write a card for each label of a multi-label set."""
    of_one_card = ("predictions", "baseline", "junit", "sarif", "calibrate")
    given = [name for name in of_one_card if getattr(options, name)]
    if given:
        raise ValueError(
            f"--multi-label writes a card a label, and --{given[0]} is about one card. Expected "
            f"one of the two: audit a list whose labels are one name and the rest. Received: both"
        )
    audit = functools.partial(multilabel.audit_labels, separator=options.multi_label)
    cards = audit_images(options, audit)
    index = multilabel.write_labels(options.out, cards, with_pictures=not options.no_pictures)
    for name, card in cards.items():
        _say(f"{_choose_marks()[rows.group_rows(card.rows)[0][0]]} {name}: {card.headline}")
    cards = list(cards.values())
    _say_left_out(cards[0])
    _say(f"Report cards: {index}")
    return _conclude(cards, any(card.has_leak for card in cards))


def repair_images(options):
    """Repair the split of what the command line names, and say what that changed."""
    out = Path(options.out)
    if out.is_dir() or out.resolve() == Path(options.images).resolve():
        raise ValueError(
            "The new split needs a file of its own. Expected --out with the name of a CSV file "
            f"that is neither a folder nor the list itself. Received: {out}"
        )
    table, num_permutations = read_input(options, out)
    files.check_writable(out.parent)
    repaired = repair.repair_table(
        table,
        num_folds=options.folds,
        group=options.group,
        pattern=options.pattern,
        copies=options.copies,
        num_permutations=num_permutations,
        seed=options.seed,
        cache_dir=options.cache,
    )
    repair_page.write_repair(out, repaired, with_pictures=not options.no_pictures)
    for line in repair_page.tell(repaired):
        _say(line)
    _say(f"New split: {out}\nBoth cards: {repair_page.name_folder(out) / 'index.html'}")
    return int(repaired.after.has_leak)


def probe_images(options):
    """Write the probes, or read what models say of them and write their card."""
    table, _ = read_input(options, options.out)
    known = {"pattern": options.pattern, "group": options.group}
    with_pictures = not options.no_pictures
    if not options.predictions:
        made = probes.write_probes(
            table,
            options.out,
            copies=options.copies,
            max_images=options.max_images,
            longest_side_px=options.max_side,
            seed=options.seed,
            cache_dir=options.cache,
            **known,
        )
        where = model_page.write_page(made, with_pictures)
        _say(
            f"{model_page.tell_size(made)}\nImages: {made.folder / probes.FOLDER}, listed in "
            f"{made.folder / probes.MANIFEST}. Let your model score them (docs/probes.md), then "
            f"add --predictions.\nPictures: {where}"
        )
        used = False
    else:
        made = probes.read_probes(options.out, table, **known)
        answers = model_card.read_answers(options.predictions, made)
        scores = model_card.score_probes(made.manifest, answers, seed=options.seed)
        where = model_page.write_model_card(made, answers, scores, with_pictures)
        signs, used = _choose_marks(), False
        for model in answers:
            status, title = model_card.judge(scores, model)
            used = used or status == "fail"
            _say(f"{signs[status]} {title}")
            told = model_card.describe_model(scores, model)
            for line in [*told, *model_card.list_versions(scores, model)]:
                _say(f"  {line}")
        _say(f"{model_page.MIXED}\nModel card: {where}")
    for note in made.notes:
        _say(f"note: {note}")
    return int(used)


def explain_rules(options):
    """Write the list of rules, or the page of one, to standard output; or all pages to files."""
    rates = rules.read_rates(options.rates)
    if options.out:
        rules.write_pages(options.out, rates)
    elif options.rule:
        _say(rules.format_page(options.rule, rates).rstrip())
    else:
        _say(rules.list_rules())
    return 0


def _say(text):
    """Write a line, with a question mark for what the terminal has no sign for."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def _choose_marks():
    encoding = sys.stdout.encoding or "utf-8"
    try:
        "".join(rows.MARKS.values()).encode(encoding)
    except UnicodeEncodeError:
        return PLAIN_MARKS
    return rows.MARKS


def write_report(card, out, verbose=False):
    """Write the card to standard output, the worst first, and all that was not used."""
    marks = _choose_marks()
    _say(card.headline)
    for status, some in rows.group_rows(card.rows):
        if status == "pass" and not verbose:
            _say(f"{marks[status]} {len(some)} more pass (--verbose shows them)")
            continue
        for row in some:
            told = row.figure if status != "not testable" else row.reason
            _say(f"{marks[status]} {row.code:<5}{status:<13}{row.title}: {told}")
    if card.scores is not None:
        for line in predictions.describe_scores(card.scores):
            _say(line)
    _say_left_out(card)
    _say(f"{card.describe()}\nReport card: {out / 'report_card.html'}")


def _say_left_out(card):
    for note in card.about["notes"]:
        _say(f"note: {note}")
    unreadable = [f"{one['image_id']}: {one['reason']}" for one in card.about["unreadable"]]
    names, more = rows.show_first(unreadable, card.about["num_unreadable"])
    for text in [*names, *filter(None, [more])]:
        _say(f"left out, cannot be read: {text}")


if __name__ == "__main__":
    sys.exit(main())
