"""Why the model says so: additive in log-odds and in probability, and equal to the SHAP library's values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.attribution import contributions, group_contributions, grouped, points
from models.season import SEASON


def test_contributions_add_up_to_the_log_odds(model, matrix):
    values, base = contributions(model, matrix)
    np.testing.assert_allclose(values.sum(axis=1) + base, model.log_odds(matrix), atol=1e-6)


@pytest.mark.filterwarnings("ignore:LightGBM binary classifier")  # the library tells of a change of its own
def test_contributions_are_those_of_the_shap_library(model, matrix):
    shap = pytest.importorskip("shap")
    head = model.inputs(matrix.head(50))
    oracle = shap.TreeExplainer(model.booster).shap_values(head)
    oracle = oracle[1] if isinstance(oracle, list) else oracle
    values = contributions(model, matrix.head(50))[0]
    np.testing.assert_allclose(values.drop(columns=SEASON), oracle, atol=1e-6)
    assert set(values[SEASON]) == {0.0, 0.2}


def test_groups_add_up_like_the_values(model, matrix):
    values, base = contributions(model, matrix)
    groups = grouped(values)
    assert set(groups.columns) == {"symptom", "broken_promises", "staff_turnover", "product", "context"}
    np.testing.assert_allclose(groups.sum(axis=1) + base, model.log_odds(matrix), atol=1e-6)


def test_groups_need_no_values_of_features(model, matrix):
    groups = grouped(contributions(model, matrix)[0])
    pd.testing.assert_frame_equal(group_contributions(model, matrix)[groups.columns], groups, atol=1e-9)


def test_points_add_up_to_the_probability(model, matrix):
    values, base = contributions(model, matrix)
    parts = points(grouped(values), base)
    np.testing.assert_allclose(parts.sum(axis=1) + 1 / (1 + np.exp(-base)), model.predict(matrix), atol=1e-6)
    assert (np.sign(parts) == np.sign(grouped(values))).all(axis=None)


@given(
    start=st.floats(-15, 15),
    terms=st.lists(st.floats(-8, 8), min_size=1, max_size=6),
)
def test_points_add_up_wherever_they_lead(start, terms):
    parts = points(pd.DataFrame([terms]), start)
    high, low = (1 / (1 + np.exp(-x)) for x in (start + sum(terms), start))
    assert parts.sum(axis=1).iloc[0] == pytest.approx(high - low, abs=1e-9)


def test_terms_that_cancel_keep_their_sign_and_the_slope_of_the_curve():
    parts = points(pd.DataFrame({"one": [2.0], "other": [-2.0]}), 0.0)
    assert parts.iloc[0].tolist() == [0.5, -0.5]


def test_each_row_may_start_elsewhere():
    parts = points(pd.DataFrame({"one": [1.0, 1.0]}), np.array([0.0, -3.0]))
    expected = [1 / (1 + np.exp(-1)) - 0.5, 1 / (1 + np.exp(2)) - 1 / (1 + np.exp(3))]
    np.testing.assert_allclose(parts["one"], expected)


@settings(max_examples=200, deadline=None)
@given(
    row=st.integers(0, 199),
    name=st.sampled_from(["rebates_overdue", "manager_absent", "return_share_12"]),
    data=st.data(),
)
def test_evidence_that_gets_worse_never_lowers_its_own_contribution(model, matrix, row, name, data):
    """Monotone trees hold every leaf beyond a split above every leaf before it, so averages over the others are too."""
    now = matrix.iloc[[row % len(matrix)]]
    known = matrix[name].dropna()
    values = data.draw(st.tuples(*[st.floats(known.min() - 1, known.max() * 2 + 1)] * 2).map(sorted))
    both = pd.concat([now.assign(**{name: value}) for value in values], ignore_index=True)
    before, after = contributions(model, both)[0][name]
    assert after >= before - 1e-9
