"""Guesses beside what a run found, and exercises that read its results and train nothing.

python -m leakage.exercises results/demo      the solutions, for teachers
"""

import datetime
import math
import numbers
import sys
from pathlib import Path

import pandas as pd

from leakage import evaluation, paths
from leakcard import files

TOLERANCE = 0.005  # an answer that is rounded to two decimals is right
NEAR = 0.05  # a guess of a share that is this near is a good one
HINTS = {
    "1": "on its own background a wolf is on snow; on a swapped one, on grass",
    "2": "you look for the smallest k whose lower end is above 0.5",
    "3": "`evaluation.fisher_test(k1, n1, k2, n2)`, k the right answers of the declared seed",
    "4": "multiply k and n by four, and take the difference of the two ends",
    "5": "count how many images of each class there are; those of two classes are right",
    "6": "a pneumonia called normal is right now",
    "7": "of all pairs of one COVID-19 image and one other; a tie counts one half",
}


def reveal_result(guess, value, found=""):
    """Put a guess, a share from 0 to 1 or None, beside the share that the run found."""
    behind = f" ({found})" if found else ""
    known = value is not None and math.isfinite(value)
    result = f"The run: {value:.2f}{behind}." if known else f"The run found no value{behind}."
    if guess is None:
        return f"No guess was made. {result}"
    if not _is_number(guess) or not 0 <= guess <= 1:
        return f"That is not a guess: a share from 0 to 1, such as 0.5, was expected. {result}"
    text = f"Your guess: {guess:.2f}. {result}"
    if not known:
        return text
    gap = value - guess
    if abs(gap) <= NEAR:
        return f"{text} Well guessed."
    return f"{text} That is {abs(gap):.2f} {'more' if gap > 0 else 'less'}."


def find_results():
    """The folder of the last run that has notebooks 01 to 03, else the committed demo."""
    run = paths.get_run_dir()
    has_all = all(any(run.glob(f"0{number}_*/predictions.csv")) for number in (1, 2, 3))
    return run if has_all else paths.get_results_dir() / "demo"


def read_predictions(results_dir, number):
    """What the declared seed of notebook `number` said of every test image."""
    found = sorted(Path(results_dir).glob(f"0{number}_*/predictions.csv"))
    if len(found) != 1:
        raise FileNotFoundError(
            f"The exercises need what notebook 0{number} found. Expected: one predictions.csv in "
            f"{results_dir}/0{number}_*/. Name the folder of a run that has notebooks 01 to 03, or "
            f"run the notebook (./run_all.sh demo --only 0{number}). Received: {len(found)} of them"
        )
    frame = pd.read_csv(found[0])
    return frame[frame["seed"] == frame["seed"].iloc[0]].reset_index(drop=True)


def solve(results_dir):
    """Work out every answer from the results, by exercise; a teacher's tool."""
    wolves, paper, adults = (read_predictions(results_dir, number) for number in (2, 1, 3))
    wolves["right"] = wolves["label"] == wolves["predicted"]
    by_set = wolves.groupby(wolves["variant"].str.removeprefix("wolf/husky, "))["right"]
    k, n = by_set.sum(), by_set.size()
    own, white, swapped = "own backgrounds", "white", "backgrounds swapped"
    paper = paper[paper["protocol"] == "paper"]
    num_right, sizes = (
        int((paper["label"] == paper["predicted"]).sum()),
        paper["label"].value_counts(),
    )
    lower, upper = evaluation.wilson_interval(4 * num_right, 4 * len(paper))
    adults = adults[adults["variant"] == "adults only, patients disjoint"]
    is_covid = (adults["label"] == "covid").to_numpy()
    area = evaluation.score_one_against_rest(
        is_covid.astype(int), adults["score_covid"].to_numpy(), 1, num_bootstrap=2
    )
    enough = (i for i in range(n[white] + 1) if evaluation.wilson_interval(i, n[white])[0] > 0.5)
    return {
        "1": (k[own] + n[swapped] - k[swapped]) / (n[own] + n[swapped]),
        "2": next(enough),
        "3": evaluation.fisher_test(k[own], n[own], k[white], n[white]),
        "4": upper - lower,
        "5": (sizes["covid"] + sizes.drop("covid").max()) / len(paper),
        "6": float((is_covid == (adults["predicted"] == "covid")).mean()),
        "7": area["value"],
    }


def check_answers(answers, results_dir):
    """Mark answers (by exercise; None where there is none) without giving any away.

    Returns
    -------
    marks : dict of str to bool
    text : str
        One line an exercise, a wrong answer with a hint.
    """
    marks, lines = {}, []
    for name, expected in solve(results_dir).items():
        answer = answers.get(name)
        marks[name] = _is_number(answer) and abs(answer - expected) <= TOLERANCE + 1e-9
        said = "right" if marks[name] else f"not yet; hint: {HINTS[name]}"
        lines.append(f"{name}. {'no answer yet' if answer is None else said}")
    return marks, "\n".join(lines)


def write_marks(marks, name, results_dir):
    """Write `exercises/scores.json` of this run for a teacher to collect; return its name."""
    content = {
        "name": name,
        "date": datetime.date.today().isoformat(),
        "results": Path(results_dir).name,
        "score": f"{sum(marks.values())} of {len(marks)}",
        "right": marks,
    }
    return files.write_json(paths.get_output_dir("exercises") / "scores.json", content).name


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else find_results()
    for exercise, answer in solve(where).items():
        print(f"{exercise}. {answer:.4g}")
