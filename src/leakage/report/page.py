"""The page of a run: notebook 08 as one HTML file that asks no network.

nbconvert renders it through the template beside this module, which adds the notebooks' links and
figures around what 08 shows.
"""

import base64
import io
import json
from pathlib import Path

import nbformat
from PIL import Image

from leakage.report import run_claims, summary, tables
from leakcard import files

NOTEBOOK = "08_results_at_a_glance"
TEMPLATES, TEMPLATE = Path(__file__).parent, "page_template"
HIDDEN = "not_on_the_page"  # tag of cells that belong to the notebook alone
THUMBNAIL_WIDTH_PX, WEBP_QUALITY = 480, 70
LINKS = {
    ".html": "executed notebook",
    ".ipynb": "executed notebook (.ipynb)",
    "metrics.json": "all numbers",
    "predictions.csv": "predictions",
}
INSTEAD = "Notebook 08 was not run after the others; this is its table alone."


def write_index(run_dir, remarks=()):
    """Write `index.html`: notebook 08, the links and the figures of all notebooks.

    Small versions of the figures are within the page where the whole run was made from phantoms;
    figures of a run with real images are only linked, so that a page that is sent on never
    carries the picture of a patient. Where 08 failed or is older than the numbers of another
    notebook, the table of claims stands in its place.

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
    """
    from nbconvert import HTMLExporter  # a second of imports
    from traitlets.config import Config

    run_dir = Path(run_dir)
    records = run_claims.collect_records(run_dir)
    is_phantom = bool(len(records)) and bool((records["data_source"] == "phantoms").all())
    told = {
        "name": run_dir.name,
        "notes": [*run_claims.list_notes(records), *remarks],
        "inlined": is_phantom,
        "notebooks": [
            _describe_notebook(folder, is_phantom) for folder in summary.list_notebooks(run_dir)
        ],
        "files": [n for n in ("summary.md", "environment.json") if (run_dir / n).is_file()],
        "style": (TEMPLATES / TEMPLATE / "page.css").read_text(encoding="utf-8"),
        "script": (TEMPLATES / TEMPLATE / "page.js").read_text(encoding="utf-8"),
    }
    exporter = HTMLExporter(
        template_name=TEMPLATE,
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_input=True,
        config=Config({"TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": {HIDDEN}}}),
    )
    notebook = _read_notebook(run_dir, records)
    page, _ = exporter.from_notebook_node(notebook, resources={"run": told})
    lines = (line.rstrip() for line in page.splitlines())
    return files.write_text(run_dir / "index.html", "\n".join(filter(None, lines)) + "\n")


def _read_notebook(run_dir, records):
    """Notebook 08 as it was executed, or what stands for it."""
    path = run_dir / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    numbers = run_dir.glob("[0-9][0-9]_*/metrics.json")
    if path.is_file():
        finished = path.stat().st_mtime
        if all(one.stat().st_mtime <= finished for one in numbers):
            return nbformat.read(path, as_version=4)
    table = tables.Table(run_claims.make_claims_table(records), "Published and found accuracies")
    shown = nbformat.v4.new_output("display_data", {"text/html": table._repr_html_()})
    text = f"## Claims\n\n{INSTEAD if len(table.frame) else 'Nothing recorded yet.'}"
    cells = [nbformat.v4.new_markdown_cell(text)]
    if len(table.frame):
        cells.append(nbformat.v4.new_code_cell(outputs=[shown]))
    return nbformat.v4.new_notebook(cells=cells)


def _describe_notebook(folder, is_phantom):
    name = folder.name
    found = [(f"{name}{end}" if end[0] == "." else end, text) for end, text in LINKS.items()]
    found += [(path.name, path.stem.replace("_", " ")) for path in sorted(folder.glob("*card*.md"))]
    texts_path = folder / "figures" / "alt_texts.json"
    texts = json.loads(texts_path.read_text(encoding="utf-8")) if texts_path.is_file() else {}
    return {
        "number": name[:2],
        "title": name[3:].replace("_", " ").capitalize(),
        "links": [(f"{name}/{one}", text) for one, text in found if (folder / one).is_file()],
        "figures": [
            {
                "address": f"{name}/figures/{path.name}",
                "source": _make_thumbnail(path) if is_phantom else f"{name}/figures/{path.name}",
                "alt": texts.get(path.stem) or path.stem.replace("_", " "),
            }
            for path in sorted(folder.glob("figures/*.png"))
            if name != NOTEBOOK  # stands in the page itself
        ],
    }


def _make_thumbnail(path):
    stream = io.BytesIO()
    with Image.open(path) as image:
        picture = image.convert("RGB")
    picture.thumbnail((THUMBNAIL_WIDTH_PX, 4 * THUMBNAIL_WIDTH_PX), Image.Resampling.LANCZOS)
    picture.save(stream, "WEBP", quality=WEBP_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
