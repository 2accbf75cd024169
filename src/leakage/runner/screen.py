"""Tell on the terminal how a run is going, in lines that also read well in a log."""

import itertools
import re
import shutil
import sys
import textwrap
import time

# A log gets a sign of life this often; a terminal's line is redrawn at every look.
LOG_INTERVAL_SECONDS = 60
NUM_TAIL_BYTES = 4000
CURSOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
TABLE_WIDTH, MIN_CLAIM_WIDTH, MAX_NETWORK_WIDTH = 110, 18, 18
# The columns of the table of claims that fit a terminal, and what to call them there.
CLAIM_HEADINGS = {
    "system": "",
    "claim": "claim",
    "protocol": "protocol",
    "network": "network",
    "published": "published",
    "ours": "ours",
    "interval": "95 % between",
    "chance": "chance",
    "runs": "seeds",
    "verdict": "verdict",
}


def format_duration(seconds):
    """Format seconds as `42 s` or `3 min 07 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def read_tail(path):
    """The last thing a progress file says, on one line; empty if there is none."""
    try:
        with open(path, "rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - NUM_TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    text = CURSOR.sub("", text)  # bars within bars move it
    return re.split(r"[\r\n]", text.rstrip("\r\n"))[-1].strip()


class Screen:
    """Lines that stay, and one line that is redrawn where the output is a terminal.

    Parameters
    ----------
    stream : file object, optional
        Standard output by default.
    """

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.is_terminal = self.stream.isatty()
        self._last_log = time.monotonic()
        self._num_drawn = 0

    def say(self, text):
        """Print a line that stays."""
        self._erase()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def show(self, entries, as_table=False):
        """Show what runs now: redrawn on a terminal, a line a minute in a log.

        Parameters
        ----------
        entries : list of str
            One for every running notebook.
        as_table : bool
            On a terminal, a line for each entry.
        """
        now = time.monotonic()
        text = " | ".join(entries)
        if self.is_terminal:
            size = shutil.get_terminal_size()
            lines = entries[: size.lines - 1] if as_table else [text]
            self._erase()
            self.stream.write("\n".join(line[: size.columns - 1] for line in lines))
            self._num_drawn = len(lines)
        elif now - self._last_log >= LOG_INTERVAL_SECONDS:
            self._last_log = now
            self.stream.write(f"  ... {text}\n")
        self.stream.flush()

    def _erase(self):
        if self._num_drawn:
            up = f"\x1b[{self._num_drawn - 1}A" if self._num_drawn > 1 else ""
            self.stream.write(f"\r{up}\x1b[J")
            self._num_drawn = 0


def format_claims(table):
    """Format the table of claims for a terminal of 100 to 120 columns.

    Parameters
    ----------
    table : DataFrame
        From `report.make_claims_table`.

    Returns
    -------
    str
        Aligned columns; those that are empty for every claim are left out, long claims wrap.
    """
    if table.empty:
        return "No claims recorded."
    shown = table.assign(
        network=[
            both if len(both := f"{backbone} {weights}".strip()) <= MAX_NETWORK_WIDTH else backbone
            for backbone, weights in zip(table["backbone"], table["weights"], strict=True)
        ],
        runs=[
            f"{seeds}" + (f" ({collapsed}*)" if collapsed else "")
            for seeds, collapsed in zip(table["seeds"], table["collapsed"], strict=True)
        ],
        published=table["published"].str.rpartition(" = ")[2],
        ours=table["ours"].str.replace(" = ", " "),
        interval=table["interval"].str.replace(" to ", "-"),
    )
    columns = {
        name: [heading, *map(str, shown[name])]
        for name, heading in CLAIM_HEADINGS.items()
        if name == "claim" or any(map(str, shown[name]))
    }
    widths = {name: max(map(len, column)) for name, column in columns.items()}
    free = TABLE_WIDTH - sum(width + 2 for name, width in widths.items() if name != "claim")
    widths["claim"] = min(widths["claim"], max(free, MIN_CLAIM_WIDTH))
    lines = []
    for row in zip(*columns.values(), strict=True):
        cells = {
            name: textwrap.wrap(text, widths["claim"]) if name == "claim" else [text]
            for name, text in zip(columns, row, strict=True)
        }
        for parts in itertools.zip_longest(*cells.values(), fillvalue=""):
            padded = (part.ljust(w) for part, w in zip(parts, widths.values(), strict=True))
            lines.append("  ".join(padded).rstrip())
    if table["collapsed"].any():
        lines.append("* of these runs never predict one of the classes (collapsed)")
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
