"""The page of one account tells why: reasons, candidates, hypotheses, why now, what if, and what was said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from frames import UNSEEN, explanations_of
from readers import Reader, says_nothing_empty, section, table, words
from sites import account_page, emptied, with_row


def why(given, account_id: str = "A001") -> str:
    """The words of its section Why."""
    return words(section(account_page(given, account_id), "why"))


def test_a_named_reason_stands_with_its_share_and_all_its_sentences(site):
    given = with_row(site, naming="named", reason_1="product", reason_2="staff_turnover", reason_3=None)
    given = with_row(given, share_product=0.5, share_staff_turnover=0.21)
    told = why(given)
    assert (
        "Associated reasons Product no longer fits (50%) First sentence about product of A001. Second sentence about "
        "product of A001. Account manager left (21%) First sentence about staff_turnover of A001. Second sentence about "
        "staff_turnover of A001."
    ) in told
    assert "each of these two" not in told


def test_two_candidates_are_said_to_be_either_or(site):
    given = with_row(site, naming="candidates", reason_1="product", reason_2="staff_turnover", reason_3=None)
    given = with_row(given, share_product=0.31, share_staff_turnover=0.28)
    told = why(given)
    assert (
        "No reason has enough share to be named alone; each of these two may be the one. Product no longer fits (31%) First"
    ) in told
    assert "Account manager left (28%)" in told


def test_where_no_reason_stands_out_that_is_said(site):
    given = with_row(site, naming="none", reason_1="unexplained", reason_2=None, reason_3=None, share_unexplained=0.4)
    told = why(given)
    assert "Associated reasons No documented reason stands out" in told
    assert "40%" not in told  # what is left unexplained is not how far no reason stands out


def test_of_an_account_that_is_not_among_the_riskiest_that_is_said(site):
    given = with_row(site, naming=None, reason_1=None, reason_2=None, reason_3=None)
    says_nothing_empty(account_page(given))
    assert "Associated reasons Not told of this account: it is not among the riskiest." in why(given)
    assert "Not told of this account" not in why(site)


def test_a_reason_seen_only_from_afar_is_a_hypothesis_wherever_it_is_told(site):
    seen = {f"share_{code}": site.scores["share_product"] for code in UNSEEN}
    given = replace(site, scores=site.scores.assign(**seen), hypotheses=UNSEEN)
    given = with_row(given, naming="candidates", reason_1="competitor", reason_2="product", reason_3=None)
    moved = given.explanations.rename(columns={"change_symptom": "change_turbulence"})
    first = moved["account_id"] == "A001"
    risk = given.scores.loc[first, "risk"].iloc[0]
    moved.loc[first, ["since", "risk_then", "change_turbulence"]] = [date(2024, 12, 1), risk - 0.2, 0.2]
    told = why(replace(given, explanations=moved))
    assert "Hypothesis: Taken by a competitor (" in told
    assert "Hypothesis: Market or company turbulence +20" in told
    for name in ("Taken by a competitor", "Market or company turbulence"):
        assert told.count(name) == told.count(f"Hypothesis: {name}") == 1
    assert "Cannot be seen" not in told
    assert "Hypothesis" not in why(site)


def test_what_this_data_cannot_show_is_named(site):
    assert "Cannot be seen on this data Taken by a competitor, Market or company turbulence" in why(site)


def test_what_speaks_against_the_loss_has_a_head_of_its_own(site):
    assert "What speaks against it Sentence for keeping A001." in why(site)
    without = replace(site, evidence=site.evidence[site.evidence["place"] > 0])
    assert "What speaks against it" not in why(without)
    assert "First sentence" in why(without)


def test_why_now_and_what_if_are_told(site):
    given = with_row(site, naming="named", reason_1="broken_promises", reason_2="staff_turnover", reason_3=None)
    given = with_row(given, risk=0.43, expected_loss=6450.0)
    told = explanations_of(given.scores)
    first = told["account_id"] == "A001"
    told.loc[first, ["since", "kept", "risk_then", "change_symptom"]] = [date(2024, 12, 1), True, 0.31, 0.12]
    told.loc[first, "risk_without_broken_promises"] = 0.35
    given = replace(given, explanations=told)
    told = why(given)
    assert "Why now Since 1 December 2024 the risk rose by 12 points, from 31% to 43%: signs of the loss" in told
    assert (
        "What if Overdue rebates paid and promised terms granted: risk 43% → 35%, expected loss EUR 1,200 less. Account "
        "manager left: removing it would hardly change the model’s risk. The risk the model would see had the cause been "
        "removed today: model-based, not causal."
    ) in told
    # no line is broken between a number and what it belongs to
    assert "signs of the loss itself\N{NO-BREAK SPACE}+" in account_page(given)


def test_an_account_not_scored_then_and_one_without_explanation_show_nothing_of_it(site):
    assert "Why now" not in why(site)
    assert "Why now" in why(site, "A002")
    for none in (site.explanations.head(0), pd.DataFrame()):
        html = account_page(replace(site, explanations=none, evidence=site.evidence.head(0)), "A002")
        says_nothing_empty(html)
        text = Reader(html).text
        assert not [head for head in ("Why now", "What if", "What speaks", "model-based, not causal") if head in text]


def test_the_range_of_a_risk_stands_below_it_where_it_was_measured(site):
    given = with_row(site, risk=0.43, risk_low=0.31, risk_high=0.57)
    assert (
        "Risk 43% of no order within 3 months; of accounts with such a risk, 31% to 57% are expected to stop"
        in words(account_page(given))
    )
    unknown = replace(given, scores=given.scores.assign(risk_low=np.nan, risk_high=np.nan))
    html = account_page(unknown)
    says_nothing_empty(html)
    assert "Risk 43% of no order within 3 months Expected loss" in words(html)


def test_what_the_action_earns_is_told_below_zero_too_and_not_of_lapsed_accounts(site):
    profit = site.worklist["profit"].mask(site.worklist["account_id"] == "A001", -49.6)
    html = account_page(replace(site, worklist=site.worklist.assign(profit=profit)), "A001")
    assert '<data value="-49.60">−EUR\N{NO-BREAK SPACE}50</data>' in html
    lapsed = site.scores.loc[site.scores["lapsed"], "account_id"].iloc[0]
    assert "Action earns" in words(html)
    assert "Action earns" not in words(account_page(site, lapsed))


def test_what_people_said_of_it_stands_there_the_latest_first(site):
    said = words(section(account_page(site), "feedback"))
    assert (
        "9 December 2024, Ion: It is another reason: Product no longer fits 3 November 2024, Eva: The reasons are right"
    ) in said
    assert "1 December 2024, unknown: Already handled" in words(section(account_page(site, "A002"), "feedback"))
    for given, account in ((site, "A003"), (emptied(site, "feedback"), "A001")):
        assert "2024" not in words(section(account_page(given, account), "feedback"))


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (0, "Talk to the decision-maker (sales director)"),
        (1, "Talk to the decision-maker"),
        (2, "Leave: it costs more than it brings"),
        (3, "Close the case: nobody’s fault, and not strategic"),
    ],
)
def test_of_a_lapsed_account_the_decision_on_it_is_told_with_its_money(site, turn, told):
    account = site.scores.loc[site.scores["lapsed"], "account_id"].iloc[turn]
    row = site.win_back.set_index("account_id").loc[account]
    step = words(section(account_page(site, account), "step"))
    assert step.startswith(f"What to do {told} Chance of an order {row['chance']:.0%}; a year is worth EUR")
    assert "approaching it costs EUR 150:" in step
    assert "should it be seen all the same" not in step


def test_how_similar_accounts_ended_is_told_in_words(site):
    rows = table(account_page(site), "Similar past accounts, and how they ended")[1:]
    assert [(row[0].text, row[1].text, row[2].number, row[3].text) for row in rows] == [
        ("A002", "1 January 2024", 0.43, "lost: no order within 3 months"),
        ("Z9", "1 October 2023", 0.12, "it ordered again"),
    ]
    assert "Similar past accounts" not in account_page(emptied(site, "similar"))
