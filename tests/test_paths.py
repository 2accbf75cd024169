import subprocess
import sys
from pathlib import Path

from leakage import paths


def test_the_root_is_the_checkout_that_holds_the_notebooks():
    assert (paths.ROOT / "notebooks").is_dir()
    assert paths.ROOT == Path(__file__).resolve().parents[1]


def test_the_environment_decides_every_directory(monkeypatch, tmp_path):
    for variable, getter in {
        "LEAKAGE_DATA_DIR": paths.get_data_dir,
        "LEAKAGE_CACHE_DIR": paths.get_cache_dir,
        "LEAKAGE_RESULTS_DIR": paths.get_results_dir,
        "LEAKAGE_RUN_DIR": paths.get_run_dir,
    }.items():
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert getter() == tmp_path / variable
        assert not getter().exists()


def test_the_output_of_a_notebook_is_a_folder_of_the_run(monkeypatch, tmp_path):
    monkeypatch.delenv("LEAKAGE_OUTPUT_DIR", raising=False)
    monkeypatch.setenv("LEAKAGE_RUN_DIR", str(tmp_path))
    assert paths.get_output_dir("01_toy") == tmp_path / "01_toy"
    monkeypatch.setenv("LEAKAGE_OUTPUT_DIR", str(tmp_path / "staging"))
    assert paths.get_output_dir("01_toy") == tmp_path / "staging"


def test_a_data_folder_elsewhere_does_not_move_the_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("LEAKAGE_CACHE_DIR", raising=False)
    monkeypatch.setenv("LEAKAGE_DATA_DIR", str(tmp_path))
    assert paths.get_cache_dir() == paths.ROOT / "data" / "cache"


def test_relative_directories_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKAGE_DATA_DIR", "here")
    assert paths.get_data_dir() == tmp_path / "here"


def test_importing_makes_no_directory(tmp_path):
    environment = {"LEAKAGE_RESULTS_DIR": str(tmp_path / "results"), "PYTHONPATH": "src"}
    code = "from leakage import paths; paths.get_output_dir('01')"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=paths.ROOT, check=True)
    assert list(tmp_path.iterdir()) == []
