"""Sweeps: checked, run here and on a cluster with a killed worker, interrupted, gone on with."""

import argparse
import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import toys
import yaml
from test_run import call

from leakage import paths, record, run
from nbrun import command, plan

GRID = {
    "notebook": 2,
    "profile": "demo",
    "fixed": {"mode": "once"},
    "vary": {"num_images": [3, 4], "seeds": [27, 1]},
}


def write_grid(folder, **changes):
    (folder / "grid.yaml").write_text(yaml.safe_dump(GRID | changes))
    return folder / "grid.yaml"


def read_jobs(folder):
    return json.loads((folder / "jobs.json").read_text())


def read_records(folder):
    """The bytes of every job's records, by the folder of the job."""
    jobs = folder / "results" / "sweeps" / "grid" / "jobs"
    return {path.parents[1].name: path.read_bytes() for path in jobs.glob("*/*/metrics.json")}


def read_told(folder):
    return [json.loads(path.read_text()) for path in folder.rglob("02_second/timings.json")]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """One sweep by two processes and with two GPUs, for all tests that only look."""
    folder = toys.write_project(tmp_path_factory.mktemp("a sweep"))
    path = write_grid(folder, fixed={"mode": "fine"})
    code, output = toys.run(folder, "sweep", path, env={"CUDA_VISIBLE_DEVICES": "5,7"})
    assert code == 0, output
    return folder, output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"notebook": 4}, "names a notebook that does not exist"),
        ({"notebook": [2, 7]}, "Notebook 07 reads what the others wrote"),
        ({"profile": "tiny"}, "Expected one of demo, paper. Received: 'tiny'"),
        ({"vary": {"num_imags": [1]}}, "Did you mean 'num_images'?"),
        ({"vary": {"num_images": ["few"]}}, "Expected: int. Received: 'few'"),
        ({"vary": {"num_images": 3}}, "needs to be a list or a numpy array, but got 3"),
        ({"fixed": [1]}, "is not understood. Expected `notebook`"),
        ({"jobs": 3}, "is not understood. Expected `notebook`"),
        ({"vari": {}}, "is not understood. Expected `notebook`"),
    ],
)
def test_a_wrong_grid_ends_with_2_and_says_how_to_mend_it(tmp_path, capsys, changes, message):
    toys.write_project(tmp_path)
    assert call(tmp_path, "sweep", str(write_grid(tmp_path, **changes))) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "cannot be read: No such file"),
        (["{grid}", "--threads", "0"], "--threads must be at least 1"),
        (["{grid}", "--jobs", "2", "--scheduler", "tcp://x:1"], "--jobs is for this machine"),
        (["{grid}", "--scheduler", "x:1"], "No Dask scheduler answers at x:1"),
    ],
)
def test_wrong_options_end_with_2(tmp_path, capsys, monkeypatch, arguments, message):
    pytest.importorskip("distributed")
    monkeypatch.setattr(command, "CONNECT_SECONDS", 0.5)
    grid = str(write_grid(toys.write_project(tmp_path)))
    assert call(tmp_path, "sweep", *(word.format(grid=grid) for word in arguments)) == 2
    assert message in capsys.readouterr().err


def test_without_distributed_a_cluster_is_refused_with_the_way_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    grid = str(write_grid(toys.write_project(tmp_path)))
    assert call(tmp_path, "sweep", grid, "--scheduler", "tcp://127.0.0.1:1") == 2
    assert "pip install distributed" in capsys.readouterr().err


def test_all_combinations_are_jobs_and_say_what_distinguishes_them(swept):
    folder, output = swept
    rows = read_jobs(folder)
    assert [row["job"] for row in rows] == [
        f"02, num_images={images}, seeds={seed}" for images in (3, 4) for seed in (27, 1)
    ]
    assert {row["status"] for row in rows} == {"done"} and "4 done; see" in output
    results = folder / "results" / "sweeps" / "grid"
    assert all((results / row["folder"] / "02_second" / "metrics.json").is_file() for row in rows)
    assert "4 jobs" in output
    assert json.loads((results / "environment.json").read_text())["grid"]["notebook"] == 2
    found = [json.loads(text) for text in read_records(folder).values()]
    assert sorted((one["images"], one["seed"]) for one in found) == [
        (3, 1),
        (3, 27),
        (4, 1),
        (4, 27),
    ]
    assert {one["threads"] for one in found} == {"1"}


def test_a_job_has_a_gpu_of_its_own_unless_it_may_share(swept):
    told = sorted(read_told(swept[0]), key=lambda one: one["times"])
    assert {one["gpu"] for one in told} == {"5", "7"}
    for one in told:  # who has the same GPU comes before or after
        others = [each for each in told if each is not one and each["gpu"] == one["gpu"]]
        begin, end = one["times"]
        assert all(each["times"][1] < begin or each["times"][0] > end for each in others)


def test_one_process_gives_the_records_of_two_and_a_second_call_does_nothing(
    swept, tmp_path, monkeypatch, capsys
):
    grid = str(write_grid(toys.write_project(tmp_path), fixed={"mode": "fine"}))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert call(tmp_path, "sweep", grid, "--jobs", "1", "--share-gpu") == 0
    assert read_records(tmp_path) == read_records(swept[0])
    assert {one["gpu"] for one in read_told(tmp_path)} == {"5,7"}
    before = toys.list_files(tmp_path)
    assert call(tmp_path, "sweep", grid) == 0
    output = capsys.readouterr().out
    assert "4 of 4 jobs skipped" in output and "4 skipped; see" in output
    assert toys.list_files(tmp_path) == before


def start_cluster(folder):
    """A scheduler and two workers, each a process of its own, on the loopback."""
    file = folder / "scheduler.json"

    def start_dask(*words):
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file), "--no-dashboard"],
            env=os.environ | {"PYTHONPATH": str(toys.SOURCE)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    started = [start_dask("scheduler", "--host", "127.0.0.1", "--port", "0")]
    toys.wait_for(lambda: file.is_file() and file.read_text().strip().endswith("}"), started[0])
    started += [start_dask("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
    return started, json.loads(file.read_text())["address"]


def test_a_cluster_gives_the_same_records_also_when_a_worker_is_killed(swept, tmp_path):
    pytest.importorskip("distributed")
    toys.write_project(tmp_path)
    (scheduler, *workers), address = start_cluster(tmp_path)
    try:
        command = toys.start(tmp_path, "sweep", write_grid(tmp_path), "--scheduler", address)
        toys.wait_for(
            (tmp_path / "cache" / "waited").exists, command
        )  # one job, until it is killed
        toys.wait_for(lambda: len(read_records(tmp_path)) == 3, command)
        (victim,) = [worker for worker in workers if toys.list_descendants(worker)]
        kernels = toys.list_descendants(victim)
        victim.kill()
        toys.wait_for(lambda: toys.are_gone(kernels))
        output, _ = command.communicate(timeout=120)
        assert command.returncode == 0, output
    finally:
        for each in (scheduler, *workers):
            each.kill()
            each.wait()

    def by_label(folder):  # the mode decides on the folder, and is no part of the records
        return {name.rpartition("_")[0]: text for name, text in read_records(folder).items()}

    assert by_label(tmp_path) == by_label(swept[0]) and len(by_label(tmp_path)) == 4


def test_a_failed_job_is_recorded_the_rest_goes_on_and_ctrl_c_ends_what_runs(tmp_path):
    toys.write_project(tmp_path)
    path = write_grid(tmp_path, vary={"mode": ["fail", "fine", "sleep"]}, fixed={"num_images": 7})
    command = toys.start(tmp_path, "sweep", path, "--jobs", 2)
    jobs = tmp_path / "results" / "sweeps" / "grid" / "jobs"
    toys.wait_for(lambda: list(jobs.glob("*mode=sleep*/.run/*.partial/*/mode")), command)
    toys.wait_for(lambda: list(jobs.glob("*mode=fine*/02_second/metrics.json")), command)
    kernels = toys.list_descendants(command)
    command.send_signal(signal.SIGINT)
    output, _ = command.communicate(timeout=60)
    assert command.returncode == 130 and "interrupted" in output and "Traceback" not in output
    assert kernels and toys.are_gone(kernels)
    assert "mode=fail FAILED in cell [4]: ValueError: Too few. Expected: 4" in output
    rows = {row["p_mode"]: row for row in read_jobs(tmp_path)}
    assert {mode: row["status"] for mode, row in rows.items()} == {
        "fail": "failed", "fine": "done", "sleep": "left"
    }  # fmt: skip
    assert rows["fail"]["cell"] == 4 and rows["fail"]["error"] == "ValueError"


def test_the_example_is_a_grid_of_twelve_jobs():
    example = paths.ROOT / "notebooks" / "sweeps" / "example.yaml"
    options = argparse.Namespace(grid=example, name="example")
    assert len(plan.plan_sweep(run.make_project(), options)[0]) == 12


def test_the_records_of_all_jobs_are_in_one_table(tmp_path):
    rows = []
    for value, k in {"3": 7, "4": 8}.items():
        scores = pd.DataFrame(
            [{"metric": "accuracy", "interval": "wilson", "value": k / 10, "lower": 0.4,
              "upper": 0.9, "k": k, "n": 10, "verdict": "not comparable"}]
        )  # fmt: skip
        records = record.make_records(scores, system="S1", notebook="02_x", variant="toy", seed=1)
        record.write_metrics(tmp_path / "jobs" / value / "02_x", records)
        rows.append(
            {"job": f"02, size_px={value}", "notebook": "02_x", "status": "done",
             "p_size_px": value, "folder": f"jobs/{value}"}
        )  # fmt: skip
    text = run.report_sweep(tmp_path, [*rows, rows[0] | {"status": "failed"}])
    assert "8/10 = 0.800" in text and "02, size_px=4" in text
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert runs["p_size_px"].tolist() == [3, 4] and runs["k"].tolist() == [7, 8]
    assert "| 02, size_px=3 |" in (tmp_path / "summary.md").read_text()
