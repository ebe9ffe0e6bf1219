"""Pseudonyms in place of names, from the contract tables on."""

import hashlib
import hmac

import duckdb
import pytest

from features.errors import ConfigurationError
from features.tables import TABLES
from pipeline.pseudonyms import KEY, Pseudonyms, in_words

SECRET = "0123456789abcdef" * 4
OURS = Pseudonyms(SECRET.encode())


def casted(name: str, columns: str, rows: str) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("CREATE SCHEMA casted")
    con.execute(f"CREATE TABLE casted.{name} AS SELECT * FROM (VALUES {rows}) AS rows({columns})")
    return con


def test_it_is_the_keyed_hash_of_rfc_2104():
    # H(K xor opad, H(K xor ipad, text)), written out
    key = SECRET.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + b"account\0A1").digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()
    assert OURS.of("account", "A1") == f"account-{outer[:20]}"
    assert outer == hmac.new(SECRET.encode(), b"account\0A1", "sha256").hexdigest()


def test_another_key_or_kind_gives_another_pseudonym():
    same = OURS.of("account", "7")
    assert same == OURS.of("account", "7")
    assert same.split("-")[1] != OURS.of("manager", "7").split("-")[1]
    assert same != Pseudonyms(b"x" * 32).of("account", "7")


@pytest.mark.parametrize(("environ", "words"), [({}, "which is not set"), ({KEY: "short"}, "which has 5")])
def test_a_missing_or_short_key_is_refused(environ, words):
    with pytest.raises(ConfigurationError, match=words):
        Pseudonyms.of_environment(environ)


def test_the_key_is_not_shown():
    assert SECRET not in repr(Pseudonyms.of_environment({KEY: SECRET}))


def test_rows_keep_all_else_and_empty_values_stay_empty():
    con = casted(
        "contacts",
        "contact_id, account_id, manager_id, kind",
        "('C1', 'A1', 'M1', 'visit'), ('C2', 'A1', NULL, 'call')",
    )
    OURS.replace(con, TABLES["contacts"], ["contact_id", "account_id", "manager_id", "kind"])
    assert con.execute("SELECT * FROM casted.contacts ORDER BY contact_id").fetchall() == [
        ("C1", OURS.of("account", "A1"), OURS.of("manager", "M1"), "visit"),
        ("C2", OURS.of("account", "A1"), None, "call"),
    ]


def test_a_scope_is_replaced_where_it_is_an_account_only():
    con = casted("events", "event_id, scope, scope_id", "('E1', 'account', 'north'), ('E2', 'region', 'north')")
    OURS.replace(con, TABLES["events"], ["event_id", "scope", "scope_id"])
    assert con.execute("SELECT scope_id FROM casted.events ORDER BY event_id").fetchall() == [
        (OURS.of("account", "north"),),
        ("north",),
    ]


def test_more_names_than_a_batch(monkeypatch):
    monkeypatch.setattr("pipeline.pseudonyms.BATCH", 3)
    con = casted("accounts", "account_id", ", ".join(f"('A{number}')" for number in range(10)))
    OURS.replace(con, TABLES["accounts"], ["account_id"])
    found = {row[0] for row in con.execute("SELECT account_id FROM casted.accounts").fetchall()}
    assert found == {OURS.of("account", f"A{number}") for number in range(10)}


def test_the_same_account_is_named_alike_in_every_table():
    for table in TABLES.values():
        for column in table.columns:
            if column.name in ("account_id", "parent_id"):
                assert column.names == "account", f"{table.name}.{column.name}"
            elif column.name == "manager_id":
                assert column.names == "manager", f"{table.name}.{column.name}"
            elif column.name in ("name", "address"):
                assert column.names, f"{table.name}.{column.name}"


def test_who_has_the_key_finds_the_pseudonym_of_a_name(monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    assert in_words("account", ["A1", "A2"]).splitlines() == [
        f"{name}\t{OURS.of('account', name)}" for name in ("A1", "A2")
    ]
    with pytest.raises(ConfigurationError, match="'dealer' is not known"):
        in_words("dealer", ["A1"])
