"""Audit a split: `leakcard audit DIR_OR_CSV [--out DIR]` (or `python -m leakcard audit ...`).

Writes report_card.{json,md,html}, pairs.csv, units.csv and model_info.md. Exit code 0: pass or
warnings; 1: a leak was found; 2: wrong usage, or nothing could be checked. Nothing is written into
the audited images.
"""

import argparse
import sys
import warnings
from pathlib import Path

import leakcard
from leakcard import images, reading, rows, rules, stats

PLAIN_MARKS = {"fail": "x", "warn": "!", "not testable": "?", "pass": "ok"}


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
    add = audit.add_argument
    add("images", help="folder split/class/image, or CSV with path,label,split")
    add("--out", default="report_card", help="folder of the card (./report_card)")
    add("--group", help="a CSV column whose groups must not be in two splits")
    add(
        "--pattern",
        help=f"finds the patient in file names: {', '.join(leakcard.PATTERNS)} or a regular "
        "expression with a group",
    )
    add("--record", help="JSON record of the training run (see leakcard.training_record)")
    add(
        "--permutations",
        type=int,
        default=999,
        help=f"for each p-value (999); fewer than {stats.LEAST_PERMUTATIONS} are raised to that",
    )
    add("--seed", type=int, default=0, help="of permutations and folds (0)")
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
    add("--verbose", action="store_true", help="show the rows that pass, too")
    explain = commands.add_parser(
        "rules", help="what a row looks at, what it cannot see, when it is wrong, what to do"
    )
    explain.add_argument("rule", nargs="?", help="a code or a row, such as L1.4; all if left out")
    explain.add_argument("--rates", default=rules.RATES_PATH, help="CSV of measured rates")
    explain.add_argument("--out", help="write a page a code into this folder")
    return parser


def check_output(out, audited):
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
                f"The report card would be written into the audited images. Expected a folder "
                f"outside of {place}: choose one with --out. Received: {out}"
            )


def main(arguments=None):
    options = make_parser().parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # what cannot be read is named by the card
    try:
        if options.command == "rules":
            return explain_rules(options)
        card = audit_images(options)
        out = card.write(options.out, with_pictures=not options.no_pictures)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"leakcard: {error}\n")
        return 2
    write_report(card, out, options.verbose)
    if card.has_leak:
        return 1
    if card.about["num_read"] == 0 and card.about["num_unreadable"]:
        sys.stderr.write("leakcard: no image could be read; nothing was checked but the list.\n")
        return 2
    if all(row.status == "not testable" for row in card.rows):
        sys.stderr.write(
            "leakcard: nothing could be checked. Give readable images, or columns label and "
            "split.\n"
        )
        return 2
    return 0


def audit_images(options):
    """Return the card of what the command line names."""
    for name in ("permutations", "max_pixels"):
        if getattr(options, name) < 1:
            raise ValueError(
                f"--{name.replace('_', '-')} must be 1 or more. Received: {getattr(options, name)}"
            )
    images.allow_pixels(options.max_pixels)
    target = Path(options.images)
    table = reading.read_images(target)
    audited = {target.resolve()} if target.is_dir() else reading.find_image_folders(table)
    check_output(options.out, audited)
    record = leakcard.read_record(options.record) if options.record else None
    num_permutations = max(options.permutations, stats.LEAST_PERMUTATIONS)
    if num_permutations > options.permutations:
        table.attrs["notes"] = [
            *table.attrs.get("notes", []),
            f"{num_permutations} permutations instead of {options.permutations}: with fewer, no "
            f"p-value of a card of {stats.NUM_TESTS} tests could be under 0.05 once corrected.",
        ]
    return leakcard.audit(
        table,
        record=record,
        group=options.group,
        pattern=options.pattern,
        copies=options.copies,
        num_permutations=num_permutations,
        seed=options.seed,
    )


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
    for note in card.about["notes"]:
        _say(f"note: {note}")
    unreadable = [f"{one['image_id']}: {one['reason']}" for one in card.about["unreadable"]]
    names, more = rows.show_first(unreadable, card.about["num_unreadable"])
    for text in [*names, *filter(None, [more])]:
        _say(f"left out, cannot be read: {text}")
    _say(f"{card.describe()}\nReport card: {out / 'report_card.html'}")


if __name__ == "__main__":
    sys.exit(main())
