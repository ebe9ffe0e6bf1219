"""The worklist: its rows, the hours behind it, and who is left alone."""

from __future__ import annotations

import pytest
from sites import decided, emptied, links_of

from reports import worklist
from reports.rows import first_reason, interval


@pytest.fixture(scope="module")
def found(site):
    return worklist.context(site, links_of(site))["worklist"]


def test_rows_are_those_to_do_by_profit_with_their_place_in_the_list(site, found):
    do = site.worklist[site.worklist["decision"] == "do"].sort_values(["profit", "account_id"], ascending=[False, True])
    assert len(do) > 2
    assert [row["id"] for row in found["rows"]] == do["account_id"].tolist()
    assert [row["place"] for row in found["rows"]] == do["place"].tolist()
    assert [row["profit"] for row in found["rows"]] == do["profit"].tolist()


def test_hours_and_profit_add_up_by_manager_and_by_class(site, found):
    do = site.worklist[site.worklist["decision"] == "do"]
    for rows, hours in ((found["capacity"], "used"), (found["classes"], "hours")):
        assert sum(row[hours] for row in rows) == pytest.approx(do["hours"].sum())
        assert sum(row["profit"] for row in rows) == pytest.approx(do["profit"].sum())
        assert sum(row["accounts"] for row in rows) == len(do)
    assert sum(row["share"] for row in found["classes"]) == pytest.approx(1.0)
    assert all((row["file"] is not None) == bool(row["accounts"]) for row in found["capacity"])


def test_who_is_left_alone_stands_by_expected_loss(site, found):
    left = site.worklist[site.worklist["decision"] == "not_worth"]
    losses = [row["expected_loss"] for row in found["left"]["rows"]]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == min(len(left), worklist.LEFT)


@pytest.mark.parametrize(("by", "told"), [("avoidable", "causes at work now"), ("silent", "by the whole risk")])
def test_it_is_said_by_which_risk_the_list_was_chosen(site, by, told):
    given = decided(site, worklist={**site.decided["worklist"], "by": by})
    assert told in worklist.context(given, links_of(given))["worklist"]["basis"]


def test_an_empty_list_says_why_it_is_empty(site):
    assert "no active accounts" in worklist.summary(emptied(site, "worklist"), links_of(site), 5)["sentence"]


def test_every_reason_for_a_decision_has_words():
    from models.worklist import WHY

    assert {why for codes in WHY.values() for why in codes} - {"pays"} == set(worklist.WHY)


@pytest.mark.parametrize(
    ("naming", "told"),
    [("named", "Product no longer fits"), ("candidates", "Product no longer fits or Natural end"), (None, "")],
)
def test_the_first_reason_is_one_two_or_nothing(site, naming, told):
    assert first_reason(site, {"naming": naming, "reason_1": "product", "reason_2": "natural_end"}) == told


def test_an_interval_that_was_not_measured_is_nothing():
    assert interval(float("nan"), 0.5) is None
    assert interval(0.1, 0.25) == "10% to 25%"
