"""Clean an executed notebook of what only this machine knows, and write its page."""

import html
import os
import re
import sys
from pathlib import Path

import nbformat

from nbrun import state

# Where a path begins in JSON, which may be right after a line feed or a colour code.
BEGIN = r"(?:(?<![\w.~-])|(?<=\\[nrt])|(?<=\dm))"
# Few folders: a picture in base64 is full of slashes, and an open end would run through all of it.
KERNEL_TEMPORARY = re.compile(r"(?:/[^\s:'\"/]+){0,30}/ipykernel_\d+/\d+\.py")
# A link of Markdown to a file, without a place in it.
LINK = re.compile(r"\]\(([^):#\s]+)")
UNDESCRIBED = 'alt="No description has been provided for this image"'  # nbconvert's words


def clean_notebook(path, project, names, published):
    """Take out noise and the machine's own folders, and write the notebook's HTML beside it.

    Parameters
    ----------
    path : Path
        Changed in place, atomically.
    project : Project
    names : dict of str to str
        Folders and what to call them.
    published : Path
        The folder that it will lie in; links to what lies beside its source lead there from here.
    """
    from nbconvert import HTMLExporter  # a second of imports

    notebook = nbformat.read(path, as_version=4)
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs = [output for output in cell.outputs if _clean_output(output, project)]
    for cell in (cell for cell in notebook.cells if cell.cell_type == "markdown"):
        cell.source = _keep_links(cell.source, project, published)
    text = nbformat.writes(notebook, version=4)
    for folder in sorted(names, key=len, reverse=True):
        end = "" if folder.endswith("/") else r"(?![\w.-])"
        if folder in text:  # told at once; the expression takes its time with every picture
            text = re.sub(f"{BEGIN}{re.escape(folder)}{end}", names[folder], text)
    if "/ipykernel_" in text:
        text = KERNEL_TEMPORARY.sub("cell", text)
    state.write_text(path, text + "\n")
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(nbformat.reads(text, 4))
    state.write_text(path.with_suffix(".html"), _describe_pictures(page, notebook))


def _describe_pictures(page, notebook):
    """Give the pictures of a page the descriptions that nbconvert's template leaves out."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output for output in outputs if "image/png" in output.get("data", ())]
    parts = page.split(UNDESCRIBED)
    if len(parts) != len(shown) + 1:
        return page  # others are among them: none is given a description that is not its own
    texts = [output.metadata.get("image/png", {}).get("alt", "") for output in shown]
    alts = [f'alt="{html.escape(text)}"' if text else UNDESCRIBED for text in texts]
    return "".join(map("".join, zip(parts, [*alts, ""], strict=True)))


def _keep_links(text, project, folder):
    """Let relative links lead to the same files; results elsewhere do not tell where these lie."""
    if not folder.is_relative_to(project.root):
        return text

    def lead(link):
        target = project.notebooks / link[1]
        if not target.exists():
            return link[0]
        return f"]({Path(os.path.relpath(target, folder)).as_posix()}"

    return LINK.sub(lead, text)


def _clean_output(output, project):
    """Clean one output in place; return whether anything of it is left."""
    if output.output_type == "stream" and project.noise:
        lines = output.text.split("\n")
        output.text = "\n".join(line for line in lines if not project.noise.search(line))
        return bool(output.text.strip())
    return True


def list_names(project, call, job, staging):
    """Folders of this machine and what to call them in a notebook that others read."""
    run_dir, results = job.run_dir, project.results_dir
    run = run_dir.relative_to(results) if run_dir.is_relative_to(results) else run_dir.name
    names = {
        str(staging): f"results/{run}/{staging.name}",
        f"{run_dir}/": f"results/{run}/",
        f"{job.source.parent}/": "notebooks/",
        f"{call.data_dir}/": "data/",
        f"{project.cache_dir}/": "data/cache/",
        f"{project.root}/": "",
        f"{sys.prefix}/": "",
        f"{Path.home()}/": "~/",
    }
    return {folder: name for folder, name in names.items() if folder.strip("/")}  # HOME may be /
