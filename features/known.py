"""The tables as they were known at each cut-off, and the day from which a row is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import ibis

from features.declaration import Expression
from features.tables import TABLES, Table


@lru_cache(1_000)
def worked_out(rows: Callable[[Known], Expression], known: Known) -> Expression:
    """What `rows` makes of the view, made once for all folds that name their tables alike: making takes longer than small
    tables take to be worked through."""
    return rows(known)


class Known:
    """The tables as they were known at each cut-off: what `AsOf` facts are worked out from. Equal where their expressions are."""

    def __init__(self, tables: Mapping[str, Expression], cutoffs: Expression, calendar: Expression, year: int) -> None:
        self._year = year  # periods in a year
        self._tables = tables
        self._cutoffs = cutoffs
        self._calendar = calendar
        self._same: tuple[Any, ...] = (
            *(year, cutoffs.op(), calendar.op()),
            *((name, tables[name].op()) for name in sorted(tables)),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)

    def rows(self, name: str) -> Expression:
        """Rows x cut-offs known before as_of, with `cutoff` (number), `as_of` and `silent_from` (as_of - horizon).

        Columns that are filled in later than their row are null where that happened at or after as_of.
        """
        table = self._tables[name]
        rows = table.mutate(known_at_=known_at(table, TABLES[name])).join(
            self._cutoffs, [ibis._.known_at_ < self._cutoffs.as_of]
        )
        return _masked(rows, name, set(table.columns))

    def recent_rows(self, name: str, at: str, days: int) -> Expression:
        """`rows` of the last `days` days by the date column `at`, found without making all of them."""
        table = self._tables[name]
        day = table[at].cast("date")
        known = ibis.greatest(known_at(table, TABLES[name]), day)
        rows = table.mutate(known_at_=known, until_=day + ibis.interval(days=days)).join(
            self._cutoffs, [ibis._.known_at_ < self._cutoffs.as_of, ibis._.until_ >= self._cutoffs.as_of]
        )
        return _masked(rows, name, set(table.columns))

    def open_rows(self, name: str, opened: str, closed: str) -> Expression:
        """The rows that are open at each cut-off: known, `opened` before as_of, and not `closed` before it.

        A fraction of `rows`, found without making all of them.
        """
        table = self._tables[name]
        known = ibis.greatest(known_at(table, TABLES[name]), table[opened].cast("date"))
        rows = table.mutate(
            known_at_=known, open_until_=ibis.coalesce(table[closed].cast("date"), ibis.date("9999-12-31"))
        ).join(self._cutoffs, [ibis._.known_at_ < self._cutoffs.as_of, ibis._.open_until_ >= self._cutoffs.as_of])
        return _masked(rows, name, set(table.columns))

    def regions(self) -> Expression:
        """(account_id, region) of the accounts that have one."""
        accounts = self._tables["accounts"]
        return accounts.filter(accounts.region.notnull()).select("account_id", "region")

    def parts_of_year(self, column: str) -> Expression:
        """(account_id, cutoff, column, part, whole): of the amount of the year before each cut-off the part that went to
        each value of a column of orders, and the whole; in ten-thousandths, so that sums are exact in any order. Orders
        without that column are all of one value."""
        orders = self._tables["orders"]
        if column not in orders.columns:
            orders = orders.mutate(**{column: ibis.literal("")})
        orders = orders.filter(~orders.is_return & (orders.amount > 0))
        periods = (
            orders.mutate(day_=orders.ordered_at.cast("date"), known_=known_at(orders, TABLES["orders"]))
            .join(self._calendar.select(day_="day", event_period="period"), "day_")
            .join(self._calendar.select(known_="day", known_period="period"), "known_")
            .group_by(["account_id", column, "event_period", "known_period"])
            .agg(part=(ibis._.amount * 10_000).cast("int64").sum())
        )
        first = self._cutoffs.edge - self._year
        recent = [
            periods.known_period < self._cutoffs.edge,
            periods.event_period < self._cutoffs.edge,
            periods.event_period >= first,
        ]
        year = periods.join(self._cutoffs, recent)
        year = year.group_by(["account_id", "cutoff", column]).agg(part=year.part.sum())
        whole = year.part.sum().over(ibis.window(group_by=["account_id", "cutoff"]))
        year = year.mutate(whole=whole)
        return year.filter(year[column].notnull())

    def last_orders(self) -> Expression:
        """(account_id, cutoff, last_on): the last day with an order known before each cut-off."""
        orders = self._tables["orders"]
        orders = orders.filter(~orders.is_return)
        monthly = (
            orders.mutate(day_=orders.ordered_at.cast("date"), known_=known_at(orders, TABLES["orders"]))
            .join(self._calendar.select(day_="day", event_period="period"), "day_")
            .join(self._calendar.select(known_="day", known_period="period"), "known_")
            .group_by(["account_id", "event_period", "known_period"])
            .agg(last_on=ibis._.day_.max())
        )
        return (
            monthly.join(
                self._cutoffs, [monthly.event_period < self._cutoffs.edge, monthly.known_period < self._cutoffs.edge]
            )
            .group_by(["account_id", "cutoff"])
            .agg(last_on=ibis._.last_on.max())
        )


def _masked(rows: Expression, name: str, columns: set[str]) -> Expression:
    later = {
        column.name: ibis.cases((rows[column.known_on] < rows.as_of, rows[column.name]))
        for column in TABLES[name].columns
        if column.known_on and column.name in columns and column.known_on in columns
    }
    return rows.mutate(**later) if later else rows


def known_at(table: Expression, declared: Table) -> Expression:
    """The day from which a row counts: its event date, or the day it was recorded if later.

    A row without its event date counts from its first certain date, and always if it has none.
    """
    columns = set(table.columns)
    candidates = [declared.event] if declared.event in columns else []
    candidates += [
        c.name for c in declared.columns if c.kind in ("date", "time") and not c.nullable and c.name not in candidates
    ]
    happened = ibis.coalesce(
        *[table[name].cast("date") for name in candidates if name in columns], ibis.date("1900-01-01")
    )
    if "recorded_at" not in columns:
        return happened
    return ibis.greatest(happened, ibis.coalesce(table.recorded_at.cast("date"), happened))
