"""The notebooks themselves, run as a user runs them, with the smoke profile."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from leakage import record

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
pytestmark = pytest.mark.slow


def run(arguments, folder, **environment):
    """Run a command of this Python in a folder of its own; return the finished process."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("LEAKAGE_")}
    known |= {
        "LEAKAGE_RESULTS_DIR": str(folder / "results"),
        "LEAKAGE_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=known | environment,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """One smoke run of all notebooks: (folder, finished process)."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, run(["leakage.run", "smoke"], folder)


def test_every_notebook_runs_and_the_table_of_claims_is_printed(smoke):
    folder, done = smoke
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wolf/husky, white" in done.stdout
    for name in NOTEBOOKS:
        assert (folder / "results" / "smoke" / name / f"{name}.html").is_file()
    assert (folder / "results" / "smoke" / "index.html").is_file()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_executed_notebook_shows_no_warning_and_no_path_of_this_machine(smoke, name):
    path = smoke[0] / "results" / "smoke" / name / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    page = path.with_suffix(".html").read_text()
    assert 'alt="No description' not in page
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.text
            assert output.output_type != "error"
            assert "WARNING" not in output.get("text", "")
            if "image/png" in output.get("data", {}):
                described = output.metadata["image/png"]["alt"]
                assert described and f'alt="{html.escape(described)}"' in page
    assert str(smoke[0]) not in nbformat.writes(notebook)


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if not name.startswith("08")])
def test_records_have_intervals_that_hold_their_value_and_figures_a_description(smoke, name):
    folder = smoke[0] / "results" / "smoke" / name
    records = record.read_metrics(folder / "metrics.json")
    shares = records[records["interval"] == "wilson"].dropna(subset=["value"])
    assert len(shares) > 0
    assert ((shares["lower"] <= shares["value"]) & (shares["value"] <= shares["upper"])).all()
    texts = json.loads((folder / "figures" / "alt_texts.json").read_text())
    assert set(texts) == {path.stem for path in (folder / "figures").glob("*.png")}
    assert all("hantom" in text for text in texts.values())


def test_a_second_call_skips_everything_and_a_forced_one_gives_the_same_bytes(smoke):
    folder, _ = smoke
    metrics = folder / "results" / "smoke" / "04_measure_each_leak" / "metrics.json"
    before = metrics.read_bytes(), metrics.stat().st_mtime_ns
    again = run(["leakage.run", "smoke"], folder)
    assert again.returncode == 0
    assert again.stdout.count(" skipped (") == len(NOTEBOOKS)
    assert metrics.stat().st_mtime_ns == before[1]
    forced = run(["leakage.run", "smoke", "--only", "04", "--force"], folder)
    assert forced.returncode == 0, forced.stdout
    assert metrics.stat().st_mtime_ns != before[1]
    assert metrics.read_bytes() == before[0]


def test_plain_papermill_runs_notebook_02_on_the_real_photographs(tmp_path, shared_dir, real_cache):
    notebook = ROOT / "notebooks" / "02_explore_convnet_activations.ipynb"
    done = run(
        ["papermill", str(notebook), "out.ipynb", "-k", "python3", "-p", "size_px", "48",
         "-p", "num_epochs", "1", "-y", "seeds: [27]", "-p", "num_explained", "1"],
        tmp_path, LEAKAGE_DATA_DIR=str(shared_dir / "data"), LEAKAGE_CACHE_DIR=str(real_cache),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    text = (tmp_path / "out.ipynb").read_text()
    assert "10 groups of identical files" in text
    for name in ("wolf_4", "wolf_6"):
        assert name in text


def test_the_exercises_read_a_run_and_print_no_answer(smoke):
    folder, _ = smoke
    notebook = ROOT / "notebooks" / "exercises.ipynb"
    where = folder / "results" / "smoke"
    done = run(
        ["papermill", str(notebook), "out.ipynb", "-k", "python3", "-p", "results_dir", str(where)],
        folder,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "7. no answer yet" in (folder / "out.ipynb").read_text()


def test_missing_data_end_with_the_way_to_get_them_and_exit_code_2(tmp_path):
    done = run(
        ["leakage.run", "paper", "--only", "02", "--data-dir", str(tmp_path / "no")], tmp_path
    )
    assert done.returncode == 2
    assert "--data-dir" in done.stdout + done.stderr
    (tmp_path / "empty").mkdir()
    empty = run(
        ["leakage.run", "paper", "--only", "02", "--data-dir", str(tmp_path / "empty")], tmp_path
    )
    assert empty.returncode == 2
    assert re.search("download|empty", empty.stdout + empty.stderr)
