"""From the rows that a fold kept to the dense panel of one block of accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from features.declaration import Array
from features.engines import Read, Rows
from features.errors import ConfigurationError
from features.windows import NEVER, NO_LATE, SCALE, Cells, Grid, Ints, Items, Late, Panel, unpack_bits

# Whole numbers of 1/SCALE up to here survive the way through float64: beyond, value and product may round to a neighbour.
EXACT = 2**51
ON_TIME = -1  # stands for the period in which a row became known where that is the one it belongs to
REGION = "region"
Sum = Literal["additive", "days", "latest"]


@dataclass(frozen=True)
class ItemsOf:
    """Where the items of a `Distinct` fact are: the kept tables of items and of those booked late, and item values."""

    items: str
    late: str | None
    values: Sequence[str]


@dataclass(frozen=True)
class LateOrders:
    """Next orders at or after the cut-offs of accounts of a block that had any order booked on a later day than its own.

    `accounts`: positions of these accounts. `position`, `cutoff`: (rows,), one for each of them and cut-off with a next
    order. `day`: (horizons, rows) its day number among the orders booked before the horizon's label matures, NEVER where
    there is none; horizons as in `Cutoffs.ends`.
    """

    accounts: Ints
    position: Ints
    cutoff: Ints
    day: Ints


@dataclass(frozen=True)
class Kept:
    """What a fold kept, by the names of the tables, for whoever reads blocks of it in whichever process.

    `sums`: table -> its facts and their kinds. `items`, `as_of`: fact -> tables. `regions`: whether accounts have some.
    `shared`: facts of regions and of the company, the same for every block, and how far back tables reach.
    `horizons`: so many `day_<k>` in the table of late orders, 0 if nothing can be late.
    """

    grid: Grid
    sums: Mapping[str, Mapping[str, Sum]]
    items: Mapping[str, ItemsOf]
    as_of: Mapping[str, str]
    regions: bool
    shared: Panel
    horizons: int

    def panel(self, read: Read, count: int) -> Panel:
        """Facts of a block of `count` accounts."""
        periods = len(self.grid.edges) - 1
        panel = Panel(count, first_day=self.shared.first_day)
        panel.additive.update(self.shared.additive)
        panel.as_of.update(self.shared.as_of)
        if self.regions:
            rows = read("region_codes")
            panel.groups[REGION] = np.full(count, -1, dtype=np.int64)
            panel.groups[REGION][rows["code"]] = rows["number"]
        for name, facts in self.sums.items():
            rows = read(name)
            place = Place(rows, count, periods)
            for fact, kind in facts.items():
                if kind == "additive":
                    panel.additive[fact] = place.cells(whole(rows[fact], fact))
                elif kind == "days":
                    panel.day_bits[fact] = place.cells(rows[fact].astype(np.int64))
                else:
                    panel.latest[fact] = place.latest(rows[fact].astype(np.int64))
        for fact, where in self.items.items():
            panel.items[fact] = self._items(read, where)
        for fact, name in self.as_of.items():
            panel.as_of[fact] = self.values(read(name), count)
        return panel

    def values(self, rows: Rows, count: int) -> Array:
        """(count, cut-offs) of rows of code, cutoff and value; NaN where there is none."""
        found = np.full((count, len(self.grid.at)), np.nan)
        found[rows["code"], rows["cutoff"]] = rows["value"]
        return found

    def late_orders(self, read: Read) -> LateOrders | None:
        """What panels cannot tell of next orders; None if no order can be late."""
        if not self.horizons:
            return None
        rows = read("late_orders")
        days = [rows[f"day_{number}"].astype(np.int64) for number in range(self.horizons)]
        return LateOrders(read("late_accounts")["code"], rows["code"], rows["cutoff"].astype(np.int64), np.array(days))

    def _items(self, read: Read, where: ItemsOf) -> Items:
        rows = read(where.items)
        order = np.argsort(rows["code"], kind="stable")
        chunks = sorted((name for name in rows if name.startswith("chunk_")), key=lambda name: int(name[6:]))
        seen = np.concatenate([unpack_bits(rows[name][order]) for name in chunks], axis=1)
        cells = NO_LATE
        if where.late is not None:
            again = read(where.late)
            most = 1 + max(rows["item"].max(initial=0), again["item"].max(initial=0))
            known = rows["code"][order] * most + rows["item"][order]  # items are numbered within their account
            place = np.argsort(known, kind="stable")
            row = place[np.searchsorted(known, again["code"] * most + again["item"], sorter=place)]
            period, late = again["period"].astype(np.int64), again["late"].astype(np.int64)
            cells = Late(row, period, late, np.ones_like(period))
        dated = {
            value: (_days(rows[f"value_{value}"][order]), _days(rows[f"known_{value}"][order]))
            for value in where.values
        }
        return Items(rows["code"][order], seen[:, : len(self.grid.edges) - 1], cells, dated)


class Place:
    """Where folded rows belong: in the dense array of rows x periods, or among what became known later."""

    def __init__(self, rows: Rows, count: int, periods: int) -> None:
        self._shape = count, periods
        self._code, self._period = rows["code"], rows["period"].astype(np.int64)
        self._known = rows["late"].astype(np.int64)
        on_time = self._known == ON_TIME
        self._late = None if on_time.all() else np.flatnonzero(~on_time)
        self._on_time = None if self._late is None else np.flatnonzero(on_time)
        flat = self._code * periods + self._period
        self._flat = flat if self._on_time is None else flat[self._on_time]

    def cells(self, values: Ints) -> Cells:
        dense = np.zeros(self._shape, dtype=np.int64)
        dense.ravel()[self._flat] = values if self._on_time is None else values[self._on_time]
        if self._late is None:
            return Cells(dense)
        late = self._late[values[self._late] != 0]
        return Cells(dense, Late(self._code[late], self._period[late], self._known[late], values[late]))

    def latest(self, days: Ints) -> Ints:
        """(rows, periods) the last of the days that became known in each period."""
        result = np.full(self._shape, -1, dtype=np.int64)
        known = np.where(self._known == ON_TIME, self._period, self._known)
        np.maximum.at(result, (self._code, known), days)
        return result


def _days(values: npt.NDArray[Any]) -> Array:
    return np.where(values == NEVER, np.nan, values)


def whole(values: npt.NDArray[Any], name: str) -> Ints:
    """Sums of a fact in whole numbers of 1/SCALE.

    Raises ConfigurationError if one is larger than what is added exactly.
    """
    scaled = np.nan_to_num(values, nan=0.0) * SCALE
    if len(scaled) and max(scaled.max(), -scaled.min()) > EXACT:
        raise ConfigurationError(
            f"The sums of {name} exceed {EXACT / SCALE:.0f} in one period, beyond what is added exactly. "
            "Use a larger unit (thousands) in the source's SQL."
        )
    numbers: Ints = np.rint(scaled).astype(np.int64)
    return numbers
