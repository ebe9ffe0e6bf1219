"""The account closed, moved or changed hands: nobody's fault (004)."""

from __future__ import annotations

import numpy as np

from features.declaration import Array, AsOf, Expression, Theme
from features.known import Known
from features.orders import ORDER_DAYS
from features.windows import View

theme = Theme("endings")

_REASON = "natural_end"
RECENT_DAYS = 365
LAST_ORDERS_DAYS = 31  # after it closed in which orders that were under way may still come


def _since(column: str) -> AsOf:
    def rows(known: Known) -> Expression:
        accounts = known.rows("accounts")
        accounts = accounts.filter(accounts[column].notnull())
        return accounts.select("account_id", "cutoff", value=accounts.as_of.delta(accounts[column], unit="day"))

    return AsOf(f"since_{column}", "accounts", rows, columns=("account_id", column))


CLOSED = _since("closed_on")
OWNER_CHANGED = _since("owner_changed_on")


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="It closed or moved on {since}, {value} ago.",
    since=True,
    states=True,
)
def account_closed(v: View) -> Array:
    """Days since the account closed or moved; 0 where it is open, or ordered more than a month after it had closed."""
    since = np.nan_to_num(v.as_of(CLOSED), nan=0.0)
    orders_on = since - v.since_last(ORDER_DAYS) > LAST_ORDERS_DAYS  # False for who never ordered
    return np.where(orders_on, 0.0, since)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="falls",
    low=0,
    high=RECENT_DAYS,
    sentence="Its owner changed on {since}, {value} ago.",
    since=True,
    empty="no value",
)
def owner_changed_since(v: View) -> Array:
    """Days since its owner changed, within 365 days."""
    since = v.as_of(OWNER_CHANGED)
    return np.where(since <= RECENT_DAYS, since, np.nan)
