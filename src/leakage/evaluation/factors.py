"""What each of several choices is worth: a fractional factorial design and its main effects.

A published ablation changes one choice at a time and runs it once; whether a difference is more
than the spread of two equal runs cannot be told from that. Here every run tells of every factor
(Box, Hunter & Hunter, "Statistics for Experimenters", chapter 6); equal runs are the yardstick.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats import multitest

from leakcard import intervals

# Columns beyond the full factorial are products of its columns (numbers of the base factors).
# 8 runs: resolution III, each main effect shares its column with products of two factors.
# 16 runs: resolution IV, with products of three only.
GENERATORS = {
    8: ((0, 1), (0, 2), (1, 2), (0, 1, 2)),
    16: ((0, 1, 2), (1, 2, 3), (0, 2, 3), (0, 1, 3)),
}


def make_design(factors, num_configurations=8):
    """Choose configurations that show the main effect of every factor.

    Parameters
    ----------
    factors : dict of str to (object, object)
        Name to its two levels, low first: `{"augmentation": (False, True)}`.
    num_configurations : {8, 16}
        8 for up to 7 factors, 16 for up to 8.

    Returns
    -------
    DataFrame
        One row a configuration, one column a factor; each level of a factor occurs in half of the
        configurations, each pair of levels of two factors in a quarter. `attrs["aliases"]` says
        which products of two factors are counted with a main effect.

    Raises
    ------
    ValueError
        If there are too few or too many factors, or a factor does not have two levels.
    """
    if num_configurations not in GENERATORS:
        raise ValueError(
            f"A design of this size is not known. Expected one of {list(GENERATORS)}. "
            f"Received: num_configurations={num_configurations!r}."
        )
    num_base = int(np.log2(num_configurations))
    most = num_base + len(GENERATORS[num_configurations])
    bad = {name: levels for name, levels in factors.items() if len(levels) != 2}
    if bad or not num_base <= len(factors) <= most:
        raise ValueError(
            f"These factors do not fit. Expected {num_base} to {most} factors of two levels for "
            f"{num_configurations} configurations. Received: {len(factors)} factors, not of two "
            f"levels: {bad}."
        )
    base = np.array(list(itertools.product((-1, 1), repeat=num_base)))
    columns = [base[:, number] for number in range(num_base)]
    columns += [base[:, list(part)].prod(axis=1) for part in GENERATORS[num_configurations]]
    signs = np.array(columns[: len(factors)]).T
    names = list(factors)
    design = pd.DataFrame(
        {
            name: [factors[name][int(sign > 0)] for sign in signs[:, number]]
            for number, name in enumerate(names)
        }
    )
    design.attrs["aliases"] = _find_aliases(names, signs)
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
        If runs are missing or doubled.
    """
    names = list(factors)
    cells = runs[names].astype(str).agg("|".join, axis=1)
    groups = runs["value"].astype(float).groupby(cells.to_numpy(), sort=False)
    sizes = groups.size()
    if (
        sizes.min() != sizes.max()
        or runs.duplicated([*names, "seed"]).any()
        or runs["value"].isna().any()
    ):
        raise ValueError(
            "Effects need every configuration with every seed, once. Expected equal numbers of "
            f"runs. Received: {int(sizes.min())} to {int(sizes.max())} runs a configuration."
        )
    freedom = len(runs) - len(sizes)
    spread = np.nan
    if freedom > 0:
        spread = float(np.sqrt((groups.var(ddof=1) * (sizes - 1)).sum() / freedom))
    # Half of the runs against the other half.
    error = spread * np.sqrt(4 / len(runs))
    reach = stats.t.ppf(0.5 + intervals.CONFIDENCE / 2, freedom) * error if freedom else np.nan
    rows = []
    for name, (low, high) in factors.items():
        at_high = runs[name] == high
        if at_high.sum() * 2 != len(runs):
            raise ValueError(
                f"The levels of a factor are not balanced. Expected {low!r} and {high!r} in half "
                f"of the runs each. Received: {name!r} is {high!r} in {int(at_high.sum())} of "
                f"{len(runs)} runs."
            )
        effect = float(runs.loc[at_high, "value"].mean() - runs.loc[~at_high, "value"].mean())
        p_value = 2 * stats.t.sf(abs(effect) / error, freedom) if freedom and error else np.nan
        rows.append(
            {
                "factor": name, "low": low, "high": high, "effect": effect,
                "lower": effect - reach, "upper": effect + reach, "p_value": p_value,
                "num_runs": len(runs), "run_sd": spread,
            }
        )  # fmt: skip
    frame = pd.DataFrame(rows)
    adjusted = np.full(len(frame), np.nan)
    if frame["p_value"].notna().all():
        adjusted = multitest.multipletests(frame["p_value"], method="holm")[1]
    frame.insert(frame.columns.get_loc("p_value") + 1, "p_adjusted", adjusted)
    return frame


def list_effect_scores(effects, variant) -> pd.DataFrame:
    """Turn a table of effects into the rows of `metrics.json`.

    Parameters
    ----------
    effects : DataFrame
        From `estimate_effects`.
    variant : str
        What was ablated.

    Returns
    -------
    DataFrame
        One row a factor, `metric` "main_effect" with its interval over seeds, and one row
        `run_to_run_deviation`.
    """
    rows = [
        {
            "variant": f"{variant}: {row.factor}, {row.low} to {row.high}", "class": "all",
            "metric": "main_effect", "interval": "seeds", "value": row.effect,
            "lower": row.lower, "upper": row.upper, "n": row.num_runs,
        }
        for row in effects.itertuples()
    ]  # fmt: skip
    spread = {"metric": "run_to_run_deviation", "value": effects["run_sd"].iloc[0]}
    common = {"variant": variant, "class": "all", "interval": "none"}
    return pd.DataFrame([*rows, common | spread | {"n": effects["num_runs"].iloc[0]}])


def _find_aliases(names, signs):
    found = {}
    for number, name in enumerate(names):
        pairs = [
            f"{names[a]} x {names[b]}"
            for a, b in itertools.combinations(range(len(names)), 2)
            if number not in (a, b)
            and abs(signs[:, a] * signs[:, b] @ signs[:, number]) == len(signs)
        ]
        if pairs:
            found[name] = pairs
    return found
