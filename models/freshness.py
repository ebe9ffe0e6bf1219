"""How old the data of each table were when they were scored, beside the longest they ever went without a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

import ibis
import pandas as pd

from features.declaration import Expression
from features.known import known_at
from features.tables import TABLES

BACK = 730  # days looked back: a gap longer ago tells nothing of the extract of today
LEAST = 12  # days with a row, without which a table is too quiet to say what is usual
COLUMNS = ("table", "last", "days", "longest")


def ages(tables: Mapping[str, Expression], as_of: date) -> pd.DataFrame:
    """A row (COLUMNS) a table with enough rows known before `as_of`: last day with one, days since, longest gap before.

    Rows count from the day on which they were known.
    """
    since = as_of - timedelta(days=BACK)
    rows = []
    for name, table in tables.items():
        if name not in TABLES:
            continue
        known = table.select(day=known_at(table, TABLES[name]).cast("date"))
        found = known.filter((ibis._.day < as_of) & (ibis._.day >= since)).distinct().order_by("day")
        days = [day for day in found.to_pyarrow()["day"].to_pylist() if day is not None]
        if len(days) >= LEAST:
            gaps = [(later - earlier).days for earlier, later in pairwise(days)]
            rows.append((name, days[-1], (as_of - days[-1]).days, max(gaps)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("table", ignore_index=True)
