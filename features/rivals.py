"""What was seen of rivals: visits and offers, price gaps, share of wallet, range given up. Evidence for a competitor
taking the account (000, first reason)."""

from __future__ import annotations

import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Latest, Theme, ratio
from features.known import Known
from features.orders import breadth_trend
from features.windows import View

theme = Theme("rivals")

_REASON = "competitor"
REGION_DAYS = 183  # about six months
_seen = lambda t: t.kind.isin(["visit", "offer"])  # noqa: E731
_gap = lambda t: (t.kind == "price_gap") & t.value.notnull()  # noqa: E731
_wallet = lambda t: (t.kind == "wallet") & t.value.notnull()  # noqa: E731
_value = lambda t: t.value  # noqa: E731

SIGNALS = Additive("rival_signals", "competitor_signals", "seen_on", where=_seen)
SIGNALLED = Latest("rival_signalled", "competitor_signals", "seen_on", where=_seen)
GAPS = Additive("price_gaps", "competitor_signals", "seen_on", where=_gap)
GAP_SUM = Additive("price_gap_sum", "competitor_signals", "seen_on", value=_value, where=_gap)
WALLETS = Additive("wallets", "competitor_signals", "seen_on", where=_wallet)
WALLET_SUM = Additive("wallet_sum", "competitor_signals", "seen_on", value=_value, where=_wallet)


def _in_region(known: Known) -> Expression:
    rows = known.rows("competitor_signals")
    rows = rows.filter(rows.region.notnull() & (rows.as_of.delta(rows.seen_on, unit="day") <= REGION_DAYS))
    if "account_id" in rows.columns:
        rows = rows.filter(rows.account_id.isnull())
    return rows.group_by(["region", "cutoff"]).agg(value=rows.count())


REGION_SIGNALS = AsOf("region_signals", "competitor_signals", _in_region, columns=("region", "seen_on"), by="region")


@theme.feature(
    unit="signals",
    reason=_REASON,
    direction="rises",
    windows=(3, 12),
    low=0,
    sentence="A rival's visit or offer was seen {value} times in the last {w} periods.",
)
def rival_signals(v: View, w: int) -> Array:
    """Visits and offers of rivals seen at the account in the last {w} periods."""
    return v.total(SIGNALS, w)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="falls",
    low=1,
    sentence="A rival was last seen with it on {since}, {value} ago.",
    since=True,
    empty="no value",
)
def rival_since(v: View) -> Array:
    """Days since a rival's visit or offer was last seen at the account."""
    return v.since_latest(SIGNALLED)


@theme.feature(
    unit="signals",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="Rivals were seen {value} times in its region in the last six months.",
)
def rival_signals_region(v: View) -> Array:
    """Signals of rivals seen in its region, not at one account, in the last 183 days."""
    return np.nan_to_num(v.as_of(REGION_SIGNALS), nan=0.0)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    sentence="Rivals' prices of the last 6 periods lie {value} under ours (below 0 over ours).",
    empty="no value",
)
def rival_price_gap(v: View) -> Array:
    """Mean price gap to rivals seen in the last 6 periods."""
    return ratio(v.total(GAP_SUM, 6), v.total(GAPS, 6))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="falls",
    low=0,
    high=1,
    windows=(3, 6),
    sentence="We have {value} of what it buys, by what was seen in the last {w} periods.",
    empty="no value",
)
def wallet_share(v: View, w: int) -> Array:
    """Mean share of the account's wallet seen in the last {w} periods."""
    return ratio(v.total(WALLET_SUM, w), v.total(WALLETS, w))


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="falls",
    low=-1,
    high=1,
    sentence="Our share of what it buys changed by {value} against the periods before.",
    empty="no value",
)
def wallet_change(v: View) -> Array:
    """Mean share of wallet seen in the last 3 periods less that of the 9 before."""
    return wallet_share(v, 3) - ratio(v.total(WALLET_SUM, 9, 3), v.total(WALLETS, 9, 3))


@theme.feature(
    unit="ratio",
    reason=_REASON,
    direction="falls",
    low=-2,
    high=2,
    peers="all",
    relation="difference",
    sentence="Its range stands at {value} against that of the others (below 0 it shrinks more).",
    empty="no value",
)
def range_against_others(v: View) -> Array:
    """Its trend of different products, last 6 periods against the 6 before, less the median of all accounts."""
    return breadth_trend(v, 6)
