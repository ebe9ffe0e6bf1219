from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import contracts
from features.errors import ConfigurationError, ContractError, HoldfastError, LimitError
from pipeline.ingest import IngestSummary, ingest
from pipeline.params import Ingest

ORDERS = """order_id,account_id,ordered_at,product_id,quantity,amount
O2,A2,2024-02-01 09:30:00,P1,1,5.25
O1,A1,2024-01-05T01:00:00+02:00,P1,2,10
O1,A1,2024-01-05T01:00:00+02:00,P2,,-3.5
O3,,2024-03-01,P1,1,7
"""
PARAMS = Ingest(earliest=date(1990, 1, 1), latest=date(2024, 12, 31), quarantine_limit=0.5, memory="512MB")
Run = Callable[..., IngestSummary]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for source in ("contract", "mine"):
        (tmp_path / "project" / "sources" / source).mkdir(parents=True)
    (tmp_path / "raw").mkdir()
    return tmp_path / "project"


@pytest.fixture
def raw(root: Path) -> Path:
    return root.parent / "raw"


@pytest.fixture
def out(root: Path) -> Path:
    return root / "data" / "contract"


@pytest.fixture
def run(root: Path, raw: Path, out: Path) -> Run:
    def run(source: str = "contract", data: Path = raw, params: Ingest = PARAMS, into: Path = out) -> IngestSummary:
        return ingest(source, data, into, params, root)

    return run


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(raw: Path, **files: str) -> None:
    for name, text in files.items():
        (raw / f"{name}.csv").write_text(text, encoding="utf-8")


def test_csv_becomes_typed_tables_ordered_by_key(run: Run, raw: Path, out: Path) -> None:
    write(raw, orders=ORDERS, accounts='account_id,name\nA1,"Ačme, Ltd"\nA2,\nA3,Sleeping\n')
    summary = run()
    orders = pq.read_table(out / "tables" / "orders.parquet")
    assert orders.to_pylist() == [
        {
            "order_id": "O1",
            "account_id": "A1",
            "ordered_at": datetime(2024, 1, 4, 23),
            "product_id": "P1",
            "quantity": Decimal(2),
            "amount": Decimal(10),
            "is_return": False,
        },
        {
            "order_id": "O1",
            "account_id": "A1",
            "ordered_at": datetime(2024, 1, 4, 23),
            "product_id": "P2",
            "quantity": None,
            "amount": Decimal("-3.5"),
            "is_return": True,
        },
        {
            "order_id": "O2",
            "account_id": "A2",
            "ordered_at": datetime(2024, 2, 1, 9, 30),
            "product_id": "P1",
            "quantity": Decimal(1),
            "amount": Decimal("5.25"),
            "is_return": False,
        },
    ]
    assert dict(zip(orders.schema.names, orders.schema.types, strict=True)) == {
        "order_id": pa.string(),
        "account_id": pa.string(),
        "ordered_at": pa.timestamp("us"),
        "product_id": pa.string(),
        "quantity": pa.decimal128(18, 4),
        "amount": pa.decimal128(18, 4),
        "is_return": pa.bool_(),
    }
    aside = pq.read_table(out / "quarantine" / "orders.parquet").to_pylist()
    assert [(row["order_id"], row["quarantine_reason"]) for row in aside] == [("O3", "account_id is empty")]
    assert bytes_of(out).keys() == {"tables/accounts.parquet", "tables/orders.parquet", "quarantine/orders.parquet"}
    assert (summary.first_order, summary.last_order) == (date(2024, 1, 4), date(2024, 2, 1))
    assert summary.tables["orders"].quarantined == {"account_id is empty": 1}
    assert (summary.tables["orders"].rows, summary.accounts_without_orders) == (3, 1)


def test_closing_line_tells_rows_losses_and_accounts_without_orders(
    run: Run, raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(raw, orders=ORDERS, accounts="account_id,shoe\nA1,43\nA2,44\nA3,45\n")
    with caplog.at_level(logging.INFO, "holdfast"):
        summary = run()
    assert str(summary) == (
        "accounts 3 rows (left out unknown columns shoe); orders 3 rows (1 set aside because account_id is empty); "
        "orders from 2024-01-04 to 2024-02-01; 1 of the accounts without orders, which will not be scored"
    )
    assert str(summary) in caplog.messages[-1]


def test_all_types_are_stored_as_declared(run: Run, raw: Path, out: Path) -> None:
    write(
        raw,
        orders=ORDERS,
        complaints="complaint_id,account_id,opened_at,severity\n1,A1,2024-01-01,3\n",
        exits="account_id,recorded_on,audited\nA1,2024-03-01,yes\n",
    )
    run()
    assert pq.read_schema(out / "tables" / "complaints.parquet").field("severity").type == pa.int64()
    exits = pq.read_table(out / "tables" / "exits.parquet")
    assert exits.schema.field("recorded_on").type == pa.date32()
    assert exits.to_pylist() == [{"account_id": "A1", "recorded_on": date(2024, 3, 1), "audited": True}]


def test_csv_and_parquet_give_the_same_bytes(run: Run, raw: Path, root: Path) -> None:
    write(raw, orders=ORDERS)
    parquet = root.parent / "parquet"
    parquet.mkdir()
    duckdb.execute(
        f"COPY (SELECT order_id, account_id, CAST(ordered_at AS TIMESTAMPTZ) AS ordered_at, product_id, "
        f"CAST(quantity AS INTEGER) AS quantity, CAST(amount AS DOUBLE) AS amount FROM "
        f"read_csv('{raw}/orders.csv', all_varchar=true)) TO '{parquet}/orders.parquet'"
    )
    run(into=root / "a")
    run(data=parquet, into=root / "b")
    assert bytes_of(root / "a") == bytes_of(root / "b")


def test_same_inputs_give_the_same_bytes_whatever_the_threads(
    run: Run, raw: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb.execute(
        "COPY (SELECT hash(i)::VARCHAR AS order_id, if(i % 50 = 0, NULL, i % 997) AS account_id, "
        "TIMESTAMP '2024-01-01' + to_minutes((i % 90000)::INTEGER) AS ordered_at, (hash(i) % 1000) / 7 AS amount "
        f"FROM range(400000) AS numbers(i)) TO '{raw}/orders.parquet'"
    )
    cast = contracts.cast
    for threads in (1, 4):

        def with_threads(con, table, source, threads=threads):  # type: ignore[no-untyped-def]
            con.con.execute(f"SET threads = {threads}")
            return cast(con, table, source)

        monkeypatch.setattr(contracts, "cast", with_threads)
        run(into=root / str(threads))
    assert bytes_of(root / "1") == bytes_of(root / "4")


def test_sql_selects_the_contract_from_raw_files(run: Run, raw: Path, root: Path, out: Path) -> None:
    (raw / "Sales 2024.csv").write_text("nr;who;day;total\n1;A1;2024-01-05;3\n", encoding="utf-8")
    (root / "sources" / "mine" / "orders.sql").write_text(
        'SELECT nr AS order_id, who AS account_id, CAST(day AS DATE) AS ordered_at, total AS amount\nFROM "Sales 2024";'
        " -- the end",
        encoding="utf-8",
    )
    assert run("mine").tables["orders"].rows == 1
    assert pq.read_table(out / "tables" / "orders.parquet").column("amount").to_pylist() == [Decimal(3)]


def test_folder_names_may_hold_quotes_and_signs_of_patterns(run: Run, raw: Path, root: Path) -> None:
    odd = root.parent / "d'ata [1] *"
    raw.rename(odd)
    write(odd, orders=ORDERS)
    assert run(data=odd, into=root / "o'ut [1]").tables["orders"].rows == 3


# --- what a new user does wrong -------------------------------------------------------------------------------------


def test_unknown_source_lists_the_sources(run: Run) -> None:
    with pytest.raises(ConfigurationError, match=r"no source 'contrct'; did you mean 'contract'\?.*: contract, mine\."):
        run("contrct")


def test_missing_folder(run: Run, raw: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"folder .*nowhere does not exist\. Put the source.s raw files, CSV or"
    ):
        run(data=raw / "nowhere")


def test_file_in_the_place_of_the_folder(run: Run, raw: Path) -> None:
    write(raw, orders=ORDERS)
    with pytest.raises(ConfigurationError, match=r"orders\.csv is a file\. .*Name the folder"):
        run(data=raw / "orders.csv")


def test_folder_without_data_says_what_is_there(run: Run, raw: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no CSV or Parquet file; it holds nothing"):
        run()
    (raw / "orders.xlsx").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match=r"holds no CSV or Parquet file; it holds orders\.xlsx"):
        run()


def test_file_that_is_no_contract_table(run: Run, raw: Path) -> None:
    write(raw, orders=ORDERS, rebate="rebate_id\n1\n")
    with pytest.raises(
        ConfigurationError, match=r"rebate\.csv: there is no contract table 'rebate'; did you mean 'rebates'"
    ):
        run()


def test_orders_are_needed(run: Run, raw: Path) -> None:
    write(raw, accounts="account_id\nA1\n")
    with pytest.raises(ConfigurationError, match=r"needs orders\.parquet or orders\.csv; it holds accounts\.csv"):
        run()


def test_csv_and_parquet_of_one_name(run: Run, raw: Path) -> None:
    write(raw, orders=ORDERS)
    (raw / "Orders.parquet").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match=r"holds both Orders\.parquet and orders\.csv\. Keep one"):
        run()


def test_empty_file(run: Run, raw: Path) -> None:
    write(raw, orders="")
    with pytest.raises(ContractError, match=r"orders\.csv is empty\. Export it again"):
        run()


def test_header_without_rows(run: Run, raw: Path) -> None:
    write(raw, orders=ORDERS.splitlines()[0] + "\n")
    with pytest.raises(ContractError, match=r"orders: there are no rows\."):
        run()


def test_corrupt_parquet(run: Run, raw: Path) -> None:
    (raw / "orders.parquet").write_bytes(b"PAR1 this is no Parquet file at all PAR1")
    with pytest.raises(ContractError, match=r"orders\.parquet cannot be read as Parquet: .*\nExport it again\."):
        run()


def test_binary_columns_are_refused_rather_than_escaped(run: Run, raw: Path) -> None:
    sql = "SELECT encode('Ă') AS order_id, 'A' AS account_id, DATE '2024-01-01' AS ordered_at, 1 AS amount"
    duckdb.execute(f"COPY ({sql}) TO '{raw}/orders.parquet'")
    with pytest.raises(ContractError, match=r"orders\.order_id: binary, not text\. Export it as text\."):
        run()


def test_parquet_damaged_in_the_middle(run: Run, raw: Path) -> None:
    path = raw / "orders.parquet"
    duckdb.execute(f"COPY (SELECT hash(i) AS order_id FROM range(100000) AS n(i)) TO '{path}' (COMPRESSION zstd)")
    content = bytearray(path.read_bytes())
    content[4:3000] = b"\xff" * 2996
    path.write_bytes(content)
    sql = "SELECT order_id, 'A' AS account_id, DATE '2024-01-01' AS ordered_at, 1 AS amount FROM orders"
    (raw.parent / "project" / "sources" / "mine" / "orders.sql").write_text(sql, encoding="utf-8")
    with pytest.raises(ContractError, match=r"orders\.sql cannot read the raw data: "):
        run("mine")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("second", ["order_id", "ORDER_ID"])
def test_columns_of_one_name_are_refused(run: Run, raw: Path, out: Path, suffix: str, second: str) -> None:
    names, row = ["order_id", "account_id", "ordered_at", "amount", second], ["O1", "A1", "2024-01-01", "1", "O2"]
    if suffix == "csv":
        write(raw, orders=f"{','.join(names)}\n{','.join(row)}\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array([cell]) for cell in row], names), raw / "orders.parquet")
    told = rf"orders\.{suffix} has 2 columns that share their name, for example 'order_id' and '{second}'\. Give each "
    with pytest.raises(ContractError, match=told):
        run()
    assert not (out / "tables").exists()


def test_csv_that_is_not_utf8(run: Run, raw: Path) -> None:
    (raw / "orders.csv").write_bytes(ORDERS.replace("O2", "Öl").encode("latin-1"))
    with pytest.raises(ContractError, match=r"orders\.csv cannot be read as CSV: .*\nExport it again as UTF-8, "):
        run()


@pytest.mark.parametrize(
    "text",
    [
        "order_id,amount\nO1,1\nO2\nO3,1,2,3\n",
        "order_id,amount\nO1,1\nO2\n",
        "Report of today\n\n" + ORDERS,
        ORDERS + "O4,A1,2024-01-01,P9\n",
        ORDERS + "O4,A1,2024-01-01,Pump, small,1,1\n" * 2,
        ORDERS + 'O4,A1,2024-01-01,"Pump,1,1\n',
        ORDERS + "O5,A1,2024-01-01,P1,1,1\n" * 50_000 + "O6,A1,2024-01-01\n",
    ],
)
def test_csv_whose_rows_differ_in_length_loses_nothing_silently(run: Run, raw: Path, text: str) -> None:
    write(raw, orders=text)
    with pytest.raises(
        ContractError, match=r"orders\.csv cannot be read as CSV: .*\nExport it again as UTF-8, with a header"
    ):
        run()


def test_csv_of_other_separators_byte_order_mark_and_hashes(run: Run, raw: Path, out: Path) -> None:
    text = '\ufefforder_id;account_id;ordered_at;product_id;amount\r\n#1;A1;2024-01-05;"12"" pipe; red";1\r\n'
    (raw / "orders.csv").write_text(text, encoding="utf-8", newline="")
    run()
    row = pq.read_table(out / "tables" / "orders.parquet").to_pylist()[0]
    assert (row["order_id"], row["product_id"]) == ("#1", '12" pipe; red')


def test_failures_of_all_tables_are_told_together_and_nothing_is_written(run: Run, raw: Path, out: Path) -> None:
    later = datetime.now(UTC).date() + timedelta(days=2)  # in every zone
    write(
        raw,
        orders=f"order_id,account_id,ordered_at,amount\nO1,A1,2024-01-01,ten\nO2,A9,{later},1\nO2,A9,{later},1\n",
        accounts="account,name\nA1,One\n",
        rebates="rebate_id,account_id,due_on,kind\nR1,A1,2024-05-01,gift\n",
    )
    with pytest.raises(ContractError, match="breaks its contract") as caught:
        run(params=PARAMS.model_copy(update={"latest": None}))
    lines = str(caught.value).splitlines()
    assert [line.strip().split(": ")[0] for line in lines[1:-1]] == [
        "accounts.account_id",
        "orders.amount",
        "orders (order_id, product_id, is_return)".replace("product_id, ", ""),
        "orders.ordered_at",
        "rebates.kind",
    ]
    assert lines[0] == "The data breaks its contract:"
    assert lines[-1] == "Correct the extract, then run `holdfast ingest` again."
    assert not out.exists()
    assert [path for path in out.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("second", ["ordered_at,amount", "amount"])
def test_earlier_output_stays_when_a_later_run_fails(run: Run, raw: Path, out: Path, second: str) -> None:
    write(raw, orders=ORDERS, accounts="account_id\nA1\nA2\n")
    run()
    (out / "matrix").mkdir()
    (out / "matrix" / "of_another_stage").write_text("x", encoding="utf-8")
    before = bytes_of(out)
    write(raw, orders=ORDERS.replace(second.split(",")[0], "nonsense"))
    with pytest.raises(ContractError, match="the column is missing"):
        run()
    assert bytes_of(out) == before
    (raw / "accounts.csv").unlink()
    write(raw, orders=ORDERS)
    run()
    assert bytes_of(out).keys() == {"tables/orders.parquet", "quarantine/orders.parquet", "matrix/of_another_stage"}


def test_output_stays_when_writing_fails_half_way(
    run: Run, raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(raw, orders=ORDERS, accounts="account_id\nA1\nA2\n")
    run()
    before = bytes_of(out)

    def full(con: object, subject: contracts.CastTable, kept: Path, aside: Path) -> None:
        if subject.table.name == "orders":
            raise duckdb.IOException("No space left on device")
        kept.write_bytes(b"half")

    monkeypatch.setattr(contracts, "write", full)
    with pytest.raises(HoldfastError, match=r"The disk is full: .*Results of before are as they were"):
        run()
    assert bytes_of(out) == before
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_too_many_rows_set_aside(run: Run, raw: Path, out: Path) -> None:
    write(raw, orders=ORDERS)
    with pytest.raises(LimitError, match=r"orders: 25\.0% of 4 rows \(account_id is empty: 1\)"):
        run(params=PARAMS.model_copy(update={"quarantine_limit": 0.2}))
    assert not out.exists()


def test_every_row_set_aside(run: Run, raw: Path) -> None:
    write(raw, orders="order_id,account_id,ordered_at,amount\nO1,,2024-01-01,1\n")
    with pytest.raises(ContractError, match=r"orders: every row is set aside \(account_id is empty\)"):
        run(params=PARAMS.model_copy(update={"quarantine_limit": 1.0}))


def test_sql_file_that_is_no_contract_table(run: Run, raw: Path, root: Path) -> None:
    write(raw, orders=ORDERS)
    (root / "sources" / "mine" / "order.sql").write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"order\.sql: there is no contract table 'order'; did you mean 'orders'"
    ):
        run("mine")


def test_source_with_sql_but_without_orders(run: Run, raw: Path, root: Path) -> None:
    write(raw, orders=ORDERS)
    (root / "sources" / "mine" / "accounts.sql").write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine has no orders\.sql\. Write it"):
        run("mine")


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (
            "SELECT * FROM sales",
            ConfigurationError,
            r"orders\.sql does not run: .*sales does not exist!(.|\n)*  lines: order_id, ",
        ),
        (
            "SELECT nope FROM lines",
            ConfigurationError,
            r'orders\.sql does not run: .*"nope" not found(.|\n)*Correct the SQL',
        ),
        ("SELEC 1", ConfigurationError, r"orders\.sql is not SQL: .*syntax error"),
        ("SELECT 1; DROP TABLE x", ConfigurationError, r"orders\.sql must hold one SELECT"),
        ("DROP TABLE x", ConfigurationError, r"orders\.sql must hold one SELECT"),
        ("", ConfigurationError, r"orders\.sql must hold one SELECT"),
        (
            "SELECT *, CAST(account_id AS INTEGER) AS quantity FROM lines",
            ContractError,
            r"orders\.sql cannot read the raw data: .*Could not convert string 'A.'(.|\n)*TRY_CAST",
        ),
    ],
)
def test_mistakes_in_sql_name_the_file(
    run: Run, raw: Path, root: Path, sql: str, error: type[HoldfastError], message: str
) -> None:
    write(raw, lines=ORDERS.replace(",quantity", ",pieces"))
    (root / "sources" / "mine" / "orders.sql").write_text(sql, encoding="utf-8")
    with pytest.raises(error, match=message) as caught:
        run("mine")
    assert "CREATE VIEW" not in str(caught.value)


def test_raw_files_do_not_lie_where_ingest_writes(run: Run, out: Path) -> None:
    (out / "tables").mkdir(parents=True)
    write(out / "tables", orders=ORDERS)
    with pytest.raises(ConfigurationError, match=r"tables is where ingest writes\. Keep the raw files"):
        run(data=out / "tables")


def test_output_that_cannot_be_written(run: Run, raw: Path, root: Path) -> None:
    write(raw, orders=ORDERS)
    (root / "data").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"data cannot be written: .*Name another folder"):
        run()


def test_no_bar_without_a_terminal(run: Run, raw: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(raw, orders=ORDERS)
    run()
    assert capfd.readouterr() == ("", "")
