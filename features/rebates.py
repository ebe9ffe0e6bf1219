"""Rebates, rewards and promised terms: owed, late, never paid. Evidence for promises not kept (000, second reason)."""

from __future__ import annotations

import ibis
import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Theme, ratio
from features.known import Known
from features.orders import AMOUNT
from features.windows import View

theme = Theme("rebates")

_REASON = "broken_promises"

# A rebate is overdue from its due date until it is paid: two facts, each known at its own date.
_unpaid_when_due = lambda t: t.paid_on.isnull() | (t.paid_on > t.due_on)  # noqa: E731
_paid_late = lambda t: t.paid_on > t.due_on  # noqa: E731

FELL_DUE = Additive("rebates_fell_due", "rebates", "due_on")
BECAME_OVERDUE = Additive("rebates_became_overdue", "rebates", "due_on", where=_unpaid_when_due)
SETTLED_LATE = Additive("rebates_settled_late", "rebates", "paid_on", where=_paid_late)
OVERDUE_AMOUNT = Additive(
    "rebates_became_overdue_amount", "rebates", "due_on", value=lambda t: t.promised_amount, where=_unpaid_when_due
)
SETTLED_AMOUNT = Additive(
    "rebates_settled_late_amount", "rebates", "paid_on", value=lambda t: t.promised_amount, where=_paid_late
)
PAID = Additive("rebates_paid", "rebates", "paid_on")
PAID_SHORT = Additive(
    "rebates_paid_short",
    "rebates",
    "paid_on",
    value=lambda t: ibis.greatest(t.promised_amount - t.paid_amount, 0),
)
PAID_PROMISED = Additive("rebates_paid_promised", "rebates", "paid_on", value=lambda t: t.promised_amount)
DELAY = Additive(
    "rebates_delay",
    "rebates",
    "paid_on",
    value=lambda t: ibis.greatest(t.paid_on.delta(t.due_on, unit="day"), 0),
)

TERMS_DUE = Additive(
    "terms_due", "rebates", "due_on", value=lambda t: t.promised_amount, where=lambda t: t.kind == "term"
)
TERMS_GRANTED = Additive(
    "terms_granted",
    "rebates",
    "paid_on",
    value=lambda t: ibis.least(t.promised_amount, t.paid_amount),
    where=lambda t: (t.kind == "term") & (t.paid_amount.notnull()),
)


def _oldest_overdue(known: Known) -> Expression:
    rows = known.open_rows("rebates", "due_on", "paid_on")
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.as_of.delta(rows.due_on, unit="day").max())


OLDEST = AsOf("rebates_oldest_overdue", "rebates", _oldest_overdue, columns=("due_on", "paid_on"))


@theme.feature(
    unit="rebates",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{value} rebates are overdue, the oldest by {rebates_overdue_oldest}.",
    cured=0,
)
def rebates_overdue(v: View) -> Array:
    """Rebates past their due date and not paid."""
    return v.total(BECAME_OVERDUE) - v.total(SETTLED_LATE)


@theme.feature(
    unit="money", reason=_REASON, direction="rises", low=0, sentence="{value} of rebates are overdue.", cured=0
)
def rebates_overdue_amount(v: View) -> Array:
    """Amount promised of rebates past their due date and not paid."""
    return v.total(OVERDUE_AMOUNT) - v.total(SETTLED_AMOUNT)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="{rebates_overdue_amount} of rebates are overdue: {value} of what it bought in the last 12 periods.",
    empty="no value",
    cured=0,
)
def rebates_overdue_share(v: View) -> Array:
    """Amount of overdue rebates as a share of the amount ordered in the last 12 periods."""
    return ratio(rebates_overdue_amount(v), v.total(AMOUNT, 12))


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Its oldest unpaid rebate was due on {since}, {value} ago.",
    since=True,
    cured=0,
)
def rebates_overdue_oldest(v: View) -> Array:
    """Days by which the oldest unpaid rebate is overdue."""
    return np.nan_to_num(v.as_of(OLDEST), nan=0.0)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    windows=(3, 6, 12),
    low=0,
    sentence="Rebates paid in the last {w} periods came {value} late on average.",
    empty="no value",
)
def rebate_delay(v: View, w: int) -> Array:
    """Mean days after the due date of rebates paid in the last {w} periods (0 for those paid in time)."""
    return ratio(v.total(DELAY, w), v.total(PAID, w))


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    sentence="The delay of rebates of the last 6 periods stands at {value} against the 6 before (above 0 later).",
    empty="no value",
)
def rebate_delay_trend(v: View) -> Array:
    """Mean delay of rebates paid in the last 6 periods less that of the 6 periods before."""
    return rebate_delay(v, 6) - ratio(v.total(DELAY, 6, 6), v.total(PAID, 6, 6))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    windows=(6, 12),
    low=0,
    high=1,
    sentence="{value} of the rebates paid in the last {w} periods came late.",
    empty="no value",
)
def rebates_paid_late_share(v: View, w: int) -> Array:
    """Share of the rebates paid in the last {w} periods that were paid after their due date."""
    return ratio(v.total(SETTLED_LATE, w), v.total(PAID, w))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the rebate money of the last 12 periods was paid short.",
    empty="no value",
)
def rebates_paid_short_share(v: View) -> Array:
    """Money missing in rebates paid in the last 12 periods, as a share of what was promised in them."""
    return ratio(v.total(PAID_SHORT, 12), v.total(PAID_PROMISED, 12))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the terms promised to it were not granted.",
    empty="no value",
    cured=0,
)
def terms_withheld_share(v: View) -> Array:
    """Promised terms that fell due so far and were not granted, as a share of them."""
    due = v.total(TERMS_DUE)
    return ratio(np.maximum(due - v.total(TERMS_GRANTED), 0), due)


@theme.feature(
    unit="rebates", reason="context", direction="none", low=0, sentence="{value} rebates fell due in 12 periods."
)
def rebates_due(v: View) -> Array:
    """Rebates that fell due in the last 12 periods."""
    return v.total(FELL_DUE, 12)
