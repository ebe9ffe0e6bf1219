"""The measures of an evaluation as a reader sees them: names, digits, what is better, and comparisons in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODELS = {"risk": "Holdfast", "recency": "Recency", "rfm_logistic": "RFM logistic", "bg_nbd": "BG/NBD"}
POPULATIONS = {"all": "All eligible accounts", "active": "Active accounts"}


@dataclass(frozen=True)
class Measure:
    """How a metric is shown."""

    name: str
    digits: int
    better: int  # +1: higher is better, -1: lower is, 0: nearest to one
    meaning: str


METRICS = {
    "auc": Measure("AUC", 3, 1, "chance that a lost account was ranked above a kept one; 0.5 is a coin"),
    "average_precision": Measure(
        "Average precision", 3, 1, "share of losses among those named, averaged down the list; at random the loss rate"
    ),
    "lift_5": Measure("Lift 5 %", 2, 1, "losses in the riskiest twentieth over those in a twentieth drawn at random"),
    "lift_10": Measure("Lift 10 %", 2, 1, "the same of the riskiest tenth"),
    "lift_20": Measure("Lift 20 %", 2, 1, "the same of the riskiest fifth"),
    "brier": Measure("Brier", 4, -1, "mean squared error of the risk; lower is better"),
    "ece": Measure(
        "ECE",
        3,
        -1,
        "mean distance between risk and observed share over ten bins; lower is better; resamples tend to lie above it",
    ),
    "slope": Measure("Slope", 2, 0, "of the calibration; 1 is right, below 1 the risks are too extreme"),
}


def differences(mean: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, Any]]:
    """The cells of a paired comparison, by metric, each with its "verdict"."""
    return {name: {**cell, "verdict": verdict(name, cell["low"], cell["high"])} for name, cell in mean.items()}


def verdict(metric: str, low: float | None, high: float | None) -> str:
    """Where the interval of a difference lies, and so which of two models is better: better, worse, open, unknown."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "unknown"
    if low > 0:
        return "better" if METRICS[metric].better > 0 else "worse"
    if high < 0:
        return "worse" if METRICS[metric].better > 0 else "better"
    return "open"


def sentence(other: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """Where each interval lies, in words."""
    parts = []
    for name, cell in found.items():
        if cell["verdict"] == "unknown":
            parts.append(f"{METRICS[name].name}: not known")
        elif cell["verdict"] == "open":
            parts.append(f"{METRICS[name].name}: the interval holds zero, so no difference is shown")
        else:
            side = "above" if cell["low"] > 0 else "below"
            parts.append(f"{METRICS[name].name}: the interval lies {side} zero, Holdfast is {cell['verdict']}")
    return f"Against {other}. {'; '.join(parts)}."
