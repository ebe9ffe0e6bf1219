"""Folds on Apache Spark: the same Ibis expressions, and the same blocks slid inside its executors.

A kept table is a cached one. Its rows travel once, all tables' together, so that each partition holds one block of
accounts; there NumPy makes the part, as it does here on DuckDB. Parts stay where they are, as bytes, until they are
asked for.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis.util import gen_name

from features import errors
from features.declaration import Expression
from features.engines import Rows, Work
from features.errors import ConfigurationError, HoldfastError
from features.parts import Change, Parts

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",  # a date is UTC midnight
    "spark.driver.memory": "4g",  # Spark's 1g is little where the driver works too, as on local[2]
    "spark.sql.shuffle.partitions": "8",  # enough for a few cores; a cluster's own settings raise it
}
PACKED = "block int, part binary, failure string"
FETCHED = 4  # parts that come here at a time
TEXT = "account_id"  # the only text that blocks read


def connect(master: str, settings: Mapping[str, Any]) -> Any:
    """An Ibis connection to a Spark session on `master`, begun with `settings` over SETTINGS, or to the one there is.

    A setting may hold "${NAME}", which stands for an environment variable. Raises ConfigurationError if such a variable
    is not set, without PySpark, without Java, or if the session cannot be begun.
    """
    given = {
        name: _from_environment(name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in settings.items()
    }
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise ConfigurationError(
            "featurize.engine is spark, and PySpark is not installed. Run `pip install 'holdfast[spark]'`, with Java 17 "
            "on the machine (`apt-get install openjdk-17-jre-headless`), or set featurize.engine to duckdb."
        ) from None
    if master.startswith("local"):  # executors are run by this Python, not by whichever comes first in PATH
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("holdfast")
    for name, value in {**SETTINGS, **given}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except PySparkException as error:
        raise ConfigurationError(_cannot_begin(master, error)) from None
    except Exception as error:  # what Java throws has classes of py4j, which come with PySpark only
        if type(error).__module__.startswith("py4j"):
            raise ConfigurationError(_cannot_begin(master, error)) from None
        raise
    return ibis.pyspark.connect(session)


def _cannot_begin(master: str, error: Exception) -> str:
    # What Spark says may repeat settings, secrets among them: only its kind is told.
    return (
        f"No Spark session at featurize.spark.master {master!r} ({type(error).__name__}). Spark 4 needs Java 17 "
        "(`java -version`; JAVA_HOME says which one is used), and a master as local[2] or spark://host:7077; see its own "
        "log above, and featurize.spark.settings."
    )


def _from_environment(name: str, value: str) -> str:
    def found(match: re.Match[str]) -> str:
        if (variable := os.environ.get(match[1])) is None:
            raise ConfigurationError(
                f"featurize.spark.settings: {name} names the environment variable {match[1]}, which is not set. Set it, "
                "or correct the name."
            )
        return variable

    return re.sub(r"\$\{(\w+)\}", found, value)


class Spark:
    """Cached tables of a Spark session; blocks slide in its executors."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._session = connection._session
        self._prefix = gen_name("fold") + "_"
        self._frames: dict[str, Any] = {}

    def of_contract(self, table: Expression) -> Expression:
        return table

    def put(self, name: str, rows: pa.Table) -> Expression:
        from pyspark.sql.functions import broadcast

        # Small by contract, which Spark cannot know: it joins by sending the table to all rows of the other one.
        self._name(name, broadcast(self._session.createDataFrame(rows)))
        return self._connection.table(self._prefix + name)

    def store(self, name: str, what: Expression) -> Expression:
        from pyspark import StorageLevel

        self._name(name, self._rows(what).persist(StorageLevel.MEMORY_AND_DISK))
        return ibis.table(what.schema(), name=self._prefix + name)

    def wait(self) -> None:
        """Nothing: Spark works out a table where it is first asked for."""

    def query(self, what: Expression) -> pa.Table:
        return self._rows(what).toArrow()

    def blocks(
        self, kept: Mapping[str, Sequence[str]], accounts: int, size: int, work: Work, progress: bool = False
    ) -> Parts:
        names = list(kept)
        wholes: list[list[str]] = []
        numbers: list[list[str]] = []
        rows = []
        for place, name in enumerate(names):
            kinds = dict(self._frames[name].dtypes)
            numbers.append([column for column in kept[name] if kinds[column] in ("double", "float")])
            wholes.append([column for column in kept[name] if column not in (*numbers[-1], TEXT)])
            rows.append(
                self._frames[name].selectExpr(
                    f"CAST(code DIV {size} AS INT) AS block",
                    f"{place} AS place",
                    f"array({', '.join(f'CAST(`{column}` AS BIGINT)' for column in wholes[-1])}) AS wholes",
                    f"CAST(array({', '.join(f'`{column}`' for column in numbers[-1])}) AS ARRAY<DOUBLE>) AS numbers",
                    f"{f'`{TEXT}`' if TEXT in kept[name] else 'CAST(NULL AS STRING)'} AS text",
                )
            )
        together = reduce(lambda one, other: one.unionAll(other), rows)
        tables = {name: (place, wholes[place], numbers[place], TEXT in kept[name]) for place, name in enumerate(names)}
        slide = partial(_slide, tables, accounts, size, work)
        count = -(-accounts // size)
        blocks = together.repartitionById(count, together["block"])
        return SparkParts(_applied(self._session, blocks, slide))

    def close(self) -> None:
        for name, frame in self._frames.items():
            self._session.catalog.dropTempView(self._prefix + name)
            frame.unpersist()

    def _name(self, name: str, frame: Any) -> None:
        frame.createOrReplaceTempView(self._prefix + name)
        self._frames[name] = frame

    def _rows(self, what: Expression) -> Any:
        return self._session.sql(self._connection.compile(what))


class SparkParts:
    """Parts as rows of bytes, a partition each, in their order."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __iter__(self) -> Iterator[pa.Table]:
        from pyspark import StorageLevel

        frame = self._frame.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            count = frame.count()  # all at a time; what follows asks for a few after the other
            for first in range(0, count, FETCHED):
                # As Arrow: a local iterator over rows would have Java write the bytes as text, four times their size.
                yield from _opened(frame.filter(frame["block"].between(first, first + FETCHED - 1)).toArrow())
        finally:
            frame.unpersist()

    def map(self, change: Change) -> SparkParts:
        return SparkParts(_applied(self._frame.sparkSession, self._frame, partial(_change, change)))

    def gather(self, change: Change) -> list[pa.Table]:
        return list(_opened(self.map(change)._frame.toArrow()))

    def released(self) -> SparkParts:
        return self  # the executors spill what they have no memory for

    @contextmanager
    def kept(self) -> Iterator[SparkParts]:
        from pyspark import StorageLevel

        frame = self._frame.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            yield SparkParts(frame)
        finally:
            frame.unpersist()


def _applied(session: Any, frame: Any, work: Any) -> Any:
    """The frame after `work` on the batches of each partition; its data, as a model, reach an executor once."""
    from pyspark import cloudpickle

    shipped = session.sparkContext.broadcast(cloudpickle.dumps(work))

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = list(batches)
        if rows:
            yield from _unpacked(shipped)(pa.Table.from_batches(rows)).to_batches()

    return frame.mapInArrow(run, PACKED)


def _unpacked(shipped: Any) -> Any:
    from pyspark import cloudpickle

    return cloudpickle.loads(shipped.value)


def _slide(
    tables: Mapping[str, tuple[int, list[str], list[str], bool]], accounts: int, size: int, work: Work, rows: pa.Table
) -> pa.Table:
    """One block's part: what `work` makes of the rows of all its tables."""
    block = int(rows["block"][0].as_py())
    low = block * size
    rows = rows.combine_chunks()
    place = rows["place"].to_numpy()
    rows = rows.take(np.argsort(place, kind="stable"))
    ends = np.cumsum(np.bincount(place, minlength=len(tables)))

    def read(name: str) -> Rows:
        number, wholes, numbers, text = tables[name]
        end = int(ends[number])
        start = int(ends[number - 1]) if number else 0
        own = rows.slice(start, end - start).combine_chunks()
        found = {**_columns(own["wholes"], wholes), **_columns(own["numbers"], numbers)}
        if text:
            found[TEXT] = own["text"].to_numpy()
        found["code"] = found["code"] - low
        return found

    return _packed(block, lambda: work(read, low, min(low + size, accounts)))


def _columns(lists: pa.ChunkedArray, names: Sequence[str]) -> dict[str, Any]:
    values = pa.chunked_array([chunk.flatten() for chunk in lists.chunks], lists.type.value_type).to_numpy()
    return dict(zip(names, values.reshape(-1, len(names)).T, strict=True)) if names else {}


def _change(change: Change, rows: pa.Table) -> pa.Table:
    (row,) = rows.to_pylist()
    return rows if row["failure"] else _packed(row["block"], lambda: change(_table(row["part"])))


def _packed(block: int, work: Any) -> pa.Table:
    """The table that `work` makes as bytes, or the user's mistake that it met."""
    part, failure = None, None
    try:
        table = work()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        part = sink.getvalue().to_pybytes()
    except HoldfastError as error:
        failure = f"{type(error).__name__}:{error}"
    schema = pa.schema([("block", pa.int32()), ("part", pa.binary()), ("failure", pa.string())])
    return pa.table({"block": [block], "part": [part], "failure": [failure]}, schema=schema)


def _opened(rows: pa.Table) -> Iterator[pa.Table]:
    """The parts of some rows, in order. Raises the user's mistake that was met instead of one."""
    for row in rows.sort_by("block").to_pylist():
        if row["failure"]:
            kind, _, text = row["failure"].partition(":")
            raise getattr(errors, kind)(text)
        yield _table(row["part"])


def _table(part: bytes) -> pa.Table:
    return pa.ipc.open_stream(part).read_all()
