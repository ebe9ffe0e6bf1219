"""Each rule that a contract table declares has a case, made from the declaration, and its whole line.

Each case is a row that is wrong in one rule alone; the words of the lines are written down here a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import ibis
import pytest

from features import contracts
from features.tables import TABLES, Column, Table
from tests.features.contract_rows import EARLIEST, LATEST, rows_like

Row = dict[str, Any]
PLANNED = date(2034, 3, 15)  # ten years after LATEST
UNCAST = {
    "id": "a whole number or text",
    "date": "a date (write 2024-03-15)",
    "time": "a time (write 2024-03-15 13:45:00)",
    "decimal": "a number of at most 14 digits before the point (write 1234.50)",
    "integer": "a whole number",
    "flag": "true or false",
}
WRONG = {"date": "15.3.2024", "time": "noon", "decimal": "1,234.5", "integer": "2.5", "flag": "perhaps"}
RULES = ("missing", "uncast", "empty", "early", "late", "allowed", "least", "most", "repeated", "unknown")


@dataclass(frozen=True)
class Case:
    """A rule of a table, the row that breaks it alone, and the line that tells so."""

    table: str
    column: str
    rule: str
    row: Row
    line: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} {self.rule}"


def good_row(table: Table, number: int) -> Row:
    """A row that keeps all rules; its dates and numbers lie on their bounds, by turns on the lower and the upper."""
    return {column.name: good_value(column, number) for column in table.columns}


def good_value(column: Column, number: int) -> Any:
    upper = number % 2
    if column.kind == "id":
        return {"account_id": f"A{number}", "manager_id": f"M{number}"}.get(column.name, f"{column.name}-{number}")
    if column.kind == "date":
        return (PLANNED if column.planned else LATEST) if upper else EARLIEST
    if column.kind == "time":
        return datetime(2024, 3, 15, 23, 59, 59) if upper else datetime(1990, 1, 1)
    if column.kind == "flag":
        return bool(upper)
    if column.kind == "text":
        return column.allowed[number % len(column.allowed)] if column.allowed else "words"
    bound = column.most if upper else column.least
    return Decimal(1 if bound is None else int(bound))


def text_row(table: Table, number: int) -> Row:
    """A row as a CSV file gives it, but for its ids, which are floating-point numbers."""
    return {
        column.name: float(number) if column.kind == "id" else str(good_value(column, number))
        for column in table.columns
    }


def cases_of(table: Table) -> list[Case]:
    cases = list(_missing(table))
    for number, column in enumerate(column for column in table.columns if column.kind != "text"):
        wrong = number + 0.5 if column.kind == "id" else WRONG[column.kind]
        row = {**text_row(table, number), column.name: wrong}
        line = f"{table.name}.{column.name}: not {UNCAST[column.kind]}: 1 row, for example '{wrong}'"
        cases.append(Case(table.name, column.name, "uncast", row, f"{line}{_of_row(table, column.name, row)}."))
    for column in table.columns:
        for rule, value, says in _broken(table.name, column):
            row = {**good_row(table, len(cases)), column.name: value}
            where = _of_row(table, column.name, row)
            shown = f" {_shown(value)}{where}" if value is not None else where
            example = f", for example{shown}" if shown else ""
            line = f"{table.name}.{column.name}: {says}: 1 row{example}."
            cases.append(Case(table.name, column.name, rule, row, line))
    row = good_row(table, len(cases))
    named = ", ".join(f"{name} {row[name]}" for name in table.key)
    line = f"{table.name} ({', '.join(table.key)}): the key must not repeat: 1 key, for example {named} (2 times)."
    return [*cases, Case(table.name, "key", "repeated", row, line)]


def _missing(table: Table) -> Iterator[Case]:
    for column in table.columns:
        if column.required:
            row = {name: value for name, value in good_row(table, 0).items() if name != column.name}
            line = f"{table.name}.{column.name}: the column is missing. Columns found: {', '.join(row)}."
            yield Case(table.name, column.name, "missing", row, line)


def _broken(table: str, column: Column) -> Iterator[tuple[str, Any, str]]:
    """Rule, a value that breaks it and what is said of it, for each rule of the column's values."""
    if not column.nullable and not column.separable:
        yield "empty", None, "must not be empty"
    if column.kind == "date":
        yield "early", date(1989, 12, 31), "before 1990-01-01 (ingest.earliest)"
        if column.planned:
            yield "late", date(2034, 3, 16), "after 2034-03-15 (ten years after 2024-03-15)"
        else:
            yield "late", date(2024, 3, 16), "after 2024-03-15 (ingest.latest, or today where that is null)"
    if column.kind == "time":
        yield "early", datetime(1989, 12, 31, 23, 59, 59), "before 1990-01-01 (ingest.earliest)"
        yield "late", datetime(2024, 3, 16), "after 2024-03-15 (ingest.latest, or today where that is null)"
    if column.allowed:
        yield "allowed", "nothing of the kind", f"none of {', '.join(column.allowed)}"
    if column.least is not None:
        yield "least", Decimal(int(column.least)) - _step(column), f"less than {int(column.least)}"
    if column.most is not None:
        yield "most", Decimal(int(column.most)) + _step(column), f"more than {int(column.most)}"
    if column.name == "account_id" and table != "accounts":
        yield "unknown", "nobody", "not in table accounts"
    if column.name == "manager_id" and table == "assignments":
        yield "unknown", "nobody", "not in table managers"


def _step(column: Column) -> Decimal:
    return Decimal(1) if column.kind == "integer" else Decimal("0.0001")


def _of_row(table: Table, column: str, row: Row) -> str:
    named = ", ".join(f"{name} {row[name]}" for name in table.key if name != column)
    return f" ({named})" if named else ""


def _shown(value: Any) -> str:
    return str(value).removesuffix(" 00:00:00")


def sql(row: Mapping[str, Any]) -> dict[str, str]:
    """The row's values as SQL."""
    return {name: _literal(value) for name, value in row.items()}


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value}'"
    if isinstance(value, date):
        return f"DATE '{value}'"
    if isinstance(value, float):
        return f"{value}::DOUBLE"
    return f"'{value}'" if isinstance(value, str) else str(value)


CASES = {name: cases_of(table) for name, table in TABLES.items()}


@dataclass(frozen=True)
class Told:
    """What is told of a table's cases, how many rows are kept, and how many set aside by reason."""

    lines: list[str]
    rows: int
    quarantined: Mapping[str, int]


@cache
def told(name: str) -> Told:
    """One source a table with all rows that do not cast, one with all other rows, beside accounts and managers."""
    cases, table = CASES[name], TABLES[name]
    of = {rule: [sql(case.row) for case in cases if case.rule == rule] for rule in RULES}
    others = [row for rule in RULES for row in of[rule] if rule not in ("missing", "uncast")]
    number = len(cases)
    barest = {column.name: None for column in table.columns if column.nullable}
    lacking = [sql({**good_row(table, number + 1), column: None}) for column in separable(table)]
    sound = [sql(good_row(table, number + 1)), sql(good_row(table, number + 2) | barest)]
    owners = {
        owner: rows_like({}, *({column: f"'{letter}{one}'"} for one in range(number + 3)))
        for owner, column, letter in (("accounts", "account_id", "A"), ("managers", "manager_id", "M"))
    }
    con = ibis.duckdb.connect()
    lines = [line for row in of["missing"] for line in contracts.cast(con, table, rows_like(row)).failures]
    lines += contracts.cast(con, table, rows_like({}, *of["uncast"])).failures
    con.disconnect()
    con = ibis.duckdb.connect()
    sources = {**owners, name: rows_like({}, *others, *of["repeated"], *lacking, *sound)}
    tables = {owner: contracts.cast(con, TABLES[owner], source) for owner, source in sources.items()}
    lines += contracts.check(con, tables, name, EARLIEST, LATEST)
    con.disconnect()
    return Told(lines, tables[name].rows, tables[name].quarantined)


def separable(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.separable]


@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases], ids=str)
def test_a_broken_rule_is_told_in_its_line(case: Case) -> None:
    assert case.line in told(case.table).lines


@pytest.mark.parametrize("name", list(TABLES))
def test_nothing_else_is_told_even_of_empty_values_where_they_may_be(name: str) -> None:
    assert sorted(told(name).lines) == sorted(case.line for case in CASES[name])


@pytest.mark.parametrize("name", list(TABLES))
def test_a_row_without_a_separable_value_is_set_aside_with_its_reason(name: str) -> None:
    checked = [case for case in CASES[name] if case.rule not in ("missing", "uncast")]
    assert told(name).quarantined == {f"{column} is empty": 1 for column in separable(TABLES[name])}
    assert told(name).rows == len(checked) + 3  # the repeated row, and two sound ones


def test_every_rule_has_cases() -> None:
    assert {case.rule for cases in CASES.values() for case in cases} == set(RULES)
    assert {column.kind for table in TABLES.values() for column in table.columns} == {*UNCAST, "text"}
