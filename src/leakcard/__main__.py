"""Audit a split: `leakcard audit DIR_OR_CSV [--out DIR]` (or `python -m leakcard audit ...`).

Writes report_card.{json,md,html} and model_info.md. Exit code 0: pass or warnings; 1: a leak was
found; 2: wrong usage, or nothing could be checked. Nothing is written into the audited images.
"""

import argparse
import sys
from pathlib import Path

import leakcard
from leakcard import reading, rows

NUM_SHOWN = 10
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
    add("--permutations", type=int, default=999, help="for each p-value (999)")
    add("--seed", type=int, default=0, help="of permutations and folds (0)")
    add("--no-pictures", action="store_true", help="HTML without thumbnails")
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
    try:
        if options.permutations < 1:
            raise ValueError(f"--permutations must be 1 or more. Received: {options.permutations}")
        target = Path(options.images)
        table = reading.read_images(target)
        audited = {target.resolve()} if target.is_dir() else reading.find_image_folders(table)
        check_output(options.out, audited)
        record = leakcard.read_record(options.record) if options.record else None
        card = leakcard.audit(
            table,
            record=record,
            group=options.group,
            pattern=options.pattern,
            num_permutations=options.permutations,
            seed=options.seed,
        )
        out = card.write(options.out, with_pictures=not options.no_pictures)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"leakcard: {error}\n")
        return 2
    write_report(card, out)
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


def write_report(card, out):
    """Write the card to standard output, a line a row, and all that was not used."""
    marks = _choose_marks()
    for row in card.rows:
        told = row.figure if row.status != "not testable" else row.reason
        _say(f"{marks[row.status]} {row.code:<5}{row.status:<13}{row.title}: {told}")
    for note in card.about["notes"]:
        _say(f"note: {note}")
    unreadable = card.about["unreadable"]
    for one in unreadable[:NUM_SHOWN]:
        _say(f"left out, cannot be read: {one['image_id']}: {one['reason']}")
    if card.about["num_unreadable"] > NUM_SHOWN:
        more = card.about["num_unreadable"] - NUM_SHOWN
        _say(f"left out, cannot be read: {more} more, see report_card.json")
    _say(f"{card.describe()}\nReport card: {out / 'report_card.html'}")


if __name__ == "__main__":
    sys.exit(main())
