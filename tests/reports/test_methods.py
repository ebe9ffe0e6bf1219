"""The page of methods: whom to contact, what it earned, what is assumed, and how Holdfast stands to the baselines."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from frames import ECONOMICS
from readers import Reader, euros, says_nothing_empty, table, words
from sites import page

from models.metrics import METRICS

CONTACTS = "Table of the accounts most worth contacting"
RANKINGS = "Table of rankings by profit"


@pytest.fixture(scope="module")
def html(pages):
    return pages["methods.html"]


def test_the_list_of_contacts_holds_those_that_are_expected_to_pay_most_first(site, html):
    active = site.scores[~site.scores["lapsed"]]
    worth = active[active["contact_profit"] > 0].sort_values("contact_profit", ascending=False)
    assert 10 < len(worth) < len(active)
    assert f"Contacting {len(worth)} of the {len(active)} active accounts is expected to earn more" in Reader(html).text
    rows = table(html, CONTACTS)[1:]
    assert [row[0].text.split()[0] for row in rows] == worth["account_id"].head(10).tolist()
    shown = [[cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row[2:]] for row in rows]
    assert shown == [[euros(row.expected_loss), euros(row.contact_profit)] for row in worth.head(10).itertuples()]
    assert f"10 of {len(worth)}, by expected profit" in html


def test_where_no_contact_pays_the_page_says_so(site):
    without = page(replace(site, scores=site.scores.assign(contact_profit=-1.0)), "methods.html")
    assert "No active account is expected to earn more than a contact costs." in without
    assert CONTACTS not in without


def test_three_rankings_are_set_side_by_side_with_their_differences(site, html):
    found = site.metrics["money"]["active"]
    rows = {row[0].text: words(row[3].text).replace("\N{NO-BREAK SPACE}", " ") for row in table(html, RANKINGS)[1:]}
    for name, told in (("contact_profit", "By expected profit of contacting"), ("risk", "By risk")):
        assert rows[told].startswith(euros(found["rankings"][name]["profit"]["value"]))
    assert len(rows) == 3
    less = " ".join(row[4].text for row in table(html, RANKINGS)[1:]).replace("\N{NO-BREAK SPACE}", " ")
    assert euros(found["paired"]["value"]["value"]) in less
    assert RANKINGS not in page(replace(site, metrics={**site.metrics, "money": {}}), "methods.html")


def test_what_is_assumed_of_money_is_listed_with_what_it_rests_on(site, html):
    text = Reader(html).text
    assert "Margin 25% of purchases An assumption; the documents give no figure." in text
    assert "40% of former accounts order again (004)" in text
    assert "Incentive none" in text
    dear = replace(site, economics=replace(ECONOMICS, contact_cost=40.0, incentive=5.0, incentive_share=0.1))
    told = Reader(page(dear, "methods.html")).text
    assert "Incentive EUR 5 and 10% of its yearly margin" in told
    assert "Given in params.yaml." in told


def test_terms_are_explained_in_the_horizon_of_the_scoring(site, html):
    assert "of no order within 3 months" in Reader(html).text
    text = Reader(page(replace(site, horizon="90 days"), "methods.html")).text
    assert "of no order within 90 days" in text
    assert "3 months" not in text


def test_each_difference_is_said_to_lie_above_below_or_around_zero(site):
    cells = {
        "auc": {"value": 0.02, "low": 0.01, "high": 0.03},
        "average_precision": {"value": 0.02, "low": -0.01, "high": 0.03},
        "brier": {"value": -0.02, "low": -0.03, "high": -0.01},
    }

    def told(**changed: dict[str, float]) -> str:
        paired = {"all": {"recency": {"mean": {**cells, **changed}}}, "active": {}}
        return Reader(page(replace(site, metrics={**site.metrics, "paired": paired}), "methods.html")).text

    assert (
        "Against Recency. AUC: the interval lies above zero, Holdfast is better; Average precision: the interval holds "
        "zero, so no difference is shown; Brier: the interval lies below zero, Holdfast is better."
    ) in told()
    worse = told(auc={"value": -0.02, "low": -0.03, "high": -0.01})
    assert "AUC: the interval lies below zero, Holdfast is worse" in worse


def emptied(metrics):
    """The same dictionary with null for every number that is measured."""
    if isinstance(metrics, dict):
        return {key: value if key in ("n", "losses") else emptied(value) for key, value in metrics.items()}
    return None


def test_metrics_that_are_null_are_a_dash(site):
    evaluated = {name: site.metrics[name] for name in ("population", "paired")}
    html = page(replace(site, metrics=emptied(evaluated)), "methods.html")
    says_nothing_empty(html)
    quality = html[html.index("quality-heading") :]
    assert len(re.findall(r'<td class="n[^"]*">–\s*</td>', quality)) == 2 * (4 * len(METRICS) + 3 * 3)
    assert "AUC: not known" in quality


def test_without_an_evaluation_the_page_says_so(site):
    html = page(replace(site, metrics={}, live={}, predictions=site.predictions.head(0)), "methods.html")
    says_nothing_empty(html)
    assert html.count("No evaluation is at hand") == 2
