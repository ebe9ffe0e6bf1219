"""Goods late, short or out of stock, above all in the account's own peak season. Evidence for details neglected (000,
sixth reason; 002, third guarantee)."""

from __future__ import annotations

import ibis
import numpy as np

from features.declaration import Additive, Array, Shared, Theme, ratio
from features.orders import AMOUNT
from features.windows import View

theme = Theme("deliveries")

_REASON = "neglected_details"
_late = lambda t: t.delivered_on > t.promised_on  # noqa: E731

# A delivery is overdue from its promised day until it comes: two facts, each known at its own date.
BECAME_OVERDUE = Additive(
    "deliveries_became_overdue",
    "deliveries",
    "promised_on",
    where=lambda t: t.delivered_on.isnull() | (t.delivered_on > t.promised_on),
)
CAME = Additive("deliveries_came", "deliveries", "delivered_on")
CAME_LATE = Additive("deliveries_came_late", "deliveries", "delivered_on", where=_late)
DELAY = Additive(
    "deliveries_delay",
    "deliveries",
    "delivered_on",
    value=lambda t: ibis.greatest(t.delivered_on.delta(t.promised_on, unit="day"), 0),
)
ORDERED = Additive("deliveries_ordered", "deliveries", "delivered_on", value=lambda t: t.ordered_quantity)
SHORT = Additive(
    "deliveries_short",
    "deliveries",
    "delivered_on",
    value=lambda t: ibis.greatest(t.ordered_quantity - t.delivered_quantity, 0),
)
STOCK_OUTS = Additive("stock_outs", "deliveries", "promised_on", where=lambda t: t.stock_out)
PROMISED = Additive("deliveries_promised", "deliveries", "promised_on")
REGION_CAME = Shared("region_came", CAME, by="region")
REGION_CAME_LATE = Shared("region_came_late", CAME_LATE, by="region")
REGION_PROMISED = Shared("region_promised", PROMISED, by="region")
REGION_STOCK_OUTS = Shared("region_stock_outs", STOCK_OUTS, by="region")


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    windows=(3,),
    low=0,
    high=1,
    sentence="{value} of the deliveries of the last {w} periods came late.",
    empty="no value",
)
def deliveries_late_share(v: View, w: int) -> Array:
    """Share of the deliveries that came in the last {w} periods that came after the promised day."""
    return ratio(v.total(CAME_LATE, w), v.total(CAME, w))


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    windows=(3,),
    low=0,
    sentence="Deliveries of the last {w} periods came {value} late on average.",
    empty="no value",
)
def delivery_delay(v: View, w: int) -> Array:
    """Mean days after the promised day of deliveries of the last {w} periods (0 for those in time)."""
    return ratio(v.total(DELAY, w), v.total(CAME, w))


@theme.feature(
    unit="deliveries",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{value} deliveries are overdue now.",
    cured=0,
)
def deliveries_overdue(v: View) -> Array:
    """Deliveries past their promised day that have not come."""
    return v.total(BECAME_OVERDUE) - v.total(CAME_LATE)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    windows=(3, 12),
    low=0,
    high=1,
    sentence="{value} of the pieces ordered were missing in deliveries of the last {w} periods.",
    empty="no value",
)
def deliveries_short_share(v: View, w: int) -> Array:
    """Pieces missing in deliveries of the last {w} periods, as a share of those ordered in them."""
    return ratio(v.total(SHORT, w), v.total(ORDERED, w))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the deliveries of its region came late in the last 3 periods.",
    empty="no value",
)
def region_late_share(v: View) -> Array:
    """Share of the deliveries that came to its region in the last 3 periods that came late: logistics that fail."""
    return ratio(v.total(REGION_CAME_LATE, 3), v.total(REGION_CAME, 3))


@theme.feature(
    unit="deliveries",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{value} deliveries met an empty stock in the last 3 periods.",
)
def stock_outs(v: View) -> Array:
    """Deliveries promised for the last 3 periods that met an empty stock."""
    return v.total(STOCK_OUTS, 3)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=-1,
    high=1,
    sentence="The share of its deliveries of the last 3 periods that met an empty stock stands at {value} against its region's (above 0 more).",
    empty="no value",
)
def stock_outs_against_region(v: View) -> Array:
    """Share of its deliveries promised for the last 3 periods that met an empty stock, less that of its region."""
    own = ratio(v.total(STOCK_OUTS, 3), v.total(PROMISED, 3))
    return own - ratio(v.total(REGION_STOCK_OUTS, 3), v.total(REGION_PROMISED, 3))


@theme.feature(
    unit="deliveries",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Late or out-of-stock deliveries of a year, weighted by its season, come to {value}.",
    empty="no value",
)
def peak_season_failures(v: View) -> Array:
    """Late or out-of-stock deliveries of a year, each weighted by its period's purchases over the mean period's."""
    failures = np.zeros(v.shape)
    for ago in range(v.year):
        failures = failures + (v.total(CAME_LATE, 1, ago) + v.total(STOCK_OUTS, 1, ago)) * np.maximum(
            v.total(AMOUNT, 1, ago), 0
        )
    return ratio(failures * v.year, v.total(AMOUNT, v.year))
