"""Sources in databases: the same tables as from files, one state of the database, nothing written there, no credentials told."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from features.errors import ConfigurationError, ContractError, HoldfastError
from pipeline import extract, simulate
from pipeline import postgres as engine
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import Ingest, changed, load
from tests.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]
PARAMS = Ingest(earliest=date(1990, 1, 1), latest=date(2030, 12, 31), quarantine_limit=0.5, memory="512MB")
PASSWORD = "p@ss/w:rd%Ⅷ-never-told"
VARIABLE = "HOLDFAST_TEST_URL"
ORDERS = "SELECT order_id, account_id, ordered_at, amount FROM sales"
Extract = Callable[[], extract.ExtractSummary]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    folder = tmp_path / "project" / "sources" / "crm"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text(f"connection: {{url_from: {VARIABLE}}}\n", encoding="utf-8")
    return Layout(tmp_path / "project", "crm")


@pytest.fixture
def run(layout: Layout) -> Extract:
    return lambda: extract.run(layout, PARAMS)


@pytest.fixture
def database(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[psycopg.Connection]:
    """A fresh database with a table of sales that a user with little more than SELECT reads by `VARIABLE`; its owner's connection."""
    name = "d_" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reader'").fetchone():
            admin.execute(sql.SQL("CREATE ROLE reader LOGIN PASSWORD {}").format(PASSWORD))
    with psycopg.connect(postgres.url(database=name), autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE sales (order_id int, account_id text, ordered_at timestamptz, amount numeric(12, 2));"
            "INSERT INTO sales VALUES (1, 'A1', '2024-01-05 01:00+02', 10.5), (2, 'A2', '2024-02-01 09:30+00', -3);"
            "GRANT SELECT ON sales TO reader"
        )
        monkeypatch.setenv(VARIABLE, postgres.url("reader", PASSWORD, name))
        yield owner


def write(layout: Layout, **queries: str) -> None:
    for name, text in queries.items():
        (layout.root / "sources" / layout.source / f"{name}.sql").write_text(text, encoding="utf-8")


def rows(layout: Layout, name: str = "orders") -> list[dict[str, object]]:
    return pq.read_table(layout.raw / f"{name}.parquet").to_pylist()


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def earlier(layout: Layout) -> dict[str, str]:
    """An extract of another day that must stay where a later one fails."""
    layout.raw.mkdir(parents=True)
    (layout.raw / "orders.parquet").write_bytes(b"of another day")
    return bytes_of(layout.data)


# --- what comes out -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated market as contract tables."""
    folder = tmp_path_factory.mktemp("market") / "raw"
    simulate.run(changed(load(ROOT, "simulated").simulate, {"accounts": 60, "periods": 20}), folder)
    return folder


def tables_from_files(market: Path, layout: Layout) -> Path:
    (layout.root / "sources" / "files").mkdir()
    out = layout.root / "data" / "files"
    ingest("files", market, out, PARAMS, layout.root)
    return out


def load_into(con: psycopg.Connection, market: Path) -> list[str]:
    """Make each Parquet file a table of PostgreSQL, in a schema and with columns whose names have to be quoted."""
    con.execute('CREATE SCHEMA "Vânzări ""2024"""')
    types = {"VARCHAR": "text", "DOUBLE": "double precision", "TIMESTAMP": "timestamp"}
    for path in sorted(market.glob("*.parquet")):
        with duckdb.connect() as duck:
            found = duck.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
            records = duck.execute(
                f"SELECT * FROM '{path}' ORDER BY hash(rowid)" if False else f"SELECT * FROM '{path}'"
            ).fetchall()
        table = sql.Identifier('Vânzări "2024"', path.stem)
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(f'{name} é"x'), sql.SQL(types.get(str(kind), str(kind).lower())))
            for name, kind, *_ in found
        ]
        con.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(columns)))
        with con.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for record in records:
                copy.write_row(record)
        con.execute(sql.SQL("GRANT SELECT ON {} TO reader").format(table))
    con.execute('GRANT USAGE ON SCHEMA "Vânzări ""2024""" TO reader')
    return [path.stem for path in sorted(market.glob("*.parquet"))]


def test_a_market_in_postgresql_gives_the_tables_that_its_files_give(
    database: psycopg.Connection, market: Path, layout: Layout, run: Extract
) -> None:
    names = load_into(database, market)
    for name in names:
        columns = pq.read_schema(market / f"{name}.parquet").names
        listed = ",\n  ".join(f'"{column} é""x" AS {column}' for column in columns)
        write(layout, **{name: f'SELECT {listed}\nFROM "Vânzări ""2024"""."{name}"; -- the end;'})
    summary = run()
    assert list(summary.rows) == [name for name in extract.TABLES if name in names]
    assert len(names) > 10
    ingest("crm", layout.raw, layout.data, PARAMS, layout.root)
    expected = bytes_of(tables_from_files(market, layout))
    assert {name: digest for name, digest in bytes_of(layout.data).items() if not name.startswith("raw")} == expected


def test_a_market_in_a_duckdb_file_gives_the_tables_that_its_files_give(
    market: Path, layout: Layout, run: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(layout.root / "a 'market'.duckdb")) as con:
        for path in market.glob("*.parquet"):
            con.execute(f"CREATE TABLE \"{path.stem}\" AS FROM '{path}'")
            write(layout, **{path.stem: f"SELECT * FROM {path.stem};"})
    monkeypatch.setenv(VARIABLE, "duckdb://a 'market'.duckdb".replace(" ", "%20"))
    run()
    ingest("crm", layout.raw, layout.data, PARAMS, layout.root)
    expected = bytes_of(tables_from_files(market, layout))
    assert {name: digest for name, digest in bytes_of(layout.data).items() if not name.startswith("raw")} == expected


def test_a_database_that_ibis_connects_to(layout: Layout, run: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    with sqlite3.connect(layout.root / "crm.sqlite") as con:
        con.execute("CREATE TABLE sales (order_id INTEGER, account_id TEXT, ordered_at TEXT, amount REAL)")
        con.execute("INSERT INTO sales VALUES (1, 'Ă''1', '2024-01-05', 10.5), (2, 'A2', '2024-02-01', NULL)")
    con.close()
    monkeypatch.setenv(VARIABLE, f"sqlite://{layout.root}/crm.sqlite")
    write(layout, orders=ORDERS)
    run()
    assert [(row["order_id"], row["account_id"], row["amount"]) for row in rows(layout)] == [
        (1, "Ă'1", 10.5),
        (2, "A2", None),
    ]
    write(layout, orders="DELETE FROM sales")
    with pytest.raises(ConfigurationError, match=r"orders\.sql must hold one SELECT"):
        run()
    write(layout, orders="SELECT nothing FROM sales")
    with pytest.raises(ConfigurationError, match=r"orders\.sql does not run: .*nothing"):
        run()


def test_types_come_as_they_are_and_times_in_utc(database: psycopg.Connection, layout: Layout, run: Extract) -> None:
    database.execute(
        "CREATE TABLE kinds (i2 smallint, i8 bigint, f8 float8, d numeric(12, 3), n numeric, t text, b boolean, day date, "
        "wall timestamp, instant timestamptz, u uuid, v varchar(9));"
        "SET TimeZone = 'America/New_York';"
        "INSERT INTO kinds VALUES (1, 9007199254740993, 0.1, 12.345, 0.12345678901234567890123456789, E'a\"b,\\n;''ș€', true, "
        "'2024-02-29', '2024-03-31 02:30:00.5', '2024-03-31 02:30:00.123456', '00000000-0000-0000-0000-00000000000A', ''), "
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
        "(0, 0, 'NaN', 0, 'NaN', '\\.', false, '0001-01-01', '9999-12-31 23:59:59', '2024-01-01 12:00+05:30', NULL, '\\N');"
        "GRANT SELECT ON kinds TO reader"
    )
    write(layout, orders="SELECT * FROM kinds")
    run()
    table = pq.read_table(layout.raw / "orders.parquet")
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "i2": pa.int16(),
        "i8": pa.int64(),
        "f8": pa.float64(),
        "d": pa.decimal128(12, 3),
        "n": pa.string(),
        "t": pa.string(),
        "b": pa.bool_(),
        "day": pa.date32(),
        "wall": pa.timestamp("us"),
        "instant": pa.timestamp("us", "UTC"),
        "u": pa.string(),
        "v": pa.string(),
    }
    zero, one, empty = table.to_pylist()
    assert set(empty.values()) == {None}
    assert one == {
        "i2": 1,
        "i8": 9007199254740993,
        "f8": 0.1,
        "d": Decimal("12.345"),
        "n": "0.12345678901234567890123456789",
        "t": "a\"b,\n;'ș€",
        "b": True,
        "day": date(2024, 2, 29),
        "wall": datetime(2024, 3, 31, 2, 30, 0, 500_000),
        "instant": datetime(2024, 3, 31, 6, 30, 0, 123_456, UTC),
        "u": "00000000-0000-0000-0000-00000000000a",
        "v": "",
    }
    assert (zero["n"], zero["t"], zero["v"]) == ("NaN", "\\.", "\\N")
    assert zero["instant"] == datetime(2024, 1, 1, 6, 30, tzinfo=UTC)


def test_the_servers_own_settings_of_dates_do_not_matter(
    database: psycopg.Connection, layout: Layout, run: Extract
) -> None:
    database.execute(
        "ALTER ROLE reader SET TimeZone = 'Asia/Tokyo'; ALTER ROLE reader SET DateStyle = 'German';"
        "ALTER ROLE reader SET extra_float_digits = -5; ALTER ROLE reader SET client_encoding = 'LATIN1'"
    )
    try:
        write(
            layout,
            orders="SELECT *, ordered_at::timestamp AS wall, ordered_at::date AS day, 1/3::float8 AS third FROM sales",
        )
        run()
    finally:
        database.execute("ALTER ROLE reader RESET ALL")
    first = rows(layout)[0]
    assert first["ordered_at"] == datetime(2024, 1, 4, 23, tzinfo=UTC)
    assert (first["wall"], first["day"]) == (datetime(2024, 1, 4, 23), date(2024, 1, 4))
    assert first["third"] == 1 / 3


def test_the_same_rows_in_another_order_give_the_same_bytes(
    database: psycopg.Connection, layout: Layout, run: Extract
) -> None:
    database.execute(
        "INSERT INTO sales SELECT i, 'A' || i % 977, '2024-01-01', i % 7 FROM generate_series(3, 300000) AS n(i)"
    )
    write(layout, orders=ORDERS + " ORDER BY order_id")
    assert run().rows == {"orders": 300_000}
    first = bytes_of(layout.raw)
    write(layout, orders=ORDERS + " ORDER BY md5(order_id::text)")
    run()
    assert bytes_of(layout.raw) == first


def test_tables_fit_one_another_though_others_write_meanwhile(
    database: psycopg.Connection, layout: Layout, run: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(layout, orders=ORDERS, accounts="SELECT DISTINCT account_id FROM sales")
    read = engine.Postgres.read
    seen = []

    def then_someone_writes(self, query):  # type: ignore[no-untyped-def]
        seen.append(query.stem)
        if query.stem == "orders":
            database.execute("INSERT INTO sales VALUES (3, 'A3', now(), 1)")
        return read(self, query)

    monkeypatch.setattr(engine.Postgres, "read", then_someone_writes)
    assert run().rows == {"accounts": 2, "orders": 2}
    assert seen == ["accounts", "orders"]
    assert run().rows == {"accounts": 3, "orders": 3}


def test_a_table_without_rows_is_told_in_the_closing_line(
    database: psycopg.Connection, layout: Layout, run: Extract, caplog: pytest.LogCaptureFixture
) -> None:
    write(layout, orders=ORDERS, accounts="SELECT account_id FROM sales WHERE false")
    with caplog.at_level(logging.INFO, "holdfast"):
        run()
    assert caplog.messages[-1].startswith("extract crm: accounts 0 rows, orders 2 rows; ")
    assert caplog.messages[-1].endswith(f" s; wrote {layout.raw}")
    assert rows(layout, "accounts") == []


def test_feedback_files_go_on_working(database: psycopg.Connection, layout: Layout, run: Extract) -> None:
    write(layout, orders=ORDERS)
    run()
    layout.feedback.mkdir()
    (layout.feedback / "feedback-2024-03-15.csv").write_text(
        "account_id,given_on,verdict,reason,by\nA1,2024-03-15,agree,,Ana\n", encoding="utf-8"
    )
    summary = ingest("crm", layout.raw, layout.data, PARAMS, layout.root)
    assert {name: table.rows for name, table in summary.tables.items()} == {"orders": 2, "feedback": 1}


def test_a_link_to_a_users_folder_is_taken_away_and_the_folder_stays(
    database: psycopg.Connection, layout: Layout, run: Extract, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "orders.csv").write_text("mine", encoding="utf-8")
    layout.data.mkdir(parents=True)
    layout.raw.symlink_to(own)
    write(layout, orders=ORDERS)
    run()
    assert [path.name for path in layout.raw.iterdir()] == ["orders.parquet"]
    assert not layout.raw.is_symlink()
    assert (own / "orders.csv").read_text(encoding="utf-8") == "mine"


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("SELECT 1;\nDELETE FROM sales", ConfigurationError, r"orders\.sql must hold one SELECT"),
        ("DELETE FROM sales", ConfigurationError, r"orders\.sql must hold one SELECT"),
        ("-- nothing", ConfigurationError, r"orders\.sql must hold one SELECT"),
        (
            "DELETE FROM sales RETURNING *",
            ConfigurationError,
            r"writes into the database: cannot execute DELETE in a read-only",
        ),
        (
            "WITH gone AS (DELETE FROM sales RETURNING *) SELECT * FROM gone",
            ConfigurationError,
            "writes into the database",
        ),
        ("SELECT nextval('numbers')", ConfigurationError, r"writes into the database: cannot execute nextval\(\)"),
        (
            "SELECT 1 AS a FROM sales, set_config('transaction_read_only', 'off', false)",
            ConfigurationError,
            "read-write mode",
        ),
        ("SHOW ALL", ConfigurationError, r"orders\.sql does not run: "),
        (
            "SELECT order_id\nFROM sale",
            ConfigurationError,
            r"orders\.sql does not run: line 2: relation \"sale\" does not exist\nTables in the database: public\.sales, public\.secrets\.",
        ),
        (
            "SELECT order_id,\n  amont\nFROM sales",
            ConfigurationError,
            r"line 2: column \"amont\" does not exist .*amount(.|\n)*  public\.sales: order_id, account_id, ordered_at, amount\n",
        ),
        ("SELEC 1", ConfigurationError, r"orders\.sql does not run: line 1: syntax error at or near \"SELEC\""),
        (
            "SELECT * FROM secrets",
            ConfigurationError,
            r"may not read .*permission denied for table secrets\n.*granted SELECT",
        ),
        ("SELECT order_id AS a, amount AS a FROM sales", ConfigurationError, "gives two columns 'a'"),
        (
            "SELECT '{}'::json AS j, ARRAY[1] AS l FROM sales",
            ConfigurationError,
            r"j is json: write \"j\"::text(.|\n)*l is integer\[\]",
        ),
        (
            "SELECT 1 / (order_id - 1) AS a FROM sales",
            ContractError,
            r"orders\.sql cannot read the data: division by zero",
        ),
        ("SELECT 'infinity'::date AS day FROM sales", ContractError, r"taken over: day: 'infinity' is no date32"),
        ("SELECT 'NaN'::numeric(5, 2) AS n FROM sales", ContractError, r"taken over: n: 'NaN' is no decimal128"),
        (ORDERS + " WHERE false", ContractError, r"orders\.sql gives no rows\. Nothing was changed"),
    ],
)
def test_mistakes_in_sql_are_one_message_and_nothing_changes(
    database: psycopg.Connection,
    layout: Layout,
    run: Extract,
    earlier: dict[str, str],
    text: str,
    error: type[HoldfastError],
    message: str,
) -> None:
    database.execute(
        "GRANT ALL ON sales TO reader; CREATE TABLE secrets (a int); CREATE SEQUENCE numbers; GRANT ALL ON numbers TO reader"
    )
    write(layout, orders=text)
    with pytest.raises(error, match=message):
        run()
    assert bytes_of(layout.data) == earlier
    assert [path.name for path in layout.data.parent.iterdir()] == ["crm"]
    assert database.execute("SELECT count(*) FROM sales").fetchall() == [(2,)]
    assert database.execute("SELECT is_called FROM numbers").fetchall() == [(False,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DELETE FROM sales", r"orders\.sql must hold one SELECT"),
        ("SELECT nope FROM sales", r"does not run: .*nope(.|\n)*  main\.sales: order_id"),
        ("SELECT [order_id] AS l FROM sales", r"types that cannot be used: l \(list<"),
        ("SELECT nextval('numbers')", r"does not run: "),
        ("SELECT error('stop') AS e FROM sales", r"does not run: .*stop"),
    ],
)
def test_mistakes_in_sql_on_duckdb(
    layout: Layout,
    run: Extract,
    earlier: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    message: str,
) -> None:
    path = layout.root / "crm.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE sales AS SELECT 1 AS order_id; CREATE SEQUENCE numbers")
    before = path.read_bytes()
    monkeypatch.setenv(VARIABLE, "duckdb://crm.duckdb")
    write(layout, orders=text)
    with pytest.raises(ConfigurationError, match=message):
        run()
    assert bytes_of(layout.data) == earlier
    assert path.read_bytes() == before


def test_a_server_killed_in_the_middle_of_a_table_changes_nothing(
    database: psycopg.Connection, layout: Layout, run: Extract, earlier: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(layout, orders="SELECT i AS order_id, md5(i::text) AS account_id FROM generate_series(1, 3000000) AS n(i)")
    read = engine._Stream.readinto
    blocks = []

    def then_killed(self, buffer):  # type: ignore[no-untyped-def]
        if len(blocks) == 1000:
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'"
            )
        blocks.append(len(buffer))
        return read(self, buffer)

    monkeypatch.setattr(engine._Stream, "readinto", then_killed)
    with pytest.raises(
        ConfigurationError, match=r"The database was lost while it ran .*orders\.sql: .*\nNothing was changed"
    ):
        run()
    assert bytes_of(layout.data) == earlier


def told(tmp_path: Path, environment: dict[str, str], layout: Layout) -> subprocess.CompletedProcess[str]:
    """`holdfast extract` in a process of its own, whose files of tracebacks go to a folder of the test."""
    (layout.root / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "extract", "--source", "crm"],
        cwd=layout.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")} | environment,
        capture_output=True,
        text=True,
    )


def test_the_password_is_nowhere_in_what_is_written(
    database: psycopg.Connection, layout: Layout, run: Extract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(layout, orders=ORDERS)
    url = os.environ[VARIABLE]
    encoded = urlsplit(url).password or ""
    wrong = url.replace(encoded, quote(PASSWORD + "-wrong", safe=""))
    port = str(urlsplit(url).port)
    done = told(tmp_path, {}, layout)
    assert (done.returncode, "orders 2 rows" in done.stderr) == (0, True), done.stderr
    said = done.stdout + done.stderr
    done = told(tmp_path, {VARIABLE: wrong}, layout)
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)
    assert "password authentication failed" in done.stderr
    said += done.stdout + done.stderr
    for value, message in [
        (url.replace(encoded, PASSWORD), "is not a URL such as"),
        (url.replace(encoded, encoded + "%zz"), "is not a URL that PostgreSQL"),
        (url.replace("127.0.0.1", "nowhere.invalid"), "cannot be reached"),
        (url.replace(port, "1"), "cannot be reached"),
        (url.replace("postgresql://", "nosuch://"), "cannot be reached"),
        ("", "which is not set"),
    ]:
        monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(ConfigurationError, match=message) as caught:
            run()
        said += str(caught.value)
    # An error that nobody foresaw, with the URL in its message.
    broken = {VARIABLE: url, "HOLDFAST_TEST_BREAK": "1"}
    (layout.root / "sitecustomize.py").write_text(
        "import os\nif os.environ.get('HOLDFAST_TEST_BREAK'):\n    import pipeline.staging\n"
        f"    def fail(*a): raise RuntimeError(os.environ['{VARIABLE}'] + ' ' + {PASSWORD!r})\n    pipeline.staging.swap = fail\n",
        encoding="utf-8",
    )
    done = told(tmp_path, broken | {"PYTHONPATH": f"{layout.root}:{ROOT}"}, layout)
    assert done.returncode == 3, done.stderr
    said += done.stdout + done.stderr
    (layout.root / "sitecustomize.py").unlink()
    logs = list((tmp_path / "tmp").glob("holdfast-error-*.log"))
    assert len(logs) == 1
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in (PASSWORD, encoded, "never-told"):
        assert secret not in said
        assert not any(secret.encode() in content for content in written)
    assert "***" in logs[0].read_text(encoding="utf-8")


def test_a_source_of_files_has_nothing_to_extract(layout: Layout, run: Extract) -> None:
    (layout.root / "sources" / "crm" / "source.yaml").unlink()
    with pytest.raises(
        ConfigurationError, match=r"no .*source\.yaml, so 'crm' is a source of files.*docs/connections\.md"
    ):
        run()


def test_orders_are_needed(layout: Layout, run: Extract) -> None:
    with pytest.raises(ConfigurationError, match=r"crm has no orders\.sql\. Write it"):
        run()
    write(layout, accounts="SELECT 1")
    with pytest.raises(ConfigurationError, match=r"crm has no orders\.sql\. Write it"):
        run()


def test_files_that_no_extract_wrote_are_not_replaced(layout: Layout, run: Extract) -> None:
    write(layout, orders=ORDERS)
    layout.raw.mkdir(parents=True)
    (layout.raw / "mine.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"raw holds mine\.csv, which no extract wrote"):
        run()
    assert (layout.raw / "mine.csv").read_text(encoding="utf-8") == "mine"


def test_memory_is_bounded_though_the_table_is_larger(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect(str(layout.root / "crm.duckdb")) as con:
        con.execute(
            "CREATE TABLE sales AS SELECT md5(i::VARCHAR) AS order_id, md5((i * 7)::VARCHAR) AS account_id FROM range(500000) AS n(i)"
        )
    monkeypatch.setenv(VARIABLE, "duckdb://crm.duckdb")
    write(layout, orders="SELECT * FROM sales")
    batches = []
    written = extract._write

    def watched(con, reader, *arguments):  # type: ignore[no-untyped-def]
        def told():  # type: ignore[no-untyped-def]
            for batch in reader:
                batches.append(batch.nbytes)
                yield batch

        return written(con, pa.RecordBatchReader.from_batches(reader.schema, told()), *arguments)

    monkeypatch.setattr(extract, "_write", watched)
    extract.run(layout, PARAMS.model_copy(update={"memory": "64MB"}))
    table = duckdb.sql(f"SELECT count(*), count(DISTINCT order_id) FROM '{layout.raw}/orders.parquet'").fetchall()
    assert table == [(500_000, 500_000)]
    assert len(batches) >= 5
    assert max(batches) < 20_000_000
