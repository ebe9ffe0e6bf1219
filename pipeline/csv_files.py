"""How CSV files are read: text columns only, nothing guessed but the separator, and what is said when that fails."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb

from features import contracts
from features.errors import ContractError, HoldfastError
from pipeline import disk


def options(path: Path) -> str:
    """Options of `read_csv`: the separator is the commonest in the header, all else is fixed.

    A bad value is then counted by the contract instead of changing the type of its column; left to itself, DuckDB's
    sniffer would also skip the header and first rows where their number of fields differs from that of later ones.
    """
    return f", header=true, delim={contracts.literal(_separator(path))}, quote='\"', escape='\"', skip=0, comment=''"


def header(path: Path) -> list[str]:
    """The names of the columns as the file has them; DuckDB gives a name that comes twice another one.

    Raises ContractError if the first line cannot be read.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return next(csv.reader(file, delimiter=_separator(path)), [])
        except csv.Error as error:
            raise ContractError(f"{path}: its header cannot be read: {error}. Export it again.") from None


def _separator(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline().decode("utf-8", errors="replace")
    return max(",;\t|", key=line.count)


def literal(path: Path) -> str:
    """The path as SQL text that the reader does not take for a pattern."""
    return contracts.literal("".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path)))


def require_content(path: Path) -> None:
    """Raise ContractError if there is not so much as a header."""
    if path.stat().st_size == 0:
        raise ContractError(f"{path} is empty. Export it again, with a header line at least.")


def unreadable(path: Path, error: duckdb.Error) -> HoldfastError:
    """What to say of a file, CSV or Parquet, that DuckDB does not read."""
    if disk.is_full(error):
        return disk.full(error)
    if path.suffix.lower() == ".csv":
        advice = (
            "as UTF-8, with a header line, as many fields in every row, and quotes around text that holds the separator"
        )
        return ContractError(f"{path} cannot be read as CSV: {first(error)}\nExport it again {advice}.")
    return ContractError(f"{path} cannot be read as Parquet: {first(error)}\nExport it again.")


def first(error: duckdb.Error) -> str:
    """What DuckDB says on one line, without the SQL around it and advice for those who call it themselves."""
    return " ".join(re.split(r"\n\n|\n\s*Possible |\n\s*The search space", str(error))[0].split())
