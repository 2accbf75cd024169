"""What a leak is worth: differences paired by draw, with intervals over draws and patients.

A contrast is a dict of variant to coefficient, such as {"leak": 1, "clean": -1}, so that slopes
and differences of differences need no code of their own.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from leakage.evaluation import scores as scoring
from leakcard import intervals

SIGNIFICANCE, POWER = 0.05, 0.8


class Worth(NamedTuple):
    """A mean difference over draws.

    Attributes
    ----------
    mean : float
    lower, upper : float
        95 %, Nadeau and Bengio's corrected t interval; NaN, like p and smallest, where all draws
        agree: they show no spread to measure it by.
    p_value : float
        Two-sided.
    smallest : float
        Size that would have been found four times in five.
    """

    mean: float
    lower: float
    upper: float
    p_value: float
    smallest: float


@dataclasses.dataclass(frozen=True)
class DrawScores:
    """Scores of each variant and draw, as they are and with patients resampled.

    Parameters
    ----------
    values : DataFrame
        Index (variant, draw); columns "accuracy", one "AUC ..." for each of the two questions,
        and `test_share`, test images for one training image.
    resampled : ndarray of shape (n_rows, num_bootstrap, n_scores)
        The same scores of the same rows; resample b has the same patients in all of them.
    """

    values: pd.DataFrame
    resampled: np.ndarray


def estimate_worth(differences, test_share, num_tests=1):
    """Estimate a mean over draws that overlap (Nadeau & Bengio 2003).

    Draws from one pool share images, so their differences are not independent, and the variance
    of their mean is not s^2 / J but about (1 / J + n_test / n_train) s^2
    (doi 10.1023/A:1024068626366).

    Parameters
    ----------
    differences : array-like of shape (n_draws,)
        One number a draw, two draws at least.
    test_share : float
        Test images for one training image.
    num_tests : int
        Tests among which this one must stand: the smallest size is that of Holm's first step.

    Returns
    -------
    Worth
    """
    differences = np.asarray(differences, dtype=float)
    num_draws = len(differences)
    if num_draws < 2:
        raise ValueError(
            f"An interval over draws needs draws. Expected two at least. Received: {num_draws}"
        )
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return Worth(mean, np.nan, np.nan, np.nan, np.nan)
    error = float(np.sqrt((1 / num_draws + test_share) * differences.var(ddof=1)))
    t = stats.t(num_draws - 1)
    half = t.isf(SIGNIFICANCE / 2) * error
    p_value = 2 * t.sf(abs(mean) / error)
    smallest = (t.isf(SIGNIFICANCE / num_tests / 2) + t.isf(1 - POWER)) * error
    return Worth(mean, mean - half, mean + half, float(p_value), float(smallest))


def score_draws(predictions, class_names, num_bootstrap=1000, seed=0):
    """Score every variant on the test set of every draw.

    Parameters
    ----------
    predictions : DataFrame
        Rows of `make_predictions` with `variant`, `draw_seed` and `num_train`.
    class_names : sequence of str
        Three: the first is the one to find, the other two are its controls.
    num_bootstrap, seed : int
        Resamples of the patients of all test sets together.

    Returns
    -------
    DrawScores
        AUC of the first class against the rest, AUC of the third against the second, accuracy.
    """
    found, _, _ = class_names
    codes, patients = pd.factorize(predictions["patient_id"], sort=True)
    counts = intervals.draw_resamples(np.arange(len(patients)), num_bootstrap, seed)
    counts = np.concatenate([np.ones((1, len(patients))), counts])
    rows, resampled = [], []
    positions = predictions.groupby(["variant", "draw_seed"], sort=False).indices
    for (variant, draw), places in positions.items():
        part, weights = predictions.iloc[places], counts[:, codes[places]]
        truth = part["label"].to_numpy()
        shares = {name: part[f"score_{name}"].to_numpy(dtype=float) for name in class_names}
        pair = np.isin(truth, class_names[1:])
        ranked = scoring.rank_pair(shares[class_names[2]][pair], shares[class_names[1]][pair])
        right = (truth == part["predicted"].to_numpy()).astype(float)
        values = {
            f"AUC {found}": scoring.compute_auc(weights, truth == found, shares[found]),
            f"AUC {class_names[2]} against {class_names[1]}": scoring.compute_auc(
                weights[:, pair], truth[pair] == class_names[2], ranked
            ),
            "accuracy": weights @ right / weights.sum(axis=1),
        }
        share = len(part) / part["num_train"].iloc[0]
        about = {"variant": variant, "draw": draw, "test_share": share}
        rows.append(about | {name: value[0] for name, value in values.items()})
        resampled.append(np.stack([value[1:] for value in values.values()], axis=1))
    return DrawScores(
        pd.DataFrame(rows).set_index(["variant", "draw"]), np.stack(resampled).astype(np.float32)
    )


def tabulate_worth(scored, contrasts, metric):
    """Estimate contrasts between variants, each within its draws.

    Parameters
    ----------
    scored : DrawScores
    contrasts : dict of str to dict of str to float
        Name of a contrast to the coefficient of each variant. Draws that lack one of the variants
        are left out.
    metric : str
        A column of `scored.values`.

    Returns
    -------
    DataFrame
        One row a contrast: `contrast, num_draws, worth`, `lower` and `upper` over draws,
        `patient_lower` and `patient_upper` over patients, `p_value`, `p_holm` (Holm's correction
        over the rows of this table), `smallest` (as `Worth`, in a family of so many rows).

    Raises
    ------
    ValueError
        If a variant has no draw, or fewer than two draws have all variants of a contrast.
    """
    values = scored.values[metric].to_numpy()
    shares = scored.values["test_share"].to_numpy()
    number = list(scored.values.drop(columns="test_share")).index(metric)
    places = scored.values.assign(place=range(len(values))).pivot_table("place", "draw", "variant")
    rows = []
    for name, coefficients in contrasts.items():
        unknown = sorted(set(coefficients) - set(places))
        if unknown:
            raise ValueError(
                f"A contrast is between variants that have draws. Expected some of {list(places)}. "
                f"Received: {unknown} in {name!r}."
            )
        found = places[list(coefficients)].dropna().to_numpy(dtype=int)  # draws by variants
        weights = np.array(list(coefficients.values()))
        worth = estimate_worth(
            values[found] @ weights, shares[found].max(initial=0), len(contrasts)
        )
        resampled = scored.resampled[found, :, number].mean(axis=0).T @ weights
        bounds = np.nanquantile(resampled, [SIGNIFICANCE / 2, 1 - SIGNIFICANCE / 2])
        bounds = bounds if np.ptp(bounds) else bounds * np.nan
        rows.append(
            {"contrast": name, "num_draws": len(found), "worth": worth.mean,
             "lower": worth.lower, "upper": worth.upper,
             "patient_lower": bounds[0], "patient_upper": bounds[1],
             "p_value": worth.p_value, "smallest": worth.smallest}
        )  # fmt: skip
    table = pd.DataFrame(rows)
    # Where no draw differs from another nothing was tested; the number of tests stays.
    p_values = table["p_value"].fillna(1.0)
    p_holm = pd.Series(intervals.adjust_p_values(p_values))
    table.insert(8, "p_holm", p_holm.where(table["p_value"].notna()))
    return table
