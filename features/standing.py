"""How an account or a prospect stands to us, as it was known at an as_of: what it owes, its wallet, whether it knows us.

One worked example runs through the comments: as_of 2024-03-15.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import ibis
import pandas as pd

from features.declaration import Expression
from features.known import known_at
from features.tables import TABLES

INVOICES = ("due_on", "paid_on", "amount")  # without one of them it cannot be told what is overdue
WALLET = ("account_id", "kind", "value")


def has(tables: Mapping[str, Expression], name: str, *columns: str) -> bool:
    """Whether there is such a table, with these columns."""
    return name in tables and set(columns) <= set(tables[name].columns)


def overdue(invoices: Expression, as_of: date, days: int) -> pd.DataFrame:
    """What each account owed past its due date at `as_of`; only accounts that owed something.

    An invoice due on 2024-03-14 or before is overdue if no payment before 2024-03-15 is known. Columns account_id; overdue
    and long_overdue, the amounts overdue at all and for `days` days or more, money; overdue_days, of the oldest. An
    invoice without an amount counts in the days alone. Needs the columns INVOICES.
    """
    rows = _known(invoices, "invoices", as_of)
    day = ibis.literal(as_of)
    open_ = rows.filter((rows.due_on < day) & (rows.paid_on.isnull() | (rows.paid_on >= day)))
    long = open_.due_on <= ibis.literal(as_of - timedelta(days))
    amount = open_.amount.cast("decimal(22, 4)")
    found = open_.group_by("account_id").agg(
        overdue=ibis.coalesce(amount.sum(), 0).cast("float64"),
        long_overdue=ibis.coalesce(amount.sum(where=long), 0).cast("float64"),
        oldest=open_.due_on.min(),
    )
    frame: pd.DataFrame = found.order_by("account_id").to_pyarrow().to_pandas()
    age = pd.Timestamp(as_of) - pd.to_datetime(frame.pop("oldest"))
    return frame.assign(overdue_days=age.dt.days.astype("int64"))


def wallet(signals: Expression, since: date, as_of: date) -> pd.DataFrame:
    """Our mean share of what each account buys, as seen in [since, as_of) and known before as_of.

    Columns account_id, wallet (share); only accounts of which a share was seen. Needs the columns WALLET.
    """
    rows = _known(signals, "competitor_signals", as_of)
    seen = rows.filter(
        (rows.kind == "wallet")
        & rows.value.notnull()
        & rows.account_id.notnull()
        & (rows.seen_on >= ibis.literal(since))
    )
    total = seen.value.cast("decimal(22, 4)").sum().cast("float64")
    found = seen.group_by("account_id").agg(wallet=total / seen.count())
    frame: pd.DataFrame = found.order_by("account_id").to_pyarrow().to_pandas()
    return frame


def opened(accounts: Expression, as_of: date) -> pd.DataFrame:
    """(account_id,) of the accounts known before `as_of`."""
    rows = _known(accounts, "accounts", as_of)
    frame: pd.DataFrame = rows.select("account_id").distinct().order_by("account_id").to_pyarrow().to_pandas()
    return frame


def intents(prospects: Expression, as_of: date) -> pd.DataFrame:
    """(prospect_id, intent, intent_why) of the prospects known before `as_of`, null where not known.

    Both are what the source says today, whenever it was entered: fit for an as_of of today, not for a backtest.
    """
    rows = _known(prospects, "prospects", as_of)
    lacking = {name: ibis.null("string") for name in ("intent", "intent_why") if name not in rows.columns}
    rows = rows.mutate(**lacking).select("prospect_id", "intent", "intent_why")
    frame: pd.DataFrame = rows.order_by("prospect_id").to_pyarrow().to_pandas()
    return frame


def _known(table: Expression, name: str, as_of: date) -> Expression:
    return table.filter(known_at(table, TABLES[name]) < ibis.literal(as_of))
