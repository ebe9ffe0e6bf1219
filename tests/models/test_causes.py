"""Competing causes: each names its own losses, signs name none, and what is worse never counts for less."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationError
from features.periods import Duration
from models.causes import CauseModel, CauseRecipe, ahead, fit

EVIDENCE = {
    "rebates_overdue": "broken_promises",
    "manager_absent": "staff_turnover",
    "wallet_share_3": "competitor",  # falls when it harms
}
NAMES = ["recency", "tenure", *EVIDENCE]
RECIPE = CauseRecipe(lead=2, lags=1, warm=10, rounds=60, learning_rate=0.1, leaves=4, min_leaf=50, l2=1.0, seed=3)


@pytest.fixture(scope="module")
def market():
    """6,000 accounts, of which each cause troubles a tenth; the lost show it in their recency, whatever the cause."""
    rng = np.random.default_rng(5)
    rows = 6000
    troubled = {name: rng.random(rows) < 0.1 for name in EVIDENCE}
    hazard = pd.DataFrame({EVIDENCE[name]: 0.4 * troubled[name] for name in EVIDENCE}) + 0.0
    hazard["unexplained"] = 0.03
    label = rng.random(rows) < -np.expm1(-hazard.sum(axis=1))
    chosen = (hazard.div(hazard.sum(axis=1), axis=0).cumsum(axis=1).to_numpy() < rng.random(rows)[:, None]).sum(axis=1)
    frame = pd.DataFrame(
        {
            "rebates_overdue": troubled["rebates_overdue"] * rng.integers(1, 4, rows),
            "manager_absent": troubled["manager_absent"] * rng.integers(20, 200, rows),
            "wallet_share_3": np.where(troubled["wallet_share_3"], 0.3, 0.9) + rng.uniform(-0.1, 0.1, rows),
            "recency": rng.gamma(2, 10, rows) + 40 * label,
            "tenure": rng.uniform(100, 3000, rows),
            "label": label.astype(float),
        }
    )
    frame["wallet_share_3"] = frame["wallet_share_3"].where(rng.random(rows) < 0.8)
    return frame, hazard.columns[chosen].to_numpy()


@pytest.fixture(scope="module")
def model(market):
    return fit(market[0], NAMES, RECIPE, progress=False)


def test_the_true_cause_of_a_loss_has_the_largest_hazard(market, model):
    frame, reason = market
    lost = (frame["label"] == 1).to_numpy() & (reason != "unexplained") & frame["wallet_share_3"].notna().to_numpy()
    found = model.hazards(frame)[lost].idxmax(axis=1).to_numpy()
    assert (found == reason[lost]).mean() > 0.85


def test_without_evidence_of_harm_nothing_is_explained(model):
    healthy = pd.DataFrame({"rebates_overdue": [0.0], "manager_absent": [0.0], "wallet_share_3": [1.0]})
    assert model.hazards(healthy).to_numpy().max() < 0.2


def test_a_missing_value_counts_as_a_healthy_one(model):
    missing = pd.DataFrame(np.nan, index=[0], columns=list(EVIDENCE))
    assert (model.hazards(missing) == 0).all(axis=None)


def test_signs_of_the_loss_name_no_reason(market, model):
    frame = market[0]
    assert set(model.features) == set(EVIDENCE.values())
    pd.testing.assert_frame_equal(model.hazards(frame), model.hazards(frame.assign(recency=999.0, tenure=1.0)))


@settings(max_examples=40)
@given(rebates=st.integers(0, 5), absent=st.integers(0, 300), wallet=st.floats(0, 1), step=st.floats(0, 50, width=16))
def test_evidence_that_gets_worse_never_counts_for_less(model, rebates, absent, wallet, step):
    now = pd.DataFrame({"rebates_overdue": [rebates], "manager_absent": [absent], "wallet_share_3": [wallet]})
    worse = pd.DataFrame(
        {"rebates_overdue": [rebates + step], "manager_absent": [absent + step], "wallet_share_3": [wallet - step]}
    )
    assert (model.hazards(worse).to_numpy() >= model.hazards(now).to_numpy() - 1e-12).all()


def test_contributions_add_up_to_the_log_hazard(market, model):
    frame = market[0].head(200)
    values = model.contributions(frame)
    for reason, names in model.features.items():
        raw = model.boosters[reason].predict(frame[names].fillna(model.healthy).to_numpy(), raw_score=True)
        moved = values[list(names)].sum(axis=1).to_numpy()
        np.testing.assert_allclose(moved - moved[0], raw - raw[0], atol=1e-9)


def test_saved_and_loaded_it_says_the_same_and_the_same_rows_give_the_same_bytes(market, model, tmp_path):
    model.save(tmp_path / "one")
    again = CauseModel.load(tmp_path / "one")
    assert again.content_hash == model.content_hash
    assert again.recipe == RECIPE
    pd.testing.assert_frame_equal(again.hazards(market[0]), model.hazards(market[0]), check_exact=True)
    fit(market[0], NAMES, RECIPE, progress=False).save(tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["broken_promises.txt", "causes.json", "competitor.txt", "staff_turnover.txt"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_part_of_a_model_is_refused(model, tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no model of causes\. Run `holdfast train` first"):
        CauseModel.load(tmp_path)
    model.save(tmp_path / "model")
    (tmp_path / "model" / "competitor.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"competitor\.txt is missing\. Run `holdfast train` again"):
        CauseModel.load(tmp_path / "model")


def test_without_evidence_there_are_no_reasons(market, tmp_path):
    model = fit(market[0], ["recency", "tenure"], RECIPE, progress=False)
    assert model.hazards(market[0]).shape == model.contributions(market[0]).shape == (6000, 0)
    model.save(tmp_path / "none")
    assert CauseModel.load(tmp_path / "none").boosters == {}


@pytest.mark.parametrize("rows", [0, 6000])
def test_where_nobody_was_lost_no_reason_has_a_hazard(market, tmp_path, rows):
    frame = market[0].assign(label=0.0).head(rows)
    fit(frame, NAMES, RECIPE, progress=False).save(tmp_path / "none")
    hazards = CauseModel.load(tmp_path / "none").hazards(market[0])
    assert set(hazards) == set(EVIDENCE.values())
    assert (hazards == 0).all(axis=None)


def test_constant_and_empty_evidence_does_no_harm(market):
    frame = market[0].assign(manager_absent=7.0, wallet_share_3=np.nan)
    hazards = fit(frame, NAMES, RECIPE, progress=False).hazards(frame)
    assert (hazards[["staff_turnover", "competitor"]] == 0).all(axis=None)
    assert np.isfinite(hazards.to_numpy()).all()


@pytest.mark.parametrize("rows", [1, 2, 49, 50, 51])
def test_evidence_of_few_accounts_does_no_harm(market, rows):
    frame = market[0].assign(manager_absent=0.0)
    frame.loc[: rows - 1, "manager_absent"] = np.arange(rows) + 1.0
    hazards = fit(frame, NAMES, RECIPE, progress=False).hazards(frame)
    assert np.isfinite(hazards.to_numpy()).all()
    assert rows >= 50 or (hazards["staff_turnover"] == 0).all()


def test_evidence_is_set_against_the_label_of_two_periods_later():
    days = [date(2024, month, 1) for month in (1, 2, 3, 4)]
    matrix = pd.DataFrame(
        {
            "account_id": ["A"] * 4 + ["B"] * 4,
            "as_of": days * 2,
            "label": [0.0, 0.0, 1.0, np.nan, 0.0, 0.0, 0.0, 1.0],
            "lapsed": [False, False, False, False, False, True, False, False],
            "recency": range(8),
        }
    )
    rows = ahead(matrix, Duration(1, "month"), 2)
    # A in February: its label of April is not known; B in February: silent already
    assert rows[["account_id", "as_of", "label", "recency"]].to_numpy().tolist() == [
        ["A", days[0], 1.0, 0],
        ["B", days[0], 0.0, 4],
    ]
