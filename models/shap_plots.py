"""Plots of the explanation, drawn by the shap library."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from features.files import written_file
from models.attribution import contributions
from models.risk import RiskModel
from models.season import SEASON


def beeswarm(model: RiskModel, frame: pd.DataFrame, path: Path) -> None:
    """Write a PNG of the SHAP values (log-odds) of the features that matter most."""
    import shap  # slow to import, and needed by this stage only

    values, base = contributions(model, frame)
    explanation = shap.Explanation(
        values=values.to_numpy(),
        base_values=np.full(len(frame), base),
        data=np.column_stack([model.inputs(frame), values[SEASON]]),
        feature_names=list(values.columns),
    )
    np.random.seed(0)  # the library jitters its points by the global generator
    shap.plots.beeswarm(explanation, max_display=20, show=False)
    with written_file(path) as temporary:
        plt.savefig(temporary, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close("all")
