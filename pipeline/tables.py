"""The contract tables, opened for a stage: in a DuckDB that spills to a folder of its own, or on Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from features import spark
from features.declaration import Expression
from features.engines import connect, open_tables
from features.errors import ConfigurationError, HoldfastError
from pipeline.artifacts import damaged
from pipeline.layout import Layout
from pipeline.params import Featurize


@contextmanager
def opened(layout: Layout, memory: str) -> Iterator[tuple[Any, dict[str, Expression]]]:
    """A connection of at most `memory` and the source's tables, lazy, while the context lasts.

    Raises ConfigurationError if there are none or they take more than `memory`, ContractError if one of them is damaged:
    DuckDB reads them as it goes, so that this may show late.
    """
    with TemporaryDirectory(prefix="holdfast-") as spill:
        connection = connect(memory, Path(spill))
        try:
            with _damage_told(layout):
                yield connection, open_tables(connection, layout.tables)
        except duckdb.OutOfMemoryException as error:
            raise ConfigurationError(
                f"It takes more than featurize.memory ({memory}). Raise it in params.yaml, or lower featurize.block. DuckDB: "
                f"{str(error).splitlines()[0]}"
            ) from None
        finally:
            connection.disconnect()


@contextmanager
def engine(layout: Layout, params: Featurize) -> Iterator[tuple[Any, dict[str, Expression]]]:
    """A connection to the engine of `params.yaml` and the source's tables in it, while the context lasts; raises as
    `opened` does."""
    if params.engine != "spark":
        with opened(layout, params.memory) as found:
            yield found
        return
    connection = spark.connect(params.spark.master, params.spark.settings)
    try:
        with _damage_told(layout):
            yield connection, open_tables(connection, layout.tables)
    finally:
        connection.disconnect()


@contextmanager
def _damage_told(layout: Layout) -> Iterator[None]:
    """Where an engine fails, whether a table is damaged, which engines tell in words of their own."""
    try:
        yield
    except (HoldfastError, duckdb.OutOfMemoryException):
        raise
    except Exception:
        _require_whole(layout.tables)
        raise


def _require_whole(folder: Path) -> None:
    """Raise ContractError for a table that cannot be read from end to end."""
    with duckdb.connect() as con:
        for path in sorted(folder.glob("*.parquet")):
            try:
                con.execute("SELECT max(hash(rows)) FROM read_parquet(?) AS rows", [str(path)]).fetchall()
            except duckdb.Error as error:
                raise damaged(path, str(error)) from None
