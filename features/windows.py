"""Windows slide in NumPy over dense panels, account x period; formulas see nothing at or after their cut-off.

A `Panel` holds what a fold brought of one block of accounts; a `View` answers the formulas. Edge number q of the
grid is the as_of of a cut-off; the window of w periods before it is the periods q - w .. q - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.declaration import Additive, Array, AsOf, Days, Distinct, Fact

Ints = npt.NDArray[np.int64]
SCALE = 10_000  # additive facts are whole numbers of 1/10,000, so that differences of cumulative sums are exact
NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class Grid:
    """Edges of the periods and the cut-offs among them.

    `edges`: day numbers (since 1970-01-01), period p is [edges[p], edges[p + 1]). `at`: positions of the cut-offs in
    `edges`. `year`: periods in a year.
    """

    edges: Ints
    at: Ints
    year: int


@dataclass
class Panel:
    """Facts of one block of accounts, as folded.

    `additive`: fact -> (accounts, periods) whole numbers of 1/SCALE. `day_bits`: fact -> (accounts, periods), bit b set
    if there was a row b days after the period's edge. `items`: fact -> (account of each item, item x period seen).
    `as_of`: fact -> (accounts, cut-offs) values. `first_day`: table -> (cut-offs,) first day known of it then.
    """

    accounts: int
    additive: dict[str, Ints] = field(default_factory=dict)
    day_bits: dict[str, Ints] = field(default_factory=dict)
    items: dict[str, tuple[Ints, npt.NDArray[np.bool_]]] = field(default_factory=dict)
    as_of: dict[str, Array] = field(default_factory=dict)
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

    def total(self, fact: Additive, w: int | None = None, ago: int = 0) -> Array:
        """Sum of the fact over the `w` periods ending `ago` periods before the cut-off; over all before it if None."""
        cumulative = self._cumulate(fact.name, self._panel.additive[fact.name])
        return self._window(cumulative, w, ago) / SCALE

    def days(self, fact: Days, w: int | None = None, ago: int = 0) -> Array:
        """Number of days with a row in the window."""
        return self._window(self._day_panel(fact).count, w, ago).astype(np.float64)

    def active_periods(self, fact: Days, w: int) -> Array:
        """Number of periods of the window with a row."""
        return self._window(self._day_panel(fact).active, w, 0).astype(np.float64)

    def since_last(self, fact: Days) -> Array:
        """Days from the last row before the cut-off to the cut-off (1: the day before); NaN where there is none."""
        last = self._day_panel(fact).last[:, self._at]
        return np.where(last < 0, np.nan, self.day - last)

    def since_first(self, fact: Days) -> Array:
        """Days from the first row of all to the cut-off; NaN where it is not before the cut-off."""
        first = self._day_panel(fact).next[:, [0]]
        return np.where(first < self.day, self.day - first, np.nan)

    def until_next(self, fact: Days) -> Array:
        """Days from the cut-off to the first row at or after it; infinite where none is known. For labels only."""
        following = self._day_panel(fact).next[:, self._at]
        return np.where(following >= NEVER, np.inf, following - self.day)

    def gaps(self, fact: Days, w: int | None = None) -> tuple[Array, Array, Array]:
        """Number, mean and standard deviation of the gaps (days) that a row of the window ended; NaN where none did.

        A gap belongs to the period of the later of its two days.
        """
        panel = self._day_panel(fact)
        number = self._window(panel.gap_number, w, 0).astype(np.float64)
        known = number > 0
        count = np.where(known, number, 1.0)
        mean = self._window(panel.gap_sum, w, 0) / count
        variance = np.maximum(self._window(panel.gap_square, w, 0) / count - mean**2, 0.0)
        return number, np.where(known, mean, np.nan), np.where(known, np.sqrt(variance), np.nan)

    def distinct(self, fact: Distinct, w: int, ago: int = 0) -> Array:
        """Number of different items in the window."""
        owner, seen = self._panel.items[fact.name]
        result = np.zeros(self.shape)
        if not len(owner):
            return result
        if fact.name not in self._last_seen:
            periods = np.arange(1, seen.shape[1] + 1, dtype=np.int16)
            last = np.zeros((seen.shape[1] + 1, seen.shape[0]), dtype=np.int16)
            np.maximum.accumulate((seen * periods).T, axis=0, out=last[1:])
            self._last_seen[fact.name] = last
        last = self._last_seen[fact.name]
        starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        for column, q in enumerate(self._at):
            end = max(int(q) - ago, 0)
            inside = last[end] > max(end - w, 0)
            result[owner[starts], column] = np.add.reduceat(inside, starts, dtype=np.int64)
        return result

    def as_of(self, fact: AsOf) -> Array:
        """The fact's value at each cut-off; NaN where there is none."""
        return self._panel.as_of[fact.name]

    def covered(self, table: str, w: int, ago: int = 0) -> npt.NDArray[np.bool_]:
        """Whether the table's data reach back over the whole window, by cut-off: (1, cut-offs)."""
        start = self._grid.edges[np.maximum(self._at - ago - w, 0)]
        reaches = (self._at - ago - w >= 0) & (start >= self._panel.first_day[table])
        return reaches[None, :]

    def _cumulate(self, key: str, values: Ints) -> Ints:
        if key not in self._cumulative:
            self._cumulative[key] = _cumulate(values)
        return self._cumulative[key]

    def _window(self, cumulative: Ints, w: int | None, ago: int) -> Ints:
        end = np.maximum(self._at - ago, 0)
        upper = cumulative[:, end]
        return upper if w is None else upper - cumulative[:, np.maximum(end - w, 0)]

    def _day_panel(self, fact: Days) -> _DayPanel:
        if fact.name not in self._days:
            self._days[fact.name] = _DayPanel(self._panel.day_bits[fact.name], self._grid.edges)
        return self._days[fact.name]


class _DayPanel:
    """Counts, gaps, last and next day of a set of days, each (accounts, periods + 1) and ready for windows."""

    def __init__(self, bits: Ints, edges: Ints) -> None:
        accounts, periods = bits.shape
        longest = int(np.diff(edges).max())
        present = np.zeros((accounts, int(edges[-1] - edges[0])), dtype=np.bool_)
        for offset in range(longest):
            rows, columns = np.nonzero((bits >> offset) & 1)
            present[rows, edges[columns] - edges[0] + offset] = True
        account, day = np.nonzero(present)  # sorted by account, then day
        period = np.searchsorted(edges, day + edges[0], side="right") - 1
        day = day + edges[0]
        cell = account * periods + period

        def fold(weights: Ints | None = None, where: npt.NDArray[np.intp] | None = None) -> Ints:
            cells = cell if where is None else cell[where]
            # bincount adds in float64: exact for whole numbers below 2**53
            sums = np.bincount(cells, weights=weights, minlength=accounts * periods)
            return _cumulate(sums.astype(np.int64).reshape(accounts, periods))

        self.count = fold()
        self.active = _cumulate((bits != 0).astype(np.int64))
        later = np.flatnonzero(account[1:] == account[:-1]) + 1
        gap = day[later] - day[later - 1]
        self.gap_number = fold(None, later)
        self.gap_sum = fold(gap, later)
        self.gap_square = fold(gap * gap, later)
        last = np.full((accounts, periods + 1), -1, dtype=np.int64)
        turn = np.flatnonzero(np.diff(cell, prepend=-1))  # days ascend: where each account's period begins
        end = np.r_[turn[1:], len(cell)] - 1 if len(cell) else turn
        last[account[end], period[end] + 1] = day[end]
        self.last = np.maximum.accumulate(last, axis=1)
        following = np.full((accounts, periods + 1), NEVER, dtype=np.int64)
        following[account[turn], period[turn]] = day[turn]
        self.next = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1]


def _cumulate(values: Ints) -> Ints:
    """Sums over all periods before each edge: (accounts, periods + 1)."""
    result = np.zeros((values.shape[0], values.shape[1] + 1), dtype=np.int64)
    np.cumsum(values, axis=1, out=result[:, 1:])
    return result


class Recorder(View):
    """A view over nothing that notes which facts a formula asks for: the fold plan comes from it."""

    def __init__(self) -> None:
        super().__init__(Panel(1), Grid(np.array([0, 1]), np.array([1]), 12))
        self.facts: dict[str, Fact] = {}

    def _note(self, fact: Fact) -> Array:
        self.facts[fact.name] = fact
        return np.ones((1, 1))

    def total(self, fact: Additive, w: int | None = None, ago: int = 0) -> Array:
        return self._note(fact)

    def days(self, fact: Days, w: int | None = None, ago: int = 0) -> Array:
        return self._note(fact)

    def active_periods(self, fact: Days, w: int) -> Array:
        return self._note(fact)

    def since_last(self, fact: Days) -> Array:
        return self._note(fact)

    def since_first(self, fact: Days) -> Array:
        return self._note(fact)

    def gaps(self, fact: Days, w: int | None = None) -> tuple[Array, Array, Array]:
        return self._note(fact), np.ones((1, 1)), np.ones((1, 1))

    def distinct(self, fact: Distinct, w: int, ago: int = 0) -> Array:
        return self._note(fact)

    def as_of(self, fact: AsOf) -> Array:
        return self._note(fact)

    def covered(self, table: str, w: int, ago: int = 0) -> npt.NDArray[np.bool_]:
        return np.ones((1, 1), dtype=np.bool_)
