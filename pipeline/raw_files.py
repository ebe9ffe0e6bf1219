"""The raw files of a source: found in their folder, and made tables of DuckDB under their own names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features import contracts
from features.errors import ConfigurationError, ContractError
from features.tables import TABLES
from pipeline import csv_files

SUFFIXES = (".parquet", ".csv")


def find(data: Path, otherwise: str) -> dict[str, Path]:
    """The CSV and Parquet files of the folder by their names without suffix.

    Raises ConfigurationError, which ends with `otherwise`, if there are none, or if two have one name.
    """
    if not data.exists():
        raise ConfigurationError(f"The folder {data} does not exist. {otherwise}")
    if not data.is_dir():
        raise ConfigurationError(f"{data} is a file. Name the folder it lies in.")
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
            f"The folder {data} holds no CSV or Parquet file; it holds {there or 'nothing'}. {otherwise}"
        )
    return files


def require_contract_names(data: Path, files: dict[str, Path], otherwise: str) -> None:
    """Raise ConfigurationError if a file is no contract table, or none is that of orders."""
    for name, path in files.items():
        if name not in TABLES:
            raise ConfigurationError(
                f"{path}: there is no contract table {name!r}{contracts.suggest(name, TABLES)}. Rename the file or take it "
                f"away. Tables are {', '.join(TABLES)}."
            )
    if "orders" not in files:
        there = ", ".join(path.name for path in files.values())
        raise ConfigurationError(f"{data} needs orders.parquet or orders.csv; it holds {there}. {otherwise}")


def register(con: duckdb.DuckDBPyConnection, name: str, path: Path) -> list[str]:
    """Make a raw file a view `main.NAME`; its columns.

    Raises ContractError if it cannot be read, or two columns have one name: which of them is meant nobody can tell.
    """
    csv_files.require_content(path)
    options = f", all_varchar=true{csv_files.options(path)}" if path.suffix.lower() == ".csv" else ""
    reader = f"read_{path.suffix.lower()[1:]}({csv_files.literal(path)}{options})"
    try:
        con.execute(f"CREATE VIEW main.{contracts.quote(name)} AS SELECT * FROM {reader}")
        columns = [str(row[0]) for row in con.execute(f"DESCRIBE main.{contracts.quote(name)}").fetchall()]
    except duckdb.Error as error:
        raise csv_files.unreadable(path, error) from None
    _require_names_once(path)
    return columns


def _require_names_once(path: Path) -> None:
    if path.suffix.lower() == ".csv":
        names = csv_files.header(path)
    else:
        try:
            names = pq.read_schema(path).names
        except (pa.ArrowException, OSError) as error:
            raise ContractError(f"{path} cannot be read as Parquet: {error}\nExport it again.") from None
    counts = Counter(name.casefold() for name in names if name)
    twice = [name for name in names if counts[name.casefold()] > 1]
    if twice:
        raise ContractError(
            f"{path} has {len(twice)} columns that share their name, for example {twice[0]!r} and {twice[1]!r}. Give each "
            "column a name of its own, whatever its case, and export it again."
        )
