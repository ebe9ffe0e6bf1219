"""What if: the risk that the model would see if the company removed a cause today. Model-based, not causal.

For a reason within the company's control the features that an act of today changes (`cured` in their declarations: what
is open or overdue, attention that can be brought up to that of well-kept peers) take the value they would have then. A
value is never moved to a worse one, and one that is missing stays missing. As the risk is monotone in the evidence, it
never rises.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.catalog import FEATURES
from models.risk import MONOTONE, RiskModel
from models.taxonomy import taxonomy


def risk_without(model: RiskModel, frame: pd.DataFrame, healthy: Mapping[str, float]) -> pd.DataFrame:
    """`risk_without_<code>` for each reason in the company's control that can be seen: (accounts, reasons).

    `frame` holds the model's features and `as_of`; `healthy` the value of well-kept peers by feature (`CauseModel.healthy`).
    """
    columns = {}
    for code in taxonomy().remedies:
        cured = remedied(frame[[*model.features, "as_of"]], code, healthy)
        if cured is not None:
            columns[f"risk_without_{code}"] = model.predict(cured)
    return pd.DataFrame(columns, index=frame.index)


def remedied(frame: pd.DataFrame, code: str, healthy: Mapping[str, float]) -> pd.DataFrame | None:
    """The features once the cause is removed; None where nothing in `frame` could change."""
    values = {}
    for feature in FEATURES:
        if feature.reason != code or feature.cured is None or feature.name not in frame:
            continue
        target = healthy.get(feature.name, np.nan) if feature.cured == "peers" else feature.cured
        own = frame[feature.name].to_numpy(dtype=np.float64)
        better = (own - target) * MONOTONE[feature.direction] > 0
        values[feature.name] = np.where(better, target, own)
    return frame.assign(**values) if values else None
