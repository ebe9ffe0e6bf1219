"""Why the model says so: exact SHAP values in calibrated log-odds, summed by the declared reason of each feature."""

from __future__ import annotations

import pandas as pd

from features.catalog import FEATURES
from models.risk import RiskModel
from models.treeshap import GroupShap


def contributions(model: RiskModel, frame: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Exact SHAP values in calibrated log-odds, (rows, features), and the base.

    A row's values and the base add up to the model's log-odds of the row (to 1e-6).
    """
    shap = GroupShap.of(model.booster, range(len(model.features)))
    values = shap.values(model.inputs(frame)) * model.calibration.slope
    base = shap.base * model.calibration.slope + model.calibration.intercept
    return pd.DataFrame(values, index=frame.index, columns=model.features), base


def grouped(values: pd.DataFrame) -> pd.DataFrame:
    """Sums by declared reason, `symptom` and `context`: (rows, groups), additive like the values."""
    reason = {feature.name: feature.reason for feature in FEATURES}
    return values.T.groupby([reason[name] for name in values.columns], sort=False).sum().T
