"""From arrays to the contract tables, and from the tables to Parquet files that are the same for the same seed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from features.tables import TABLES
from market.draws import NEVER, Flags, Floats, Ints, Population, stream

REGIONS = ("North", "North-East", "East", "South-East", "South", "South-West", "West", "Centre")
SEGMENTS = ("workshop", "retailer", "distributor", "chain")  # from the smallest to the largest
CHANNELS = ("direct", "wholesale", "partner")
LEVELS = ("junior", "senior", "key account")
_PLACES = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Juniper", "Linden", "Maple", "Oak", "Poplar", "Rowan", "Willow")
_TRADES = ("Supplies", "Trading", "Stores", "Traders", "Wholesale", "Depot", "Partners", "Merchants")
_GIVEN = ("Ana", "Bo", "Clara", "Dan", "Eva", "Filip", "Gao", "Hana", "Ion", "Jun", "Kim", "Lin", "Mei", "Noa")
_FAMILY = ("Albu", "Chen", "Dima", "Fang", "Grosu", "Huang", "Ionescu", "Li", "Marin", "Popa", "Stan", "Wang")


def ids(prefix: str, count: int, least_digits: int) -> Any:
    """The first `count` ids, such as A00001, as an Arrow array.

    Digit by digit into one buffer: a Python string for each of some million orders would take longer than the rest.
    """
    digits = max(least_digits, len(str(count)))
    numbers = np.arange(1, count + 1)
    text = np.empty((count, digits + 1), np.uint8)
    text[:, 0] = ord(prefix)
    for place in range(digits, 0, -1):
        text[:, place] = numbers % 10 + ord("0")
        numbers //= 10
    ends = np.arange(count + 1, dtype=np.int64) * (digits + 1)
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(text))


def words(names: Any, which: Ints) -> Any:
    """The names at the places `which` as an Arrow array; null where `which` is negative."""
    values = pa.array(names, pa.large_string()) if isinstance(names, Sequence) else names
    return values.take(pa.array(which, mask=which < 0))


def days(day: Ints) -> Any:
    """Dates from days since 1970-01-01 as an Arrow array; null where the day never comes."""
    return pa.array(np.where(day >= NEVER, 0, day).astype("M8[D]"), mask=day >= NEVER)


def seconds(second: Ints) -> Any:
    """Timestamps from seconds since 1970-01-01 as an Arrow array."""
    return pa.array(second.astype("M8[s]"))


def money(value: Floats) -> Any:
    """Amounts as an Arrow array; null where they are not a number."""
    return pa.array(value, mask=np.isnan(value))


def flags(value: Flags) -> Any:
    """Truth values as an Arrow array."""
    return pa.array(value)


def joined(*parts: Any) -> Any:
    """Texts put together with blanks between, as an Arrow array."""
    return pc.binary_join_element_wise(*parts, pa.scalar(" ", pa.large_string()))


def frame(**columns: Any) -> pd.DataFrame:
    """A pandas frame of Arrow arrays; dates become datetime64, not Python objects."""
    result: pd.DataFrame = pa.table(columns).to_pandas(date_as_object=False)
    return result


def orders(
    number: Ints,
    orders: int,
    account: Ints,
    accounts: int,
    second: Ints,
    product: Ints,
    line: Ints,
    pieces: Ints,
    amount: Floats,
    list_amount: Floats,
    margin: Floats,
) -> pd.DataFrame:
    """The contract table `orders`; all arrays have shape (lines,) but `line`, the product line of each product."""
    return frame(
        order_id=words(ids("O", orders, 8), number),
        account_id=words(ids("A", accounts, 5), account),
        ordered_at=seconds(second),
        product_id=words(ids("P", len(line), 3), product),
        product_line=words(ids("L", int(line.max()) + 1, 1), line[product]),
        quantity=pa.array(pieces),
        amount=money(amount),
        list_amount=money(list_amount),
        margin=money(margin),
        is_return=flags(pieces < 0),
    )


def accounts(people: Population) -> pd.DataFrame:
    """The contract table `accounts`."""
    everyone = ids("A", len(people), 5)
    place, trade = people.name % len(_PLACES), people.name // len(_PLACES) % len(_TRADES)
    return frame(
        account_id=everyone,
        name=joined(words(_PLACES, place), words(_TRADES, trade), everyone),
        region=words(REGIONS, people.region),
        segment=words(SEGMENTS, people.segment),
        channel=words(CHANNELS, people.channel),
        opened_on=days(people.opened),
    )


def rebates(rows: Ints, amount: Floats, accounts: int) -> pd.DataFrame:
    """The contract table `rebates` from account, days of promise, due date and payment, shape (4, rebates)."""
    account, promised, due, paid = rows
    return frame(
        rebate_id=ids("R", len(amount), 6),
        account_id=words(ids("A", accounts, 5), account),
        kind=words(("rebate",), np.zeros(len(amount), np.int64)),
        promised_on=days(promised),
        promised_amount=money(amount),
        due_on=days(due),
        paid_on=days(paid),
        paid_amount=money(np.where(paid >= NEVER, np.nan, amount)),
    )


def assignments(rows: Ints, accounts: int, managers: int) -> pd.DataFrame:
    """The contract table `assignments` from account, manager, first and last day, shape (4, spells)."""
    account, manager, started, ended = rows
    return frame(
        account_id=words(ids("A", accounts, 5), account),
        manager_id=words(ids("M", managers, 3), manager),
        started_on=days(started),
        ended_on=days(ended),
        end_reason=words(("left",), np.where(ended >= NEVER, -1, 0)),
    )


def managers(hired: Ints, left: Ints, level: Ints, hours: Ints, end: int, seed: int) -> pd.DataFrame:
    """The contract table `managers`, arrays of shape (managers,), without those hired at `end` or later."""
    rng = stream(seed, "names")
    given, family = rng.integers(0, len(_GIVEN), len(hired)), rng.integers(0, len(_FAMILY), len(hired))
    table = frame(
        manager_id=ids("M", len(hired), 3),
        name=joined(words(_GIVEN, given), words(_FAMILY, family)),
        level=words(LEVELS, level),
        hired_on=days(hired),
        left_on=days(left),
        monthly_hours=money(hours.astype(np.float64)),
    )
    return table[hired < end].reset_index(drop=True)


def truth(
    account: Ints, period: Ints, hazards: dict[str, Floats], lost: Flags, reason: Ints, codes: list[str], accounts: int
) -> pd.DataFrame:
    """The truth from arrays of shape (rows,); `reason` is a place in `codes`, negative for none."""
    return frame(
        account_id=words(ids("A", accounts, 5), account),
        period=days(period),
        **{name: money(hazard) for name, hazard in hazards.items()},
        lost=flags(lost),
        reason=words(codes, reason),
    )


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
    kinds = {"account_id": "id", "period": "date", "lost": "flag", "reason": "text"}
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
        return pa.array(values.to_numpy(np.int64))
    if kind == "flag":
        return pa.array(values.to_numpy(np.bool_))
    return pa.array(values.to_numpy(np.float64))


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
