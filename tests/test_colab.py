"""The bootstrap of every badge, run on a simulated Colab: its packages, its module, its folder.

Of Colab's list of packages those that we touch are installed and what they need, so this wants uv
and a package registry; where one is missing the tests are skipped and say so.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from packaging import requirements, utils

from leakage import paths
from leakage.data import sources

ROOT = paths.ROOT
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NOTEBOOK = ROOT / "notebooks" / "02_explore_convnet_activations.ipynb"
COLAB_PYTHON = (3, 13)
FREEZE = "colab-2026-08-pip-freeze.txt"
# Colab has three distributions that bring cv2. This one needs no libGL and, as the last of them
# to be installed there, is the one whose files win.
OPENCV = "opencv-python-headless"
# What Colab does not have: our three, and the one of their needs that it does not have either.
MISSING = {"papermill", "tf-keras-vis", "imagehash", "deprecated"}
SMALL = {"size_px": 48, "num_epochs": 1, "seeds": [27], "num_explained": 1}
REGISTRY_SECONDS = 300
pytestmark = pytest.mark.slow

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
for _ in range(int(sys.argv[2])):
    exec(sys.argv[1])
import leakage
print(json.dumps({"folder": os.getcwd(), "package": leakage.__file__}))
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
try:
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
finally:
    nbformat.write(notebook, sys.argv[3])
"""
# Stands in for the download of what has no copy here in its published size.
RECORDER = """
import sys
from leakage import sources
print("asked for", *(name for name in sys.argv[1:] if name in sources.SOURCES))
"""


def run(command, folder, env=None, seconds=REGISTRY_SECONDS, check=True):
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=env, capture_output=True, text=True, timeout=seconds
    )
    if check and done.returncode:
        pytest.fail(f"{command[:4]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def read_freeze(path):
    """Colab's packages: {normalised name: version}."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {utils.canonicalize_name(name): version for name, version in pins}


def read_requirements():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    texts = filter(None, (line.split("#")[0].strip() for line in lines))
    return {utils.canonicalize_name(r.name): r for r in map(requirements.Requirement, texts)}


def find_moved(before, after):
    """Packages of `before` that have another version, or none, in `after`."""
    return {
        name: (version, after.get(name))
        for name, version in before.items()
        if after.get(name) != version
    }


def list_pythons():
    """Where Colab's Python may be, the Python that runs this last."""
    wanted = ".".join(map(str, COLAB_PYTHON))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from filter(None, [os.environ.get("LEAKAGE_COLAB_PYTHON")])
    yield from sorted(pyenv.glob(f"{wanted}.*/bin/python{wanted}"), reverse=True)
    yield from [wanted, sys.executable]  # the first: uv looks around, and downloads it if it can


def make_environment(folder, pins):
    """Make a Python with Colab's versions of what we use; return it."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv here, which installs Colab's packages in seconds")
    venv = folder / "colab"
    for candidate in list_pythons():
        make = [uv, "venv", "--quiet", "--clear", "--python", candidate, venv]
        made = run(make, folder, check=False)
        if made.returncode == 0:
            break
    else:
        pytest.skip(f"uv can make no environment here: {made.stderr}")
    python = venv / "bin" / "python"
    text = "".join(f"{name}=={version}\n" for name, version in pins.items())
    (folder / "freeze.txt").write_text(text)
    wanted = read_requirements()
    wanted.pop("opencv-contrib-python-headless")
    names = [*map(str, wanted.values()), OPENCV, "pip", "setuptools"]
    (folder / "wanted.txt").write_text("\n".join(names))
    resolve = ["compile", "--quiet", "--no-header", "--no-annotate", "--constraint", "freeze.txt"]
    resolved = run([uv, "pip", *resolve, "--python", python, "wanted.txt"], folder, check=False)
    if resolved.returncode:
        pytest.skip(f"no package registry here: {resolved.stderr[-500:]}")
    lines = [line for line in resolved.stdout.splitlines() if line.split("==")[0] in pins]
    (folder / "colab.txt").write_text("\n".join(lines))
    install = ["install", "--quiet", "--no-deps", "--requirement", "colab.txt"]
    run([uv, "pip", *install, "--python", python], folder)
    (site,) = venv.glob("lib/python3.*/site-packages")
    (site / "google" / "colab").mkdir(parents=True)
    (site / "google" / "colab" / "__init__.py").touch()
    # As on Colab, Debian's older copy of a package lies further down the path.
    old = folder / "dist-packages" / "requests-2.28.1.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: requests\nVersion: 2.28.1\n")
    (site / "debian.pth").write_text(f"{old.parent}\n")
    return python


def make_repository(folder):
    """Make a repository of the working tree as it is, without results; return its folder."""
    command = ["git", "ls-files", "-coz", "--exclude-standard", "--", ".", ":!results"]
    listing = run(command, ROOT, check=False)
    if listing.returncode:
        pytest.skip(f"not a checkout of git: {ROOT}")
    place = folder / "repository"
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    commit(place, "init", "--quiet")
    return place


def commit(place, *first):
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    alone = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}  # no one's hooks and signatures
    for command in filter(None, [first, ("add", "--all"), (*who, "commit", "--quiet", "-m", "x")]):
        run(["git", *command], place, alone)


def get_bootstrap(path):
    return nbformat.read(path, as_version=4).cells[1].source


class Colab:
    """A simulated Colab: what is installed, and how to run things on it."""

    def __init__(self, folder, shared_dir):
        self.folder, self.shared_dir = folder, shared_dir
        self.pins = read_freeze(shared_dir / FREEZE)
        self.python = make_environment(folder, self.pins)
        version = run([self.python, "-c", "import sys; print(*sys.version_info[:2])"], folder)
        self.python_version = tuple(map(int, version.stdout.split()))
        self.repository = make_repository(folder)
        known = {k: v for k, v in os.environ.items() if not k.startswith("LEAKAGE_")}
        # the last keeps a kernel from showing what its child processes say
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"):
            known.pop(name, None)
        self.environment = known | {
            "PATH": f"{self.python.parent}{os.pathsep}{known['PATH']}",
            "COLAB_RELEASE_TAG": "release-colab-simulated",
            "LEAKAGE_REPOSITORY": self.repository.as_uri(),
            "LEAKAGE_DATA_DIR": str(shared_dir / "data"),
        }

    def list_installed(self):
        return json.loads(run([self.python, "-c", LIST_INSTALLED], self.folder).stdout)

    def bootstrap(self, path, content, times=1, check=True, **environment):
        content.mkdir(parents=True, exist_ok=True)
        command = [self.python, "-c", RUN_CELL, get_bootstrap(path), times]
        return run(command, content, self.environment | environment, check=check)


@pytest.fixture(scope="module")
def colab(tmp_path_factory, shared_dir):
    machine = Colab(tmp_path_factory.mktemp("colab"), shared_dir)
    if machine.python_version != COLAB_PYTHON:
        warnings.warn(
            f"Colab simulated on Python {machine.python_version}, not {COLAB_PYTHON}", stacklevel=2
        )
    yield machine
    shutil.rmtree(machine.python.parents[1])  # 2.5 GB, and pytest keeps three runs


@pytest.fixture(scope="module")
def offline(colab):
    """What the bootstrap says where pip finds no registry; nothing is installed yet."""
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    return colab.bootstrap(NOTEBOOK, colab.folder / "offline", check=False, **nowhere)


@pytest.fixture(scope="module")
def notebook_02(colab, offline):
    """Notebook 02 run to its end as a badge opens it: (before, after, folder, executed)."""
    content, out = colab.folder / "content", colab.folder / "out.ipynb"
    content.mkdir()
    before = colab.list_installed()
    values = json.dumps(SMALL)
    command = [colab.python, "-c", RUN_NOTEBOOK, NOTEBOOK, values, out]
    done = run(command, content, colab.environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return before, colab.list_installed(), content, nbformat.read(out, as_version=4)


def test_the_simulation_has_colabs_own_python(colab):
    if colab.python_version != COLAB_PYTHON:
        pytest.skip(f"simulated on Python {colab.python_version}: no {COLAB_PYTHON} to be had here")


def test_the_simulation_has_colabs_versions_and_lacks_what_colab_lacks(colab, offline):
    installed = {utils.canonicalize_name(k): v for k, v in colab.list_installed().items()}
    assert not find_moved({name: colab.pins[name] for name in installed}, installed)
    assert not MISSING & set(installed)
    named = set(read_requirements()) & set(colab.pins)
    assert len(named) >= 18 and named <= set(installed)


def test_without_a_registry_the_bootstrap_says_so_and_ends(offline):
    assert offline.returncode != 0
    assert "pip could not install what is missing" in offline.stderr
    assert "CalledProcessError" in offline.stderr  # so the cells below it do not run


def test_the_bootstrap_installs_only_what_is_missing_and_moves_no_package(notebook_02):
    before, after, _, _ = notebook_02
    assert find_moved(before, after) == {}
    assert {utils.canonicalize_name(name) for name in set(after) - set(before)} == MISSING


def test_a_moved_package_would_be_found():
    before = {"keras": "3.13.2", "numpy": "2.1.3", "pip": "24.1.2"}
    after = {"keras": "3.13.2", "numpy": "2.4.0", "papermill": "2.7.0"}
    assert find_moved(before, after) == {"numpy": ("2.1.3", "2.4.0"), "pip": ("24.1.2", None)}


def test_notebook_02_then_runs_to_its_end_on_the_real_photographs(notebook_02):
    _, _, content, executed = notebook_02
    text = nbformat.writes(executed)
    assert "wolf_husky: 240 files, 0 fetched now" in text  # verified by their hashes
    assert "10 groups of identical files" in text
    assert all(name in text for name in ("wolf_4", "wolf_6"))
    assert not re.search(r'"output_type": "error"', text)
    results = content / "leakage" / "results" / "interactive" / NOTEBOOK.stem
    assert json.loads((results / "metrics.json").read_text())


def test_the_bootstrap_says_what_it_installs(notebook_02):
    every = notebook_02[3].cells
    cells = [cell for cell in every if "run_all.sh" in cell.source and cell.cell_type == "code"]
    said = "".join(output.get("text", "") for output in cells[0].outputs)
    (line,) = [line for line in said.splitlines() if "installing only what is missing" in line]
    named = [requirements.Requirement(text).name for text in line.split(": ")[-1].split()]
    assert sorted(named) == ["imagehash", "papermill", "tf-keras-vis"]
    assert "note: Colab has" not in said


@pytest.fixture(scope="module")
def recording(colab, notebook_02):
    """The same Colab, once set up, with a download that only says what it was asked for."""
    (colab.repository / "src" / "leakage" / "download.py").write_text(RECORDER)
    commit(colab.repository)
    return colab


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_badge_leads_to_its_notebook_with_package_and_data(recording, path, tmp_path):
    # Twice: a reader runs the cell again, in this session and after it was restarted.
    first = recording.bootstrap(path, tmp_path, times=2)
    second = recording.bootstrap(path, tmp_path)
    clone = tmp_path / "leakage"
    for done in (first, second):
        found = json.loads(done.stdout.splitlines()[-1])
        assert Path(found["folder"]) == clone / "notebooks"
        assert Path(found["package"]).resolve() == clone / "src" / "leakage" / "__init__.py"
        assert "installing" not in done.stderr  # nothing is missing by now
    assert (clone / "notebooks" / path.name).is_file()
    named = re.search(r'"setup"(.*?)\]', get_bootstrap(path))[1]
    datasets = re.findall(r'"(\w+)"', named)
    assert set(datasets) <= set(sources.SOURCES)
    assert second.stdout.count("asked for " + " ".join(datasets)) == bool(datasets)


def test_a_package_outside_the_tested_range_is_named(recording, tmp_path):
    place = recording.repository / "requirements.txt"
    before = place.read_text()
    try:
        place.write_text(before.replace("keras>=3.12,<4", "keras>=3.14,<4"))
        commit(recording.repository)
        done = recording.bootstrap(NOTEBOOK, tmp_path)
    finally:
        place.write_text(before)
        commit(recording.repository)
    assert "note: Colab has keras 3.13.2; tested: <4,>=3.14" in done.stderr
