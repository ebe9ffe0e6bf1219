"""What shakes the company, the region or the product line: events, supply, and whether the whole market moves.

Evidence for turbulence (000, fifth reason). A market that shakes is not the account's fault.
"""

from __future__ import annotations

import numpy as np

from features.declaration import Array, AsOf, Expression, Shared, Theme, ratio, trend
from features.deliveries import LINE_STOCK_OUTS, REGION_PROMISED, REGION_STOCK_OUTS
from features.known import Known
from features.orders import AMOUNT, amount_season
from features.windows import View

theme = Theme("turbulence")

_REASON = "turbulence"
RECENT_DAYS = 183  # about six months

REGION_AMOUNT = Shared("region_amount", AMOUNT, by="region")
COMPANY_AMOUNT = Shared("company_amount", AMOUNT, by="company")
_EVENT = ("scope", "scope_id", "started_on", "ended_on", "severity")


def _severity(rows: Expression) -> Expression:
    return rows.severity.fill_null(1).sum()


def _running(known: Known, scope: str) -> Expression:
    rows = known.open_rows("events", "started_on", "ended_on")
    return rows.filter(rows.scope == scope)


def _recent(known: Known, scope: str) -> Expression:
    rows = known.rows("events")
    return rows.filter((rows.scope == scope) & (rows.as_of.delta(rows.started_on, unit="day") <= RECENT_DAYS))


def _company_running(known: Known) -> Expression:
    rows = _running(known, "company")
    return rows.group_by("cutoff").agg(value=_severity(rows))


def _company_recent(known: Known) -> Expression:
    rows = _recent(known, "company")
    return rows.group_by("cutoff").agg(value=_severity(rows))


def _region_running(known: Known) -> Expression:
    rows = _running(known, "region").rename(region="scope_id")
    return rows.group_by(["region", "cutoff"]).agg(value=_severity(rows))


def _region_recent(known: Known) -> Expression:
    rows = _recent(known, "region").rename(region="scope_id")
    return rows.group_by(["region", "cutoff"]).agg(value=_severity(rows))


def _account_recent(known: Known) -> Expression:
    rows = _recent(known, "account").rename(account_id="scope_id")
    return rows.group_by(["account_id", "cutoff"]).agg(value=_severity(rows))


def _line_running(known: Known) -> Expression:
    return _by_share_of_lines(known, _running(known, "product_line"))


def _line_recent(known: Known) -> Expression:
    return _by_share_of_lines(known, _recent(known, "product_line"))


def _by_share_of_lines(known: Known, events: Expression) -> Expression:
    """Severity of events on product lines, by the share of each line in what the account ordered in a year."""
    lines = events.group_by(["cutoff", "scope_id"]).agg(severity=_severity(events)).rename(product_line="scope_id")
    rows = known.parts_of_year("product_line").join(lines, ["cutoff", "product_line"])
    rows = rows.group_by(["account_id", "cutoff"]).agg(hit=(rows.part * rows.severity).sum(), whole=rows.whole.max())
    return rows.select("account_id", "cutoff", value=rows.hit.cast("float64") / rows.whole.cast("float64"))


COMPANY_RUNNING = AsOf("events_company_running", "events", _company_running, columns=_EVENT, by="company")
COMPANY_RECENT = AsOf("events_company_recent", "events", _company_recent, columns=_EVENT, by="company")
REGION_RUNNING = AsOf("events_region_running", "events", _region_running, columns=_EVENT, by="region")
REGION_RECENT = AsOf("events_region_recent", "events", _region_recent, columns=_EVENT, by="region")
ACCOUNT_RECENT = AsOf("events_account_recent", "events", _account_recent, columns=_EVENT)
_LINES = {"orders": ("account_id", "ordered_at", "product_line", "amount", "is_return")}
LINE_RUNNING = AsOf("events_line_running", "events", _line_running, columns=_EVENT, also=_LINES)
LINE_RECENT = AsOf("events_line_recent", "events", _line_recent, columns=_EVENT, also=_LINES)


def _or_zero(values: Array) -> Array:
    return np.nan_to_num(values, nan=0.0)


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shake the company now have severity {value}.",
)
def events_company_running(v: View) -> Array:
    """Sum of the severities of events of the company that are running."""
    return _or_zero(v.as_of(COMPANY_RUNNING))


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shook the company in the last six months have severity {value}.",
)
def events_company_recent(v: View) -> Array:
    """Sum of the severities of events of the company that began in the last 183 days."""
    return _or_zero(v.as_of(COMPANY_RECENT))


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shake its region now have severity {value}.",
)
def events_region_running(v: View) -> Array:
    """Sum of the severities of events of its region that are running."""
    return _or_zero(v.as_of(REGION_RUNNING))


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shook its region in the last six months have severity {value}.",
)
def events_region_recent(v: View) -> Array:
    """Sum of the severities of events of its region that began in the last 183 days."""
    return _or_zero(v.as_of(REGION_RECENT))


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shook the account itself in the last six months have severity {value}.",
)
def events_account_recent(v: View) -> Array:
    """Sum of the severities of events of the account that began in the last 183 days."""
    return _or_zero(v.as_of(ACCOUNT_RECENT))


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shook product lines it buys in the last six months have severity {value} by their share.",
)
def events_line_recent(v: View) -> Array:
    """Severities of events of the last 183 days on product lines, by each line's share of its last 12 periods."""
    return _or_zero(v.as_of(LINE_RECENT))


@theme.feature(
    unit="events",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Events that shake product lines it buys now have severity {value} by their share.",
)
def events_line_running(v: View) -> Array:
    """Severities of running events on product lines, by each line's share of what it ordered in 12 periods."""
    return _or_zero(v.as_of(LINE_RUNNING))


@theme.feature(
    unit="ratio",
    reason=_REASON,
    direction="falls",
    low=-1,
    high=1,
    sentence="Purchases in its region stand at {value} against the same season a year before (0 unchanged).",
    empty="no value",
)
def region_season(v: View) -> Array:
    """Amount of its region in the last 3 periods against the same a year before: (now - before) / (now + before)."""
    now, before = v.total(REGION_AMOUNT, 3), v.total(REGION_AMOUNT, 3, v.year)
    return np.where(v.covered("orders", 3, v.year), trend(now, before), np.nan)


@theme.feature(
    unit="ratio",
    reason=_REASON,
    direction="falls",
    low=-1,
    high=1,
    sentence="Purchases of all accounts stand at {value} against the same season a year before (0 unchanged).",
    empty="no value",
)
def company_season(v: View) -> Array:
    """Amount of all accounts in the last 3 periods against the same a year before: (now - before) / (now + before)."""
    now, before = v.total(COMPANY_AMOUNT, 3), v.total(COMPANY_AMOUNT, 3, v.year)
    return np.where(v.covered("orders", 3, v.year), trend(now, before), np.nan)


@theme.feature(
    unit="ratio",
    reason="symptom",
    direction="falls",
    low=-2,
    high=2,
    sentence="Its own purchases stand at {value} against its region's (below 0 they fare worse).",
    empty="no value",
)
def own_against_region(v: View) -> Array:
    """Its own trend of 3 periods against the same season, less its region's: a market that shakes is not its fault."""
    return amount_season(v, 3) - region_season(v)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the deliveries of its region met an empty stock in the last 3 periods.",
    empty="no value",
)
def region_stock_outs(v: View) -> Array:
    """Share of the deliveries promised in its region for the last 3 periods that met an empty stock."""
    return ratio(v.total(REGION_STOCK_OUTS, 3), v.total(REGION_PROMISED, 3))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the deliveries of product lines it buys met an empty stock in the last three months.",
    empty="no value",
)
def line_stock_outs(v: View) -> Array:
    """Share of all accounts' deliveries of 92 days that met an empty stock, in the product lines that it buys."""
    return v.as_of(LINE_STOCK_OUTS)
