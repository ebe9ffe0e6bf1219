"""Money by account from the contract tables: half-open years, own months of new accounts, and nothing of the future."""

from __future__ import annotations

from datetime import date, datetime

import ibis
import pandas as pd
import pytest

from features.engines import connect, open_tables
from models.money_tables import contacts_of_a_year, earned_by_month, has_margin, prospects_who_ordered, purchases
from tests.features.worlds import mutate_future, world, write

AS_OF = date(2024, 3, 15)


def order(account, day, amount=10.0, margin=None, is_return=False, recorded=None):
    return {
        "order_id": f"{account}{day}{amount}",
        "account_id": account,
        "ordered_at": datetime(day.year, day.month, day.day, 9),
        "product_id": "P1",
        "amount": amount,
        "margin": margin,
        "is_return": is_return,
        "recorded_at": recorded,
    }


def opened(folder, tables):
    write(folder, tables)
    return open_tables(connect("1GB"), folder)


def test_purchases_of_a_year(tmp_path):
    rows = [
        order("A", date(2023, 3, 15), 100.0, 20.0),  # the first day of the year
        order("A", date(2023, 3, 14), 7.0, 7.0),
        order("A", date(2024, 3, 14), 50.0),  # the last, of unknown margin
        order("A", date(2024, 3, 15), 9.0),
        order("B", date(2024, 1, 1), -5.0, -1.0, is_return=True),
        order("C", date(2024, 1, 1), recorded=datetime(2024, 3, 15)),
    ]
    told = purchases(opened(tmp_path / "all", {"orders": rows}), AS_OF)
    assert told.to_dict("list") == {
        "account_id": ["A", "B"],
        "amount": [150.0, -5.0],
        "margin": [20.0, -1.0],
        "with_margin": [100.0, -5.0],
    }
    bare = {"orders": opened(tmp_path / "bare", {"orders": rows})["orders"].drop("margin")}
    assert "margin" not in purchases(bare, AS_OF)


def test_contacts_of_a_year_are_ours(tmp_path):
    rows = [
        {"contact_id": f"C{n}", "account_id": "A", "contacted_at": at, "kind": "call", "inbound": inbound}
        for n, (at, inbound) in enumerate(
            [
                (datetime(2023, 3, 15), False),
                (datetime(2023, 3, 14, 23), False),
                (datetime(2024, 3, 14, 23), None),
                (datetime(2024, 3, 15), False),
                (datetime(2024, 1, 1), True),
            ]
        )
    ]
    tables = opened(tmp_path / "all", {"orders": [order("A", AS_OF)], "contacts": rows})
    assert contacts_of_a_year(tables, AS_OF).to_dict() == {"A": 2.0}
    assert contacts_of_a_year({"orders": tables["orders"]}, AS_OF) is None


def test_prospects_who_ordered_are_found_by_id_only(tmp_path):
    people = [{"prospect_id": name, "recorded_at": datetime(2022, 6, 1)} for name in ("A", "B", "C")] + [
        {"prospect_id": "D", "recorded_at": datetime(2023, 6, 1)}
    ]
    orders = [order("A", date(2023, 5, 31)), order("B", date(2023, 6, 1)), order("D", date(2023, 7, 1))]
    tables = opened(tmp_path / "all", {"orders": orders, "prospects": people})
    assert prospects_who_ordered(tables, AS_OF).tolist() == [1.0, 0.0, 0.0]
    other = opened(tmp_path / "other", {"orders": [order("X", AS_OF)], "prospects": people})
    assert prospects_who_ordered(other, AS_OF) is None
    assert prospects_who_ordered({"orders": other["orders"]}, AS_OF) is None
    undated = {**tables, "prospects": tables["prospects"].drop("recorded_at")}
    assert prospects_who_ordered(undated, AS_OF) is None
    some = [
        {**person, "recorded_at": person["recorded_at"] if number < 2 else None} for number, person in enumerate(people)
    ]
    told = opened(tmp_path / "some", {"orders": orders, "prospects": some})
    assert prospects_who_ordered(told, AS_OF).tolist() == [1.0, 0.0]


def test_what_new_accounts_earned_month_by_month(tmp_path):
    rows = [
        order("old", date(2020, 1, 1), 1.0),
        order("A", date(2021, 2, 1), 100.0, 30.0),
        order("A", date(2021, 3, 2), 100.0, 20.0),  # 29 days on: still the first month
        order("A", date(2021, 3, 4), 100.0, 5.0),
        order("late", date(2023, 3, 16), 100.0, 30.0),  # not followed for a year yet
    ]
    tables = opened(tmp_path / "all", {"orders": rows})
    assert earned_by_month(tables, AS_OF, 12, 0.25).loc["A"].tolist() == [50.0, 5.0, *[0.0] * 10]
    assert earned_by_month(tables, AS_OF, 12, 0.25).index.tolist() == ["A"]
    bare = {"orders": tables["orders"].drop("margin")}
    assert earned_by_month(bare, AS_OF, 12, 0.25).loc["A"].tolist()[:2] == [50.0, 25.0]
    empty = {"orders": tables["orders"].mutate(margin=ibis.null("decimal(18, 4)"))}
    assert not has_margin(empty)
    assert earned_by_month(empty, AS_OF, 12, 0.25).loc["A"].tolist()[:2] == [50.0, 25.0]
    assert earned_by_month(tables, date(2021, 1, 1), 12, 0.25) is None
    assert earned_by_month(tables, date(2019, 1, 1), 12, 0.25) is None


@pytest.mark.parametrize("seed", range(2))
def test_the_future_changes_nothing(tmp_path, seed):
    tables = world(seed)
    for number, row in enumerate(tables["prospects"]):
        row["prospect_id"] = f"A{number % 6}-{number}" if number > 5 else f"A{number}"
    now = opened(tmp_path / "now", tables)
    later = opened(tmp_path / "later", mutate_future(tables, AS_OF, seed + 3))
    pd.testing.assert_frame_equal(purchases(now, AS_OF), purchases(later, AS_OF))
    pd.testing.assert_series_equal(contacts_of_a_year(now, AS_OF), contacts_of_a_year(later, AS_OF))
    first, second = (earned_by_month(source, AS_OF, 2, 0.25) for source in (now, later))
    assert (first is None) == (second is None)
    if first is not None:
        pd.testing.assert_frame_equal(first, second)
