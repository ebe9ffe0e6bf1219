"""Who looks after the account, since when, and who left it. Evidence for staff turnover (000, fourth reason)."""

from __future__ import annotations

import ibis
import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Theme
from features.known import Known
from features.windows import View

theme = Theme("managers")

_REASON = "staff_turnover"
_SPELL = ("manager_id", "started_on", "ended_on", "end_reason")
_LEAVING = {"managers": ("manager_id", "left_on")}

STARTED = Additive("managers_started", "assignments", "started_on")


def spells(known: Known) -> Expression:
    """`Known.rows` of assignments; a spell that was closed because the account was lost goes on.

    That row says what is to be predicted. Of an account that goes, nobody's leaving is the cause.
    """
    rows = known.rows("assignments")
    return rows.mutate(ended_on=ibis.cases((rows.end_reason == "account_lost", None), else_=rows.ended_on))


def _current_days(known: Known) -> Expression:
    rows = spells(known)
    rows = rows.filter(rows.ended_on.isnull())
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.as_of.delta(rows.started_on, unit="day").min())


def _unattended_days(known: Known) -> Expression:
    """Days since the last spell ended, of accounts that had a manager and have none."""
    rows = spells(known)
    state = rows.group_by(["account_id", "cutoff"]).agg(
        kept=rows.ended_on.isnull().any(), value=rows.as_of.delta(rows.ended_on, unit="day").min()
    )
    return state.filter(~state.kept).drop("kept")


def _gap_days(known: Known) -> Expression:
    """Days without a manager between spells that began in the year before the cut-off."""
    rows = spells(known)
    open_end = ibis.date("9999-12-31")
    before = (
        ibis.coalesce(rows.ended_on, open_end)
        .max()
        .over(
            ibis.window(group_by=["account_id", "cutoff"], order_by=["started_on", "manager_id"], preceding=(None, 1))
        )
    )
    rows = rows.mutate(gap=rows.started_on.delta(before, unit="day"))
    rows = rows.filter((rows.gap > 0) & (rows.as_of.delta(rows.started_on, unit="day") <= 365))
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.gap.sum())


def _leavers(known: Known) -> Expression:
    """(account_id, manager_id, cutoff, as_of, silent_from, left_on): accounts in a leaver's care when he left, in
    the year before the cut-off."""
    managers = known.rows("managers")
    left = managers.filter(managers.left_on.notnull() & (managers.as_of.delta(managers.left_on, unit="day") <= 365))
    pairs = spells(known).join(left.select("manager_id", "cutoff", "left_on"), ["manager_id", "cutoff"])
    pairs = pairs.filter(
        (pairs.started_on < pairs.left_on) & (ibis.coalesce(pairs.ended_on, pairs.as_of) >= pairs.left_on)
    )
    return pairs.select("account_id", "manager_id", "cutoff", "as_of", "silent_from", "left_on").distinct()


def _since_leaver(known: Known) -> Expression:
    rows = _leavers(known)
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.as_of.delta(rows.left_on, unit="day").min())


def _others_gone(known: Known) -> Expression:
    """Of the leaver's other accounts that still bought when he left, the share silent for a horizon by now."""
    rows = _leavers(known).left_join(known.last_orders(), ["account_id", "cutoff"])
    horizon = rows.as_of.delta(rows.silent_from, unit="day")
    left_behind = ibis.coalesce(rows.left_on.delta(rows.last_on, unit="day") <= horizon, False)
    rows = rows.mutate(
        bought=left_behind.cast("int64"), gone=(left_behind & (rows.last_on < rows.silent_from)).cast("int64")
    )
    book = rows.group_by(["manager_id", "cutoff"]).agg(all_bought=rows.bought.sum(), all_gone=rows.gone.sum())
    rows = rows.join(book, ["manager_id", "cutoff"])
    others = rows.all_bought - rows.bought
    rows = rows.mutate(share=(rows.all_gone - rows.gone) / others.nullif(0))
    rows = rows.filter(rows.share.notnull())
    return rows.group_by(["account_id", "cutoff"]).agg(value=rows.share.max())


CURRENT_DAYS = AsOf("manager_current_days", "assignments", _current_days, columns=_SPELL)
UNATTENDED = AsOf("manager_unattended_days", "assignments", _unattended_days, columns=_SPELL)
GAP_DAYS = AsOf("manager_gap_days", "assignments", _gap_days, columns=_SPELL)
SINCE_LEAVER = AsOf("manager_since_leaver", "assignments", _since_leaver, columns=_SPELL, also=_LEAVING)
OTHERS_GONE = AsOf("manager_others_gone", "assignments", _others_gone, columns=_SPELL, also=_LEAVING)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="falls",
    low=0,
    sentence="Its manager has looked after it since {since}, for {value}.",
    since=True,
    empty="no value",
)
def manager_tenure(v: View) -> Array:
    """Days that its present manager has looked after it."""
    return v.as_of(CURRENT_DAYS)


@theme.feature(
    unit="managers",
    reason=_REASON,
    direction="rises",
    low=0,
    windows=(6, 12),
    sentence="{value} managers began to look after it in the last {w} periods.",
)
def managers_new(v: View, w: int) -> Array:
    """Managers who began to look after it in the last {w} periods."""
    return v.total(STARTED, w)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="It has been without a manager since {since}, for {value}.",
    since=True,
    cured=0,
)
def manager_absent(v: View) -> Array:
    """Days without a manager until now; 0 where it has one or never had."""
    return np.nan_to_num(v.as_of(UNATTENDED), nan=0.0)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="rises",
    low=0,
    sentence="It was without a manager on {value} of the last year or so.",
)
def manager_absent_year(v: View) -> Array:
    """Days without a manager: until now, and between spells of which the later began in the last 365 days."""
    return manager_absent(v) + np.nan_to_num(v.as_of(GAP_DAYS), nan=0.0)


@theme.feature(
    unit="days",
    reason=_REASON,
    direction="falls",
    low=0,
    high=365,
    sentence="A manager who looked after it left the company on {since}, {value} ago.",
    since=True,
    empty="no value",
)
def manager_left_since(v: View) -> Array:
    """Days since a manager in whose care it was left the company, within 365 days."""
    return v.as_of(SINCE_LEAVER)


@theme.feature(
    unit="share",
    reason=_REASON,
    direction="rises",
    low=0,
    high=1,
    sentence="{value} of the other accounts of the manager who left have gone silent since.",
    empty="no value",
)
def leaver_accounts_gone(v: View) -> Array:
    """Share of a leaver's other accounts, buying when he left within 365 days, that are silent for a horizon now."""
    return v.as_of(OTHERS_GONE)
