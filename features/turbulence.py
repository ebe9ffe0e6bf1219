"""What shakes the company, the region or the product line: events, supply, and whether the whole market moves.

Evidence for turbulence (000, fifth reason). A market that shakes is not the account's fault.
"""

from __future__ import annotations

import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Shared, Theme, ratio, trend
from features.deliveries import STOCK_OUTS
from features.fold import Known
from features.orders import AMOUNT, amount_season
from features.windows import View

theme = Theme("turbulence")

_REASON = "turbulence"
RECENT_DAYS = 183  # about six months

REGION_AMOUNT = Shared("region_amount", AMOUNT, by="region")
COMPANY_AMOUNT = Shared("company_amount", AMOUNT, by="company")
PROMISED = Additive("deliveries_promised", "deliveries", "promised_on")
REGION_STOCK_OUTS = Shared("region_stock_outs", STOCK_OUTS, by="region")
REGION_PROMISED = Shared("region_promised", PROMISED, by="region")
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


def _line_recent(known: Known) -> Expression:
    """Severity of events on product lines of which the account ordered in the year before the cut-off."""
    rows = _recent(known, "product_line").select("cutoff", "severity", product_line="scope_id")
    bought = known.bought_within_year("product_line")
    rows = bought.join(rows, ["cutoff", "product_line"])
    return rows.group_by(["account_id", "cutoff"]).agg(value=_severity(rows))


COMPANY_RUNNING = AsOf("events_company_running", "events", _company_running, columns=_EVENT, by="company")
COMPANY_RECENT = AsOf("events_company_recent", "events", _company_recent, columns=_EVENT, by="company")
REGION_RUNNING = AsOf("events_region_running", "events", _region_running, columns=_EVENT, by="region")
REGION_RECENT = AsOf("events_region_recent", "events", _region_recent, columns=_EVENT, by="region")
ACCOUNT_RECENT = AsOf("events_account_recent", "events", _account_recent, columns=_EVENT)
LINE_RECENT = AsOf(
    "events_line_recent",
    "events",
    _line_recent,
    columns=_EVENT,
    also={"orders": ("account_id", "ordered_at", "product_line", "is_return")},
)


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
    sentence="Events that shook product lines it buys in the last six months have severity {value}.",
)
def events_line_recent(v: View) -> Array:
    """Sum of the severities of events of the last 183 days on product lines that it ordered in the last 12 periods."""
    return _or_zero(v.as_of(LINE_RECENT))


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
    sentence="Its own purchases fare by {value} otherwise than its region's.",
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
