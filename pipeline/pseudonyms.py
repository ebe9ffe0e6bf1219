"""Pseudonyms: keyed hashes in place of the names of accounts, managers and prospects, from the contract tables on.

Without the key nobody finds a name from its pseudonym, nor tries names until one fits; with it the same name has the same
pseudonym in every table and every month. HMAC (RFC 2104) with SHA-256, of what is named and the name, cut to 80 bits: two of
fifty million names share one with a chance of one in a billion.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast, get_args

import pyarrow as pa
from tqdm import tqdm

from features.contracts import literal, quote
from features.errors import ConfigurationError
from features.tables import Named, Table

KEY = "HOLDFAST_PSEUDONYM_KEY"
LEAST = 32  # characters of a key: as many hexadecimal digits hold 128 bits
DIGITS = 20
BATCH = 100_000
SHOWN_FROM = 1_000_000  # names that take long enough for a progress bar


@dataclass(frozen=True)
class Pseudonyms:
    """Makes pseudonyms with one key, which is neither shown nor written."""

    key: bytes = field(repr=False)

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """With the key of the environment. Raises ConfigurationError where it is missing or too short."""
        key = environ.get(KEY, "")
        if len(key) < LEAST:
            raise ConfigurationError(
                f"Pseudonyms need a secret key of at least {LEAST} characters in the environment variable {KEY}, which "
                f"{f'has {len(key)}' if key else 'is not set'}. Make one once with `openssl rand -hex 32` and keep it where "
                "secrets are kept: with another key the same account gets another pseudonym."
            )
        return cls(key.encode())

    def of(self, names: Named, value: str) -> str:
        """The pseudonym of a value: what it names and twenty hexadecimal digits, as `account-0123456789abcdef0123`."""
        digest = hmac.digest(self.key, f"{names}\0{value}".encode(), "sha256").hex()
        return f"{names.replace('_', '-')}-{digest[:DIGITS]}"

    def replace(self, con: Any, table: Table, columns: Iterable[str]) -> None:
        """Put pseudonyms into the rows of a contract table that `contracts.cast` holds in DuckDB, those set aside too."""
        present = set(columns)
        named = {column.name: (column.names, "") for column in table.columns if column.names and column.name in present}
        if table.name == "events" and {"scope", "scope_id"} <= present:
            named["scope_id"] = ("account", f" AND rows.scope = {literal('account')}")
        for name, (names, only) in named.items():
            self._replace(con, f"casted.{quote(table.name)}", quote(name), names, only)

    def _replace(self, con: Any, relation: str, column: str, names: Named, only: str) -> None:
        con.execute("CREATE OR REPLACE TEMP TABLE pseudonyms (value VARCHAR, pseudonym VARCHAR)")
        distinct = f"SELECT DISTINCT {column} AS value FROM {relation} AS rows WHERE {column} IS NOT NULL{only}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE named AS {distinct}")
        count = con.execute("SELECT count(*) FROM named").fetchall()[0][0]
        disable = None if count >= SHOWN_FROM else True
        with tqdm(total=count, desc=f"pseudonyms of {relation}", unit="name", disable=disable, leave=False) as bar:
            for low in range(0, count, BATCH):
                chunk = f"SELECT value FROM named WHERE rowid >= {low} AND rowid < {low + BATCH}"
                values = [row[0] for row in con.execute(chunk).fetchall()]
                made = pa.table({"value": values, "pseudonym": [self.of(names, value) for value in values]})
                con.register("made", made)
                con.execute("INSERT INTO pseudonyms SELECT * FROM made")
                con.unregister("made")
                bar.update(len(values))
        said = f"coalesce(pseudonyms.pseudonym, rows.{column}) AS {column}"
        join = f"LEFT JOIN pseudonyms ON rows.{column} = pseudonyms.value{only}"
        con.execute(
            f"CREATE OR REPLACE TABLE {relation} AS SELECT rows.* REPLACE ({said}) FROM {relation} AS rows {join}"
        )
        con.execute("DROP TABLE named")
        con.execute("DROP TABLE pseudonyms")


def in_words(names: str, values: Iterable[str]) -> str:
    """Lines of value, tab and pseudonym, with the key of the environment.

    Raises ConfigurationError for what nothing has as its name.
    """
    if names not in get_args(Named):
        raise ConfigurationError(f"--names {names!r} is not known. There are: {', '.join(get_args(Named))}.")
    ours = Pseudonyms.of_environment()
    return "\n".join(f"{value}\t{ours.of(cast(Named, names), value)}" for value in values)
