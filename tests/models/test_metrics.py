"""The metrics against scikit-learn, against plain loops, and against what resampling accounts means."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from features.errors import ContractError
from models import metrics
from models.metrics import METRICS, evaluate, reliability, require_numbers, tally

MODELS = ["risk", "recency"]


@st.composite
def weighted(draw, min_size=2, max_size=40):
    """Labels, probabilities with many ties, and whole weights that may be zero; both classes carry weight."""
    n = draw(st.integers(min_size, max_size))
    label = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    grid = st.sampled_from([0.0, 1e-9, 0.1, 0.1 + 1e-12, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)
    probability = np.array(draw(st.lists(grid, min_size=n, max_size=n)))
    weight = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), dtype=float)
    assume(weight[label == 1].sum() > 0 and weight[label == 0].sum() > 0)
    return label, probability, weight


@given(weighted())
def test_auc_average_precision_and_brier_are_those_of_scikit_learn(case):
    label, probability, weight = case
    counts = tally(label, probability, np.stack([weight, np.ones_like(weight), weight * 0.3]))
    for oracle, metric in [
        (roc_auc_score, metrics.auc),
        (average_precision_score, metrics.average_precision),
        (brier_score_loss, metrics.brier),
    ]:
        expected = oracle(label, probability, sample_weight=weight)
        unweighted = oracle(label, probability)
        assert metric(counts) == pytest.approx([expected, unweighted, expected], abs=1e-9)


@given(weighted(), st.randoms(use_true_random=False))
def test_a_weight_is_a_repeated_row_and_the_order_of_rows_says_nothing(case, random):
    label, probability, weight = case
    repeated = np.repeat(np.arange(len(label)), weight.astype(int))
    random.shuffle(repeated)
    for name, metric in METRICS.items():
        # Lost and kept apart but for 1e-12 make a likelihood flat to the last digit: no two ways agree on its top.
        risk = probability.round(2) if name == "slope" else probability
        weighted_once = metric(tally(label, risk, weight))
        plain = metric(tally(label[repeated], risk[repeated]))
        assert weighted_once == pytest.approx(plain, rel=1e-6, abs=1e-9, nan_ok=True), name


def calibration_slope(label, probability, weight):
    odds = np.log(probability / (1 - probability))[:, None]
    return LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(odds, label, weight).coef_[0, 0]


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("base", [-5.0, 0.0])
def test_slope_is_the_maximum_likelihood_coefficient(spread, base):
    rng = np.random.default_rng(3)
    odds = base + spread * rng.normal(size=2000)
    probability = (1 / (1 + np.exp(-odds))).clip(1e-6, 1 - 1e-6)
    label = (rng.random(2000) < probability).astype(float)
    weight = rng.integers(0, 4, size=(3, 2000)).astype(float)
    expected = [calibration_slope(label, probability, row) for row in weight]
    assert metrics.slope(tally(label, probability, weight)) == pytest.approx(expected, rel=1e-5)


def test_slope_survives_one_prediction_that_a_full_newton_step_would_overshoot():
    rng = np.random.default_rng(1)
    probability = np.r_[rng.uniform(0.4, 0.6, size=300), 0.0, 1.0]
    label = np.r_[(rng.random(300) < 0.02).astype(float), 1.0, 0.0]
    clipped = probability.clip(1e-6, 1 - 1e-6)
    expected = calibration_slope(label, clipped, np.ones(302))
    assert metrics.slope(tally(label, probability)) == pytest.approx([expected], rel=1e-4)


@given(weighted(min_size=8))
def test_slope_is_found_wherever_there_is_one(case):
    label, probability, weight = case
    probability = probability.round(4).clip(1e-6, 1 - 1e-6)
    odds = np.log(probability / (1 - probability))
    lost, kept = odds[(label == 1) & (weight > 0)], odds[(label == 0) & (weight > 0)]
    separated = lost.min() >= kept.max() or kept.min() >= lost.max()
    assert np.isnan(metrics.slope(tally(label, probability, weight))[0]) == separated


@pytest.mark.parametrize(
    ("label", "probability"),
    [
        ([0.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.4]),
        ([1.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4]),
        ([0.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.2, 0.4]),  # parted but for a tie: the likelihood still rises for ever
        ([1.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.2, 0.4]),
        ([0.0, 1.0, 0.0, 1.0], [0.3, 0.3, 0.3, 0.3]),
        ([0.0, 1.0, 0.0, 1.0], [0.0, 1e-9, 1e-8, 1e-7]),  # one and the same once clipped
    ],
)
def test_slope_is_undefined_where_the_likelihood_has_no_top(label, probability):
    assert np.isnan(metrics.slope(tally(label, probability))).all()


def test_slope_says_how_far_odds_were_exaggerated():
    rng = np.random.default_rng(4)
    odds = rng.normal(size=500)
    label = (rng.random(500) < 1 / (1 + np.exp(-odds))).astype(float)
    true, doubled = (metrics.slope(tally(label, 1 / (1 + np.exp(-k * odds))))[0] for k in (1, 2))
    assert doubled == pytest.approx(true / 2)


def test_lift_counts_the_riskiest_tenth():
    label = np.r_[1.0, 1.0, np.zeros(18)]
    assert metrics.lift(tally(label, np.linspace(1, 0, 20)), 0.1)[0] == pytest.approx(10.0)
    assert metrics.lift(tally(label, np.linspace(0, 1, 20)), 0.1)[0] == 0.0


def test_lift_takes_a_tie_on_its_edge_by_expectation():
    label = np.r_[1.0, 0.0, 0.0, 0.0, np.zeros(15), 1.0]
    probability = np.r_[np.full(4, 0.9), np.full(16, 0.1)]
    # two of the four riskiest are drawn, and hold half a loss: 0.25 lost among them against 0.1 overall
    assert metrics.lift(tally(label, probability), 0.1)[0] == pytest.approx(2.5)


@given(weighted(), st.sampled_from([0.05, 0.1, 0.2, 0.37]))
def test_lift_is_that_of_the_accounts_put_in_random_order_and_cut_exactly(case, share):
    """The plain way: each tie shares its losses evenly, accounts are taken one by one, and the last in part."""
    label, probability, weight = case
    left, lost = share * weight.sum(), 0.0
    for risk in sorted(set(probability), reverse=True):
        tied = probability == risk
        held = weight[tied].sum()
        taken = min(left, held)
        lost += taken / held * (weight * label)[tied].sum() if held else 0.0
        left -= taken
    expected = lost / (share * weight.sum()) / ((weight * label).sum() / weight.sum())
    assert metrics.lift(tally(label, probability, weight), share)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_each_lift_takes_its_own_share():
    label = np.r_[np.ones(5), np.zeros(95)]
    counts = tally(label, np.linspace(1, 0, 100))
    found = {name: METRICS[name](counts)[0] for name in ("lift_5", "lift_10", "lift_20")}
    assert found == {"lift_5": pytest.approx(20), "lift_10": pytest.approx(10), "lift_20": pytest.approx(5)}


@given(weighted())
def test_shares_are_plain_means(case):
    label, probability, weight = case
    counts = tally(label, probability, weight)
    assert metrics.share_lost(counts)[0] == pytest.approx(np.average(label, weights=weight))
    assert metrics.mean_risk(counts)[0] == pytest.approx(np.average(probability, weights=weight), abs=1e-12)


def test_ece_by_hand():
    probability = np.repeat([0.05, 0.95], 50)
    label = np.r_[np.ones(10), np.zeros(40), np.ones(50)]  # 0.20 and 1.00 lost
    assert metrics.ece(tally(label, probability))[0] == pytest.approx((0.15 + 0.05) / 2)


def test_ece_of_the_base_rate_is_zero_in_any_order():
    label = np.r_[np.ones(30), np.zeros(70)]
    assert metrics.ece(tally(label, np.full(100, 0.3)))[0] == pytest.approx(0.0, abs=1e-12)


@given(weighted(), st.integers(1, 20))
def test_reliability_has_equal_bins_that_add_up(case, bins):
    label, probability, _ = case
    table = reliability(label, probability, bins)
    assert list(table) == ["bin", "predicted", "observed", "n"]
    assert table["bin"].tolist() == list(range(1, bins + 1))
    assert table["n"].to_numpy() == pytest.approx(len(label) / bins)
    assert table["predicted"].mean() == pytest.approx(probability.mean())
    assert table["observed"].mean() == pytest.approx(label.mean())
    assert (np.diff(table["predicted"]) >= -1e-9).all()


@given(weighted())
def test_reliability_shares_its_bins_with_ece(case):
    label, probability, _ = case
    table = reliability(label, probability)
    expected = (table["predicted"] - table["observed"]).abs().mean()
    assert metrics.ece(tally(label, probability))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("label", "undefined"),
    [(0.0, {"auc", "average_precision", "lift_5", "lift_10", "lift_20", "slope"}), (1.0, {"auc", "slope"})],
)
def test_what_one_class_leaves_undefined_is_nan(label, undefined):
    counts = tally(np.full(12, label), np.linspace(0.1, 0.9, 12))
    assert {name for name, metric in METRICS.items() if np.isnan(metric(counts)[0])} == undefined


def test_a_weighting_that_drew_nobody_is_undefined():
    counts = tally([0.0, 1.0, 0.0], [0.1, 0.9, 0.95], [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    for metric in METRICS.values():
        empty, full = metric(counts)
        assert np.isnan(empty)
        assert np.isfinite(full)


def market(accounts=120, cutoffs=3, seed=0):
    """Predictions whose accounts return at every cut-off, as they do in fact."""
    rng = np.random.default_rng(seed)
    health = rng.normal(size=accounts)
    frames = []
    for month in range(cutoffs):
        chance = 1 / (1 + np.exp(health + rng.normal(scale=0.5, size=accounts)))
        frames.append(
            pd.DataFrame(
                {
                    "account_id": [f"a{i}" for i in range(accounts)],
                    "as_of": pd.Timestamp(2024, 1 + month, 1),
                    "label": (rng.random(accounts) < chance).astype(float),
                    "lapsed": rng.random(accounts) < 0.3,
                    "risk": chance,
                    "recency": (chance * 0.5 + rng.random(accounts) * 0.5).round(1),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_evaluate_has_every_cell_and_is_json():
    result = evaluate(market(), MODELS, bootstrap=20, level=0.95, seed=7)
    json.dumps(result, allow_nan=False)
    days = ["2024-01-01", "2024-02-01", "2024-03-01", "mean"]
    assert list(result["population"]) == list(result["paired"]) == ["all", "active"]
    for population in ("all", "active"):
        assert list(result["population"][population]) == MODELS
        assert list(result["paired"][population]) == ["recency"]
        for model in MODELS:
            assert list(result["population"][population][model]) == days
        for cell in result["population"][population]["risk"].values():
            assert list(cell) == ["n", "losses", *METRICS]
            assert type(cell["n"]) is type(cell["losses"]) is int
            assert cell["auc"]["low"] < cell["auc"]["value"] < cell["auc"]["high"]
        assert all(
            list(cell) == ["auc", "average_precision", "brier"] for cell in result["paired"]["all"]["recency"].values()
        )


def test_values_are_of_the_population_and_the_mean_is_over_cutoffs():
    predictions = market()
    result = evaluate(predictions, MODELS, bootstrap=0, level=0.95, seed=7)
    active = predictions[~predictions["lapsed"]]
    for population, rows in [("all", predictions), ("active", active)]:
        cells = result["population"][population]["recency"]
        by_cutoff = [roc_auc_score(rows_["label"], rows_["recency"]) for _, rows_ in rows.groupby("as_of")]
        assert [cell["auc"]["value"] for cell in cells.values()] == pytest.approx([*by_cutoff, np.mean(by_cutoff)])
        assert cells["mean"]["n"] == len(rows)
        assert cells["mean"]["losses"] == rows["label"].sum()
        risk = result["population"][population]["risk"]["mean"]["brier"]["value"]
        paired = result["paired"][population]["recency"]["mean"]["brier"]
        assert paired == {"value": pytest.approx(risk - cells["mean"]["brier"]["value"]), "low": None, "high": None}


def test_intervals_are_those_of_a_plain_loop_over_resampled_accounts():
    predictions = market(accounts=40)
    result = evaluate(predictions, MODELS, bootstrap=30, level=0.9, seed=5)
    rng = np.random.default_rng(5)
    by_account = [rows for _, rows in predictions.groupby("account_id", sort=False)]
    differences = []
    for _ in range(30):
        drawn = pd.concat([by_account[i] for i in rng.integers(40, size=40)])
        drawn = drawn[~drawn["lapsed"]]
        aucs = [[roc_auc_score(rows["label"], rows[model]) for _, rows in drawn.groupby("as_of")] for model in MODELS]
        differences.append(np.mean(aucs[0]) - np.mean(aucs[1]))
    cell = result["paired"]["active"]["recency"]["mean"]["auc"]
    assert [cell["low"], cell["high"]] == pytest.approx(np.quantile(differences, [0.05, 0.95]))


def test_the_seed_decides_and_the_size_of_a_block_does_not(monkeypatch):
    predictions = market()
    once = evaluate(predictions, MODELS, bootstrap=25, level=0.95, seed=7)
    assert evaluate(predictions, MODELS, bootstrap=25, level=0.95, seed=7) == once
    assert evaluate(predictions, MODELS, bootstrap=25, level=0.95, seed=8) != once
    monkeypatch.setattr(metrics, "_CELLS", 120 * 4)
    in_blocks = evaluate(predictions, MODELS, bootstrap=25, level=0.95, seed=7)
    assert flat(in_blocks) == pytest.approx(flat(once), rel=1e-9)


def flat(result):
    return pd.json_normalize(result).iloc[0].astype(float).to_dict()


def test_the_same_accounts_seen_twice_are_no_new_evidence():
    once = market(cutoffs=1)
    twice = pd.concat([once, once.assign(as_of=pd.Timestamp(2024, 2, 1))])
    cells = evaluate(twice, MODELS, bootstrap=50, level=0.95, seed=7)["population"]["all"]["risk"]
    assert cells["mean"]["auc"] == pytest.approx(cells["2024-01-01"]["auc"])


def test_a_model_compared_with_itself_differs_by_nothing():
    predictions = market().assign(copy=lambda frame: frame["risk"])
    paired = evaluate(predictions, ["risk", "copy"], bootstrap=20, level=0.95, seed=7)["paired"]["all"]["copy"]["mean"]
    assert all(cell == {"value": 0.0, "low": 0.0, "high": 0.0} for cell in paired.values())


def test_a_cutoff_without_losses_is_null_and_left_out_of_the_mean():
    predictions = market()
    first = predictions["as_of"] == pd.Timestamp(2024, 1, 1)
    predictions.loc[first, "label"] = 0.0
    cells = evaluate(predictions, MODELS, bootstrap=20, level=0.95, seed=7)["population"]["all"]["risk"]
    assert cells["2024-01-01"]["auc"] == {"value": None, "low": None, "high": None}
    assert cells["2024-01-01"]["losses"] == 0
    assert cells["2024-01-01"]["brier"]["value"] is not None
    others = [cells[day]["auc"]["value"] for day in ("2024-02-01", "2024-03-01")]
    assert cells["mean"]["auc"]["value"] == pytest.approx(np.mean(others))


def test_a_cutoff_without_active_accounts_is_null():
    predictions = market(cutoffs=1).assign(lapsed=True)
    result = evaluate(predictions, MODELS, bootstrap=5, level=0.95, seed=7)
    for day in ("2024-01-01", "mean"):
        cell = result["population"]["active"]["risk"][day]
        assert (cell["n"], cell["losses"]) == (0, 0)
        assert all(cell[name]["value"] is None for name in METRICS)
        assert result["paired"]["active"]["recency"][day]["auc"]["value"] is None


def test_evaluate_leaves_its_input_alone():
    predictions = market()
    before = predictions.copy(deep=True)
    evaluate(predictions, MODELS, bootstrap=2, level=0.95, seed=7)
    pd.testing.assert_frame_equal(predictions, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="recency"), r"Missing columns: recency\. There are: account_id, as_of"),
        (lambda frame: frame.drop(columns="lapsed"), r"Missing columns: lapsed"),
        (lambda frame: frame.iloc[:0], r"no predictions to measure"),
        (lambda frame: frame.assign(risk=frame["risk"].where(frame.index > 2)), r"finite number: risk in 3\."),
        (lambda frame: frame.assign(label=0.5), r"label is neither 0 nor 1 in 360 rows"),
        (lambda frame: frame.assign(risk=frame["risk"] * 40), r"risk is outside 0 to 1 in \d+ rows, for example"),
        (lambda frame: frame.assign(account_id=None), r"account_id is empty in 360 of 360 rows"),
        (lambda frame: pd.concat([frame, frame.head(2)]), r"2 rows repeat an account_id and as_of"),
    ],
)
def test_a_bad_frame_is_refused_by_name_and_count(change, message):
    with pytest.raises(ContractError, match=message):
        evaluate(change(market()), MODELS, bootstrap=2, level=0.95, seed=7)


def test_require_numbers_names_every_bad_column():
    frame = pd.DataFrame({"a": [1.0, np.nan, np.inf], "b": pd.array([1, None, 3], dtype="Int64"), "c": [1, 2, 3]})
    require_numbers(frame, ["c"])
    with pytest.raises(ContractError, match=r"Of 3 rows these hold no finite number: a in 2, b in 1\."):
        require_numbers(frame, ["a", "b", "c"])
