"""Bring what people write to one spelling where that is certain, and name it where it is not."""

import functools
import itertools
import re

import numpy as np
import pandas as pd

MAX_NAMED = 5
# What stands for "not known" outside of labels, where None and NA may be the name of a class.
MISSING = {"", "na", "n/a", "nan", "none", "null", "nat", "-", "?", "unknown", "not available"}
SEXES = {
    **dict.fromkeys(("m", "male", "man", "boy", "men"), "M"),
    **dict.fromkeys(("f", "female", "woman", "girl", "w", "women"), "F"),
}
MAX_AGE_YEARS = 120
# DICOM's age string: three digits and years, months, weeks or days.
YEARS_PER_UNIT = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_AGE = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(y|m|w|d)?(?:rs?|ears?|onths?|eeks?|ays?)?(?:\s*old)?\.?", re.I
)
_NUMERIC_DATE = re.compile(r"^(\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d\d))(?:[ T].*)?$")


def keep_any_text(function):
    """Make pandas hold text as Python does within a function, whatever is installed.

    Where `pyarrow` is installed pandas 3 holds text in it, which refuses names of files that are no
    UTF-8, and knows other regular expressions.
    """

    @functools.wraps(function)
    def call(*arguments, **options):
        with pd.option_context("mode.string_storage", "python"):
            return function(*arguments, **options)

    return call


def clean_values(table):
    """Bring blanks, ids, labels, sexes, ages and dates of a table to one spelling.

    Parameters
    ----------
    table : DataFrame
        Any of the columns of `leakcard.COLUMNS` and `split`, as text or numbers.

    Returns
    -------
    table : DataFrame
        A copy.
    notes : list of str
        What was changed, and what could not be read, one sentence each with its count.
    """
    table, notes = table.copy(), []
    for name in ("label", "split", "patient_id", "sex", "view", "source", "background", "date"):
        if name in table:
            table[name] = _strip(table[name], name, notes)
    for name in ("split", "patient_id", "sex", "view", "source", "background", "date"):
        if name in table:
            text = table[name].map(lambda v: v.lower() if isinstance(v, str) else v)
            table[name] = table[name].mask(text.isin(MISSING))
    if "patient_id" in table:
        table["patient_id"] = _clean_ids(table["patient_id"], notes)
    if "label" in table:
        table["label"] = _join_cases(table["label"], notes)
        several = table["label"].astype(str).str.contains("|", regex=False)
        if several.any():
            example = table["label"][several].iloc[0]
            notes.append(
                f"{several.sum()} labels hold several names, such as {example!r}: each such label "
                "is taken for a class of its own. If images have several labels: --multi-label."
            )
    if "sex" in table:
        table["sex"] = _clean_sexes(table["sex"], notes)
    if "age_years" in table:
        table["age_years"] = _clean_ages(table["age_years"], notes)
    if "date" in table:
        table["date"] = _clean_dates(table["date"], notes)
    return table, notes


def find_alike(ids):
    """Group identifiers that differ only in case, leading zeros or separators.

    Parameters
    ----------
    ids : iterable of str

    Returns
    -------
    list of list of str
        Groups of two and more different spellings, sorted.
    """
    groups = {}
    for name in sorted(set(ids)):
        plain = re.sub(r"\.0+$", "", str(name).strip().casefold())
        plain = re.sub(r"[\s_.:/-]+", "", plain)
        groups.setdefault(re.sub(r"(?<!\d)0+(?=\d)", "", plain), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def list_some(values):
    """Name the first few of some values, and how many more there are."""
    values = sorted({str(value) for value in values})
    more = len(values) - MAX_NAMED
    return ", ".join(map(repr, values[:MAX_NAMED])) + (f" and {more} more" if more > 0 else "")


def _strip(values, name, notes):
    text = values.astype(object).where(values.notna(), np.nan)
    is_text = text.map(lambda value: isinstance(value, str))
    stripped = text.where(~is_text, text[is_text].map(lambda v: re.sub(r"\s+", " ", v).strip()))
    changed = is_text & (stripped != text)
    if changed.any():
        notes.append(f"Column {name}: blanks removed around or within {changed.sum()} values.")
    return stripped.mask(stripped == "")


def _clean_ids(ids, notes):
    """An id that passed through a column of floats is the whole number that it was."""
    text = ids.map(_write_id, na_action="ignore").astype(object)
    was_float = text.str.fullmatch(r"\d+\.0+").fillna(False).astype(bool)
    if was_float.any():
        text[was_float] = text[was_float].str.replace(r"\.0+$", "", regex=True)
        notes.append(f"Column patient_id: {was_float.sum()} ids such as '7.0' are read as '7'.")
    return text


def _write_id(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _join_cases(labels, notes):
    """Labels that differ only in case are one class, in the most frequent spelling.

    Single letters are left alone: 'A' and 'a' may be two classes.
    """
    text = labels.map(str, na_action="ignore").astype(object)
    counts = text.value_counts()
    names = {}
    for label in counts.index:  # most frequent first, equals by name
        names.setdefault(label.casefold(), []).append(label)
    renamed = {
        other: sorted(same, key=lambda name: (-counts[name], name))[0]
        for same in names.values()
        if len(same) > 1 and len(same[0]) > 1
        for other in same
    }
    changed = text.map(lambda value: renamed.get(value, value) != value, na_action="ignore")
    if renamed and changed.fillna(False).astype(bool).any():
        notes.append(
            f"Column label: spellings that differ in case are one class: {list_some(renamed)}."
        )
    return text.map(lambda value: renamed.get(value, value), na_action="ignore")


def _clean_sexes(sexes, notes):
    text = sexes.map(_write_id, na_action="ignore").astype(object)
    known = text.map(lambda value: SEXES.get(value.lower()), na_action="ignore")
    spellings = sorted(set(text[known.notna()]))
    if len(spellings) > known.nunique():
        notes.append(f"Column sex: {list_some(spellings)} are read as M or F.")
    other = text.notna() & known.isna()
    if other.any():
        notes.append(
            f"Column sex: {other.sum()} values are kept as they are, since it is not certain what "
            f"they mean: {list_some(text[other])}."
        )
    return known.where(known.notna(), text)


def _clean_ages(ages, notes):
    years = read_ages(ages)
    given = ages.notna() & ~ages.astype(str).str.strip().str.lower().isin(MISSING)
    unread = given & years.isna()
    if unread.any():
        notes.append(
            f"Column age_years: {unread.sum()} values could not be read: {list_some(ages[unread])}."
        )
    wrong = (years < 0) | (years > MAX_AGE_YEARS)
    if wrong.any():
        notes.append(
            f"Column age_years: {wrong.sum()} ages outside 0 to {MAX_AGE_YEARS} years count as not "
            f"known: {list_some(ages[wrong])}."
        )
    has_unit = given & years.notna() & ages.astype(str).str.contains("[a-z]", case=False)
    if has_unit.any():
        notes.append(
            f"Column age_years: {has_unit.sum()} ages with a unit, such as "
            f"{ages[has_unit].iloc[0]!r}, are read in years."
        )
    return years.mask(wrong)


def read_ages(ages):
    """Read ages in years from numbers and text such as "63", "063Y", "018M" or "63 years".

    Parameters
    ----------
    ages : Series

    Returns
    -------
    Series of float64
        NaN where it says no age; ages outside of 0 to 120 years are returned as they are.
    """
    return ages.map(_read_age, na_action="ignore").astype("float64")


def _read_age(value):
    if not isinstance(value, str):
        return float(value)
    found = _AGE.fullmatch(value.strip())
    if not found:
        return np.nan
    return float(found[1].replace(",", ".")) * YEARS_PER_UNIT[(found[2] or "y").lower()]


def _clean_dates(dates, notes):
    """Dates as ISO text; day and month are told apart by the whole column, or not at all."""
    given = dates.dropna().astype(str).str.strip()
    if given.empty:
        return dates
    written = given.str.replace(r"^(\d{4})[/.](\d\d?)[/.](\d\d?)(?!\d)", r"\1-\2-\3", regex=True)
    iso = written.str.fullmatch(r"\d{4}(-\d\d?(-\d\d?([ T].*)?)?)?")
    read = pd.to_datetime(written.where(iso), errors="coerce", format="ISO8601")
    compact = given.str.fullmatch(r"(19|20)\d{6}(\.0)?")  # as in DICOM
    read = read.fillna(_parse_dates(given.where(compact).str[:8], "%Y%m%d"))
    numeric = given.where(read.isna()).str.extract(_NUMERIC_DATE.pattern)[0]
    numeric = numeric.str.replace(r"[.-]", "/", regex=True)
    ways = {
        order: _parse_dates(numeric, f"{form}%Y").fillna(_parse_dates(numeric, f"{form}%y"))
        for order, form in {"day": "%d/%m/", "month": "%m/%d/"}.items()
    }
    for (order, one), (_, other) in itertools.permutations(ways.items()):
        alone = one.notna() & other.isna()
        if alone.any() and not (other.notna() & one.isna()).any():
            read = read.fillna(one)
            notes.append(
                f"Column date: {one.notna().sum()} dates such as {given[one.notna()].iloc[0]!r} "
                f"are read with the {order} first, since another order does not fit all of them."
            )
    words = read.isna() & given.str.contains("[a-z]{3}", case=False, regex=True)
    if words.any():
        read = read.fillna(pd.to_datetime(given.where(words), errors="coerce", format="mixed"))
    unread = read.isna()
    if unread.any():
        notes.append(
            f"Column date: {unread.sum()} dates are not used, since it is not certain what they "
            f"say: {list_some(given[unread])}. Write them as YYYY-MM-DD."
        )
    return read.dt.strftime("%Y-%m-%d").reindex(dates.index).astype(object)


def _parse_dates(text, form):
    return pd.to_datetime(text, errors="coerce", format=form)
