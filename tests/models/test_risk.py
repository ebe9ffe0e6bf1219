import numpy as np
import pytest
from risk_recipes import DAYS, NAMES, RECIPE

from features.errors import ConfigurationError, ContractError
from models.risk import RiskModel, fit
from models.splits import Split


def test_calibration_is_learned_out_of_time(model):
    assert (model.calibration.intercept, model.calibration.slope) != (0.0, 1.0)


def test_saved_and_loaded_it_predicts_the_same_and_has_the_same_hash(model, matrix, tmp_path):
    model.save(tmp_path / "model")
    again = RiskModel.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(matrix), model.predict(matrix))
    assert again.content_hash == model.content_hash
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.txt"]


def test_the_same_rows_give_the_same_bytes(model, matrix, tmp_path):
    split = Split(DAYS[5], tuple(DAYS), tuple(DAYS[4:]), tuple(DAYS[:3]))
    again = fit(lambda days: matrix[matrix["as_of"].isin(list(days))], split, NAMES, RECIPE, {"horizon": "3 months"})
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


def test_one_class_is_refused(matrix):
    split = Split(DAYS[5], tuple(DAYS), (), ())
    with pytest.raises(ConfigurationError, match="no account was lost"):
        fit(lambda days: matrix.assign(label=0.0), split, NAMES, RECIPE, {})


def test_evidence_moves_the_risk_only_in_the_direction_in_which_it_harms(model, matrix):
    before = model.predict(matrix)
    for name, step in (("rebates_overdue", 1.0), ("manager_absent", 2.0), ("return_share_12", 0.5)):
        assert (model.predict(matrix.assign(**{name: matrix[name] + step})) >= before - 1e-12).all(), name
