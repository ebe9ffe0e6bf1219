"""The measures of an evaluation as a reader sees them: names, digits, what is better, and comparisons in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reports.language import message, say
from reports.words import clauses

# Messages, which `model_name`, `population_name` and `metrics` say in the language spoken.
MODELS = {
    "risk": message("Holdfast"),
    "recency": message("Recency"),
    "rfm_logistic": message("RFM logistic"),
    "bg_nbd": message("BG/NBD"),
}
POPULATIONS = {"all": message("All eligible accounts"), "active": message("Active accounts")}


@dataclass(frozen=True)
class Measure:
    """How a metric is shown; `name` and `meaning` are messages."""

    name: str
    digits: int
    better: int  # +1: higher is better, -1: lower is, 0: nearest to one
    meaning: str


METRICS = {
    "auc": Measure(
        message("AUC"), 3, 1, message("chance that a lost account was ranked above a kept one; 0.5 is a coin")
    ),
    "average_precision": Measure(
        message("Average precision"),
        3,
        1,
        message("share of losses among those named, averaged down the list; at random the loss rate"),
    ),
    "lift_5": Measure(
        message("Lift 5%"),
        2,
        1,
        message("losses in the riskiest twentieth over those in a twentieth drawn at random"),
    ),
    "lift_10": Measure(message("Lift 10%"), 2, 1, message("the same of the riskiest tenth")),
    "lift_20": Measure(message("Lift 20%"), 2, 1, message("the same of the riskiest fifth")),
    "brier": Measure(message("Brier"), 4, -1, message("mean squared error of the risk; lower is better")),
    "ece": Measure(
        message("ECE"),
        3,
        -1,
        message(
            "mean distance between risk and observed share over ten bins; lower is better; resamples tend to lie above it"
        ),
    ),
    "slope": Measure(
        message("Slope"), 2, 0, message("of the calibration; 1 is right, below 1 the risks are too extreme")
    ),
}


def metrics() -> dict[str, Measure]:
    """METRICS in the language spoken."""
    return {key: replace(metric, name=say(metric.name), meaning=say(metric.meaning)) for key, metric in METRICS.items()}


def model_name(key: str) -> str:
    """A model's name in the language spoken; of a model unknown here its key."""
    return say(MODELS[key]) if key in MODELS else key


def population_name(key: str) -> str:
    """The name of a key of POPULATIONS in the language spoken."""
    return say(POPULATIONS[key])


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
    """Where each interval lies, in words; `other`: the name of the model that Holdfast is set against."""
    parts = [_finding(say(METRICS[name].name), cell) for name, cell in found.items()]
    return say("Against {model}. {findings}.", model=other, findings=clauses(parts))


def _finding(measure: str, cell: Mapping[str, Any]) -> str:
    if cell["verdict"] == "unknown":
        return say("{measure}: not known", measure=measure)
    if cell["verdict"] == "open":
        return say("{measure}: the interval holds zero, so no difference is shown", measure=measure)
    better = cell["verdict"] == "better"
    if cell["low"] > 0:
        if better:
            return say("{measure}: the interval lies above zero, Holdfast is better", measure=measure)
        return say("{measure}: the interval lies above zero, Holdfast is worse", measure=measure)
    if better:
        return say("{measure}: the interval lies below zero, Holdfast is better", measure=measure)
    return say("{measure}: the interval lies below zero, Holdfast is worse", measure=measure)
