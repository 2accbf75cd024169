"""Sweeps: read, checked, run here and on a cluster, skipped, killed and put together."""

import argparse
import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import filelock
import pandas as pd
import psutil
import pytest
import toys
import yaml

from leakage import environment, paths, record, sweep
from leakage.runner import board, collect, fleet, grid, job, process, screen
from leakcard import files

# The first job of four images waits to be killed; when it begins again it is like the others.
ONCE = """\
if mode == "once" and num_images == 4:
    marker = paths.get_cache_dir() / "waited"
    marker.parent.mkdir(parents=True, exist_ok=True)
    try:
        marker.touch(exist_ok=False)
        time.sleep(600)
    except FileExistsError:
        pass
print("threads", os.environ["OMP_NUM_THREADS"], os.environ["TF_NUM_INTRAOP_THREADS"])
"""
GRID = {"notebook": 2, "profile": "demo", "vary": {"num_images": [3, 4], "seeds": [27, 1]}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The toys with a sleeper, where this process and those that it starts find them."""
    return make_project(tmp_path, monkeypatch.setenv)


def make_project(folder, setenv):
    found = toys.write_project(folder)
    toys.write_notebook(folder / "note books" / "02_toy_second.ipynb", toys.WORK, ONCE, toys.WRITE)
    for name, value in found.items():
        setenv(name, value)
    return found


def write_grid(folder, content=None, **changes):
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump((content or GRID) | changes))
    return path


def start(found, *arguments):
    """Start `python -m leakage.sweep` as a user would."""
    held = {k: v for k, v in os.environ.items() if not k.startswith("LEAKAGE_")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "leakage.sweep", *map(str, arguments)],
        env=held | {"PYTHONPATH": str(paths.ROOT / "src")} | found,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def run(found, *arguments):
    process_ = start(found, *arguments)
    output, _ = process_.communicate(timeout=240)
    return process_.returncode, output


def read_metrics(found, name="grid"):
    """The bytes of every job's records, by the folder of the job."""
    folder = Path(found["LEAKAGE_RESULTS_DIR"]) / "sweeps" / name / "jobs"
    return {path.parents[1].name: path.read_bytes() for path in folder.glob("*/*/metrics.json")}


def wait_for(condition, seconds=240, command=None):
    end = time.monotonic() + seconds
    while not condition():
        assert command is None or command.poll() is None, command.communicate()[0]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def are_gone(processes):
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """One sweep by two processes, for all tests that only look."""
    folder = tmp_path_factory.mktemp("a sweep")
    found = {}
    make_project(folder, found.__setitem__)
    code, output = run(found, write_grid(folder), "--jobs", 2)
    assert code == 0, output
    return found, folder, output


def test_all_combinations_become_jobs_and_each_says_what_distinguishes_it(project, tmp_path):
    path = write_grid(tmp_path, fixed={"learning_rate": "1e-3"}, jobs=[{"num_images": 9}])
    jobs, notes = grid.read_grid(path, tmp_path)
    assert [each.label for each in jobs] == [
        *("num_images=3, seeds=27", "num_images=3, seeds=1", "num_images=4, seeds=27"),
        *("num_images=4, seeds=1", "num_images=9"),
    ]
    assert notes == ["the grid learning_rate 1e-3 is read as 0.001"]
    assert jobs[1].overrides == {"num_images": 3, "learning_rate": 0.001, "seeds": [1]}
    assert jobs[1].parameters["weights"] == "random"
    assert len({each.id for each in jobs}) == 5
    assert [each.id for each in grid.read_grid(path, tmp_path)[0]] == [each.id for each in jobs]


def test_a_notebook_that_does_not_declare_what_varies_runs_once(project, tmp_path):
    toys.write_notebook(tmp_path / "note books" / "03_toy_third.ipynb", parameters="rows: int = 5")
    content = {"notebook": [1, "03_toy_third"], "vary": {"num_images": [1, 2]}}
    jobs, _ = grid.read_grid(write_grid(tmp_path, content), tmp_path)
    assert [each.label for each in jobs] == ["01, num_images=1", "03", "01, num_images=2"]


def test_no_two_jobs_have_the_same_name(project, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.keras").write_text("x")
    several = [{}, {"num_images": 9}, {"mode": "fail"}]
    jobs, _ = grid.read_grid(write_grid(tmp_path, vary={}, jobs=several), tmp_path)
    assert [each.label for each in jobs] == ["02_toy_second", "num_images=9", "mode=fail"]
    path = write_grid(tmp_path, vary={"weights": ["a/net.keras", "b/net.keras"]})
    jobs, _ = grid.read_grid(path, tmp_path)
    assert [each.label for each in jobs] == [f"weights=net.keras ({e.id[-8:]})" for e in jobs]


def test_null_is_a_value_where_the_notebook_has_it_as_its_default(project, tmp_path):
    toys.write_notebook(tmp_path / "note books" / "03_third.ipynb", parameters="rows: int = None")
    path = write_grid(tmp_path, {"notebook": 3, "vary": {"rows": [None, 4]}})
    assert [each.parameters["rows"] for each in grid.read_grid(path, tmp_path)[0]] == [None, 4]
    with pytest.raises(ValueError, match="'num_images' has the wrong type"):
        grid.read_grid(write_grid(tmp_path, vary={"num_images": [None]}), tmp_path)


def test_the_example_is_a_grid_of_twelve_jobs(tmp_path):
    example = paths.ROOT / "notebooks" / "sweeps" / "example.yaml"
    assert len(grid.read_grid(example, tmp_path)[0]) == 12


def test_a_relative_path_in_a_grid_is_the_callers(project, tmp_path):
    (tmp_path / "net.keras").write_text("x")
    path = write_grid(tmp_path, vary={"weights": ["net.keras", "random"]})
    jobs, _ = grid.read_grid(path, tmp_path)
    assert jobs[0].overrides["weights"] == str(tmp_path / "net.keras")
    assert jobs[0].label == "weights=net.keras"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"notebook": 4}, "names a notebook that does not exist"),
        ({"notebook": [2, 8]}, "Notebook 08 reads what other notebooks wrote"),
        ({"profile": "tiny"}, "Expected one of demo, smoke, paper. Received: 'tiny'"),
        ({"vary": {"num_imags": [1]}}, "Did you mean 'num_images'?"),
        ({"vary": {"num_images": ["few"]}}, "Expected: int. Received: 'few'"),
        ({"vary": {"num_images": 3}}, "a single one belongs in `fixed`. Received: 3"),
        ({"fixed": {"seeds": [1]}}, "names seeds in `fixed` and in `vary`"),
        ({"fixed": [1]}, "`fixed` of the grid"),
        ({"jobs": [3]}, "`jobs` of the grid"),
        ({"vari": {}}, "is not understood. Expected `notebook`"),
    ],
)
def test_a_wrong_grid_ends_with_2_and_says_how_to_mend_it(
    project, tmp_path, capsys, changes, message
):
    assert sweep.main([str(write_grid(tmp_path, **changes))]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_grid_that_is_missing_or_no_yaml_is_refused(project, tmp_path, capsys):
    assert sweep.main([str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    (tmp_path / "bad.yaml").write_text("notebook: [")
    assert sweep.main([str(tmp_path / "bad.yaml")]) == 2
    assert "is no readable YAML" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--name", "../x"], "--name is the name of a folder"),
        (["--jobs", "2", "--scheduler", "tcp://x:1"], "--jobs is for this machine"),
    ],
)
def test_wrong_options_are_refused(project, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        sweep.main([str(write_grid(tmp_path)), *arguments])
    assert message in capsys.readouterr().err


def test_without_distributed_a_cluster_is_refused_with_the_way_out(
    project, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert sweep.main([str(write_grid(tmp_path)), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "pip install distributed" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_told(project, tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(fleet, "CONNECT_SECONDS", 0.5)
    assert sweep.main([str(write_grid(tmp_path)), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err


def test_records_and_parameters_of_all_jobs_are_in_one_table(swept):
    found, folder, output = swept
    results = folder / "results" / "sweeps" / "grid"
    runs = pd.read_csv(results / "runs.csv")
    assert runs["p_num_images"].tolist() == [3, 3, 4, 4] == runs["k"].tolist()
    assert runs["p_seeds"].tolist() == [27, 1, 27, 1] == runs["seed"].tolist()
    assert list(runs.columns) == ["job", "p_num_images", "p_seeds", *record.RECORD_COLUMNS]
    jobs = pd.read_csv(results / "jobs.csv")
    assert (jobs["status"] == "done").all()
    assert all((results / name / "02_toy_second" / "metrics.json").is_file()
               for name in jobs["folder"])  # fmt: skip
    assert "4 done, 0 skipped, 0 failed" in output


def test_the_figure_says_in_words_what_it_shows(swept):
    _, folder, _ = swept
    figures = folder / "results" / "sweeps" / "grid" / "figures"
    texts = json.loads((figures / "alt_texts.json").read_text())
    (name,) = texts
    assert (figures / f"{name}.png").is_file()
    assert "4 runs on 02 toy (paper): from 0.30 (num_images=3, seeds=27) to 0.40" in texts[name]


def test_threads_are_pinned_and_executed_notebooks_do_not_tell_of_the_machine(swept):
    _, folder, _ = swept
    jobs = folder / "results" / "sweeps" / "grid" / "jobs"
    for path in jobs.glob("*/02_toy_second/02_toy_second.ipynb"):
        text = path.read_text()
        assert "threads 1 1" in text and str(folder) not in text
        assert f"in results/sweeps/grid/jobs/{path.parents[1].name}/02_toy_second" in text


def test_every_library_gets_its_number_of_threads():
    pinned = process.pin_threads(3)
    assert {"OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENCV_FOR_THREADS_NUM"} <= set(pinned)
    command = "import cv2, os; print(cv2.getNumThreads())"
    done = subprocess.run(
        [sys.executable, "-c", command], env=os.environ | pinned, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(min(3, os.cpu_count())) or "3" in done.stdout


def test_a_second_call_does_nothing(swept):
    found, folder, _ = swept
    results = folder / "results" / "sweeps" / "grid"
    watched = [p for p in results.rglob("*") if p.is_file() and ".run" not in p.parts]
    assert len(watched) > 15
    before = {path: path.stat().st_mtime_ns for path in watched}
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    code, output = run(found, folder / "grid.yaml", "--jobs", 2)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used
    assert code == 0 and "4 of 4 jobs skipped" in output and "0 done, 4 skipped" in output
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert used < 20  # seconds of a processor, whatever else the machine does


def test_what_a_killed_call_left_of_the_figures_is_drawn_anew(swept, monkeypatch):
    found, folder, _ = swept
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    results = folder / "results" / "sweeps" / "grid"
    jobs, _ = grid.read_grid(folder / "grid.yaml", folder)
    outcomes = {each.id: {"ok": True} for each in jobs}
    options = argparse.Namespace(threads=1, grid_text="of the start")
    complete = (results / "runs.csv").read_bytes()
    (results / "runs.csv").write_text("older")

    def draw_half(runs, folder):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(collect, "draw_runs", draw_half)
        sweep.write_results(results, jobs, outcomes, options)
    assert (results / "runs.csv").read_text() == "older"
    sweep.write_results(results, jobs, outcomes, options)
    assert (results / "runs.csv").read_bytes() == complete
    assert (results / "grid.yaml").read_text() == "of the start"


def test_one_process_gives_the_records_of_two(swept, project, tmp_path):
    code, output = run(project, write_grid(tmp_path), "--jobs", 1)
    assert code == 0, output
    assert read_metrics(project) == read_metrics(swept[0]) and len(read_metrics(project)) == 4


def start_cluster(folder, found):
    """A scheduler and two workers, each a process of its own, on the loopback."""
    held = {k: v for k, v in os.environ.items() if not k.startswith("LEAKAGE_")}
    held |= {"PYTHONPATH": str(paths.ROOT / "src")}
    file = folder / "scheduler.json"

    def start_dask(*words):
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file), "--no-dashboard"],
            env=held, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    started = [start_dask("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        wait_for(lambda: file.is_file() and file.read_text().strip().endswith("}"))
        started += [start_dask("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
        return started, json.loads(file.read_text())["address"]
    except BaseException:
        end_all(started)
        raise


def end_all(started):
    for each in started:
        each.kill()
        each.wait()


def test_a_cluster_gives_the_same_records_also_when_a_worker_is_killed(swept, project, tmp_path):
    pytest.importorskip("distributed")
    started, address = start_cluster(tmp_path, project)
    try:
        # `mode` is no part of the records, and takes the place of the profile's default
        path = write_grid(tmp_path, fixed={"mode": "once"})
        command = start(project, path, "--scheduler", address)
        wait_for((tmp_path / "cache" / "waited").exists, command=command)
        workers = [psutil.Process(each.pid) for each in started[1:]]
        wait_for(lambda: sum(len(w.children()) for w in workers) == 1)  # the others are done
        (victim,) = [worker for worker in workers if worker.children()]
        orphans = victim.children(recursive=True)
        assert len(orphans) >= 2  # the notebook's process and its kernel
        victim.kill()
        wait_for(lambda: are_gone(orphans), 30)
        output, _ = command.communicate(timeout=240)
        assert command.returncode == 0, output
    finally:
        end_all(started)
    by_label = [{name.rpartition("_")[0]: text for name, text in read_metrics(one).items()}
                for one in (project, swept[0])]  # fmt: skip
    assert by_label[0] == by_label[1] and len(by_label[0]) == 4
    assert not list(tmp_path.rglob("*.partial")) and not list(tmp_path.rglob("*.running"))


def test_a_failed_job_is_recorded_the_rest_goes_on_and_ctrl_c_ends_what_runs(project, tmp_path):
    path = write_grid(
        tmp_path, notebook=1, vary={"mode": ["fail", "fine", "sleep"]}, fixed={"num_images": 7}
    )
    command = start(project, path, "--jobs", 2)
    jobs = tmp_path / "results" / "sweeps" / "grid" / "jobs"
    wait_for(lambda: list(jobs.glob("*/.run/01_toy_first.partial/begun")))
    wait_for(lambda: list(jobs.glob("*mode=fine*/01_toy_first/metrics.json")))
    descendants = psutil.Process(command.pid).children(recursive=True)
    assert len(descendants) >= 2
    command.send_signal(signal.SIGINT)
    output, _ = command.communicate(timeout=60)
    assert command.returncode == 130 and "interrupted" in output and "Traceback" not in output
    wait_for(lambda: are_gone(descendants), 30)
    assert "mode=fail FAILED in cell [3]: ValueError: Too few. Expected: 4" in output
    listed = pd.read_csv(jobs.parent / "jobs.csv").set_index("p_mode")
    assert listed["status"].to_dict() == {"fail": "failed", "fine": "done", "sleep": "left"}
    assert listed.loc["fail", ["cell", "error"]].tolist() == [3, "ValueError"]
    assert pd.read_csv(jobs.parent / "runs.csv")["job"].tolist() == ["mode=fine"]
    path = write_grid(tmp_path, notebook=1, vary={"mode": ["fail", "fine"]},
                      fixed={"num_images": 7})  # fmt: skip
    code, output = run(project, path)
    assert code == 1 and "1 of 2 jobs skipped" in output and "1 failed" in output


def make_task(folder, name, source="02_toy_second.ipynb"):
    return {"id": name, "label": name, "run_dir": str(folder / name), "source": source}


def test_the_table_counts_and_estimates_the_time_left(tmp_path):
    tasks = {name: make_task(tmp_path, name) for name in "abcd"}
    stream = io.StringIO()
    shown = board.Board(screen.Screen(stream), tasks, num_skipped=1)
    assert shown.describe() == ["5 jobs: 1 done, 0 running, 0 failed, 4 left"]
    shown.settle({"id": "a", "ok": True, "seconds": 100.0})
    failure = {"error": "ValueError", "message": "no", "cell": 4}
    shown.settle({"id": "b", "ok": False, "seconds": 1.0, **failure})
    files.write_json(tmp_path / "c" / ".run" / "02_toy_second.running", {"since": time.time() - 40})
    (tmp_path / "c" / ".run" / "02_toy_second.cells").write_text("Executing:  30%|# | 3/9 [00:01<")
    # c needs 60 s more, d 100 s, and one runs at a time
    lines = shown.describe()
    assert lines[0] == "5 jobs: 2 done, 1 running, 1 failed, 1 left; about 2 min 40 s to go"
    assert lines[1] == "  c, 3/9 cells, 40 s"
    assert "a done in 1 min 40 s (2 of 5)" in stream.getvalue()
    assert "b FAILED in cell [4]: ValueError: no" in stream.getvalue()


def test_on_a_terminal_the_table_is_redrawn_in_place(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    shown = screen.Screen(stream)
    shown.show(["12 jobs", "  one", "  two"], as_table=True)
    shown.show(["12 jobs"], as_table=True)
    shown.say("done")
    assert stream.getvalue() == "12 jobs\n  one\n  two\r\x1b[2A\x1b[J12 jobs\r\x1b[Jdone\n"


def test_in_a_log_the_table_is_a_line_a_minute(monkeypatch):
    stream = io.StringIO()
    shown = screen.Screen(stream)
    shown.show(["12 jobs", "  one"], as_table=True)
    assert stream.getvalue() == ""
    monkeypatch.setattr(screen, "LOG_INTERVAL_SECONDS", 0)
    shown.show(["12 jobs", "  one"], as_table=True)
    assert stream.getvalue() == "  ... 12 jobs |   one\n"


def test_gpus_are_those_that_the_machine_has_and_the_caller_allows(monkeypatch):
    monkeypatch.setattr(environment, "_list_gpus", lambda: ["one", "two", "three"])
    for given, expected in {None: ["0", "1", "2"], "2,0": ["2", "0"], "": [], "-1": []}.items():
        job.list_gpus.cache_clear()
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if given is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert job.list_gpus() == expected
    job.list_gpus.cache_clear()


def test_no_more_jobs_run_than_there_are_gpus_unless_they_may_share(monkeypatch):
    monkeypatch.setattr(job, "list_gpus", lambda: ["0"])
    options = argparse.Namespace(jobs=4, threads=1, gpus_shared=False)
    assert sweep.count_jobs(options) == 1
    options.gpus_shared = True
    assert sweep.count_jobs(options) == 4


def run_with_gpus(folder, monkeypatch, share_gpus, num_jobs):
    """Run jobs that last a moment; return the GPUs they got, and how many ran at once."""
    monkeypatch.setattr(job, "list_gpus", lambda: ["5", "7"])
    monkeypatch.setattr(job.state, "hash_code", lambda: "code")
    monkeypatch.setattr(job.tempfile, "gettempdir", lambda: str(folder))
    seen, running, most = [], [], []

    def execute(task, source, run_state, stop, variables):
        running.append(task["id"])
        most.append(len(running))
        seen.append(variables.get("CUDA_VISIBLE_DEVICES"))
        time.sleep(0.4)
        running.remove(task["id"])
        return {"ok": True}

    monkeypatch.setattr(job, "_execute", execute)
    monkeypatch.setattr(job.state, "hash_notebook", lambda source: "notebook")
    common = {
        "code": "code",
        "notebook": "notebook",
        "key": "k",
        "force": False,
        "variables": {},
        "stop": folder / "stop",
    }
    tasks = [make_task(folder, f"{n}") | common | {"share_gpus": share_gpus}
             for n in range(num_jobs)]  # fmt: skip
    assert all(outcome["ok"] for outcome in fleet.run_here(tasks, num_jobs))
    return seen, max(most)


def test_each_job_has_a_gpu_of_its_own(tmp_path, monkeypatch):
    seen, most = run_with_gpus(tmp_path, monkeypatch, share_gpus=False, num_jobs=4)
    assert most == 2 and set(seen) == {"5", "7"} and len(seen) == 4


def test_jobs_share_gpus_where_asked(tmp_path, monkeypatch):
    seen, most = run_with_gpus(tmp_path, monkeypatch, share_gpus=True, num_jobs=3)
    assert most == 3 and set(seen) == {None}


def test_a_job_waits_for_another_that_has_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(job.state, "hash_code", lambda: "code")
    monkeypatch.setattr(job.state, "hash_notebook", lambda source: "notebook")
    monkeypatch.setattr(job, "_execute", lambda *_: {"ok": True})
    task = make_task(tmp_path, "a") | {"code": "code", "notebook": "notebook", "key": "k"}
    task |= {"force": False}
    task |= {"variables": {}, "stop": tmp_path / "stop", "share_gpus": True}
    (tmp_path / "a" / ".run").mkdir(parents=True)
    taken = filelock.FileLock(tmp_path / "a" / ".run" / "02_toy_second.taken")
    found = []
    with taken:
        waiting = threading.Thread(target=lambda: found.append(job.run_job(task)))
        waiting.start()
        time.sleep(0.6)
        assert found == []
    waiting.join(timeout=10)
    assert found[0]["ok"]


def test_other_code_on_a_worker_is_an_error_and_not_a_result(tmp_path):
    task = make_task(tmp_path, "a") | {"code": "another", "stop": tmp_path / "stop"}
    outcome = job.run_job(task)
    assert not outcome["ok"] and "worker has another version" in outcome["message"]


def test_a_notebook_that_was_edited_meanwhile_is_an_error_and_not_a_result(tmp_path, monkeypatch):
    monkeypatch.setattr(job.state, "hash_code", lambda: "code")
    toys.write_notebook(tmp_path / "02_toy.ipynb")
    task = make_task(tmp_path, "a", str(tmp_path / "02_toy.ipynb"))
    task |= {"code": "code", "notebook": "of the start", "stop": tmp_path / "stop"}
    outcome = job.run_job(task)
    assert outcome["error"] == "OtherCode" and "changed meanwhile" in outcome["message"]


def test_figures_show_chance_as_a_line_where_it_is_the_same_for_all(tmp_path):
    row = {"job": "a", "notebook": "02_x", "protocol": "paper", "variant": "w", "backbone": "n",
           "weights": "random", "data_source": "phantoms"}  # fmt: skip
    score = {"metric": "accuracy", "interval": "wilson", "value": 0.7, "lower": 0.5, "upper": 0.9,
             "n": 20, "verdict": "not comparable"}  # fmt: skip
    rows = [row | score, row | score | {"job": "b", "value": 0.8}]
    rows += [row | {"metric": "chance", "value": 0.5}, row | {"job": "b", "metric": "chance",
                                                              "value": 0.5}]  # fmt: skip
    runs = pd.DataFrame(rows, columns=["job", *record.RECORD_COLUMNS])
    (path,) = collect.draw_runs(runs, tmp_path)
    (text,) = json.loads((path.parent / "alt_texts.json").read_text()).values()
    assert "from 0.70 (a) to 0.80 (b). The line at 0.50 is chance" in text and "phantoms" in text
