"""The import of all that Iowa's stores bought of the State, against facts known of the data."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from pipeline.ingest import ingest
from pipeline.params import load

ROOT = Path(__file__).parents[2]


def test_totals_are_the_known_ones(real_data: Path, tmp_path: Path) -> None:
    summary = ingest("iowa_state", real_data / "iowa", tmp_path, load(ROOT, "iowa_state").ingest, ROOT)
    raw = real_data / "iowa" / "state_orders.parquet"
    facts = "count(*), count(DISTINCT store), sum(CAST(dollars AS DECIMAL(18, 4)))"
    rows, stores, dollars = duckdb.execute(f"SELECT {facts} FROM '{raw}'").fetchall()[0]
    assert (rows, stores) == (769_130, 2_822)
    assert round(dollars / 10**9, 2) == Decimal("3.54")
    kept = f"SELECT count(DISTINCT account_id), sum(amount) FROM '{tmp_path / 'tables' / 'orders.parquet'}'"
    assert duckdb.execute(kept).fetchall()[0] == (2_822, dollars)
    assert (summary.first_order, summary.last_order) == (date(2012, 1, 3), date(2022, 10, 31))


def test_cutoffs_are_those_of_the_manufacturer() -> None:
    assert load(ROOT, "iowa_state").evaluate.cutoffs == load(ROOT, "iowa").evaluate.cutoffs
