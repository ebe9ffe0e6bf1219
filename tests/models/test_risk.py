import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigurationError, ContractError
from models.attribution import contributions, grouped
from models.reasons import evidence, named, observable, sentence, shares, taxonomy, worded
from models.risk import Recipe, RiskModel, fit
from models.splits import Split

NAMES = ["recency", "amount_12", "rebates_overdue", "manager_absent", "return_share_12"]
RECIPE = Recipe(40, 0.1, 8, 20, 1.0, 1.0, 1.0, 7)
DAYS = [date(2024, month, 1) for month in range(1, 7)]
AS_OF = date(2024, 7, 1)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(1)
    rows = 1200
    frame = pd.DataFrame(rng.gamma(2.0, 1.0, (rows, len(NAMES))), columns=NAMES)
    frame.loc[rng.random(rows) < 0.2, "return_share_12"] = np.nan
    odds = 1.2 * frame["rebates_overdue"] + 0.8 * frame["recency"] - 4.5
    frame["label"] = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    frame["as_of"] = [DAYS[place % 6] for place in range(rows)]
    return frame


@pytest.fixture(scope="module")
def model(matrix):
    split = Split(DAYS[5], tuple(DAYS), tuple(DAYS[4:]), tuple(DAYS[:3]))
    return fit(lambda days: matrix[matrix["as_of"].isin(list(days))], split, NAMES, RECIPE, {"horizon": "3 months"})


def test_contributions_add_up_to_the_calibrated_log_odds(model, matrix):
    values, base = contributions(model, matrix)
    np.testing.assert_allclose(values.sum(axis=1) + base, model.log_odds(matrix), atol=1e-6)


@pytest.mark.filterwarnings("ignore:LightGBM binary classifier")  # the library tells of a change of its own
def test_contributions_are_those_of_the_shap_library(model, matrix):
    shap = pytest.importorskip("shap")
    head = matrix[NAMES].head(50).to_numpy()
    oracle = shap.TreeExplainer(model.booster).shap_values(head)
    oracle = oracle[1] if isinstance(oracle, list) else oracle
    np.testing.assert_allclose(contributions(model, matrix.head(50))[0], oracle * model.calibration.slope, atol=1e-6)


def test_groups_add_up_like_the_values(model, matrix):
    values, base = contributions(model, matrix)
    groups = grouped(values)
    assert set(groups.columns) == {"symptom", "broken_promises", "staff_turnover", "product"}
    np.testing.assert_allclose(groups.sum(axis=1) + base, model.log_odds(matrix), atol=1e-6)


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


HAZARDS = pd.DataFrame({"broken_promises": [3.0, 0.05, 0.0], "product": [1.0, 0.0, 0.0]})


def test_shares_sum_to_one_and_what_cannot_be_seen_is_not_zero():
    share = shares(HAZARDS)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert share["share_competitor"].isna().all()
    assert share.loc[0, ["share_broken_promises", "share_product", "share_unexplained"]].tolist() == [0.6, 0.2, 0.2]
    assert share.loc[2, ["share_broken_promises", "share_unexplained"]].tolist() == [0.0, 1.0]


def test_where_no_reason_can_be_seen_all_is_unexplained():
    share = shares(pd.DataFrame(index=range(2)))
    assert share["share_unexplained"].tolist() == [1.0, 1.0]
    assert share.drop(columns="share_unexplained").isna().all(axis=None)
    assert named(share, 0.1)["reason_1"].tolist() == ["unexplained"] * 2


def test_small_shares_are_not_named():
    reasons = named(shares(HAZARDS), 0.1)
    assert reasons["reason_1"].tolist() == ["broken_promises", "unexplained", "unexplained"]
    assert reasons["reason_2"].iloc[0] == "product"
    assert reasons["reason_2"].iloc[1:].isna().all()


def test_evidence_is_the_strongest_features_sentence_with_the_accounts_own_numbers():
    frame = pd.DataFrame(
        {"rebates_overdue": [3.0], "rebates_overdue_oldest": [47.0], "rebates_overdue_amount": [1250.0]}
    )
    pushes = pd.DataFrame({"rebates_overdue": [0.9], "rebates_overdue_oldest": [0.1], "rebates_overdue_amount": [0.2]})
    reasons = pd.DataFrame({"reason_1": ["broken_promises"], "reason_2": [None], "reason_3": [None]})
    words = evidence(frame, pushes, reasons, AS_OF)
    assert words.loc[0, "evidence_1"] == "3 rebates are overdue, the oldest by 47 days."
    assert words.loc[0, "evidence_2"] is None
    gone = evidence(frame.assign(rebates_overdue=np.nan), pushes, reasons, AS_OF)  # what has no value is no evidence
    assert gone.loc[0, "evidence_1"] == "1,250 of rebates are overdue."
    assert evidence(frame * np.nan, pushes, reasons, AS_OF).loc[0, "evidence_1"] is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1, "days", "1 day"),
        (12345.6, "money", "12,346"),
        (0.234, "share", "23 %"),
        (0.0125, "share", "1.2 %"),
        (np.nan, "money", "no value"),
        (2.345, "ratio", "2.3"),
    ],
)
def test_numbers_are_worded(value, unit, text):
    assert worded(value, unit) == text


def test_every_sentence_can_be_filled():
    from features.catalog import FEATURES

    by_name = {feature.name: feature for feature in FEATURES}
    row = pd.Series(dict.fromkeys(by_name, 1.0))
    for feature in FEATURES:
        assert "{" not in sentence(feature, row, by_name, AS_OF)


def test_observable_reasons_come_from_the_declarations():
    assert observable(["recency"]) == ()
    assert observable(NAMES) == ("broken_promises", "staff_turnover", "product")


def test_every_code_has_its_names_in_four_languages():
    for names in taxonomy().names.values():
        assert set(names) == {"en", "zh_Hans", "zh_Hant", "ro"}
        json.dumps(names)


def test_evidence_moves_the_risk_only_in_the_direction_in_which_it_harms(model, matrix):
    before = model.predict(matrix)
    for name, step in (("rebates_overdue", 1.0), ("manager_absent", 2.0), ("return_share_12", 0.5)):
        assert (model.predict(matrix.assign(**{name: matrix[name] + step})) >= before - 1e-12).all(), name
