"""How often clean phantoms raise an alarm: at most 5 % of the rows that can be tested."""

import planted
import pytest

from leakage import audit


def count_alarms(folder, seeds, num_images=None):
    alarms, num_testable = [], 0
    for seed in seeds:
        table = planted.make_clean(folder, seed, num_images=num_images)
        card = audit.audit_split(table, pairs=planted.find_same_files(table), seed=seed)
        num_testable += sum(row.status != "not testable" for row in card.rows)
        alarms += [(seed, row.check) for row in card.rows if row.status in ("warn", "fail")]
    return alarms, num_testable


def test_clean_phantoms_of_a_few_seeds_raise_hardly_an_alarm(tmp_path):
    alarms, num_testable = count_alarms(tmp_path, range(10, 13))
    assert num_testable >= 60 and len(alarms) <= 0.05 * num_testable, alarms


@pytest.mark.slow
def test_clean_phantoms_of_thirty_seeds_raise_at_most_one_false_alarm_in_twenty_rows(tmp_path):
    alarms, num_testable = count_alarms(tmp_path, range(30))
    assert num_testable >= 600 and len(alarms) <= 0.05 * num_testable, alarms
