"""What each of several choices is worth: a fractional factorial design and its main effects.

A published ablation changes one choice at a time and runs it once; whether a difference is more
than the spread of two equal runs cannot be told from that. Here every run tells of every factor
(Box, Hunter & Hunter, "Statistics for Experimenters", chapter 6); equal runs are the yardstick.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import linalg
from statsmodels.regression import linear_model
from statsmodels.tools import tools

from leakcard import intervals

# Columns of a Hadamard matrix, whose column i is the product of the columns 2 ** b of the bits b of
# i: first the full factorial, highest bit first, then products. 8 runs: resolution III, each main
# effect shares its column with products of two factors; 16: resolution IV, of three only.
COLUMNS = {8: (4, 2, 1, 6, 5, 3, 7), 16: (8, 4, 2, 1, 14, 7, 11, 13)}


def make_design(factors, num_configurations=8):
    """Choose configurations that show the main effect of every factor.

    Parameters
    ----------
    factors : dict of str to (object, object)
        Name to its two levels, low first: `{"augmentation": (False, True)}`.
    num_configurations : {8, 16}
        8 for 3 to 7 factors, 16 for 4 to 8.

    Returns
    -------
    DataFrame
        One row a configuration, one column a factor; each level of a factor occurs in half of the
        configurations, each pair of levels of two factors in a quarter. `attrs["aliases"]` says
        which products of two factors are counted with a main effect.

    Raises
    ------
    ValueError
        If the size is unknown or the factors do not fit.
    """
    if num_configurations not in COLUMNS:
        raise ValueError(
            f"A design of this size is not known. Expected one of {list(COLUMNS)}. "
            f"Received: num_configurations={num_configurations!r}."
        )
    columns = COLUMNS[num_configurations]
    fewest = int(np.log2(num_configurations))
    bad = {name: levels for name, levels in factors.items() if len(levels) != 2}
    if bad or not fewest <= len(factors) <= len(columns):
        raise ValueError(
            f"These factors do not fit. Expected {fewest} to {len(columns)} factors of two levels "
            f"for {num_configurations} configurations. Received: {len(factors)} factors, not of "
            f"two levels: {bad}."
        )
    matrix = linalg.hadamard(num_configurations)
    design, aliases = {}, {}
    chosen = dict(zip(factors, columns, strict=False))
    for name, column in chosen.items():
        # a product of an odd number of columns keeps its sign when low is -1, of an even one not
        odd = column.bit_count() % 2
        high = matrix[:, column] < 0 if odd else matrix[:, column] > 0
        design[name] = [factors[name][int(value)] for value in high]
        others = (other for other in chosen if other != name)
        pairs = [
            f"{a} x {b}"
            for a, b in itertools.combinations(others, 2)
            if chosen[a] ^ chosen[b] == column
        ]
        aliases |= {name: pairs} if pairs else {}
    design = pd.DataFrame(design)
    design.attrs["aliases"] = aliases
    return design


def estimate_effects(runs, factors) -> pd.DataFrame:
    """Estimate the main effect of every factor, with an interval over seeds.

    Parameters
    ----------
    runs : DataFrame
        One row a run: a column a factor, `seed` and `value` (such as an accuracy). Every
        configuration of a design from `make_design` with every seed.
    factors : dict of str to (object, object)
        As `make_design` takes them.

    Returns
    -------
    DataFrame
        One row a factor: `factor`, `low`, `high`, `effect` (mean value at high minus at low),
        `lower`, `upper` (95 %, t distribution), `p_value`, `p_adjusted` (Holm), `num_runs`,
        `run_sd`: the deviation of runs that differ by their seed alone, pooled over configurations,
        which is the yardstick; NaN, as the bounds, with one seed. The test images are the same in
        all runs, so their sampling error is not part of the interval.

    Raises
    ------
    ValueError
        If runs are missing or doubled, or have no value.
    """
    num_missing = int(runs["value"].isna().sum())
    if num_missing:
        raise ValueError(
            "Effects need a value of every run. Expected no missing `value` (such as an accuracy). "
            f"Received: {num_missing} missing of {len(runs)}."
        )
    names = list(factors)
    configurations = runs.groupby(names, sort=False).ngroup().to_numpy()
    sizes = np.bincount(configurations)
    if len(set(sizes)) > 1 or runs.duplicated([*names, "seed"]).any():
        raise ValueError(
            "Effects need every configuration with every seed, once. Expected equal numbers of "
            f"runs. Received: {sizes.min()} to {sizes.max()} runs a configuration."
        )
    signs = np.stack([np.where(runs[name] == factors[name][1], 0.5, -0.5) for name in names], 1)
    for name, total in zip(names, signs.sum(axis=0), strict=True):
        if total:
            raise ValueError(
                f"The levels of a factor are not balanced. Expected {factors[name][0]!r} and "
                f"{factors[name][1]!r} in half of the runs each. Received: {name!r} is "
                f"{factors[name][1]!r} in {int(total + len(runs) / 2)} of {len(runs)} runs."
            )
    # Residuals of a model with a column for each configuration are what seeds do alone.
    value = runs["value"].to_numpy(dtype=float)
    effects = linear_model.OLS(value, tools.add_constant(signs)).fit().params[1:]
    pure = linear_model.OLS(value, np.eye(len(sizes))[configurations]).fit()
    frame = pd.DataFrame(
        [(name, *factors[name], effect) for name, effect in zip(names, effects, strict=True)],
        columns=["factor", "low", "high", "effect"],
    )
    found = dict.fromkeys(["lower", "upper", "p_value", "p_adjusted"], np.nan)
    spread = np.nan
    if pure.df_resid > 0:
        spread = float(np.sqrt(pure.mse_resid))
        contrasts = np.linalg.pinv(tools.add_constant(signs))[1:]
        contrasts = contrasts @ np.eye(len(sizes))[configurations]
        test = pure.t_test(contrasts)
        lower, upper = test.conf_int(1 - intervals.CONFIDENCE).T
        found |= {"lower": lower, "upper": upper, "p_value": test.pvalue}
        if spread > 0:
            found["p_adjusted"] = intervals.adjust_p_values(test.pvalue)
    return frame.assign(**found, num_runs=len(runs), run_sd=spread)
