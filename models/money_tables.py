"""What the contract tables say of money by account, as known before an as_of: purchases, contacts, what new ones earned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import ibis
import numpy as np
import pandas as pd

from features.declaration import Expression
from features.known import known_at
from features.periods import Duration
from features.tables import TABLES
from models.profit import FloatArray

YEAR = Duration(12, "month")
MONTH = 30.4375  # days


def purchases(tables: Mapping[str, Expression], as_of: date) -> pd.DataFrame:
    """account_id, amount of the twelve months before `as_of` (money), ordered; where orders have a margin also margin and
    with_margin, the amount of the rows that have one: null margins are not taken for none earned."""
    orders = _known(tables, "orders", as_of)
    day = orders.ordered_at.cast("date")
    rows = orders.filter((day >= YEAR.before(as_of)) & (day < as_of))
    sums = {"amount": _sum(rows.amount)}
    if "margin" in rows.columns:
        sums |= {"margin": _sum(rows.margin), "with_margin": _sum(rows.amount, rows.margin.notnull())}
    return _frame(rows.group_by("account_id").agg(**sums).order_by("account_id"))


def contacts_of_a_year(tables: Mapping[str, Expression], as_of: date) -> pd.Series | None:
    """Contacts from us in the twelve months before `as_of`, by account; None without the table."""
    if "contacts" not in tables:
        return None
    rows = _known(tables, "contacts", as_of)
    day = rows.contacted_at.cast("date")
    chosen = (day >= YEAR.before(as_of)) & (day < as_of)
    if "inbound" in rows.columns:
        chosen &= ~ibis.coalesce(rows.inbound, False)
    frame = _frame(rows.filter(chosen).group_by("account_id").agg(count=lambda t: t.count()).order_by("account_id"))
    return pd.Series(frame["count"].to_numpy(dtype=float), index=frame["account_id"])


def prospects_who_ordered(tables: Mapping[str, Expression], as_of: date) -> FloatArray | None:
    """1 or 0 for each prospect recorded at least a year before `as_of`: whether it ordered within a year, by id.

    A prospect without the day on which it was recorded is left out. None where no other has the id of an account: then
    nothing ties the two.
    """
    if "prospects" not in tables or "recorded_at" not in tables["prospects"].columns:
        return None
    people = _known(tables, "prospects", as_of)
    people = people.filter(people.recorded_at.notnull())
    people = people.select("prospect_id", from_=known_at(people, TABLES["prospects"]))
    orders = _known(tables, "orders", as_of)
    orders = orders.filter(~orders.is_return)
    rows = people.join(orders, people.prospect_id == orders.account_id)
    if not rows.count().to_pyarrow().as_py():
        return None
    until = rows.from_ + ibis.interval(months=YEAR.count)
    day = rows.ordered_at.cast("date")
    came = rows.filter((day >= rows.from_) & (day < until.cast("date"))).select("prospect_id").distinct()
    old = people.filter(people.from_ <= YEAR.before(as_of))
    told = _frame(old.order_by("prospect_id"))["prospect_id"]
    return np.asarray(told.isin(_frame(came)["prospect_id"]).to_numpy(dtype=float))


def earned_by_month(tables: Mapping[str, Expression], as_of: date, months: int, margin: float) -> pd.DataFrame | None:
    """Margin earned in the 1st, 2nd .. month from its first order, (accounts, months), of accounts that are new.

    New: no order in the first year of the data, and the first one at least so many months before `as_of`. The orders' own
    margin, or this part of their amount where they have none. None where nobody is new.
    """
    orders = _known(tables, "orders", as_of)
    orders = orders.mutate(day_=orders.ordered_at.cast("date"))
    earliest = orders.day_.min().to_pyarrow().as_py()
    if earliest is None:
        return None
    first = orders.filter(~orders.is_return).group_by("account_id").agg(first_on=ibis._.day_.min())
    begun = YEAR.after(earliest)
    new = first.filter((first.first_on >= begun) & (first.first_on <= Duration(months, "month").before(as_of)))
    rows = orders.join(new, "account_id")
    month = (rows.day_.delta(rows.first_on, unit="day") / MONTH).floor().cast("int64")
    value = rows.amount * ibis.literal(margin)
    if has_margin(tables):
        value = rows.margin  # one that is not known adds nothing, so that the payback is late rather than early
    rows = rows.mutate(month_=month, value_=value.cast("decimal(22, 4)"))
    rows = rows.filter((rows.month_ >= 0) & (rows.month_ < months))
    frame = _frame(rows.group_by(["account_id", "month_"]).agg(value=_sum(rows.value_)))
    if frame.empty:
        return None
    wide = frame.pivot(index="account_id", columns="month_", values="value").reindex(columns=range(months))
    return wide.fillna(0.0).sort_index()


def has_margin(tables: Mapping[str, Expression]) -> bool:
    """Whether the margin of some order is known."""
    orders = tables["orders"]
    return "margin" in orders.columns and bool(orders.margin.count().to_pyarrow().as_py())


def _known(tables: Mapping[str, Expression], name: str, as_of: date) -> Expression:
    return tables[name].filter(known_at(tables[name], TABLES[name]) < as_of)


def _sum(value: Expression, where: Expression = None) -> Expression:
    # As decimals the order of adding does not matter.
    return value.cast("decimal(22, 4)").sum(where=where).cast("float64")


def _frame(rows: Expression) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pyarrow().to_pandas()
    return frame
