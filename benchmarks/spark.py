"""The matrix of the same order lines on DuckDB and on local Spark: seconds, their ratio, and that the values agree.

`python -m benchmarks.spark`, with the extra `spark`. On one machine Spark only adds its own cost; it is for data that do
not fit one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.matrix import CUTOFFS, PLAN, generate
from features import spark
from features.engines import connect, open_tables
from features.matrix import build


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="order lines")
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--memory", default="4GB", help="DuckDB's memory limit")
    parser.add_argument("--master", default="local[2]", help="Spark's master")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name) / "tables"
        generate(folder, given.lines, given.accounts)
        started = time.perf_counter()
        session = spark.connect(given.master, {"spark.log.level": "ERROR"})
        print(f"{given.lines:,} order lines, {given.accounts:,} accounts, {len(CUTOFFS)} cut-offs")
        print(f"beginning a Spark session {time.perf_counter() - started:6.1f} s")
        _, duck = _timed(connect(given.memory), folder)
        expected, again = _timed(connect(given.memory), folder)
        print(f"DuckDB                    {again:6.1f} s (first {duck:.1f} s)")
        _, first = _timed(session, folder)
        found, second = _timed(session, folder)
        print(f"Spark, {given.master:18s} {second:6.1f} s (first {first:.1f} s), {second / again:.1f} x DuckDB")
        numbers = expected.select_dtypes("number").columns
        apart = np.nan_to_num(np.abs(found[numbers].to_numpy(float) - expected[numbers].to_numpy(float))).max()
        same = (found[numbers].isna() == expected[numbers].isna()).to_numpy().all()
        print(f"{len(expected):,} rows x {len(numbers)} numbers: furthest apart {apart:.1e}, empty alike: {same}")
        session.disconnect()


def _timed(connection: Any, folder: Path) -> tuple[pd.DataFrame, float]:
    started = time.perf_counter()
    parts = list(build(connection, open_tables(connection, folder), CUTOFFS, PLAN, date(2025, 1, 1), progress=False))
    seconds = time.perf_counter() - started
    return pa.concat_tables(parts).to_pandas(), seconds


if __name__ == "__main__":
    main()
