"""PostgreSQL: all tables in one read-only snapshot, streamed by COPY, so that no row becomes a Python object."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as pc
import sqlglot
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from sqlglot import TokenType

from features import contracts
from features.errors import ConfigurationError, ContractError, HoldfastError
from pipeline import sources
from pipeline.redaction import hide

BLOCK = 16 * 1024 * 1024  # bytes parsed at a time; a row must fit in
PATIENCE = 15  # seconds until a server that does not answer is given up

_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    **dict.fromkeys(("text", "varchar", "name", "uuid"), pa.string()),
}
_DIGITS = 38  # of Arrow's decimals
_UNFIT = re.compile(r"In CSV column #(\d+): .*?(?:invalid value|The string) '(.*)'", re.DOTALL)


@contextmanager
def connect(url: str, variable: str) -> Iterator[Postgres]:
    """A connection in a transaction that is read only and sees one state of the database until the end.

    Raises ConfigurationError if it cannot be made.
    """
    try:
        usual: dict[str, Any] = {"connect_timeout": PATIENCE, "application_name": "holdfast"}
        target = make_conninfo(**(usual | conninfo_to_dict(url) | {"client_encoding": "UTF8"}))
    except psycopg.Error:  # its message may hold a part of the password
        raise ConfigurationError(
            f"What the environment variable {variable} holds is not a URL that PostgreSQL's libpq can read. Write it as "
            "postgresql://USER:PASSWORD@HOST:5432/DATABASE, special signs encoded (@ as %40, % as %25)."
        ) from None
    try:
        con = psycopg.connect(target)
    except psycopg.Error as error:
        raise ConfigurationError(
            f"The database that the environment variable {variable} names cannot be reached: {_one_line(error)}\n"
            "Correct the variable, or start the server."
        ) from None
    try:
        con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        con.read_only = True
        # What COPY writes depends on these; and the first query takes the snapshot.
        con.execute(
            "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true), "
            "set_config('extra_float_digits', '1', true)"
        )
        yield Postgres(con, variable)
    finally:
        con.close()


class Postgres:
    """The tables of one snapshot."""

    def __init__(self, con: psycopg.Connection, variable: str) -> None:
        self._con = con
        self._variable = variable

    @contextmanager
    def read(self, query: Path) -> Iterator[pa.RecordBatchReader]:
        """The result of a SQL file, in batches of about `BLOCK` bytes; times are in UTC.

        Numbers without declared precision come as text, exactly as they are.
        """
        text = sources.text_of(query)
        schema = self._schema(query, text)
        with self._con.cursor() as cursor:
            stream = None
            try:
                with cursor.copy(b"COPY (" + _bare(text).encode() + b"\n) TO STDOUT (FORMAT csv)") as copy:
                    stream = _Stream(copy)
                    yield pa.RecordBatchReader.from_batches(schema, self._batches(query, stream, schema))
            except psycopg.Error as error:  # also of the reader; not told there, where the connection is busy
                raise self._told(query, text, error, len("COPY (")) from None
            finally:
                if stream is not None:
                    stream.close()

    def _schema(self, query: Path, text: str) -> pa.Schema:
        """Names and types of the result's columns. Raises ConfigurationError unless it is one SELECT of types that can be used."""
        try:
            for result in (self._con.pgconn.prepare(b"", text.encode()), self._con.pgconn.describe_prepared(b"")):
                if result.status != ExecStatus.COMMAND_OK:
                    raise error_from_result(result, "utf-8")
        except psycopg.Error as error:
            if "insert multiple commands" in str(error):
                raise sources.not_one_select(query) from None
            raise self._told(query, text, error, 0) from None
        if not result.nfields:
            raise sources.not_one_select(query)
        fields, unfit = [], []
        for place in range(result.nfields):
            name = (result.fname(place) or b"").decode()
            kind = self._type(result.ftype(place), result.fmod(place))
            if isinstance(kind, str):
                unfit.append(f"  {name} is {kind}: write {contracts.quote(name)}::text, or another type")
            else:
                fields.append(pa.field(name, kind))
        if unfit:
            raise ConfigurationError("\n".join([f"{query} gives columns of types that cannot be used:", *unfit]))
        return pa.schema(fields)

    def _type(self, oid: int, modifier: int) -> pa.DataType | str:
        """The Arrow type of a PostgreSQL type; the latter's name where there is none."""
        known = psycopg.adapters.types.get(oid)
        if known is not None and known.oid != oid:  # an array of them
            known = None
        if known is not None and known.name == "numeric":
            digits, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
            return pa.decimal128(digits, scale) if modifier >= 4 and scale <= digits <= _DIGITS else pa.string()
        if known is not None and known.name in _TYPES:
            return _TYPES[known.name]
        rows = self._con.execute("SELECT format_type(%s, %s)", [oid, modifier]).fetchall()
        return str(rows[0][0])

    def _batches(self, query: Path, stream: _Stream, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            if stream.has_content():
                yield from pc.open_csv(
                    io.BufferedReader(stream),
                    read_options=pc.ReadOptions(column_names=schema.names, block_size=BLOCK, use_threads=False),
                    parse_options=pc.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                    convert_options=pc.ConvertOptions(
                        column_types=schema,
                        null_values=[""],
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=False,
                        true_values=["t"],
                        false_values=["f"],
                    ),
                )
        except pa.ArrowInvalid as error:
            match = _UNFIT.match(str(error))
            what = (
                f"{schema.names[int(match[1])]}: {match[2]!r} is no {schema.types[int(match[1])]}"
                if match
                else _one_line(error)
            )
            raise ContractError(
                f"{query}: a value cannot be taken over: {what}\nCorrect it, or leave it out by the SQL."
            ) from None

    def _told(self, query: Path, text: str, error: psycopg.Error, ahead: int) -> HoldfastError:
        """What to say of an error of the server; `ahead` characters stood before the text of the query."""
        state = error.sqlstate or ""
        said = hide(error.diag.message_primary or "") or _one_line(error)
        if error.diag.message_hint:
            said += f" {hide(error.diag.message_hint)}"
        if error.diag.statement_position:
            place = int(error.diag.statement_position) - 1 - ahead
            said = f"line {text.count(chr(10), 0, max(place, 0)) + 1}: {said}"
        if not state or state[:2] in ("08", "57", "58", "53"):
            return ConfigurationError(
                f"The database was lost while it ran {query}: {said}\nNothing was changed here. See to the database "
                f"({self._variable}), then run `holdfast extract` again."
            )
        if state == "25006":
            return ConfigurationError(
                f"{query} writes into the database: {said}\nHoldfast only reads. Write one SELECT."
            )
        if state == "42501":
            return ConfigurationError(
                f"{query} may not read all that it names: {said}\nHave the user of {self._variable} granted SELECT on it."
            )
        if state[:2] == "22":
            return ContractError(
                f"{query} cannot read the data: {said}\nCorrect the data, or let the SQL leave them out."
            )
        return ConfigurationError(f"{query} does not run: {said}\n{self._there(text)}Correct the SQL.")

    def _there(self, text: str) -> str:
        """The tables that a query names, with their columns; where it names none that exist, all tables."""
        self._con.rollback()
        rows = self._con.execute(
            "SELECT n.nspname || '.' || c.relname, c.relname, string_agg(a.attname, ', ' ORDER BY a.attnum) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' "
            "GROUP BY 1, 2 ORDER BY 1"
        ).fetchall()
        named = [
            (full, columns) for full, name, columns in rows if re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)
        ]
        if named:
            return "\n".join(
                ["Tables named and their columns:", *(f"  {full}: {columns}" for full, columns in named), ""]
            )
        names = [full for full, _, _ in rows]
        more = ", ..." if len(names) > 50 else ""
        return f"Tables in the database: {', '.join(names[:50]) or 'none'}{more}.\n"


class _Stream(io.RawIOBase):
    """What COPY sends, as a file. Arrow reads ahead in a thread of its own: `close` waits for it."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._rest = memoryview(b"")
        self._lock = threading.Lock()
        self._stopped = False

    def has_content(self) -> bool:
        self._fill()
        return bool(self._rest)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._fill()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        with self._lock:
            self._stopped = True
        super().close()

    def _fill(self) -> None:
        with self._lock:
            if not self._rest and not self._stopped:
                self._rest = memoryview(self._copy.read())


def _bare(text: str) -> str:
    """One statement without the semicolons after it."""
    tokens = sqlglot.tokenize(text, read="postgres")
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        text = text[: tokens.pop().start]
    return text


def _one_line(error: Exception) -> str:
    return hide(" ".join(str(error).split())[:500]) or type(error).__name__
