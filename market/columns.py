"""From arrays to the columns of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from market.draws import NEVER, Flags, Floats, Ints


def ids(prefix: str, count: int, least_digits: int) -> Any:
    """The first `count` ids, such as A00001, as an Arrow array.

    Digit by digit into one buffer: a Python string for each of some million orders would take longer than the rest.
    """
    digits = max(least_digits, len(str(count)))
    numbers = np.arange(1, count + 1)
    width = len(prefix) + digits
    text = np.empty((count, width), np.uint8)
    text[:, : len(prefix)] = list(prefix.encode())
    for place in range(width - 1, len(prefix) - 1, -1):
        text[:, place] = numbers % 10 + ord("0")
        numbers //= 10
    ends = np.arange(count + 1, dtype=np.int64) * width
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


def single(value: Any) -> Any:
    """Numbers of which seven digits are enough, as an Arrow array."""
    return pa.array(value.astype(np.float32))


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
