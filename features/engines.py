"""Where a fold runs: how an engine keeps its tables, and how blocks of accounts are worked through. DuckDB, in this process.

All that differs between engines is an `Engine`; that of Spark is in `features/spark.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import ibis
import numpy.typing as npt
import pyarrow as pa
from ibis.expr import operations as ops
from ibis.util import gen_name
from tqdm import tqdm

from features.declaration import Expression
from features.errors import ConfigurationError
from features.parts import THREADS, LocalParts, Parts, ahead
from features.tables import TABLES

Rows = Mapping[str, npt.NDArray[Any]]  # column -> values; nothing is NaN
Read = Callable[[str], Rows]  # a kept table, by name, for the accounts of a block, whose `code` counts from 0
Work = Callable[[Read, int, int], pa.Table]  # of the accounts low .. high - 1


ANY_FOLD = "any fold: "  # stands in expressions for the prefix of a fold's tables; no name of a contract has a colon


class Engine(Protocol):
    """What one fold has an engine keep."""

    def of_contract(self, table: Expression) -> Expression:
        """The contract table as the fold's expressions name it."""

    def put(self, name: str, rows: pa.Table) -> Expression:
        """Hand over a small table."""

    def store(self, name: str, what: Expression) -> Expression:
        """Keep the table `what`; it is there once `wait` returns, and tables kept later may read it."""

    def wait(self) -> None:
        """Until all that was to be kept can be read."""

    def query(self, what: Expression) -> pa.Table:
        """The rows of a table expression, here: for what is small."""

    def blocks(
        self, kept: Mapping[str, Sequence[str]], accounts: int, size: int, work: Work, progress: bool = False
    ) -> Parts:
        """What `work` makes of each `size` of the accounts, 0 .. accounts - 1 by the column `code`.

        It may read these columns of the `kept` tables: numbers, and texts of the column account_id.
        """

    def close(self) -> None:
        """Let go of all that is kept."""


def connect(memory: str, spill: Path | None = None) -> Any:
    """An Ibis connection to an in-memory DuckDB that holds at most `memory` and spills to `spill` beyond it."""
    options = {"memory_limit": memory, "autoinstall_known_extensions": False}
    if spill is not None:
        options["temp_directory"] = str(spill)
    return ibis.duckdb.connect(**options)


def open_tables(connection: Any, folder: Path) -> dict[str, Expression]:
    """The contract tables that `folder` holds, as lazy Ibis tables.

    Raises ConfigurationError if there is no `orders.parquet`.
    """
    if not (folder / "orders.parquet").exists():
        raise ConfigurationError(f"{folder} has no orders.parquet. Run `holdfast ingest` for this source first.")
    names = [name for name in TABLES if (folder / f"{name}.parquet").exists()]
    return {name: connection.read_parquet(str(folder / f"{name}.parquet"), table_name=f"raw_{name}") for name in names}


def engine_of(connection: Any) -> Engine:
    """The engine behind an Ibis connection, with nothing kept yet."""
    if connection.name == "pyspark":
        from features.spark import Spark  # the extra may be missing

        return Spark(connection)
    return DuckDB(connection)


@lru_cache(1_000)
def _written(what: ops.Node) -> str:
    """The SQL of a table expression. Writing it takes longer than small tables take to be folded, and folds of other
    cut-offs ask for the same."""
    sql: str = ibis.to_sql(what.to_expr(), dialect="duckdb", pretty=False)
    return sql


class DuckDB:
    """Temporary tables of one DuckDB; blocks slide in threads while the next ones are read."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._prefix = gen_name("fold") + "_"
        self._created: list[str] = []
        self._reading = Lock()
        # The engine works on one table while the next one's SQL is written: writing takes a third as long as working.
        self._worker = ThreadPoolExecutor(1)
        self._working: list[Future[Any]] = []

    def of_contract(self, table: Expression) -> Expression:
        """By its name alone, whatever the connection: what is remembered of one serves another, and holds none open."""
        return table.unbind()

    def put(self, name: str, rows: pa.Table) -> Expression:
        self._connection.create_table(self._new(name), rows, temp=True)
        return ibis.table(ibis.schema(rows.schema), name=ANY_FOLD + name)

    def store(self, name: str, what: Expression) -> Expression:
        # By account, so that a block reads the rows of its accounts and not the whole table.
        order = " ORDER BY code" if "code" in what.columns else ""
        sql = f'CREATE TEMP TABLE "{self._new(name)}" AS SELECT * FROM ({self._sql(what)}){order}'
        self._working.append(self._worker.submit(self._connection.raw_sql, sql))
        return ibis.table(what.schema(), name=ANY_FOLD + name)

    def wait(self) -> None:
        while self._working:
            self._working.pop(0).result()

    def query(self, what: Expression) -> pa.Table:
        return self._connection.con.sql(self._sql(what)).to_arrow_table().cast(what.schema().to_pyarrow())

    def _sql(self, what: Expression) -> str:
        return _written(what.op()).replace(f'"{ANY_FOLD}', f'"{self._prefix}')

    def blocks(
        self, kept: Mapping[str, Sequence[str]], accounts: int, size: int, work: Work, progress: bool = False
    ) -> Parts:
        starts = range(0, accounts, size)

        def part(low: int) -> pa.Table:
            high = min(low + size, accounts)
            return work(lambda name: self._read(name, kept[name], low, high), low, high)

        def parts() -> Iterator[pa.Table]:
            with (
                ThreadPoolExecutor(THREADS) as pool,
                tqdm(total=len(starts), desc="blocks", disable=None if progress else True) as bar,
            ):
                for done in ahead(pool, part, starts):
                    bar.update()
                    yield done

        return LocalParts(parts())

    def close(self) -> None:
        self._worker.shutdown(cancel_futures=True)
        for name in self._created:
            self._connection.drop_table(name, force=True)

    def _new(self, name: str) -> str:
        self._created.append(self._prefix + name)
        return self._created[-1]

    def _read(self, name: str, columns: Sequence[str], low: int, high: int) -> Rows:
        chosen = ", ".join(f'"{column}"' for column in columns)
        sql = f'SELECT {chosen} FROM "{self._prefix}{name}" WHERE code BETWEEN {low} AND {high - 1}'
        with self._reading:  # blocks slide in parallel; the engine's connection serves one at a time
            table = self._connection.con.sql(sql).to_arrow_table()
        rows = {name: values.to_numpy() for name, values in zip(columns, table.columns, strict=True)}
        rows["code"] = rows["code"] - low
        return rows
