import errno
import json
import os
import signal
import time

import nbformat
import pandas as pd
import psutil
import pytest
import toys

from leakage import report, run
from leakage.runner import notebook as notebook_process
from leakage.runner import parameters, process, screen, state


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One complete run of the toys, for all tests that only look."""
    folder = tmp_path_factory.mktemp("a project")
    environment = toys.write_project(folder)
    code, output = toys.run(environment, "demo")
    assert code == 0, output
    return environment, folder / "results" / "demo", output


def list_files(folder):
    """Every file with its bytes, the state of the run left out."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".run" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_run_leaves_notebooks_pages_records_summary_and_index(demo):
    _, folder, output = demo
    files = list_files(folder)
    for name in ("01_toy_first", "02_toy_second"):
        for kind in (f"{name}.ipynb", f"{name}.html", "metrics.json", "timings.json"):
            assert f"{name}/{kind}" in files
    assert {"summary.md", "index.html", "environment.json"} <= set(files)
    assert "4/10 0.400" in output and "not comparable" in output and "3 done" in output
    assert max(map(len, output.splitlines())) <= 120


def test_the_summary_notebook_runs_last_and_sees_the_records_of_the_others(demo):
    _, folder, output = demo
    assert output.index("02_toy_second done") < output.index("07_at_a_glance ...")
    assert len((folder / "07_at_a_glance" / "all.csv").read_text().splitlines()) == 3


def test_profile_sections_and_all_reach_the_notebooks_that_declare_the_name(demo):
    _, folder, _ = demo
    used = json.loads((folder / "environment.json").read_text())["notebooks"]
    assert used["01_toy_first"]["weights"] == "none" and used["02_toy_second"]["num_images"] == 4
    assert used["07_at_a_glance"] == {"num_rows": 5}


def test_executed_notebooks_do_not_tell_of_the_machine_and_hold_no_progress(demo):
    _, folder, _ = demo
    text = (folder / "01_toy_first" / "01_toy_first.ipynb").read_text()
    assert "in results/demo/01_toy_first" in text
    assert str(folder.parents[1]) not in text
    outputs = [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])]
    assert outputs and "loop" not in str(outputs)
    assert '"input_path": "notebooks/01_toy_first.ipynb"' in text


def test_what_is_complete_is_skipped_until_code_parameters_or_notebook_change(demo):
    environment, folder, _ = demo
    before = list_files(folder / "01_toy_first")
    code, output = toys.run(environment, "demo")
    assert code == 0 and output.count("skipped (complete, same parameters, code and data") == 3
    code, output = toys.run(environment, "demo", "--only", "2", "-p", "num_images", "5")
    assert code == 0 and "02_toy_second done" in output
    code, output = toys.run(environment, "demo")  # 02 is back at 4, so 07 sees other records
    assert "01_toy_first skipped" in output and "02_toy_second done" in output
    assert "07_at_a_glance done" in output or "07_at_a_glance skipped" in output
    assert list_files(folder / "01_toy_first") == before


def test_forced_runs_give_the_same_metrics_byte_for_byte(demo):
    environment, folder, _ = demo
    before = (folder / "01_toy_first" / "metrics.json").read_bytes()
    code, output = toys.run(environment, "demo", "--only", "01_toy_first", "--force")
    assert code == 0 and "01_toy_first done" in output
    assert (folder / "01_toy_first" / "metrics.json").read_bytes() == before


def refuse(folder, monkeypatch, arguments=()):
    """Ask for what is refused before anything runs; return the exit code."""
    for name, value in toys.write_project(folder).items():
        monkeypatch.setenv(name, value)
    try:
        return run.main(list(arguments))
    except SystemExit as end:  # argparse
        return end.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "num_imags", "3"], "Did you mean 'num_images'?"),
        (["-p", "zzz", "3"], "Expected one of: data_source, learning_rate, mode, num_images"),
        (["--only", "07", "-p", "num_images", "3"], "No notebook 07 has a parameter 'num_images'"),
        (["-p", "num_images", "few"], "wrong type. Expected: int. Received: 'few' (type str)"),
        (["-p", "num_images", "1.5"], "Expected: int. Received: 1.5 (type float)"),
        (["-p", "seeds", "20"], "Expected: list[int], such as [1, 2, 3]. Received: 20"),
        (["-p", "weights", "no/such.keras"], "does not exist"),
        (["--only", "04"], "--only names a notebook that does not exist"),
        (["--data-dir", "no-such-folder"], "There is no data folder"),
        (["-p", "data_source", "real"], "is empty"),
        (["--name", "../elsewhere"], "--name is the name of a folder"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["paper", "--profile"], "unrecognized arguments"),
    ],
)
def test_wrong_use_ends_with_2_and_says_how_to_mend_it(
    tmp_path, monkeypatch, capsys, arguments, message
):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("LEAKAGE_DATA_DIR", str(tmp_path / "empty") if "real" in arguments else "")
    assert refuse(tmp_path, monkeypatch, arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("all: {nothing: 1}", "No notebook 01, 02, 07 has a parameter 'nothing'"),
        ("04: {weights: x}", "a section '04'"),
        ("02: {num_rows: 1}", "No notebook 02 has a parameter 'num_rows'"),
        ("all: {num_images: many}", "wrong type"),
        ("all: [", "no readable YAML"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path, monkeypatch, capsys, profile, message):
    monkeypatch.setattr(toys, "PROFILE", profile)
    assert refuse(tmp_path, monkeypatch) == 2
    assert message in capsys.readouterr().err


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "results").write_text("a file, not a folder")
    assert refuse(tmp_path, monkeypatch) == 2
    output = capsys.readouterr().err
    assert "results cannot be written" in output and "LEAKAGE_RESULTS_DIR" in output


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_the_ways_out(tmp_path, monkeypatch, capsys, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(state.RunState, "__init__", fail)
    assert refuse(tmp_path, monkeypatch) == 2
    assert "The disk is full: free some space" in capsys.readouterr().err


def test_a_failed_notebook_is_kept_and_the_others_go_on(tmp_path):
    environment = toys.write_project(tmp_path)
    (tmp_path / "note books" / "profiles" / "demo.yaml").write_text("01: {mode: fail}")
    code, output = toys.run(environment, "--jobs", 2)
    results = tmp_path / "results" / "demo"
    assert code == 1 and "2 done, 1 failed" in output
    assert "FAILED in cell [3]: ValueError: Too few. Expected: 4. Received: 3" in output
    assert "Traceback" not in output
    kept = nbformat.read(results / ".run" / "failed" / "01_toy_first.ipynb", as_version=4)
    assert any("Too few" in str(cell.get("outputs")) for cell in kept.cells)
    assert not (results / "01_toy_first").exists() and (results / "02_toy_second").exists()
    assert "01_toy_first failed" in (results / "summary.md").read_text()


def test_a_kernel_that_dies_is_told_and_an_earlier_result_stays(tmp_path):
    environment = toys.write_project(tmp_path)
    toys.run(environment, "--only", "01")
    before = list_files(tmp_path / "results" / "demo" / "01_toy_first")
    code, output = toys.run(environment, "--only", "01", "-p", "mode", "kill")
    assert code == 1 and "the kernel died" in output and "Traceback" not in output
    assert list_files(tmp_path / "results" / "demo" / "01_toy_first") == before


def start_and_wait_until_it_sleeps(tmp_path):
    environment = toys.write_project(tmp_path)
    process = toys.start(environment, "-p", "mode", "sleep")
    results = tmp_path / "results" / "demo"
    wait_for((results / ".run" / "01_toy_first.partial" / "begun").exists)
    return environment, process, results


def test_after_kill_9_nothing_is_half_written_no_kernel_is_left_and_the_command_completes(tmp_path):
    environment, process, results = start_and_wait_until_it_sleeps(tmp_path)
    descendants = psutil.Process(process.pid).children(recursive=True)
    assert len(descendants) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(p.is_running() and p.status() != "zombie" for p in descendants))
    assert list_files(results) == {}
    code, output = toys.run(environment, "demo")
    assert code == 0 and "3 done" in output
    assert not list(results.rglob("*.partial")) and not list(results.rglob("begun"))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_its_kernels(tmp_path, sent, code):
    _, process, results = start_and_wait_until_it_sleeps(tmp_path)
    descendants = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code and "Traceback" not in output
    wait_for(lambda: not any(p.is_running() and p.status() != "zombie" for p in descendants))
    assert list_files(results) == {}


def test_a_second_run_on_the_same_results_is_refused_politely(tmp_path):
    environment, process, _ = start_and_wait_until_it_sleeps(tmp_path)
    try:
        code, output = toys.run(environment, "demo")
        assert code == 2 and "Another run is writing" in output and "--name" in output
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_relative_path_is_the_callers_and_its_folder_stays_out_of_the_results(tmp_path):
    environment = toys.write_project(tmp_path)
    (tmp_path / "my weights").mkdir()
    (tmp_path / "my weights" / "net.keras").write_text("x")
    arguments = ["--only", "02", "-p", "weights", "my weights/net.keras", "-p", "learning_rate"]
    code, output = toys.run(environment, *arguments, "1e-3", cwd=tmp_path)
    assert code == 0 and "learning_rate 1e-3 is read as 0.001" in output
    folder = tmp_path / "results" / "demo"
    held = json.loads((folder / ".run" / "02_toy_second.json").read_text())["parameters"]
    assert held["weights"] == str(tmp_path / "my weights" / "net.keras")
    used = json.loads((folder / "environment.json").read_text())["notebooks"]["02_toy_second"]
    assert used["weights"] == "net.keras" and used["learning_rate"] == 0.001


def test_progress_bars_and_chatter_go_and_warnings_stay():
    def clean(text):
        output = nbformat.v4.new_output("stream", name="stderr", text=text)
        cleaned = notebook_process._clean_output(output)
        return cleaned and cleaned.text

    assert clean("\r 50%|##### | 5/10 [00:01<00:01]\rend\n") == "end\n"
    assert clean("\r100%|#####| 10/10 [00:01<00:00]\n") is None
    assert clean("\r                \r") is None
    assert clean("W0000 00:00:1.5 8 x.cc:1] slow\nI0000 00:00:1.5 8 x.cc:1] hi\n").startswith("W")
    assert "UserWarning" in clean("a.py:3: UserWarning: look\n 1%|# | 1/90 [00:01<00:01]\n")
    assert clean("plain\n") == "plain\n"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"end_time": None, "exception": None, "parameters": {"a": 1}}, "no end time"),
        ({"end_time": "now", "exception": True, "parameters": {"a": 1}}, "an exception"),
        ({"end_time": "now", "exception": None, "parameters": {"a": 2}}, "with the parameters"),
    ],
)
def test_a_notebook_that_did_not_end_well_is_not_complete(tmp_path, metadata, message):
    notebook = nbformat.v4.new_notebook(metadata={"papermill": metadata})
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with pytest.raises(ValueError, match=message):
        notebook_process.check_completeness(tmp_path / "a.ipynb", {"a": 1})


def test_declared_parameters_know_their_types(tmp_path):
    lines = ["a: int | None = None", "c = 0.5", "d: list[float] = []", "e: bool = True"]
    text = "\n".join([*lines, "b: Literal['x', 'y'] = 'x'"])
    path = toys.write_notebook(tmp_path / "01_a.ipynb", parameters=text)
    declared = parameters.read_declared(path)
    convert = parameters.convert_value
    assert convert(declared["a"], None) is None and convert(declared["a"], 3) == 3
    assert convert(declared["b"], "y") == "y" and convert(declared["c"], 1) == 1.0
    assert convert(declared["d"], [1, "1e-3"]) == [1.0, 0.001]
    with pytest.raises(ValueError, match="one of x, y. Received: 'z'"):
        convert(declared["b"], "z")
    for name, value in {"a": True, "e": 1, "d": ["x"], "c": None}.items():
        with pytest.raises(ValueError, match="wrong type"):
            convert(declared[name], value)


@pytest.mark.parametrize("text", ["a = f()", "import os", "a: int"])
def test_a_parameters_cell_that_computes_is_refused(tmp_path, text):
    path = toys.write_notebook(tmp_path / "01_a.ipynb", parameters=text)
    with pytest.raises(ValueError, match="name: type = literal"):
        parameters.read_declared(path)


def test_a_notebook_without_parameters_is_refused(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "01_a.ipynb")
    with pytest.raises(ValueError, match="one cell tagged `parameters`"):
        parameters.read_declared(tmp_path / "01_a.ipynb")


def test_keys_follow_parameters_code_data_and_named_files(tmp_path):
    source = toys.write_notebook(tmp_path / "01_a.ipynb", "1")
    named = tmp_path / "net.keras"
    named.write_text("x")
    keys = {state.make_key(source, {"weights": str(named)}, "code", None)}
    keys.add(state.make_key(source, {"weights": str(named)}, "other", None))
    keys.add(state.make_key(source, {"weights": str(named)}, "code", [["a", 1, 2]]))
    named.write_text("xy")
    keys.add(state.make_key(source, {"weights": str(named)}, "code", None))
    assert len(keys) == 4
    before = state.make_key(source, {}, "code", None)
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="1")]
    nbformat.write(notebook, source)
    assert state.make_key(source, {}, "code", None) == before


def test_data_files_leave_out_the_project_s_own_and_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKAGE_CACHE_DIR", str(tmp_path / "stored"))
    for name in ("README.md", "manifests/a.csv", "stored/b", "cohen/README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert [name for name, _, _ in state.list_data_files(tmp_path)] == ["cohen/README.md"]


def test_a_run_under_nohup_outlives_its_terminal():
    held = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
        run.exit_on_signals()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        run.exit_on_signals()
        with pytest.raises(SystemExit, match="129"):
            signal.raise_signal(signal.SIGHUP)
    finally:
        for name, handler in held.items():
            signal.signal(name, handler)


def test_a_long_message_fits_the_pipe_it_goes_through():
    outcome = notebook_process._fail("KeyError", "x" * 100_000)
    assert len(json.dumps(outcome)) < 64 * 1024 and outcome["message"].endswith("(shortened)")
    assert notebook_process._fail("KeyError", "short")["message"] == "short"


def test_a_kernel_that_found_its_port_taken_is_started_again():
    tries = []

    def execute(source, **options):
        tries.append(source)
        if len(tries) < 2:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "done"

    assert notebook_process._start(execute, "a", cwd="b") == "done" and tries == ["a", "a"]

    def never(source):
        tries.append(source)
        raise RuntimeError("Kernel died before replying to kernel_info")

    tries.clear()
    with pytest.raises(RuntimeError, match="died before replying"):
        notebook_process._start(never, "a")
    assert len(tries) == notebook_process.NUM_STARTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see /data/x.png", "see data/x.png"),
        ("'/data/x.png'", "'data/x.png'"),
        ("\x1b[32m/data/x.py", "\x1b[32mdata/x.py"),
        ("https://x.org/data/raw", "https://x.org/data/raw"),
        ("a // b", "a // b"),
    ],
)
def test_a_short_folder_is_only_found_where_a_path_begins(text, expected):
    assert notebook_process._rename(text, [("/data/", "data/")]) == expected


def test_a_home_at_the_root_renames_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/")
    places = [tmp_path / name for name in ("staging", "results/demo/02_a", "notebooks/02_a.ipynb")]
    names = process._list_names(*places, tmp_path / "data", {})
    assert "//" not in dict(names) and "/" not in dict(names)
    assert str(tmp_path / "data") + "/" in dict(names)


def test_a_run_killed_between_two_renames_gets_its_old_folder_back(tmp_path):
    held = state.RunState(tmp_path / "demo")
    held.path("01_a", ".old").mkdir()
    (held.path("01_a", ".old") / "x").write_text("old")
    held.recover("01_a")
    assert (tmp_path / "demo" / "01_a" / "x").read_text() == "old"
    assert not held.path("01_a", ".old").exists()


def test_the_table_of_claims_fits_a_terminal_and_wraps_long_claims():
    row = dict.fromkeys(report.CLAIM_COLUMNS, "x") | {
        "system": "S1",
        "claim": "COVID against rest within one source, adults only, disjoint patients",
        "protocol": "ancestor",
        "backbone": "mobilenet",
        "weights": "mobilenet_1.00_224_conv_pw_12",
        "published": "125/140 = 0.893",
        "ours": "129/140 = 0.921",
        "interval": "0.866 to 0.955",
        "seeds": 3,
        "collapsed": 1,
        "verdict": "no published value",
    }
    text = screen.format_claims(pd.DataFrame([row, row | {"claim": "short", "collapsed": 0}]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120 and "129/140 0.921" in text and "3 (1*)" in text
    assert " ".join(line[4:24].strip() for line in lines[2:-2]).startswith("COVID against rest")
    assert "short" in lines[-2] and "collapsed" in lines[-1]


def test_the_tail_of_a_progress_file_is_its_last_bar(tmp_path):
    path = tmp_path / "progress"
    path.write_text("\rfit: 10%|# | 1/10\rfit: 20%|## | 2/10")
    assert screen.read_tail(path) == "fit: 20%|## | 2/10"
    path.write_bytes(b"\rruns: 1/5\n\rseed 27: 3/8\x1b[A")  # a bar within a bar
    assert screen.read_tail(path) == "seed 27: 3/8"
    path.write_text("\rfit: 100%\r            \r")
    assert screen.read_tail(path) == "" and screen.read_tail(tmp_path / "none") == ""
