"""The page of one account: who it is, what to do, why, and how accounts that once stood like it ended."""

from __future__ import annotations

import pytest
from readers import words
from sites import account_page, changed, decided, links_of, with_row

from reports import account


def context(given, account_id: str = "A001"):
    links = links_of(given)
    file = links.page(account_id)
    return next(found["account"] for name, found in account.contexts(given, links) if name == file)


def facts(given, account_id: str = "A001") -> dict[str, str]:
    return dict(context(given, account_id)["facts"])


def test_there_is_a_page_for_each_account_that_has_one_riskiest_first(site):
    links = links_of(site)
    files = [file for file, _ in account.contexts(site, links)]
    ordered = site.scores[site.scores["account_id"].isin(links.paged)].sort_values("rank")["account_id"]
    assert files == [links.page(name) for name in ordered]


def test_reasons_stand_in_their_order_each_with_its_own_sentences(site):
    given = with_row(site, naming="named", reason_1="product", reason_2="staff_turnover", reason_3=None)
    found = context(given)["reasons"]
    assert [row["code"] for row in found] == ["product", "staff_turnover"]
    assert all(row["sentences"] and all(row["code"] in line for line in row["sentences"]) for row in found)


def test_a_class_that_moved_says_from_where_and_none_says_so(site):
    moved = changed(changed(site, "accounts", "A001", class_before="EI"), "accounts", "A001", **{"class": "EII"})
    assert facts(moved)["Class"] == "EII: turn around; it was EI"
    assert facts(changed(moved, "accounts", "A001", class_before="EII"))["Class"] == "EII: turn around"
    assert facts(changed(site, "accounts", "A001", **{"class": None}))["Class"].startswith("none: too new")


@pytest.mark.parametrize(
    ("values", "told", "done"),
    [
        ({"decision": "do", "why": "pays", "place": 3}, "On the worklist, place 3 of its manager’s or region’s.", True),
        ({"decision": "no_capacity", "why": "manager_full"}, "there is no time for it", False),
        ({"decision": "not_worth", "why": "let_go"}, "of the class EIV", False),
    ],
)
def test_the_step_says_first_whether_it_is_to_be_taken(site, values, told, done):
    given = changed(site, "worklist", "A001", **values)
    step = context(given)["step"]
    assert told in step["decision"]
    assert step["do"] is done
    assert ("should it be seen all the same" in words(account_page(given))) is not done


def test_horizons_are_the_columns_of_silence_in_the_unit_of_the_periods(site):
    given = with_row(site, silent_1=0.5, silent_2=0.4)
    assert context(given)["horizons"][:2] == [("1 month", 0.5), ("2 months", 0.4)]
    assert context(decided(given, period="30 days"))["horizons"][1] == ("60 days", 0.4)


def test_similar_accounts_say_how_they_ended_and_lead_to_pages_that_exist(site):
    found = context(site)["similar"]
    mine = site.similar[site.similar["account_id"] == "A001"]
    assert [row["id"] for row in found] == mine["similar_account"].tolist()
    assert [row["lost"] for row in found] == mine["lost"].tolist()
    links = links_of(site)
    assert [row["page"] for row in found] == [links.page(row["id"]) for row in found]
