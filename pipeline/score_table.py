"""Scores back into PostgreSQL, in one transaction: all rows of a day and model, or those of before.

The address with user and password comes from the environment alone and is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from features.errors import ConfigurationError
from models.lineage import Lineage
from pipeline.connections import url_from
from pipeline.redaction import hide

ADDRESS = "HOLDFAST_SCORES_URL"
LINEAGE = ("model_hash", "data_hash", "model_version", "code_version", "taxonomy_version")
KEY = ("as_of", "model_hash")  # rows of these are replaced


@dataclass(frozen=True)
class Target:
    """A table, `schema.name` or `name`, of the database at `address`."""

    name: tuple[str, ...]
    address: str = field(repr=False)

    @classmethod
    def of(cls, table: str) -> Target:
        """The table at the address in the environment. Raises ConfigurationError if either is missing or makes no sense."""
        name = tuple(table.split("."))
        if not all(re.fullmatch(r"[^\W\d]\w*", part) for part in name) or len(name) > 2:
            raise ConfigurationError(
                f"--to-table {table!r} is no name of a table. Write it as scores or schema.scores: letters, digits and _."
            )
        return cls(name, url_from(ADDRESS, "--to-table"))

    def write(self, scores: pd.DataFrame, lineage: Lineage) -> None:
        """Replace the rows of the scoring's day and model by these; the table is created if it is not there.

        Raises ConfigurationError if the database does not take them; nothing has changed there then.
        """
        import psycopg
        from psycopg import sql

        rows = pa.Table.from_pandas(scores, preserve_index=False)
        for name in LINEAGE:
            told = lineage[name]
            rows = rows.append_column(name, pa.array([None if told is None else str(told)] * len(rows), pa.string()))
        table = sql.Identifier(*self.name)
        columns = [sql.SQL("{} {}").format(sql.Identifier(one.name), sql.SQL(_kind(one.type))) for one in rows.schema]
        names = sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
        try:
            with psycopg.connect(self.address, connect_timeout=10) as connection, connection.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(table, sql.SQL(", ").join(columns)))
                # two jobs of one scoring: the second waits, so that rows are not there twice
                cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
                known = sql.SQL("SELECT {} FROM {} LIMIT 0").format(names, table)
                cursor.execute(known)  # says which column is missing before anything is sent
                where = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in KEY)
                gone = sql.SQL("DELETE FROM {} WHERE {}").format(table, where)
                cursor.execute(gone, [lineage[name] for name in KEY])
                with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)) as copy:
                    for row in _rows(rows):
                        copy.write_row(row)
        except psycopg.Error as error:
            raise ConfigurationError(
                f"--to-table {'.'.join(self.name)}: the database at {ADDRESS} did not take the scores, and nothing was "
                f"changed there: {hide(next(iter(str(error).strip().splitlines()), 'it gave no reason.'))} Put that right, "
                "or give another table, and run again."
            ) from None


def _kind(of: pa.DataType) -> str:
    """The type in PostgreSQL."""
    if pa.types.is_boolean(of):
        return "boolean"
    if pa.types.is_integer(of):
        return "bigint"
    if pa.types.is_floating(of):
        return "double precision"
    return "date" if pa.types.is_date(of) else "text"


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows as Python values; a number that is missing is null, not NaN."""
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
