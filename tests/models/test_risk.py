from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from risk_recipes import META, NAMES, RECIPE

from features.errors import ConfigurationError, ContractError
from models.risk import RiskModel, fit


def test_saved_and_loaded_it_predicts_the_same_and_has_the_same_hash(model, matrix, tmp_path):
    model.save(tmp_path / "model")
    again = RiskModel.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(matrix), model.predict(matrix))
    assert again.content_hash == model.content_hash
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.txt"]


def test_the_same_rows_give_the_same_bytes(model, matrix, tmp_path):
    again = fit(matrix, NAMES, RECIPE, META)
    model.save(tmp_path / "one")
    again.save(tmp_path / "two")
    for name in ("model.txt", "model.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.filterwarnings("ignore:.*Any type hint")  # MLflow warns of its own classes
def test_the_logged_scorer_agrees(model, matrix, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    from types import SimpleNamespace

    from models import scorer

    assert mlflow
    model.save(tmp_path / "model")
    logged = scorer.Scorer()
    logged.load_context(SimpleNamespace(artifacts={"model": str(tmp_path / "model")}))
    np.testing.assert_allclose(logged.predict(None, matrix)["risk"], model.predict(matrix), atol=1e-12)


def test_a_missing_model_says_what_to_run(tmp_path):
    with pytest.raises(ConfigurationError, match=r"model\.txt is missing\. Run `holdfast train` first"):
        RiskModel.load(tmp_path)


def test_a_missing_feature_is_named(model, matrix):
    with pytest.raises(ContractError, match="1 of the model's 5 features are missing, for example 'recency'"):
        model.predict(matrix.drop(columns="recency"))


def test_evidence_moves_the_risk_only_in_the_direction_in_which_it_harms(model, matrix):
    before = model.predict(matrix)
    for name, step in (("rebates_overdue", 1.0), ("manager_absent", 2.0), ("return_share_12", 0.5)):
        assert (model.predict(matrix.assign(**{name: matrix[name] + step})) >= before - 1e-12).all(), name


def test_silence_for_longer_is_never_likelier(model, matrix):
    assert model.steps == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    log_odds = model.log_odds_by_horizon(matrix, [model.main, *model.steps])
    assert log_odds.shape == (len(matrix), 7)
    assert (np.diff(log_odds[:, 1:], axis=1) <= 0).all()
    assert (log_odds[:, 1] > log_odds[:, 6]).any()
    np.testing.assert_array_equal(log_odds[:, 0], log_odds[:, 3])
    np.testing.assert_array_equal(log_odds[:, 5], model.log_odds(matrix, 5))


def test_a_horizon_that_is_asked_for_twice_is_worked_out_once(model, matrix, monkeypatch):
    asked = []
    predict = lgb.Booster.predict
    monkeypatch.setattr(lgb.Booster, "predict", lambda *given, **more: asked.append(1) or predict(*given, **more))
    model.log_odds_by_horizon(matrix, [model.main, *model.steps])
    assert len(asked) == 6  # the label's horizon is one of them


def test_the_interval_holds_the_risk_and_widens_with_the_certainty(model, matrix):
    log_odds = model.log_odds(matrix)
    low, high = model.interval(log_odds, 0.8)
    wide_low, wide_high = model.interval(log_odds, 0.95)
    risk = model.predict(matrix)
    assert ((wide_low > 0) & (wide_low < low) & (low < risk) & (risk < high) & (high < wide_high)).all()
    # .8 of a normal lies within 1.2816 standard deviations of .2
    np.testing.assert_allclose(np.log(high / (1 - high)) - log_odds, 1.2816 * 0.2, atol=1e-4)


def test_a_spread_that_was_not_measured_gives_no_interval(model, matrix):
    unmeasured = replace(model, meta={**model.meta, "spread": None})
    assert np.isnan(unmeasured.interval(unmeasured.log_odds(matrix), 0.8)).all()


def test_a_model_of_another_version_is_refused(model, tmp_path):
    old = {name: value for name, value in model.meta.items() if name not in ("steps", "spread")}
    replace(model, meta=old).save(tmp_path / "model")
    with pytest.raises(
        ConfigurationError, match=r"lacks spread, steps: another version made it\. Run `holdfast train`"
    ):
        RiskModel.load(tmp_path / "model")
