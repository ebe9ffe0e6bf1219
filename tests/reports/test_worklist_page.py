"""The worklist: its rows, the hours behind it, and who is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from readers import euros, says_nothing_empty
from sites import changed, decided, emptied, links_of, page

from reports import exports, worklist
from reports.rows import first_reason, interval
from reports.words import day, quantity


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


def test_the_sentence_and_the_caption_count_what_is_to_be_done(site, found):
    listed = site.worklist
    do, left = (listed[listed["decision"] == decision] for decision in ("do", "not_worth"))
    assert " ".join(found["sentence"].split()) == (
        f"{len(do)} accounts are worth seeing within the time there is: {quantity(do['hours'].sum(), 'hours')}, expected "
        f"to earn {euros(do['profit'].sum())} more than it costs; {len(left)} are left alone, because the effort exceeds "
        "the return."
    )
    assert found["caption"].startswith(f"{len(do)} of {len(do)}, by expected net profit")
    few = worklist.summary(site, links_of(site), 2)
    assert few["rows"] == found["rows"][:2]
    assert few["caption"].startswith(f"2 of {len(do)}, by")
    assert few["sentence"] == found["sentence"]


def test_one_account_is_counted_as_one(site):
    given = replace(site, worklist=site.worklist[site.worklist["decision"] == "do"].head(1))
    sentence = worklist.summary(given, links_of(given), 5)["sentence"]
    assert sentence.startswith("1 account is worth seeing")
    assert "0 are left alone" in sentence


def test_where_no_account_is_worth_it_that_is_said_and_all_of_them_are_left(site):
    nothing = site.worklist.assign(decision="not_worth", why="costs_more", place=pd.NA)
    given = replace(site, worklist=nothing)
    found = worklist.context(given, links_of(given))["worklist"]
    assert found["sentence"].startswith("Nothing is on the list: no action earns more")
    assert found["rows"] == []
    assert found["caption"].startswith("0 of 0")
    assert [row["share"] for row in found["classes"]] == [None] * 5
    assert sum(row["not_worth"] for row in found["classes"]) == len(nothing)
    assert found["left"]["caption"].startswith(f"{len(nothing)} of {len(nothing)}, by")
    assert {row["file"] for row in found["capacity"]} == {None}
    says_nothing_empty(page(given, "worklist.html"))


def test_of_those_left_alone_the_most_at_risk_are_shown_and_all_are_counted(site, monkeypatch):
    monkeypatch.setattr(worklist, "LEFT", 3)
    left = site.worklist[site.worklist["decision"] == "not_worth"].sort_values("expected_loss", ascending=False)
    given = changed(site, "worklist", left["account_id"].iloc[4], **{"class": "EIV"})
    found = worklist.context(given, links_of(given))["worklist"]["left"]
    assert [row["id"] for row in found["rows"]] == left["account_id"].head(3).tolist()
    assert found["caption"] == f"3 of {len(left)}, by expected loss."
    assert f"there are {(left['class'] == 'EIV').sum() + 1}." in found["sentence"]


def test_without_accounts_there_are_no_classes_and_none_is_left(site):
    given = emptied(site, "worklist")
    found = worklist.context(given, links_of(given))["worklist"]
    assert (found["classes"], found["left"], found["rows"]) == ([], None, [])


def test_capacity_is_by_manager_and_by_region_where_there_is_none_each_with_its_own_file(site, found):
    assert [row["name"] for row in found["capacity"]] == [
        *("Ion Chen (M1)", "M2", "North, no manager", "South, no manager", "no manager")
    ]
    files = exports.by_list(site)
    told = site.decided["worklist"]["managers"]
    assert [row["file"] for row in found["capacity"]] == [files[row["manager_id"], row["region"]] for row in told]
    assert len({row["file"] for row in found["capacity"]}) == 5
    for name in ("capacity", "used", "profit"):
        assert [row[name] for row in found["capacity"]] == [row[name] for row in told]
    assert [row["marginal"] for row in found["capacity"]] == [row["shadow_value"] for row in told]


def test_what_an_hour_costs_and_what_is_given_up_for_it_is_told(site):
    given = decided(
        site, worklist={**site.decided["worklist"], "hour_cost": 20.0, "gap": 0.0012, "split_costs": 1089.5}
    )
    caption = " ".join(worklist.context(given, links_of(given))["worklist"]["capacity_caption"].split())
    assert "reckoned at EUR 20." in caption
    assert "at most 0.12% less" in caption
    assert "for each class costs EUR 1,090." in caption


def test_each_class_has_its_share_of_the_hours(site, found):
    listed = site.worklist
    kinds = listed["class"].fillna("no class")
    do = listed["decision"] == "do"
    for row in found["classes"]:
        mine = kinds == row["name"]
        assert row["hours"] == pytest.approx(listed.loc[mine & do, "hours"].sum())
        assert row["share"] == pytest.approx(row["hours"] / listed.loc[do, "hours"].sum())
        for decision in ("no_capacity", "not_worth"):
            assert row[decision] == (listed.loc[mine, "decision"] == decision).sum()


@pytest.mark.parametrize(
    ("manager_id", "manager", "region", "who"),
    [("M1", "Ion Chen", "North", "Ion Chen"), ("M2", None, "North", "M2"), (None, None, "North", "North")],
)
def test_a_row_names_who_looks_after_the_account_or_else_where_it_is(site, manager_id, manager, region, who):
    first = site.worklist.loc[site.worklist["decision"] == "do"].sort_values("profit").iloc[-1]["account_id"]
    given = changed(site, "worklist", first, manager_id=manager_id, region=region)
    given = changed(given, "accounts", first, manager=manager)
    row = worklist.context(given, links_of(given))["worklist"]["rows"][0]
    assert (row["id"], row["who"]) == (first, who)
    assert row["until"] == day(date.fromisoformat(row["until_iso"]))


@pytest.mark.parametrize(
    ("naming", "second", "asked"),
    [
        ("named", "competitor", ""),
        ("candidates", "competitor", "Ask first whether it is so: Product no longer fits or "),
        ("untried", None, "Ask first whether it is so: Product no longer fits (a guess). "),
    ],
)
def test_a_reason_that_is_not_named_alone_is_asked_for_before_anything_is_done(site, naming, second, asked):
    row = site.worklist[site.worklist["decision"] == "do"].iloc[0].to_dict() | {"reason": "product"}
    told = worklist.step_of(site, row, {"naming": naming, "reason_1": "product", "reason_2": second})
    plain = worklist.step_of(site, row, {"naming": "named", "reason_1": "product", "reason_2": None})
    for words in ("brief", "what"):
        assert told[words].startswith(asked)
        assert told[words].endswith(plain[words])
    assert told["terms"] == plain["terms"]
    assert (told["what"] == plain["what"]) == (naming == "named")
