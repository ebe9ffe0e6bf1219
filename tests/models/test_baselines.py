"""The baselines; BG/NBD against its definition by integration, and against customers simulated from its story."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import OptimizeResult, approx_fprime
from scipy.stats import beta, gamma

from features.errors import ConfigurationError, ContractError
from models import baselines as module
from models.baselines import (
    History,
    Parameters,
    baselines,
    fit_bg_nbd,
    log_likelihood,
    no_order,
    probability_alive,
)

# What Fader, Hardie & Lee (2005), table 2, found for CDNOW, in weeks: 2,357 customers seen for 27 to 39 weeks.
CDNOW = Parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
HISTORIES = History(
    x=np.array([0.0, 0.0, 1.0, 2.0, 2.0, 12.0]),
    t_x=np.array([0.0, 0.0, 1.0, 30.4, 10.0, 38.0]),
    T=np.array([38.9, 5.0, 38.9, 38.9, 38.9, 38.9]),
)


def simulate(parameters, accounts, horizon, seed):
    """Tell the model's story order by order: history up to T, and whether no order follows in `horizon` weeks."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(parameters.r, 1 / parameters.alpha, size=accounts)
    end = rng.beta(parameters.a, parameters.b, size=accounts)
    T = rng.uniform(27, 39, size=accounts)
    x, t_x, silent = np.zeros(accounts), np.zeros(accounts), np.ones(accounts, dtype=bool)
    now, going = np.zeros(accounts), np.arange(accounts)
    while len(going):
        now[going] += rng.exponential(1 / np.maximum(rate[going], 1e-300))
        going = going[now[going] < T[going] + horizon]
        past = going[now[going] < T[going]]
        x[past] += 1
        t_x[past] = now[past]
        silent[going[now[going] >= T[going]]] = False
        going = going[rng.random(len(going)) >= end[going]]
    return History(x, t_x, T), silent


def integrals(parameters, x, t_x, T, horizon):
    """Likelihood of one history, and of it with no order in the horizon, integrated over rate and end as defined."""

    def over_rates(until):
        density = gamma(parameters.r, scale=1 / parameters.alpha).pdf
        return quad(lambda rate: rate**x * np.exp(-rate * until) * density(rate), 0, 5, epsabs=0, limit=500)[0]

    def over_ends(function):
        return quad(lambda p: function(p) * beta(parameters.a, parameters.b).pdf(p), 0, 1, epsabs=0, limit=500)[0]

    kept = over_ends(lambda p: (1 - p) ** x)
    ended = over_ends(lambda p: p * (1 - p) ** (x - 1)) * over_rates(t_x) if x else 0.0
    return kept * over_rates(T) + ended, kept * over_rates(T + horizon) + ended


# r above 1 keeps the rate's density finite at 0, which quadrature needs
@pytest.mark.parametrize("parameters", [Parameters(1.4, 6.0, 1.2, 2.4), Parameters(2.0, 10.0, 1.1, 9.0)])
@pytest.mark.parametrize("row", range(6))
def test_likelihood_and_prediction_are_the_integrals_that_define_them(parameters, row):
    one = History(*(values[row : row + 1] for values in (HISTORIES.x, HISTORIES.t_x, HISTORIES.T)))
    likelihood, with_silence = integrals(parameters, one.x[0], one.t_x[0], one.T[0], horizon=13.0)
    logs = np.log([parameters.r, parameters.alpha, parameters.a, parameters.b])
    assert log_likelihood(logs, one)[0] == pytest.approx(np.log(likelihood), rel=1e-6)
    assert no_order(parameters, one, 13.0)[0] == pytest.approx(with_silence / likelihood, rel=1e-6)


def test_gradient_is_that_of_the_likelihood():
    for logs in (np.zeros(4), np.log([0.243, 4.414, 0.793, 2.426]), np.array([-2.0, 3.0, -4.0, 5.0])):
        numeric = approx_fprime(logs, lambda at: log_likelihood(at, HISTORIES)[0], 1e-7)
        assert log_likelihood(logs, HISTORIES)[1] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


def test_simulated_customers_fall_silent_as_often_as_predicted():
    history, silent = simulate(CDNOW, accounts=200_000, horizon=13.0, seed=1)
    predicted = no_order(CDNOW, history, 13.0)
    # By history, not only by prediction: bought once, recently, long ago, often; each would show another wrong term.
    kind = np.select(
        [history.x == 0, history.x > 5, history.T - history.t_x < 6],
        ["bought once", "often", "recently"],
        "long ago",
    )
    shares = (
        pd.DataFrame({"kind": kind, "silent": silent, "predicted": predicted}).groupby("kind").agg(["mean", "size"])
    )
    assert len(shares) == 4
    for name, row in shares.iterrows():
        share, n = row["predicted", "mean"], row["silent", "size"]
        assert row["silent", "mean"] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n)), name


def test_fit_recovers_the_parameters_published_for_cdnow():
    history, _ = simulate(CDNOW, accounts=60_000, horizon=0.0, seed=2)
    found = fit_bg_nbd(history)
    assert found.r == pytest.approx(CDNOW.r, rel=0.05)
    assert found.alpha == pytest.approx(CDNOW.alpha, rel=0.08)
    assert found.a == pytest.approx(CDNOW.a, rel=0.15)
    assert found.b == pytest.approx(CDNOW.b, rel=0.2)


def test_no_search_ends_far_from_the_best_one(monkeypatch):
    history, _ = simulate(CDNOW, accounts=3_000, horizon=0.0, seed=3)
    starts = module._STARTS
    found = []
    for start in starts:
        monkeypatch.setattr(module, "_STARTS", (start,))
        fitted = fit_bg_nbd(history)
        found.append([fitted.r, fitted.alpha, fitted.a, fitted.b])
    assert np.array(found) == pytest.approx(np.array(found[:1] * len(starts)), rel=1e-2)


def test_prediction_is_of_no_order_and_not_of_the_end():
    once = History(x=np.zeros(2), t_x=np.zeros(2), T=np.array([5.0, 39.0]))
    assert probability_alive(CDNOW, once).tolist() == [1.0, 1.0]
    recent, old = no_order(CDNOW, once, 13.0)
    assert 0 < recent < old < 1


def test_prediction_falls_with_the_horizon_from_certainty_to_the_end():
    chances = np.stack([no_order(CDNOW, HISTORIES, weeks) for weeks in (0.0, 1.0, 13.0, 100.0)])
    assert chances[0] == pytest.approx(1.0)
    assert (np.diff(chances, axis=0) < 0).all()
    assert (chances[-1] >= 1 - probability_alive(CDNOW, HISTORIES)).all()


def test_an_account_without_end_in_sight_has_a_fit():
    """Nobody ends: the likelihood rises towards a = 0, and the fit stops at its bound instead of failing."""
    rng = np.random.default_rng(0)
    rate = rng.gamma(2.0, 1 / 4.0, size=500)
    T = np.full(500, 40.0)
    x = rng.poisson(rate * T).astype(float)
    t_x = np.where(x > 0, T * rng.random(500) ** (1 / np.maximum(x, 1)), 0.0)
    history = History(x, t_x, T)
    found = fit_bg_nbd(history)
    assert found.a / (found.a + found.b) < 0.01
    assert found.r == pytest.approx(2.0, rel=0.25)


def matrix(accounts=400, seed=0):
    rng = np.random.default_rng(seed)
    history, silent = simulate(Parameters(1.0, 8.0, 0.5, 4.0), accounts, 13.0, seed)
    tenure = np.ceil(history.T * 7)
    return pd.DataFrame(
        {
            "recency": np.maximum(1.0, np.floor((history.T - history.t_x) * 7)),
            "tenure": tenure + 1,
            "order_days_total": history.x + 1,
            "order_days_12": history.x + 1,
            "amount_12": (history.x + 1) * rng.lognormal(5, 1, size=accounts),
            "label": silent.astype(float),
        }
    )


@pytest.mark.parametrize("name", ["recency", "rfm_logistic", "bg_nbd"])
def test_each_predicts_probabilities_and_leaves_its_input_alone(name):
    train, test = matrix(seed=1), matrix(seed=2)
    before = train.copy(deep=True), test.copy(deep=True)
    predicted = baselines(91)[name].fit(train).predict(test)
    pd.testing.assert_frame_equal(train, before[0])
    pd.testing.assert_frame_equal(test, before[1])
    assert predicted.shape == (len(test),)
    assert predicted.dtype == np.float64
    assert ((predicted > 0) & (predicted < 1)).all()
    assert predicted[test["label"] == 1].mean() > predicted[test["label"] == 0].mean() + 0.1
    assert predicted == pytest.approx(baselines(91)[name].fit(train).predict(test), abs=0)


def test_recency_ranks_as_recency_does():
    test = matrix(seed=2)
    predicted = baselines(91)["recency"].fit(matrix(seed=1)).predict(test)
    order = np.argsort(test["recency"].to_numpy())
    steps = np.diff(predicted[order])
    assert (steps[np.diff(test["recency"].to_numpy()[order]) > 0] > 0).all()
    assert (steps[np.diff(test["recency"].to_numpy()[order]) == 0] == 0).all()


def test_more_returned_than_bought_counts_as_nothing_bought():
    test = matrix(seed=2).head(2).assign(recency=30.0, order_days_12=2.0, amount_12=[-500.0, 0.0])
    first, second = baselines(91)["rfm_logistic"].fit(matrix(seed=1)).predict(test)
    assert first == second


def test_bg_nbd_looks_at_no_label():
    train, test = matrix(seed=1), matrix(seed=2)
    model = baselines(91)["bg_nbd"]
    expected = model.fit(train).predict(test)
    assert (model.fit(train.iloc[:0]).predict(test.drop(columns="label")) == expected).all()


@pytest.mark.parametrize("name", ["recency", "rfm_logistic", "bg_nbd"])
def test_missing_columns_and_numbers_are_told_by_name_and_count(name):
    fitted = baselines(91)[name].fit(matrix(seed=1))
    with pytest.raises(ContractError, match=r"Missing columns: recency\. There are: tenure"):
        fitted.predict(matrix(seed=2).drop(columns="recency"))
    holed = matrix(seed=2)
    holed.loc[:4, "recency"] = np.nan
    with pytest.raises(ContractError, match=r"Of 400 rows these hold no finite number: recency in 5\."):
        fitted.predict(holed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.assign(label=1.0), r"label holds \[1\.0\] in 400 training rows"),
        (lambda frame: frame.assign(label=frame["label"].where(frame.index > 0)), r"label in 1\."),
        (lambda frame: frame.assign(recency=0.0), r"recency is below 1 day in 400 of 400 rows"),
    ],
)
def test_what_a_logistic_baseline_cannot_learn_from(change, message):
    with pytest.raises(ContractError, match=message):
        baselines(91)["recency"].fit(change(matrix()))


@pytest.mark.parametrize(
    "change",
    [{"recency": 9999.0}, {"order_days_total": 0.0}, {"recency": 50.0, "tenure": 50.0, "order_days_total": 2.0}],
)
def test_a_history_that_contradicts_itself_is_refused(change):
    with pytest.raises(ContractError, match=r"contradict one another in 400 of 400 rows, for example"):
        baselines(91)["bg_nbd"].fit(matrix()).predict(matrix().assign(**change))


def test_bg_nbd_takes_one_cutoff_at_a_time():
    stacked = pd.concat([matrix().assign(as_of=pd.Timestamp(2024, month, 1)) for month in (1, 2)])
    with pytest.raises(ContractError, match="given 2 cut-offs at once"):
        baselines(91)["bg_nbd"].fit(stacked).predict(stacked)


def test_without_a_repeat_order_there_is_nothing_to_fit():
    once = matrix().assign(order_days_total=1.0, recency=lambda frame: frame["tenure"])
    with pytest.raises(ConfigurationError, match=r"none of 400 accounts ordered on a second day\. Choose"):
        baselines(91)["bg_nbd"].fit(once).predict(once)


def test_a_search_that_does_not_arrive_is_an_error_with_a_next_step(monkeypatch):
    def lost(function, start, **_):
        return OptimizeResult(x=start, fun=1.0, jac=np.ones(4), success=False, message="went astray")

    monkeypatch.setattr(module, "minimize", lost)
    with pytest.raises(ConfigurationError, match=r"did not converge on 400 accounts \(went astray\)\. Look"):
        baselines(91)["bg_nbd"].fit(matrix()).predict(matrix())
