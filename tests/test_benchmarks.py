"""The benchmarks run, say what they measured, and never call a goal reached that is not.

Nothing is timed here: `--small` checks the code, its figures mean nothing.
"""

import copy
import functools
import importlib
import json
import subprocess

import pytest

from leakage import networks, paths

CLOCKS = {"seconds", "cpu_seconds"}
MACHINE = {"processor": "a processor", "num_cores": 2, "load_before": 0.1}


def both(value):
    return dict.fromkeys(CLOCKS, value)


# What each benchmark prints, as far as the table needs it: every goal is just reached.
FOUND = {
    "ancestor": {
        "published_study": {
            "1 seed": {"times_faster": both(20.0), "goal": 20},
            "5 seeds": {"times_faster": both(35.0), "goal": 35},
        },
    },
    "extraction": {"share_of_bare_speed": {"image": both(0.85)}, "goal": 0.85},
    "scaling": {
        "published_study": {
            clock: [{"views": views, "further_over_first": 5 / views} for views in (1, 50)]
            for clock in CLOCKS
        },
        "goal": 0.1,
    },
    "audit": {
        "images": "real X-rays",
        "runs": [{"num_images": n, "seconds": 180.0, "cpu_seconds": 300.0} for n in (250, 2000)],
        "goal_seconds": 180,
        "goal_images": 2000,
    },
    "memory": {
        "options": {"small": False, "num_images": 1000, "num_views": 10},
        "peak_gb": {"extracted": 1.5, "trained": 3.99},
        "goal_gb": 4,
    },
}
FOUND = {
    name: {"options": {"small": False}, "machine": MACHINE} | run for name, run in FOUND.items()
}


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    """Make `benchmarks` importable, and build each network once for all of them."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(paths.ROOT)
    patch.setattr(networks, "build_backbone", functools.cache(networks.build_backbone))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def summary(benchmarks):
    return importlib.import_module("benchmarks.summary")


def run_small(name, capsys):
    main = importlib.import_module(f"benchmarks.{name}").main
    returned = main(["--small"])
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(returned))
    assert printed["options"]["small"] and printed["machine"]["num_cores"] > 0
    return printed


def read_cells(table, column):
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [line.strip("|").split("|")[column].strip() for line in lines]


def test_what_is_kept_names_no_folder_of_the_machine(benchmarks, tmp_path, capsys):
    common = importlib.import_module("benchmarks.common")
    found = common.run_benchmark(
        "x", {"weights": "random"}, {}, lambda options: {}, ["--weights", f"{tmp_path}/net.keras"]
    )
    assert found["options"] == {"small": False, "weights": "net.keras"}
    assert str(tmp_path) not in capsys.readouterr().out


def test_the_ancestors_way_and_ours_are_the_same_study(capsys, summary):
    found = run_small("ancestor", capsys)
    assert found["agreement"]["equal_predictions"] == 1.0
    assert found["agreement"]["largest_difference"] < 1e-3
    assert set(found["slice"]["extraction"]) == CLOCKS
    goals = [row[3] for row in summary.list_rows({"ancestor": found})]
    assert goals == ["at least 20.0", "at least 35.0"]


def test_the_published_study_follows_linearly_from_the_slice(benchmarks):
    ancestor = importlib.import_module("benchmarks.ancestor")
    options = type(
        "Options", (), {"num_train": 64, "num_val": 32, "num_test": 32, "num_epochs": 25}
    )
    seconds = {"ancestor's epoch": 96.0, "extraction": 128.0}  # a second an image
    seconds |= {"head": 50.0}  # a second a batch
    times = {name: both(value) for name, value in seconds.items()}
    found = ancestor.extrapolate(times, options)
    one, five = found["1 seed"], found["5 seeds"]
    assert one["ancestor"]["seconds"] == pytest.approx(50 * (580 + 140) + 140)
    assert one["ours"]["seconds"] == pytest.approx(860 + 50 * 19)
    assert five["ancestor"]["seconds"] == pytest.approx(5 * one["ancestor"]["seconds"])
    assert five["ours"]["seconds"] == pytest.approx(860 + 5 * 50 * 19)


def test_extraction_is_compared_with_the_bare_pass(capsys):
    found = run_small("extraction", capsys)
    assert set(found["share_of_bare_speed"]) == {"image", "augmented view"}
    for name, share in found["share_of_bare_speed"].items():
        bare, ours = found["times"]["bare"]["seconds"], found["times"][name]["seconds"]
        assert share["seconds"] == pytest.approx(bare / ours, rel=0.01)


def test_costs_are_put_into_lines(capsys):
    found = run_small("scaling", capsys)
    counts = [(one["images"], one["views"]) for one in found["extraction"]]
    assert counts == [(16, 1), (16, 2), (32, 1), (32, 2)]
    assert [one["views"] for one in found["published_study"]["seconds"]] == [1, 10, 50]


def test_a_line_gives_back_the_costs_that_it_was_made_from(benchmarks):
    scaling = importlib.import_module("benchmarks.scaling")
    sizes = [(32, 1), (32, 4), (64, 1)]
    extractions = [{"images": n, "views": v, "seconds": 0.2 * n * v} for n, v in sizes]
    seeds = [{"batches": n, "seconds": 3 + 0.05 * n} for n in (6, 24) for _ in range(3)]
    seeds[0] = seeds[0] | {"seconds": 60.0}  # one that shared the machine
    costs = scaling.fit_costs(extractions, seeds, "seconds")
    assert costs["an_image_and_view"] == pytest.approx(0.2)
    assert costs["a_seed"] == pytest.approx(3)
    assert costs["a_batch"] == pytest.approx(0.05)
    last = scaling.extrapolate(costs)[-1]
    assert last["first_seed"] == pytest.approx(0.2 * (580 * 50 + 280) + 3 + 0.05 * 50 * 19)


def test_a_line_that_other_work_hides_makes_no_seed_cheaper_than_it_was(benchmarks):
    scaling = importlib.import_module("benchmarks.scaling")
    extractions = [{"images": 32, "views": 1, "seconds": 6.0}]
    seeds = [{"batches": 6, "seconds": 15.0}, {"batches": 24, "seconds": 12.0}]
    costs = scaling.fit_costs(extractions, seeds, "seconds")
    assert costs["a_batch"] == pytest.approx(0.5) and costs["a_seed"] == 0


def test_the_peak_of_memory_grows_and_all_views_are_read(capsys, monkeypatch):
    memory = importlib.import_module("benchmarks.memory")
    seen = []
    monkeypatch.setattr(
        memory.training, "train_heads", lambda split, bank, *rest: seen.append((split, bank))
    )
    extract = memory.features.FeatureBank.extract

    def check(bank, table, view=0, description=""):
        passed = extract(bank, table, view, description)
        seen.append(len(passed))
        return passed

    monkeypatch.setattr(memory.features.FeatureBank, "extract", check)
    peaks = list(run_small("memory", capsys)["peak_gb"].values())
    assert peaks == sorted(peaks) and peaks[0] > 0
    assert seen[:3] == [32, 32, 32]  # two views and the images themselves: one real batch of each
    split, bank = seen[3]
    assert split["split"].value_counts().to_dict() == {"train": 64, "val": 32, "test": 32}
    assert split["sha256"].is_unique


def test_the_audit_is_timed_on_a_folder_of_links(capsys):
    (run,) = run_small("audit", capsys)["runs"]
    assert run["num_images"] == 24 and run["seconds"] > 0 and run["cpu_seconds"] > 0


def test_an_audit_that_fails_is_not_timed(benchmarks, tmp_path):
    audit = importlib.import_module("benchmarks.audit")
    with pytest.raises(RuntimeError, match="There is nothing to audit"):
        audit.audit_folder(tmp_path / "nowhere", tmp_path)


def test_the_table_has_every_goal_and_says_that_it_is_reached(summary):
    table = summary.make_table(FOUND)
    assert set(read_cells(table, 4)) == {"yes", ""}
    least = {f"at least {goal}" for goal in ("20.0", "35.0", "85%")}
    most = {f"at most {goal}" for goal in ("10.0%", "180 s", "4.00 GB")}
    assert set(read_cells(table, 3)) == least | most | {""}
    assert "a processor, 2 cores" in table and "memory 0.1" in table


@pytest.mark.parametrize(
    ("name", "place", "value", "said"),
    [
        ("ancestor", ["published_study", "1 seed", "times_faster"], both(19.9), "no"),
        ("ancestor", ["published_study", "5 seeds", "times_faster", "seconds"], 34, "by one clock"),
        ("extraction", ["share_of_bare_speed", "image"], both(0.84), "no"),
        ("audit", ["runs", 1, "seconds"], 181, "no"),
        ("memory", ["peak_gb", "trained"], 4.1, "no"),
    ],
)
def test_a_goal_that_is_missed_is_called_missed(summary, name, place, value, said):
    found = {name: copy.deepcopy(FOUND[name])}
    inner = found[name]
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    assert said in read_cells(summary.make_table(found), 4)


def test_what_was_run_small_is_marked_and_what_was_not_run_is_left_out(summary):
    found = {"memory": FOUND["memory"] | {"options": FOUND["memory"]["options"] | {"small": True}}}
    table = summary.make_table(found)
    assert "no figures: memory" in table and len(read_cells(table, 0)) == 1


def test_the_table_is_put_between_the_marks_of_the_readme(summary, tmp_path, capsys):
    for name, run in FOUND.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(run))
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- speed -->\nold\n<!-- /speed -->\nafter\n")
    summary.main(["--folder", str(tmp_path), "--readme", str(readme)])
    text = readme.read_text()
    assert text.startswith("before\n<!-- speed -->\n| what |") and text.endswith("\nafter\n")
    assert capsys.readouterr().out in text and "old" not in text
    assert not summary.fill_readme(readme, summary.make_table(FOUND))
    (tmp_path / "bare.md").write_text("nothing")
    with pytest.raises(ValueError, match="<!-- speed -->.*without them"):
        summary.fill_readme(tmp_path / "bare.md", "x")


def test_all_are_run_one_by_one_and_real_images_go_to_those_that_take_them(
    summary, tmp_path, monkeypatch
):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps(FOUND["memory"]).encode())

    monkeypatch.setattr(summary.subprocess, "run", run)
    summary.run_all(tmp_path / "made", data_dir=tmp_path)
    assert set(summary.read_all(tmp_path / "made")) == set(summary.NAMES) == set(summary.MAKERS)
    given = {command[2] for command in commands if str(tmp_path) in command}
    assert given == {"benchmarks.audit"}


def test_without_results_the_way_to_get_them_is_told(summary, tmp_path):
    with pytest.raises(FileNotFoundError, match="benchmarks.summary --run"):
        summary.read_all(tmp_path)
