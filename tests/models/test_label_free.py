"""The estimate without labels against formulas, against a plain loop, and against what came out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from features.errors import ContractError
from models import label_free
from models.label_free import ESTIMATED, checked, drawn, estimate, live

CERTAINTY = (200, 0.95, 7)
NOTHING = {"value": None, "low": None, "high": None}
risks = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=1, max_size=30)


@pytest.mark.parametrize("shape", [(1.0, 6.0), (0.5, 2.0), (5.0, 5.0)])
def test_it_is_the_mean_and_the_spread_of_a_plain_loop_over_drawn_outcomes(shape):
    rng = np.random.default_rng(2)
    risk = rng.beta(*shape, 400).round(2)  # with ties
    labels = [(rng.random(400) < risk).astype(float) for _ in range(1000)]
    found = estimate(risk, 2000, 0.9, 7)
    for name, oracle in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
        values = [oracle(label, risk) for label in labels]
        assert found[name]["value"] == pytest.approx(np.mean(values), abs=0.003), name
        assert [found[name]["low"], found[name]["high"]] == pytest.approx(np.quantile(values, [0.05, 0.95]), abs=0.01)


@given(risks)
def test_each_account_goes_as_often_as_its_risk_says(risk):
    (counts,) = drawn(risk, 400, 3)
    assert counts.total.sum(axis=1).tolist() == [len(risk)] * 400
    assert ((counts.lost >= 0) & (counts.lost <= counts.total)).all()
    spread = np.sqrt((counts.total[0] * counts.risk * (1 - counts.risk)) / 400)
    assert (
        np.abs(counts.lost.mean(axis=0) - counts.total[0] * counts.risk) <= 6 * spread + 4 / 400
    ).all()  # a rare one may go once or so


@given(risks)
def test_brier_and_share_lost_are_near_their_formulas(risk):
    found, p = estimate(risk, 400, 0.95, 3), np.array(risk)
    spread = np.sqrt((p * (1 - p)).sum() / 400) / len(p)
    assert abs(found["share_lost"]["value"] - p.mean()) <= 6 * spread + 1e-9
    brier_spread = np.sqrt((p * (1 - p) * (1 - 2 * p) ** 2).sum() / 400) / len(p)
    assert abs(found["brier"]["value"] - (p * (1 - p)).mean()) <= 6 * brier_spread + 1e-9
    assert found["n"] == len(risk)


def test_the_seed_decides_and_neither_the_order_nor_the_size_of_a_block_does(monkeypatch):
    risk = np.random.default_rng(1).beta(1, 4, 300)
    once = estimate(risk, *CERTAINTY)
    assert estimate(risk[::-1], *CERTAINTY) == once
    assert estimate(risk, 200, 0.95, 8) != once
    monkeypatch.setattr(label_free, "_CELLS", 300 * 7)
    assert len(list(drawn(risk, 200, 7))) == 29
    assert estimate(risk, *CERTAINTY) == once


def test_certain_risks_rank_perfectly_and_one_risk_for_all_as_chance():
    sure = estimate([0.0, 0.0, 1.0, 1.0], *CERTAINTY)
    assert sure["auc"] == sure["average_precision"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert sure["brier"]["value"] == 0.0
    same = estimate([0.3] * 50, *CERTAINTY)
    assert (same["auc"]["value"], same["lift_10"]["value"]) == (pytest.approx(0.5), pytest.approx(1.0))


def test_what_cannot_be_known_is_none():
    assert estimate([], *CERTAINTY) == {"n": 0, **dict.fromkeys(ESTIMATED, NOTHING)}
    nobody_goes = estimate([0.0, 0.0], *CERTAINTY)
    assert nobody_goes["auc"] == nobody_goes["lift_5"] == NOTHING
    assert nobody_goes["share_lost"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    hardly_any = estimate([0.01] * 20, *CERTAINTY)  # most draws hold no loss: a mean over the others says nothing
    assert hardly_any["auc"] == NOTHING


def test_a_risk_that_is_no_probability_is_refused():
    with pytest.raises(ContractError, match="outside 0 to 1"):
        estimate([0.2, 1.2], *CERTAINTY)
    with pytest.raises(ContractError, match="finite number"):
        estimate([0.2, np.nan], *CERTAINTY)


def predictions(shift=0.0, cutoffs=3):
    """Outcomes drawn from the risks, or from odds that lie by `shift` above them."""
    rng = np.random.default_rng(5)
    frames = []
    for month in range(cutoffs):
        risk = rng.beta(1, 5, 2000)
        odds = np.log(risk / (1 - risk)) + shift
        label = (rng.random(2000) < 1 / (1 + np.exp(-odds))).astype(float)
        frame = pd.DataFrame({"account_id": range(2000), "as_of": pd.Timestamp(2024, 1 + month, 1), "label": label})
        frames.append(frame.assign(risk=risk, lapsed=risk > 0.4))
    return pd.concat(frames, ignore_index=True)


def test_beside_each_estimate_stands_what_came_out_and_the_error_is_the_mean_distance():
    rows = predictions()
    found = checked(rows, *CERTAINTY)
    json.dumps(found, allow_nan=False)
    for kind, held in (("all", rows), ("active", rows[~rows["lapsed"]])):
        days = found[kind]["cutoffs"]
        assert list(days) == ["2024-01-01", "2024-02-01", "2024-03-01"]
        off = []
        for day, at in held.groupby("as_of"):
            cell = days[str(day.date())]["auc"]
            assert cell["outcome"] == pytest.approx(roc_auc_score(at["label"], at["risk"]))
            assert {**cell, "outcome": 0} == {**estimate(at["risk"], *CERTAINTY)["auc"], "outcome": 0}
            off.append(cell["value"] - cell["outcome"])
        assert found[kind]["error"]["auc"] == pytest.approx(np.abs(off).mean())
        assert found[kind]["bias"]["auc"] == pytest.approx(np.mean(off))


def test_calibrated_risks_are_estimated_well_and_others_are_found_out():
    right = checked(predictions(cutoffs=12), *CERTAINTY)["all"]
    assert right["error"]["share_lost"] < 0.01
    assert all(inside >= 9 for inside in right["inside"].values())  # of 12, where 95 % are expected
    wrong = checked(predictions(shift=1.0), *CERTAINTY)["all"]
    assert wrong["bias"]["share_lost"] < -0.1
    assert wrong["bias"]["brier"] < -0.03
    assert wrong["inside"]["share_lost"] == wrong["inside"]["brier"] == 0


def test_a_cut_off_without_losses_has_no_outcome_and_does_not_count():
    rows = predictions(cutoffs=2)
    rows.loc[rows["as_of"] == pd.Timestamp(2024, 1, 1), "label"] = 0.0
    found = checked(rows, *CERTAINTY)["all"]
    first, second = (at["auc"] for at in found["cutoffs"].values())
    assert first["outcome"] is None
    assert first["value"] is not None
    assert found["error"]["auc"] == pytest.approx(abs(second["value"] - second["outcome"]))
    assert found["inside"]["auc"] <= 1


def test_without_active_accounts_nothing_is_checked_or_expected():
    rows = predictions(cutoffs=1).assign(lapsed=True)
    found = checked(rows, *CERTAINTY)["active"]
    assert found["cutoffs"] == {}
    assert set(found["error"].values()) == set(found["bias"].values()) == {None}
    assert live(rows, *CERTAINTY)["active"]["n"] == 0


def test_a_scoring_is_told_for_all_and_for_active_accounts():
    rows = predictions(cutoffs=1).drop(columns="label")
    active = rows.loc[~rows["lapsed"], "risk"]
    assert live(rows, *CERTAINTY) == {"all": estimate(rows["risk"], *CERTAINTY), "active": estimate(active, *CERTAINTY)}
