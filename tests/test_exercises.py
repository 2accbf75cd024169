"""Guesses and answers beside what a run found, on the committed demo."""

import json
import shutil

import nbformat
import pytest

from leakage import exercises, paths

DEMO = paths.ROOT / "results" / "demo"


@pytest.mark.parametrize(
    ("guess", "value", "ending"),
    [
        (0.5, 0.7, "Your guess: 0.50. The run: 0.70 (7 of 10). That is 0.20 more."),
        (0.72, 0.7, "Well guessed."),
        (None, 0.7, "No guess was made. The run: 0.70 (7 of 10)."),
        (70, 0.7, "such as 0.5, was expected. The run: 0.70 (7 of 10)."),
        ("a", 0.7, "such as 0.5, was expected. The run: 0.70 (7 of 10)."),
        (0.5, None, "The run found no value (7 of 10)."),
    ],
)
def test_a_guess_of_any_kind_is_put_beside_the_result(guess, value, ending):
    assert exercises.reveal_result(guess, value, "7 of 10").endswith(ending)


def test_right_answers_get_the_full_score_and_wrong_ones_a_hint_without_the_value():
    solutions = exercises.solve(DEMO)
    rounded = {name: round(float(value), 2) for name, value in solutions.items()}
    marks, _ = exercises.check_answers(rounded, DEMO)
    assert set(marks) == set(exercises.HINTS) and all(marks.values())
    wrong = {name: value + 0.02 for name, value in rounded.items()} | {"1": "all", "2": None}
    marks, text = exercises.check_answers(wrong, DEMO)
    assert not any(marks.values())
    assert "2. no answer yet" in text and text.count("not yet; hint: ") == len(marks) - 1
    for name, value in solutions.items():
        if name not in "12":  # 1 and 15 are numbers that a sentence may hold
            assert f"{value:.2f}" not in text


def test_a_run_without_one_of_the_notebooks_is_told_which_and_what_to_do(tmp_path):
    (tmp_path / "02_wolves").mkdir()
    shutil.copy(next(DEMO.glob("02_*/predictions.csv")), tmp_path / "02_wolves")
    with pytest.raises(FileNotFoundError, match="what notebook 01 found.*--only 01") as error:
        exercises.solve(tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.slow
def test_the_notebook_writes_scores_and_shows_no_answer(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("LEAKAGE_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT / "src"))
    notebook = nbformat.read(paths.ROOT / "notebooks" / "exercises.ipynb", as_version=4)
    solutions = exercises.solve(DEMO)
    for cell in notebook.cells:
        name = cell.source.split(" = ")[0].removeprefix("answer_")
        if name in solutions and name != "3":
            cell.source = f"answer_{name} = {float(solutions[name])!r}"
    NotebookClient(notebook, kernel_name="python3").execute()
    scores = json.loads((tmp_path / "exercises" / "scores.json").read_text())
    assert scores["score"] == "6 of 7" and scores["right"]["3"] is False
    assert scores["results"] == "demo" and scores["date"]
    printed = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert str(paths.ROOT) not in printed and f"{solutions['3']:.3f}" not in printed
