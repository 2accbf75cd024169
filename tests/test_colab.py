"""The bootstrap of every badge, run on a simulated Colab: its packages, its module, its folder.

Of Colab's packages only the metadata is there, which is all that pip looks at, so this takes
seconds; where uv is, notebook 02 also runs to its end on the versions themselves.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leakage import paths
from leakage.data import sources

NOTEBOOKS = sorted((paths.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NOTEBOOK = paths.ROOT / "notebooks" / "02_explore_convnet_activations.ipynb"
DATA = "src/leakage/data"

# What Colab does not have: our three, and the one of their needs that it does not have either.
MISSING = {"papermill", "tf-keras-vis", "imagehash", "deprecated"}
if sys.version_info[:2] == (3, 12):  # papermill asks for it there alone; the list left it out
    MISSING |= {"aiohttp"}
SMALL = {"size_px": 48, "num_epochs": 1, "seeds": [27], "num_explained": 1}

LIST_INSTALLED = """
import importlib.metadata, json
installed = {}
for found in importlib.metadata.distributions():
    installed.setdefault(found.metadata["Name"], found.version)
print(json.dumps(installed))
"""
# A badge opens the notebook in a kernel that has Colab's module loaded and stands in /content.
RUN_CELL = """
import json, os, sys
import google.colab
exec(sys.argv[1])
exec(sys.argv[1])  # a reader runs the cell again
import leakage
print(json.dumps([os.getcwd(), leakage.__file__]))
"""
RUN_NOTEBOOK = """
import json, sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
place = next(i for i, cell in enumerate(notebook.cells)
             if "parameters" in cell.metadata.get("tags", []))
values = "\\n".join(f"{name} = {value!r}" for name, value in json.loads(sys.argv[2]).items())
notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(values))
notebook.cells.insert(0, nbformat.v4.new_code_cell("import google.colab"))
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[3])
"""


def run(command, folder, env=None, check=True):
    command = [*map(str, command)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, f"{command[:4]}:\n{done.stdout}\n{done.stderr}"
    return done


def read_freeze(shared_dir):
    """Colab's packages: {name: version}, names and versions as pip prints them."""
    text = (shared_dir / "colab-2026-08-pip-freeze.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE))


def write_metadata(site, name, version):
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def commit(place):
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    alone = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}  # no one's hooks and signatures
    for command in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "-m", "x"]):
        run(["git", *command], place, alone)


class Colab:
    """A simulated Colab: a Python, a repository to clone from, and how to run things there."""

    def __init__(self, folder, python, shared_dir):
        self.folder, self.python, self.repository = folder, python, folder / "repository"
        (self.site,) = python.parents[1].glob("lib/python3.*/site-packages")
        (self.site / "google" / "colab").mkdir(parents=True)
        (self.site / "google" / "colab" / "__init__.py").touch()
        # As on Colab, Debian's older copy of a package lies further down the path.
        write_metadata(folder / "dist-packages", "requests", "2.28.1")
        (self.site / "debian.pth").write_text(f"{folder / 'dist-packages'}\n")
        keep = ("PATH", "HOME", "LANG", "PYENV_ROOT", "PIP_", "SSL_", "REQUESTS_", "OPENBLAS_")
        self.environment = {k: v for k, v in os.environ.items() if k.startswith(keep)} | {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "COLAB_RELEASE_TAG": "release-colab-simulated",
            "LEAKAGE_REPOSITORY": self.repository.as_uri(),
            "LEAKAGE_DATA_DIR": str(shared_dir / "data"),
        }
        self.copy_checkout()

    def copy_checkout(self):
        """Make a repository of the working tree as it is, without results."""
        command = ["git", "ls-files", "-coz", "--exclude-standard", "--", ".", ":!results"]
        listing = run(command, paths.ROOT, check=False)
        if listing.returncode:
            pytest.skip(f"not a checkout of git: {paths.ROOT}")
        for name in filter(None, listing.stdout.split("\0")):
            if (paths.ROOT / name).is_file():
                (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(paths.ROOT / name, self.repository / name)
        # GitHub's address of a file, https://github.com/.../raw/main/..., leads here too
        (self.repository / "raw").mkdir()
        (self.repository / "raw" / "main").symlink_to("..")
        commit(self.repository)

    def list_installed(self):
        return json.loads(run([self.python, "-c", LIST_INSTALLED], self.folder).stdout)

    def bootstrap(self, content, check=True, **environment):
        content.mkdir(exist_ok=True)
        command = [self.python, "-c", RUN_CELL, get_bootstrap(NOTEBOOK)]
        return run(command, content, self.environment | environment, check)


def get_bootstrap(path):
    return nbformat.read(path, as_version=4).cells[1].source


@pytest.fixture(scope="module")
def colab(tmp_path_factory, shared_dir):
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder / "colab", with_pip=True)
    colab = Colab(folder, folder / "colab" / "bin" / "python", shared_dir)
    command = [colab.python, "-m", "pip", "download", "--quiet", "--no-deps", "imagehash"]
    if run(command, folder, check=False).returncode:
        pytest.skip("no package registry here")
    for name, version in read_freeze(shared_dir).items():
        if not [*colab.site.glob(f"{name}-*.dist-info")]:  # pip is real
            write_metadata(colab.site, name, version)
    # It needs packages that are only said to be here; it prints what it was asked for.
    (colab.repository / DATA / "__init__.py").write_text("")
    recorder = "import sys; print('asked for', *sys.argv[1:])"
    (colab.repository / DATA / "download.py").write_text(recorder)
    commit(colab.repository)
    return colab


@pytest.fixture(scope="module")
def set_up(colab):
    """What is installed before and after the bootstrap, and what the bootstrap said."""
    before = colab.list_installed()
    done = colab.bootstrap(colab.folder / "content")
    return before, colab.list_installed(), done


def test_without_a_registry_the_bootstrap_says_so_and_ends(colab):
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    done = colab.bootstrap(colab.folder / "offline", check=False, **nowhere)
    assert done.returncode != 0 and "pip could not install what is missing" in done.stderr
    assert "CalledProcessError" in done.stderr  # so the cells below it do not run


def test_the_bootstrap_installs_only_what_is_missing_and_moves_no_package(set_up):
    before, after, done = set_up
    assert len(before) > 600 and {name: after.get(name) for name in before} == before
    assert {canonicalize_name(name) for name in set(after) - set(before)} == MISSING
    (line,) = re.findall(r"installing only what is missing: (.*)", done.stderr)  # once of twice
    named = [Requirement(text).name for text in line.split()]
    assert sorted(named) == ["imagehash", "papermill", "tf-keras-vis"]
    assert "note:" not in done.stderr


def test_the_bootstrap_leads_to_the_package_and_the_data(colab, set_up):
    clone = colab.folder / "content" / "leakage"
    restarted = colab.bootstrap(clone.parent)
    for done in (set_up[2], restarted):
        folder, package = map(Path, json.loads(done.stdout.splitlines()[-1]))
        assert folder == clone / "notebooks"
        assert package.resolve() == clone / "src" / "leakage" / "__init__.py"
        assert done.stdout.count("asked for wolf_husky") == 2


def test_all_bootstraps_are_this_one_but_for_the_datasets_that_they_name():
    texts = [get_bootstrap(path) for path in NOTEBOOKS]
    assert len({re.sub(r"datasets = .*", "", text) for text in texts}) == 1
    for text in texts:
        named = ast.literal_eval(re.search(r"datasets = (.*)", text)[1])
        assert set(named) <= set(sources.SOURCES)


def test_a_package_outside_the_tested_range_is_named(colab, set_up):
    place = colab.repository / "requirements.txt"
    place.write_text(place.read_text().replace("keras>=3.12,<4", "keras>=3.14,<4"))
    commit(colab.repository)
    done = colab.bootstrap(colab.folder / "later")
    assert "note: tested with keras<4 and >=3.14 but Colab has keras==3.13.2" in done.stderr


@pytest.mark.slow
def test_notebook_02_runs_to_its_end_on_colabs_own_versions(shared_dir, tmp_path):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv here, which installs Colab's packages in seconds")
    python, pins = tmp_path / "colab" / "bin" / "python", read_freeze(shared_dir)
    run([uv, "venv", "--quiet", "--seed", "--python", sys.executable, python.parents[1]], tmp_path)
    colab = Colab(tmp_path, python, shared_dir)
    (tmp_path / "held").write_text("".join(f"{name}=={pins[name]}\n" for name in pins))
    # those of Colab's three distributions of cv2 that needs no libGL
    wanted = [*(paths.ROOT / "requirements.txt").read_text().splitlines(), "opencv-python-headless"]
    (tmp_path / "wanted").write_text(
        "\n".join(w for w in wanted if not w.startswith("opencv-contrib"))
    )
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "-c", "held"]
    found = run([*command, "--python", python, "wanted"], tmp_path).stdout.splitlines()
    names = {canonicalize_name(name) for name in pins}
    (tmp_path / "there").write_text("\n".join(f for f in found if f.split("==")[0] in names))
    run([uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "-r", "there"], tmp_path)
    before = colab.list_installed()
    command = [python, "-c", RUN_NOTEBOOK, NOTEBOOK, json.dumps(SMALL), tmp_path / "out.ipynb"]
    (tmp_path / "content").mkdir()
    run(command, tmp_path / "content", colab.environment)
    after = colab.list_installed()
    assert {name: after.get(name) for name in before} == before
    assert "wolf_husky: 240 files, 0 fetched now" in (tmp_path / "out.ipynb").read_text()
    results = tmp_path / "content" / "leakage" / "results" / "interactive" / NOTEBOOK.stem
    assert json.loads((results / "metrics.json").read_text())
    shutil.rmtree(python.parents[1])  # 2.5 GB, and pytest keeps three runs
