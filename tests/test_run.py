"""The runner's contract, on toy notebooks; and what it is told of this project."""

import dataclasses
import errno
import json
import runpy
import signal

import nbformat
import pytest
import toys

import nbrun
from leakage import paths, run
from nbrun import clean


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One complete run, called from elsewhere, for all tests that only look."""
    folder = toys.write_project(tmp_path_factory.mktemp("a próject") / "with blanks")
    code, output = toys.run(folder, "demo", cwd=tmp_path_factory.mktemp("elsewhere"))
    assert code == 0, output
    return folder, folder / "results" / "demo", output


def call(folder, *arguments):
    """Call the runner of a project in this process; return the exit code."""
    try:
        project = runpy.run_path(str(folder / "toy.py"))["make_project"]()
        return nbrun.main(project, list(arguments))
    except SystemExit as end:  # argparse
        return end.code


def test_a_run_leaves_notebooks_pages_and_records_and_the_project_s_end(demo):
    _, results, output = demo
    files = toys.list_files(results)
    for name in ("01_first", "02_second"):
        assert {f"{name}/{name}.ipynb", f"{name}/{name}.html", f"{name}/metrics.json"} <= set(files)
    assert "the end of the run" in output and "3 done; see" in output
    assert json.loads(files["01_first/timings.json"])["whole_notebook"] > 0
    used = json.loads(files["environment.json"])
    assert used["notebooks"]["01_first"]["weights"] == "none" and used["profile"] == "demo"
    assert used["notebooks"]["02_second"]["num_images"] == 4  # from the section `all`
    assert used["notebooks"]["07_at_a_glance"] == {"num_rows": 5}


def test_what_a_kernel_calls_its_cells_is_found_beside_pictures_full_of_slashes():
    told = "x/ /tmp/ipykernel_12/345.py:3: UserWarning"  # a match that grows with a picture hangs
    text = clean.KERNEL_TEMPORARY.sub("cell", "ab/" * 1_000_000 + f' {told} /ipykernel_1/2.py "')
    assert text.endswith('/ x/ cell:3: UserWarning cell "') and len(text) > 3_000_000


def test_links_to_what_lies_beside_the_source_lead_there_from_where_the_result_lies(tmp_path):
    root = tmp_path / "project"
    places = (root / name for name in ("notebooks", "results", "data", "cache"))
    project = nbrun.Project(root, *places)
    told = "[next](02.ipynb#end) [why](../docs/why.md) [gone](no.md) [top](#top) [web](https://a.b)"
    for file in (root / "notebooks" / "02.ipynb", root / "docs" / "why.md"):
        file.parent.mkdir(parents=True)
        file.touch()
    path = tmp_path / "staged.ipynb"
    found = []
    for folder in (root / "results" / "demo" / "01", tmp_path / "elsewhere"):
        cell = nbformat.v4.new_markdown_cell(told)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
        clean.clean_notebook(path, project, {}, folder)
        found.append(nbformat.read(path, 4).cells[0].source)
    led = told.replace("(02", "(../../../notebooks/02").replace("(../docs", "(../../../docs")
    assert found == [led, told]


def test_a_notebook_without_warnings_has_nothing_on_standard_error(demo):
    notebook = nbformat.read(demo[1] / "02_second" / "02_second.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.name for output in outputs if "name" in output] == ["stdout"]


def test_the_last_notebook_waits_for_the_results_of_the_others(demo):
    _, results, output = demo
    assert output.index("02_second done") < output.index("07_at_a_glance done")
    assert (results / "07_at_a_glance" / "all.txt").read_text() == "2"


def test_an_executed_notebook_holds_warnings_but_no_bar_and_no_path_of_the_machine(demo):
    folder, results, _ = demo
    for kind in ("ipynb", "html"):
        text = (results / "01_first" / f"01_first.{kind}").read_text()
        assert "images 4 in results/demo/01_first" in text and "UserWarning: look here" in text
        assert str(folder) not in text and "with blanks" not in text
        assert "12 [00" not in text and "loop:" not in text and "[A" not in text
    assert (
        '"input_path": "notebooks/01_first.ipynb"'
        in (results / "01_first" / "01_first.ipynb").read_text()
    )


def test_what_is_complete_is_skipped_until_parameters_or_code_change_or_it_is_forced(demo, capsys):
    folder, results, _ = demo
    before = toys.list_files(results)
    assert call(folder) == 0
    output = capsys.readouterr().out
    assert output.count("skipped (complete") == 3 and "3 skipped; see" in output
    assert toys.list_files(results) == before
    assert call(folder, "--only", "02_second", "-p", "num_images", "5") == 0
    assert "1 done; see" in capsys.readouterr().out
    assert call(folder, "--only", "1", "--force") == 0
    assert "1 done; see" in capsys.readouterr().out
    assert (results / "01_first" / "metrics.json").read_bytes() == before["01_first/metrics.json"]
    assert json.loads((results / "01_first" / "timings.json").read_text())["kept"]  # nothing yet
    assert json.loads(before["01_first/timings.json"])["kept"] is None  # where it is by default
    (folder / "package" / "code.py").write_text("x = 2\n")
    assert call(folder, "--only", "07") == 0
    assert "1 done; see" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "num_imags", "3"], "Did you mean 'num_images'?"),
        (["-p", "zzz", "3"], "Expected one of: learning_rate, limit, mode, num_images, num_rows"),
        (["--only", "07", "-p", "num_images", "3"], "No notebook 07 has a parameter 'num_images'"),
        (["-p", "num_images", "few"], "wrong type. Expected: int. Received: 'few' (type str)"),
        (["-p", "num_images", "1.5"], "Expected: int. Received: 1.5 (type float)"),
        (["-p", "num_images", "true"], "Expected: int. Received: True (type bool)"),
        (["-p", "num_images", "null"], "Expected: int. Received: None"),
        (["-p", "limit", "few"], "Expected: int. Received: 'few'"),
        (["-p", "seeds", "20"], "Expected: list of int, such as [1, 2, 3]. Received: 20"),
        (["-p", "seeds", "[a]"], "Expected: list of int, such as [1, 2, 3]. Received: ['a']"),
        (["-p", "weights", "no/such.keras"], "names a file that does not exist"),
        (["--only", "04"], "--only names a notebook that does not exist"),
        (["--data-dir", "no-such-folder"], "There is no data folder"),
        (["-p", "mode", "real"], "There is no data folder"),
        (["--name", "../elsewhere"], "--name is the name of a folder"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["tiny"], "invalid choice: 'tiny'"),
    ],
)
def test_wrong_use_ends_with_2_and_says_how_to_mend_it(tmp_path, capsys, arguments, message):
    toys.write_project(tmp_path)
    assert call(tmp_path, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_data_folder_of_the_environment_that_is_gone_stops_only_who_reads_it(
    tmp_path, capsys, monkeypatch
):
    toys.write_project(tmp_path)
    monkeypatch.setenv("TOY_DATA_DIR", str(tmp_path / "gone"))
    assert call(tmp_path, "--only", "07") == 0
    assert "note: the data folder is not used" in capsys.readouterr().out
    assert call(tmp_path, "-p", "mode", "real") == 2
    assert "There is no data folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("all: {nothing: 1}", "No notebook 01, 02, 07 has a parameter 'nothing'"),
        ("04: {weights: x}", "a section '04'"),
        ("02: {num_rows: 1}", "No notebook 02 has a parameter 'num_rows'"),
        ("all: [", "no readable YAML"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path, capsys, profile, message):
    assert call(toys.write_project(tmp_path, profile)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "a = f()"])
def test_a_notebook_without_literal_parameters_is_refused(tmp_path, capsys, text):
    toys.write_project(tmp_path)
    toys.write_notebook(tmp_path / "note books" / "01_first.ipynb", parameters=text)
    assert call(tmp_path) == 2
    assert "cell tagged `parameters`" in capsys.readouterr().err


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path, capsys):
    toys.write_project(tmp_path)
    (tmp_path / "results").write_text("a file, not a folder")
    assert call(tmp_path) == 2
    output = capsys.readouterr().err
    assert "results cannot be written" in output and "set TOY_RESULTS_DIR" in output


@pytest.mark.parametrize(("max_bytes", "code"), [(0, 2), (5000, 1)])
def test_a_full_disk_is_told_with_the_ways_out(tmp_path, max_bytes, code):
    toys.write_project(tmp_path)
    found, output = toys.run(tmp_path, "--only", "01", max_bytes=max_bytes)
    assert found == code and "The disk is full: free some space" in output, output
    assert "Traceback" not in output and not list((tmp_path / "results").glob("*/0*"))


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "summary.md"), "Make the results wri"),
        (OSError(errno.EROFS, "Read-only file system", "summary.md"), "Make the results writable"),
        (FileNotFoundError(errno.ENOENT, "No such file", "metrics.json"), "The same command goes"),
    ],
)
def test_the_end_of_a_run_that_fails_says_why_and_no_other_reason(tmp_path, capsys, error, fix):
    def fail(*_):
        raise error

    make_project = runpy.run_path(str(toys.write_project(tmp_path) / "toy.py"))["make_project"]
    project = dataclasses.replace(make_project(), at_end=fail)
    assert nbrun.main(project, ["--only", "07"]) == 1
    assert f"error: {error}. {fix}" in capsys.readouterr().out


def test_notebooks_that_fail_are_kept_and_the_others_go_on(tmp_path, capsys):
    toys.write_project(tmp_path, "01: {mode: fail}\n02: {mode: kill}\n")
    results = tmp_path / "results" / "demo"
    (results / "02_second").mkdir(parents=True)
    (results / "02_second" / "from").write_text("before")
    assert call(tmp_path, "--jobs", "2") == 1
    output = capsys.readouterr().out
    assert "1 done, 2 failed; see" in output and "Traceback" not in output
    assert "01_first FAILED in cell [4]: ValueError: Too few. Expected: 4. Received: 3" in output
    assert "02_second FAILED: DeadKernelError: Kernel died" in output
    kept = nbformat.read(results / ".run" / "failed" / "01_first.ipynb", as_version=4)
    (error,) = [o for cell in kept.cells for o in cell.get("outputs", []) if "ename" in o]
    assert any("raise" in line for line in error.traceback)
    assert "Too few" in (results / ".run" / "failed" / "01_first.html").read_text()
    assert str(tmp_path) not in (results / ".run" / "failed" / "01_first.html").read_text()
    assert not (results / "01_first").exists() and (results / "07_at_a_glance").exists()
    assert (results / "02_second" / "from").read_text() == "before"
    remarks = (results / "summary.md").read_text().splitlines()
    assert remarks[0] == "01_first failed in the last run (ValueError)."
    assert remarks[1].endswith("what stands here is from an earlier one.")


def test_a_notebook_that_ends_itself_early_is_not_complete(tmp_path, capsys):
    toys.write_project(tmp_path)
    assert call(tmp_path, "--only", "01", "-p", "mode", "exit") == 1
    assert "a cell ended the notebook early" in capsys.readouterr().out
    assert not list((tmp_path / "results" / "demo").glob("0*"))


def start_and_wait_until_it_sleeps(folder, *arguments):
    toys.write_project(folder)
    process = toys.start(folder, "-p", "mode", "sleep", *arguments)
    toys.wait_for(lambda: list(folder.glob("results/demo/.run/*.partial/01_first/mode")), process)
    return process, toys.list_descendants(process)


def test_after_kill_9_nothing_is_half_written_no_kernel_is_left_and_the_command_completes(
    tmp_path, capsys
):
    process, kernels = start_and_wait_until_it_sleeps(tmp_path)
    results = tmp_path / "results" / "demo"
    assert call(tmp_path, "demo") == 2  # beside it
    output = capsys.readouterr().err
    assert "Another run is writing" in output and "--name" in output
    process.kill()
    process.communicate()
    assert kernels
    toys.wait_for(lambda: toys.are_gone(kernels))
    assert toys.list_files(results) == {}
    (results / ".run" / "01_first.old").mkdir()  # as if killed between two renames
    assert call(tmp_path, "demo") == 0 and "3 done" in capsys.readouterr().out
    assert not [path for path in results.rglob("*") if path.suffix in (".partial", ".old")]


@pytest.mark.parametrize(
    ("sent", "code", "jobs"), [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 2)]
)
def test_an_interrupted_run_ends_its_kernels_and_said_how_far_it_was(tmp_path, sent, code, jobs):
    process, kernels = start_and_wait_until_it_sleeps(tmp_path, "--jobs", jobs, "--only", "01")
    process.send_signal(signal.SIGHUP)  # it was started under nohup
    line = next(line for line in process.stdout if "sleep:" in line)
    process.send_signal(sent)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code and "Traceback" not in output, output
    assert kernels
    toys.wait_for(lambda: toys.are_gone(kernels))
    assert toys.list_files(tmp_path / "results" / "demo") == {}
    assert line.startswith("  ... 01_first, cell 4 of 5, ") and "/6000 [" in line


def test_a_relative_path_is_the_callers_and_its_folder_stays_out_of_the_results(
    tmp_path, monkeypatch, capsys
):
    toys.write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "my weights" / "net.keras"
    weights.parent.mkdir()
    weights.write_text("x")
    given = ["--only", "02", "-p", "weights", "my weights/net.keras", "-p", "learning_rate", "1e-3"]
    assert call(tmp_path, *given) == 0
    results = tmp_path / "results" / "demo"
    held = json.loads((results / ".run" / "02_second.json").read_text())["parameters"]
    assert held["weights"] == str(weights) and held["learning_rate"] == 0.001
    used = json.loads((results / "environment.json").read_text())["notebooks"]["02_second"]
    assert used["weights"] == "net.keras"
    weights.write_text("another")
    assert call(tmp_path, *given) == 0 and "1 done; see" in capsys.readouterr().out


def test_the_project_names_its_notebooks_profiles_and_code():
    project = run.make_project()
    assert {path.name for path in project.packages} >= {"leakage"}
    assert list(project.notebooks.glob(f"{project.last}_*.ipynb"))
    assert project.reads_data({"data_source": "real"}) and not project.reads_data({"seeds": [1]})
    for text in (
        "I0000 00:00:1.5 8 x.cc:1] hi",
        "WARNING: 5 calls triggered tf.function retracing",
    ):
        assert project.noise.search(text)
    assert not project.noise.search("a.py:3: UserWarning: look")
    assert project.root == paths.ROOT and "python" in project.describe_environment()
