"""Write the page of a run: one HTML file, opened from the file system, asking no network."""

import base64
import io
import json
import re
from pathlib import Path

import jinja2
from PIL import Image

from leakage.report import claims, scores
from leakcard import files

# The figure to remember is the last one that a notebook of the run saved under this name.
FIGURE_TO_REMEMBER = "claims"
CAM_PREFIX = "grad_cam"
FILES = ("summary.md", "environment.json")
# Wide enough to read the titles of a grid of maps; of the other figures, to recognise them.
CAM_WIDTH_PX, THUMBNAIL_WIDTH_PX = 960, 540
WEBP_QUALITY = 75
MARKS = {
    "reproduced": "✓", "above": "▲", "below": "▼", "inconclusive": "~", "not comparable": "≠",
    "no published value": "–", "fail": "✗", "warn": "!", "not testable": "?", "pass": "✓",
}  # fmt: skip
# Of each table: the column, its heading, and whether its cells are sorted by the number in them
# (None: not at all). What a reader on a phone should see without scrolling stands first.
CLAIMS = [
    ("claim", "Claim, protocol", False), ("strip", "From 0 to 1", None),
    ("published", "Published", True), ("ours", "Ours", True), ("interval", "95 % interval", True),
    ("verdict", "Verdict", False), ("chance", "Chance", True), ("recall", "Lowest recall", True),
    ("seeds", "Seeds", True), ("spread", "Over seeds", True),
    ("collapsed", "Collapsed runs", True), ("notebook", "Notebook", True),
    ("network", "Backbone, weights", False),
]  # fmt: skip
RUNS = [
    ("run", "Run, protocol", False), ("seed", "Seed", True), ("accuracy", "Accuracy", True),
    ("interval", "95 % interval", True), ("balanced", "Balanced accuracy", True),
    ("auc", "AUC", True), ("recall", "Lowest recall", True),
    ("never_predicted", "Never predicted", True), ("draw", "Draw", True),
    ("notebook", "Notebook", True), ("network", "Backbone, weights", False),
]  # fmt: skip
RELIANCE = [
    ("version", "Version, model", False), ("test-time", "Test-time", True),
    ("retrained", "Retrained", True), ("n", "n", True), ("notebook", "Notebook", True),
]  # fmt: skip
ENERGY = [
    ("explained", "Class, network", False), ("energy", "Energy", True), ("area", "Area", True),
    ("enrichment", "Energy / area", True), ("n", "n", True),
]  # fmt: skip


def write_index(run_dir, remarks=()):
    """Write `index.html`: the page of a run that a reader sends to a colleague.

    Tables, script and the figure to remember are within the page. So are small versions of the
    other figures where the whole run was made from phantoms; figures of a run with real images
    are only linked, so that a page that is sent on never carries the picture of a patient.

    Parameters
    ----------
    run_dir : str or Path
        A folder of results; what is missing in it is left out of the page.
    remarks : sequence of str
        What else a reader must know, such as the notebooks that failed.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        If a report card cannot be read.
    """
    run_dir = Path(run_dir)
    here = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=here, autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    text = environment.get_template("page.html").render(_describe_run(run_dir, remarks))
    lines = (line.strip() for line in text.splitlines())
    return files.write_text(run_dir / "index.html", "\n".join(filter(None, lines)) + "\n")


def _describe_run(run_dir, remarks):
    records = claims.collect_records(run_dir)
    notes = [*claims.list_notes(records), *remarks]
    is_phantom = bool(len(records)) and bool((records["data_source"] == "phantoms").all())
    notebooks = [_describe_notebook(path, records, is_phantom) for path in
                 claims.list_notebooks(run_dir)]  # fmt: skip
    table = claims.make_claims_table(records)
    runs = scores.make_runs_table(records)
    return {
        "name": run_dir.name,
        "notes": notes,
        "marks": MARKS,
        "inlined": is_phantom,
        "remembered": _find_remembered(run_dir),
        "claims": (CLAIMS, _add_network(table).assign(strip=[_draw_strip(row) for row in
                   table.to_dict("records")]).to_dict("records")),
        "runs": (RUNS, _add_network(runs).to_dict("records")),
        "num_collapsed": int((runs["never_predicted"].replace("", "0").astype(int) > 0).sum()),
        "reliance": (RELIANCE, scores.make_reliance_table(records).to_dict("records")),
        "energy_columns": ENERGY,
        "notebooks": notebooks,
        **_read_cards(run_dir),
        "files": [path.name for path in map(run_dir.joinpath, FILES) if path.is_file()],
    }  # fmt: skip


def _read_cards(run_dir):
    if not any(run_dir.glob("[0-9][0-9]_*/report_card*.json")):
        return {"cards": {}, "grid": None, "codes": {}}
    import leakcard

    cards = leakcard.read_cards(run_dir)
    return {"cards": cards, "grid": leakcard.compare_cards(cards), "codes": leakcard.CODES}


def _add_network(table):
    """Backbone and weights as one column: the weights of a saved backbone can be a long text."""
    pairs = zip(table["backbone"], table["weights"], strict=True)
    return table.assign(network=[", ".join(filter(None, pair)) for pair in pairs])


def _draw_strip(row):
    """Positions, from 0 to 100, of what a claim's strip shows; None where it is not known."""

    def find(text):
        return [100 * float(number) for number in re.findall(r"\d\.\d+", text)]

    lower_upper, published, chance = map(find, (row["interval"], row["published"], row["chance"]))
    if len(lower_upper) != 2 or not find(row["ours"]):
        return None
    names = ("lower", "upper", "ours", "published", "chance")
    values = [*lower_upper, find(row["ours"])[-1], *[v[-1] if v else None for v in
              (published, chance)]]  # fmt: skip
    return dict(zip(names, values, strict=True))


def _find_remembered(run_dir):
    paths = sorted(Path(run_dir).glob(f"[0-9][0-9]_*/figures/{FIGURE_TO_REMEMBER}.png"))
    return _describe_figure(paths[-1], run_dir, None) if paths else None


def _describe_notebook(folder, records, is_phantom):
    name = folder.name
    own = records[records["notebook"].astype(str).str[:2] == name[:2]]
    kinds = {
        f"{name}.html": "read the executed notebook",
        f"{name}.ipynb": "executed notebook (.ipynb)",
        "metrics.json": "all numbers",
        "predictions.csv": "predictions",
    }
    figures = [
        _describe_figure(path, folder.parent, _get_width(path) if is_phantom else 0)
        for path in sorted((folder / "figures").glob("*.png"))
        if path.stem != FIGURE_TO_REMEMBER
    ]
    cams = [one for one in figures if one["name"].startswith(CAM_PREFIX)]
    energy = scores.make_energy_table(own).to_dict("records")
    return {
        "number": name[:2],
        "title": name[3:].replace("_", " ").capitalize(),
        "has_maps": bool(cams or energy),
        "links": [(f"{name}/{file}", text) for file, text in kinds.items()
                  if (folder / file).is_file()],
        "cams": cams,
        "figures": [one for one in figures if one not in cams],
        "energy": energy,
    }  # fmt: skip


def _get_width(path):
    return CAM_WIDTH_PX if path.stem.startswith(CAM_PREFIX) else THUMBNAIL_WIDTH_PX


def _describe_figure(path, run_dir, width_px):
    """Where a figure is, its description, and the picture itself.

    `width_px` is that of the copy within the page; 0 links the file instead, None keeps it whole.
    """
    texts_path = path.with_name("alt_texts.json")
    texts = json.loads(texts_path.read_text(encoding="utf-8")) if texts_path.is_file() else {}
    address = path.relative_to(run_dir).as_posix()
    with Image.open(path) as image:
        width, height = image.size
        source = address if width_px == 0 else _embed_picture(image, width_px)
    return {
        "name": path.stem,
        "title": path.stem.replace("_", " "),
        "alt": texts.get(path.stem, path.stem),
        "address": address,
        "source": source,
        "width": width,
        "height": height,
    }


def _embed_picture(image, width_px):
    stream = io.BytesIO()
    picture = image.convert("RGB")
    if width_px is None:
        picture.save(stream, "WEBP", lossless=True, method=4)
    else:
        picture.thumbnail((width_px, 4 * width_px), Image.Resampling.LANCZOS)
        picture.save(stream, "WEBP", quality=WEBP_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
