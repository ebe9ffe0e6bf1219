"""How far a distribution has moved: the population stability index, and how much of it chance alone would make.

PSI = sum over bins of (q - p) ln(q / p), with p the share of the reference and q that of the present in a bin. It has no
unit; 0 is no change, and by the habit of credit scoring 0.1 is a change to look at, 0.25 one to act on. Those limits know
nothing of how many accounts there are. Where nothing has changed, PSI / (1/n + 1/m) of n and m independent accounts is
distributed as chi-square with one degree of freedom less than there are bins, so that its mean is (bins - 1)(1/n + 1/m).
Source: Yurdakul & Naranjo (2020), "Statistical properties of the population stability index", Journal of Risk Model
Validation 14(4). Most accounts are in both samples and much like themselves, so that chance makes less than that.

Missing values are a bin of their own. Where the reference has few values each has a bin, and what it never had too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

FloatArray = NDArray[np.float64]

BINS = 10
_HALF = 0.5  # added to each bin, so that an empty one does not make the index infinite
_CELLS = 1 << 21  # draws times accounts held at once


@dataclass(frozen=True)
class Bins:
    """Where the bins of a reference end: `edges` ascending, a value on an edge belongs below it.

    One more bin lies above the last edge, and one holds what is missing. A reference without a value has no edges, and
    one bin for whatever is not missing.
    """

    edges: FloatArray

    @classmethod
    def of(cls, reference: ArrayLike, most: int = BINS) -> Bins:
        """A bin for each value, and beside them for what is new, where there are at most so many; else deciles.

        Deciles have no bins for what is new: the first account beyond them would weigh more than chi-square allows.
        """
        values = np.asarray(reference, dtype=np.float64)
        known = np.unique(values[~np.isnan(values)])
        if not len(known):
            return cls(np.empty(0))
        if len(known) <= most:
            return cls(np.r_[np.nextafter(known[0], -np.inf), known])
        return cls(np.unique(np.nanquantile(values, np.arange(1, most) / most, method="inverted_cdf")))

    def counts(self, values: ArrayLike) -> FloatArray:
        """How many of the values (n,) lie in each bin, the missing ones in the last: (bins,)."""
        given = np.asarray(values, dtype=np.float64)
        missing = np.isnan(given)
        place = np.searchsorted(self.edges, given[~missing], side="left")
        found = np.bincount(place, minlength=len(self.edges) + 1)
        return np.asarray(np.r_[found, missing.sum()], dtype=np.float64)


@dataclass(frozen=True)
class Shift:
    """A PSI: `value`, the `freedom` of its chi-square, and `scale`, 1/n + 1/m."""

    value: float
    freedom: int
    scale: float

    @property
    def expected(self) -> float:
        """What it is on average where nothing has changed."""
        return self.freedom * self.scale

    def by_chance(self, alpha: float) -> float:
        """What it exceeds with probability `alpha` where nothing has changed."""
        return float(chi2.ppf(1 - alpha, self.freedom)) * self.scale if self.freedom else 0.0


def psi(reference: ArrayLike, current: ArrayLike, bins: Bins | None = None) -> Shift:
    """The shift from the reference (n,) to the present (m,), in the bins of the reference; zero where one has no rows."""
    chosen = Bins.of(reference) if bins is None else bins
    return psi_of_counts(chosen.counts(reference), chosen.counts(current))


def psi_of_counts(before: FloatArray, now: FloatArray) -> Shift:
    """The shift between counts in the same bins (bins,); bins that are empty in both do not count."""
    used = before + now > 0
    n, m = before.sum(), now.sum()
    if not n or not m:
        return Shift(0.0, 0, 0.0)
    p, q = ((counts[used] + _HALF) / (counts[used] + _HALF).sum() for counts in (before, now))
    return Shift(float(((q - p) * np.log(q / p)).sum()), int(used.sum()) - 1, float(1 / n + 1 / m))


def missing_by_chance(before: float, n: int, now: float, m: int, alpha: float) -> float:
    """Difference of two shares of n and m accounts that chance exceeds with probability `alpha`, in either direction."""
    pooled = (before * n + now * m + _HALF) / (n + m + 1)
    return float(np.sqrt(chi2.ppf(1 - alpha, 1) * pooled * (1 - pooled) * (1 / n + 1 / m)))


def swapped(
    then: FloatArray,
    now: FloatArray,
    statistic: Callable[[FloatArray, FloatArray], FloatArray],
    draws: int,
    seed: int,
) -> FloatArray:
    """What a statistic of sums by account is where then and now are exchanged by lot, account by account: (draws,).

    `then`, `now`: (accounts, sums), a row of zeros where an account is not there. `statistic` takes both sums, (draws,
    sums), and gives (draws,). Where nothing has changed, one is as likely as the other, so that these are what chance
    makes of it, however alike an account stays (a paired permutation test: Good 2005, "Permutation, Parametric and
    Bootstrap Tests of Hypotheses").
    """
    rng = np.random.default_rng(seed)
    both, step = then.sum(axis=0) + now.sum(axis=0), now - then
    size = max(1, _CELLS // max(len(then), 1))
    parts = []
    for done in range(0, draws, size):
        kept = rng.integers(0, 2, size=(min(size, draws - done), len(then)), dtype=np.int8)
        sums = then.sum(axis=0) + kept.astype(np.float64) @ step
        parts.append(statistic(both - sums, sums))
    return np.concatenate(parts) if parts else np.empty(0)
