"""What it earns to contact accounts: the churn campaign of Neslin et al. and the maximum profit of a ranking.

An account of value v (money it earns if it is kept for a year) is contacted at the cost c. If it would have been lost, it
is kept with the chance gamma, and then takes the incentive d; lost all the same, it takes none. If it would have stayed
anyway, it takes the incentive too. Per account contacted that earns

    gamma (v - d) - c     of one that would have been lost
    -d - c                of one that would have stayed

against not contacting it. Every profit here is therefore a line in gamma, `slope` gamma + `intercept`, and gamma is known
only as Beta(alpha, beta).

Sources: Neslin, Gupta, Kamakura, Lu & Mason (2006), Journal of Marketing Research 43(2); Verbraken, Verbeke & Baesens
(2013), IEEE Transactions on Knowledge and Data Engineering 25(5), for gamma ~ Beta; Janssens, Bogaert, Bague & Van den
Poel (2022), Annals of Operations Research, for accounts each with a value of its own and an incentive that is a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """What a campaign costs and how often it keeps an account; money in the currency of the values."""

    contact: float  # c, money for each account contacted
    incentive: float  # money for each that was contacted and stays ...
    incentive_share: float  # ... and this part of its value besides; together d
    alpha: float  # gamma ~ Beta(alpha, beta): chance that a contacted account that would have been lost is kept
    beta: float

    @property
    def chance(self) -> float:
        """Mean of gamma: alpha / (alpha + beta); a probability."""
        return self.alpha / (self.alpha + self.beta)


@dataclass(frozen=True)
class Curve:
    """Profit along a ranking, from nobody to everybody: a point where each group of equals ends, under B weightings.

    (B, G + 1) each: `contacts` is the weight of those contacted; the profit is `slope` gamma + `intercept`.
    """

    contacts: FloatArray
    slope: FloatArray
    intercept: FloatArray

    def profit(self, chance: ArrayLike) -> FloatArray:
        """(B, G + 1) profit where gamma is `chance`, one number or B; money."""
        profit: FloatArray = self.slope * np.asarray(chance, float).reshape(-1, 1) + self.intercept
        return profit


def per_contact(lost: ArrayLike, value: ArrayLike, terms: Terms) -> tuple[FloatArray, FloatArray]:
    """(slope, intercept) in gamma of the profit of contacting each account; money, (n,).

    `lost` is 1 or 0 where it is known what happened, else the risk: then the profit is the expected one,

        lost gamma (v - d) - (1 - lost) d - c    with d = incentive + incentive_share v.
    """
    share, worth = np.asarray(lost, float), np.asarray(value, float)
    given = terms.incentive + terms.incentive_share * worth
    return share * (worth - given), -(1 - share) * given - terms.contact


def contact_profit(risk: ArrayLike, value: ArrayLike, terms: Terms) -> FloatArray:
    """Expected profit of contacting each account, at the mean of gamma; money, (n,). See `per_contact`."""
    slope, intercept = per_contact(risk, value, terms)
    profit: FloatArray = slope * terms.chance + intercept
    return profit


def ranking(*keys: ArrayLike) -> NDArray[np.intp]:
    """Place of each account, 0 first: highest first key first, equal ones by the next; equal in all share a place."""
    stacked = np.stack([np.asarray(key, float) for key in keys])
    order = np.lexsort(-stacked[::-1])
    ordered = stacked[:, order]
    new = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    place = np.empty(stacked.shape[1], dtype=np.intp)
    place[order] = np.concatenate([[0], np.cumsum(new)])[: len(order)]
    return place


def curve(
    place: NDArray[np.intp],
    lines: tuple[FloatArray, FloatArray] | Sequence[FloatArray],
    weight: ArrayLike | None = None,
) -> Curve:
    """Accounts contacted in the order of `place` (n,), whose profits are the `lines` of `per_contact`.

    `weight` (n,) or (B, n) says how often each account counts; None: once.
    """
    slope, intercept = lines
    weights = np.atleast_2d(np.ones(len(place)) if weight is None else np.asarray(weight, float))
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))

    def summed(amount: FloatArray | float) -> FloatArray:
        ranked = np.take(weights * amount, order, axis=1)
        if len(starts) < len(order):
            ranked = np.add.reduceat(ranked, starts, axis=1)
        return np.concatenate([np.zeros((len(weights), 1)), np.cumsum(ranked, axis=1)], axis=1)

    return Curve(summed(1.0), summed(slope), summed(intercept))


def expected_maximum(slope: ArrayLike, intercept: ArrayLike, alpha: float, beta: float) -> float:
    """E over gamma ~ Beta(alpha, beta) of the largest of the lines slope gamma + intercept.

    Exact: the largest of lines is their upper envelope, and over each of its pieces the mean of gamma is an incomplete
    beta function. With the lines of a ranking's `curve`, divided by the accounts, this is the expected maximum profit
    (EMP); the vertices of the ROC curve's convex hull are the pieces. Unit: that of the lines; never below the largest
    line at the mean of gamma. Source: Verbraken, Verbeke & Baesens (2013).
    """
    steep, high = _envelope(np.asarray(slope, float), np.asarray(intercept, float))
    with np.errstate(over="ignore"):  # all but parallel lines meet far outside of 0 to 1
        cuts = np.concatenate([[0.0], (high[:-1] - high[1:]) / np.diff(steep), [1.0]]).clip(0.0, 1.0)
    chance = np.diff(betainc(alpha, beta, cuts))
    mean = np.diff(betainc(alpha + 1, beta, cuts)) * alpha / (alpha + beta)
    return float(high @ chance + steep @ mean)


def expected_maximum_profit(label: ArrayLike, score: ArrayLike, value: float, terms: Terms) -> float:
    """EMP of a ranking where every account has the same value: the expected profit an account at the best threshold.

    `label` is 1 where the account was lost, `score` any number that is higher where it is likelier. Range 0 (contact
    nobody) upwards, higher is better; money an account. The best threshold is chosen knowing what happened and gamma,
    so that it measures a ranking; what a choice made beforehand would have earned is in `models.campaign`. Source:
    Verbraken, Verbeke & Baesens (2013); oracle `empulse.metrics.empc_score`.
    """
    label = np.asarray(label, float)
    points = curve(ranking(score), per_contact(label, np.full(len(label), value), terms))
    return expected_maximum(points.slope[0], points.intercept[0], terms.alpha, terms.beta) / len(label)


def _envelope(slope: FloatArray, intercept: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The lines that are the largest somewhere within 0 and 1, flattest first."""
    order = np.lexsort((-intercept, slope))
    kept: list[tuple[float, float]] = []
    for steep, high in zip(slope[order].tolist(), intercept[order].tolist(), strict=True):
        if kept and steep == kept[-1][0]:
            continue  # parallel, and not above
        while len(kept) > 1 and not _needed(kept[-2], kept[-1], (steep, high)):
            kept.pop()
        kept.append((steep, high))
    lines = np.array(kept)
    return lines[:, 0], lines[:, 1]


def _needed(before: tuple[float, float], line: tuple[float, float], after: tuple[float, float]) -> bool:
    """Whether the line is above both others somewhere: it passes the one before ahead of being passed itself."""
    return (before[1] - line[1]) * (after[0] - line[0]) < (line[1] - after[1]) * (line[0] - before[0])
