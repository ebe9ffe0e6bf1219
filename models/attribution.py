"""Why the model says so: exact SHAP values in calibrated log-odds, summed by the declared reason of each feature."""

from __future__ import annotations

import pandas as pd

from features.catalog import FEATURES
from models.risk import RiskModel


def contributions(model: RiskModel, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series[float]]:
    """SHAP in calibrated log-odds, (rows, features), and the base: together the model's log-odds (to 1e-6)."""
    values, base = model.contributions(frame)
    return pd.DataFrame(values, index=frame.index, columns=model.features), pd.Series(base, frame.index, name="base")


def grouped(values: pd.DataFrame) -> pd.DataFrame:
    """Sums by declared reason, `symptom` and `context`: (rows, groups), additive like the values."""
    reason = {feature.name: feature.reason for feature in FEATURES}
    return values.T.groupby([reason[name] for name in values.columns], sort=False).sum().T
