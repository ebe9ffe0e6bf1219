"""The page of prospects: how many of each class, why intent is low, and whom to check."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from readers import Reader, says_nothing_empty, table
from sites import decided, emptied, links_of, page

from models.prospects import CLASSES, playbook
from reports import prospects


def context(site):
    return prospects.context(site, links_of(site))["prospects"]


def without_table(site):
    return decided(emptied(site, "prospects"), prospects={"high": None, "lacking": "prospects"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_table, "There is no table prospects, so nothing is told of who is not yet a customer."),
        (lambda site: emptied(site, "prospects"), "The table prospects has no rows at this date."),
    ],
)
def test_without_prospects_the_page_says_why_and_nothing_else(site, change, told):
    given = change(site)
    found = context(given)
    assert found["sentence"] == told
    assert (found["classes"], found["causes"], found["rows"]) == ([], [], [])
    html = page(given, "prospects.html")
    says_nothing_empty(html)
    assert told in Reader(html).text
    assert "<table" not in html


def test_the_sentence_counts_those_drawn_to_be_checked(site):
    assert context(site)["sentence"].startswith("12 prospects. Third-party data are unreliable: 3 are drawn")
    given = replace(site, prospects=site.prospects.head(1))
    assert context(given)["sentence"].startswith("1 prospect. Third-party data are unreliable: 0 are drawn")


def test_classes_are_counted_with_those_from_third_parties_and_without_a_class(site):
    found = context(site)["classes"]
    assert {row["name"]: (row["prospects"], row["third_party"]) for row in found} == {
        **dict.fromkeys(CLASSES, (0, 0)),
        **{"PI": (3, 0), "PIII": (3, 3), "PIV": (3, 0), "no class": (3, 0)},
    }
    assert [row["name"] for row in found] == [*CLASSES, "no class"]
    texts = {entry.code: entry.text for entry in playbook().classes}
    assert [row["strategy"] for row in found] == [*(texts[code] for code in CLASSES), "Too little is known of them."]


@pytest.mark.parametrize(
    ("high", "told"),
    [(3.25, "an expected contribution is high from 3.25."), (None, "no two scores differ.")],
)
def test_the_definition_says_from_where_a_contribution_is_high(site, high, told):
    assert context(decided(site, prospects={"high": high, "lacking": None}))["definition"].endswith(told)


def test_every_cause_of_low_intent_is_told_with_what_is_done_about_it(site):
    entries = playbook().intents
    assert {entry.code for entry in entries} == set(prospects.CAUSES)
    assert context(site)["causes"] == [(prospects.CAUSES[entry.code], entry.text) for entry in entries]


@pytest.mark.parametrize(
    ("place", "intent", "why", "source"),
    [
        (0, "strong", "", "searching records"),
        (1, "weak", "it fears the risk", "a third party’s data"),
        (2, "", "intent not known", ""),
        (3, "weak", "it fears the cost of switching", "a referral"),
    ],
)
def test_a_row_tells_intent_and_why_or_what_lacks(site, place, intent, why, source):
    row = context(site)["rows"][place]
    assert (row["intent"], row["why"], row["source"]) == (intent, why, source)


def test_a_cause_stands_before_what_lacks(site):
    given = replace(site, prospects=site.prospects.head(1).assign(intent_why="risk", lacking="criteria"))
    assert context(given)["rows"][0]["why"] == "it fears the risk"
    given = replace(given, prospects=given.prospects.assign(intent_why=pd.Series([None], dtype="str")))
    assert context(given)["rows"][0]["why"] == "too little judged"


def test_those_of_the_sample_are_marked_and_no_others(site):
    marked = ["X01", "X09"]  # not X05, though it comes from a third party too
    given = replace(site, prospects=site.prospects.assign(sample=site.prospects["prospect_id"].isin(marked)))
    assert [row["id"] for row in context(given)["rows"] if row["check"]] == marked
    shown = table(page(given, "prospects.html"), "Table of prospects")
    assert [row[0].text.split()[0] for row in shown[1:] if row[-1].text == "check it"] == marked
    assert {row[-1].text for row in shown[1:]} == {"check it", ""}


def test_the_caption_counts_all_and_the_table_ends_where_the_page_would_be_too_long(site, monkeypatch):
    monkeypatch.setattr(prospects, "MOST", 5)
    found = context(site)
    assert [row["id"] for row in found["rows"]] == site.prospects["prospect_id"].head(5).tolist()
    assert found["caption"] == "5 of 12 prospects, by class and score."
    assert sum(row["prospects"] for row in found["classes"]) == 12


def test_filters_offer_classes_and_regions(site):
    kinds, regions = context(site)["filters"]
    assert [value for value, _ in kinds["options"]] == ["PI", "PIII", "PIV"]
    assert [value for value, _ in regions["options"]] == ["North", "West"]


def test_every_code_that_the_contract_allows_has_words():
    assert set(prospects.INTENTS) == {"strong", "weak"}
    assert set(prospects.LACKING) == {"criteria", "intent"}
