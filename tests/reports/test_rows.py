"""Rows of accounts as several tables show them: who, how sure, why, and the filters above."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from sites import links_of

from reports import rows

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("naming", "one", "other", "told"),
    [
        ("named", "product", "natural_end", "Hypothesis: Product no longer fits"),
        ("named", "natural_end", "product", "Natural end"),
        ("candidates", "natural_end", "product", "Natural end or Hypothesis: Product no longer fits"),
        ("candidates", "natural_end", None, "Natural end"),
        ("untried", "natural_end", "product", "Natural end (a guess)"),
        ("none", "unexplained", None, "No documented reason stands out"),
        ("none", None, None, ""),
        (NAN, "product", None, ""),
    ],
)
def test_the_reason_told_first_is_a_hypothesis_where_it_is_seen_only_from_afar(site, naming, one, other, told):
    given = replace(site, hypotheses=("product",))
    assert rows.first_reason(given, {"naming": naming, "reason_1": one, "reason_2": other}) == told


@pytest.mark.parametrize(("low", "high"), [(0.1, NAN), (NAN, NAN), (-INF, 0.5), (0.1, INF)])
def test_an_interval_with_an_end_that_is_not_finite_is_none(low, high):
    assert rows.interval(low, high) is None


def test_a_filter_offers_each_value_once_in_order_and_in_words_where_there_are_some():
    given = [
        {"class": "EII", "region": "South"},
        {"class": None, "region": "North"},
        {"class": "EI", "region": ""},
        {"class": "EII", "region": "South"},
    ]
    first, second = rows.filters(given, (1, "Class", "class"), (4, "Region", "region"), words={"EI": "the best"})
    assert first == {"column": 1, "name": "Class", "options": [("EI", "the best"), ("EII", "EII")]}
    assert second == {"column": 4, "name": "Region", "options": [("North", "North"), ("South", "South")]}
    assert rows.filters([], (1, "Class", "class"))[0]["options"] == []


@pytest.mark.parametrize(("risk", "width"), [(0.1234, "12.3"), (1.2, "100.0"), (-0.1, "0.0"), (NAN, "0")])
def test_the_bar_of_a_risk_stays_within_its_cell(site, risk, width):
    scores = site.scores.head(1).assign(risk=risk)
    assert rows.accounts(site, links_of(site), scores)[0]["width"] == width


def test_rows_keep_the_order_of_the_scores_and_what_is_known_of_each(site):
    scores = site.scores.iloc[[4, 2, 1]]
    found = rows.accounts(site, links_of(site), scores)
    assert [row["id"] for row in found] == ["A004", "A002", "A001"]
    assert [row["name"] for row in found] == ["Firm A004", None, "Firm A001"]
    assert [row["class"] for row in found] == [None, "EIII", "EII"]
    assert [row["rank"] for row in found] == [5, 3, 2]


def test_nothing_is_known_of_an_account_that_was_not_scored(site):
    scored, unknown = rows.known(site, pd.Series(["A001", "Z9"]))
    assert scored["name"] == "Firm A001"
    assert unknown == {}
    assert rows.identity(links_of(site), "Z9", unknown) == {"id": "Z9", "name": None, "page": None}
