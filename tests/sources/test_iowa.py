"""The import of Iowa against facts known of the data, and its own accounts: raw rows = kept + left out + set aside."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.ingest import IngestSummary, ingest
from pipeline.params import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def imported(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestSummary, Path, Path]:
    out = tmp_path_factory.mktemp("iowa") / "out"
    raw = real_data / "iowa"
    return ingest("iowa", raw, out, load(ROOT, "iowa").ingest, ROOT), out / "tables", raw


def one(sql: str, path: Path) -> tuple[Any, ...]:
    return duckdb.execute(sql.replace("TABLE", f"read_parquet('{path}')")).fetchall()[0]


def test_totals_are_the_known_ones(imported: tuple[IngestSummary, Path, Path]) -> None:
    summary, tables, raw = imported
    facts = "count(*), count(DISTINCT store), count(DISTINCT item), sum(CAST(dollars AS DECIMAL(18, 4)))"
    assert one(f"SELECT {facts} FROM TABLE", raw / "lines.parquet") == (753_643, 2_743, 124, Decimal("170275124.35"))
    facts = "count(DISTINCT account_id), count(DISTINCT product_id), sum(amount), count(*) FILTER (is_return)"
    assert one(f"SELECT {facts} FROM TABLE", tables / "orders.parquet") == (2_743, 124, Decimal("170275124.35"), 14)
    assert (summary.first_order, summary.last_order) == (date(2012, 1, 3), date(2022, 10, 31))


def test_every_raw_line_is_kept_or_left_out_by_a_rule(imported: tuple[IngestSummary, Path, Path]) -> None:
    summary, tables, raw = imported
    free, free_bottles, bottles = one(
        "SELECT count(*) FILTER (dollars = 0), sum(bottles) FILTER (dollars = 0), sum(bottles) FROM TABLE",
        raw / "lines.parquet",
    )
    keys = one(
        "SELECT count(*), sum(lines) FROM "
        "(SELECT count(*) AS lines FROM TABLE WHERE dollars <> 0 GROUP BY store, invoice, item, dollars < 0)",
        raw / "lines.parquet",
    )
    assert free == 57
    assert keys == (752_580, 753_643 - free)
    assert summary.tables["orders"].rows == 752_580
    assert summary.tables["orders"].quarantined == {}
    assert one("SELECT sum(quantity) FROM TABLE", tables / "orders.parquet") == (bottles - free_bottles,)


def test_invoice_number_of_two_stores_is_two_orders(imported: tuple[IngestSummary, Path, Path]) -> None:
    _, tables, raw = imported
    shared = "(SELECT invoice FROM TABLE GROUP BY ALL HAVING count(DISTINCT store) > 1)"
    assert one(f"SELECT count(*) FROM {shared}", raw / "lines.parquet") == (217,)
    mixed = "(SELECT order_id FROM TABLE GROUP BY ALL HAVING count(DISTINCT account_id) > 1)"
    assert one(f"SELECT count(*) FROM {mixed}", tables / "orders.parquet") == (0,)


def test_accounts_are_the_master_and_the_stores_only_seen_in_lines(imported: tuple[IngestSummary, Path, Path]) -> None:
    summary, tables, _ = imported
    assert summary.tables["accounts"].rows == 2_296 + 562
    assert summary.accounts_without_orders == 115
    assert one("SELECT count(name) FROM TABLE", tables / "accounts.parquet") == (2_296,)


def test_no_region_is_taken_from_a_master_that_knows_survivors_only(
    imported: tuple[IngestSummary, Path, Path],
) -> None:
    _, tables, raw = imported
    absent = f"""SELECT count(*), count(*) FILTER (master."Store" IS NULL),
            count(*) FILTER (master."Store" IS NULL AND last < DATE '2022-05-01'),
            round(avg((last < DATE '2022-05-01')::INT) FILTER (master."Store" IS NOT NULL), 2)
        FROM (SELECT store, max("date") AS last FROM TABLE WHERE "date" >= DATE '2018-01-01' GROUP BY store) AS seen
        LEFT JOIN '{raw / "stores.parquet"}' AS master ON master."Store" = seen.store::VARCHAR"""
    assert one(absent, raw / "lines.parquet") == (2_294, 115, 115, 0.12)
    assert "region" not in pq.read_schema(tables / "accounts.parquet").names


def test_a_month_s_share_of_wallet_is_known_on_its_last_day(imported: tuple[IngestSummary, Path, Path]) -> None:
    summary, tables, _ = imported
    assert summary.tables["competitor_signals"].rows == 178_945
    facts = "min(value) >= 0, max(value) <= 1, bool_and(seen_on = last_day(seen_on)), count(*) FILTER (value = 0)"
    assert one(f"SELECT {facts} FROM TABLE", tables / "competitor_signals.parquet") == (True, True, True, 33_804)


def test_returns_are_negative_and_products_have_their_category(imported: tuple[IngestSummary, Path, Path]) -> None:
    _, tables, _ = imported
    returned = "SELECT max(amount) < 0, max(quantity) < 0, sum(amount) FROM TABLE WHERE is_return"
    assert one(returned, tables / "orders.parquet") == (True, True, Decimal("-5545.19"))
    assert one("SELECT min(amount) > 0 FROM TABLE WHERE NOT is_return", tables / "orders.parquet") == (True,)
    assert one("SELECT count(*), count(product_line) FROM TABLE", tables / "products.parquet") == (124, 124)


def test_parameters_of_the_source_are_valid() -> None:
    params = load(ROOT, "iowa")
    assert params.evaluate.cutoffs is not None
    assert (params.evaluate.cutoffs[0], params.evaluate.cutoffs[-1]) == (date(2019, 4, 1), date(2022, 7, 1))
    assert (len(params.evaluate.cutoffs), params.score.as_of, params.report.currency) == (14, date(2022, 11, 1), "USD")
