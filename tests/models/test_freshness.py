"""Ages of tables by hand: rows count from the day they were known, and nothing after the as_of."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from features.engines import connect, open_tables
from models.freshness import COLUMNS, LEAST, ages
from tests.features.worlds import write

START = date(2024, 1, 1)


def order(day: date, recorded: datetime | None = None) -> dict:
    at = datetime.combine(day, datetime.min.time())
    return {"order_id": f"{day}", "account_id": "A", "ordered_at": at, "amount": 1.0, "recorded_at": recorded}


def found(folder, rows):
    write(folder, {"orders": rows, "complaints": []})
    return ages(open_tables(connect("1GB"), folder), date(2024, 6, 1))


def test_the_last_row_and_the_longest_gap(tmp_path):
    rows = [order(START + timedelta(days=3 * number)) for number in range(LEAST)]
    rows += [order(date(2024, 3, 1)), order(date(2024, 7, 1))]  # one that nobody knew yet
    told = found(tmp_path / "tables", rows)
    assert tuple(told.columns) == COLUMNS
    last, gap = date(2024, 3, 1), (date(2024, 3, 1) - (START + timedelta(days=33))).days
    assert told.to_numpy().tolist() == [["orders", last, (date(2024, 6, 1) - last).days, gap]]


def test_a_row_booked_late_is_fresh_when_it_was_booked(tmp_path):
    rows = [order(START + timedelta(days=number)) for number in range(LEAST)]
    rows.append(order(date(2024, 2, 1), datetime(2024, 5, 30)))
    assert found(tmp_path / "tables", rows)["days"].tolist() == [2]


def test_a_quiet_table_is_not_judged(tmp_path):
    assert found(tmp_path / "tables", [order(START), order(date(2024, 3, 1))]).empty
