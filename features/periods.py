"""Time: durations, cut-offs and the edges of periods counted back from them.

One worked example runs through all comments. Period one month, horizon three months, as_of 2024-03-15:

- period 1 back is [2024-02-15, 2024-03-15), period 2 back is [2024-01-15, 2024-02-15), and so on: an order on
  2024-02-15 belongs to period 1, one on 2024-03-15 to none, for it happened at the as_of, not before it;
- the label looks at [2024-03-15, 2024-06-15) and has matured at 2024-06-15 plus the booking lag;
- the cut-offs 2024-03-15 and 2024-01-15 share their edges and are folded together; 2024-03-31 owns other edges.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from features.errors import ConfigurationError

Unit = Literal["month", "day"]


@dataclass(frozen=True)
class Duration:
    """So many calendar months, or so many days."""

    count: int
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read "3 months", "1 month", "90 days" or "0 days".

        Raises ConfigurationError for anything else.
        """
        match = re.fullmatch(r"\s*(\d+)\s*(month|day)s?\s*", text)
        if not match:
            raise ConfigurationError(f"{text!r} is not a duration. Write for example '3 months' or '90 days'.")
        return cls(int(match.group(1)), "month" if match.group(2) == "month" else "day")

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def days(self) -> float:
        """Its length in days on average; a month has 30.4375."""
        return self.count * (365.25 / 12 if self.unit == "month" else 1.0)

    def after(self, day: date, times: int = 1) -> date:
        """`day` moved by `times` durations; a month that lacks the day ends on its last one (31 January + 1 = 29
        February 2024)."""
        steps = self.count * times
        if self.unit == "day":
            return day + timedelta(days=steps)
        month = day.year * 12 + day.month - 1 + steps
        year, month = divmod(month, 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))

    def before(self, day: date, times: int = 1) -> date:
        """`day` moved back by `times` durations."""
        return self.after(day, -times)


def periods_in_year(period: Duration) -> int:
    """How many periods make a year, to the nearest (12 of a month, 12 of 30 days, 52 of a week)."""
    return round(12 / period.count) if period.unit == "month" else round(365.25 / period.count)


def edge_index(day: date, period: Duration, anchor: date) -> int:
    """Number of the period that holds `day`, on the grid of edges that `anchor` lies on.

    The grid's edge `edge_index(anchor)` is `anchor` itself. For months the edge of each month is the anchor's day of
    the month, or the month's last day where it is shorter: with anchor 2024-03-31 the edge of February is the 29th.
    """
    if period.unit == "day":
        return (day - anchor).days // period.count
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    if day.day < min(anchor.day, calendar.monthrange(day.year, day.month)[1]):
        months -= 1
    return months // period.count


def share_edges(first: date, second: date, period: Duration) -> bool:
    """Whether the two cut-offs lie on one grid, so that one fold serves both."""
    if period.unit == "day":
        return (second - first).days % period.count == 0
    if max(first.day, second.day) > 28:
        return first == second
    months = (second.year - first.year) * 12 + second.month - first.month
    return first.day == second.day and months % period.count == 0


def grids(cutoffs: list[date], period: Duration) -> list[list[date]]:
    """The cut-offs, sorted, in groups that share their edges."""
    groups: list[list[date]] = []
    for cutoff in sorted(set(cutoffs)):
        for group in groups:
            if share_edges(group[0], cutoff, period):
                group.append(cutoff)
                break
        else:
            groups.append([cutoff])
    return groups


def rolling_cutoffs(first: date, last: date, period: Duration) -> list[date]:
    """Cut-offs stepping back from `last` by whole periods while not before `first`, oldest first.

    Raises ConfigurationError if `last` is on day 29-31 of a month, where months share no edges.
    """
    if period.unit == "month" and last.day > 28:
        raise ConfigurationError(
            f"last_cutoff {last} is on day {last.day}: months do not share that day, so cut-offs stepping back "
            f"from it would not share their edges. Use day 28 or earlier, for example {last.replace(day=28)}."
        )
    if first > last:
        raise ConfigurationError(
            f"There is no cut-off between {first} (first, with the history it needs) and {last} (last matured). "
            "Give more history, or a shorter horizon or history in params.yaml."
        )
    steps: list[date] = []
    step = 0
    while (cutoff := period.before(last, step)) >= first:
        steps.append(cutoff)
        step += 1
    return steps[::-1]


@dataclass(frozen=True)
class Label:
    """What is predicted, and for whom: all durations count from an as_of, in days of orders, not in periods.

    Lost: no order in [as_of, as_of + horizon). Eligible: an order in [as_of - eligible, as_of) and at least
    `min_orders` days with an order before as_of. Lapsed: eligible, but no order in [as_of - horizon, as_of).
    Where accounts have horizons of their own, `longest` is the longest of them, and decides when all labels are known.
    """

    horizon: Duration
    eligible: Duration
    min_orders: int = 1
    booking_lag: Duration = Duration(0, "day")
    longest: Duration = Duration(0, "day")

    def end(self, as_of: date) -> date:
        """First day after the horizon (2024-06-15 for as_of 2024-03-15)."""
        return self.horizon.after(as_of)

    def matures(self, as_of: date) -> date:
        """First day on which the label is known: every order of the horizon has been booked by then."""
        return self.booking_lag.after(max(self.end(as_of), self.longest.after(as_of)))

    def last_matured(self, known_until: date) -> date:
        """The latest as_of on day 28 or earlier whose label has matured at `known_until`."""
        day = known_until
        while self.matures(day) > known_until or day.day > 28:
            day -= timedelta(days=1)
        return day
