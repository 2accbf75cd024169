"""Guesses and answers beside what a run found; the questions that notebooks 01 to 03 ask."""

import ast
import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.stats import contingency

from leakage import evaluation, exercises, paths

QUESTIONS = sorted(paths.ROOT.glob("notebooks/0[123]_*.ipynb"))
every_notebook = pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)


def read_sources(path, kind):
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == kind]


@pytest.mark.parametrize("answer", [0.643, 0.64, np.float32(0.643), np.array([0.64])])
def test_a_number_that_is_right_to_two_decimals_is_right(answer):
    assert exercises.check_answer(answer, 45 / 70) == "Right: 0.6429."


@pytest.mark.parametrize("table", [pd.Series([0.5], index=[9]), pd.DataFrame({"share": [0.5]})])
def test_a_table_of_one_value_is_that_value(table):
    assert exercises.check_answer(table, 0.5) == "Right: 0.5."


def test_a_count_has_to_be_exact():
    assert exercises.check_answer(15, 15) == "Right: 15."
    assert exercises.check_answer(15.0, np.int64(15)) == "Right: 15."
    assert exercises.check_answer(14, 15) == "Not yet."


def test_a_wrong_answer_gets_the_hint_and_not_the_answer():
    text = exercises.check_answer(0.5, 0.643, "count the images")
    assert text == "Not yet. Hint: count the images."


def test_none_is_no_answer():
    assert exercises.check_answer(None, 0.643, "count the images") == "No answer yet."


def test_the_tolerance_is_the_distance_that_is_still_right():
    assert exercises.check_answer(0.685, 0.69).startswith("Right")  # not exactly 0.005 in binary
    assert exercises.check_answer(0.684, 0.69) == "Not yet."
    assert exercises.check_answer(0.684, 0.69, tolerance=0.01).startswith("Right")
    assert exercises.check_answer(15.4, 15, tolerance=0.0) == "Not yet."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            "0.5",
            r"expected a number such as 0\.5, received the text '0\.5' \(leave out the quotation",
        ),
        (True, "expected a number such as 0.5, received bool True"),
        (np.bool_(True), "received bool True"),
        ([0.5], r"received list \[0\.5\]"),
        (pd.Series([0.5, 0.6]), "received Series 0 0.5 1 0.6 dtype: float64"),
        (pd.Series(dtype=float), "received Series"),
        (max, "received builtin_function_or_method <built-in function max>"),
        (0.5 + 1j, "received complex"),
        ({"share": 0.5}, "received dict"),
    ],
)
def test_an_answer_of_another_kind_is_described_without_an_error(answer, said):
    text = exercises.check_answer(answer, 0.5, "try again")
    assert re.search(said, text) and text.startswith("Not yet: ")
    assert "\n" not in text and "try again" not in text


@pytest.mark.parametrize("answer", [float("nan"), np.float64("inf"), pd.Series([np.nan])])
def test_a_number_that_is_none_is_said_to_be_none(answer):
    assert "cannot be compared" in exercises.check_answer(answer, 0.5)


def test_per_cent_are_recognised():
    assert "64.3 looks like per cent" in exercises.check_answer(64.3, 0.643)
    assert "per cent" not in exercises.check_answer(15, 14)
    assert "per cent" not in exercises.check_answer(30, 0.643)


def test_a_word_is_compared_without_capitals_and_blanks():
    assert exercises.check_answer(" Husky ", "husky") == "Right: husky."
    assert exercises.check_answer("wolf", "husky", "count again") == "Not yet. Hint: count again."
    assert exercises.check_answer(np.array(["husky"]), "husky") == "Right: husky."
    assert "expected a word in quotation marks, received int 1" in exercises.check_answer(
        1, "husky"
    )


def test_each_of_several_words_is_right_in_a_tie():
    for tied in (["husky", "wolf"], pd.Index(["husky", "wolf"])):
        assert exercises.check_answer("wolf", tied) == "Right: husky or wolf."


@pytest.mark.parametrize("expected", [float("nan"), np.float64("nan"), [], pd.Index([])])
def test_a_run_without_the_answer_says_so_whatever_is_answered(expected):
    for answer in (None, 0.5, "husky"):
        assert "This run has no answer" in exercises.check_answer(answer, expected)


@pytest.mark.parametrize("expected", [True, np.bool_(True), None, [0.5], ["husky", 1], max])
def test_an_exercise_that_cannot_be_checked_is_an_error_of_its_author(expected):
    with pytest.raises(ValueError, match="expects a number, a text, or texts.*Received: expected="):
        exercises.check_answer(0.5, expected)


@pytest.mark.parametrize("tolerance", [-0.1, float("nan")])
def test_a_tolerance_that_nothing_can_meet_is_an_error_of_its_author(tolerance):
    with pytest.raises(ValueError, match="at least 0.*Received: tolerance="):
        exercises.check_answer(0.5, 0.5, tolerance=tolerance)


def test_a_guess_stands_beside_what_the_run_found():
    reveal = exercises.reveal_result
    assert reveal(0.36, 0.7, "49 of 70") == (
        "Your guess: 0.36. The run: 0.70 (49 of 70). That is 0.34 more."
    )
    assert reveal(0.5, 0.0) == "Your guess: 0.50. The run: 0.00. That is 0.50 less."
    assert reveal(0.72, 0.7).endswith("The run: 0.70. Well guessed.")


def test_without_a_guess_the_result_is_shown_all_the_same():
    assert exercises.reveal_result(None, 0.7) == "No guess was made. The run: 0.70."
    for guess in ("many", 70, -0.1, True, float("nan"), [0.7]):
        text = exercises.reveal_result(guess, 0.7, "49 of 70")
        assert text.startswith("That is not a guess: ") and text.endswith("0.70 (49 of 70).")


def test_a_run_without_a_value_reveals_that():
    assert exercises.reveal_result(None, float("nan")).endswith("The run found no value.")
    assert exercises.reveal_result(0.5, np.nan, "0 of 0").endswith("The run found no value.")


def test_three_notebooks_ask_questions():
    assert [path.stem[:2] for path in QUESTIONS] == ["01", "02", "03"]


@every_notebook
def test_a_guess_is_asked_for_once_and_revealed_by_a_later_cell(path):
    cells = read_sources(path, "code")
    asked = [number for number, cell in enumerate(cells) if "my_guess = None  #" in cell]
    revealed = [number for number, cell in enumerate(cells) if "reveal_result(my_guess" in cell]
    assert len(asked) == len(revealed) == 1 and asked[0] < revealed[0]
    assert (
        sum("**Predict before you read on" in text for text in read_sources(path, "markdown")) == 1
    )


@every_notebook
def test_three_exercises_are_asked_and_checked_after_the_results_are_saved(path):
    cells, texts = read_sources(path, "code"), read_sources(path, "markdown")
    answers = [re.findall(r"^answer_(\d) = None  # \S", cell, re.MULTILINE) for cell in cells]
    assert sum(answers, []) == ["1", "2", "3"]
    first = answers.index(["1"])
    assert any("record.write_metrics" in cell for cell in cells[:first])
    assert "\n".join(texts).index("## Exercises") < "\n".join(texts).index("## What this shows")
    assert sum(len(re.findall(r"\*\*Exercise \d: ", text)) for text in texts) == 3
    for number in "123":
        assert f"check_answer(answer_{number}, " in cells[-1]


@every_notebook
def test_what_is_expected_is_computed_and_never_typed(path):
    for cell in read_sources(path, "code"):
        for node in ast.walk(ast.parse(cell)):
            name = getattr(getattr(node, "func", None), "attr", "")
            if name in ("check_answer", "reveal_result"):
                expected = node.args[1]
                assert any(isinstance(part, ast.Name) for part in ast.walk(expected)), name
                assert name == "reveal_result" or node.args[2].value, "a hint"


# The exercises on tables so small that the answers can be seen: what a notebook holds by then.
CHEST, ANIMALS = ["covid", "normal", "pneumonia"], ["husky", "wolf"]
COMMON = {"pd": pd, "evaluation": evaluation, "exercises": exercises}


def make_table(labels, **columns):
    names = [f"image_{number}" for number in range(len(labels))]
    return pd.DataFrame({"image_id": names, "label": labels, **columns})


def make_scores(called, class_names):
    return np.eye(len(class_names))[[class_names.index(name) for name in called]]


def make_runs(called):
    return [SimpleNamespace(seed=27, test_scores=make_scores(called, CHEST))]


def hold_reproduction():
    test = make_table(["covid", "covid", "normal", "pneumonia"], sha256=list("axyz"), split="test")
    train = make_table(CHEST, sha256=list("abc"), split="train")
    record = {"protocol": "paper", "metric": "accuracy", "interval": "wilson", "verdict": "above"}
    return {
        "class_names": CHEST,
        "records": pd.DataFrame([record | {"k": 3, "n": 4}]),
        "drawn": {"ancestor": pd.concat([train, test], ignore_index=True)},
        "tests": {"ancestor": test, "paper": make_table(CHEST * 3 + ["normal"])},
        "runs": {"ancestor": make_runs(["normal", "covid", "normal", "normal"])},
    }


def hold_animals():
    called = ["husky", "husky", "husky", "wolf"]
    own = make_table(["husky", "husky", "wolf", "wolf"])
    return {
        "class_names": ANIMALS,
        "both": make_table(["wolf"] * 4, background=["snow", "grass", "snow", "snow"]),
        "names": ["wolf", "husky", "husky", "wolf"],
        "tests": {"own backgrounds": own, "white": make_table(["wolf"] * 20)},
        "versions": ("mask only",),
        "version_scores": {("mask only", "test-time"): make_scores(called, ANIMALS)},
    }


def hold_ladder():
    called = {
        "adult collection as controls": ["covid", "normal", "normal", "normal"],
        "trained as in the paper": ["covid", "pneumonia", "pneumonia", "normal"],
        "strictest": ["normal", "pneumonia", "pneumonia", "covid"],
    }
    tests = dict.fromkeys(called, make_table(["covid", "normal", "pneumonia", "normal"]))
    runs = {name: make_runs(names) for name, names in called.items()}
    predictions = [
        evaluation.make_predictions(tests[name], {27: run.test_scores}, CHEST, variant=name)
        for name, (run,) in runs.items()
    ]
    views = {"label": ["covid", "covid", "normal", "normal"], "view": ["PA", "PA", "PA", "AP"]}
    return {
        "class_names": CHEST, "seeds": [27], "contingency": contingency, "ladder": called,
        "tests": tests, "runs": runs, "predictions": predictions, "strictest": "strictest",
        "adults": pd.DataFrame(views),
    }  # fmt: skip


Z = 1.959964
WIDTH = 2 * Z * (0.75 * 0.25 / 16 + Z**2 / (4 * 16**2)) ** 0.5 / (1 + Z**2 / 16)
SEEN = {
    "01": (hold_reproduction, f"{WIDTH:.4g}", "0.6667", "0.7"),
    "02": (hold_animals, "0.75", "15", "wolf"),
    "03": (hold_ladder, "2", "0.5", "0.5774"),
}


@pytest.mark.parametrize("number", SEEN)
def test_the_check_knows_the_solutions_of_the_page_for_teachers_from_wrong_ones(number, capsys):
    (path,) = [path for path in QUESTIONS if path.stem.startswith(number)]
    check = read_sources(path, "code")[-1]
    page = (paths.ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    solutions = dict(
        re.findall(r"^\*\*(\d\d)\.\*\* [^\n]*\n```python\n(.*?)```", page, re.M | re.S)
    )
    hold, *seen = SEEN[number]
    held = COMMON | hold()
    said = []
    for answers in ("answer_1 = answer_2 = answer_3 = None", solutions[number], "answer_2 += 1"):
        exec(answers, held)
        exec(check, held)
        said.append(capsys.readouterr().out.splitlines())
    assert said[0] == [f"{place}. No answer yet." for place in "123"]
    assert said[1] == [
        f"{place}. Right: {value}." for place, value in zip("123", seen, strict=True)
    ]
    assert said[2][0] == said[1][0] and said[2][1].startswith("2. Not yet. Hint: ")
