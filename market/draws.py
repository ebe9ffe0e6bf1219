"""What all mechanisms share: streams of random numbers, the calendar, the market, spells and logs of rows."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from market.settings import Settings

if TYPE_CHECKING:
    from market.population import Population

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = 2**31  # a day that does not come; days are counted from 1970-01-01
MONTH_DAYS = 30.44  # mean days in a month
DAY = 86_400  # seconds


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one mechanism: a mechanism added later does not shift the draws of the others.

    Raises ValueError if `seed` is negative.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def whole(rng: np.random.Generator, ends: tuple[int, int], size: int) -> Ints:
    """`size` whole numbers between the two ends, both included."""
    return rng.integers(ends[0], ends[1] + 1, size)


def calendar(start: date, periods: int, before: int = 0) -> Ints:
    """First day of each month and the day after the last, days since 1970-01-01.

    Shape (before + periods + 1,): `before` months come before `start`.
    """
    months = np.datetime64(start, "M") + np.arange(-before, periods + 1)
    return months.astype("M8[D]").astype(np.int64)


def month_of_year(day: int) -> int:
    """0 for January to 11 for December."""
    return int(np.datetime64(day, "D").astype("M8[M]").astype(np.int64)) % 12


@dataclass(frozen=True)
class Market:
    """What all mechanisms share; `days` are the first days of the months and the day after the last.

    The first `settings.burn_in` months lie before the market's start: they happen, but are in no table.
    """

    people: Population
    days: Ints
    seed: int
    settings: Settings

    @property
    def first(self) -> int:
        """The first month that is written."""
        return self.settings.burn_in

    @property
    def start(self) -> int:
        """The first day that is written."""
        return int(self.days[self.first])

    @property
    def end(self) -> int:
        """The day after the last month; what would happen from then on is in no table."""
        return int(self.days[-1])

    def opened(self, month: int) -> Flags:
        """Which accounts were there before the month, shape (accounts,)."""
        opened: Flags = self.people.opened < self.days[month]
        return opened

    def some_day(self, rng: np.random.Generator, month: int, size: int) -> Ints:
        """`size` days of the month."""
        return rng.integers(self.days[month], self.days[month + 1], size)


class Spells:
    """Spells that begin by chance and last for some months; a running one ends before the next begins."""

    def __init__(self, rng: np.random.Generator, chance: float, months: tuple[int, int], size: int) -> None:
        self.rng, self.chance, self.months = rng, chance, months
        self.until: Ints = np.zeros(size, np.int64)  # first month without the spell

    def move(self, month: int, factor: Floats | float = 1.0) -> Flags:
        """Begin spells in this month, `factor` times as often as usual; returns which, shape (size,)."""
        size = len(self.until)
        begins = (self.until <= month) & (self.rng.random(size) < self.chance * factor)
        self.until[begins] = month + whole(self.rng, self.months, int(begins.sum()))
        return begins

    def on(self, month: int) -> Flags:
        """Which spells run in this month, shape (size,)."""
        return self.until > month


class Log:
    """Rows entered month by month, as columns of equal length."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.parts: list[tuple[Ints | Floats, ...]] = []

    def add(self, *columns: Ints | Floats) -> None:
        """Enter rows; one array a column, in the order of the names."""
        if len(columns) != len(self.names):
            raise ValueError(f"{len(columns)} columns for {self.names}.")
        self.parts.append(columns)

    def ints(self, name: str) -> Ints:
        """A column of whole numbers over all rows."""
        return self._column(name).astype(np.int64, copy=False)

    def floats(self, name: str) -> Floats:
        """A column of numbers over all rows."""
        return self._column(name).astype(np.float64, copy=False)

    def _column(self, name: str) -> Ints | Floats:
        place = self.names.index(name)
        return np.concatenate([part[place] for part in self.parts]) if self.parts else np.zeros(0)
