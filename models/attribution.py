"""Why the model says so: exact SHAP values in log-odds, summed by the declared reason of each feature, and the same as
points of probability."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.catalog import DECLARED
from models.horizons import HORIZON
from models.risk import RiskModel
from models.season import SEASON, shifts
from models.treeshap import GroupShap

FloatArray = npt.NDArray[np.float64]


def contributions(model: RiskModel, frame: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Exact SHAP values in log-odds of the features, HORIZON and SEASON, (rows, features + 2), and the base.

    A row's values and the base add up to the model's log-odds of the row (to 1e-6).
    """
    names = [*model.features, HORIZON]
    shap = GroupShap.of(model.booster, range(len(names)))
    values = pd.DataFrame(shap.values(model.inputs(frame)), index=frame.index, columns=names)
    return values.assign(**{SEASON: shifts(model.meta["season"], frame)}), shap.base


def grouped(values: pd.DataFrame) -> pd.DataFrame:
    """Sums by declared reason, `symptom` and `context`, to which horizon and season belong: (rows, groups)."""
    groups = [_group(name) for name in values.columns]
    return values.T.groupby(groups, sort=False).sum().T


def group_contributions(model: RiskModel, frame: pd.DataFrame) -> pd.DataFrame:
    """What `grouped` makes of `contributions`, (rows, groups), without the values of each feature: many times faster."""
    names = [*model.features, HORIZON]
    codes, groups = pd.factorize(np.array([_group(name) for name in names]))
    values = GroupShap.of(model.booster, codes).values(model.inputs(frame))
    values[:, list(groups).index(_group(SEASON))] += shifts(model.meta["season"], frame)
    return pd.DataFrame(values, index=frame.index, columns=groups)


def _group(name: str) -> str:
    return "context" if name in (HORIZON, SEASON) else DECLARED[name].reason


def points(terms: pd.DataFrame, start: FloatArray | float) -> pd.DataFrame:
    """Additive terms in log-odds as terms in probability, which add up to how far they move it.

    A row leads from the log-odds `start`, (rows,) or one for all, to start + sum of its terms. Each term gets its part
    of the way in probability in proportion to its part of the way in log-odds: the slope of the chord of the logistic
    curve, or that of the curve itself where the way is next to nothing.
    """
    low = np.broadcast_to(np.asarray(start, dtype=np.float64), len(terms))
    way = terms.to_numpy(dtype=np.float64).sum(axis=1)
    # the chord's slope is p(low) p(-high) (exp(way) - 1) / way, which is exact also where `way` is tiny
    safe = np.where(way == 0, 1.0, way)
    slope = expit(low) * expit(-(low + way)) * np.where(way == 0, 1.0, np.expm1(safe) / safe)
    return terms.mul(slope, axis=0)
