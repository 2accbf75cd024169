"""How often clean phantoms raise an alarm: at most 5 % of the rows that can be tested.

A few seeds, so that it ends soon; more are in results/sensitivity.
"""

import planted
import pytest

import leakcard


def audit_clean(seed):
    """Return (check, status) of every testable row of one clean draw."""
    table = planted.make_clean(seed)
    card = leakcard.audit(table, pairs=planted.find_same_files(table), seed=seed)
    return [(row.check, row.status) for row in card.rows if row.status != "not testable"]


def count_alarms(seeds):
    rows = [audit_clean(seed) for seed in seeds]
    found = [(seed, *row) for seed, each in zip(seeds, rows, strict=True) for row in each]
    return [row for row in found if row[2] in ("warn", "fail")], len(found)


@pytest.mark.slow
def test_clean_phantoms_of_three_seeds_raise_at_most_one_false_alarm_in_twenty_rows():
    alarms, num_testable = count_alarms(range(20, 23))
    assert num_testable >= 12 * 3 and len(alarms) <= 0.05 * num_testable, alarms
