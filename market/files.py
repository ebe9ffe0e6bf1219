"""From frames to Parquet files that are the same for the same seed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from features.tables import TABLES
from market.draws import Floats


def write(tables: dict[str, pd.DataFrame], out: Path, truth: Path) -> None:
    """Write each contract table to OUT/TABLE.parquet and the table `truth` to the file `truth`.

    The same tables give the same bytes. All files are written under a temporary name first and then renamed, so that
    nobody sees half of them; files of an earlier run are replaced.

    Raises
    ------
    ValueError
        If `truth` lies within `out`: who reads the tables must not find it among them.
    FileExistsError
        If `out` holds anything but Parquet files, which replacing it would lose.
    KeyError
        If a table is not in the contract or `truth` is missing.
    """
    if out.resolve() in truth.resolve().parents:
        raise ValueError(f"The truth {truth} lies among the tables in {out}. Write it outside that folder.")
    foreign = sorted(path.name for path in out.iterdir() if path.suffix != ".parquet") if out.exists() else []
    if foreign:
        raise FileExistsError(f"{out} holds {foreign[0]!r}, which is not a table. Choose another folder, or empty it.")
    contract = {name: arrow(table, _kinds(name)) for name, table in tables.items() if name != "truth"}
    known = arrow(tables["truth"], _truth_kinds(tables["truth"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    truth.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.{os.getpid()}.new")
    stale = out.with_name(f".{out.name}.{os.getpid()}.old")
    fresh_truth = truth.with_name(f".{truth.name}.{os.getpid()}.new")
    try:
        fresh.mkdir()
        for name, table in contract.items():
            _write_one(table, fresh / f"{name}.parquet")
        _write_one(known, fresh_truth)
        if out.exists():
            out.rename(stale)
        fresh.rename(out)
        fresh_truth.replace(truth)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(stale, ignore_errors=True)
        fresh_truth.unlink(missing_ok=True)


def arrow(table: pd.DataFrame, kinds: dict[str, str]) -> Any:
    """An Arrow table with the storage type of each column's kind, and no pandas metadata.

    Raises KeyError if the frame has a column that `kinds` lacks.
    """
    return pa.table({str(column): _arrow_column(table[column], kinds[str(column)]) for column in table.columns})


def _kinds(name: str) -> dict[str, str]:
    return {column.name: column.kind for column in TABLES[name].columns}


def _truth_kinds(table: pd.DataFrame) -> dict[str, str]:
    """The truth is in no contract: hazards stay floating point, for they are far smaller than a decimal's last digit."""
    kinds = {
        "account_id": "id",
        "period": "date",
        "decided": "date",
        "contacted": "flag",
        "lost": "flag",
        "reason": "text",
    }
    return {str(name): kinds.get(str(name), "float") for name in table.columns}


def _arrow_column(values: pd.Series[Any], kind: str) -> Any:
    if kind in ("id", "text"):
        return pa.Array.from_pandas(values, type=pa.large_string()).cast(pa.string())
    if kind == "date":
        return pa.array(values.to_numpy().astype("M8[D]"))
    if kind == "time":
        return pa.array(values.to_numpy().astype("M8[us]"))
    if kind == "decimal":
        return _decimal(values.to_numpy(np.float64))
    if kind == "integer":
        return pa.Array.from_pandas(values, type=pa.int64())
    if kind == "flag":
        return pa.array(values.to_numpy(np.bool_))
    return pa.array(values.to_numpy())


def _decimal(values: Floats) -> Any:
    """DECIMAL(18, 4), through whole ten-thousandths so that 0.1 is 0.1."""
    missing = np.isnan(values)
    low = np.rint(np.where(missing, 0, values) * 10_000).astype(np.int64)
    # An Arrow decimal is a 128-bit number: its upper half repeats the sign.
    buffer = pa.py_buffer(np.stack([low, low >> 63], axis=1))
    valid = pa.array(~missing).buffers()[1] if missing.any() else None
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(values), [valid, buffer])


def _write_one(table: Any, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")
