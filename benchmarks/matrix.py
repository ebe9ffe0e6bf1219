"""How long the feature matrix takes, against the least that any engine could do and against a plain pandas loop.

First with orders alone, then with deliveries, contacts, complaints and rebates beside them.

Run `make bench`. Everything is measured in one process run on generated order lines, so that ratios hold on a machine
shared with others; each engine figure is the best of three, the pandas loop is run once.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from tqdm import tqdm

from features.engines import connect, open_tables
from features.matrix import Plan, build, features_of, write
from features.periods import Duration, Label, rolling_cutoffs

FIRST = date(2022, 1, 1)
CUTOFFS = rolling_cutoffs(date(2022, 10, 15), date(2024, 9, 15), Duration(1, "month"))
PLAN = Plan(Duration(1, "month"), Label(Duration(3, "month"), Duration(12, "month")))
WINDOWS = (1, 3, 6, 12)
# table -> order lines for each of its rows, and its columns besides key and account
CARE = {
    "deliveries": (
        5,
        "day AS promised_on, day + CASE WHEN i % 8 = 0 THEN after // 3 ELSE after // 20 - 1 END AS delivered_on, 20::DECIMAL(18, 4) AS ordered_quantity, "
        "(20 - i % 30 // 25)::DECIMAL(18, 4) AS delivered_quantity, i % 40 = 0 AS stock_out",
    ),
    "contacts": (
        10,
        "day::TIMESTAMP AS contacted_at, ['visit', 'call', 'mail'][i % 3 + 1] AS kind, i % 4 = 0 AS inbound, "
        "CASE WHEN i % 8 = 0 THEN (day + after)::TIMESTAMP END AS replied_at",
    ),
    "complaints": (
        33,
        "day::TIMESTAMP AS opened_at, CASE WHEN i % 9 > 0 THEN (day + after)::TIMESTAMP END AS resolved_at, "
        "['quality', 'service', 'logistics', 'billing'][i % 4 + 1] AS kind, (i % 5 + 1)::BIGINT AS severity",
    ),
    "rebates": (
        33,
        "['rebate', 'reward', 'term'][i % 3 + 1] AS kind, day AS promised_on, 100::DECIMAL(18, 4) AS promised_amount, "
        "day + 30 AS due_on, CASE WHEN i % 9 > 0 THEN day + after END AS paid_on, 90::DECIMAL(18, 4) AS paid_amount",
    ),
}


def main() -> None:
    """Print the table of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000, help="order lines")
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--memory", default="4GB", help="DuckDB's memory limit")
    parser.add_argument("--without-loop", action="store_true", help="leave out the pandas loop, which takes longest")
    parser.add_argument("--only-matrix", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_matrix:
        _matrix(given.only_matrix, given.memory)
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        print(f"{given.lines:,} order lines, {given.accounts:,} accounts, {len(CUTOFFS)} cut-offs")
        generate(folder / "large", given.lines, given.accounts)
        read = _best(lambda: _query(folder / "large", "SELECT sum(amount::DOUBLE), max(account_id), max(ordered_at)"))
        group = _best(lambda: _group_by(folder / "large", "orders"))
        matrix = _best(lambda: _matrix(folder / "large", given.memory))
        generate(folder / "small", given.lines // 10, given.accounts)
        small = _best(lambda: _matrix(folder / "small", given.memory))
        peak = _peak(folder / "large", given.memory)
        loop = 0.0 if given.without_loop else _timed(lambda: pandas_loop(folder / "large" / "orders.parquet"))
        columns = len(_features(folder / "large", given.memory))
        rows = [
            ("reading the columns once", read, ""),
            ("one GROUP BY account, month: count, sum", group, "1.0 x"),
            (f"the whole matrix, {columns} features", matrix, f"{matrix / group:.1f} x"),
            (
                f"the matrix of {given.lines // 10:,} lines",
                small,
                f"{matrix / small:.1f} x less than of ten times as many",
            ),
            ("a pandas loop over cut-offs, a third of the features", loop, f"{loop / matrix:.1f} x the matrix"),
        ]
        _print(rows)
        print(f"peak memory of building the matrix: {peak:.2f} GB with DuckDB limited to {given.memory}")

        generate_care(folder / "large", given.lines, given.accounts)
        groups = [_best(lambda name=name: _group_by(folder / "large", name)) for name in ("orders", *CARE)]
        matrix = _best(lambda: _matrix(folder / "large", given.memory))
        peak = _peak(folder / "large", given.memory)
        columns = len(_features(folder / "large", given.memory))
        print("\n" + ", ".join(f"{given.lines // share:,} {name}" for name, (share, _) in CARE.items()))
        _print(
            [
                ("the sum of one GROUP BY account, month a table", sum(groups), "1.0 x"),
                (f"the whole matrix, {columns} features", matrix, f"{matrix / sum(groups):.1f} x"),
            ]
        )
        print(f"peak memory of building the matrix: {peak:.2f} GB with DuckDB limited to {given.memory}")


def _print(rows: Iterable[tuple[str, float, str]]) -> None:
    for what, seconds, ratio in rows:
        print(f"{what:55s}{seconds:8.2f} s   {ratio}")


def generate(folder: Path, lines: int, accounts: int) -> None:
    """Orders of five lines each, spread evenly over accounts and three years, as `ingest` would write them."""
    folder.mkdir()
    duckdb.connect().execute(
        f"""COPY (
        SELECT 'O' || (i // 5) AS order_id, 'A' || lpad((hash(i // 5) % {accounts})::VARCHAR, 6, '0') AS account_id,
            TIMESTAMP '{FIRST}' + to_seconds((hash(i // 5 + 7) % (1096 * 86400))::BIGINT) AS ordered_at,
            'P' || (hash(i) % 40 + hash(hash(i // 5) % {accounts}) % 160) AS product_id,
            (hash(i + 1) % 24 + 1)::DECIMAL(18, 4) AS quantity,
            ((hash(i + 2) % 24000 + 100) / 100.0)::DECIMAL(18, 4) AS amount, hash(i + 3) % 50 = 0 AS is_return
        FROM range({lines}) AS t(i)) TO '{folder / "orders.parquet"}' (FORMAT PARQUET)"""
    )


def generate_care(folder: Path, lines: int, accounts: int) -> None:
    """The tables of `CARE` beside the orders, as `ingest` would write them."""
    for name, (share, columns) in CARE.items():
        duckdb.connect().execute(
            f"""COPY (
            SELECT '{name}' || i AS {name.removesuffix("s").removesuffix("ie")}_id,
                'A' || lpad((hash(i + 11) % {accounts})::VARCHAR, 6, '0') AS account_id, {columns}
            FROM (SELECT i, DATE '{FIRST}' + (hash(i + 13) % 1080)::INT AS day, (hash(i + 17) % 60)::INT AS after
                FROM range({lines // share}) AS t(i))) TO '{folder / name}.parquet' (FORMAT PARQUET)"""
        )


def pandas_loop(path: Path) -> pd.DataFrame:
    """What one would write first: for each cut-off filter, group, join. Sums, counts, days, products, recency."""
    orders = pd.read_parquet(
        path, columns=["account_id", "ordered_at", "product_id", "quantity", "amount", "is_return"]
    )
    orders["amount"] = orders["amount"].astype(float)
    orders["quantity"] = orders["quantity"].astype(float)
    orders["account_id"] = orders["account_id"].astype("category")
    orders = orders[~orders["is_return"]]
    orders["day"] = orders["ordered_at"].dt.normalize()
    parts = []
    for cutoff in tqdm(CUTOFFS, desc="pandas", disable=None):
        as_of = pd.Timestamp(cutoff)
        past = orders[orders["ordered_at"] < as_of]
        features = {"recency": (as_of - past.groupby("account_id", observed=True)["day"].max()).dt.days}
        for window in WINDOWS:
            inside = past[past["ordered_at"] >= as_of - pd.DateOffset(months=window)]
            grouped = inside.groupby("account_id", observed=True)
            features[f"amount_{window}"] = grouped["amount"].sum()
            features[f"quantity_{window}"] = grouped["quantity"].sum()
            features[f"order_days_{window}"] = grouped["day"].nunique()
            features[f"breadth_{window}"] = grouped["product_id"].nunique()
        parts.append(pd.DataFrame(features).assign(as_of=as_of))
    return pd.concat(parts)


def _matrix(folder: Path, memory: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as spill:
        connection = connect(memory, Path(spill))
        tables = open_tables(connection, folder)
        write(build(connection, tables, CUTOFFS, PLAN, date(2025, 1, 1)), folder / "matrix")
        connection.disconnect()


def _features(folder: Path, memory: str) -> tuple[object, ...]:
    connection = connect(memory)
    return features_of(open_tables(connection, folder))


def _group_by(folder: Path, name: str) -> None:
    at, value = {
        "orders": ("ordered_at", "amount"),
        "deliveries": ("promised_on", "ordered_quantity"),
        "contacts": ("contacted_at", "1"),
        "complaints": ("opened_at", "severity"),
        "rebates": ("due_on", "promised_amount"),
    }[name]
    select = f"SELECT account_id, date_trunc('month', {at}) AS month, count(*), sum({value}::DOUBLE)"
    _query(folder, select, "GROUP BY ALL", name)


def _query(folder: Path, select: str, rest: str = "", name: str = "orders") -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TEMP TABLE answer AS {select} FROM '{folder / name}.parquet' {rest}")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _best(work: Callable[[], object]) -> float:
    return float(np.min([_timed(work) for _ in range(3)]))


def _peak(folder: Path, memory: str) -> float:
    """Peak memory (GB) of a process of its own that builds the matrix."""
    subprocess.run(
        [sys.executable, "-m", "benchmarks.matrix", "--only-matrix", str(folder), "--memory", memory], check=True
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
