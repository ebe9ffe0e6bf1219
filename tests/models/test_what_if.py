"""What if: the cause removed never makes the risk worse, and moves nothing but what an act of today changes."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.catalog import FEATURES
from models.risk import MONOTONE, Recipe, fit
from models.taxonomy import taxonomy
from models.what_if import remedied, risk_without

NAMES = ["recency", "amount_12", "rebates_overdue", "rebate_delay_3", "manager_absent", "contacts_3", "wallet_share_3"]
HEALTHY = {"contacts_3": 6.0}


@pytest.fixture(scope="module")
def market():
    rng = np.random.default_rng(4)
    rows = 4000
    frame = pd.DataFrame(
        {
            "recency": rng.gamma(2, 10, rows),
            "amount_12": rng.gamma(2, 1000, rows),
            "rebates_overdue": rng.poisson(0.5, rows).astype(float),
            "rebate_delay_3": rng.gamma(1, 10, rows),
            "manager_absent": np.where(rng.random(rows) < 0.2, rng.uniform(1, 90, rows), 0.0),
            "contacts_3": rng.poisson(4, rows).astype(float),
            "wallet_share_3": rng.uniform(0.2, 1, rows),
        }
    )
    odds = frame["rebates_overdue"] + (frame["manager_absent"] > 0) - 0.3 * frame["contacts_3"] - 1
    frame["label"] = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    frame["as_of"] = date(2024, 3, 1)
    model = fit(
        frame.assign(horizon=3.0),
        NAMES,
        Recipe(60, 0.1, 8, 20, 1.0, 1.0, 1.0, 7),
        {"horizon_periods": 3.0, "season": {}},
    )
    return frame, model


def test_the_risk_falls_where_the_cause_was_and_stays_where_it_was_not(market):
    frame, model = market
    before, after = model.predict(frame), risk_without(model, frame, HEALTHY)
    assert list(after.columns) == [
        f"risk_without_{code}" for code in ("broken_promises", "unequal_treatment", "staff_turnover")
    ]
    assert (after.to_numpy() <= before[:, None]).all()
    overdue = (frame["rebates_overdue"] > 0).to_numpy()
    assert (after.loc[overdue, "risk_without_broken_promises"] < before[overdue]).mean() > 0.9
    assert (after.loc[~overdue, "risk_without_broken_promises"] == before[~overdue]).all()
    kept = (frame["contacts_3"] >= 6).to_numpy()
    assert (after.loc[kept, "risk_without_unequal_treatment"] == before[kept]).all()


def test_only_what_an_act_of_today_changes_is_moved(market):
    frame = market[0]
    cured = remedied(frame, "broken_promises", HEALTHY)
    assert (cured["rebates_overdue"] == 0).all()
    pd.testing.assert_frame_equal(cured.drop(columns="rebates_overdue"), frame.drop(columns="rebates_overdue"))


def test_what_is_missing_stays_missing_and_an_unknown_peer_moves_nothing(market):
    frame = market[0].head(3).assign(contacts_3=[np.nan, 1.0, 9.0])
    assert remedied(frame, "unequal_treatment", HEALTHY)["contacts_3"].tolist()[1:] == [6.0, 9.0]
    assert remedied(frame, "unequal_treatment", HEALTHY)["contacts_3"].isna().tolist() == [True, False, False]
    assert remedied(frame, "unequal_treatment", {})["contacts_3"].tolist()[1:] == [1.0, 9.0]


def test_nothing_to_change_is_none(market):
    assert remedied(market[0], "product", HEALTHY) is None
    assert remedied(market[0], "competitor", HEALTHY) is None


@pytest.mark.parametrize("code", list(taxonomy().remedies))
def test_no_value_of_any_feature_is_moved_to_a_worse_one(code):
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({feature.name: rng.normal(0, 3, 200) for feature in FEATURES})
    healthy = {feature.name: 0.5 for feature in FEATURES}
    cured = remedied(frame, code, healthy)
    for feature in FEATURES:
        moved = (cured[feature.name] - frame[feature.name]) * MONOTONE[feature.direction]
        assert (moved <= 0).all(), feature.name
        assert feature.reason == code or (moved == 0).all(), feature.name
