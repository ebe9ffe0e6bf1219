"""How often lapsed accounts ordered again once they were approached, as the company's own tables tell.

An approach is the first contact from us, within a horizon from a cut-off, of an account that had lapsed then and had not
ordered since; it succeeded if an order came within a horizon after it. The clock starts at the contact: from the cut-off,
accounts that came back early would have had less time to be contacted, and contacts would look useless. Cut-offs are a
horizon apart, so that no contact counts twice.

Worked example: horizon three months, cut-off 2024-03-15. A contact on 2024-05-01 of an account silent since 2023-12-01 is
an approach, and an order until 2024-07-31 its success; it has matured on 2024-09-15, whenever the contact was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa

from features.declaration import Expression
from features.known import known_at
from features.periods import Duration, Label
from features.tables import TABLES

YEAR = Duration(12, "month")


@dataclass(frozen=True)
class Approaches:
    """`trials` lapsed accounts, a cut-off each, of which `ordered` came back.

    `approached`: they had been contacted; else there is no table of contacts, and they are lapsed accounts at all, with
    an order in the horizon from the cut-off. `accounts`: different ones; `cutoffs`: the dates looked at, oldest first; `rows`: account_id,
    as_of and ordered of the trials, by which to find their risks: those whom someone contacts are not drawn at random.
    """

    approached: bool
    trials: int
    ordered: int
    accounts: int
    cutoffs: tuple[date, ...]
    rows: pd.DataFrame


def approaches(tables: Mapping[str, Expression], matrix: pd.DataFrame, label: Label, as_of: date) -> Approaches:
    """Count them among the rows of `matrix` (account_id, as_of, lapsed), by what was known before `as_of`."""
    approached = "contacts" in tables
    lapsed = matrix.loc[matrix["lapsed"].to_numpy(dtype=bool), ["account_id", "as_of"]]
    cutoffs = apart(matrix["as_of"], label, as_of, approached)
    rows = lapsed[lapsed["as_of"].isin(list(cutoffs))].reset_index(drop=True)
    if rows.empty:
        return Approaches(approached, 0, 0, 0, cutoffs, rows.assign(ordered=False))
    rows["from_"] = _times(rows["as_of"])
    rows["end"] = _times(rows["as_of"].map(label.end))
    rows = _first_after(rows, _orders(tables, rows, as_of), "order")
    if approached:
        rows = _first_after(rows, _contacts(tables, rows, as_of), "contact")
        unanswered = rows["order"].isna() | (rows["contact"] < rows["order"])
        rows = rows[(rows["contact"] < rows["end"]) & unanswered].reset_index(drop=True)
        rows["end"] = _times(rows["contact"].dt.date.map(label.horizon.after))
    came = (rows["order"] < rows["end"]).to_numpy(dtype=bool)
    keys = rows.assign(ordered=came)[["account_id", "as_of", "ordered"]].sort_values(
        ["as_of", "account_id"], ignore_index=True
    )
    return Approaches(approached, len(rows), int(came.sum()), rows["account_id"].nunique(), cutoffs, keys)


def apart(cutoffs: Iterable[date], label: Label, as_of: date, approached: bool) -> tuple[date, ...]:
    """The latest cut-off of which all is known at `as_of`, and those before it whose horizons do not touch; oldest first."""
    chosen: list[date] = []
    for day in sorted(set(cutoffs), reverse=True):
        end = label.end(day)
        known = label.booking_lag.after(label.horizon.after(end) if approached else end)
        if known <= as_of and (not chosen or end <= chosen[-1]):
            chosen.append(day)
    return tuple(chosen[::-1])


def bought_before(tables: Mapping[str, Expression], accounts: Iterable[str], as_of: date) -> pd.Series:
    """Purchases of the twelve months that end with the last order known before `as_of`: money, by account.

    What a lapsed account used to buy; the twelve months before `as_of` hold its silence.
    """
    orders = _of(tables["orders"], "orders", accounts, as_of)
    orders = orders.mutate(day_=orders.ordered_at.cast("date"))
    last = orders.filter(~orders.is_return).group_by("account_id").agg(last_on=ibis._.day_.max())
    rows = orders.join(last, "account_id")
    rows = rows.filter((rows.day_ <= rows.last_on) & (rows.day_ > rows.last_on - ibis.interval(months=YEAR.count)))
    # As decimals the order of adding does not matter.
    found = rows.group_by("account_id").agg(amount=rows.amount.cast("decimal(22, 4)").sum().cast("float64"))
    frame = found.order_by("account_id").to_pyarrow().to_pandas()
    return pd.Series(frame["amount"].to_numpy(dtype=float), index=frame["account_id"], name="yearly")


def _orders(tables: Mapping[str, Expression], rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    orders = _of(tables["orders"], "orders", rows["account_id"], as_of)
    orders = orders.filter(~orders.is_return & (orders.ordered_at >= ibis.literal(min(rows["as_of"]))))
    return _sorted(orders.select("account_id", at=orders.ordered_at).distinct())


def _contacts(tables: Mapping[str, Expression], rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    contacts = _of(tables["contacts"], "contacts", rows["account_id"], as_of)
    if "inbound" in contacts.columns:
        contacts = contacts.filter(~ibis.coalesce(contacts.inbound, False))
    contacts = contacts.filter(contacts.contacted_at >= ibis.literal(min(rows["as_of"])))
    return _sorted(contacts.select("account_id", at=contacts.contacted_at).distinct())


def _of(table: Expression, name: str, accounts: Iterable[str], as_of: date) -> Expression:
    """The rows of these accounts that were known before `as_of`."""
    wanted = ibis.memtable(pa.table({"account_id": pa.array(sorted(set(accounts)), pa.string())}))
    return table.filter(known_at(table, TABLES[name]) < as_of).semi_join(wanted, "account_id")


def _sorted(table: Expression) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pyarrow().to_pandas()
    frame["at"] = _times(frame["at"])
    return frame.sort_values(["at", "account_id"], ignore_index=True)


def _first_after(rows: pd.DataFrame, events: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows with the first event of the account at or after their `from_`; NaT where there is none."""
    events = events.assign(account_id=events["account_id"].astype("str")).rename(columns={"at": name})
    rows = rows.assign(account_id=rows["account_id"].astype("str")).sort_values(["from_", "account_id"])
    return pd.merge_asof(rows, events, left_on="from_", right_on=name, by="account_id", direction="forward")


def _times(values: Any) -> Any:
    return pd.to_datetime(values).astype("datetime64[us]")
