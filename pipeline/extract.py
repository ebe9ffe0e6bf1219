"""Stage `extract`: the SQL of a source runs in its own database; what it gives becomes the raw files, as Parquet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import duckdb
import pyarrow as pa
from ibis.backends.duckdb import Backend
from tqdm import tqdm

from features import contracts
from features.errors import ConfigurationError, ContractError, HoldfastError
from features.tables import TABLES
from pipeline import connections, csv_files, sources
from pipeline.layout import Layout
from pipeline.params import Ingest
from pipeline.staging import database, staging, swap

log = logging.getLogger("holdfast")

_USABLE = (
    *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null),
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary),
    *(pa.types.is_date, pa.types.is_timestamp),
)


@dataclass(frozen=True)
class ExtractSummary:
    """Rows of each table; `str()` of it is the stage's closing line."""

    rows: dict[str, int]

    def __str__(self) -> str:
        return ", ".join(f"{name} {count:,} rows" for name, count in self.rows.items())


def run(layout: Layout, params: Ingest) -> ExtractSummary:
    """Run each `sources/SOURCE/TABLE.sql` in the database that its source.yaml names, into `data/SOURCE/raw/TABLE.parquet`.

    Rows are sorted by all columns, so that the same rows give the same bytes and DVC sees that nothing is new. The files
    are replaced all together, or after an error none. Memory is bounded by `params.memory`.

    Raises
    ------
    ConfigurationError
        If source.yaml, the environment variable, the database, its permissions or the SQL is wrong.
    ContractError
        If a value cannot be taken over, or there are no orders.
    """
    started = perf_counter()
    folder = layout.root / "sources"
    connection = sources.connection(layout.source, folder)
    path = folder / layout.source / sources.FILE
    if connection is None:
        raise ConfigurationError(
            f"There is no {path}, so {layout.source!r} is a source of files: `holdfast ingest --data FOLDER` takes them. "
            "To take its data from a database, write that file; docs/connections.md says how."
        )
    queries = sources.queries(layout.source, folder)
    if not queries:
        raise ConfigurationError(f"{path.parent} has no orders.sql. Write it: one SELECT on the database.")
    _require_own(layout.raw)
    url = connections.url_from(connection.url_from, path)
    rows = {}
    with (
        staging(layout.data, "extract") as staged,
        database(staged, params.memory) as con,
        connections.connect(url, connection.url_from, layout.root) as engine,
        tqdm(desc=f"extract {layout.source}", unit=" rows", unit_scale=True, disable=None, leave=False) as bar,
    ):
        (staged / "raw").mkdir()
        for name in (name for name in TABLES if name in queries):
            bar.set_postfix_str(name)
            with engine.read(queries[name]) as reader:
                rows[name] = _write(
                    con, reader, queries[name], staged / "raw" / f"{name}.parquet", params.memory, bar.update
                )
        if not rows["orders"]:
            raise ContractError(
                f"{queries['orders']} gives no rows. Nothing was changed here. Correct the SQL, or the database."
            )
        swap(staged, layout.data, ("raw",))
    summary = ExtractSummary(rows)
    log.info("extract %s: %s; %.1f s; wrote %s", layout.source, summary, perf_counter() - started, layout.raw)
    return summary


def _write(
    con: Backend, reader: pa.RecordBatchReader, query: Path, path: Path, memory: str, progress: Callable[[int], object]
) -> int:
    """Sort the batches, on disk where they exceed the memory, into a Parquet file; the number of rows."""
    _require_columns(reader.schema, query)
    rows = 0
    failed: list[Exception] = []

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        try:
            for batch in reader:
                rows += batch.num_rows
                progress(batch.num_rows)
                yield batch
        except Exception as error:  # DuckDB would pass on no more than its text
            failed.append(error)
            raise

    con.con.register("stream", pa.RecordBatchReader.from_batches(reader.schema, counted()))
    try:
        con.con.execute(
            f"COPY (SELECT * FROM stream ORDER BY ALL) TO {contracts.literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )
    except duckdb.Error as error:
        if failed:
            raise failed[0] from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise ConfigurationError(
                f"{query} gives more than can be sorted in ingest.memory ({memory}). Raise it in params.yaml. "
                f"DuckDB: {csv_files.first(error)}"
            ) from None
        raise HoldfastError(f"{path.name} could not be written: {csv_files.first(error)}\nIs the disk full?") from None
    finally:
        con.con.unregister("stream")
    return rows


def _require_columns(schema: pa.Schema, query: Path) -> None:
    """Raise ConfigurationError if a column's name repeats, whatever its case, or its type cannot be used."""
    seen: dict[str, str] = {}
    for name in schema.names:
        if name.casefold() in seen:
            raise ConfigurationError(f"{query} gives two columns {name!r}. Name them apart by AS, or leave one out.")
        seen[name.casefold()] = name
    unfit = [f"{field.name} ({field.type})" for field in schema if not any(usable(field.type) for usable in _USABLE)]
    if unfit:
        raise ConfigurationError(
            f"{query} gives columns of types that cannot be used: {', '.join(unfit)}. Cast them to text, a number, a date or a "
            "time, or leave them out."
        )


def _require_own(raw: Path) -> None:
    """Raise ConfigurationError if the folder that is replaced holds what no extract can have written."""
    if raw.is_symlink() or not raw.exists():
        return
    names = [f"{name}.parquet" for name in TABLES]
    others = [path.name for path in raw.iterdir() if path.name not in names] if raw.is_dir() else [raw.name]
    if others:
        raise ConfigurationError(
            f"{raw} holds {others[0]}, which no extract wrote, and would be replaced. Move it away, then run again."
        )
