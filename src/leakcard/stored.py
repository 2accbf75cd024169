"""The report cards of a study as files, in the order in which the study draws."""

import re
from pathlib import Path

from leakcard import card as cards_module
from leakcard import files

PREFIX = "report_card"


def write_cards(folder, cards):
    """Write each card as JSON and Markdown.

    Parameters
    ----------
    folder : str or Path
        The notebook's output folder.
    cards : dict of str to ReportCard
        By the name of the draw, in the order in which a reader wants them.

    Returns
    -------
    list of Path
        `report_card_<number>_<name>.json` of each card; the Markdown stands beside it.
    """
    paths = []
    for number, (name, card) in enumerate(cards.items(), start=1):
        stem = f"{PREFIX}_{number:02d}_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}"
        paths.append(files.write_json(Path(folder) / f"{stem}.json", card.to_json()))
        files.write_text(Path(folder) / f"{stem}.md", card.to_markdown())
    return paths


def read_cards(run_dir):
    """Read the cards of every notebook of a run.

    Parameters
    ----------
    run_dir : str or Path

    Returns
    -------
    dict of str to ReportCard
        By number of the notebook and name of the draw, in their order.
    """
    found = {}
    for path in sorted(Path(run_dir).glob(f"[0-9][0-9]_*/{PREFIX}_*.json")):
        name = re.sub(rf"{PREFIX}_(\d\d_)?", "", path.stem).replace("_", " ")
        found[f"{path.parent.name[:2]} {name}"] = cards_module.read_card(path)
    return found
