"""What is installed: the lists of packages agree with each other and with what is imported."""

import ast
import os
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from leakage import paths

ROOT = paths.ROOT
LISTS = ("requirements.txt", "requirements-dev.txt")  # what is locked
EXTRAS = ("requirements-dev.txt", "requirements-dicom.txt", "requirements-datasets.txt")
# Where a package is imported under another name than it is installed by.
DISTRIBUTIONS = {
    "IPython": "ipython",
    "PIL": "pillow",
    "jupyter_client": "jupyter-client",
    "cv2": "opencv-contrib-python-headless",
    "sklearn": "scikit-learn",
    "tf_keras_vis": "tf-keras-vis",
    "yaml": "pyyaml",
}
OURS = {"leakage", "leakcard", "nbrun", "phantoms"}
# Used, but not by an import in the packages: the kernel of the notebooks.
NOT_IMPORTED = {"ipykernel"}
# Imported where it is asked for, and said to be missing where it is not there.
OPTIONAL = {"datasets", "distributed", "pyarrow", "pydicom"}


def read_list(name):
    """The requirements of a list: {name: requirement}."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    texts = filter(None, (line.split("#")[0].strip() for line in lines))
    return {found.name: found for found in map(Requirement, texts)}


def read_base():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {found.name: found for found in map(Requirement, project["dependencies"])}


def find_imports(*packages, anywhere=False):
    """The distributions that our packages import as they are imported, or anywhere in them."""
    found = set()
    for package in packages:
        for path in sorted((ROOT / "src" / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree) if anywhere else tree.body:
                if isinstance(node, ast.Import):
                    found |= {name.name for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    found.add(node.module)
    names = {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - OURS
    return {DISTRIBUTIONS.get(name, name) for name in names}


def read_lock():
    """The two parts of the lock, for runs and for tests: {name: version} each."""
    parts = (ROOT / "requirements.lock").read_text(encoding="utf-8").split("\n# Tests and tools\n")
    assert len(parts) == 2
    return [dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", part, re.MULTILINE)) for part in parts]


def test_every_requirement_says_what_it_is_for():
    for name in {*LISTS, *EXTRAS}:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert all(re.search(r"#\s*\S+", line) for line in lines if line.strip())
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    assert all(re.search(r"#\s*\S+", line) for line in block.splitlines())


def test_the_card_and_the_phantoms_are_installed_with_what_they_import_and_no_more():
    imported = find_imports("leakcard", "phantoms", anywhere=True)
    # the contact sheet asks for matplotlib, which comes with the study
    assert imported - OPTIONAL - {"matplotlib"} == set(read_base())


def test_the_list_of_the_study_holds_that_of_the_card_and_all_that_is_imported():
    base, study = read_base(), read_list("requirements.txt")
    assert base == {name: study.get(name) for name in base}
    imported = find_imports(*OURS, anywhere=True)
    assert imported - OPTIONAL <= set(study)
    assert set(study) <= imported | NOT_IMPORTED, "no longer used"
    assert OPTIONAL <= {name for extra in EXTRAS for name in read_list(extra)}


def test_the_lock_is_exact_hashed_within_the_ranges_and_names_no_registry():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[\w.-]+==)", text)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text and "index-url" not in text
    run, test = read_lock()
    for name, held in zip(LISTS, (run, run | test), strict=True):
        for wanted in read_list(name).values():
            assert wanted.specifier.contains(held[wanted.name]), f"run .ci/lock: {wanted}"


def test_a_run_installs_no_tools_of_ours_and_what_builds_the_package_itself():
    run, _ = read_lock()
    assert not {"pytest", "playwright", "distributed", "jupyterlab"} & set(run)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (build,) = map(Requirement, project["build-system"]["requires"])
    assert build.specifier.contains(run[build.name])  # TensorFlow brings it


@pytest.fixture
def set_up(tmp_path):
    """Call run_all.sh with an environment of its own and no way to a registry."""

    def set_up(*words):
        nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
        environment = os.environ | nowhere | {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path)}
        environment |= {"LEAKAGE_VENV": str(tmp_path / "venv"), "LEAKAGE_PYTHON": sys.executable}
        command = [ROOT / "run_all.sh", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return set_up


def test_a_failed_set_up_shows_the_end_of_its_log_and_where_it_is(set_up, tmp_path):
    done = set_up("setup")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"the end of {tmp_path / 'venv.log'}" in done.stderr
    assert "absl-py" in done.stderr  # the first of the lock, as pip or uv names it
    assert len(done.stderr.splitlines()) < 25


def test_a_folder_of_somebody_else_is_left_alone(set_up, tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "mine.txt").write_text("mine")
    done = set_up("setup")
    assert done.returncode == 1 and "was not made by this script" in done.stderr
    assert (tmp_path / "venv" / "mine.txt").read_text() == "mine"


def test_an_unknown_command_is_named_before_anything_is_set_up(set_up, tmp_path):
    done = set_up("demi")
    assert done.returncode == 2 and "no command 'demi'" in done.stderr
    assert list(tmp_path.iterdir()) == []
