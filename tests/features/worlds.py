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

from features.declaration import Feature
from features.engines import connect, open_tables
from features.labels import Rules
from features.matrix import RULES, Plan, build
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


class Draw(np.random.Generator):
    """Random numbers, and days: any days, or with `edges` only these and the days before them."""

    def __init__(self, seed: int, edges: Sequence[date] = ()) -> None:
        super().__init__(np.random.PCG64(seed))
        self.edges = [edge - timedelta(step) for edge in edges for step in (0, 1)]

    def day(self, first: date, most: int) -> date:
        """A day from `first` to `most` days later; with edges one of them not before `first`, if there is one."""
        later = [edge for edge in self.edges if edge >= first]
        return later[int(self.integers(0, len(later)))] if later else first + timedelta(int(self.integers(0, most)))


def world(seed: int, edges: Sequence[date] = ()) -> World:
    """Random rows: events between FIRST and DAYS later, later columns after them or empty, a third booked late.

    With `edges` every day is one of them or the day before.
    """
    rng = Draw(seed, edges)
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


def _row(name: str, number: int, owner: str | None, rng: Draw) -> dict[str, Any]:
    table = TABLES[name]
    event = rng.day(FIRST, DAYS)
    if name in ("accounts", "managers", "products"):
        event = FIRST - timedelta(int(rng.integers(-200, 900)))
    row: dict[str, Any] = {}
    for column in table.columns:
        row[column.name] = _value(name, column, number, owner, event, rng)
    return row


def _is_date(column: Column) -> bool:
    return column.kind in ("date", "time")


def _value(name: str, column: Column, number: int, owner: str | None, event: date, rng: Draw) -> Any:
    table = TABLES[name]
    if column.name == "recorded_at":
        recorded = rng.day(event, 90) if rng.random() < 0.33 else event
        return None if rng.random() < 0.3 else _moment(recorded, rng)
    if column.name == "account_id":
        return owner if column.required or rng.random() < 0.6 else None
    if _is_date(column):
        if column.name == table.event:
            day: date | None = event if not column.nullable or rng.random() < 0.9 else None
        elif column.planned:
            day = rng.day(event, 60)
        else:
            day = rng.day(event, 120) if rng.random() < 0.65 else None
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


def _moment(day: date, rng: Draw) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(hours=int(rng.integers(0, 24)) * (not rng.edges))


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


def mutate_future(tables: World, as_of: date, seed: int) -> World:
    """The tables with everything changed that was not known at as_of, and with rows added that became known later."""
    rng = Draw(seed)
    result: World = {}
    for name, rows in tables.items():
        declared = TABLES[name]
        later = [column for column in declared.columns if column.known_on]
        result[name] = []
        for number, row in enumerate(rows):
            if known_day(name, row) >= as_of:
                if rng.random() < 0.5:
                    continue  # deleted; else told differently
                fresh = _fresh(name, row, as_of, rng)
                result[name].append(fresh if known_day(name, fresh) >= as_of else row)
                continue
            changed = dict(row)
            for column in later:
                if column.name != column.known_on:
                    continue
                day = day_of(row[column.name])
                if day is not None and day < as_of:
                    continue
                new = as_of + timedelta(int(rng.integers(0, 150))) if rng.random() < 0.6 else None
                changed[column.name] = new if new is None or column.kind == "date" else _moment(new, rng)
                for other in later:
                    if other.known_on == column.name and other.name != column.name:
                        changed[other.name] = _value(name, other, number, row.get("account_id"), as_of, rng)
            result[name].append(changed)
        for number in range(4):  # happened long ago or still to come, booked only now
            template = rows[int(rng.integers(0, len(rows)))]
            fresh = _fresh(name, template, as_of, rng, f"new-{number}")
            if known_day(name, fresh) >= as_of and declared.name not in ("accounts", "managers", "products"):
                result[name].append(fresh)
    return result


def _fresh(name: str, row: dict[str, Any], as_of: date, rng: Draw, key: str = "") -> dict[str, Any]:
    """A row of the same owner with other values, and with an event at any time, booked at as_of or later."""
    fresh = _row(name, 0, row.get("account_id"), rng)
    for part in TABLES[name].key:
        fresh[part] = row[part] if not key or not isinstance(row[part], str) else f"{row[part]}{key}"
    for part in ("account_id", "manager_id"):
        if part in fresh:
            fresh[part] = row[part]
    recorded = as_of + timedelta(int(rng.integers(0, 60)))
    fresh["recorded_at"] = datetime(recorded.year, recorded.month, recorded.day)
    return fresh


def write(folder: Path, tables: World, without: Sequence[str] = ()) -> None:
    """Write the tables as ingest would, with all columns of the contract but those `without`."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        table = arrow(name, rows)
        pq.write_table(
            table.select([one for one in table.column_names if one not in without]), folder / f"{name}.parquet"
        )


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
    last_label: date | None = None,
    beside: tuple[str, ...] = (),
    predicts: str = "silent",
    rules: Rules = RULES,
    features: Sequence[Feature] | None = None,
    without: Sequence[str] = (),
) -> pd.DataFrame:
    """The matrix of the tables, ordered by as_of and account; blocks of two accounts, so that edges of blocks count."""
    write(folder, tables, without)
    connection = connect("1GB")
    plan = Plan(period, label, 2, last_label=last_label, predicts=predicts, beside=beside, rules=rules)
    parts = list(build(connection, open_tables(connection, folder), cutoffs, plan, until, features))
    connection.disconnect()
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame.sort_values(["as_of", "account_id"], ignore_index=True)
