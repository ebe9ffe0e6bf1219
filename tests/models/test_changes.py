"""Why now: what moved the risk, adding up to the change, with a change of model as a term of its own."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.changes import changes
from models.risk import Recipe, fit

NAMES = ["recency", "tenure", "rebates_overdue", "manager_absent"]


def frame_of(seed: int, rows: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.gamma(2.0, 1.0, (rows, 4)), columns=NAMES)
    odds = frame["rebates_overdue"] + frame["recency"] - 4.5
    frame["label"] = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    frame["as_of"] = date(2024, 3, 1)
    frame.index = pd.Index([f"A{number}" for number in range(rows)], name="account_id")
    return frame


def model_of(frame: pd.DataFrame, seed: int):
    return fit(
        frame.assign(horizon=3.0),
        NAMES,
        Recipe(40, 0.1, 8, 20, 1.0, 1.0, 1.0, seed),
        {"horizon_periods": 3.0, "season": {}},
    )


@pytest.fixture(scope="module")
def models():
    return model_of(frame_of(1), 7), model_of(frame_of(2), 8)


def log_odds(model, frame):
    return pd.Series(model.log_odds(frame), index=frame.index)


def test_the_moves_add_up_to_the_change_of_the_risk(models):
    then, now = frame_of(3), frame_of(4)
    moved = changes(models[1], now, then, log_odds(models[0], then))
    change = models[1].predict(now) - models[0].predict(then)
    np.testing.assert_allclose(moved.sum(axis=1), change, atol=1e-9)
    assert list(moved.columns) == [
        *("change_symptom", "change_context", "change_broken_promises", "change_staff_turnover", "change_model")
    ]
    assert moved["change_model"].abs().max() > 0.01


def test_the_same_model_has_no_part_in_the_change(models):
    then, now = frame_of(3), frame_of(4)
    moved = changes(models[0], now, then, log_odds(models[0], then))
    assert (moved["change_model"] == 0).all()


def test_the_same_account_seen_by_another_model_changes_by_the_model_alone(models):
    then = frame_of(3)
    moved = changes(models[1], then, then, log_odds(models[0], then))
    assert (moved.drop(columns="change_model") == 0).all(axis=None)


def test_only_accounts_scored_both_times_are_told(models):
    then, now = frame_of(3).iloc[:10], frame_of(4).iloc[5:20]
    moved = changes(models[0], now, then, log_odds(models[0], then))
    assert moved.index.tolist() == [f"A{number}" for number in range(5, 10)]


def test_a_worse_rebate_moves_the_risk_by_its_own_reason(models):
    then = frame_of(3)
    now = then.assign(rebates_overdue=then["rebates_overdue"] + 2)
    moved = changes(models[0], now, then, log_odds(models[0], then))
    assert moved["change_broken_promises"].mean() > 5 * moved.drop(columns="change_broken_promises").abs().mean().max()
