"""The page of methods: the accounts most worth contacting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sites import links_of

from reports import methods


def contacts(site):
    return methods._contacts(site, links_of(site))


def test_contacts_are_the_active_accounts_that_earn_most_and_none_that_cost(site):
    worth = site.active[site.active["contact_profit"] > 0].sort_values("contact_profit", ascending=False)
    found = contacts(site)
    assert methods.CONTACTS < len(worth) == found["number"] < len(site.active)
    assert [row["id"] for row in found["rows"]] == worth["account_id"].head(methods.CONTACTS).tolist()


@pytest.mark.parametrize(("profit", "number"), [(0.0, 0), (-1.0, 0), (1.0, 45)])
def test_a_contact_that_earns_nothing_is_not_one_and_equal_ones_stand_by_rank(site, profit, number):
    scores = site.scores.iloc[::-1].assign(contact_profit=profit)
    found = contacts(replace(site, scores=scores))
    assert found["number"] == number
    ranks = [row["rank"] for row in found["rows"]]
    assert ranks == sorted(ranks)
    assert len(ranks) == min(number, methods.CONTACTS)
