"""Whether the product still fits: requests not granted, age of the range, price against the list, range bought.

Quality complaints are in `complaints.py`, goods sent back in `orders.py`.
"""

from __future__ import annotations

import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, ItemValue, Theme, ratio
from features.known import Known
from features.orders import PRODUCTS
from features.windows import View

theme = Theme("product")

_REASON = "product"
RECENT_DAYS = 183  # about six months
_listed = lambda t: ~t.is_return & (t.list_amount > 0)  # noqa: E731

REQUESTED = Additive("requested", "product_requests", "requested_on")
GRANTED = Additive("granted", "product_requests", "granted_on")
LAUNCHED = ItemValue("launched", PRODUCTS, "products", "launched_on")
LIST_AMOUNT = Additive("list_amount", "orders", "ordered_at", value=lambda t: t.list_amount, where=_listed)
PAID_AMOUNT = Additive("paid_amount", "orders", "ordered_at", value=lambda t: t.amount, where=_listed)


def _oldest_request(known: Known) -> Expression:
    rows = known.open_rows("product_requests", "requested_on", "granted_on")
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.as_of.delta(rows.requested_on, unit="day").max())


def _recent_requests(known: Known) -> Expression:
    rows = known.open_rows("product_requests", "requested_on", "granted_on")
    rows = rows.filter(rows.as_of.delta(rows.requested_on, unit="day") <= RECENT_DAYS)
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.count())


_REQUEST = ("requested_on", "granted_on")
RECENT_REQUESTS = AsOf("recent_requests", "product_requests", _recent_requests, columns=_REQUEST)
OLDEST_REQUEST = AsOf("oldest_request", "product_requests", _oldest_request, columns=_REQUEST)


@theme.feature(
    unit="requests",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{value} of its requests are not granted, the oldest for {requests_oldest}.",
    cured=0,
)
def requests_open(v: View) -> Array:
    """Requests for a product or a term that are not granted."""
    return v.total(REQUESTED) - v.total(GRANTED)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Its oldest request not granted was made on {since}, {value} ago.",
    since=True,
    cured=0,
)
def requests_oldest(v: View) -> Array:
    """Days for which its oldest request not granted has waited."""
    return np.nan_to_num(v.as_of(OLDEST_REQUEST), nan=0.0)


@theme.feature(
    unit="requests",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{value} of its requests of the last six months are not granted.",
    cured=0,
)
def requests_open_recent(v: View) -> Array:
    """Requests for a product or a term of the last 183 days that are not granted."""
    return np.nan_to_num(v.as_of(RECENT_REQUESTS), nan=0.0)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    windows=(3, 12),
    low=0,
    sentence="The products it bought in the last {w} periods were launched {value} ago on average.",
    empty="no value",
)
def range_age(v: View, w: int) -> Array:
    """Mean days since launch of the different products ordered in the last {w} periods."""
    return v.day - v.item_mean(LAUNCHED, w)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    peers="all",
    relation="difference",
    sentence="The age of the products it buys stands at {value} against those that others buy (above 0 older).",
    empty="no value",
)
def range_age_against_others(v: View) -> Array:
    """Mean days since launch of the products ordered in the last 6 periods, less the median of all accounts."""
    return v.day - v.item_mean(LAUNCHED, 6)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="It pays {value} of the list price.",
    empty="no value",
)
def price_paid(v: View) -> Array:
    """Amount paid in the last 12 periods as a share of the amount at list price."""
    return ratio(v.total(PAID_AMOUNT, 12), v.total(LIST_AMOUNT, 12))


@theme.feature(
    unit="share",
    reason="competitor",
    direction="rises",
    sentence="The part of the list price it pays stands at {value} against the periods before (above 0 more).",
    empty="no value",
)
def price_paid_change(v: View) -> Array:
    """Share of the list price paid in the last 3 periods less that of the 9 before: less benefit from us."""
    return ratio(v.total(PAID_AMOUNT, 3), v.total(LIST_AMOUNT, 3)) - ratio(
        v.total(PAID_AMOUNT, 9, 3), v.total(LIST_AMOUNT, 9, 3)
    )
