"""Recency, frequency, volume, rhythm and range of orders: the signs of the loss itself, and returns.

Orders of one day count as one order day. Symptoms say *that* an account goes, not why; goods that come back are
evidence that the product no longer fits.
"""

from __future__ import annotations

import numpy as np

from features.declaration import WINDOWS, Additive, Array, Days, Distinct, Theme, ratio, trend
from features.windows import View

theme = Theme("orders")

ORDER_DAYS = Days("order_days", "orders", "ordered_at", where=lambda t: ~t.is_return)
AMOUNT = Additive("amount", "orders", "ordered_at", value=lambda t: t.amount, where=lambda t: ~t.is_return)
QUANTITY = Additive("quantity", "orders", "ordered_at", value=lambda t: t.quantity, where=lambda t: ~t.is_return)
RETURNED = Additive("returned", "orders", "ordered_at", value=lambda t: -t.amount, where=lambda t: t.is_return)
PRODUCTS = Distinct("products", "orders", "ordered_at", item="product_id", where=lambda t: ~t.is_return)


@theme.feature(
    unit="days",
    reason="symptom",
    direction="rises",
    low=1,
    sentence="Last ordered on {since}, {value} ago.",
    since=True,
    empty="no value",
)
def recency(v: View) -> Array:
    """Days since the last order."""
    return v.since_last(ORDER_DAYS)


@theme.feature(
    unit="days",
    reason="context",
    direction="falls",
    low=1,
    sentence="Customer since {since}, for {value}.",
    since=True,
    empty="no value",
)
def tenure(v: View) -> Array:
    """Days since the first order."""
    return v.since_first(ORDER_DAYS)


@theme.feature(unit="orders", reason="context", direction="falls", low=0, sentence="Ordered on {value} days in all.")
def order_days_total(v: View) -> Array:
    """Days with an order so far."""
    return v.days(ORDER_DAYS)


@theme.feature(
    unit="orders",
    reason="symptom",
    direction="falls",
    windows=WINDOWS,
    low=0,
    sentence="Ordered on {value} days in the last {w} periods.",
)
def order_days(v: View, w: int) -> Array:
    """Days with an order in the last {w} periods."""
    return v.days(ORDER_DAYS, w)


@theme.feature(
    unit="periods",
    reason="symptom",
    direction="falls",
    low=0,
    high=12,
    sentence="Ordered in {value} of the last 12 periods.",
)
def active_periods(v: View) -> Array:
    """Periods with an order among the last 12."""
    return v.active_periods(ORDER_DAYS, 12)


@theme.feature(
    unit="money",
    reason="symptom",
    direction="falls",
    windows=WINDOWS,
    sentence="Bought for {value} in the last {w} periods.",
)
def amount(v: View, w: int) -> Array:
    """Amount ordered in the last {w} periods, returns not counted."""
    return v.total(AMOUNT, w)


@theme.feature(
    unit="pieces",
    reason="symptom",
    direction="falls",
    windows=WINDOWS,
    sentence="Bought {value} in the last {w} periods.",
)
def quantity(v: View, w: int) -> Array:
    """Pieces ordered in the last {w} periods, returns not counted."""
    return v.total(QUANTITY, w)


@theme.feature(
    unit="money",
    reason="symptom",
    direction="falls",
    windows=WINDOWS,
    sentence="An order day of the last {w} periods was worth {value}.",
    empty="no value",
)
def order_size(v: View, w: int) -> Array:
    """Amount of an order day in the last {w} periods."""
    return ratio(v.total(AMOUNT, w), v.days(ORDER_DAYS, w))


@theme.feature(
    unit="products",
    reason="symptom",
    direction="falls",
    windows=WINDOWS,
    low=0,
    sentence="Bought {value} different products in the last {w} periods.",
)
def breadth(v: View, w: int) -> Array:
    """Different products ordered in the last {w} periods."""
    return v.distinct(PRODUCTS, w)


@theme.feature(
    unit="share",
    reason="product",
    direction="rises",
    windows=(1, 3, 12),
    low=0,
    sentence="Sent back goods worth {value} of what it bought in the last {w} periods.",
    empty="no value",
)
def return_share(v: View, w: int) -> Array:
    """Amount returned in the last {w} periods as a share of the amount ordered in them."""
    return ratio(v.total(RETURNED, w), v.total(AMOUNT, w))


@theme.feature(
    unit="ratio",
    reason="product",
    direction="rises",
    low=-1,
    high=1,
    sentence="Its returns of the last 3 periods stand at {value} against the 3 before (-1 gone, 1 new).",
    empty="no value",
)
def return_trend(v: View) -> Array:
    """Returns of the last 3 periods against the 3 before: (now - before) / (now + before)."""
    return np.where(v.covered("orders", 3, 3), trend(v.total(RETURNED, 3), v.total(RETURNED, 3, 3)), np.nan)


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="falls",
    windows=WINDOWS,
    low=-1,
    high=1,
    sentence="Its purchases of the last {w} periods stand at {value} against the {w} before (-1 stopped, 0 unchanged).",
    empty="no value",
)
def amount_trend(v: View, w: int) -> Array:
    """Amount of the last {w} periods against the {w} before: (now - before) / (now + before)."""
    return np.where(v.covered("orders", w, w), trend(v.total(AMOUNT, w), v.total(AMOUNT, w, w)), np.nan)


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="falls",
    windows=(3, 6),
    low=-1,
    high=1,
    sentence="Its order days of the last {w} periods stand at {value} against the {w} before.",
    empty="no value",
)
def order_days_trend(v: View, w: int) -> Array:
    """Order days of the last {w} periods against the {w} before: (now - before) / (now + before)."""
    return np.where(v.covered("orders", w, w), trend(v.days(ORDER_DAYS, w), v.days(ORDER_DAYS, w, w)), np.nan)


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="falls",
    windows=(3, 6),
    low=-1,
    high=1,
    sentence="Its range of the last {w} periods stands at {value} against the {w} before.",
    empty="no value",
)
def breadth_trend(v: View, w: int) -> Array:
    """Different products of the last {w} periods against the {w} before: (now - before) / (now + before)."""
    return np.where(v.covered("orders", w, w), trend(v.distinct(PRODUCTS, w), v.distinct(PRODUCTS, w, w)), np.nan)


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="falls",
    windows=(1, 3, 6),
    low=-1,
    high=1,
    sentence="Its purchases of the last {w} periods stand at {value} against the same season a year before.",
    empty="no value",
)
def amount_season(v: View, w: int) -> Array:
    """Amount of the last {w} periods against the same a year before: (now - before) / (now + before)."""
    return np.where(v.covered("orders", w, v.year), trend(v.total(AMOUNT, w), v.total(AMOUNT, w, v.year)), np.nan)


@theme.feature(
    unit="orders",
    reason="symptom",
    direction="falls",
    low=0,
    sentence="A year ago it ordered on {value} days in the three periods now ahead.",
    empty="no value",
)
def order_days_ahead_last_year(v: View) -> Array:
    """Days with an order a year ago in the three periods that now lie ahead."""
    return np.where(v.covered("orders", 3, v.year - 3), v.days(ORDER_DAYS, 3, v.year - 3), np.nan)


@theme.feature(
    unit="money",
    reason="symptom",
    direction="falls",
    sentence="A year ago it bought for {value} in the three periods now ahead.",
    empty="no value",
)
def amount_ahead_last_year(v: View) -> Array:
    """Amount ordered a year ago in the three periods that now lie ahead."""
    return np.where(v.covered("orders", 3, v.year - 3), v.total(AMOUNT, 3, v.year - 3), np.nan)


@theme.feature(
    unit="days",
    reason="context",
    direction="rises",
    low=0,
    sentence="It usually orders every {value}.",
    empty="no value",
)
def gap_mean(v: View) -> Array:
    """Mean gap between its order days, all so far."""
    return v.gaps(ORDER_DAYS)[1]


@theme.feature(
    unit="days",
    reason="symptom",
    direction="rises",
    low=0,
    sentence="In the last 6 periods it ordered every {value}.",
    empty="no value",
)
def gap_mean_6(v: View) -> Array:
    """Mean gap that an order of the last 6 periods ended."""
    return v.gaps(ORDER_DAYS, 6)[1]


@theme.feature(
    unit="ratio",
    reason="context",
    direction="rises",
    low=0,
    sentence="Its gaps vary by {value} of their mean.",
    empty="no value",
)
def gap_spread(v: View) -> Array:
    """Standard deviation of its gaps in units of their mean."""
    _, mean, deviation = v.gaps(ORDER_DAYS)
    return ratio(deviation, mean)


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="rises",
    low=0,
    sentence="Its current silence is {value} times its usual gap.",
    empty="no value",
)
def gap_current(v: View) -> Array:
    """Days since the last order in units of its own mean gap."""
    return ratio(v.since_last(ORDER_DAYS), v.gaps(ORDER_DAYS)[1])


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="rises",
    sentence="Its current silence stands at {value} standard deviations from its usual gap (above 0 longer).",
    empty="no value",
)
def gap_excess(v: View) -> Array:
    """Days since the last order beyond its mean gap, in units of the gaps' standard deviation plus a tenth of mean."""
    _, mean, deviation = v.gaps(ORDER_DAYS)
    return ratio(v.since_last(ORDER_DAYS) - mean, deviation + 0.1 * mean)
