"""The page of win-back: what approaching lapsed accounts is worth, who decides, and what is known of the chance."""

from __future__ import annotations

from dataclasses import replace

import pytest
from readers import euros, says_nothing_empty
from sites import changed, decided, emptied, links_of, page

from models.win_back import CLOSE, DECISIONS, LEAVE, TALK
from reports import win_back


def context(site):
    return win_back.context(site, links_of(site))["win_back"]


def test_each_decision_has_its_own_accounts_and_money(site):
    found = context(site)["decisions"]
    assert [row["name"] for row in found] == [win_back.NAMES[decision] for decision in DECISIONS]
    for row, decision in zip(found, DECISIONS, strict=True):
        of = site.win_back[site.win_back["decision"] == decision]
        assert row["accounts"] == len(of) > 0
        assert row["value"] == pytest.approx(of["value"].sum())
        assert row["profit"] == pytest.approx(of["profit"].sum())


def test_a_decision_on_nobody_is_told_as_nobody(site):
    given = replace(site, win_back=site.win_back[site.win_back["decision"] != LEAVE])
    counts = {row["name"]: (row["accounts"], row["profit"]) for row in context(given)["decisions"]}
    assert counts[win_back.NAMES[LEAVE]] == (0, 0.0)


def test_the_sentence_tells_talks_that_pay_from_those_with_strategic_accounts(site):
    talk = site.win_back[site.win_back["decision"] == TALK]
    pays = talk[talk["profit"] > 0]
    assert 0 < len(pays) < len(talk)
    assert " ".join(context(site)["sentence"].split()) == (
        f"{len(site.win_back)} accounts had already been silent for 3 months or longer. A talk is expected to pay with "
        f"{len(pays)} of them, to earn {euros(pays['profit'].sum())}; with {len(talk) - len(pays)} more it does not pay, "
        "but they are strategic, or not known not to be."
    )


def test_one_account_is_counted_as_one(site):
    given = replace(site, win_back=site.win_back.head(1))
    assert context(given)["sentence"].startswith("1 account had already been silent")


def test_where_no_account_has_lapsed_that_is_all_there_is_to_say(site):
    given = emptied(site, "win_back")
    found = context(given)
    assert found["sentence"] == "No account scored has lapsed."
    assert (found["findings"], found["decisions"], found["rows"]) == ([], [], [])
    html = page(given, "win_back.html")
    says_nothing_empty(html)
    assert "<table" not in html


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"approached": True},
            "Of 611 approaches to lapsed accounts at past cut-offs 138 were followed by an order (23%).",
        ),
        (
            {"approached": False},
            "No table says who was approached: of 611 lapsed accounts at past cut-offs 138 ordered again of themselves (23%).",
        ),
        ({"trials": 0, "ordered": 0, "own": None}, "This company’s own data say nothing of it yet."),
    ],
)
def test_the_chance_is_told_with_its_interval_the_documents_and_what_was_seen(site, values, told):
    chance, documents, own = context(decided(site, win_back={**site.decided["win_back"], **values}))["findings"]
    assert chance == "Chance that an approached account orders again: 23% (20% to 26%)."
    assert documents == "The documents say 40% of former accounts (004), counted as if seen on 10 accounts."
    assert own == told


@pytest.mark.parametrize(
    ("decision", "who", "told"),
    [
        (TALK, "sales director", "Talk to the decision-maker (sales director)"),
        (TALK, None, "Talk to the decision-maker"),
        (CLOSE, float("nan"), "Close the case: nobody’s fault, and not strategic"),
    ],
)
def test_who_decides_stands_behind_the_decision_where_it_is_known(decision, who, told):
    assert win_back.decided({"decision": decision, "who": who}) == told


def test_rows_stand_by_place_and_the_caption_counts_all_of_them(site, monkeypatch):
    monkeypatch.setattr(win_back, "MOST", 4)
    given = replace(site, win_back=site.win_back.iloc[::-1])
    found = context(given)
    assert [row["place"] for row in found["rows"]] == [1, 2, 3, 4]
    assert [row["id"] for row in found["rows"]] == site.win_back["account_id"].head(4).tolist()
    assert found["caption"] == f"4 of {len(site.win_back)} lapsed accounts."


def test_a_row_has_its_terms_and_its_reason_as_a_hypothesis_where_it_is_one(site):
    given = replace(changed(site, "win_back", "A000", reason="product"), hypotheses=("product",))
    row = context(given)["rows"][0]
    assert (row["id"], row["name"], row["reason"]) == ("A000", "Firm A000", "Hypothesis: Product no longer fits")
    known = given.win_back.iloc[0]
    assert [row[name] for name in ("chance", "value", "cost", "profit", "decision")] == [
        *known[["chance", "value", "cost", "profit", "decision"]]
    ]
    assert context(changed(site, "win_back", "A000", reason=None))["rows"][0]["reason"] == ""


def test_the_filter_offers_the_decisions_in_words(site):
    (choice,) = context(site)["filters"]
    assert choice["options"] == [(code, win_back.NAMES[code]) for code in sorted(DECISIONS)]
