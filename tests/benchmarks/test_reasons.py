"""What the benchmark of reasons measures: right answers against the best there are, calibration, names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import reasons
from benchmarks.reasons import ALL, CODES, OURS, SIX, TAUGHT, TOLD, Market, Measured, metrics_of, table, worst
from benchmarks.reasons_page import page, picture
from models.naming import LEAST_SECOND, least_share
from models.stability import Placebo
from pipeline.params import load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def params():
    return load(ROOT, "simulated")


def market_of(seed: int, method=lambda true: true, scenario: str = "plain", count: int = 3000) -> Market:
    """Losses whose reasons are drawn by their hazards; `method` makes shares of the true ones."""
    rng = np.random.default_rng(seed)
    hazard = rng.exponential(1, (count, 9)) ** 3
    true = hazard / hazard.sum(axis=1, keepdims=True)
    drawn = (true.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    losses = pd.DataFrame(hazard, columns=[f"hazard_{code}" for code in ALL]).assign(reason=np.array(ALL)[drawn])
    share = pd.DataFrame(method(true), columns=[f"share_{code}" for code in ALL])
    common = pd.DataFrame({f"share_{code}": 1 / 9 for code in ALL}, losses.index)
    methods = {"most common reason": common, OURS: share, TAUGHT: share}
    learned = {OURS: share, TAUGHT: share}
    return Market(
        scenario, seed, losses, methods, learned, {"all": 0.05, "large": 0.01}, {"product": Placebo(0.02, 0.01)}
    )


def value(market: Market, metric: str, params) -> float:
    return float(metrics_of(market, OURS, params)[metric][0])


def test_true_shares_are_as_good_as_can_be_and_calibrated(params):
    market = market_of(1)
    for metric in ("rel7", "rel6", "rel8"):
        assert value(market, metric, params) == 1.0
    assert value(market, "ece", params) < 0.01
    assert value(market, "precision", params) > least_share(params.explain.precision)
    top = market.methods[OURS][[f"share_{code}" for code in CODES]].max(axis=1)
    assert value(market, "named", params) == pytest.approx((top >= least_share(params.explain.precision)).mean())


def test_shares_without_information_are_as_good_as_chance(params):
    flat = market_of(1, lambda true: np.full_like(true, 1 / 9))
    right = (flat.losses["reason"] == SIX[0]).sum() / flat.losses["reason"].isin(SIX).sum()
    best = flat.losses[flat.losses["reason"].isin(SIX)]
    bayes = (
        best[[f"hazard_{code}" for code in SIX]].idxmax(axis=1).str.removeprefix("hazard_") == best["reason"]
    ).mean()
    assert value(flat, "rel6", params) == pytest.approx(right / bayes)
    assert value(flat, "named", params) == 0


def test_of_two_candidates_either_may_be_the_true_one(params):
    market = market_of(1)
    share = market.methods[OURS]
    values = np.sort(share[[f"share_{code}" for code in CODES]].to_numpy(), axis=1)
    least = least_share(params.explain.precision)
    two = (values[:, -1] < least) & (values[:, -1] + values[:, -2] >= least) & (values[:, -2] >= LEAST_SECOND)
    assert value(market, "two", params) == pytest.approx(two.mean())
    assert value(market, "either", params) == pytest.approx((values[two, -1] + values[two, -2]).mean(), abs=0.05)


def test_shares_that_are_too_sure_are_not_calibrated(params):
    sure = market_of(1, lambda true: true**4 / (true**4).sum(axis=1, keepdims=True))
    assert value(sure, "rel6", params) == 1.0  # the order is the same
    assert value(sure, "ece", params) > 0.02
    assert value(sure, "ece_first", params) > 0.1


def test_a_method_without_shares_has_no_calibration(params):
    market = market_of(1)
    scores = market.methods[OURS].drop(columns="share_unexplained") * 7
    found = metrics_of(Market("plain", 1, market.losses, {"z": scores}, {}, {}, {}), "z", params)
    assert set(found) == {"rel7", "rel6", "rel8"}


def test_intervals_hold_the_value_and_the_mean_over_markets_is_narrower(params):
    markets = [market_of(seed, lambda true: true[::-1]) for seed in (1, 2, 3, 4)]
    cells, means = table(markets, params)
    one, mean = cells.loc[("plain", 1, OURS), "rel7"], means.loc[OURS, "rel7"]
    assert isinstance(one, Measured)
    assert one.low <= one.value <= one.high
    assert mean.high - mean.low < one.high - one.low
    assert mean.value == pytest.approx(
        np.mean([cells.loc[("plain", seed, OURS), "rel7"].value for seed in (1, 2, 3, 4)])
    )


def test_the_interval_of_an_error_lies_as_far_below_it_as_its_resamples_lie_above():
    draws = np.concatenate([[0.05], np.linspace(0.06, 0.08, 201)])
    found = Measured.of_error(draws)
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.0205, 0.0395))
    assert Measured.of_error(np.concatenate([[0.01], np.full(200, 0.03)])).low == 0.0


def test_the_mean_over_markets_has_the_interval_of_its_resamples():
    found = Measured.over([0.0, 0.1, float("nan"), 0.2])
    assert found.value == pytest.approx(0.1)
    assert 0.0 <= found.low < 0.1 < found.high <= 0.2 + 1e-9
    assert np.isnan(Measured.over([float("nan")]).value)


def test_a_difference_is_of_the_same_resamples(params):
    market = market_of(1, lambda true: true[::-1])
    same = [replace(market, methods={**market.methods, TOLD: market.methods[OURS]})]
    assert reasons.difference(same, OURS, TOLD, params)["rel7"] == Measured(0.0, 0.0, 0.0)


def test_the_worst_scenario_is_by_the_mean_over_its_seeds(params):
    flat = lambda true: np.full_like(true, 1 / 9)  # noqa: E731
    markets = [market_of(1), market_of(2), market_of(3, flat, "hidden"), market_of(4, flat, "hidden")]
    scenario, low = worst(table(markets, params)[0], "rel7")
    assert scenario == "hidden"
    assert low < 0.5


def test_the_page_tells_what_was_measured(params, tmp_path):
    markets = [market_of(1), market_of(2, scenario="placebo")]
    text = page(markets, params, "holdfast reasons --benchmark")
    assert "```sh\nholdfast reasons --benchmark\n```\n" in text
    assert "| mean over markets | Holdfast | 1.000 (1.000 to 1.000) |" in text
    assert "| placebo 2 | most common reason |" in text
    assert "another reason's in 5.0% (5.0% to 5.0%) of the losses" in text
    assert "gets 2.0% (2.0% to 2.0%) of the shares" in text
    assert "and 1.0% (1.0% to 1.0%) by what was learned alone" in text
    assert "| rel7 | 1.000 | 0.730 | met |" in text
    assert "(placebo, quiet): rel7 1.000, rel6 1.000." in text
    assert "nan" not in text
    assert "told every true reason, Holdfast" not in text  # nothing is said of a method that was not measured
    picture(markets, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_page_tells_how_far_it_is_from_being_told_every_reason(params):
    market = market_of(1, lambda true: true[::-1])
    best = market_of(1).methods[OURS]
    markets = [replace(market, methods={**market.methods, TOLD: best})]
    means = table(markets, params)[1]["rel7"]
    off = means[TOLD].value - means[OURS].value
    assert off > 0.3
    text = page(markets, params, "command")
    assert f"without a single one: -{off:.3f} (-" in text
    assert f"| rel7 of the model told every true reason, at least | {1 - off:.3f} | 1.000 | missed |" in text
    assert "settings on which nothing was chosen" not in text  # none of them was measured
    turned = [replace(market, methods={**market.methods, TOLD: market.methods[OURS], OURS: best})]
    assert f"without a single one: +{off:.3f} (+" in page(turned, params, "command")


def test_a_small_market_from_simulation_to_shares(params):
    small = params.model_copy(
        update={
            "reasons": params.reasons.model_copy(update={"bags": 2, "rounds": 20, "min_leaf": 50}),
            "train": params.train.model_copy(update={"rounds": 20, "min_leaf": 50}),
        }
    )
    (market,) = reasons.run([5], ["plain"], 400, 36, small, 1)
    assert len(market.losses) > 15
    assert set(market.methods) == {
        *("most common reason", TOLD, "largest z-score", "SHAP of the risk model by reason"),
        *(OURS, TAUGHT, reasons.WRITTEN, reasons.EVERY),
    }
    assert all(len(share) == len(market.losses) for share in market.methods.values())
    for method in (OURS, TOLD):
        np.testing.assert_allclose(market.methods[method].sum(axis=1), 1.0)
    assert 0 <= market.stability["all"] <= 1
    assert list(market.placebo) == ["competitor"]
    assert all(0 <= share <= 1 for share in market.placebo["competitor"])
    (own,) = reasons.run([5], ["plain"], 400, 36, small, 1, own_only=True)
    pd.testing.assert_frame_equal(own.methods[OURS], market.methods[OURS])
