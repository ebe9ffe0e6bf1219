"""The slope of the logistic recalibration, for many weightings of the accounts at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]

_STEPS = 50
_TOLERANCE = 1e-12  # squared Newton decrement for a weight of one: far below any interval


def slopes(odds: FloatArray, total: FloatArray, lost: FloatArray) -> FloatArray:
    """Slope s of log-odds(lost) = i + s x odds by maximum likelihood, under B weightings: (B,).

    `odds` (G,) are log-odds, falling; `total` and `lost` (B, G) the weight of all and of the lost accounts. NaN where
    the likelihood has no top: see `models.metrics.slope`.
    """
    result = np.full(len(total), np.nan)
    rows = np.flatnonzero(_overlap(odds, lost > 0, total - lost > 0))
    if not len(rows):
        return result
    scale = max(float(odds.std()), 1e-9)
    scaled = (odds - odds.mean()) / scale
    total, lost = (part if len(rows) == len(part) else part[rows] for part in (total, lost))
    start = np.stack([logit(lost.sum(axis=1) / total.sum(axis=1)), np.zeros(len(rows))], axis=1)
    result[rows] = _newton(total, lost, scaled, start)[:, 1] / scale
    return result


def ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float = np.nan) -> FloatArray:
    """The quotient, and `otherwise` where the denominator is zero."""
    out: FloatArray = np.full(numerator.shape, otherwise)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def dot(amount: FloatArray, value: FloatArray) -> FloatArray:
    """(B, G) times (G,). Not by BLAS, whose threads wait for each other: four times slower on a busy machine."""
    product: FloatArray = np.einsum("bg,g->b", amount, value)
    return product


def _overlap(odds: FloatArray, lost: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether no threshold on the odds (G,), falling, parts lost from kept; only then is the likelihood's top finite.

    `lost` and `kept` (B, G) say which groups hold any.
    """
    last = len(odds) - 1
    lost_high, lost_low = odds[lost.argmax(axis=1)], odds[last - lost[:, ::-1].argmax(axis=1)]
    kept_high, kept_low = odds[kept.argmax(axis=1)], odds[last - kept[:, ::-1].argmax(axis=1)]
    both = lost.any(axis=1) & kept.any(axis=1)
    overlap: NDArray[np.bool_] = both & (lost_low < kept_high) & (kept_low < lost_high)
    return overlap


def _newton(total: FloatArray, lost: FloatArray, predictor: FloatArray, start: FloatArray) -> FloatArray:
    """Maximum-likelihood (intercept, slope) of B weighted logistic regressions at once: (B, 2).

    `total` and `lost` (B, G) weights, `predictor` (G,). A full Newton step may leap over the top where predictors are
    extreme. The gradient tells: behind the top it points back along the step. If it does by more than half of what it
    pointed forward, half of the step is taken back; the likelihood is concave, so this ends at its top. Rows that do
    not arrive are NaN.
    """
    square = predictor**2
    target = np.stack([lost.sum(axis=1), dot(lost, predictor)], axis=1)
    at, step = start, np.zeros_like(start)
    ahead = np.zeros(len(start))
    tolerance = _TOLERANCE * total.sum(axis=1)
    for _ in range(_STEPS):
        chance = at[:, 1:] * predictor
        chance += at[:, :1]
        expit(chance, out=chance)
        expected = total * chance
        gradient = target - np.stack([expected.sum(axis=1), dot(expected, predictor)], axis=1)
        np.subtract(1.0, chance, out=chance)
        expected *= chance
        h0, h1, h2 = expected.sum(axis=1), dot(expected, predictor), dot(expected, square)
        leapt = (gradient * step).sum(axis=1) < -ahead / 2
        determinant = h0 * h2 - h1**2
        newton = np.stack(
            [h2 * gradient[:, 0] - h1 * gradient[:, 1], h0 * gradient[:, 1] - h1 * gradient[:, 0]], axis=1
        )
        newton = ratio(newton, np.broadcast_to(determinant[:, None], newton.shape), otherwise=0.0)
        newton_ahead = (newton * gradient).sum(axis=1)
        arrived = ~leapt & (determinant > 0) & (newton_ahead < tolerance)
        if arrived.all():
            break
        step = np.where(leapt[:, None], step / 2, newton)
        ahead = np.where(leapt, ahead, newton_ahead)
        at = np.where(leapt[:, None], at - step, np.where(arrived[:, None], at, at + step))
    # The last step is known anyway, and squares what error is left.
    return np.where(arrived[:, None], at + newton, np.nan)
