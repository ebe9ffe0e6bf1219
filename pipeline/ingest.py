"""Stage `ingest`: the raw files of a source become contract tables, checked, in `OUT/tables`."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

import duckdb
import ibis
from ibis.backends.duckdb import Backend
from tqdm import tqdm

from features import contracts
from features.errors import ConfigurationError, ContractError, HoldfastError
from features.tables import TABLES
from pipeline import csv_files, feedback_files
from pipeline.params import Ingest
from pipeline.pseudonyms import Pseudonyms

log = logging.getLogger("holdfast")

SUFFIXES = (".parquet", ".csv")
FEEDBACK = "feedback"
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
    tables in it. A source without SQL has its files in contract form already. Writes `out/tables/TABLE.parquet` and
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
    pseudonyms = Pseudonyms.of_environment() if params.pseudonymise else None
    queries = _queries(source, root / "sources")
    files = _raw_files(data)
    if data.resolve() in ((out / "tables").resolve(), (out / "quarantine").resolve()):
        raise ConfigurationError(f"{data} is where ingest writes. Keep the raw files in another folder.")
    words = _feedback_files(queries, files, out / "feedback")
    files = {name: path for name, path in files.items() if path not in words}
    if not queries:
        _require_contract_names(data, files)
    with _staging(out) as staging, _connection(staging, params) as con:
        columns = {name: _register(con, name, path) for name, path in files.items()}
        summary = _ingest(con, source, queries, columns, files, words, staging, params, pseudonyms)
        _swap(staging, out)
    log.info("ingest %s: %s; %.1f s; wrote %s", source, summary, perf_counter() - started, out / "tables")
    return summary


def _ingest(
    con: Backend,
    source: str,
    queries: dict[str, Path],
    columns: dict[str, list[str]],
    files: dict[str, Path],
    words: list[Path],
    staging: Path,
    params: Ingest,
    pseudonyms: Pseudonyms | None,
) -> IngestSummary:
    own = [name for name in TABLES if name in (queries or files)]
    names = [name for name in TABLES if name in own or (name == FEEDBACK and words)]
    today = datetime.now(UTC).date()
    # Words are given after the extract was made, and by the clock of who gives them.
    latest = {name: params.latest or today for name in names} | {FEEDBACK: feedback_files.last_day()}
    where = f"sources/{source}/*.sql or the extract" if queries else "the extract"
    if words:
        where += " or the feedback files named"
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
            (staging / folder).mkdir()
        for name in names:
            try:
                contracts.write(
                    con,
                    tables[name],
                    staging / "tables" / f"{name}.parquet",
                    staging / "quarantine" / f"{name}.parquet",
                )
            except duckdb.Error as error:
                raise HoldfastError(f"Table {name} could not be written: {error}\nIs the disk full?") from None
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


def _queries(source: str, sources: Path) -> dict[str, Path]:
    """The SQL file of each contract table; none for a source whose files are in contract form."""
    known = sorted(path.name for path in sources.iterdir() if path.is_dir()) if sources.is_dir() else []
    if source not in known:
        raise ConfigurationError(
            f"There is no source {source!r}{_suggest(source, known)}. Sources in {sources}: {', '.join(known) or 'none'}. "
            f"Name one of them, or make {sources / source} with an orders.sql."
        )
    queries = {path.stem: path for path in sorted((sources / source).glob("*.sql"))}
    for name, path in queries.items():
        if name not in TABLES:
            raise ConfigurationError(
                f"{path}: there is no contract table {name!r}{_suggest(name, TABLES)}. Tables are {', '.join(TABLES)}."
            )
    if queries and "orders" not in queries:
        raise ConfigurationError(
            f"{sources / source} has no orders.sql. Write it: orders are the one table that must be there."
        )
    return queries


def _raw_files(data: Path) -> dict[str, Path]:
    """The CSV and Parquet files of the folder by their names without suffix."""
    needed = "It must be a folder with the source's raw files, CSV or Parquet."
    if not data.exists():
        raise ConfigurationError(f"The folder {data} does not exist. {needed} Make it, or name another one.")
    if not data.is_dir():
        raise ConfigurationError(f"{data} is a file. {needed} Name the folder it lies in.")
    present = sorted(path for path in data.iterdir() if not path.name.startswith("."))
    files: dict[str, Path] = {}
    for path in present:
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            continue
        # DuckDB's names know no case.
        twin = next((other for name, other in files.items() if name.casefold() == path.stem.casefold()), None)
        if twin:
            raise ConfigurationError(f"{data} holds both {twin.name} and {path.name}. Keep one of them.")
        files[path.stem] = path
    if not files:
        there = ", ".join(path.name for path in present[:8]) + (", ..." if len(present) > 8 else "")
        raise ConfigurationError(
            f"The folder {data} holds no CSV or Parquet file; it holds {there or 'nothing'}. Put the raw files there."
        )
    return files


def _require_contract_names(data: Path, files: dict[str, Path]) -> None:
    for name, path in files.items():
        if name not in TABLES:
            raise ConfigurationError(
                f"{path}: there is no contract table {name!r}{_suggest(name, TABLES)}. Rename the file or take it away. "
                f"Tables are {', '.join(TABLES)}."
            )
    if "orders" not in files:
        there = ", ".join(path.name for path in files.values())
        raise ConfigurationError(f"{data} needs orders.parquet or orders.csv; it holds {there}. Put the orders there.")


def _suggest(name: str, candidates: Iterable[str]) -> str:
    match = contracts.closest(name, candidates)
    return f"; did you mean {match!r}?" if match else ""


def _register(con: Backend, name: str, path: Path) -> list[str]:
    """Make a raw file a view `name`; its columns."""
    csv_files.require_content(path)
    options = f", all_varchar=true{csv_files.options(path)}" if path.suffix.lower() == ".csv" else ""
    reader = f"read_{path.suffix.lower()[1:]}({csv_files.literal(path)}{options})"
    try:
        con.con.execute(f"CREATE VIEW main.{contracts.quote(name)} AS SELECT * FROM {reader}")
        return [str(row[0]) for row in con.con.execute(f"DESCRIBE main.{contracts.quote(name)}").fetchall()]
    except duckdb.Error as error:
        raise csv_files.unreadable(path, error) from None


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
            con.con.execute(f"CREATE VIEW {relation} AS {_select(con, query)}")
        return contracts.cast(con, TABLES[name], relation)
    except duckdb.OutOfMemoryException as error:
        raise ConfigurationError(
            f"Table {name} needs more than ingest.memory ({params.memory}). Raise it in params.yaml. DuckDB: {csv_files.first(error)}"
        ) from None
    except duckdb.Error as error:
        if query is None:
            raise csv_files.unreadable(files[name], error) from None
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
        rows = con.execute(parsed, [query.read_text(encoding="utf-8")]).fetchall()
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


def _select(con: Backend, query: Path) -> str:
    text = query.read_text(encoding="utf-8")
    try:
        statements = con.con.extract_statements(text)
    except duckdb.Error as error:
        raise ConfigurationError(f"{query} is not SQL: {csv_files.first(error)}\nCorrect it.") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigurationError(f"{query} must hold one SELECT. Take other statements out.")
    return text


@contextmanager
def _connection(staging: Path, params: Ingest) -> Iterator[Backend]:
    """A DuckDB database within the staging folder, so that a table may be larger than memory."""
    spill = staging / "spill"
    spill.mkdir()
    try:
        con = ibis.duckdb.connect(
            staging / "ingest.duckdb",
            memory_limit=params.memory,
            temp_directory=str(spill),
            autoinstall_known_extensions=False,
        )
    except duckdb.Error as error:
        raise ConfigurationError(
            f"ingest.memory {params.memory!r} is not usable: {csv_files.first(error)} Write for example 2GB in params.yaml."
        ) from None
    try:
        yield con
    finally:
        con.disconnect()


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder beside `out`, on the same disk, that is gone afterwards."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.ingest-", dir=out.parent))
    except OSError as error:
        raise ConfigurationError(f"{out.parent} cannot be written: {error.strerror}. Name another folder.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _swap(staging: Path, out: Path) -> None:
    """Put the new folders in the place of the old ones; back again if one of them cannot be moved."""
    out.mkdir(exist_ok=True)
    done: list[tuple[Path, Path]] = []
    try:
        for name in ("tables", "quarantine"):
            if (out / name).exists():
                (out / name).rename(staging / f"old-{name}")
                done.append((staging / f"old-{name}", out / name))
            (staging / name).rename(out / name)
            done.append((out / name, staging / name))
    except OSError as error:
        for now, before in reversed(done):
            now.rename(before)
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}. Nothing was changed there.") from None
