"""Windows slide in NumPy over dense panels, account x period; formulas see nothing at or after their cut-off.

A `Panel` holds what a fold brought of one block of accounts; a `View` answers the formulas. Edge number q of the
grid is the as_of of a cut-off; the window of w periods before it is the periods q - w .. q - 1. What was booked in a
later period than it happened in is kept apart, as `Late`: it counts from the first edge after it became known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.declaration import Additive, Array, AsOf, Days, Distinct, Fact, ItemValue, Latest, Reach, Shared

Ints = npt.NDArray[np.int64]
SCALE = 10_000  # additive facts are whole numbers of 1/10,000, so that differences of cumulative sums are exact
NEVER = np.iinfo(np.int64).max // 4
BITS = 62  # of an int64 that a shift can set without touching the sign
COMPANY = "company"


@dataclass(frozen=True)
class Grid:
    """Edges of the periods and the cut-offs among them.

    `edges`: day numbers (since 1970-01-01), period p is [edges[p], edges[p + 1]). `at`: positions of the cut-offs in
    `edges`. `year`: periods in a year.
    """

    edges: Ints
    at: Ints
    year: int


@dataclass(frozen=True)
class Late:
    """Cells of a row (an account, a region, an item) and a period that became known in a later period `known`."""

    row: Ints
    period: Ints
    known: Ints
    value: Ints

    def __len__(self) -> int:
        return len(self.row)

    def where(self, kept: npt.NDArray[Any]) -> Late:
        """The cells selected by a mask or by positions."""
        return Late(self.row[kept], self.period[kept], self.known[kept], self.value[kept])


_NONE = np.zeros(0, dtype=np.int64)
NO_LATE = Late(_NONE, _NONE, _NONE, _NONE)


@dataclass(frozen=True)
class Cells:
    """A fact by row and period: `dense` (rows, periods) what was known in its own period, and the rest."""

    dense: Ints
    late: Late = NO_LATE


@dataclass(frozen=True)
class Items:
    """Which items (products) of which accounts were seen in which periods.

    `owner`: (items,) the account of each, ascending. `seen`: (items, periods). `late`: its rows are items. `values`:
    item value -> (value, day it is known), each (items,).
    """

    owner: Ints
    seen: npt.NDArray[np.bool_]
    late: Late = NO_LATE
    values: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)


@dataclass
class Panel:
    """Facts of one block of accounts, as folded.

    `additive`: fact -> whole numbers of 1/SCALE. `day_bits`: fact -> bit b set if there was a row b days after the
    period's edge. `latest`: fact -> last day by the period it became known in, -1 for none. `items`, `as_of`: fact ->
    values, the latter (rows, cut-offs). `groups`: "region" -> (accounts,) row of each account in the facts of its
    region, -1 for none. `first_day`: table -> (cut-offs,) first day known of it then.
    """

    accounts: int
    additive: dict[str, Cells] = field(default_factory=dict)
    day_bits: dict[str, Cells] = field(default_factory=dict)
    latest: dict[str, Ints] = field(default_factory=dict)
    items: dict[str, Items] = field(default_factory=dict)
    as_of: dict[str, Array] = field(default_factory=dict)
    groups: dict[str, Ints] = field(default_factory=dict)
    first_day: Mapping[str, Ints] = field(default_factory=dict)


class View:
    """Answers to formulas at the cut-offs `at`: every array is (accounts, cut-offs)."""

    def __init__(self, panel: Panel, grid: Grid) -> None:
        self._panel = panel
        self._grid = grid
        self._at = grid.at
        self._cumulative: dict[str, Ints] = {}
        self._days: dict[str, _DayPanel] = {}
        self._last_seen: dict[str, npt.NDArray[np.int16]] = {}

    @property
    def shape(self) -> tuple[int, int]:
        return self._panel.accounts, len(self._at)

    @property
    def year(self) -> int:
        """Periods in a year."""
        return self._grid.year

    @property
    def day(self) -> Ints:
        """Day number of each cut-off."""
        return self._grid.edges[self._at]

    def total(self, fact: Additive | Shared, w: int | None = None, ago: int = 0) -> Array:
        """Sum of the fact over the `w` periods ending `ago` periods before the cut-off; over all before it if None.

        A shared fact is the sum over the account's region, or over all accounts; NaN where it has no region.
        """
        cells = self._panel.additive[fact.name]
        if fact.name not in self._cumulative:
            self._cumulative[fact.name] = _cumulate(cells.dense)
        sums = self._window(self._cumulative[fact.name], cells.late, w, ago) / SCALE
        return self._spread(sums, fact.by) if isinstance(fact, Shared) else sums

    def days(self, fact: Days, w: int | None = None, ago: int = 0) -> Array:
        """Number of days with a row in the window."""
        panel = self._day_panel(fact)
        one_each = replace(panel.late, value=np.ones_like(panel.late.value))
        return self._window(panel.count, one_each, w, ago).astype(np.float64)

    def active_periods(self, fact: Days, w: int) -> Array:
        """Number of periods of the window with a row."""
        panel = self._day_panel(fact)
        return self._window(panel.active, panel.late_active, w, 0).astype(np.float64)

    def since_last(self, fact: Days) -> Array:
        """Days from the last row before the cut-off to the cut-off (1: the day before); NaN where there is none."""
        panel = self._day_panel(fact)
        last = panel.last[:, self._at]
        rows, known = panel.late_extreme(np.maximum, -1)
        last[rows] = np.maximum(last[rows], known[:, self._at])
        return np.where(last < 0, np.nan, self.day - last)

    def since_first(self, fact: Days) -> Array:
        """Days from the first row of all to the cut-off; NaN where it is not before the cut-off."""
        panel = self._day_panel(fact)
        first = np.repeat(panel.next[:, [0]], len(self._at), axis=1)
        rows, known = panel.late_extreme(np.minimum, NEVER)
        first[rows] = np.minimum(first[rows], known[:, self._at])
        return np.where(first < self.day, self.day - first, np.nan)

    def since_latest(self, fact: Latest) -> Array:
        """Days from the last row known at the cut-off to the cut-off; NaN where there is none."""
        if fact.name not in self._cumulative:
            by_period = self._panel.latest[fact.name]
            running = np.full((by_period.shape[0], by_period.shape[1] + 1), -1, dtype=np.int64)
            np.maximum.accumulate(by_period, axis=1, out=running[:, 1:])
            self._cumulative[fact.name] = running
        last = self._cumulative[fact.name][:, self._at]
        return np.where(last < 0, np.nan, self.day - last)

    def until_next(self, fact: Days) -> Array:
        """Days from the cut-off to the first row at or after it, of rows booked in their own period; infinite where
        there is none. For labels only."""
        following = self._day_panel(fact).next[:, self._at]
        return np.where(following >= NEVER, np.inf, following - self.day)

    def gaps(self, fact: Days, w: int | None = None) -> tuple[Array, Array, Array]:
        """Number, mean and standard deviation of the gaps (days) that a row of the window ended; NaN where none did.

        A gap belongs to the period of the later of its two days. A day booked late splits a gap, and so moves what is
        known from one cut-off to the next: such accounts are added up anew at each cut-off.
        """
        panel = self._day_panel(fact)
        number, total, square = (self._window(sums, NO_LATE, w, 0) for sums in panel.gaps)
        for column, q in enumerate(self._at if len(panel.late_rows) else ()):
            start = 0 if w is None else max(int(q) - w, 0)
            for sums, known in zip((number, total, square), panel.gaps_known_at(int(q)), strict=True):
                sums[panel.late_rows, column] = known[:, q] - known[:, start]
        some = number > 0
        count = np.where(some, number, 1).astype(np.float64)
        mean = total / count
        variance = np.maximum(square / count - mean**2, 0.0)
        return number.astype(np.float64), np.where(some, mean, np.nan), np.where(some, np.sqrt(variance), np.nan)

    def distinct(self, fact: Distinct, w: int, ago: int = 0) -> Array:
        """Number of different items in the window."""
        return self._over_items(fact, w, ago, None)[0]

    def item_mean(self, value: ItemValue, w: int) -> Array:
        """Mean of a value over the different items in the window of which it is known by then; NaN where none is."""
        values, known = self._panel.items[value.of.name].values[value.name]
        usable = [~np.isnan(values) & (known < day) for day in self.day]
        number, total = self._over_items(value.of, w, 0, (values, usable))
        return np.where(number > 0, total / np.where(number > 0, number, 1.0), np.nan)

    def as_of(self, fact: AsOf) -> Array:
        """The fact's value at each cut-off; NaN where there is none."""
        return self._spread(self._panel.as_of[fact.name], fact.by)

    def covered(self, table: str, w: int, ago: int = 0) -> npt.NDArray[np.bool_]:
        """Whether the table's data reach back over the whole window, by cut-off: (1, cut-offs)."""
        start = self._grid.edges[np.maximum(self._at - ago - w, 0)]
        reaches = (self._at - ago - w >= 0) & (start >= self._panel.first_day[table])
        return reaches[None, :]

    def _window(self, cumulative: Ints, late: Late, w: int | None, ago: int) -> Ints:
        """Sums over the window at each cut-off, (rows, cut-offs); always a fresh array."""
        end = np.maximum(self._at - ago, 0)
        result = cumulative[:, end]
        if w is not None:
            result -= cumulative[:, np.maximum(end - w, 0)]
        if len(late):
            edges = cumulative.shape[1]
            # In the window and known at the edges q with period + ago < q <= period + ago + w and known < q.
            first = np.minimum(np.maximum(late.known, late.period + ago) + 1, edges)
            last = np.full_like(first, edges) if w is None else np.minimum(late.period + ago + w + 1, edges)
            last = np.maximum(first, last)
            rows, row = np.unique(late.row, return_inverse=True)
            change = np.zeros((len(rows), edges + 1), dtype=np.int64)
            np.add.at(change, (row, first), late.value)
            np.subtract.at(change, (row, last), late.value)
            result[rows] += np.cumsum(change, axis=1)[:, self._at]
        return result

    def _over_items(
        self, fact: Distinct, w: int, ago: int, value: tuple[Array, list[npt.NDArray[np.bool_]]] | None
    ) -> tuple[Array, Array]:
        """Number of items in the window, and sum of their values: of those of `value[1]`, a mask a cut-off, if given."""
        items = self._panel.items[fact.name]
        number, total = np.zeros(self.shape), np.zeros(self.shape)
        if not len(items.owner):
            return number, total
        if fact.name not in self._last_seen:
            self._last_seen[fact.name] = _last_period(items.seen)
        last = self._last_seen[fact.name]
        starts = np.flatnonzero(np.r_[True, items.owner[1:] != items.owner[:-1]])
        rows, late = _late_last_period(items.late, ago, last.shape[0])
        for column, q in enumerate(self._at):
            end = max(int(q) - ago, 0)
            inside = last[end] > max(end - w, 0)
            if len(rows):
                inside[rows] |= late[q] > max(end - w, 0)
            if value is not None:
                inside &= value[1][column]
                total[items.owner[starts], column] = np.add.reduceat(np.where(inside, value[0], 0.0), starts)
            number[items.owner[starts], column] = np.add.reduceat(inside, starts, dtype=np.int64)
        return number, total

    def _spread(self, values: Array, by: str) -> Array:
        """From one row a group to one row an account."""
        if by == "account":
            return values
        if by == COMPANY:
            return np.repeat(values[:1], self._panel.accounts, axis=0)
        group = self._panel.groups[by]
        return np.where((group >= 0)[:, None], values[np.maximum(group, 0)], np.nan)

    def _day_panel(self, fact: Days) -> _DayPanel:
        if fact.name not in self._days:
            self._days[fact.name] = _DayPanel(self._panel.day_bits[fact.name], self._grid.edges)
        return self._days[fact.name]


class _DayPanel:
    """Counts, gaps, last and next day of a set of days, each (accounts, periods + 1) and ready for windows.

    Of the days booked in their own period; `late` are the others, a day once, by the period it first became known in.
    """

    def __init__(self, cells: Cells, edges: Ints) -> None:
        self._bits, self._edges = cells.dense, edges
        accounts, periods = cells.dense.shape
        account, day, period = _days_of(cells.dense, edges)
        cell = account * periods + period
        self.count = _fold_cells(cell, accounts, periods)
        self.active = _cumulate((cells.dense != 0).astype(np.int64))
        self.gaps = _gap_sums(account, day, period, accounts, periods)
        last = np.full((accounts, periods + 1), -1, dtype=np.int64)
        turn = np.flatnonzero(np.diff(cell, prepend=-1))  # days ascend: where each account's period begins
        end = np.r_[turn[1:], len(cell)] - 1 if len(cell) else turn
        last[account[end], period[end] + 1] = day[end]
        self.last = np.maximum.accumulate(last, axis=1)
        following = np.full((accounts, periods + 1), NEVER, dtype=np.int64)
        following[account[turn], period[turn]] = day[turn]
        self.next = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1]
        self.late = self._late_days(cells)
        self.late_rows = np.unique(self.late.row)
        self._gaps_known: dict[int, tuple[Ints, Ints, Ints]] = {}

    @cached_property
    def late_active(self) -> Late:
        """Periods whose first known day came late, by when it came."""
        late = self.late
        order = np.lexsort((late.known, late.period, late.row))
        late = late.where(order)
        fresh = np.r_[True, (np.diff(late.row) != 0) | (np.diff(late.period) != 0)][: len(late)]
        cells = late.where(fresh & (self._bits[late.row, late.period] == 0))
        return replace(cells, value=np.ones_like(cells.value))

    def late_extreme(self, extreme: np.ufunc, nothing: int) -> tuple[Ints, Ints]:
        """Accounts with late days, and their last (maximum) or first (minimum) late day known at each edge."""
        row = np.searchsorted(self.late_rows, self.late.row)
        result = np.full((len(self.late_rows), self.last.shape[1]), nothing, dtype=np.int64)
        inside = self.late.known + 1 < result.shape[1]
        extreme.at(result, (row[inside], self.late.known[inside] + 1), self.late.value[inside])
        return self.late_rows, extreme.accumulate(result, axis=1)

    def gaps_known_at(self, edge: int) -> tuple[Ints, Ints, Ints]:
        """`gaps` of the accounts with late days, from the days known at an edge."""
        if edge not in self._gaps_known:
            bits = self._bits[self.late_rows]
            late = self.late.where(self.late.known < edge)
            row = np.searchsorted(self.late_rows, late.row)
            np.bitwise_or.at(bits, (row, late.period), np.int64(1) << (late.value - self._edges[late.period]))
            account, day, period = _days_of(bits, self._edges)
            self._gaps_known[edge] = _gap_sums(account, day, period, *bits.shape)
        return self._gaps_known[edge]

    def _late_days(self, cells: Cells) -> Late:
        late = cells.late
        if not len(late):
            return NO_LATE
        cell, offset = np.nonzero(unpack_bits(late.value & ~cells.dense[late.row, late.period]))
        days = replace(late.where(cell), value=self._edges[late.period[cell]] + offset)
        days = days.where(np.lexsort((days.known, days.value, days.row)))
        return days.where(np.r_[True, (np.diff(days.row) != 0) | (np.diff(days.value) != 0)][: len(days)])


def unpack_bits(numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The lowest BITS bits of whole numbers, lowest first: (numbers, BITS)."""
    octets = np.ascontiguousarray(numbers, dtype="<i8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=BITS, bitorder="little").view(np.bool_)


def _days_of(bits: Ints, edges: Ints) -> tuple[Ints, Ints, Ints]:
    """Account, day number and period of every day in (accounts, periods) of bits, sorted by account and day."""
    accounts = bits.shape[0]
    longest = int(np.diff(edges).max())
    present = np.zeros((accounts, int(edges[-1] - edges[0])), dtype=np.bool_)
    for offset in range(longest):
        rows, columns = np.nonzero((bits >> offset) & 1)
        present[rows, edges[columns] - edges[0] + offset] = True
    account, day = np.nonzero(present)
    day = day + edges[0]
    return account, day, np.searchsorted(edges, day, side="right") - 1


def _gap_sums(account: Ints, day: Ints, period: Ints, accounts: int, periods: int) -> tuple[Ints, Ints, Ints]:
    """Number, sum and sum of squares of the gaps between successive days, cumulated by the period of the later."""
    later = np.flatnonzero(account[1:] == account[:-1]) + 1
    gap = day[later] - day[later - 1]
    cell = account[later] * periods + period[later]
    return (
        _fold_cells(cell, accounts, periods),
        _fold_cells(cell, accounts, periods, gap),
        _fold_cells(cell, accounts, periods, gap * gap),
    )


def _fold_cells(cell: Ints, accounts: int, periods: int, weights: Ints | None = None) -> Ints:
    # bincount adds in float64: exact for whole numbers below 2**53
    sums = np.bincount(cell, weights=weights, minlength=accounts * periods)
    return _cumulate(sums.astype(np.int64).reshape(accounts, periods))


def _cumulate(values: Ints) -> Ints:
    """Sums over all periods before each edge: (rows, periods + 1)."""
    result = np.zeros((values.shape[0], values.shape[1] + 1), dtype=np.int64)
    np.cumsum(values, axis=1, out=result[:, 1:])
    return result


def _last_period(seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int16]:
    """1 + the last period before each edge in which each item was seen, 0 for none: (periods + 1, items)."""
    periods = np.arange(1, seen.shape[1] + 1, dtype=np.int16)
    last = np.zeros((seen.shape[1] + 1, seen.shape[0]), dtype=np.int16)
    np.maximum.accumulate((seen * periods).T, axis=0, out=last[1:])
    return last


def _late_last_period(late: Late, ago: int, edges: int) -> tuple[Ints, npt.NDArray[np.int16]]:
    """Items with late periods, and 1 + the last of these that lies `ago` periods back and is known: (edges, items)."""
    rows, row = np.unique(late.row, return_inverse=True)
    last = np.zeros((edges, len(rows)), dtype=np.int16)
    first = np.maximum(late.known, late.period + ago) + 1
    inside = first < edges
    np.maximum.at(last, (first[inside], row[inside]), (late.period[inside] + 1).astype(np.int16))
    return rows, np.maximum.accumulate(last, axis=0)


class Recorder(View):
    """A view over nothing that notes which facts a formula asks for: the fold plan comes from it.

    `facts`: these and those that they are made of, by name; `asked`: the names of the first alone.
    """

    def __init__(self) -> None:
        super().__init__(Panel(1), Grid(np.array([0, 1]), np.array([1]), 12))
        self.facts: dict[str, Fact] = {}
        self.asked: set[str] = set()

    def _note(self, fact: Fact) -> Array:
        self.asked.add(fact.name)
        self.facts[fact.name] = fact
        if isinstance(fact, (Shared, ItemValue)):
            self.facts[fact.of.name] = fact.of
        return np.ones((1, 1))

    def total(self, fact: Additive | Shared, w: int | None = None, ago: int = 0) -> Array:
        return self._note(fact)

    def days(self, fact: Days, w: int | None = None, ago: int = 0) -> Array:
        return self._note(fact)

    def active_periods(self, fact: Days, w: int) -> Array:
        return self._note(fact)

    def since_last(self, fact: Days) -> Array:
        return self._note(fact)

    def since_first(self, fact: Days) -> Array:
        return self._note(fact)

    def since_latest(self, fact: Latest) -> Array:
        return self._note(fact)

    def gaps(self, fact: Days, w: int | None = None) -> tuple[Array, Array, Array]:
        return self._note(fact), np.ones((1, 1)), np.ones((1, 1))

    def distinct(self, fact: Distinct, w: int, ago: int = 0) -> Array:
        return self._note(fact)

    def item_mean(self, value: ItemValue, w: int) -> Array:
        return self._note(value)

    def as_of(self, fact: AsOf) -> Array:
        return self._note(fact)

    def covered(self, table: str, w: int, ago: int = 0) -> npt.NDArray[np.bool_]:
        return self._note(Reach(table)) > 0
