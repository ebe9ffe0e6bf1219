"""What people compare between two trainings: a handful of figures, and the points of a few plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.metrics import reliability

MEASURES = ("auc", "average_precision", "lift_10", "brier", "ece")
DEPTHS = np.arange(1, 21) / 20  # shares of the accounts, the riskiest first


def summary(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The means over the test cut-offs, for all eligible and for active accounts; the gain over the baseline with the
    highest AUC; whether the gate was passed, as 0 or 1. Null where a measure is not known."""
    population = {
        name: {measure: models["risk"]["mean"][measure]["value"] for measure in MEASURES}
        for name, models in metrics["population"].items()
    }
    rivals = [cells["mean"]["auc"]["value"] for name, cells in metrics["population"]["all"].items() if name != "risk"]
    best = max((value for value in rivals if value is not None), default=None)
    own = population["all"]["auc"]
    gain = None if best is None or own is None else own - best
    return {**population, "auc_gain": gain, "gate_passed": int(metrics["gate"]["passed"])}


def calibration(predictions: pd.DataFrame) -> pd.DataFrame:
    """The calibration plot: predicted (mean risk) and observed (share lost), a row a bin."""
    return reliability(predictions["label"], predictions["risk"])[["predicted", "observed"]]


def gains(predictions: pd.DataFrame) -> pd.DataFrame:
    """The gains curve, a row a depth: depth (share of accounts, the riskiest first), found (share of all losses that are
    among them) and lift (found / depth). Accounts of equal risk come in the order of the rows."""
    lost = predictions.sort_values("risk", ascending=False, kind="stable")["label"].to_numpy(float)
    found = np.concatenate([[0.0], np.cumsum(lost)]) / lost.sum()
    share = np.interp(DEPTHS * len(lost), np.arange(len(lost) + 1), found)
    return pd.DataFrame({"depth": DEPTHS, "found": share, "lift": share / DEPTHS})


def by_cutoff(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """AUC at each test cut-off, a row a cut-off and model: as_of, model, auc (null where it is not known)."""
    return pd.DataFrame(
        [
            {"as_of": as_of, "model": model, "auc": cell["auc"]["value"]}
            for model, cells in metrics["population"]["all"].items()
            for as_of, cell in cells.items()
            if as_of != "mean"
        ]
    )


def reason_mix(scores: pd.DataFrame) -> pd.DataFrame:
    """How the expected losses among active accounts share out over the reasons, a row a reason: reason, share (of those
    that were explained; sums to 1)."""
    explained = scores[~scores["lapsed"]].dropna(subset=["share_unexplained"])
    weighed = explained.filter(regex="^share_").mul(explained["risk"], axis=0).sum()
    mix = weighed / weighed.sum()
    return pd.DataFrame({"reason": mix.index.str.removeprefix("share_"), "share": mix.to_numpy(float)})
