"""The figures and points that two trainings are compared by."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from models.curves import by_cutoff, calibration, gains, reason_mix, summary


def cells(auc: float | None) -> dict:
    mean = {name: {"value": 0.5, "low": 0.4} for name in ("average_precision", "lift_10", "brier", "ece")}
    first = {"auc": {"value": 0.7}}
    return {"2024-01-01": first, "mean": {**mean, "auc": {"value": auc, "low": 0.1}, "n": 9}}


def metrics(own: float | None, rivals: dict[str, float | None]) -> dict:
    every = {"risk": cells(own)} | {name: cells(value) for name, value in rivals.items()}
    return {"population": {"all": every, "active": {"risk": cells(0.6)}}, "gate": {"passed": True}}


def test_the_summary_is_a_handful_of_figures():
    found = summary(metrics(0.9, {"recency": 0.7, "bg_nbd": 0.8, "unknown": None}))
    assert found["all"] == {"auc": 0.9, "average_precision": 0.5, "lift_10": 0.5, "brier": 0.5, "ece": 0.5}
    assert found["active"]["auc"] == 0.6
    assert found["auc_gain"] == pytest.approx(0.1)
    assert found["gate_passed"] == 1
    assert json.loads(json.dumps(found)) == found


def test_a_gain_that_is_not_known_is_null():
    assert summary(metrics(None, {"recency": 0.7}))["auc_gain"] is None
    assert summary(metrics(0.9, {"recency": None}))["auc_gain"] is None


def test_gains_of_a_perfect_and_of_a_useless_ranking():
    label = np.r_[np.ones(20), np.zeros(80)]
    perfect = gains(pd.DataFrame({"label": label, "risk": np.linspace(1, 0, 100)})).set_index("depth")
    assert perfect.loc[0.1].tolist() == pytest.approx([0.5, 5.0])
    assert perfect.loc[0.2].tolist() == pytest.approx([1.0, 5.0])
    assert perfect.loc[1.0].tolist() == pytest.approx([1.0, 1.0])
    worst = gains(pd.DataFrame({"label": label, "risk": np.linspace(0, 1, 100)})).set_index("depth")
    assert worst.loc[0.8, "found"] == pytest.approx(0.0)
    assert len(worst) == 20


def test_a_depth_that_cuts_an_account_takes_its_part():
    found = gains(pd.DataFrame({"label": [1.0, 0.0, 0.0], "risk": [0.9, 0.5, 0.1]})).set_index("depth")
    assert found.loc[0.05, "found"] == pytest.approx(0.15)


def test_calibration_has_the_share_lost_beside_the_risk():
    found = calibration(pd.DataFrame({"label": [0.0, 1.0] * 50, "risk": [0.1, 0.9] * 50}))
    assert found["predicted"].is_monotonic_increasing
    assert found.iloc[[0, -1]].to_numpy().tolist() == [[pytest.approx(0.1), 0.0], [pytest.approx(0.9), 1.0]]


def test_each_cutoff_and_model_has_its_auc():
    found = by_cutoff(metrics(0.9, {"recency": 0.7}))
    assert found.to_numpy().tolist() == [["2024-01-01", "risk", 0.7], ["2024-01-01", "recency", 0.7]]


def test_the_mix_weighs_shares_by_risk_of_active_accounts_that_were_explained():
    scores = pd.DataFrame(
        {
            "lapsed": [False, False, True, False],
            "risk": [0.3, 0.1, 0.9, 0.9],
            "share_competitor": [1.0, 0.0, 1.0, np.nan],
            "share_unexplained": [0.0, 1.0, 0.0, np.nan],
        }
    )
    found = reason_mix(scores)
    assert found["reason"].tolist() == ["competitor", "unexplained"]
    assert found["share"].tolist() == pytest.approx([0.75, 0.25])
