"""Questions to a reader: what was guessed or answered, beside what the run itself found.

A wrong answer is a sentence, never a traceback: whoever learns should read on.
"""

import math
import numbers
from collections.abc import Collection

# An answer that is rounded to two decimals is right.
TOLERANCE = 0.005
# A guess of a share that is this near is a good one.
NEAR = 0.05


def reveal_result(guess, value, found=""):
    """Put a guess beside the share that the run found.

    Parameters
    ----------
    guess : float in [0, 1] or None
        What the reader committed to; None if nothing.
    value : float in [0, 1]
        From the run; NaN where it found none.
    found : str
        What stands behind the value, such as "49 of 70 test images".

    Returns
    -------
    str
        The value, and how far the guess was from it. A guess that is no share is said to be none.
    """
    value = float(value)
    behind = f" ({found})" if found else ""
    result = f"The run: {value:.2f}{behind}." if math.isfinite(value) else "The run found no value."
    if guess is None:
        return f"No guess was made. {result}"
    guess, problem = _read_number(guess)
    if not problem and not 0 <= guess <= 1:
        problem = f"expected a share from 0 to 1, such as 0.5, received {guess:g}"
    if problem:
        return f"That is not a guess: {problem}. {result}"
    text = f"Your guess: {guess:.2f}. {result}"
    if not math.isfinite(value):
        return text
    if abs(value - guess) <= NEAR:
        return f"{text} Well guessed."
    return f"{text} That is {abs(value - guess):.2f} {'more' if value > guess else 'less'}."


def check_answer(answer, expected, hint="", tolerance=TOLERANCE):
    """Say whether an answer to an exercise is right.

    Parameters
    ----------
    answer : float, int, str or None
        None: not answered yet. A table or array of one value counts as that value; capitals and
        surrounding blanks of a text do not count.
    expected : float, int, str or collection of str
        Computed from the run. Of several texts each is right (a tie). NaN and an empty collection
        say that this run cannot answer the question.
    hint : str
        Half a sentence; shown with an answer that is wrong, not with one that is no answer.
    tolerance : float
        How far a number may be off, in its own unit.

    Returns
    -------
    str
        "Right ...", "Not yet ..." with what is wrong and the hint, "No answer yet." or that this
        run has no answer.

    Raises
    ------
    ValueError
        If the exercise itself is wrong: an `expected` or a `tolerance` that cannot be compared.
    """
    is_number = isinstance(expected, numbers.Real) and not isinstance(expected, bool)
    texts = [expected] if isinstance(expected, str) else expected
    if not is_number and not (
        isinstance(texts, Collection) and all(isinstance(text, str) for text in texts)
    ):
        raise ValueError(
            "An exercise expects a number, a text, or texts of which each is right. "
            f"Received: expected={expected!r}."
        )
    if not tolerance >= 0:
        raise ValueError(
            f"A tolerance is a number of at least 0. Received: tolerance={tolerance!r}."
        )
    if math.isnan(expected) if is_number else len(texts) == 0:
        return "This run has no answer to this: what the question needs is not in it."
    if answer is None:
        return "No answer yet."
    problem = _judge_number(answer, expected, tolerance) if is_number else _judge(answer, texts)
    if problem is None:
        return f"Right: {expected:.4g}." if is_number else f"Right: {' or '.join(texts)}."
    return f"Not yet{problem or (f'. Hint: {hint}' if hint else '')}."


def _judge_number(answer, expected, tolerance):
    """What is wrong with a number, as the end of "Not yet"; None if nothing."""
    number, problem = _read_number(answer)
    if problem:
        return f": {problem}"
    reach = tolerance + 1e-9  # 0.685 is 0.005 from 0.69, but not in binary
    if abs(number - expected) <= reach:
        return None
    if 0 <= expected <= 1 < number and abs(number / 100 - expected) <= reach:
        return f": {number:g} looks like per cent, give a share from 0 to 1"
    return ""


def _judge(answer, texts):
    answer = _unwrap(answer)
    if not isinstance(answer, str):
        return f": expected a word in quotation marks, received {_describe(answer)}"
    return None if answer.strip().casefold() in [text.casefold() for text in texts] else ""


def _read_number(value):
    """A value as a float, and what is wrong with it ("" if nothing)."""
    value = _unwrap(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        advice = " (leave out the quotation marks)" if isinstance(value, str) else ""
        return math.nan, f"expected a number such as 0.5, received {_describe(value)}{advice}"
    if not math.isfinite(value):
        return (
            math.nan,
            f"{float(value)} cannot be compared (a division by 0, or nothing to average)",
        )
    return float(value), ""


def _unwrap(value):
    """The one value of a numpy scalar, an array, a Series or a table; else what came in."""
    if getattr(value, "size", None) == 1 and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    return value.item() if getattr(value, "size", None) == 1 else value


def _describe(value):
    text = " ".join(repr(value).split())
    kind = "the text" if isinstance(value, str) else type(value).__name__
    return f"{kind} {text if len(text) <= 40 else text[:37] + '...'}"
