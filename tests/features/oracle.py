"""The slow and obvious way to every feature: each cut-off and account by itself, from rows known by then, in loops.

The formulas are the declared ones; everything beneath them, knowledge time, windows, gaps, open items, regions, peers,
is worked out here a second time. A fact that is no sum has a twin in `TWINS`; one without makes the test fail.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import ibis
import numpy as np

from features.catalog import FEATURES, facts_of
from features.declaration import Additive, AsOf, Days, Distinct, Fact, ItemValue, Latest, Shared
from features.labels import Rules
from features.periods import Duration, Label, periods_in_year
from features.windows import Grid, Panel, View
from tests.features.worlds import World, arrow, day_of, known, known_day

Twin = Callable[["Known"], Mapping[Any, float]]
Rows = list[dict[str, Any]]
TWINS: dict[str, Twin] = {}


def twin(name: str) -> Callable[[Twin], Twin]:
    """Register the plain twin of an `AsOf` fact: value by account (or region, or None for the company)."""

    def register(function: Twin) -> Twin:
        TWINS[name] = function
        return function

    return register


class Known:
    """A world as it was known at one as_of, with the rows that each fact counts."""

    def __init__(self, tables: World, as_of: date, period: Duration, label: Label) -> None:
        self.tables = known(tables, as_of)
        self.as_of, self.period, self.label = as_of, period, label
        self.silent_from = label.horizon.before(as_of)
        self.accounts = sorted({row["account_id"] for row in tables["orders"]})
        self.region = {row["account_id"]: row["region"] for row in self.tables.get("accounts", ())}
        self.rows = self._evaluate()
        self.twins: dict[str, Mapping[Any, float]] = {}

    def by_account(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """Known rows of a table by account."""
        result: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.tables[name]:
            result[row["account_id"]].append(row)
        return result

    def since(self, value: Any) -> int:
        """Days from a date or time to as_of."""
        day = day_of(value)
        assert day is not None
        return (self.as_of - day).days

    def last_orders(self) -> dict[str, date]:
        """Each account's last day with an order."""
        last: dict[str, date] = {}
        for row in self.tables["orders"]:
            if not row["is_return"]:
                day = day_of(row["ordered_at"])
                assert day is not None
                last[row["account_id"]] = max(last.get(row["account_id"], day), day)
        return last

    def value(self, fact: AsOf) -> Mapping[Any, float]:
        if fact.name not in self.twins:
            self.twins[fact.name] = TWINS[fact.name](self)
        return self.twins[fact.name]

    def _evaluate(self) -> dict[str, list[tuple[str, date, float, Any]]]:
        """(account, day, value, item) of the rows that each fact counts; expressions of a row alone are the engine's."""
        facts: dict[str, Fact] = {fact.name: fact for feature in FEATURES for fact in facts_of(feature)}
        result = {}
        for name in self.tables:
            mine = [f for f in facts.values() if isinstance(f, (Additive, Days, Latest, Distinct)) and f.table == name]
            rows = self.tables[name]
            if not mine:
                continue
            table = ibis.memtable(arrow(name, rows))
            columns: dict[str, Any] = {}
            for fact in mine:
                columns[f"{fact.name} where"] = ibis.literal(True) if fact.where is None else fact.where(table)
                value = getattr(fact, "value", None)
                columns[f"{fact.name} value"] = (ibis.literal(1.0) if value is None else value(table)).cast("float64")
            found = table.select(**columns).to_pyarrow().to_pylist() if rows else []
            for fact in mine:
                result[fact.name] = [
                    (row["account_id"], day, answer[f"{fact.name} value"] or 0.0, row.get(getattr(fact, "item", "")))
                    for row, answer in zip(rows, found, strict=True)
                    if answer[f"{fact.name} where"] and (day := day_of(row[fact.at])) is not None and day < self.as_of
                ]
        return result


def no_order(tables: World, account: str, as_of: date, end: date, matures: date, until: date) -> float | None:
    """1 where the account has no order in [as_of, end) that was booked before `matures`, 0 where it has; None where
    `matures` is after `until`."""
    if matures > until:
        return None
    for row in tables["orders"]:
        day = day_of(row["ordered_at"])
        assert day is not None
        own = row["account_id"] == account and not row["is_return"]
        if own and as_of <= day < end and known_day("orders", row) < matures:
            return 0.0
    return 1.0


class OracleView(View):
    """Answers for one account at one as_of."""

    def __init__(self, world: Known, account: str) -> None:
        super().__init__(Panel(1), Grid(np.array([0, 1]), np.array([1]), periods_in_year(world.period)))
        self._known, self._account = world, account

    @property
    def day(self) -> Any:
        return np.array([(self._known.as_of - date(1970, 1, 1)).days])

    def _start(self, periods: int) -> date:
        return self._known.period.before(self._known.as_of, periods)

    def _inside(self, fact: Any, w: int | None, ago: int, accounts: Iterable[str]) -> list[tuple[date, float, Any]]:
        low = date.min if w is None else self._start(ago + w)
        high = self._start(ago)
        wanted = set(accounts)
        return [
            (day, value, item)
            for account, day, value, item in self._known.rows[fact.name]
            if account in wanted and low <= day < high
        ]

    def total(self, fact: Additive | Shared, w: int | None = None, ago: int = 0) -> Any:
        accounts = [self._account]
        of = fact
        if isinstance(fact, Shared):
            of = fact.of
            accounts = self._known.accounts
            if fact.by == "region":
                region = self._known.region.get(self._account)
                if region is None:
                    return _array(np.nan)
                accounts = [account for account in accounts if self._known.region.get(account) == region]
        return _array(sum(value for _, value, _ in self._inside(of, w, ago, accounts)))

    def _days_inside(self, fact: Any, w: int | None = None, ago: int = 0) -> list[date]:
        return sorted({day for day, _, _ in self._inside(fact, w, ago, [self._account])})

    def days(self, fact: Days, w: int | None = None, ago: int = 0) -> Any:
        return _array(len(self._days_inside(fact, w, ago)))

    def active_periods(self, fact: Days, w: int) -> Any:
        return _array(sum(bool(self._days_inside(fact, 1, ago)) for ago in range(w)))

    def since_last(self, fact: Days) -> Any:
        days = self._days_inside(fact)
        return _array(self._known.since(days[-1]) if days else np.nan)

    def since_first(self, fact: Days) -> Any:
        days = self._days_inside(fact)
        return _array(self._known.since(days[0]) if days else np.nan)

    def since_latest(self, fact: Latest) -> Any:
        days = self._days_inside(fact)
        return _array(self._known.since(days[-1]) if days else np.nan)

    def gaps(self, fact: Days, w: int | None = None) -> tuple[Any, Any, Any]:
        low = date.min if w is None else self._start(w)
        gaps = [(later - earlier).days for earlier, later in pairwise(self._days_inside(fact)) if later >= low]
        mean, spread = (np.mean(gaps), np.std(gaps)) if gaps else (np.nan, np.nan)
        return _array(len(gaps)), _array(mean), _array(spread)

    def distinct(self, fact: Distinct, w: int, ago: int = 0) -> Any:
        return _array(len(self._items(fact, w, ago)))

    def _items(self, fact: Distinct, w: int, ago: int = 0) -> set[str]:
        return {item for _, _, item in self._inside(fact, w, ago, [self._account]) if item is not None}

    def item_mean(self, value: ItemValue, w: int) -> Any:
        found = {row[value.of.item]: row[value.column] for row in self._known.tables[value.table]}
        days = [found[item] for item in self._items(value.of, w) if found.get(item) is not None]
        return _array(np.mean([(day - date(1970, 1, 1)).days for day in days]) if days else np.nan)

    def as_of(self, fact: AsOf) -> Any:
        key: Any = self._account
        if fact.by == "region":
            key = self._known.region.get(self._account)
        elif fact.by == "company":
            key = None
        values = self._known.value(fact)
        return _array(values[key] if key in values and (key is not None or fact.by == "company") else np.nan)

    def covered(self, table: str, w: int, ago: int = 0) -> Any:
        from features.tables import TABLES

        days = [day_of(row[TABLES[table].event]) for row in self._known.tables[table] if row[TABLES[table].event]]
        return np.array([[bool(days) and self._start(ago + w) >= min(day for day in days if day)]])


def _array(value: float) -> Any:
    return np.array([[float(value)]])


def losses(
    tables: World, account: str, as_of: date, period: Duration, label: Label, rules: Rules, until: date
) -> dict[str, float | None]:
    """Each definition of a loss by itself, in loops over rows; None where it does not apply or is not known at `until`."""
    own = [row for row in tables["orders"] if row["account_id"] == account]
    end = label.end(as_of)
    matures = label.booking_lag.after(end)
    return {
        "silent": no_order(tables, account, as_of, end, matures, until),
        "halved": _halved(own, as_of, end, matures, rules.halved) if matures <= until else None,
        "range_lost": _range_lost(own, as_of, end, matures, label.horizon) if matures <= until else None,
        "rhythm": _rhythm(tables, account, as_of, label, rules, until),
    }


def _bought(rows: Rows, low: date, high: date, known_before: date) -> Fraction:
    return sum(
        (
            Fraction(str(row["amount"] or 0))
            for row in rows
            if low <= row["ordered_at"].date() < high and known_day("orders", row) < known_before
        ),
        Fraction(0),
    )


def _ordered_on(rows: Rows, known_before: date) -> list[date]:
    return sorted(
        {row["ordered_at"].date() for row in rows if not row["is_return"] and known_day("orders", row) < known_before}
    )


def _halved(rows: Rows, as_of: date, end: date, matures: date, share: float) -> float | None:
    days = _ordered_on(rows, as_of)
    if not days:
        return None
    year = Duration(12, "month")
    bought, year_ago, season_end = _bought(rows, as_of, end, matures), year.before(as_of), year.before(end)
    if days[0] <= year_ago and season_end <= as_of:
        norm = _bought(rows, year_ago, season_end, as_of)
    else:
        horizon = (end - as_of).days
        lived = max((as_of - max(days[0], year_ago)).days, horizon)
        norm = _bought(rows, year_ago, as_of, as_of) * horizon / lived
    return float(bought < Fraction(share) * norm) if norm > 0 else None


def _range_lost(rows: Rows, as_of: date, end: date, matures: date, horizon: Duration) -> float | None:
    habits, lost = 0, 0
    for line in {row["product_line"] for row in rows} - {None}:
        mine = [row for row in rows if row["product_line"] == line]
        known = _ordered_on(mine, as_of)
        seen = [
            any(horizon.before(as_of, k) <= day < horizon.before(as_of, k - 1) for day in known) for k in (1, 2, 3, 4)
        ]
        if sum(seen) >= 2 and (seen[0] or seen[1]):
            habits += 1
            lost += not any(as_of <= day < end for day in _ordered_on(mine, matures))
    return float(lost > 0) if habits else None


def _rhythm(tables: World, account: str, as_of: date, label: Label, rules: Rules, until: date) -> float | None:
    days = _ordered_on([row for row in tables["orders"] if row["account_id"] == account], as_of)
    if not days:
        return None
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    length = math.ceil(rules.gaps * sum(gaps) / len(gaps)) if gaps else 0
    horizon = (label.end(as_of) - as_of).days
    end = as_of + timedelta(max(horizon, min(length, (rules.cap.after(as_of) - as_of).days)))
    return no_order(tables, account, as_of, end, label.booking_lag.after(end), until)
