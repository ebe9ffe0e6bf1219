"""Kinds of customer: one account a kind, the order of precedence, and kinds that the tables cannot show."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import ibis
import pandas as pd
import pytest

from features.periods import Duration
from features.purchases import by_period, over_all_time
from models.kinds import ACCOUNT_KINDS, Kinds, Rules, kinds
from tests.features.worlds import arrow, mutate_future, world

AS_OF = date(2024, 3, 15)
MONTH = Duration(1, "month")
RULES = Rules(habit=3, vip=0.05, adept=0.9, overdue_days=60, overdue_share=0.1)
QUARTERLY = (30, 120, 210, 300)


def orders(account: str, *days_ago: int, amount: float = 100.0) -> list[dict[str, Any]]:
    return [
        {
            "order_id": f"{account}-{ago}",
            "account_id": account,
            "ordered_at": datetime(2024, 3, 15) - timedelta(ago),
            "amount": amount,
            "is_return": False,
        }
        for ago in days_ago
    ]


def tables(**rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: ibis.memtable(arrow(name, content)) for name, content in rows.items()}


def told(found: dict[str, Any], rules: Rules = RULES) -> Kinds:
    bought, ever = by_period(found["orders"], MONTH, AS_OF, 12), over_all_time(found["orders"], AS_OF)
    return kinds(found, bought, ever, MONTH, AS_OF, rules)


def kind_of(found: Kinds) -> dict[str, str]:
    return dict(zip(found.accounts["account_id"], found.accounts["kind"], strict=True))


def owes(account: str, amount: float, days: int = 60) -> dict[str, Any]:
    row = {"invoice_id": f"I-{account}", "account_id": account, "issued_on": date(2023, 6, 1), "amount": amount}
    return {**row, "due_on": AS_OF - timedelta(days)}


def wallet(account: str, value: float) -> dict[str, Any]:
    row = {"signal_id": f"S-{account}", "account_id": account, "seen_on": date(2024, 1, 1), "kind": "wallet"}
    return {**row, "value": value}


BOOK = [
    *orders("big", *QUARTERLY, amount=9e5),
    *orders("loyal", *QUARTERLY),
    *orders("pausing", 30, 210, 300, 400),
    *orders("twice", 30, 60),
    *orders("gone", *range(370, 700, 30)),
    *orders("adept", 30, 60),
]


def test_one_kind_an_account():
    found = told(
        tables(
            orders=BOOK,
            accounts=[{"account_id": account} for account in ("loyal", "never")],
            competitor_signals=[wallet("adept", 0.9), wallet("twice", 0.89), wallet("gone", 1.0)],
            invoices=[owes("gone", 1.0, days=59)],
            prospects=[],
        )
    )
    assert kind_of(found) == {
        "adept": "adept",
        "big": "vip",
        "gone": "former",
        "loyal": "loyal",
        "never": "client",
        "pausing": "buyer",
        "twice": "buyer",
    }
    assert found.not_known == ()
    flags = found.accounts.set_index("account_id")
    assert flags["habit"].to_dict() == {
        **dict.fromkeys(("adept", "never", "twice"), False),
        **dict.fromkeys(("big", "gone", "loyal", "pausing"), True),
    }
    assert flags["loyal"].to_dict() == {name: name in ("big", "loyal") for name in flags.index}
    assert flags["adept"].dropna().to_dict() == {"adept": True, "twice": False, "gone": False}
    assert not flags["black_list"].any()
    assert flags.loc["gone", ["amount", "overdue", "long_overdue", "overdue_days"]].tolist() == [0.0, 1.0, 0.0, 59.0]


def test_precedence_goes_from_the_black_list_down():
    book = tables(orders=orders("A", *QUARTERLY), competitor_signals=[wallet("A", 1.0)], invoices=[owes("A", 40.0)])
    rules = {
        "black_list": RULES,
        "vip": Rules(3, 0.05, 0.9, 61, 0.1),
    }
    for kind, rule in rules.items():
        assert kind_of(told(book, rule)) == {"A": kind}
    assert told(book).accounts[["habit", "loyal", "adept", "vip", "black_list"]].all(axis=None)
    bigger = tables(
        orders=[*orders("A", *QUARTERLY), *orders("B", 1, amount=1e6)], competitor_signals=[wallet("A", 1.0)]
    )
    assert kind_of(told(bigger))["A"] == "adept"
    assert kind_of(told(bigger, Rules(3, 0.05, 1.0, 60, 0.1)))["A"] == "adept"
    poorer = bigger | tables(competitor_signals=[wallet("A", 0.5)])
    assert kind_of(told(poorer))["A"] == "loyal"
    assert kind_of(told(poorer, Rules(5, 0.05, 1.0, 60, 0.1)))["A"] == "buyer"


@pytest.mark.parametrize(("amount", "days", "black"), [(40.0, 60, True), (39.9, 60, False), (40.0, 59, False)])
def test_the_black_list_is_for_much_money_long_overdue(amount, days, black):
    found = told(tables(orders=orders("A", *QUARTERLY), invoices=[owes("A", amount, days)]))
    assert found.accounts["black_list"].tolist() == [black]


def test_who_owes_and_buys_nothing_is_on_the_black_list_whatever_the_amount():
    found = told(tables(orders=orders("A", 800), invoices=[owes("A", 0.01), owes("B", 0.01), owes("C", 0.0)]))
    assert kind_of(found) == {"A": "black_list", "B": "black_list", "C": "former"}


def test_the_third_purchase_makes_the_habit():
    for days, habit in (((30, 60), False), ((30, 60, 900), True)):
        assert told(tables(orders=orders("A", *days))).accounts["habit"].tolist() == [habit]


@pytest.mark.parametrize(("last", "loyal"), [(366, True), (367, False)])
def test_loyal_is_an_order_in_every_quarter_of_the_last_year(last, loyal):
    # the year before 2024-03-15 begins on 2023-03-15, 366 days ago
    assert told(tables(orders=orders("A", 30, 120, 210, last))).accounts["loyal"].tolist() == [loyal]


def test_accounts_of_equal_purchases_share_the_place_of_a_vip():
    book = [row for number in range(21) for row in orders(f"A{number:02}", 30, amount=500.0 if number < 3 else 1.0)]
    found = told(tables(orders=book))
    assert found.accounts.loc[found.accounts["vip"], "account_id"].tolist() == ["A00", "A01", "A02"]


def test_kinds_that_no_table_shows_do_not_exist_and_are_told():
    found = told(tables(orders=BOOK))
    assert found.not_known == ("black_list", "adept", "client", "newcomer")
    assert found.accounts[["adept", "black_list"]].isna().all(axis=None)
    assert found.accounts[["wallet", "overdue", "long_overdue", "overdue_days"]].isna().all(axis=None)
    assert set(found.accounts["kind"]) == {"vip", "loyal", "buyer", "former"}
    assert found.prospects.empty
    without_due = tables(orders=BOOK, invoices=[owes("big", 1e9)])
    without_due["invoices"] = without_due["invoices"].drop("due_on")
    assert "black_list" in told(without_due).not_known


def test_prospects_are_newcomers_or_clients_as_far_as_is_known():
    said = [("strong", None), ("weak", "unknown_to_them"), ("weak", "risk"), ("weak", None), (None, None)]
    rows = [
        {"prospect_id": f"X{place}", "recorded_at": datetime(2024, 3, 14), "intent": intent, "intent_why": why}
        for place, (intent, why) in enumerate(said)
    ]
    rows.append({"prospect_id": "X9", "recorded_at": datetime(2024, 3, 15), "intent": "strong"})
    found = told(tables(orders=BOOK, prospects=rows))
    assert found.prospects["prospect_id"].tolist() == [f"X{place}" for place in range(5)]
    assert found.prospects["kind"].fillna("").tolist() == ["client", "newcomer", "client", "", ""]
    assert found.not_known == ("black_list", "adept")
    lacking = tables(orders=BOOK, prospects=rows)
    lacking["prospects"] = lacking["prospects"].drop("intent_why")
    assert told(lacking).not_known == ("black_list", "adept", "newcomer")
    assert set(told(lacking).prospects["kind"].dropna()) == {"client"}


@pytest.mark.parametrize("seed", range(2))
def test_what_becomes_known_later_changes_nothing(seed):
    before = world(seed)
    after = mutate_future(before, AS_OF, seed)
    first, second = (told(tables(**rows)) for rows in (before, after))
    pd.testing.assert_frame_equal(first.accounts, second.accounts)
    pd.testing.assert_frame_equal(first.prospects, second.prospects)
    assert set(first.accounts["kind"]) <= set(ACCOUNT_KINDS)
    assert first.accounts["account_id"].is_unique
