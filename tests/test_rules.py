"""A page a rule: every row of a card has one, and the committed pages are those of the code."""

from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pytest

import leakcard
from leakcard import __main__ as command
from leakcard import rules

ROOT = Path(__file__).parents[1]
HEAD = ",".join(rules.RATE_COLUMNS)


@pytest.fixture(scope="module")
def card():
    """A card with every row that a card can have."""
    table = planted.make_clean(1, 48, {"covid": 14, "normal": 14, "pneumonia": 14})
    table["background"], table["device"] = "black", np.arange(len(table)) % 9
    train, test = (table.index[table["split"] == split][0] for split in ("train", "test"))
    table.loc[train, "patient_id"], table.loc[test, "patient_id"] = "P01", "p1"
    pairs = planted.find_same_files(table)
    return leakcard.audit(table, pairs=pairs, group="device", num_permutations=9)


def test_every_row_of_a_card_has_a_rule_and_every_rule_a_row(card):
    found = {row.check: rules.find_rule(row) for row in card.rows}
    assert not [check for check, rule in found.items() if rule is None]
    one_split = leakcard.audit(card.table.assign(split="train"), pairs=card.table.head(0),
                               checks={"splits": leakcard.CHECKS["splits"]})  # fmt: skip
    found |= {row.check: rules.find_rule(row) for row in one_split.rows}
    names = {check.replace("device", "group") for check in found}
    # Further rows, of `--calibrate` and of `--baseline`: see their own tests.
    names |= {"copies_found_here", "absurd_label", "crossed_since_baseline"}
    assert names == {check for rule in rules.RULES for check in rule.checks}


def test_the_rows_of_committed_cards_have_rules():
    paths = sorted(ROOT.glob("results/*/*/report_card_*.json"))
    if not paths:
        pytest.skip("no committed run in this checkout")
    rows = [row for path in paths for row in leakcard.read_card(path).rows]
    assert {row.check for row in rows if rules.find_rule(row) is None} == set()


def test_a_check_of_ones_own_has_no_rule_and_a_page_without_it(card, tmp_path):
    row = leakcard.Row("L2", "letters", "Letters", "warn", "found", reason="why")
    assert rules.find_rule(row) is None
    own = leakcard.ReportCard([row], card.about)
    page = (own.write(tmp_path) / "report_card.html").read_text(encoding="utf-8")
    assert "Letters" in page and "About L2" not in page


def test_every_rule_says_all_four_things_and_is_told_on_the_page(card, tmp_path):
    page = (card.write(tmp_path) / "report_card.html").read_text(encoding="utf-8")
    for rule in rules.RULES:
        assert rule.code in leakcard.CODES
        for name, _ in rules.PARTS:
            assert getattr(rule, name).rstrip(")").endswith((".", "?")), (rule.title, name)
    for row in card.rows:
        assert f"About {row.code}: {rules.find_rule(row).title}" in page


def test_the_committed_pages_are_those_of_the_code(tmp_path):
    for path in rules.write_pages(tmp_path, rules.read_rates()):
        committed = ROOT / "docs" / "rules" / path.name
        assert committed.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            "Write them again: python -m leakcard rules --out docs/rules"
        )
    assert len(list((ROOT / "docs" / "rules").iterdir())) == len(list(tmp_path.iterdir()))


def test_rules_are_listed_and_told_by_code_or_row(capsys):
    assert command.main(["rules"]) == 0
    listed = capsys.readouterr().out
    for code, title in leakcard.CODES.items():
        assert any(line.split(maxsplit=1) == [code, title] for line in listed.splitlines())
    assert command.main(["rules", "l1.4"]) == 0
    assert capsys.readouterr().out.startswith("# L1.4: duplicates")
    assert command.main(["rules", "border_classifier"]) == 0
    told = capsys.readouterr().out
    assert told.count("## ") == 1 and "the border alone" in told


@pytest.mark.parametrize(("name", "hint"), [("L5", "L2"), ("border", "border_classifier")])
def test_an_unknown_rule_is_refused_with_one_that_is_alike(capsys, name, hint):
    assert command.main(["rules", name]) == 2
    assert f"Did you mean {hint}?" in capsys.readouterr().err


def test_measured_rates_stand_on_the_page_of_their_rule(tmp_path, capsys):
    path = tmp_path / "rates.csv"
    lines = ["border_classifier,frame,True,400,18,20,0.70,0.97",
             "border_classifier,clean,False,400,1,20,0.01,0.24"]  # fmt: skip
    path.write_text("\n".join([HEAD, *reversed(lines)]))
    assert command.main(["rules", "L2", "--rates", str(path)]) == 0
    told = capsys.readouterr().out
    leak = told.index("| frame | a leak: sensitivity | 400 | 18 of 20 | 0.90 (0.70 to 0.97) |")
    assert leak < told.index(
        "| clean | no leak: false alarms | 400 | 1 of 20 | 0.05 (0.01 to 0.24)"
    )
    assert told.count("Not measured.") == told.count("\n## ") - 1
    assert command.main(["rules", "L2", "--rates", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err
    assert "Not measured: there is no" in rules.format_page("L2")


def test_rates_of_an_unknown_rule_or_without_a_column_are_refused(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text(f"{HEAD}\nL9.9,clean,False,400,1,20,0,1\n")
    with pytest.raises(ValueError, match="no such rule.*Received: 'L9.9'"):
        rules.read_rates(path)
    pd.DataFrame({"rule": ["L2"]}).to_csv(path, index=False)
    with pytest.raises(ValueError, match="without kind, is_leak"):
        rules.read_rates(path)


def test_the_committed_rates_hold_what_is_promised():
    """Measured by `benchmarks.sensitivity`: read here, so that a worse card cannot be committed."""
    folder = rules.RATES_PATH.parent
    if not folder.is_dir():
        pytest.skip("an installed package holds no measured rates")
    rates = rules.read_rates(rules.RATES_PATH)
    clean, leaks = rates[~rates["is_leak"]], rates[rates["is_leak"]]
    assert clean["alarms"].sum() <= 0.05 * clean["sets"].sum()
    missed = leaks[leaks["alarms"] < 0.95 * leaks["sets"]]
    assert set(missed["kind"]) <= {"brightness", "brighter to one side"}
    outcomes = pd.read_csv(folder / "outcomes.csv")
    outcomes = outcomes[~outcomes["kind"].isin(leaks["kind"])]
    fails = outcomes.assign(fails=outcomes["status"] == "fail").groupby(["kind", "size", "seed"])
    share = fails["fails"].any().groupby(["kind", "size"]).mean()
    assert share.max() <= 0.05, share[share > 0.05]
