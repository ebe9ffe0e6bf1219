"""The page of managers: the table, what became of such accounts, and the lists for the day one resigns."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from readers import Reader, euros, table
from sites import changed, decided, emptied, links_of, page

from reports import managers


def context(site):
    return managers.context(site, links_of(site))["managers"]


def test_the_table_keeps_the_order_of_the_managers_with_what_is_known_of_each(site):
    first, second = context(site)["rows"]
    assert {name: first[name] for name in ("id", "name", "level", "since", "since_iso", "anchor")} == {
        **{"id": "M1", "name": "Ion Chen", "level": "senior"},
        **{"since": "2 April 2020", "since_iso": "2020-04-02", "anchor": "manager-0"},
    }
    assert {name: second[name] for name in ("id", "name", "level", "since", "since_iso", "anchor")} == {
        **{"id": "M2", "name": None, "level": None, "since": None, "since_iso": "", "anchor": "manager-1"},
    }
    for row, known in zip((first, second), site.managers.to_dict("records"), strict=True):
        assert (row["accounts"], row["money"]) == (known["accounts"], known["expected_loss"])
        assert (row["money_if_left"], row["difference"]) == (known["expected_loss_if_left"], known["extra"])


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (2, "2 managers look after active accounts. If Ion Chen left,"),
        (1, "1 manager looks after active accounts. If Ion Chen left,"),
    ],
)
def test_the_sentence_names_who_would_leave_the_most_at_risk(site, most, told):
    given = replace(site, managers=site.managers.head(most))
    sentence = " ".join(context(given)["sentence"].split())
    assert sentence == f"{told} {euros(site.managers['extra'].max())} more would be at risk, the most for any of them."


def test_who_has_no_name_is_told_by_id(site):
    given = replace(site, managers=site.managers.tail(1).reset_index(drop=True))
    assert "If M2 left" in context(given)["sentence"]
    assert context(given)["lists"][0]["name"] == "M2"
    assert context(site)["lists"][0]["name"] == "Ion Chen (M1)"


@pytest.mark.parametrize("lacking", ["assignments", "model", None])
def test_without_managers_there_is_no_table_and_no_list(site, lacking):
    given = emptied(site, "managers", "leavers")
    given = decided(given, leavers={"lacking": lacking, "unattended": 0, "experience": []})
    found = context(given)
    assert (found["rows"], found["experience"], found["lists"]) == ([], [], [])
    html = page(given, "managers.html")
    assert found["sentence"] in Reader(html).text
    assert "<table" not in html


def test_what_became_of_accounts_is_told_by_how_long_ago_their_manager_left(site):
    assert context(site)["experience"] == [
        {"name": "0 to 31 days ago", "accounts": 397, "lost": 0.105, "interval": "7.9% to 13%"},
        {"name": "31 to 92 days ago", "accounts": 4, "lost": None, "interval": None},
        {"name": "no manager left within a year", "accounts": 900, "lost": 0.09, "interval": "8.0% to 10%"},
    ]
    shown = table(page(site, "managers.html"), "Table of accounts whose manager had left")
    assert [cell.text for cell in shown[2]] == ["31 to 92 days ago", "4", "–"]


def test_a_list_has_the_active_accounts_of_its_manager_alone_by_what_comes_on_top(site):
    lapsed = site.leavers.loc[site.leavers["lapsed"].astype(bool), "account_id"].iloc[0]
    given = changed(site, "leavers", lapsed, extra=1e9)
    active = given.leavers[~given.leavers["lapsed"].astype(bool)]
    for mine, manager in zip(context(given)["lists"], ("M1", "M2"), strict=True):
        of = active[active["manager_id"] == manager].sort_values(["extra", "account_id"], ascending=[False, True])
        assert [row["id"] for row in mine["rows"]] == of["account_id"].head(managers.ACCOUNTS).tolist()
        assert mine["caption"] == f"{managers.ACCOUNTS} of {len(of)} accounts."
        for name in ("risk", "risk_if_left", "expected_loss", "expected_loss_if_left"):
            assert [row[name] for row in mine["rows"]] == of[name].head(managers.ACCOUNTS).tolist()


def test_equal_accounts_stand_by_their_ids(site):
    given = replace(site, leavers=site.leavers.assign(extra=1.0).iloc[::-1])
    for mine in context(given)["lists"]:
        ids = [row["id"] for row in mine["rows"]]
        assert ids == sorted(ids)


def test_a_manager_beyond_the_lists_has_a_row_that_leads_nowhere(site, monkeypatch):
    monkeypatch.setattr(managers, "LISTS", 1)
    found = context(site)
    assert [row["anchor"] for row in found["rows"]] == ["manager-0", None]
    assert [mine["anchor"] for mine in found["lists"]] == ["manager-0"]
    first, second = table(page(site, "managers.html"), "Table of managers")[1:]
    assert (first[0].links, second[0].links) == (["#manager-0"], [])


def test_a_day_of_hiring_is_a_day_of_the_calendar(site):
    given = replace(site, managers=site.managers.assign(hired_on=date(2019, 2, 28)))
    assert {row["since"] for row in context(given)["rows"]} == {"28 February 2019"}
