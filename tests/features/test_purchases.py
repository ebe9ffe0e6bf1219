"""Purchases by period and over all time: the edges, what is known later, and a slow oracle."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigurationError
from features.periods import Duration
from features.purchases import by_period, over_all_time
from tests.features.worlds import MONTH, arrow, known, mutate_future, world

AS_OF = date(2024, 3, 15)
EDGES = [MONTH.before(AS_OF, step) for step in range(14)]
WEEK = Duration(7, "day")


def table(rows: list[dict[str, Any]], without: tuple[str, ...] = ()) -> Any:
    return ibis.memtable(arrow("orders", rows).drop_columns(list(without)))


def order(day: date, amount: float, number: str = "O1", **other: Any) -> dict[str, Any]:
    row = {
        "order_id": number,
        "account_id": "A",
        "ordered_at": datetime(day.year, day.month, day.day),
        "amount": amount,
    }
    return {**row, "is_return": False, **other}


def slow_by_period(rows: list[dict[str, Any]], period: Duration, as_of: date, periods: int) -> pd.DataFrame:
    result = []
    for account in sorted({row["account_id"] for row in rows}):
        for ago in range(1, periods + 1):
            low, high = period.before(as_of, ago), period.before(as_of, ago - 1)
            inside = [r for r in rows if r["account_id"] == account and low <= r["ordered_at"].date() < high]
            bought = [row for row in inside if not row["is_return"]]
            single = (
                pd.Series([r["amount"] for r in bought], dtype=float).groupby([r["order_id"] for r in bought]).sum()
            )
            if inside:
                result.append(
                    {
                        "account_id": account,
                        "periods_ago": ago,
                        "amount": sum(row["amount"] or 0 for row in inside),
                        "bought": sum(row["amount"] for row in bought),
                        "order_days": len({row["ordered_at"].date() for row in bought}),
                        "orders": len(single),
                        "largest": single.max() if len(single) else np.nan,
                        "squared": float((single**2).sum()),
                    }
                )
    return pd.DataFrame(result)


@pytest.mark.parametrize("edges", [(), EDGES], ids=["any day", "days on the edges"])
@pytest.mark.parametrize("period", [MONTH, WEEK], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_purchases_are_those_of_a_slow_count_of_what_was_known(seed, period, edges):
    tables = world(seed, edges)
    for row in tables["orders"]:
        row["amount"] = row["amount"] or 0.0
    rows = known(tables, AS_OF)["orders"]
    expected = slow_by_period(rows, period, AS_OF, 12)
    assert len(expected) > 5
    pd.testing.assert_frame_equal(by_period(table(tables["orders"]), period, AS_OF, 12), expected, check_dtype=False)
    ever = over_all_time(table(tables["orders"]), AS_OF).set_index("account_id")
    for account, found in ever.iterrows():
        days = {r["ordered_at"].date() for r in rows if r["account_id"] == account and not r["is_return"]}
        assert tuple(found) == (min(days), max(days), len(days))
    assert set(ever.index) == {row["account_id"] for row in rows if not row["is_return"]}


@pytest.mark.parametrize("seed", range(4))
def test_what_becomes_known_later_changes_nothing(seed):
    tables = world(seed, EDGES if seed % 2 else ())
    other = mutate_future(tables, AS_OF, seed)
    assert other["orders"] != tables["orders"]
    for function in (lambda t: by_period(t, MONTH, AS_OF, 24), lambda t: over_all_time(t, AS_OF)):
        pd.testing.assert_frame_equal(function(table(tables["orders"])), function(table(other["orders"])))


def test_windows_are_half_open():
    days = [date(2023, 12, 14), date(2023, 12, 15), date(2024, 2, 14), date(2024, 2, 15), date(2024, 3, 14), AS_OF]
    rows = [order(day, 10.0**place, f"O{place}") for place, day in enumerate(days)]
    frame = by_period(table(rows), MONTH, AS_OF, 3)
    assert dict(zip(frame["periods_ago"], frame["amount"], strict=True)) == {1: 11000.0, 2: 100.0, 3: 10.0}
    ever = over_all_time(table(rows), AS_OF)
    assert ever.iloc[0].tolist() == ["A", days[0], days[4], 5]


def test_an_order_counts_once_it_is_booked():
    booked = datetime(2024, 3, 15)
    rows = [order(date(2024, 3, 1), 5.0, "O1", recorded_at=booked - timedelta(seconds=1))]
    rows.append(order(date(2024, 3, 2), 7.0, "O2", recorded_at=booked))
    assert by_period(table(rows), MONTH, AS_OF, 1)["amount"].tolist() == [5.0]
    assert over_all_time(table(rows), AS_OF)["order_days"].tolist() == [1]
    later = by_period(table(rows), MONTH, AS_OF + timedelta(1), 1)
    assert later["amount"].tolist() == [12.0]


def test_orders_count_from_their_day_where_no_entries_are_kept():
    rows = [order(date(2024, 3, 14), 5.0), order(AS_OF, 7.0, "O2")]
    assert by_period(table(rows, without=("recorded_at",)), MONTH, AS_OF, 2)["amount"].tolist() == [5.0]


def test_lines_of_one_order_are_one_order_and_a_return_is_none():
    day = date(2024, 3, 1)
    rows = [
        order(day, 40.0, product_id="P1"),
        order(day, 20.5, product_id="P2"),
        order(day, 30.0, "O2"),
        order(day, -50.0, "O3", is_return=True),
        order(date(2024, 2, 1), -4.0, "O4", is_return=True),
    ]
    frame = by_period(table(rows), MONTH, AS_OF, 2)
    assert frame.iloc[0].tolist() == ["A", 1, 40.5, 90.5, 1, 2, 60.5, 60.5**2 + 900]
    assert frame.iloc[1, :6].tolist() == ["A", 2, -4.0, 0.0, 0, 0]
    assert np.isnan(frame["largest"].iloc[1])


def test_amounts_are_added_as_decimals():
    rows = [order(date(2024, 3, 1), amount, f"O{place}") for place, amount in enumerate([1e13, 0.1, 0.2, -1e13])]
    assert by_period(table(rows), MONTH, AS_OF, 1)["amount"].tolist() == [0.3]


def test_a_month_that_lacks_the_day_ends_on_its_last():
    rows = [
        order(date(2024, 2, 28), 1.0, "O1"),
        order(date(2024, 2, 29), 2.0, "O2"),
        order(date(2024, 3, 30), 4.0, "O3"),
    ]
    frame = by_period(table(rows), MONTH, date(2024, 3, 31), 2)
    assert frame["amount"].tolist() == [6.0, 1.0]


def test_no_periods_are_refused():
    with pytest.raises(ConfigurationError, match="Purchases of 0 periods"):
        by_period(table([order(AS_OF, 1.0)]), MONTH, AS_OF, 0)
