"""Opens the engine that a source's data are in: PostgreSQL, DuckDB, or whatever else Ibis connects to; to read only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote

import duckdb
import ibis
import pyarrow as pa
import sqlglot
from sqlglot import expressions

from features.errors import ConfigurationError, HoldfastError
from pipeline import csv_files, sources
from pipeline.redaction import hide, keep_secret

BATCH = 100_000  # rows in memory at a time

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://((?P<user>[^\s:@/?#]*)(:(?P<password>[^\s@/?#]*))?@)?(?P<rest>\S*)"
)
_SECRET_OPTION = re.compile("password|token|secret|key", re.IGNORECASE)


class Engine(Protocol):
    """A database that is read in one go."""

    def read(self, query: Path) -> AbstractContextManager[pa.RecordBatchReader]:
        """The result of a SQL file, batch by batch. Leaving with an error of the engine raises it as HoldfastError."""


def url_from(variable: str, who: Path | str) -> str:
    """The URL in an environment variable that `who`, a source.yaml or an option, asks for; from now on it is kept out of
    what is shown.

    Raises ConfigurationError if it is not set or no URL. Its value is not in the message.
    """
    example = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
    url = os.environ.get(variable, "").strip()
    if not url:
        raise ConfigurationError(
            f"{who} takes the address of the database from the environment variable {variable}, which is not set. "
            f"Set it, for example\n  export {variable}='{example}'"
        )
    keep_secret(url)
    match = _URL.fullmatch(url)
    # A forgotten %40 moves part of the password to where the host is looked for, and from there into messages.
    if match is None or ("@" in match["rest"] and match["scheme"] != "duckdb"):
        raise ConfigurationError(
            f"What the environment variable {variable} holds is not a URL such as {example}. In user and password, write "
            "@ as %40, / as %2F, : as %3A, ? as %3F, # as %23, % as %25 and a blank as %20."
        )
    password = match["password"] or ""
    options = parse_qsl(match["rest"].partition("?")[2])
    keep_secret(password, unquote(password), *(value for name, value in options if _SECRET_OPTION.search(name)))
    return url


@contextmanager
def connect(url: str, variable: str, root: Path) -> Iterator[Engine]:
    """The engine at `url`; a relative path in it is one under `root`.

    Raises ConfigurationError if it cannot be reached; messages name `variable`, not the URL.
    """
    scheme, _, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        from pipeline.postgres import connect as engine

        with engine(url, variable) as postgres:
            yield postgres
    elif scheme == "duckdb":
        path = root / unquote(rest.partition("?")[0])
        with closing(_open_duckdb(path, variable)) as con:
            yield _DuckDB(con)
    else:
        backend = _open_ibis(url, scheme, variable)
        try:
            yield _Ibis(backend)
        finally:
            backend.disconnect()


def _open_duckdb(path: Path, variable: str) -> duckdb.DuckDBPyConnection:
    if not path.is_file():
        raise ConfigurationError(
            f"There is no DuckDB file {path}. Correct the path in the environment variable {variable}."
        )
    try:
        con = duckdb.connect(str(path), read_only=True, config={"autoinstall_known_extensions": "false"})
        con.execute("SET TimeZone = 'UTC'")
        con.execute("BEGIN TRANSACTION")
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{path} cannot be opened: {csv_files.first(error)}\nClose the program that has it open for writing, or give "
            "another file."
        ) from None
    return con


class _DuckDB:
    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    @contextmanager
    def read(self, query: Path) -> Iterator[pa.RecordBatchReader]:
        text = sources.one_select(self._con, query)
        try:
            yield self._con.sql(text).to_arrow_reader(BATCH)
        except (duckdb.Error, pa.ArrowException, OSError) as error:  # of the reader too, by way of Arrow
            raise self._told(query, error) from None

    def _told(self, query: Path, error: Exception) -> ConfigurationError:
        self._con.execute("ROLLBACK")
        columns = "SELECT schema_name || '.' || table_name, string_agg(column_name, ', ') FROM duckdb_columns() "
        rows = self._con.execute(f"{columns} WHERE NOT internal GROUP BY ALL ORDER BY ALL").fetchall()
        there = "\n".join(f"  {name}: {listed}" for name, listed in rows)
        return ConfigurationError(
            f"{query} does not run: {_one_line(error)}\nTables and their columns:\n{there}\nCorrect the SQL."
        )


def _open_ibis(url: str, scheme: str, variable: str) -> ibis.BaseBackend:
    try:
        return ibis.connect(url)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Ibis needs {error.name} for {scheme}. Install it: pip install 'ibis-framework[{scheme}]'"
        ) from None
    except Exception as error:  # each engine has errors of its own
        raise ConfigurationError(
            f"The database that the environment variable {variable} names cannot be reached: {_one_line(error)}\n"
            "Correct the variable, or start the database."
        ) from None


class _Ibis:
    def __init__(self, backend: ibis.BaseBackend) -> None:
        self._backend = backend

    @contextmanager
    def read(self, query: Path) -> Iterator[pa.RecordBatchReader]:
        text = sources.text_of(query)
        try:
            parsed = [
                statement for statement in sqlglot.parse(text, read=self._backend.dialect) if statement is not None
            ]
        except sqlglot.ParseError as error:
            raise ConfigurationError(f"{query} is not SQL: {_one_line(error)}\nCorrect it.") from None
        if len(parsed) != 1 or not isinstance(parsed[0], expressions.Query) or parsed[0].find(expressions.Into):
            raise sources.not_one_select(query)
        try:
            yield self._backend.sql(text).to_pyarrow_batches(chunk_size=BATCH)
        except HoldfastError:
            raise
        except Exception as error:  # each engine has errors of its own
            raise ConfigurationError(
                f"{query} does not run: {_one_line(error)}\nCorrect the SQL, or see to the database."
            ) from None


def _one_line(error: Exception) -> str:
    return hide(" ".join(str(error).split())[:500]) or type(error).__name__
