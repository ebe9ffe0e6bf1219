"""What may count as a loss: each definition declared once, worked out by the engine for accounts and cut-offs.

One worked example runs through the comments: horizon three months, as_of 2024-03-15, no booking lag. The outcome lies in
[2024-03-15, 2024-06-15) and uses what was booked before 2024-06-15; what is normal for the account uses what was known
before 2024-03-15 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import ibis
import pyarrow as pa

from features.declaration import Expression
from features.fold import Cutoffs
from features.known import known_at
from features.periods import Duration
from features.tables import TABLES

YEAR = Duration(12, "month")
HALF_A_YEAR = Duration(6, "month")
BACKS = 4  # horizons before as_of in which a habit shows


@dataclass(frozen=True)
class Rules:
    """The numbers in the definitions.

    `halved`: a loss is less than this share of the norm. `gaps`, `cap`: the horizon of `rhythm` is so many mean gaps of
    the account's own, at least the horizon of all and at most the cap.
    """

    halved: float = 0.5
    gaps: float = 3.0
    cap: Duration = HALF_A_YEAR


@dataclass(frozen=True)
class Outcomes:
    """What the definitions are worked out from: orders, and cut-offs with their dates (`dates_of`)."""

    orders: Expression
    cutoffs: Expression
    rules: Rules
    booking_lag: Duration

    def days(self, *by: str) -> Expression:
        """(account_id, *by, day_, known_): days with an order, each with the first day on which it was known."""
        orders = self.orders.filter(~self.orders.is_return)
        rows = orders.select("account_id", *by, day_=orders.ordered_at.cast("date"), known_=_known(orders))
        return rows.group_by(["account_id", *by, "day_"]).agg(known_=rows.known_.min())

    def first_days(self) -> Expression:
        """(account_id, cutoff, first): the first day with an order known before the cut-off."""
        days = self.days()
        earlier = days.day_.min().over(
            ibis.window(group_by="account_id", order_by=["known_", "day_"], preceding=(None, 1))
        )
        days = days.mutate(earlier=earlier)
        few = days.filter(days.earlier.isnull() | (days.day_ < days.earlier))  # one an account, if nothing is late
        rows = few.join(self.cutoffs, few.known_ < self.cutoffs.as_of)
        return rows.group_by(["account_id", "cutoff"]).agg(first=rows.day_.min())


Rows = Callable[[Outcomes], Expression]


@dataclass(frozen=True)
class Definition:
    """A loss: `formula` in words with the rules in braces, the `columns` of orders it needs beside account, day and return.

    `rows` gives (account_id, cutoff, value), 1 lost, 0 kept, null where it does not apply or is not known yet; None for
    `silent`, which the matrix reads off its own days. `silence`: it is a matter of no order at all, which BG/NBD speaks
    of. `capped`: its longest horizon is the cap's, not the horizon of all.
    """

    name: str
    formula: str
    rows: Rows | None
    columns: tuple[str, ...] = ()
    silence: bool = False
    capped: bool = False

    def in_words(self, rules: Rules) -> str:
        """The formula with its numbers."""
        return self.formula.format(halved=rules.halved, gaps=rules.gaps, cap=rules.cap)

    def longest(self, rules: Rules) -> Duration:
        """The longest horizon of an account beyond that of all: nothing, or the cap. It decides maturity."""
        return rules.cap if self.capped else Duration(0, "day")


def dates_of(cutoffs: Cutoffs, rules: Rules, known_until: date) -> pa.Table:
    """The cut-offs with the days that definitions look at, one row each, numbered by `cutoff`."""
    label = cutoffs.label
    ends = [label.end(day) for day in cutoffs.as_of]
    years = [YEAR.before(day) for day in cutoffs.as_of]
    longest = [max(rules.cap.after(day), end) for day, end in zip(cutoffs.as_of, ends, strict=True)]
    days: dict[str, list[date]] = {
        "as_of": list(cutoffs.as_of),
        "end": ends,  # 2024-06-15
        "matures": [label.booking_lag.after(end) for end in ends],
        "year_ago": years,  # 2023-03-15
        "season_end": [YEAR.before(end) for end in ends],  # 2023-06-15
        "longest_end": longest,
        "known_until": [known_until] * len(ends),
        **{f"back_{k}": [label.horizon.before(day, k) for day in cutoffs.as_of] for k in range(1, BACKS + 1)},
    }
    lengths = {
        "horizon": [(end - day).days for day, end in zip(cutoffs.as_of, ends, strict=True)],
        "longest": [(end - day).days for day, end in zip(cutoffs.as_of, longest, strict=True)],
    }
    return pa.table(
        {"cutoff": pa.array(range(len(ends)), pa.int32())}
        | {name: pa.array(values, pa.date32()) for name, values in days.items()}
        | {name: pa.array(values, pa.int64()) for name, values in lengths.items()}
    )


def shown(columns: set[str]) -> tuple[Definition, ...]:
    """The definitions that orders with these columns can show."""
    return tuple(definition for definition in DEFINITIONS.values() if set(definition.columns) <= columns)


def _halved(given: Outcomes) -> Expression:
    orders = given.orders
    rows = orders.select(
        "account_id",
        day_=orders.ordered_at.cast("date"),
        known_=_known(orders),
        amount=(orders.amount.fill_null(0) * 10_000).cast("int64"),  # so that sums are exact in any order
    )
    rows = rows.group_by(["account_id", "day_", "known_"]).agg(amount=rows.amount.sum())
    cutoffs = given.cutoffs
    rows = rows.join(cutoffs, [rows.day_ >= cutoffs.year_ago, rows.day_ < cutoffs.end, rows.known_ < cutoffs.matures])
    before = rows.known_ < rows.as_of
    sums = rows.group_by(["account_id", "cutoff"]).agg(
        bought=_sum(rows, rows.day_ >= rows.as_of),
        season=_sum(rows, before & (rows.day_ < rows.season_end)),
        year=_sum(rows, before),
    )
    found = sums.join(given.first_days(), ["account_id", "cutoff"]).join(cutoffs, "cutoff")
    # A window that ends after as_of a year ago is not wholly known; nor has it been lived through by a newer account.
    covered = (found.first <= found.year_ago) & (found.season_end <= found.as_of)
    lived = ibis.greatest(_days_between(ibis.greatest(found.first, found.year_ago), found.as_of), found.horizon)
    # Both sides times the days lived, so that whole numbers are compared.
    norm = ibis.cases((covered, found.season), else_=found.year * found.horizon)
    own = ibis.cases((covered, found.bought), else_=found.bought * lived)
    lost = own < given.rules.halved * norm
    known = (norm > 0) & (found.matures <= found.known_until)
    return found.select("account_id", "cutoff", value=_outcome(known, lost))


def _range_lost(given: Outcomes) -> Expression:
    cutoffs = given.cutoffs
    rows = given.days("product_line")
    rows = rows.filter(rows.product_line.notnull())
    rows = rows.join(
        cutoffs,
        [rows.day_ >= cutoffs[f"back_{BACKS}"], rows.day_ < cutoffs.end, rows.known_ < cutoffs.matures],
    )
    edges = [rows.as_of, *(rows[f"back_{k}"] for k in range(1, BACKS + 1))]
    bought = {
        f"bought_{k}": _any(rows, (rows.known_ < rows.as_of) & (rows.day_ >= edges[k]) & (rows.day_ < edges[k - 1]))
        for k in range(1, BACKS + 1)
    }
    lines = rows.group_by(["account_id", "cutoff", "product_line", "matures", "known_until"]).agg(
        kept=_any(rows, rows.day_ >= rows.as_of), **bought
    )
    times = sum((lines[f"bought_{k}"] for k in range(2, BACKS + 1)), lines.bought_1)
    habits = lines.filter((times >= 2) & (lines.bought_1 + lines.bought_2 >= 1))
    habits = habits.filter(habits.matures <= habits.known_until)
    return habits.group_by(["account_id", "cutoff"]).agg(value=(1 - habits.kept.min()).cast("float64"))


def _rhythm(given: Outcomes) -> Expression:
    days, cutoffs = given.days(), given.cutoffs
    known = days.join(cutoffs, days.known_ < cutoffs.as_of)
    own = known.group_by(["account_id", "cutoff", "as_of", "horizon", "longest", "known_until"]).agg(
        number=known.count(), span=_days_between(known.day_.min(), known.day_.max())
    )
    # The mean gap is the span from first to last day over the gaps between them.
    gap = ibis.cases((own.number > 1, given.rules.gaps * own.span / (own.number - 1)), else_=0.0)
    length = ibis.greatest(own.horizon, ibis.least(own.longest, gap.ceil().cast("int64")))
    own = own.mutate(own_end=(own.as_of + length.as_interval("D")).cast("date"))
    lag = ibis.interval(**{f"{given.booking_lag.unit}s": given.booking_lag.count})
    own = own.mutate(own_matures=(own.own_end + lag).cast("date"))
    after = days.join(cutoffs, [days.day_ >= cutoffs.as_of, days.day_ < cutoffs.longest_end])
    after = after.select("account_id", "cutoff", "day_", "known_").join(own, ["account_id", "cutoff"])
    after = after.filter((after.day_ < after.own_end) & (after.known_ < after.own_matures))
    ordered = after.select("account_id", "cutoff").distinct().mutate(ordered=True)
    found = own.left_join(ordered, ["account_id", "cutoff"])
    value = _outcome(found.own_matures <= found.known_until, found.ordered.isnull())
    return found.select("account_id", "cutoff", value=value)


def _known(orders: Expression) -> Expression:
    return known_at(orders, TABLES["orders"])


def _sum(rows: Expression, where: Expression) -> Expression:
    return rows.amount.sum(where=where).fill_null(0).cast("float64")


def _any(rows: Expression, where: Expression) -> Expression:
    return where.cast("int64").max().fill_null(0)


def _days_between(first: Expression, last: Expression) -> Expression:
    return last.delta(first, unit="day")


def _outcome(known: Expression, lost: Expression) -> Expression:
    return ibis.cases((known & lost, 1.0), (known, 0.0))


DEFINITIONS: Mapping[str, Definition] = {
    definition.name: definition
    for definition in (
        Definition("silent", "No order in the horizon.", None, silence=True),
        Definition(
            "halved",
            "Purchases net of returns in the horizon under {halved:g} times the account's own norm: its "
            "purchases in the same window a year before, or, where it has not ordered for a year yet, those of its last "
            "twelve months scaled to the horizon. Not defined where the norm is not above zero.",
            _halved,
            columns=("amount",),
        ),
        Definition(
            "range_lost",
            "Nothing bought in the horizon of some product line that was a habit: bought in two or more of the last four "
            "horizons and in one of the last two. Not defined for an account without such a line.",
            _range_lost,
            columns=("product_line",),
        ),
        Definition(
            "rhythm",
            "No order in the account's own horizon: {gaps:g} times its mean gap between days with an order, at least the "
            "horizon and at most {cap}.",
            _rhythm,
            silence=True,
            capped=True,
        ),
    )
}


def column_of(name: str) -> str:
    """The column of the matrix that holds this definition beside `label`."""
    return f"label_{name}"


LABELS = tuple(column_of(name) for name in DEFINITIONS)
