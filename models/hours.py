"""How many hours there are for the worklist: of each manager, of each region, and set aside for each class.

A salesman's time is a resource and is given out by class (003). A class has a part of a manager's hours set aside, but no more
of them than there are actions of that class worth doing: hours never lie idle for a class that needs none, and since it
is others' hours that are bounded, a list of nothing always fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from models.allocation import FloatArray, IntArray

UNKNOWN = "unknown"  # class


@dataclass(frozen=True)
class Rules:
    """Section `worklist` of `params.yaml`, where every figure has its source."""

    hours_share: float  # part of a manager's monthly hours that is for the list
    monthly_hours: float  # of a manager of whom they are not known
    unassigned_hours: float  # for the list, of all accounts of a region that nobody looks after
    region_hours: Mapping[str, float]  # for the list, of all of a region together; others have no limit of their own
    class_share: Mapping[str, float]  # least part of a manager's hours for the list, as far as it is worth it
    hour_cost: float | None  # money; None: an action of mean length costs what a contact costs
    gap: float  # relative, at which the solver stops
    nodes: int  # ... or after so many


def manager_hours(managers: pd.DataFrame | None, rules: Rules) -> dict[str, float]:
    """Hours for the list by manager, of those whose monthly hours the table `managers` tells; {} without it."""
    if managers is None or "monthly_hours" not in managers:
        return {}
    known = managers.dropna(subset=["monthly_hours"])
    hours = known["monthly_hours"].astype(float) * rules.hours_share
    return dict(zip(known["manager_id"], hours.tolist(), strict=True))


@dataclass(frozen=True)
class Limits:
    """Limits in minutes and what draws on them: `groups` (a manager, or a region's accounts without one), then hours set
    aside for a class (`split` of them), then `regions` that have a limit."""

    groups: Sequence[tuple[str | None, str | None]]
    group: IntArray  # (n,) number of each account's
    split: int
    limited: Sequence[str]  # regions with a limit of their own
    regions: Sequence[str]  # all
    draws: csr_array  # (limits, n)
    limits: IntArray

    @classmethod
    def of(
        cls, rows: pd.DataFrame, profit: FloatArray, minutes: IntArray, rules: Rules, hours_of: Mapping[str, float]
    ) -> Limits:
        region, manager, of_class = (or_none(rows[name]) for name in ("region", "manager_id", "class"))
        own = [(who, None if who is not None else where) for who, where in zip(manager, region, strict=True)]
        groups = sorted(set(own), key=lambda pair: [(part is None, part or "") for part in pair])
        number = {pair: place for place, pair in enumerate(groups)}
        group = np.array([number[pair] for pair in own], dtype=np.int64)
        usual = rules.monthly_hours * rules.hours_share
        capacity = _minutes([rules.unassigned_hours if who is None else hours_of.get(who, usual) for who, _ in groups])
        parts = [_membership(group, np.arange(len(groups)))]
        limits = [capacity]
        classes = np.array([UNKNOWN if name is None else name for name in of_class], dtype=object)
        worth = (profit > 0) & (minutes <= capacity[group])
        for name, share in rules.class_share.items():
            mine = classes == name
            wanted = np.bincount(group, np.where(worth & mine, minutes, 0), len(groups)).astype(np.int64)
            aside = np.minimum((capacity * share).astype(np.int64), wanted)
            some = np.flatnonzero(aside)
            parts.append(_membership(np.where(mine, -1, group), some))
            limits.append(capacity[some] - aside[some])
        split = sum(len(limit) for limit in limits[1:])
        where = np.array(["" if name is None else name for name in region], dtype=object)
        limited = sorted(rules.region_hours)
        parts.append(_membership(where, np.array(limited, dtype=object)))
        limits.append(_minutes([rules.region_hours[name] for name in limited]))
        regions = sorted({*limited, *(name for name in region if name is not None)})
        draws = csr_array(vstack(parts, format="csr"))
        return cls(groups, group, split, limited, regions, draws, np.concatenate(limits))

    def without_split(self) -> tuple[csr_array, IntArray]:
        """`draws` and `limits` without the hours set aside."""
        first, last = len(self.groups), len(self.groups) + self.split
        kept = np.r_[:first, last : len(self.limits)]
        return self.draws[kept].tocsr(), self.limits[kept]

    def of_region(self, region: str, values: FloatArray) -> float | None:
        """The value of a region's limit; None where it has none."""
        if region not in self.limited:
            return None
        return float(values[len(self.groups) + self.split + self.limited.index(region)])


def or_none(column: pd.Series[Any]) -> list[str | None]:
    """The values as words; None where one is missing."""
    return [None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]


def _membership(of: NDArray[Any], names: NDArray[Any]) -> csr_array:
    """(names, n) 1 where an account is of that name."""
    place = pd.Index(names).get_indexer(pd.Index(of))
    columns = np.flatnonzero(place >= 0)
    return csr_array((np.ones(len(columns), np.int64), (place[columns], columns)), shape=(len(names), len(of)))


def _minutes(hours: Iterable[float]) -> IntArray:
    return np.floor(np.array(list(hours), dtype=float) * 60 + 1e-6).astype(np.int64)
