"""Goods late, short or out of stock, above all in the account's own peak season. Evidence for details neglected (000,
sixth reason; 002, third guarantee).

An empty stock makes goods late and short too. It counts for itself alone, and only beyond what everybody met who buys the
same product lines: a supply that is interrupted shakes the market (`features/turbulence.py`), it neglects nobody.
"""

from __future__ import annotations

import ibis
import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Shared, Theme, ratio
from features.known import Known
from features.orders import AMOUNT
from features.windows import View

theme = Theme("deliveries")

_REASON = "neglected_details"
QUARTER_DAYS = 92
PARTS, RATES = 1_000, 100_000  # of one: parts and rates are whole numbers of them, so that sums are exact in any order
STOCK_OUT = "stock_out"


def _late(table: Expression) -> Expression:
    return table.delivered_on > table.promised_on


def _in_stock(table: Expression) -> Expression:
    """Of rows that do not tell it, all."""
    return ~table[STOCK_OUT].fill_null(False) if STOCK_OUT in table.columns else ibis.literal(True)


# A delivery is overdue from its promised day until it comes: two facts, each known at its own date.
BECAME_OVERDUE = Additive(
    "deliveries_became_overdue",
    "deliveries",
    "promised_on",
    where=lambda t: t.delivered_on.isnull() | (t.delivered_on > t.promised_on),
)
CAME = Additive("deliveries_came", "deliveries", "delivered_on")
CAME_LATE = Additive("deliveries_came_late", "deliveries", "delivered_on", where=_late)
LATE_FROM_STOCK = Additive(
    "deliveries_late_from_stock",
    "deliveries",
    "delivered_on",
    where=lambda t: _late(t) & _in_stock(t),
    spare=(STOCK_OUT,),
)
DELAY = Additive(
    "deliveries_delay",
    "deliveries",
    "delivered_on",
    value=lambda t: ibis.greatest(t.delivered_on.delta(t.promised_on, unit="day"), 0),
    where=_in_stock,
    spare=(STOCK_OUT,),
)
ORDERED = Additive("deliveries_ordered", "deliveries", "delivered_on", value=lambda t: t.ordered_quantity)
SHORT = Additive(
    "deliveries_short",
    "deliveries",
    "delivered_on",
    value=lambda t: ibis.greatest(t.ordered_quantity - t.delivered_quantity, 0),
    where=_in_stock,
    spare=(STOCK_OUT,),
)
STOCK_OUTS = Additive("stock_outs", "deliveries", "promised_on", where=lambda t: t.stock_out)
PROMISED = Additive("deliveries_promised", "deliveries", "promised_on")
REGION_CAME = Shared("region_came", CAME, by="region")
REGION_LATE_FROM_STOCK = Shared("region_late_from_stock", LATE_FROM_STOCK, by="region")
REGION_PROMISED = Shared("region_promised", PROMISED, by="region")
REGION_STOCK_OUTS = Shared("region_stock_outs", STOCK_OUTS, by="region")


def _line_stock_outs(known: Known) -> Expression:
    """How often the product lines that an account buys were out of stock, by their parts of its year.

    Of the deliveries of all accounts, each counted for a line by the part of its own account's year that went to it.
    """
    rows = known.recent_rows("deliveries", "promised_on", QUARTER_DAYS)
    out = rows[STOCK_OUT].fill_null(False).cast("int64")
    deliveries = rows.group_by(["account_id", "cutoff"]).agg(out=out.sum(), promised=rows.count())
    bought = known.parts_of_year("product_line")
    bought = bought.mutate(part=(bought.part * PARTS) // bought.whole)
    met = bought.join(deliveries, ["account_id", "cutoff"])
    lines = met.group_by(["cutoff", "product_line"]).agg(
        out=(met.part * met.out).sum(), promised=(met.part * met.promised).sum()
    )
    lines = lines.filter(lines.promised > 0)
    lines = lines.select("cutoff", "product_line", rate=(lines.out * RATES) // lines.promised)
    own = bought.join(lines, ["cutoff", "product_line"])
    own = own.group_by(["account_id", "cutoff"]).agg(out=(own.part * own.rate).sum(), part=own.part.sum())
    own = own.filter(own.part > 0)
    return own.select("account_id", "cutoff", value=own.out.cast("float64") / (own.part * RATES).cast("float64"))


LINE_STOCK_OUTS = AsOf(
    "line_stock_outs",
    "deliveries",
    _line_stock_outs,
    columns=("account_id", "promised_on", STOCK_OUT),
    also={"orders": ("account_id", "ordered_at", "amount", "is_return")},
    spare=("product_line",),  # without it all are of one line
)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    windows=(3,),
    low=0,
    high=1,
    sentence="{value} of the deliveries of the last {w} periods came late though the goods were in stock.",
    empty="no value",
)
def deliveries_late_share(v: View, w: int) -> Array:
    """Share of the deliveries that came in the last {w} periods that came after the promised day, from stock."""
    return ratio(v.total(LATE_FROM_STOCK, w), v.total(CAME, w))


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    windows=(3,),
    low=0,
    sentence="Deliveries of the last {w} periods came {value} late on average, where the goods were in stock.",
    empty="no value",
)
def delivery_delay(v: View, w: int) -> Array:
    """Mean days after the promised day of deliveries of the last {w} periods (0 for those in time or out of stock)."""
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
    sentence="{value} of the pieces ordered were missing in deliveries of the last {w} periods though they were in stock.",
    empty="no value",
)
def deliveries_short_share(v: View, w: int) -> Array:
    """Pieces missing in deliveries of the last {w} periods from stock, as a share of those ordered in all of them."""
    return ratio(v.total(SHORT, w), v.total(ORDERED, w))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the deliveries of its region came late in the last 3 periods though the goods were in stock.",
    empty="no value",
)
def region_late_share(v: View) -> Array:
    """Share of the deliveries that came to its region in the last 3 periods that came late from stock: logistics fail."""
    return ratio(v.total(REGION_LATE_FROM_STOCK, 3), v.total(REGION_CAME, 3))


@theme.feature(
    unit="deliveries",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{value} deliveries more than usual for its product lines met an empty stock in the last 3 periods.",
)
def stock_outs(v: View) -> Array:
    """Deliveries promised for the last 3 periods that met an empty stock, beyond those that its lines' rate explains."""
    expected = v.total(PROMISED, 3) * np.nan_to_num(v.as_of(LINE_STOCK_OUTS))
    return np.maximum(v.total(STOCK_OUTS, 3) - expected, 0)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=-1,
    high=1,
    sentence="The share of its deliveries of the last 3 periods that met an empty stock stands at {value} against that of the product lines it buys (above 0 more).",
    empty="no value",
)
def stock_outs_against_lines(v: View) -> Array:
    """Share of its deliveries promised for the last 3 periods that met an empty stock, less that of the lines it buys."""
    return ratio(v.total(STOCK_OUTS, 3), v.total(PROMISED, 3)) - v.as_of(LINE_STOCK_OUTS)


@theme.feature(
    unit="deliveries",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Late deliveries of a year, weighted by its season, come to {value}.",
    empty="no value",
)
def peak_season_failures(v: View) -> Array:
    """Late deliveries of a year from stock, each weighted by its period's purchases over the mean period's."""
    failures = np.zeros(v.shape)
    for ago in range(v.year):
        failures = failures + v.total(LATE_FROM_STOCK, 1, ago) * np.maximum(v.total(AMOUNT, 1, ago), 0)
    return ratio(failures * v.year, v.total(AMOUNT, v.year))
