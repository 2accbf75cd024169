"""The smallest change to a split after which no patient and no picture is in two of its parts."""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy
from tqdm import tqdm

import leakcard
from leakcard import facts, findings, values
from leakcard import table as image_table

# A split keeps its size within 5 %, and each class its share of it within 2 points (a rare class
# at least half of its share).
SIZE_TOLERANCE = 0.05
SHARE_TOLERANCE = 0.02
# A move costs 1; one that touches the test set a little more, so that of equally many moves those
# are taken that leave it alone. With the gap of the solver the moves stay within 2.5 % of the
# fewest possible.
LEAVES_TEST, ENTERS_TEST = 0.02, 0.01
SOLVER_GAP = 0.005
# Where sizes and shares cannot all be kept, each image too many or too few is worth ten moves.
EXCESS_COST = 10
TIME_LIMIT_S = 10
# Of more classes the largest are kept even: a constraint each in every split.
MAX_CLASSES = 50

TWO_LABELS = "one picture under two labels"
REPEATED = "the row is repeated"
COPY = "the same content as another image"
IN_TWO_SPLITS = "its unit was in two splits"
BALANCE = "to keep sizes and class shares"

TRAITS = ("age_band", "sex", "view", "source")
AGE_BANDS_YEARS = (0, 18, 40, 60, 80, np.inf)


@dataclass
class Repair:
    """What becomes of every row of a list.

    Attributes
    ----------
    rows : DataFrame
        In the order of the list: `image_id`, `label`, `unit`, `was` and `split` (before and after;
        missing for a row that is dropped or was in none), `is_dropped`, `reason` and `detail` of
        what changed, and `fold` and `matched` once asked for.
    gap : float
        By how much, as a share, fewer changes might do; NaN if the search found no answer in time
        and every unit went where most of its images were.
    keeps_balance : bool
        Whether every split keeps its size and class shares within the tolerances.
    notes : list of str
        What could not be done.
    table : DataFrame or None
        The whole table, row by row as `rows`.
    before, after : ReportCard or None
        Of the two audits.
    matched : str
        What `match_test` says.
    """

    rows: pd.DataFrame
    gap: float = 0.0
    keeps_balance: bool = True
    notes: list = field(default_factory=list)
    table: pd.DataFrame | None = None
    before: "leakcard.ReportCard | None" = None
    after: "leakcard.ReportCard | None" = None
    matched: str = ""

    @property
    def kept(self):
        """The rows that stay."""
        return self.rows[~self.rows["is_dropped"]]

    @property
    def moved(self):
        """The rows that stay, in another split."""
        kept = self.kept
        return kept[kept["was"].notna() & (kept["was"] != kept["split"])]

    @property
    def dropped(self):
        """The rows that go."""
        return self.rows[self.rows["is_dropped"]]


@values.keep_any_text
def repair_table(
    table,
    *,
    num_folds=None,
    group=None,
    pattern=None,
    copies=None,
    num_permutations=999,
    seed=0,
    cache_dir=None,
):
    """Audit a table, repair its split, and audit it again.

    Parameters
    ----------
    table : DataFrame
        As from `leakcard.read_images`.
    num_folds : int, optional
        Add a column `fold`, see `fold_units`; then no split is needed.
    group, pattern, copies, num_permutations, seed, cache_dir
        As for `leakcard.audit`.

    Returns
    -------
    Repair

    Raises
    ------
    ValueError
        If there are not two splits, there are more folds than units, or an option does not fit.
    """
    group = image_table.find_column(table, group)
    table = image_table.complete_table(table, pattern)
    options = {"group": group, "num_permutations": num_permutations, "seed": seed}
    present = set(table["split"].dropna())
    replaced = num_folds is not None and (len(present) < 2 or image_table.list_folds(table))
    if replaced:
        old, present = present, set()
    else:
        _check_splits(present)
    before = leakcard.audit(table, copies=copies, cache_dir=cache_dir, **options)
    if present:
        repair = repair_split(table, before.units, before.pairs, seed=seed)
    else:
        repair = drop_conflicts(table.assign(split=np.nan), before.units, before.pairs)
        _drop_repeated(repair.rows)
        if old:
            repair.notes.append(f"The folds take the place of {', '.join(sorted(old))}.")
    if num_folds is not None:
        fold_units(repair, num_folds, seed)

    kept = repair.kept
    after = table.loc[kept.index].assign(split=kept["split"])
    if not present:
        after["split"] = image_table.FOLD + kept["fold"].astype(int).astype(str)
    known = before.table.drop_duplicates("image_id").set_index("image_id")
    for name in facts.FACTS:  # not read from the files again
        after[name] = after["image_id"].map(known[name])
    test = after[after["split"] == "test"].assign(unit=kept["unit"])
    chosen, repair.matched = match_test(test, seed)
    if len(chosen):
        repair.rows["matched"] = repair.rows.index.isin(chosen)
    after.attrs = dict(table.attrs)
    repair.table, repair.before = table, before
    repair.after = leakcard.audit(after, **options, **before.measured)
    return repair


def _check_splits(present):
    if len(present) < 2:
        raise ValueError(
            "There is nothing to repair without two splits. Expected a column `split` with train "
            "and test, or folders of these names; --folds K makes folds where there is none. "
            f"Received: {', '.join(sorted(present)) or 'no split'}"
        )


def repair_split(listed, units, pairs, *, seed=0, time_limit_s=TIME_LIMIT_S):
    """Put each unit into one split with the fewest moves, and drop what cannot stay.

    Parameters
    ----------
    listed : DataFrame
        A row an image as in the list, from `table.complete_table`: `image_id`, `label`, `split`.
    units, pairs : DataFrame
        As of a `ReportCard`: `image` and `unit`; `image_a`, `image_b`, their labels, `kind`.
    seed : int
        Decides which of equal units move.
    time_limit_s : float
        Of each of two searches at most.

    Returns
    -------
    Repair

    Raises
    ------
    ValueError
        If the list does not have two splits.
    """
    repair = drop_conflicts(listed, units, pairs)
    rows = repair.rows
    present = set(rows["was"].dropna())
    _check_splits(present)
    splits = [name for name in image_table.SPLITS if name in present]
    splits += sorted(present - set(splits))
    pictures = rows[~rows["is_dropped"] & rows["was"].notna()]
    listings = pictures.drop_duplicates(["picture", "was"])
    pictures = pictures.drop_duplicates("picture")
    listed_in = pd.crosstab(listings["unit"], listings["was"])
    listed_in = listed_in.reindex(columns=splits, fill_value=0)
    labels = pictures["label"].fillna("").astype(str)
    counts = pd.crosstab(pictures["unit"], labels)
    before = pd.crosstab(listings["was"], listings["label"].fillna("").astype(str))
    before = before.reindex(index=splits, columns=counts.columns, fill_value=0)
    chosen, repair.gap, repair.keeps_balance = assign_units(
        listed_in.to_numpy(), counts.to_numpy(), before.to_numpy(), splits, seed, time_limit_s
    )
    chosen = pd.Series(np.array(splits, dtype=object)[chosen], index=listed_in.index)
    rows["split"] = rows["unit"].map(chosen).where(rows["was"].notna() & ~rows["is_dropped"])
    _drop_repeated(rows)
    num_splits = rows.groupby("unit")["was"].transform("nunique")
    moved = rows["split"].notna() & (rows["split"] != rows["was"])
    rows.loc[moved, "reason"] = np.where(num_splits[moved] > 1, IN_TWO_SPLITS, BALANCE)
    if not repair.keeps_balance:
        repair.notes.append(
            f"Not every split could keep its size within {SIZE_TOLERANCE:.0%} and its class "
            f"shares within {SHARE_TOLERANCE * 100:.0f} points: see the table of sizes."
        )
    if np.isnan(repair.gap):
        repair.notes.append(
            "No answer was found in time: each unit went where most of its images were, whatever "
            "the sizes."
        )
    few = counts.columns[(counts > 0).sum() < (before > 0).sum()]
    if len(few):
        repair.notes.append(
            f"In fewer units than splits, so that not every split can have them: classes "
            f"{values.list_some(few)}."
        )
    empty = set(splits) - set(repair.kept["split"])
    if empty:
        repair.notes.append(f"Nothing is left in {', '.join(sorted(empty))}.")
    return repair


def drop_conflicts(listed, units, pairs):
    """Number the pictures of a list, and drop those that are there under two labels.

    Parameters are those of `repair_split`. A near copy under another label goes with its pair.

    Returns
    -------
    Repair
    """
    rows = listed[["image_id", "label"]].reset_index(drop=True)
    rows["was"] = rows["split"] = listed["split"].astype(object).to_numpy()
    rows["unit"] = rows["image_id"].map(dict(zip(units["image"], units["unit"], strict=True)))
    sides = pairs.rename(columns={f"image_{side}": f"image_id_{side}" for side in "ab"})
    identical = sides["kind"].isin(findings.IDENTICAL)
    rows["picture"] = image_table.join_units(rows, sides[identical], ())
    rows["is_dropped"], rows["reason"], rows["detail"] = False, "", ""

    shared = rows[rows["picture"].duplicated(keep=False) & rows["label"].notna()]
    named = {
        number: sorted(set(map(str, some))) for number, some in shared.groupby("picture")["label"]
    }
    why = {number: " and ".join(names) for number, names in named.items() if len(names) > 1}
    known = sides["label_a"].notna() & sides["label_b"].notna()
    other = known & (sides["label_a"].astype(str) != sides["label_b"].astype(str)) & ~identical
    numbers = dict(zip(rows["image_id"], rows["picture"], strict=True))
    for pair in sides[other].itertuples():
        text = f"{pair.image_id_a}: {pair.label_a}; {pair.image_id_b}: {pair.label_b}"
        for name in (pair.image_id_a, pair.image_id_b):
            why.setdefault(numbers[name], text)
    gone = rows["picture"].isin(list(why))
    _drop(rows, gone, TWO_LABELS, rows.loc[gone, "picture"].map(why))
    return Repair(rows)


def _drop(rows, which, reason, detail=""):
    rows.loc[which, "is_dropped"] = True
    rows.loc[which, "split"] = np.nan
    rows.loc[which, "reason"], rows.loc[which, "detail"] = reason, detail


def _drop_repeated(rows):
    """Of rows that show one picture keep one, where there is one in the split that it is put in."""
    order = rows[~rows["is_dropped"]].copy()
    order["rank"] = np.where(order["was"].isna(), 2, order["was"] != order["split"])
    order = order.sort_values("rank", kind="stable")
    again = order["picture"].duplicated()
    kept = order[~again].set_index("picture")["image_id"]
    gone = order[again].sort_index()
    of = gone["picture"].map(kept)
    is_row = gone["image_id"] == of
    _drop(rows, gone.index, np.where(is_row, REPEATED, COPY), "kept: " + of)


def assign_units(listed_in, counts, before, splits, seed=0, time_limit_s=TIME_LIMIT_S):
    """Choose one split for each unit by an integer program.

    Units with the same numbers are one integer variable a split, so that the program stays small.
    First sizes and class shares are kept within their tolerances; where no choice does that, each
    image in excess costs `EXCESS_COST` moves.

    Parameters
    ----------
    listed_in : ndarray of shape (n_units, n_splits), dtype=int
        How many pictures of a unit each split lists; a picture may be listed in several.
    counts : ndarray of shape (n_units, n_classes), dtype=int
        How many pictures of each class a unit has.
    before : ndarray of shape (n_splits, n_classes), dtype=int
        How many pictures of each class each split lists.
    splits : list of str
    seed, time_limit_s
        As for `repair_split`.

    Returns
    -------
    chosen : ndarray of shape (n_units,), dtype=int
        Number of the split of each unit.
    gap : float
    keeps_balance : bool
    """
    sizes = counts.sum(axis=1)
    costs = (sizes[:, None] - listed_in).astype(float)
    if "test" in splits:
        test = splits.index("test")
        others = np.arange(len(splits)) != test
        costs[:, test] *= 1 + ENTERS_TEST
        costs[:, others] += LEAVES_TEST * listed_in[:, [test]]
    if not ((listed_in > 0).sum(axis=1) > 1).any():
        return costs.argmin(axis=1), 0.0, True
    keys = np.hstack([listed_in, counts])
    _, first, kinds, numbers = np.unique(
        keys, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    program = _write_program(costs[first], counts[first], before, numbers)
    for may_exceed in tqdm((False, True), "choose splits", leave=False):
        program["bounds"].ub[len(numbers) * len(splits) :] = np.inf if may_exceed else 0
        options = {"time_limit": time_limit_s, "mip_rel_gap": SOLVER_GAP}
        found = scipy.optimize.milp(**program, options=options)
        if found.x is not None:
            break
    else:
        return costs.argmin(axis=1), float("nan"), False
    dealt = found.x[: len(numbers) * len(splits)].round().astype(int)
    order = np.random.default_rng([seed]).permutation(len(kinds))
    order = order[np.argsort(kinds.ravel()[order], kind="stable")]
    chosen = np.empty(len(kinds), dtype=int)
    chosen[order] = np.repeat(np.tile(np.arange(len(splits)), len(numbers)), dealt)
    gap = 0.0 if found.mip_gap is None else float(found.mip_gap)
    return chosen, gap, not may_exceed


def _write_program(costs, counts, before, numbers):
    """Write the arguments of `milp`: units of each kind that go to each split, then excesses."""
    sparse = scipy.sparse
    num_kinds, num_splits = costs.shape
    sizes, totals = counts.sum(axis=1), before.sum(axis=1)
    # Shares are kept, among themselves, of the classes that have a unit for each of their splits.
    num_units = (numbers[:, None] * (counts > 0)).sum(axis=0)
    even = num_units >= (before > 0).sum(axis=0)
    even[np.argsort(-before.sum(axis=0), kind="stable")[MAX_CLASSES:]] = False
    counts, before = counts[:, even], before[:, even]
    among = counts.sum(axis=1)
    # A picture that two splits list can stay in one only. So much less of each class there is:
    there = numbers @ counts / np.maximum(before.sum(axis=0), 1)
    shares = np.array(
        [part / np.maximum(part.sum(axis=1, keepdims=True), 1) for part in (before, before * there)]
    )
    reach = np.where(shares > 0, np.minimum(SHARE_TOLERANCE, shares / 2), SHARE_TOLERANCE)
    lowest, highest = (shares - reach).min(axis=0), (shares + reach).max(axis=0)
    least = totals * (numbers @ sizes) / totals.sum()
    least = np.minimum(least * (1 - SIZE_TOLERANCE), least - 1)
    most = np.maximum(totals * (1 + SIZE_TOLERANCE), totals + 1)

    in_split = np.eye(num_splits)[:, None, :]
    over, under = [], []  # each row: what a unit of each kind adds to an excess of one split
    for number, here in enumerate(in_split):
        over.append(sparse.kron(counts.T - highest[number][:, None] * among, here))
        under.append(sparse.kron(lowest[number][:, None] * among - counts.T, here))
    for signed, blocks in ((sizes, over), (-sizes, under)):
        blocks += [sparse.kron(signed[None, :], here) for here in in_split]
    excess = -sparse.eye(even.sum() * num_splits + num_splits)
    no_share = np.zeros(even.sum() * num_splits)
    constraints = [
        scipy.optimize.LinearConstraint(sparse.hstack([sparse.vstack(rows), excess]).tocsr(), ub=ub)
        for rows, ub in ((over, np.r_[no_share, most]), (under, np.r_[no_share, -least]))
    ]
    each = sparse.kron(sparse.eye(num_kinds), np.ones((1, num_splits)))
    each = sparse.hstack([each, sparse.csr_matrix((num_kinds, excess.shape[0]))]).tocsr()
    constraints.append(scipy.optimize.LinearConstraint(each, numbers, numbers))
    return {
        "c": np.r_[costs.ravel(), np.full(excess.shape[0], EXCESS_COST)],
        "integrality": np.r_[np.ones(costs.size), np.zeros(excess.shape[0])],
        "bounds": scipy.optimize.Bounds(
            0, np.r_[np.repeat(numbers, num_splits), np.zeros(excess.shape[0])].astype(float)
        ),
        "constraints": constraints,
    }


def fold_units(repair, num_folds, seed=0):
    """Add a column `fold`, 1 to `num_folds`: units stay together, classes are spread evenly.

    Images of the test set and those that are dropped have no fold.

    Raises
    ------
    ValueError
        If there are fewer units than folds.
    """
    from sklearn import model_selection  # waited for only here

    rows = repair.rows
    used = rows[~rows["is_dropped"] & (rows["split"] != "test")]
    num_units = used["unit"].nunique()
    if not 2 <= num_folds <= num_units:
        raise ValueError(
            f"So many folds cannot be made: a unit (a patient with all copies) stays in one. "
            f"Expected --folds from 2 to {num_units}, the number of units"
            f"{' outside the test set' if len(used) < len(repair.kept) else ''}. "
            f"Received: {num_folds}"
        )
    labels = used["label"].fillna("").astype(str).to_numpy()
    largest = np.unique(labels, return_counts=True)[1].max()
    if num_folds > largest:  # what scikit-learn refuses: nothing is left to spread evenly
        labels = np.zeros(len(used))
    folds = pd.Series(np.nan, index=used.index)
    splitter = model_selection.StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with few images: said below
        for number, (_, members) in enumerate(splitter.split(labels, labels, used["unit"]), 1):
            folds.iloc[members] = number
    rows["fold"] = folds.reindex(rows.index)
    present = folds.groupby(used["label"].fillna("").astype(str)).nunique()
    if (present < num_folds).any():
        names = values.list_some(present.index[present < num_folds])
        repair.notes.append(f"Not in every fold: classes {names}.")
    if folds.nunique() < num_folds:
        repair.notes.append(
            f"{num_folds - folds.nunique()} folds are empty: a unit is larger than a fold."
        )


def match_test(test, seed=0):
    """Choose the largest part of a test set in which no trait follows the label.

    Exact matching: of each combination of age band (0, 18, 40, 60, 80 years), sex, view and
    source as many images of every class, those of different units first. Images of which a trait
    is not known are left out; a trait that is known of none, or the same for all, is not matched.

    Parameters
    ----------
    test : DataFrame
        With `label`, `age_years` (or `age_group`), `sex`, `view`, `source` and `unit`.
    seed : int
        Decides which of equal images are taken.

    Returns
    -------
    index : Index
        Of the images; empty if there is no such part.
    told : str
        What was matched and how many are left, or why there is none.
    """
    nothing = test.index[:0]
    if test["label"].nunique() < 2:
        return nothing, "No matched test set: there is no test set with two classes."
    test = test.assign(age_band=_name_age_bands(test))
    traits = [name for name in TRAITS if test[name].nunique() > 1]  # noqa: PD101
    words = ", ".join(traits).replace("_", " ")
    if not traits:
        return nothing, (
            "No matched test set is needed or possible: age, sex, view and source are not known, "
            "or the same for all."
        )
    num_classes = test["label"].nunique()
    least = _count_matched(test, traits)
    num_matched = least.sum() * num_classes
    without = {
        name: _count_matched(test, rest).sum() * num_classes
        for name in traits
        if (rest := [one for one in traits if one != name])
    }
    others = [f"{n} without {name}" for name, n in without.items() if n > num_matched]
    others = f" It would have {', '.join(others)}." if others else ""
    if not num_matched:
        alone = [_tell_alone(test, name) for name in traits]
        why = "; ".join(filter(None, alone)) or "no combination has images of every class"
        told = f"No matched test set exists (by {words}): {why}.{others}"
        return nothing, told.replace("age_band", "age band")
    shuffled = test.dropna(subset=["label", *traits]).sample(frac=1, random_state=seed)
    cells = [*traits, "label"]
    shuffled["turn"] = shuffled.groupby([*cells, "unit"]).cumcount()
    shuffled = shuffled.sort_values("turn", kind="stable")
    places = pd.MultiIndex.from_frame(shuffled[traits]) if len(traits) > 1 else shuffled[traits[0]]
    wanted = least.reindex(places).to_numpy()
    chosen = shuffled.index[shuffled.groupby(cells).cumcount().to_numpy() < wanted]
    told = (
        f"Matched test set: {num_matched} of {len(test)} test images, as many of every class in "
        f"each combination of {words}: there these no longer follow the label.{others}"
    )
    return chosen.sort_values(), told.replace("age_band", "age band")


def _name_age_bands(test):
    """Bands of age; a child without an age is in the first, an adult without one in its own."""
    bands = pd.cut(test["age_years"].astype(float), AGE_BANDS_YEARS, right=False).astype(object)
    groups = image_table.get_age_groups(test)
    youngest = str(pd.Interval(*map(float, AGE_BANDS_YEARS[:2]), closed="left"))
    names = bands.map(str, na_action="ignore").astype(object)
    return names.where(names.notna(), groups.replace({"child": youngest}))


def _tell_alone(test, trait):
    """Say why one trait alone leaves nothing to match, or nothing if it does not."""
    if _count_matched(test, [trait]).sum():
        return ""
    known = test.loc[test[trait].notna(), "label"].unique()
    unknown = sorted(set(test["label"].dropna().astype(str)) - set(map(str, known)))
    if unknown:
        return f"{trait} is not known for {', '.join(unknown)}"
    return f"{trait} and label are one"


def _count_matched(test, traits):
    """How many images of each class every combination of traits has at least."""
    known = test.dropna(subset=["label", *traits])
    counts = known.pivot_table(index=traits, columns="label", aggfunc="size", fill_value=0)
    return counts.reindex(columns=test["label"].dropna().unique(), fill_value=0).min(axis=1)
