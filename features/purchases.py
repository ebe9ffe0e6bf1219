"""What each account bought by period and over all time, as it was known at an as_of.

Period one month, as_of 2024-03-15: period 1 back is [2024-02-15, 2024-03-15), period 2 [2024-01-15, 2024-02-15). An order
counts that happened *and* was known before 2024-03-15. Amounts are added as decimals, so that the engine's threads may
add in any order.
"""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from features.declaration import Expression
from features.errors import ConfigurationError
from features.known import known_at
from features.periods import Duration
from features.tables import TABLES

# The square of an amount in hundredths fits the engine's longest decimal; in ten-thousandths it would not.
_SQUARABLE = "decimal(19, 2)"


def by_period(orders: Expression, period: Duration, as_of: date, periods: int) -> pd.DataFrame:
    """What each account bought in each of the last `periods` periods before `as_of`.

    `orders`: the contract table. Rows ordered by account and period, columns

    - account_id, periods_ago: 1 is the last whole period before as_of, half-open, counted back from as_of;
    - amount: money, net of returns, which count in the period in which they came back;
    - bought: money, without the returns taken off;
    - order_days: days with an order; returns are no orders;
    - orders: single orders; an order whose lines lie in two periods is one in each;
    - largest: amount of the largest single order, money; NaN where there was none;
    - squared: sum of the squares of the single orders' amounts, money squared, for their spread.

    A period in which an account neither bought nor returned anything is absent; one with returns alone has no orders.
    Raises ConfigurationError if `periods` is below 1.
    """
    if periods < 1:
        raise ConfigurationError(f"Purchases of {periods} periods were asked for. Ask for 1 or more.")
    rows = _known(orders, as_of).join(_calendar(period, as_of, periods), "day_")
    single = (
        rows.filter(~rows.is_return)
        .group_by(["account_id", "periods_ago", "order_id"])
        .agg(amount=ibis._.amount.cast("decimal(22, 4)").sum())
    )
    cents = single.amount.cast(_SQUARABLE)
    sizes = single.group_by(["account_id", "periods_ago"]).agg(
        bought=single.amount.sum().cast("float64"),
        orders=single.count(),
        largest=single.amount.max().cast("float64"),
        squared=(cents * cents).sum().cast("float64"),
    )
    totals = rows.group_by(["account_id", "periods_ago"]).agg(
        amount=rows.amount.cast("decimal(22, 4)").sum().cast("float64"),
        order_days=rows.day_.nunique(where=~rows.is_return),
    )
    found = totals.left_join(sizes, ["account_id", "periods_ago"])
    columns = ["account_id", "periods_ago", "amount", "bought", "order_days", "orders", "largest", "squared"]
    frame: pd.DataFrame = found.select(columns).order_by(columns[:2]).to_pyarrow().to_pandas()
    return frame.fillna({"bought": 0.0, "orders": 0, "squared": 0.0}).astype(
        {"periods_ago": "int64", "order_days": "int64", "orders": "int64"}
    )


def over_all_time(orders: Expression, as_of: date) -> pd.DataFrame:
    """First and last day with an order and how many there were, of every account with an order known before `as_of`.

    Columns account_id, first_order_on, last_order_on (dates), order_days; ordered by account. Returns are no orders.
    """
    rows = _known(orders, as_of)
    rows = rows.filter(~rows.is_return)
    found = rows.group_by("account_id").agg(
        first_order_on=rows.day_.min(), last_order_on=rows.day_.max(), order_days=rows.day_.nunique()
    )
    frame: pd.DataFrame = found.order_by("account_id").to_pyarrow().to_pandas()
    return frame


def _known(orders: Expression, as_of: date) -> Expression:
    """The rows known before `as_of`, which happened before it too, with their day."""
    rows = orders.mutate(day_=orders.ordered_at.cast("date"), known_=known_at(orders, TABLES["orders"]))
    return rows.filter(rows.known_ < ibis.literal(as_of))


def _calendar(period: Duration, as_of: date, periods: int) -> Expression:
    """(day_, periods_ago) of every day of the last periods."""
    edges = [period.before(as_of, step) for step in range(periods, -1, -1)]
    days = [edges[0] + timedelta(step) for step in range((as_of - edges[0]).days)]
    numbers = np.searchsorted(np.array(edges, dtype="datetime64[D]"), np.array(days, dtype="datetime64[D]"), "right")
    return ibis.memtable(pa.table({"day_": pa.array(days), "periods_ago": pa.array(periods + 1 - numbers)}))
