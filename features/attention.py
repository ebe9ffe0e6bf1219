"""Visits, calls, mails and promotion money against rank and against peers; replies and silence.

Evidence for small and medium accounts neglected (000, third reason) and for details neglected (000, sixth reason).
"""

from __future__ import annotations

import ibis
import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Latest, Theme, ratio, trend
from features.known import Known
from features.managers import spells
from features.orders import AMOUNT, ORDER_DAYS
from features.windows import View

theme = Theme("attention")

_UNEQUAL = "unequal_treatment"
_DETAILS = "neglected_details"
_visit = lambda t: (t.kind == "visit") & ~ibis.coalesce(t.inbound, False)  # noqa: E731
_from_them = lambda t: t.inbound  # noqa: E731


def _from_us(t: Expression) -> Expression:
    return ~ibis.coalesce(t.inbound, False)


CONTACTS = Additive("contacts", "contacts", "contacted_at", where=_from_us)
VISITS = Additive("visits", "contacts", "contacted_at", where=_visit)
CONTACTED = Latest("contacted", "contacts", "contacted_at", where=_from_us)
VISITED = Latest("visited", "contacts", "contacted_at", where=_visit)
ASKED = Additive("asked", "contacts", "contacted_at", where=_from_them)
REPLIES = Additive("replies", "contacts", "replied_at", where=_from_them)
REPLY_DAYS = Additive(
    "reply_days",
    "contacts",
    "replied_at",
    value=lambda t: t.replied_at.cast("date").delta(t.contacted_at.cast("date"), unit="day"),
    where=_from_them,
)
RECENT_DAYS = 92  # about three months
VISITED_NOW = 1  # days since a visit or call of today: it is known from the next day on


def _manager_contacts(known: Known) -> Expression:
    """Contacts from us of the last 92 days to the other accounts in its manager's care, for each of them."""
    care = spells(known)
    care = care.filter(care.ended_on.isnull() & (care.started_on < care.as_of))
    care = care.group_by(["account_id", "cutoff"]).agg(manager_id=care.manager_id.min())
    rows = known.recent_rows("contacts", "contacted_at", RECENT_DAYS)
    rows = rows.filter(_from_us(rows))
    own = rows.group_by(["account_id", "cutoff"]).agg(contacts=rows.count())
    care = care.left_join(own, ["account_id", "cutoff"]).select("account_id", "manager_id", "cutoff", "contacts")
    care = care.mutate(contacts=ibis.coalesce(care.contacts, 0))
    book = care.group_by(["manager_id", "cutoff"]).agg(total=care.contacts.sum(), accounts=care.count())
    care = care.join(book.filter(book.accounts > 1), ["manager_id", "cutoff"])
    return care.select("account_id", "cutoff", value=(care.total - care.contacts) / (care.accounts - 1))


MANAGER_CONTACTS = AsOf(
    "manager_contacts",
    "contacts",
    _manager_contacts,
    columns=("account_id", "contacted_at", "inbound"),
    also={"assignments": ("account_id", "manager_id", "started_on", "ended_on", "end_reason")},
)
SPENT = Additive("promotion_spent", "promotions", "spent_on", value=lambda t: t.amount)


@theme.feature(
    unit="days",
    reason=_DETAILS,
    direction="rises",
    low=1,
    sentence="It was last visited on {since}, {value} ago.",
    since=True,
    empty="no value",
    cured=VISITED_NOW,
)
def visited_since(v: View) -> Array:
    """Days since the last visit to it."""
    return v.since_latest(VISITED)


@theme.feature(
    unit="days",
    reason=_DETAILS,
    direction="rises",
    low=1,
    sentence="It was last visited, called or written to on {since}, {value} ago.",
    since=True,
    empty="no value",
    cured=VISITED_NOW,
)
def contacted_since(v: View) -> Array:
    """Days since the last visit, call or mail from us."""
    return v.since_latest(CONTACTED)


@theme.feature(
    unit="contacts",
    reason=_UNEQUAL,
    direction="falls",
    windows=(6,),
    low=0,
    sentence="It was visited {value} times in the last {w} periods.",
    empty="no value before the table begins, else 0",
    cured="peers",
)
def visits(v: View, w: int) -> Array:
    """Visits to it in the last {w} periods."""
    return np.where(v.covered("contacts", w), v.total(VISITS, w), np.nan)


@theme.feature(
    unit="contacts",
    reason=_UNEQUAL,
    direction="falls",
    windows=(3,),
    low=0,
    sentence="It was visited, called or written to {value} times in the last {w} periods.",
    empty="no value before the table begins, else 0",
    cured="peers",
)
def contacts(v: View, w: int) -> Array:
    """Visits, calls and mails from us in the last {w} periods."""
    return np.where(v.covered("contacts", w), v.total(CONTACTS, w), np.nan)


@theme.feature(
    unit="ratio",
    reason=_UNEQUAL,
    direction="falls",
    windows=(3, 12),
    low=-1,
    high=1,
    peers="tier",
    sentence="Contacts of the last {w} periods stand at {value} against accounts of its size (-1 none, 0 like them).",
    empty="no value",
    cured="peers",
)
def contacts_against_peers(v: View, w: int) -> Array:
    """Contacts of the last {w} periods against the median of its tier: (own - median) / (own + median)."""
    return contacts(v, w)


@theme.feature(
    unit="ratio",
    reason=_UNEQUAL,
    direction="falls",
    low=-1,
    high=1,
    peers="tier",
    sentence="Visits of the last 6 periods stand at {value} against accounts of its size (-1 none, 0 like them).",
    empty="no value",
    cured="peers",
)
def visits_against_peers(v: View) -> Array:
    """Visits of the last 6 periods against the median of its tier: (own - median) / (own + median)."""
    return np.where(v.covered("contacts", 6), v.total(VISITS, 6), np.nan)


@theme.feature(
    unit="ratio",
    reason=_UNEQUAL,
    direction="falls",
    low=-1,
    high=1,
    peers="largest",
    sentence="Contacts of the last 6 periods stand at {value} against those of the largest accounts.",
    empty="no value",
    cured="peers",
)
def contacts_against_largest(v: View) -> Array:
    """Contacts of the last 6 periods against the median of the largest fifth: (own - median) / (own + median)."""
    return np.where(v.covered("contacts", 6), v.total(CONTACTS, 6), np.nan)


@theme.feature(
    unit="contacts",
    reason=_UNEQUAL,
    direction="falls",
    low=0,
    sentence="Its manager's other accounts had {value} contacts each in the last three months.",
    empty="no value",
)
def manager_contacts(v: View) -> Array:
    """Contacts from us in the last 92 days to each of the other accounts in the care of its manager."""
    return np.where(v.covered("contacts", 3), v.as_of(MANAGER_CONTACTS), np.nan)


@theme.feature(
    unit="share",
    reason=_UNEQUAL,
    direction="falls",
    low=0,
    sentence="Promotion money of the last 12 periods is {value} of what it bought.",
    empty="no value",
    cured="peers",
)
def promotion_share(v: View) -> Array:
    """Promotion money of the last 12 periods as a share of the amount ordered in them."""
    return np.where(v.covered("promotions", 12), ratio(v.total(SPENT, 12), v.total(AMOUNT, 12)), np.nan)


@theme.feature(
    unit="ratio",
    reason=_UNEQUAL,
    direction="falls",
    low=-1,
    high=1,
    peers="tier",
    sentence="Promotion money against purchases stands at {value} against accounts of its size (-1 none, 0 like them).",
    empty="no value",
    cured="peers",
)
def promotion_against_peers(v: View) -> Array:
    """Promotion share of 12 periods against the median of its tier: (own - median) / (own + median)."""
    return promotion_share(v)


@theme.feature(
    unit="ratio",
    reason=_UNEQUAL,
    direction="falls",
    low=-1,
    high=1,
    peers="largest",
    sentence="Promotion money against purchases stands at {value} against the largest accounts.",
    empty="no value",
    cured="peers",
)
def promotion_against_largest(v: View) -> Array:
    """Promotion share of 12 periods against the median of the largest fifth: (own - median) / (own + median)."""
    return promotion_share(v)


@theme.feature(
    unit="ratio",
    reason=_DETAILS,
    direction="falls",
    low=-1,
    high=1,
    sentence="Contacts of the last 3 periods stand at {value} against the 3 before (-1 stopped, 0 unchanged).",
    empty="no value",
    cured="peers",
)
def contacts_trend(v: View) -> Array:
    """Contacts of the last 3 periods against the 3 before: (now - before) / (now + before)."""
    return np.where(v.covered("contacts", 3, 3), trend(v.total(CONTACTS, 3), v.total(CONTACTS, 3, 3)), np.nan)


@theme.feature(
    unit="ratio",
    reason=_DETAILS,
    direction="falls",
    low=0,
    sentence="{value} contacts from us for each order of the last 6 periods.",
    empty="no value",
    cured="peers",
)
def contacts_per_order(v: View) -> Array:
    """Contacts from us for each order day of the last 6 periods: sold, and forgotten or not."""
    return np.where(v.covered("contacts", 6), ratio(v.total(CONTACTS, 6), v.days(ORDER_DAYS, 6)), np.nan)


@theme.feature(
    unit="days",
    reason=_DETAILS,
    direction="rises",
    windows=(3, 12),
    low=0,
    sentence="Its questions of the last {w} periods were answered after {value} on average.",
    empty="no value",
)
def reply_days(v: View, w: int) -> Array:
    """Mean days until its questions were answered, of answers given in the last {w} periods."""
    return ratio(v.total(REPLY_DAYS, w), v.total(REPLIES, w))


@theme.feature(
    unit="contacts",
    reason=_DETAILS,
    direction="rises",
    low=0,
    sentence="{value} of its questions have no answer yet.",
    cured=0,
)
def questions_unanswered(v: View) -> Array:
    """Contacts by the account that have not been answered yet."""
    return v.total(ASKED) - v.total(REPLIES)
