"""The import of Online Retail II against facts known of the data, and its own accounts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.ingest import IngestSummary, ingest
from pipeline.params import load

ROOT = Path(__file__).parents[2]
HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"


@pytest.fixture(scope="module")
def imported(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestSummary, Path, Path]:
    out = tmp_path_factory.mktemp("online_retail_ii") / "out"
    raw = real_data / "online_retail_ii"
    return ingest("online_retail_ii", raw, out, load(ROOT, "online_retail_ii").ingest, ROOT), out, raw / "lines.parquet"


def one(sql: str, path: Path) -> tuple[Any, ...]:
    return duckdb.execute(sql.replace("TABLE", f"read_parquet('{path}')")).fetchall()[0]


def small(folder: Path, *lines: str) -> list[tuple[Any, ...]]:
    """Orders made of a few raw lines."""
    raw = folder / "raw"
    raw.mkdir()
    (raw / "lines.csv").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    ingest("online_retail_ii", raw, folder / "out", load(ROOT, "online_retail_ii").ingest, ROOT)
    return duckdb.execute(
        "SELECT order_id, product_id, CAST(quantity AS INTEGER), CAST(amount AS DOUBLE), is_return "
        f"FROM read_parquet('{folder}/out/tables/orders.parquet')"
    ).fetchall()


def test_raw_data_are_the_known_ones(imported: tuple[IngestSummary, Path, Path]) -> None:
    _, _, lines = imported
    facts = 'count(*), count(DISTINCT "Customer ID"), min(InvoiceDate), max(InvoiceDate)'
    assert one(f"SELECT {facts} FROM TABLE", lines) == (
        1_044_847,
        5_942,
        datetime(2009, 12, 1, 7, 45),
        datetime(2011, 12, 9, 12, 50),
    )


def test_every_raw_line_is_kept_left_out_by_a_rule_or_set_aside(imported: tuple[IngestSummary, Path, Path]) -> None:
    summary, out, lines = imported
    repeats = one("SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM TABLE)) FROM TABLE", lines)[0]
    product = "regexp_matches(upper(StockCode), '^([0-9]{5}|DCGS|SP[0-9])')"
    services, free, corrections, identified, anonymous = one(
        f"SELECT count(*) FILTER (NOT {product}), count(*) FILTER ({product} AND Price <= 0), "
        f"count(*) FILTER ({product} AND Price > 0 AND (Quantity < 0) <> (Invoice LIKE 'C%')), "
        f'count("Customer ID") FILTER ({product} AND Price > 0), '
        f'count(*) FILTER ({product} AND Price > 0 AND "Customer ID" IS NULL) '
        "FROM (SELECT DISTINCT * FROM TABLE)",
        lines,
    )
    taken_back = 2 * 1_236  # counted by an explicit stack over each customer, product, number of pieces and day
    assert (repeats, services, free, corrections) == (11_812, 5_819, 5_962, 0)
    assert (identified - taken_back, anonymous) == (791_693, 227_089)
    assert repeats + services + free + corrections + identified + anonymous == 1_044_847
    assert summary.tables["orders"].rows == 781_189  # of 791,693 lines, summed by order and product
    assert summary.tables["orders"].quarantined == {"account_id is empty": 226_280}  # of 227,089 lines
    money = "SELECT sum(amount), sum(amount) FILTER (is_return) FROM TABLE"
    assert one(money, out / "tables" / "orders.parquet") == (Decimal("16320930.41"), Decimal("-369604.70"))
    assert one(money, out / "quarantine" / "orders.parquet") == (Decimal("2568806.36"), Decimal("-6472.54"))


def test_stack_counts_the_same_day_cancellations(imported: tuple[IngestSummary, Path, Path]) -> None:
    """The slow and obvious count behind `taken_back`."""
    _, _, lines = imported
    sales = duckdb.execute(
        'SELECT "Customer ID", upper(StockCode), abs(Quantity), CAST(InvoiceDate AS DATE), InvoiceDate, Quantity < 0 '
        f"FROM (SELECT DISTINCT * FROM read_parquet('{lines}')) WHERE \"Customer ID\" IS NOT NULL AND Price > 0 "
        "AND regexp_matches(upper(StockCode), '^([0-9]{5}|DCGS|SP[0-9])') ORDER BY ALL"
    )
    open_lines: dict[tuple[Any, ...], int] = {}
    pairs = 0
    for *group, _, cancels in sales.fetchall():
        waiting = open_lines.get(tuple(group), 0)
        if cancels and waiting:
            pairs += 1
        if not cancels or waiting:
            open_lines[tuple(group)] = waiting + (-1 if cancels else 1)
    assert pairs == 1_236


def test_the_two_huge_orders_cancelled_the_same_day_are_gone(imported: tuple[IngestSummary, Path, Path]) -> None:
    _, out, _ = imported
    assert one("SELECT max(abs(quantity)) < 20000 FROM TABLE", out / "tables" / "orders.parquet") == (True,)


def test_summary_tells_accounts_and_days(imported: tuple[IngestSummary, Path, Path]) -> None:
    summary, out, _ = imported
    assert (summary.first_order, summary.last_order) == (date(2009, 12, 1), date(2011, 12, 9))
    assert (summary.tables["accounts"].rows, summary.accounts_without_orders) == (5_942, 68)
    assert one("SELECT count(region) FROM TABLE", out / "tables" / "accounts.parquet") == (5_942,)


def test_rules_on_a_few_lines_of_csv(tmp_path: Path) -> None:
    orders = small(
        tmp_path,
        "1,85123a,HEART,6,2010-01-04 10:00:00,2.55,13085.0,France",
        "1,85123a,HEART,6,2010-01-04 10:00:00,2.55,13085.0,France",  # an exact repeat
        "1,85123A,HEART,2,2010-01-04 10:01:00,2.5,13085.0,France",  # the same product
        "1,POST,POSTAGE,1,2010-01-04 10:00:00,18,13085.0,France",
        "1,22222,SAMPLE,1,2010-01-04 10:00:00,0,13085.0,France",
        "2,22222,broken,-5,2010-01-04 11:00:00,0,,France",
        "C3,85123A,HEART,-6,2010-01-05 10:00:00,2.55,13085.0,France",  # a day later: a return
    )
    assert orders == [("1", "85123A", 8, 20.3, False), ("C3", "85123A", -6, -15.3, True)]


def test_cancellation_takes_back_the_latest_open_line_of_the_day(tmp_path: Path) -> None:
    orders = small(
        tmp_path,
        "C1,11111,CUP,-5,2010-01-04 09:00:00,1,1,France",  # of an order of an earlier day
        "2,11111,CUP,5,2010-01-04 10:00:00,1,1,France",
        "3,11111,CUP,5,2010-01-04 10:30:00,1,1,France",
        "C4,11111,CUP,-5,2010-01-04 11:00:00,1,1,France",  # takes back 3
        "5,11111,CUP,5,2010-01-04 12:00:00,1,1,France",
        "C6,11111,CUP,-4,2010-01-04 13:00:00,1,1,France",  # other number of pieces
        "C7,11111,CUP,-5,2010-01-04 13:00:00,1,2,France",  # other customer
        "C8,22222,CUP,-5,2010-01-04 13:00:00,1,1,France",  # other product
    )
    assert [order[0] for order in orders] == ["2", "5", "C1", "C6", "C7", "C8"]


def test_parameters_of_the_source_are_valid() -> None:
    params = load(ROOT, "online_retail_ii")
    assert params.evaluate.cutoffs == [date(2011, 7, 10), date(2011, 8, 10), date(2011, 9, 10)]
    assert (str(params.featurize.horizon), str(params.featurize.eligible)) == ("90 days", "365 days")
    assert (params.score.as_of, params.report.currency) == (date(2011, 12, 10), "GBP")
