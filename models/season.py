"""The season in the level of risk: how many more or fewer accounts go silent from this time of the year on.

For a cut-off c let l(c) be the log-odds of the share lost among accounts active at c, and m(c) the mean of l over the last
year of cut-offs before c whose label is known. By the last year

    d(c) = l(c - 12 months) - m(c)

more log-odds than in that year's mean are lost from c on. Trees cannot learn it: a year of labels is one observation of each
season. So weight x d(c) is added to their log-odds, and taken out of what they learn from. The weight is the slope of
l(c) - m(c) on d(c) through zero, over all cut-offs that tell both, to which HALF counts as a year more of them; HALF is made
smaller where l varies by little more than the chance of who goes. So without two years of history about half of last year's
season is thought to come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import ContractError
from features.periods import Duration

FloatArray = npt.NDArray[np.float64]

SEASON = "season"
HALF = 0.5
YEAR = Duration(12, "month")
LEAST = 6  # cut-offs that a mean is taken of
NEAR = 16  # days by which a cut-off may miss the day a year before


@dataclass(frozen=True)
class Season:
    """Log-odds of the share lost by cut-off, and the weight of last year's season."""

    levels: Mapping[date, float]
    weight: float

    def shift(self, as_of: date) -> float:
        """Log-odds to add to a risk at `as_of`; 0 where the year before it tells nothing."""
        found = _last_year(self.levels, as_of)
        return 0.0 if found is None else self.weight * found[0]

    def shifts(self, as_of: pd.Series[Any]) -> FloatArray:
        """The shift of each row by its day: (rows,)."""
        found = {day: self.shift(day) for day in set(as_of)}
        return np.array([found[day] for day in as_of], dtype=np.float64)

    def calendar(self) -> dict[str, float]:
        """Shifts of the days of the year, "MM-DD", that the last year of cut-offs tells of: what a model keeps."""
        last = max(self.levels, default=None)
        days = [day for day in self.levels if last is not None and day > YEAR.before(last)]
        return {f"{day:%m-%d}": self.shift(YEAR.after(day)) for day in days}


def shifts(calendar: Mapping[str, float], frame: pd.DataFrame) -> FloatArray:
    """The shift of each row of `frame` by its `as_of`, that of the nearest day of the calendar: (rows,).

    0 where none is near. Raises ContractError without that column.
    """
    if "as_of" not in frame:
        raise ContractError("as_of is missing: risks have a season. Give the cut-off of each row as `as_of`.")
    found = {day: _nearest(calendar, day) for day in set(frame["as_of"])}
    return np.array([found[day] for day in frame["as_of"]], dtype=np.float64)


def _nearest(calendar: Mapping[str, float], day: date) -> float:
    apart = {known: abs(_place(f"{day:%m-%d}") - _place(known)) for known in calendar}
    near = min(calendar, key=lambda known: min(apart[known], 365 - apart[known]), default=None)
    return calendar[near] if near is not None and min(apart[near], 365 - apart[near]) <= NEAR else 0.0


def _place(day: str) -> int:
    """The day's number in a year of 365; 29 February counts as the 28th."""
    month, of_month = map(int, day.split("-"))
    return date(2001, month, min(of_month, 28) if month == 2 else of_month).timetuple().tm_yday


def season(rows: pd.DataFrame, weight: FloatArray | None = None) -> Season:
    """The season in rows whose label has matured: columns as_of, label, lapsed. `weight`: for how many rows each stands,
    (rows,), one where None."""
    counts = pd.DataFrame({"as_of": rows["as_of"], "count": 1.0 if weight is None else weight})
    counts["sum"] = rows["label"] * counts["count"]
    active = counts[~rows["lapsed"].astype(bool)].groupby("as_of").sum()
    share = ((active["sum"] + 0.5) / (active["count"] + 1)).to_numpy()
    level = np.log(share / (1 - share))
    levels = {day: float(value) for day, value in zip(active.index, level, strict=True)}
    variance = float(level.var()) if len(level) else 0.0
    if not variance:
        return Season(levels, 0.0)
    chance = float((1 / (active["count"].to_numpy() * share * (1 - share))).mean())
    prior = HALF * max(0.0, 1 - chance / variance)
    told = [(levels[day], *found) for day in levels if (found := _last_year(levels, day)) is not None]
    own = np.array([here - mean for here, _, mean in told])
    last = np.array([deviation for _, deviation, _ in told])
    counted = 12 * variance
    slope = (float(own @ last) + prior * counted) / (float(last @ last) + counted)
    return Season(levels, min(max(slope, 0.0), 1.0))


def _last_year(levels: Mapping[date, float], as_of: date) -> tuple[float, float] | None:
    """d and m of the day; None where no cut-off lies a year before it, or too few before it tell a mean."""
    then = YEAR.before(as_of)
    near = min(levels, key=lambda day: abs((day - then).days), default=None)
    if near is None or abs((near - then).days) > NEAR:
        return None
    before = [day for day in levels if day < as_of]
    year = [levels[day] for day in before if day > YEAR.before(max(before))]
    if len(year) < LEAST:
        return None
    mean = float(np.mean(year))
    return levels[near] - mean, mean
