"""What the account owes us: overdue invoices and billing disputes. Context, and the way to the black list (004)."""

from __future__ import annotations

from features.complaints import BY_KIND, SERVICE_KINDS
from features.declaration import Additive, Array, Theme, ratio
from features.orders import AMOUNT
from features.windows import View

theme = Theme("payments")

_unpaid_when_due = lambda t: t.paid_on.isnull() | (t.paid_on > t.due_on)  # noqa: E731
_paid_late = lambda t: t.paid_on > t.due_on  # noqa: E731

# An invoice is overdue from its due date until it is paid: two facts, each known at its own date.
BECAME_OVERDUE = Additive("invoices_became_overdue", "invoices", "due_on", where=_unpaid_when_due)
OVERDUE_AMOUNT = Additive(
    "invoices_became_overdue_amount", "invoices", "due_on", value=lambda t: t.amount, where=_unpaid_when_due
)
SETTLED_LATE = Additive("invoices_settled_late", "invoices", "paid_on", where=_paid_late)
SETTLED_AMOUNT = Additive(
    "invoices_settled_late_amount", "invoices", "paid_on", value=lambda t: t.amount, where=_paid_late
)
PAID = Additive("invoices_paid", "invoices", "paid_on")
DISPUTES = BY_KIND[SERVICE_KINDS.index("billing")]


@theme.feature(
    unit="invoices", reason="context", direction="rises", low=0, sentence="{value} of its invoices are overdue."
)
def invoices_overdue(v: View) -> Array:
    """Invoices past their due date that it has not paid."""
    return v.total(BECAME_OVERDUE) - v.total(SETTLED_LATE)


@theme.feature(
    unit="share",
    reason="context",
    direction="rises",
    sentence="Its overdue invoices are {value} of what it bought in the last 12 periods.",
    empty="no value",
)
def invoices_overdue_share(v: View) -> Array:
    """Amount of its overdue invoices as a share of the amount ordered in the last 12 periods."""
    return ratio(v.total(OVERDUE_AMOUNT) - v.total(SETTLED_AMOUNT), v.total(AMOUNT, 12))


@theme.feature(
    unit="share",
    reason="context",
    direction="rises",
    low=0,
    high=1,
    sentence="It paid {value} of its invoices of the last 12 periods late.",
    empty="no value",
)
def invoices_paid_late_share(v: View) -> Array:
    """Share of the invoices paid in the last 12 periods that were paid after their due date."""
    return ratio(v.total(SETTLED_LATE, 12), v.total(PAID, 12))


@theme.feature(
    unit="complaints",
    reason="context",
    direction="rises",
    low=0,
    sentence="It disputed {value} bills in the last 12 periods.",
)
def billing_disputes(v: View) -> Array:
    """Complaints of billing in the last 12 periods."""
    return v.total(DISPUTES, 12)
