"""Hazards that add up: what each piece of evidence does, whatever else there is.

The trees of `models/competing.py` multiply what the evidence for one reason does, in many small steps. Here it adds,

    h_k = sum over the features f of reason k of slope_f * min(harm_f, cap_f),   slope_f >= 0

(additive hazards: Aalen 1989, "A linear regression model for the analysis of life times", Statistics in Medicine 8(8),
907-925), where harm_f is how far a value lies beyond that of a healthy peer. One number a feature errs in other ways than
trees do, so that the mean of both is right more often than either (docs/decisions.md).

The log-odds of a loss are g(symptoms, context) + log(1 + sum of all h_k), as there: g and the slopes are learned in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csc_array, hstack
from tqdm import tqdm

from models.boosting import Ensemble, level
from models.causes import CauseRecipe, FloatArray, Slope

TURNS = 2  # of g and the slopes: a third changes nothing that matters (docs/decisions.md)
WORST = 0.995  # of the rows have less harm than the unit in which it is measured
CAP = 1.5  # units beyond which harm counts no further: nobody knows what lies there
PENALTY = 0.1  # of a slope and of half its square, in units of log-likelihood: keeps the unit of hazards from vanishing
ITERATIONS = 200


def steps(recipe: CauseRecipe) -> int:
    """How many steps of a progress bar `fit` takes."""
    return TURNS * recipe.rounds


def fit(
    harm: Iterable[FloatArray],
    names: Sequence[str],
    signs: Callable[[], Ensemble],
    label: FloatArray,
    weight: FloatArray,
    recipe: CauseRecipe,
    bar: tqdm[Any],
) -> dict[str, Slope]:
    """Slope and cap by feature, of those that do anything.

    `harm`: by feature how far each value lies beyond that of a healthy peer, (rows,), >= 0, one at a time so that they are
    never all in memory; `signs`: gives trees of g that have learned nothing yet; `label`, `weight`: (rows,).
    """
    units, columns = [], []
    for one in harm:
        worst = float(np.quantile(one, WORST, weights=weight, method="inverted_cdf"))
        units.append(worst if worst > 0 else max(float(one.max()), np.finfo(np.float64).tiny))
        columns.append(csc_array(np.minimum(one / units[-1], CAP)[:, None]))
    # sparse, for most of what is noted is noted of few; and its products, unlike those of BLAS, are the same on any number
    # of cores
    values = hstack(columns, format="csc")
    start, slopes = level(label, weight), np.zeros(len(names))
    for _ in range(TURNS):
        total, g = 1 + values @ slopes, signs()
        for _ in range(recipe.rounds):
            risk = 1 / (1 + np.exp(-(start + g.score)) / total)
            g.boost(weight * (risk - label), weight * risk * (1 - risk))
            bar.update()
        start, slopes = _likeliest(values, g.score, label, weight, start, slopes)
    return {
        name: (float(slope / unit), float(CAP * unit))
        for name, slope, unit in zip(names, slopes, units, strict=True)
        if slope > 0
    }


def _likeliest(
    values: csc_array, signs: FloatArray, label: FloatArray, weight: FloatArray, start: float, slopes: FloatArray
) -> tuple[float, FloatArray]:
    """The level of the log-odds and the slopes, (features,), with the largest likelihood of the labels, less the penalty,
    given what the signs add to the level; searched from those given on."""

    def objective(both: FloatArray) -> tuple[float, FloatArray]:
        slopes = both[1:]
        total = 1 + values @ slopes
        log_odds = both[0] + signs + np.log(total)
        surprise = (weight * (np.logaddexp(0, log_odds) - label * log_odds)).sum()
        residual = weight * (1 / (1 + np.exp(-log_odds)) - label)
        penalty = PENALTY * (slopes.sum() + slopes @ slopes / 2)
        by_slope = values.T @ (residual / total) + PENALTY * (1 + slopes)
        return float(surprise + penalty), np.concatenate([[residual.sum()], by_slope])

    found = minimize(
        objective,
        np.concatenate([[start], slopes]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] + [(0, None)] * len(slopes),
        options={"maxiter": ITERATIONS},
    )
    return float(found.x[0]), np.asarray(found.x[1:], dtype=np.float64)
