"""What `sources/NAME` says: the SQL of each contract table, and by `source.yaml` the engine in which it runs."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import yaml
from pydantic import Field, ValidationError, field_validator

from features import contracts
from features.errors import ConfigurationError
from features.tables import TABLES
from pipeline import csv_files
from pipeline.params import Section

FILE = "source.yaml"
_EXAMPLE = "connection: {url_from: HOLDFAST_CRM_URL}"


class Connection(Section):
    """`url_from` names the environment variable that holds the URL of the database, credentials and all."""

    url_from: str

    @field_validator("url_from")
    @classmethod
    def _names_a_variable(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            raise ValueError(
                "must be the name of an environment variable, in capitals, never the URL itself or a password"
            )
        return name


class Source(Section):
    connection: Connection = Field()


def connection(source: str, sources: Path) -> Connection | None:
    """Where the SQL of a source runs; None if the source is a folder of files.

    Raises ConfigurationError if there is no such source, or its source.yaml is not valid. What the file holds is not
    in the message: someone may have written a password there.
    """
    _require_known(source, sources)
    path = sources / source / FILE
    if not path.exists():
        return None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Source.model_validate(content).connection
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{line}: this is not YAML. Write for example\n  {_EXAMPLE}") from None
    except ValidationError as error:
        told = [
            f"  {'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}"
            for item in error.errors(include_input=False)
        ]
        raise ConfigurationError(
            "\n".join(
                [f"{path} is not valid:", *told, f"Write for example\n  {_EXAMPLE}\nand the URL into that variable."]
            )
        ) from None


def queries(source: str, sources: Path) -> dict[str, Path]:
    """The SQL file of each contract table; none for a source whose files are in contract form.

    Raises ConfigurationError if there is no such source, a file is no contract table, or there is SQL but none for orders.
    """
    _require_known(source, sources)
    found = {path.stem: path for path in sorted((sources / source).glob("*.sql"))}
    for name, path in found.items():
        if name not in TABLES:
            raise ConfigurationError(
                f"{path}: there is no contract table {name!r}{contracts.suggest(name, TABLES)}. Tables are {', '.join(TABLES)}."
            )
    if found and "orders" not in found:
        raise ConfigurationError(
            f"{sources / source} has no orders.sql. Write it: orders are the one table that must be there."
        )
    return found


def text_of(query: Path) -> str:
    """The text of a SQL file. Raises ConfigurationError if it is not UTF-8."""
    try:
        return query.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{query} is not UTF-8 (byte {error.start + 1}). Save it as UTF-8.") from None


def one_select(con: duckdb.DuckDBPyConnection, query: Path) -> str:
    """The text of a SQL file for DuckDB. Raises ConfigurationError if it is not one SELECT."""
    text = text_of(query)
    try:
        statements = con.extract_statements(text)
    except duckdb.Error as error:
        raise ConfigurationError(f"{query} is not SQL: {csv_files.first(error)}\nCorrect it.") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise not_one_select(query)
    return text


def not_one_select(query: Path) -> ConfigurationError:
    """What to say of SQL that is more, or something other, than a SELECT."""
    return ConfigurationError(f"{query} must hold one SELECT. Take other statements out.")


def _require_known(source: str, sources: Path) -> None:
    known = sorted(path.name for path in sources.iterdir() if path.is_dir()) if sources.is_dir() else []
    if source not in known:
        raise ConfigurationError(
            f"There is no source {source!r}{contracts.suggest(source, known)}. Sources in {sources}: "
            f"{', '.join(known) or 'none'}. Name one of them, or make {sources / source} with an orders.sql."
        )
