"""Small worlds of random rows in all contract tables, drawn from their declarations, and what of them was known when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.fold import connect, open_tables
from features.matrix import Plan, build
from features.periods import Duration, Label
from features.tables import TABLES, Column

MONTH = Duration(1, "month")
LABEL = Label(Duration(3, "month"), Duration(12, "month"))
FIRST = date(2022, 9, 1)
DAYS = 700
ACCOUNTS = tuple(f"A{number}" for number in range(6))
MANAGERS = ("M1", "M2", "M3")
PRODUCTS = tuple(f"P{number}" for number in range(6))
LINES = ("L1", "L2")
REGIONS = ("North", "South")
ROWS = {"orders": 26, "contacts": 12}  # rows an account; others have 5
ARROW = {
    "id": pa.string(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "decimal": pa.decimal128(18, 4),
    "integer": pa.int64(),
    "flag": pa.bool_(),
}
World = dict[str, list[dict[str, Any]]]


def world(seed: int) -> World:
    """Random rows: events between FIRST and DAYS later, later columns after them or empty, a third booked late."""
    rng = np.random.default_rng(seed)
    tables: World = {}
    for name, table in TABLES.items():
        if name == "accounts":
            owners: Sequence[str | None] = ACCOUNTS
        elif name == "managers":
            owners = [None] * len(MANAGERS)
        elif name == "products":
            owners = [None] * len(PRODUCTS)
        elif "account_id" in [column.name for column in table.columns]:
            owners = [account for account in ACCOUNTS for _ in range(ROWS.get(name, 5))]
        else:
            owners = [None] * 8
        tables[name] = [_row(name, number, owner, rng) for number, owner in enumerate(owners)]
    for row in tables["orders"]:
        sign = -1 if row["is_return"] else 1
        for column in ("quantity", "amount"):
            row[column] = None if row[column] is None else sign * abs(row[column])
    for name in ("assignments", "exits", "feedback"):  # keys that hold a date
        seen: set[tuple[Any, ...]] = set()
        tables[name] = [
            row
            for row in tables[name]
            if (key := tuple(row[part] for part in TABLES[name].key)) not in seen and not seen.add(key)
        ]
    return tables


def _row(name: str, number: int, owner: str | None, rng: np.random.Generator) -> dict[str, Any]:
    table = TABLES[name]
    event = FIRST + timedelta(int(rng.integers(0, DAYS)))
    if name in ("accounts", "managers", "products"):
        event = FIRST - timedelta(int(rng.integers(-200, 900)))
    row: dict[str, Any] = {}
    for column in table.columns:
        row[column.name] = _value(name, column, number, owner, event, rng)
    return row


def _is_date(column: Column) -> bool:
    return column.kind in ("date", "time")


def _value(name: str, column: Column, number: int, owner: str | None, event: date, rng: np.random.Generator) -> Any:
    table = TABLES[name]
    if column.name == "recorded_at":
        late = int(rng.integers(0, 90)) if rng.random() < 0.33 else 0
        return None if rng.random() < 0.3 else _moment(event + timedelta(late), rng)
    if column.name == "account_id":
        return owner if column.required or rng.random() < 0.6 else None
    if _is_date(column):
        if column.name == table.event:
            day: date | None = event if not column.nullable or rng.random() < 0.9 else None
        elif column.planned:
            day = event + timedelta(int(rng.integers(0, 60)))
        else:
            day = event + timedelta(int(rng.integers(0, 120))) if rng.random() < 0.65 else None
        return day if day is None or column.kind == "date" else _moment(day, rng)
    if column.allowed:
        return str(rng.choice(column.allowed)) if not column.nullable or rng.random() < 0.95 else None
    if column.name in table.key and column.name not in ("manager_id", "product_id", "is_return"):
        return f"{name}-{number}"
    choices = {
        "manager_id": MANAGERS,
        "product_id": PRODUCTS,
        "product_line": LINES,
        "region": (*REGIONS, None),
        "scope_id": (*REGIONS, *LINES, *ACCOUNTS),
    }
    if column.name in table.key and name in ("managers", "products"):
        return choices[column.name][number]
    if column.name in choices:
        return choices[column.name][int(rng.integers(0, len(choices[column.name])))]
    if column.kind == "flag":
        return bool(rng.random() < 0.2)
    if column.kind == "integer":
        return int(rng.integers(1, 6))
    if column.kind == "decimal":
        return float(rng.integers(1, 400)) / 4 if rng.random() < 0.95 or not column.nullable else None
    return str(rng.choice(["x", "y"]))


def _moment(day: date, rng: np.random.Generator) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(hours=int(rng.integers(0, 24)))


def day_of(value: Any) -> date | None:
    """The day of a date or time."""
    return value.date() if isinstance(value, datetime) else value


def known_day(name: str, row: Mapping[str, Any]) -> date:
    """The day from which a row counts, by the rule in words: its event, else its first certain date; or its booking."""
    table = TABLES[name]
    certain = [row.get(table.event), *(row.get(c.name) for c in table.columns if _is_date(c) and not c.nullable)]
    happened = next((day_of(value) for value in certain if value is not None), date(1900, 1, 1))
    recorded = day_of(row.get("recorded_at"))
    return happened if recorded is None else max(happened, recorded)


def known(tables: World, as_of: date) -> World:
    """The tables as they were known at as_of: rows not known yet are gone, columns filled in later are empty."""
    result: World = {}
    for name, rows in tables.items():
        later = {column.name: column.known_on for column in TABLES[name].columns if column.known_on}
        result[name] = [
            {
                column: None
                if column in later and (row.get(later[column]) is None or day_of(row[later[column]]) >= as_of)
                else value
                for column, value in row.items()
            }
            for row in rows
            if known_day(name, row) < as_of
        ]
    return result


def write(folder: Path, tables: World) -> None:
    """Write the tables as ingest would, with all columns of the contract."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        pq.write_table(arrow(name, rows), folder / f"{name}.parquet")


def arrow(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a contract table in its types."""
    columns = {}
    for column in TABLES[name].columns:
        values = [row.get(column.name) for row in rows]
        if column.kind == "decimal":
            values = [None if value is None else Decimal(str(value)) for value in values]
        columns[column.name] = pa.array(values, ARROW[column.kind])
    return pa.table(columns)


def matrix(
    folder: Path,
    tables: World,
    cutoffs: Sequence[date],
    until: date = date(2024, 9, 1),
    label: Label = LABEL,
    period: Duration = MONTH,
) -> pd.DataFrame:
    """The matrix of the tables, ordered by as_of and account; blocks of two accounts, so that edges of blocks count."""
    write(folder, tables)
    connection = connect("1GB")
    parts = list(build(connection, open_tables(connection, folder), cutoffs, Plan(period, label, block=2), until))
    connection.disconnect()
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame.sort_values(["as_of", "account_id"], ignore_index=True)
