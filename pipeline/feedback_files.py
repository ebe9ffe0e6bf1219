"""Feedback files, as the report's page or a person writes them: found, read strictly, checked, brought to one table.

A file is `feedback*.csv` with the columns of `COLUMNS` in any order (`reason`, `by` and `recorded_at` may be absent). The
page writes into each file all that was said so far in its browser, so files repeat one another. Of one person's words on
one account and day, the one in the later file counts: files by name, numbers in it as numbers, then rows in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from features import contracts
from features.errors import ContractError, HoldfastError
from features.tables import TABLES
from models.taxonomy import taxonomy
from pipeline import csv_files

COLUMNS = ("account_id", "given_on", "verdict", "reason", "by")
HEADER = ",".join(COLUMNS) + "\r\n"
OPTIONAL = ("reason", "by", "recorded_at")
OTHER = "other_reason"
_UNREADABLE = (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException)
_FORMULA = r"^'[=+\-@\t\r]"  # the page's mark before a cell that would begin like a formula
_DAY = "TRY_CAST(TRY_CAST(given_on AS TIMESTAMPTZ) AS DATE)"
_LISTED = ", ".join(contracts.quote(name) for name in (*COLUMNS, "recorded_at"))
_TYPED = (
    'account_id, day AS given_on, verdict, reason, "by", '
    "TRY_CAST(TRY_CAST(recorded_at AS TIMESTAMPTZ) AS TIMESTAMP) AS recorded_at"
)
_SUPERSEDED = 'row_number() OVER (PARTITION BY account_id, day, "by" ORDER BY place DESC, row DESC) > 1'


@dataclass(frozen=True)
class Words:
    """What `load` read: the relation with the words that count, in SQL, and lines on those that cannot be used."""

    relation: str
    failures: tuple[str, ...]


def is_feedback(path: Path) -> bool:
    """Whether a file is one of feedback by its name."""
    return path.name.casefold().startswith("feedback") and path.suffix.casefold() == ".csv"


def in_folder(folder: Path) -> list[Path]:
    """The feedback files of a folder; none where it is absent."""
    return [path for path in folder.iterdir() if path.is_file() and is_feedback(path)] if folder.is_dir() else []


def ordered(paths: Iterable[Path]) -> list[Path]:
    """The files from the earliest to the latest, each once.

    Numbers in a name count as numbers: a browser calls later downloads of a day `feedback-2024-03-15 (1).csv` and so on.
    """
    once = {path.resolve(): path for path in paths}.values()

    def key(path: Path) -> tuple[list[tuple[int, str]], str]:
        parts = re.findall(r"\d+|\D+", path.stem.casefold())
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)

    return sorted(once, key=key)


def last_day() -> date:
    """The last day on which a word may be given: today, where on Earth it is latest. A page writes its reader's own day."""
    return (datetime.now(UTC) + timedelta(hours=14)).date()


def load(con: duckdb.DuckDBPyConnection, paths: Sequence[Path], earliest: date, known: str | None = None) -> Words:
    """Read the files, from the earliest to the latest, as `said.lines`, and what counts of them as `said.words`.

    `known`: a relation that holds all accounts; without it they are not checked. Rows that break a rule are told in
    `failures`, with file and row, and are not among the words. Rows without account or day are kept for the contract to
    set aside.

    Raises ContractError if a file cannot be read or has other columns.
    """
    con.execute("CREATE SCHEMA IF NOT EXISTS said")
    con.execute("SET TimeZone = 'UTC'")
    read = " UNION ALL BY NAME ".join(_select(con, place, path) for place, path in enumerate(paths))
    try:
        con.execute(
            f"CREATE OR REPLACE TABLE said.lines AS SELECT {_LISTED}, file, place, row, {_DAY} AS day FROM ({read}) "
            f"WHERE coalesce({_LISTED}) IS NOT NULL"  # spreadsheets end files with rows of separators alone
        )
    except _UNREADABLE as error:
        raise _which_unreadable(con, paths, error) from None
    rules = [*_value_rules(earliest), *reason_rules(), *_known_rules(known)]
    failures = [line for column, says, wrong in rules for line in _told(con, column, says, wrong)]
    wrong = " OR ".join(f"coalesce({condition}, false)" for _, _, condition in rules)
    con.execute(
        f"CREATE OR REPLACE TABLE said.words AS WITH sound AS (SELECT * FROM said.lines WHERE NOT ({wrong})), "
        f"counted AS (SELECT *, {_SUPERSEDED} AS superseded FROM sound WHERE account_id IS NOT NULL AND day IS NOT NULL) "
        f"SELECT {_TYPED} FROM counted WHERE NOT superseded UNION ALL "
        f"SELECT DISTINCT {_TYPED} FROM sound WHERE account_id IS NULL OR day IS NULL"
    )
    recorded = con.execute("SELECT count(recorded_at) FROM said.lines").fetchall()[0][0]
    return Words("said.words" if recorded else "(SELECT * EXCLUDE recorded_at FROM said.words)", tuple(failures))


def refuse(words: Words, folder: Path) -> None:
    """Raise ContractError if there are words that cannot be used; all failures are in the message."""
    if words.failures:
        lines = [f"  {failure}" for failure in words.failures]
        raise ContractError("\n".join([f"The feedback in {folder} cannot be used:", *lines, "Correct these rows."]))


def joined(con: duckdb.DuckDBPyConnection, columns: Sequence[str], words: str) -> str:
    """The relation of a source's own feedback, cast with these columns, and the words of files, which replace its own.

    The own rows are taken out of the schemas of the cast, so that both can be cast together.
    """
    listed = ", ".join(contracts.quote(name) for name in columns)
    con.execute(f"CREATE OR REPLACE TABLE said.own AS SELECT {listed} FROM casted.feedback")
    for drop in ("VIEW kept.feedback", "VIEW aside.feedback", "TABLE casted.feedback"):
        con.execute(f"DROP {drop}")
    person = 'own."by"' if "by" in columns else "NULL"
    con.execute(
        "CREATE OR REPLACE VIEW said.joined AS SELECT * FROM said.own WHERE NOT EXISTS (SELECT 1 FROM said.words "
        f'WHERE words.account_id = own.account_id AND words.given_on = own.given_on AND words."by" IS NOT DISTINCT FROM {person}) '
        f"UNION ALL BY NAME SELECT * FROM {words}"
    )
    return "said.joined"


def reason_failures(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> list[str]:
    """Lines on the kept rows of the table whose reason does not go with their verdict; rows of files have none."""
    if "verdict" not in columns:
        return []
    reason = "" if "reason" in columns else ", NULL::VARCHAR AS reason"
    key = [name for name in TABLES["feedback"].key if name in columns]
    listed = ", ".join(contracts.quote(name) for name in key)
    failures = []
    for column, says, wrong in reason_rules():
        rows = con.execute(
            f"SELECT count(*) OVER (), {column}, {listed} FROM (SELECT *{reason} FROM kept.feedback) "
            f"WHERE {wrong} ORDER BY {listed} LIMIT 1"
        ).fetchall()
        for count, value, *named in rows:
            shown = ", ".join(f"{name} {part}" for name, part in zip(key, named, strict=True))
            example = f"{'' if value is None else repr(value) + ' '}({shown})"
            failures.append(f"feedback.{column}: {says}: {count:,} row{'s' * (count > 1)}, for example {example}.")
    return failures


def reason_rules() -> list[tuple[str, str, str]]:
    """Column, rule in words and condition in SQL of what is wrong with a word's reason."""
    codes = taxonomy().codes
    listed = ", ".join(contracts.literal(code) for code in codes)
    return [
        ("reason", f"empty, though the verdict is {OTHER}", f"verdict = '{OTHER}' AND reason IS NULL"),
        (
            "reason",
            f"no code of reasons.yaml ({', '.join(codes)})",
            f"verdict = '{OTHER}' AND reason NOT IN ({listed})",
        ),
        ("reason", f"filled, though the verdict is not {OTHER}", f"verdict <> '{OTHER}' AND reason IS NOT NULL"),
    ]


def line(values: Sequence[str]) -> str:
    """A row of a feedback file as the page writes it: quoted, marked where it would begin like a formula, CRLF."""
    return ",".join('"' + marked(value).replace('"', '""') + '"' for value in values) + "\r\n"


def marked(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _select(con: duckdb.DuckDBPyConnection, place: int, path: Path) -> str:
    """SQL of one file's rows with all columns of the contract, apostrophes taken off; `row` as a spreadsheet counts."""
    csv_files.require_content(path)
    where, options = csv_files.literal(path), csv_files.options(path)
    try:
        found = con.execute(f"DESCRIBE SELECT * FROM read_csv({where}, all_varchar=true{options})").fetchall()
    except _UNREADABLE as error:
        raise csv_files.unreadable(path, error) from None
    columns = [str(row[0]) for row in found]
    _require_columns(path, columns)
    types = "{" + ", ".join(f"{contracts.literal(name)}: 'VARCHAR'" for name in columns) + "}"
    selected = []
    for column in TABLES["feedback"].columns:
        name = contracts.quote(column.name)
        bare = f"CASE WHEN regexp_matches({name}, {contracts.literal(_FORMULA)}) THEN substr({name}, 2) ELSE {name} END"
        value = f"CASE WHEN trim({name}) <> '' THEN {bare} END" if column.name in columns else "NULL::VARCHAR"
        selected.append(f"{value} AS {name}")
    return (
        f"SELECT {', '.join(selected)}, {contracts.literal(path.name)} AS file, {place} AS place, "
        f"row_number() OVER () + 1 AS row FROM read_csv({where}, columns={types}, auto_detect=false{options}, "
        "strict_mode=true, null_padding=false, ignore_errors=false, parallel=false)"
    )


def _require_columns(path: Path, columns: Sequence[str]) -> None:
    allowed = [column.name for column in TABLES["feedback"].columns]
    missing = [name for name in allowed if name not in columns and name not in OPTIONAL]
    other = [name for name in columns if name not in allowed]
    if missing or other:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(other)}"
        raise ContractError(
            f"{path} is no feedback file: it {wrong}. Its columns are {', '.join(columns)}; they must be "
            f"{', '.join(COLUMNS)}. Correct its header, or give the file another name."
        )


def _which_unreadable(con: duckdb.DuckDBPyConnection, paths: Sequence[Path], error: duckdb.Error) -> HoldfastError:
    for place, path in enumerate(paths):
        try:
            con.execute(f"SELECT count(*) FROM ({_select(con, place, path)})").fetchall()
        except _UNREADABLE as own:
            return csv_files.unreadable(path, own)
    return csv_files.unreadable(paths[0], error)


def _value_rules(earliest: date) -> list[tuple[str, str, str]]:
    allowed = TABLES["feedback"]["verdict"].allowed
    listed = ", ".join(contracts.literal(word) for word in allowed)
    last = last_day()
    return [
        ("given_on", "not a date (write 2024-03-15)", "given_on IS NOT NULL AND day IS NULL"),
        ("given_on", f"before {earliest} (ingest.earliest)", f"day < DATE '{earliest}'"),
        ("given_on", f"after {last}, which is yet to come", f"day > DATE '{last}'"),
        ("verdict", f"empty; it must be one of {', '.join(allowed)}", "verdict IS NULL"),
        ("verdict", f"none of {', '.join(allowed)}", f"verdict NOT IN ({listed})"),
        (
            "recorded_at",
            "not a time (write 2024-03-15 13:45:00)",
            "recorded_at IS NOT NULL AND TRY_CAST(recorded_at AS TIMESTAMPTZ) IS NULL",
        ),
    ]


def _known_rules(known: str | None) -> list[tuple[str, str, str]]:
    if known is None:
        return []
    # An empty id among them would make NOT IN unknown for all.
    condition = f"account_id NOT IN (SELECT account_id FROM {known} WHERE account_id IS NOT NULL)"
    return [("account_id", f"not in table {known.split('.')[-1]}", condition)]


def _told(con: duckdb.DuckDBPyConnection, column: str, says: str, wrong: str) -> list[str]:
    """A line on the rows that break a rule, or none."""
    rows = con.execute(
        f"SELECT {column}, file, row, count(*) OVER () FROM said.lines WHERE {wrong} ORDER BY place, row LIMIT 1"
    ).fetchall()
    return [
        f"feedback.{column}: {says}: {count:,} row{'s' * (count > 1)}, for example "
        f"{'' if value is None else repr(value) + ' '}({file}, row {row})."
        for value, file, row, count in rows
    ]
