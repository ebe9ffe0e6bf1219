"""An account against its peers: the eligible accounts at the same cut-off, by how much they bought in a year.

Tiers are fifths of the eligible accounts by amount of the last 12 periods; the largest are the top fifth. A peer value
is the median of a group, so that a few extreme accounts do not move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.declaration import Array, Feature, trend
from features.windows import Ints

TIERS = 5


@dataclass(frozen=True)
class Medians:
    """What peers have at one cut-off: `limits` (TIERS - 1,) amounts between the tiers, and by feature the median of
    each tier, of the largest tier and of all."""

    limits: Array
    tier: dict[str, Array]
    all: dict[str, float]


def medians(amount: Array, values: dict[str, Array]) -> Medians:
    """Medians of (accounts,) `values` by feature, over all accounts and by tier of their `amount`; NaN for nobody."""
    limits = limits_of(amount)
    tiers = tiers_of(amount, limits)
    return Medians(
        limits,
        {name: np.array([_median(own[tiers == tier]) for tier in range(TIERS)]) for name, own in values.items()},
        {name: _median(own) for name, own in values.items()},
    )


def limits_of(amount: Array) -> Array:
    """(TIERS - 1,) amounts between the fifths of the accounts, by (accounts,) amounts; infinite for nobody."""
    return np.quantile(amount, np.arange(1, TIERS) / TIERS) if len(amount) else np.full(TIERS - 1, np.inf)


def tiers_of(amount: Array, limits: Array) -> Ints:
    """0 for the smallest fifth to TIERS - 1 for the largest."""
    return np.searchsorted(limits, amount, side="right")


def against(feature: Feature, own: Array, amount: Array, peers: Medians) -> Array:
    """Own values (accounts,) set against the peers' median: (own - median) / (own + median), or own - median."""
    if feature.peers == "all":
        median = np.full(len(own), peers.all[feature.name])
    elif feature.peers == "largest":
        median = np.full(len(own), peers.tier[feature.name][-1])
    else:
        median = peers.tier[feature.name][tiers_of(amount, peers.limits)]
    return trend(own, median) if feature.relation == "ratio" else own - median


def peered(features: Sequence[Feature]) -> list[Feature]:
    """Those of the features that look at peers."""
    return [feature for feature in features if feature.peers]


def _median(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else np.nan
