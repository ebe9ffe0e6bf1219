"""Brings a table of any source to its contract: cast, set aside what cannot be used, check the rest.

Nothing is guessed and nothing is dropped unseen. A value that does not cast, a repeated key or a date in the future is
a failure; a row without its account or its date is set aside and counted; all failures of all tables are told at once.
Work is done inside DuckDB, so that a table may be larger than memory.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandera.ibis as pa
from ibis.backends.duckdb import Backend
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrorReason, SchemaErrors

from features.errors import ContractError, HoldfastError, LimitError
from features.periods import Duration
from features.tables import SQL_TYPES, Column, Table

PLANNED_AHEAD = Duration(120, "month")  # how far after `latest` a planned date, such as a due date, may lie
MANY_STRANGERS = 20  # rows of a table of which some would be of accounts that ordered

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_FLOATS = ("FLOAT", "DOUBLE")
_KIND_NAMES = {
    "id": "a whole number or text",
    "text": "text",
    "date": "a date (write 2024-03-15)",
    "time": "a time (write 2024-03-15 13:45:00)",
    "decimal": "a number of at most 14 digits before the point (write 1234.50)",
    "integer": "a whole number",
    "flag": "true or false",
}


@dataclass(frozen=True)
class CastTable:
    """A table in contract types, held in DuckDB as `kept.NAME` and `aside.NAME`, with what casting it found.

    `columns` are the stored ones in contract order, `ignored` those of the source that the contract does not know,
    `rows` and `quarantined` (by reason) count kept rows and rows set aside, `failures` are lines for the user.
    A table whose columns cannot be used has no `columns` and is not in DuckDB.
    """

    table: Table
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    rows: int
    quarantined: Mapping[str, int]
    failures: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the contract's key that are present."""
        return tuple(name for name in self.table.key if name in self.columns)

    @property
    def share_aside(self) -> float:
        """Rows set aside over all rows, 0 to 1."""
        aside = sum(self.quarantined.values())
        return aside / (aside + self.rows) if aside else 0.0


@dataclass(frozen=True)
class _Rule:
    """What must not be: `broken` gives the offending rows (or keys) of a kept table."""

    column: str
    says: str
    broken: Callable[[ir.Table], ir.Table]
    unit: str = "row"


def quote(identifier: str) -> str:
    """`identifier` as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"


def closest(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The candidate spelled most like `name`, whatever the case; None if none is near."""
    spelled = {candidate.casefold(): candidate for candidate in candidates}
    match = difflib.get_close_matches(name.casefold(), spelled, n=1, cutoff=cutoff)
    return spelled[match[0]] if match else None


def suggest(name: str, candidates: Iterable[str]) -> str:
    """The words `; did you mean ...?` with the closest candidate; nothing if none is near."""
    match = closest(name, candidates)
    return f"; did you mean {match!r}?" if match else ""


def cast(con: Backend, table: Table, source: str) -> CastTable:
    """Cast `source`, a relation or subquery in SQL, to the contract of `table`, and set incomplete rows aside.

    Blank text is empty. Times with a zone become UTC; a time in a date column becomes its day. Numbers are rounded to
    four decimals. Errors of DuckDB while reading `source` are passed on.
    """
    for schema in ("casted", "kept", "aside"):
        con.con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    con.con.execute("SET TimeZone = 'UTC'")
    types = {row[0]: str(row[1]) for row in con.con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    columns = tuple(column.name for column in table.columns if column.name in types)
    failures, ignored = _match_columns(table, list(types))
    # As text, DuckDB would write the bytes of "Ă" as \\xC4\\x82.
    failures += [
        f"{table.name}.{name}: binary, not text. Export it as text." for name in columns if types[name] == "BLOB"
    ]
    if failures:
        return CastTable(table, (), ignored, 0, {}, tuple(failures))

    casts = {name: _cast_sql(table[name], types[name]) for name in columns}
    selected = [
        f"{value} AS {quote(name)}, {uncast} AS {quote(name + ' uncast')}" for name, (value, uncast) in casts.items()
    ]
    missing = [
        f"CASE WHEN {quote(name)} IS NULL AND NOT {quote(name + ' uncast')} THEN {literal(name + ' is empty')} END"
        for name in columns
        if table[name].separable and not table[name].nullable
    ]
    reason = f"nullif(concat_ws('; ', {', '.join(missing)}), '')" if missing else "NULL::VARCHAR"
    staged = f"casted.{quote(table.name)}"
    con.con.execute(
        f"CREATE TABLE {staged} AS SELECT *, {reason} AS quarantine_reason FROM (SELECT {', '.join(selected)} FROM {source})"
    )
    stored = {name: quote(name) for name in columns}
    if table.name == "orders":
        # Where nothing is said of returns the amount does, which is negative in one; downstream never has to think of an
        # empty flag.
        negative = f"coalesce({quote('amount')} < 0, false)" if "amount" in columns else "false"
        said = f"coalesce({quote('is_return')}, {negative})" if "is_return" in columns else negative
        stored["is_return"] = f"{said} AS is_return"
    if table.name == "assignments" and "end_reason" not in columns:
        # Features look at the reason of an ending, to pass over spells closed because of a loss.
        stored["end_reason"] = "NULL::VARCHAR AS end_reason"
    columns = tuple(column.name for column in table.columns if column.name in stored)
    shown = ", ".join(stored[name] for name in columns)
    con.con.execute(
        f"CREATE VIEW kept.{quote(table.name)} AS SELECT {shown} FROM {staged} WHERE quarantine_reason IS NULL"
    )
    con.con.execute(
        f"CREATE VIEW aside.{quote(table.name)} AS SELECT {shown}, quarantine_reason FROM {staged} "
        "WHERE quarantine_reason IS NOT NULL"
    )
    counts = con.con.execute(f"SELECT quarantine_reason, count(*) FROM {staged} GROUP BY ALL ORDER BY ALL").fetchall()
    return CastTable(
        table,
        columns,
        ignored,
        sum(count for why, count in counts if why is None),
        {why: count for why, count in counts if why is not None},
        tuple(_uncast_failures(con, table, source, casts)),
    )


def check(con: Backend, tables: Mapping[str, CastTable], name: str, earliest: date, latest: date) -> list[str]:
    """Check the kept rows of one of `tables` against its contract; one line for each rule broken.

    Rules: no empty value where none may be, unique key (empty values in it count as equal), dates from `earliest` to
    `latest` (planned ones up to ten years later), allowed values, least and most values, accounts and managers that are
    known.
    """
    subject = tables[name]
    if not subject.columns:
        return []
    kept = con.table(name, database="kept")
    rules = {
        f"{rule.column}: {rule.says}": rule
        for rule in (*_rules(subject, earliest, latest), *_references(con, tables, name))
    }
    schema = pa.DataFrameSchema(
        {column: pa.Column(nullable=True) for column in subject.columns},
        # A check gives one boolean: Pandera would otherwise fetch every row's result into memory.
        checks=[pa.Check(_holds(rule), name=label) for label, rule in rules.items()],
        strict=True,
    )
    try:
        # The environment can switch Pandera off; a contract is not optional.
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            schema.validate(kept, lazy=True)
    except SchemaErrors as errors:
        broken = []
        for error in errors.schema_errors:
            if error.reason_code is not SchemaErrorReason.DATAFRAME_CHECK or error.check.name not in rules:
                raise HoldfastError(f"The check of table {name} did not run: {error}") from error
            broken.append(_describe(subject, kept, rules[error.check.name]))
        return broken
    return []


def refuse(failures: list[str], tables: Iterable[CastTable], quarantine_limit: float, next_step: str) -> None:
    """Raise if anything is wrong.

    Raises
    ------
    ContractError
        If there are `failures`; all of them are in the message.
    LimitError
        If more than `quarantine_limit` (0 to 1) of a table's rows are set aside.
    """
    if failures:
        lines = [f"  {failure}" for failure in failures]
        raise ContractError("\n".join(["The data breaks its contract:", *lines, next_step]))
    over = [
        f"  {item.table.name}: {item.share_aside:.1%} of {item.rows + sum(item.quarantined.values()):,} rows ("
        + ", ".join(f"{reason}: {count:,}" for reason, count in item.quarantined.items())
        + ")"
        for item in tables
        if item.share_aside > quarantine_limit
    ]
    if over:
        raise LimitError(
            "\n".join(
                [
                    f"More rows would be set aside than ingest.quarantine_limit ({quarantine_limit:.1%}) allows:",
                    *over,
                    f"{next_step} If so many rows are rightly unusable, raise the limit in params.yaml.",
                ]
            )
        )


def write(con: Backend, subject: CastTable, kept: Path, aside: Path) -> None:
    """Write the kept rows, ordered by key, to `kept`, and rows set aside, if any, to `aside`, both as Parquet.

    The key is unique, so the order, and with it every byte, is the same whatever the number of threads.
    """
    name = quote(subject.table.name)
    order = ", ".join(f"{quote(column)} NULLS FIRST" for column in subject.key)
    queries = [(f"SELECT * FROM kept.{name} ORDER BY {order}", kept)]
    if subject.quarantined:
        queries.append((f"SELECT * FROM aside.{name} ORDER BY ALL", aside))
    for query, path in queries:
        con.con.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")


def _match_columns(table: Table, found: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Failures of the column names `found`, and the names that the contract does not know."""
    known = [column.name for column in table.columns]
    extra = [name for name in found if name not in known]
    absent = [name for name in known if name not in found]
    listed = ", ".join(found)
    failures = []
    required = [name for name in absent if table[name].required]
    told = set()
    for name in required:
        match = closest(name, extra, cutoff=0.5)
        told.add(match)
        failures.append(
            f"{table.name}.{name}: the column is missing{f'; is it {match!r}?' if match else '.'} Columns found: {listed}."
        )
    ignored = []
    for name in extra:
        match = closest(name, [other for other in absent if other not in required], cutoff=0.8)
        if match and name not in told:
            failures.append(
                f"{table.name}.{name}: the contract has no such column; is it {match!r}? Rename it or leave it out."
            )
        else:
            ignored.append(name)
    return failures, tuple(ignored)


def _cast_sql(column: Column, found: str) -> tuple[str, str]:
    """Two SQL expressions for a column of DuckDB type `found`: its value in storage type, and whether it did not cast."""
    name, target = quote(column.name), SQL_TYPES[column.kind]
    text = f"CAST({name} AS VARCHAR)"
    # Blank text counts as empty, so that CSV, where nothing else is possible, and Parquet give the same tables.
    filled = f"CASE WHEN trim({text}) = '' THEN NULL ELSE {text} END"
    numeric = found in _INTEGERS or found in _FLOATS or found.startswith("DECIMAL")
    if column.kind == "id":
        filled = f"nullif(trim({text}), '')"  # a CHAR column is filled up with blanks, which tie it to no other table
    if column.kind in ("id", "text"):
        if column.kind == "text" or found not in _FLOATS:
            return filled, "false"
        value = f"CASE WHEN {name} = trunc({name}) THEN CAST(TRY_CAST({name} AS HUGEINT) AS VARCHAR) END"
    elif column.kind in ("date", "time"):
        # Text goes through TIMESTAMPTZ: as TIMESTAMP, DuckDB would read 00:30+02:00 as 00:30 and forget the zone.
        direct = found == "DATE" or found.startswith("TIMESTAMP")
        value = (
            f"TRY_CAST({name} AS {target})" if direct else f"TRY_CAST(TRY_CAST({filled} AS TIMESTAMPTZ) AS {target})"
        )
    elif column.kind == "integer" and found not in _INTEGERS:
        number = name if numeric else filled
        # TRY_CAST('2.5' AS BIGINT) is 3.
        value = f"CASE WHEN TRY_CAST({number} AS DOUBLE) = trunc(TRY_CAST({number} AS DOUBLE)) THEN TRY_CAST({number} AS {target}) END"
    elif (column.kind == "flag" and found == "BOOLEAN") or (column.kind != "flag" and numeric):
        value = f"TRY_CAST({name} AS {target})"
    else:
        value = f"TRY_CAST({filled} AS {target})"
    return value, f"(({filled}) IS NOT NULL AND ({value}) IS NULL)"


def _uncast_failures(con: Backend, table: Table, source: str, casts: Mapping[str, tuple[str, str]]) -> list[str]:
    """One line for each column with values that did not cast; only then is `source` read again, for an example."""
    flags = ", ".join(f"count(*) FILTER ({quote(name + ' uncast')})" for name in casts)
    counts = con.con.execute(f"SELECT {flags} FROM casted.{quote(table.name)}").fetchall()[0]
    failures = []
    for name, count in zip(casts, counts, strict=True):
        if not count:
            continue
        key = [column for column in table.key if column in casts and column != name]
        shown = ", ".join(f"CAST({quote(column)} AS VARCHAR)" for column in (name, *key))
        query = f"SELECT {shown} FROM {source} WHERE {casts[name][1]} ORDER BY ALL LIMIT 1"
        row = con.con.execute(query).fetchall()[0]
        example = dict(zip((name, *key), row, strict=True))
        failures.append(
            f"{table.name}.{name}: not {_KIND_NAMES[table[name].kind]}: {_count(count, 'row')}, "
            f"for example {example[name]!r}{_row_named(example, key)}."
        )
    return failures


def _rules(subject: CastTable, earliest: date, latest: date) -> Iterator[_Rule]:
    """The rules that a table's own declaration asks for."""
    key = list(subject.key)

    def repeated(kept: ir.Table) -> ir.Table:
        return kept.group_by(key).aggregate(times=kept.count()).filter(ibis._.times > 1)

    yield _Rule("(" + ", ".join(key) + ")", "the key must not repeat", repeated, "key")
    uncast = {failure.split(":")[0] for failure in subject.failures}
    for name in subject.columns:
        # A value that did not cast is empty by now, and has been told already.
        told = f"{subject.table.name}.{name}" in uncast
        yield from _column_rules(subject.table[name], told, earliest, latest)


def _column_rules(column: Column, told: bool, earliest: date, latest: date) -> Iterator[_Rule]:
    name = column.name

    def rule(says: str, wrong: Callable[[ir.Column], ir.BooleanColumn]) -> _Rule:
        return _Rule(name, says, lambda kept: kept.filter(wrong(kept[name])))

    if not column.nullable and not told:
        yield rule("must not be empty", lambda values: values.isnull())
    if column.kind in ("date", "time"):
        last = PLANNED_AHEAD.after(latest) if column.planned else latest
        why = f"ten years after {latest}" if column.planned else "ingest.latest, or today where that is null"
        yield rule(f"before {earliest} (ingest.earliest)", lambda values: values < _midnight(earliest))
        yield rule(f"after {last} ({why})", lambda values: values >= _midnight(last + timedelta(days=1)))
    if column.allowed:
        yield rule(f"none of {', '.join(column.allowed)}", lambda values: values.notin(column.allowed))
    if column.least is not None:
        yield rule(f"less than {column.least:g}", lambda values: values < column.least)
    if column.most is not None:
        yield rule(f"more than {column.most:g}", lambda values: values > column.most)


def _references(con: Backend, tables: Mapping[str, CastTable], name: str) -> Iterator[_Rule]:
    """The rules that tie a table to `accounts` and `managers`, or to `orders` where there is no table of accounts."""
    if name != "accounts":
        yield from _reference(con, tables, name, "account_id", "accounts")
    if name != "orders" and not _there(tables, "accounts"):
        yield from _strangers(con, tables, name)
    if name == "assignments":
        yield from _reference(con, tables, name, "manager_id", "managers")


def _reference(con: Backend, tables: Mapping[str, CastTable], name: str, column: str, owner: str) -> Iterator[_Rule]:
    if column in tables[name].columns and _there(tables, owner):
        known = con.table(owner, database="kept")
        yield _Rule(
            column,
            f"not in table {owner}",
            lambda kept: kept.filter(kept[column].notnull()).anti_join(known, column),
        )


def _strangers(con: Backend, tables: Mapping[str, CastTable], name: str) -> Iterator[_Rule]:
    """Some accounts may not have ordered yet; where none of many has, their ids are written in another way there."""
    if "account_id" in tables[name].columns and _there(tables, "orders") and "account_id" in tables["orders"].columns:
        known = con.table("orders", database="kept")

        def unknown(kept: ir.Table) -> ir.Table:
            rows = kept.filter(kept.account_id.notnull())
            met = rows.semi_join(known, "account_id").count().as_scalar()
            return rows.filter((met == 0) & (rows.count().as_scalar() >= MANY_STRANGERS))

        yield _Rule("account_id", "not one of them is in table orders: write them as they are written there", unknown)


def _there(tables: Mapping[str, CastTable], name: str) -> bool:
    return name in tables and bool(tables[name].columns)


def _holds(rule: _Rule) -> Callable[[pa.IbisData], ir.BooleanScalar]:
    return lambda data: rule.broken(data.table).count() == 0


def _describe(subject: CastTable, kept: ir.Table, rule: _Rule) -> str:
    """One line: table, column, rule, count, example with its key."""
    broken = rule.broken(kept)
    count = broken.count().to_pyarrow().as_py()
    first = broken.order_by(list(subject.key)).limit(1).to_pyarrow().to_pylist()[0]
    if rule.column not in first:
        return (
            f"{subject.table.name} {rule.column}: {rule.says}: {_count(count, rule.unit)}, for example "
            f"{_named(first, subject.key)} ({first['times']} times)."
        )
    value = "" if first[rule.column] is None else f" {_show(first[rule.column])}"
    key = [name for name in subject.key if name != rule.column]
    example = f", for example{value}{_row_named(first, key)}" if value or key else ""
    return f"{subject.table.name}.{rule.column}: {rule.says}: {_count(count, rule.unit)}{example}."


def _row_named(row: Mapping[str, object], key: Iterable[str]) -> str:
    named = _named(row, key)
    return f" ({named})" if named else ""


def _named(row: Mapping[str, object], key: Iterable[str]) -> str:
    return ", ".join(f"{name} {_show(row[name])}" for name in key)


def _show(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".")
    return str(value)


def _count(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())
