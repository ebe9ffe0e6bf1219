"""When a row counts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import ibis
import pytest

from features.known import known_at
from features.tables import TABLES
from tests.features.worlds import arrow


def known_days(name: str, *rows: dict[str, Any], without: tuple[str, ...] = ()) -> list[date]:
    table = arrow(name, rows).drop_columns(list(without))
    return known_at(ibis.memtable(table), TABLES[name]).name("known").to_pyarrow().to_pylist()


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (None, date(2024, 2, 10)),
        (datetime(2024, 2, 9), date(2024, 2, 10)),  # entered beforehand: it had not happened yet
        (datetime(2024, 2, 10, 23), date(2024, 2, 10)),
        (datetime(2024, 2, 11, 0), date(2024, 2, 11)),
        (datetime(2024, 3, 20), date(2024, 3, 20)),
    ],
)
def test_a_row_counts_from_the_later_of_event_and_entry(recorded, expected):
    row = {"ordered_at": datetime(2024, 2, 10, 18), "recorded_at": recorded}
    assert known_days("orders", row) == [expected]


def test_a_row_counts_from_its_event_where_no_entries_are_kept():
    row = {"ordered_at": datetime(2024, 2, 10, 18)}
    assert known_days("orders", row, without=("recorded_at",)) == [date(2024, 2, 10)]


@pytest.mark.parametrize("without", [(), ("promised_on",)])
def test_a_row_without_its_event_counts_from_its_first_certain_date(without):
    rows = [
        {"due_on": date(2024, 4, 1), "paid_on": date(2024, 1, 1)},  # paid_on may be empty: it is not certain
        {"due_on": date(2024, 4, 1), "recorded_at": datetime(2024, 4, 2)},
    ]
    assert known_days("rebates", *rows, without=without) == [date(2024, 4, 1), date(2024, 4, 2)]


def test_a_row_without_any_certain_date_has_always_been_known_or_since_its_entry():
    rows = [
        {"account_id": "A", "closed_on": date(2024, 3, 15)},
        {"account_id": "B", "recorded_at": datetime(2024, 4, 2)},
    ]
    assert known_days("accounts", *rows) == [date(1900, 1, 1), date(2024, 4, 2)]
