"""Stage `ingest`: the raw files of a source become contract tables, checked, in `OUT/tables`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter

import duckdb
from ibis.backends.duckdb import Backend
from tqdm import tqdm

from features import contracts
from features.errors import ConfigurationError, ContractError, HoldfastError
from features.tables import TABLES
from pipeline import csv_files, disk, feedback_files, raw_files, sources
from pipeline.params import Ingest
from pipeline.pseudonyms import Pseudonyms
from pipeline.staging import database, staging, swap

log = logging.getLogger("holdfast")

FEEDBACK = "feedback"
_NEEDED = "Put the source's raw files, CSV or Parquet, into a folder and name it with --data."
_WRONG_SQL = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)


@dataclass(frozen=True)
class TableSummary:
    """Rows kept, rows set aside by reason, and columns of the source that the contract does not know."""

    rows: int
    quarantined: dict[str, int]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class IngestSummary:
    """What was ingested; `str()` of it is the stage's closing line."""

    tables: dict[str, TableSummary]
    first_order: date
    last_order: date
    accounts_without_orders: int

    def __str__(self) -> str:
        parts = []
        for name, table in self.tables.items():
            notes = [f"{count:,} set aside because {reason}" for reason, count in table.quarantined.items()]
            if table.ignored:
                notes.append(f"left out unknown columns {', '.join(table.ignored)}")
            parts.append(f"{name} {table.rows:,} rows" + (f" ({'; '.join(notes)})" if notes else ""))
        parts.append(f"orders from {self.first_order} to {self.last_order}")
        if self.accounts_without_orders:
            parts.append(f"{self.accounts_without_orders:,} of the accounts without orders, which will not be scored")
        return "; ".join(parts)


def ingest(source: str, data: Path, out: Path, params: Ingest, root: Path) -> IngestSummary:
    """Make contract tables of the CSV and Parquet files in `data`.

    `sources/SOURCE/TABLE.sql` under `root` selects each table from the raw files, whose names without suffix are
    tables in it. A source without SQL has its files in contract form already, and so has one with a connection, whose SQL
    `holdfast extract` has run. Writes `out/tables/TABLE.parquet` and
    `out/quarantine/TABLE.parquet`, all of them or, after an error, none: what was there before stays.

    Of every source, files named `feedback*.csv` in `data` or in `out/feedback` make the table `feedback`, beside what the
    source itself may have of it; but a file of `data` that the source's SQL reads is that SQL's.

    With `params.pseudonymise` pseudonyms stand for the names of accounts, managers and prospects in all that is written.
    Files of feedback have them already: they are written on a report that has.

    Raises
    ------
    ConfigurationError
        If the source, the folder, a file name, the SQL, the memory limit or the key of the pseudonyms is wrong.
    ContractError
        If a file cannot be read or a table breaks its contract; all failures are in the message.
    LimitError
        If more than `params.quarantine_limit` of a table's rows are set aside.
    """
    started = perf_counter()
    connected = sources.connection(source, root / "sources") is not None
    # The SQL of a connected source has run where its data are.
    queries = {} if connected else sources.queries(source, root / "sources")
    otherwise = f"Run `holdfast extract --source {source}` first." if connected else _NEEDED
    files = raw_files.find(data, otherwise)
    if data.resolve() in ((out / "tables").resolve(), (out / "quarantine").resolve()):
        raise ConfigurationError(f"{data} is where ingest writes. Keep the raw files in another folder.")
    words = _feedback_files(queries, files, out / "feedback")
    files = {name: path for name, path in files.items() if path not in words}
    if not queries:
        raw_files.require_contract_names(data, files, otherwise)
    where = f"sources/{source}/*.sql or the database" if connected else "the extract"
    if queries:
        where = f"sources/{source}/*.sql or the extract"
    if words:
        where += " or the feedback files named"
    with staging(out, "ingest") as folder, database(folder, params.memory) as con:
        columns = {name: raw_files.register(con.con, name, path) for name, path in files.items()}
        summary = _ingest(con, source, queries, columns, files, words, where, folder, params)
        swap(folder, out, ("tables", "quarantine"))
    log.info("ingest %s: %s; %.1f s; wrote %s", source, summary, perf_counter() - started, out / "tables")
    return summary


def _ingest(
    con: Backend,
    source: str,
    queries: dict[str, Path],
    columns: dict[str, list[str]],
    files: dict[str, Path],
    words: list[Path],
    where: str,
    staged: Path,
    params: Ingest,
) -> IngestSummary:
    pseudonyms = Pseudonyms.of_environment() if params.pseudonymise else None
    own = [name for name in TABLES if name in (queries or files)]
    names = [name for name in TABLES if name in own or (name == FEEDBACK and words)]
    today = feedback_files.last_day()  # the source's clock may be of any zone
    # Words are given after the extract was made.
    latest = {name: params.latest or today for name in names} | {FEEDBACK: today}
    with tqdm(total=3 * len(names), desc=f"ingest {source}", unit="step", disable=None, leave=False) as bar:
        tables: dict[str, contracts.CastTable] = {}
        for name in names:
            if name in own:
                tables[name] = _cast(con, name, queries.get(name), files, columns, params)
                if pseudonyms and tables[name].columns:
                    pseudonyms.replace(con.con, TABLES[name], tables[name].columns)
            if name == FEEDBACK:
                tables[name] = _with_words(con, tables, words, params)
            bar.update()
        failures = []
        for name in names:
            failures += [*tables[name].failures, *contracts.check(con, tables, name, params.earliest, latest[name])]
            bar.update()
        if not failures and not tables["orders"].rows and not tables["orders"].quarantined:
            failures = ["orders: there are no rows."]
        contracts.refuse(
            failures, tables.values(), params.quarantine_limit, f"Correct {where}, then run `holdfast ingest` again."
        )
        for folder in ("tables", "quarantine"):
            (staged / folder).mkdir()
        for name in names:
            try:
                contracts.write(
                    con,
                    tables[name],
                    staged / "tables" / f"{name}.parquet",
                    staged / "quarantine" / f"{name}.parquet",
                )
            except duckdb.Error as error:
                if disk.is_full(error):
                    raise disk.full(error, staged.parent) from None
                raise HoldfastError(
                    f"Table {name} could not be written to {staged.parent}: {csv_files.first(error)} Nothing was changed there."
                ) from None
            bar.update()
    first, last = con.con.execute("SELECT min(ordered_at), max(ordered_at) FROM kept.orders").fetchall()[0]
    if first is None:
        raise ContractError(
            f"orders: every row is set aside ({', '.join(tables['orders'].quarantined)}). Correct {where}."
        )
    silent = 0
    if "accounts" in tables:
        without = "SELECT count(*) FROM kept.accounts ANTI JOIN kept.orders USING (account_id)"
        silent = con.con.execute(without).fetchall()[0][0]
    return IngestSummary(
        {name: TableSummary(item.rows, dict(item.quarantined), item.ignored) for name, item in tables.items()},
        first.date(),
        last.date(),
        silent,
    )


def _cast(
    con: Backend,
    name: str,
    query: Path | None,
    files: dict[str, Path],
    columns: dict[str, list[str]],
    params: Ingest,
) -> contracts.CastTable:
    relation = f"main.{contracts.quote(name)}"
    try:
        if query is not None:
            con.con.execute("CREATE SCHEMA IF NOT EXISTS selected")
            # Not named as the table: a raw file may have that name, and would be hidden by it.
            relation = f"selected.{contracts.quote(query.name)}"
            con.con.execute(f"CREATE VIEW {relation} AS {sources.one_select(con.con, query)}")
        return contracts.cast(con, TABLES[name], relation)
    except duckdb.OutOfMemoryException as error:
        raise ConfigurationError(
            f"Table {name} needs more than ingest.memory ({params.memory}). Raise it in params.yaml. DuckDB: {csv_files.first(error)}"
        ) from None
    except duckdb.Error as error:
        if query is None:
            raise csv_files.unreadable(files[name], error) from None
        if disk.is_full(error):
            raise disk.full(error) from None
        if isinstance(error, _WRONG_SQL):
            raw = "\n".join(f"  {raw}: {', '.join(found)}" for raw, found in columns.items())
            raise ConfigurationError(
                f"{query} does not run: {csv_files.first(error)}\nRaw files and their columns:\n{raw}\n"
                "Correct the SQL, or put the missing file into the data folder."
            ) from None
        raise ContractError(
            f"{query} cannot read the raw data: {csv_files.first(error)}\nCorrect the extract, or use TRY_CAST in the SQL so that "
            "such values become empty."
        ) from None


def _feedback_files(queries: dict[str, Path], files: dict[str, Path], kept: Path) -> list[Path]:
    """The files of feedback among `files` that no SQL of the source reads, and those in `kept`, the latest last."""
    read = {name.casefold() for query in queries.values() for name in _tables_read(query)}
    given = [path for name, path in files.items() if feedback_files.is_feedback(path) and name.casefold() not in read]
    return feedback_files.ordered([*given, *feedback_files.in_folder(kept)])


def _tables_read(query: Path) -> list[str]:
    """The tables that a SELECT names; none where it is no SELECT, which is told elsewhere."""
    parsed = "SELECT json_extract_string(json_serialize_sql(?), '$..table_name')"
    with duckdb.connect() as con:
        rows = con.execute(parsed, [sources.text_of(query)]).fetchall()
    return list(rows[0][0] or [])


def _with_words(
    con: Backend, tables: dict[str, contracts.CastTable], words: list[Path], params: Ingest
) -> contracts.CastTable:
    """The table of feedback with the words of the files. They replace what the source's own table, if there is one, says
    by the same person on the same account and day: nobody can correct a file's word but in a later file."""
    own = tables.get(FEEDBACK)
    failures: list[str] = [] if own is None else list(own.failures)
    if words:
        known = [name for name in ("accounts", "orders") if name in tables and tables[name].columns]
        said = feedback_files.load(con.con, words, params.earliest, f"kept.{known[0]}" if known else None)
        failures += said.failures
        relation = said.relation
        if own is not None and own.columns:
            relation = feedback_files.joined(con.con, own.columns, said.relation)
        if own is None or own.columns:
            cast = contracts.cast(con, TABLES[FEEDBACK], relation)
            failures += [line for line in cast.failures if line not in failures]
            own = replace(cast, ignored=() if own is None else own.ignored)
    assert own is not None
    if own.columns:
        failures += feedback_files.reason_failures(con.con, own.columns)
    return replace(own, failures=tuple(failures))
