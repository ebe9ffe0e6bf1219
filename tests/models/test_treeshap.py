from fractions import Fraction
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest

from models import treeplan, treeshap
from models.treeplan import read
from models.treeshap import GroupShap

FEATURES = 8
PARAMETERS = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 15, "min_data_in_leaf": 10}
# name -> what LightGBM is told beside PARAMETERS
KINDS = {
    "plain": {},
    "stumps": {"num_leaves": 2},
    "many leaves": {"num_leaves": 63, "min_data_in_leaf": 2},
    "shallow": {"max_depth": 3},
    "bagging": {"bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.6},
    "monotone": {"monotone_constraints": [1, -1, 0, 1, 0, 0, -1, 0], "monotone_constraints_method": "advanced"},
    "zero as missing": {"zero_as_missing": True},
    "no missing": {"use_missing": False},
    "few bins": {"max_bin": 3},
    "forest": {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    "dart": {"boosting": "dart", "drop_rate": 0.5},
    "regression": {"objective": "regression"},
}


def sample(rows, seed, features=FEATURES):
    """Rows with much that is missing, zero, tiny, infinite, or tied."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, features))
    matrix[:, 1::4] = rng.integers(-2, 3, matrix[:, 1::4].shape)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    matrix[rng.random(matrix.shape) < 0.1] = 0.0
    for value in (1e-35, -1e-35, 1e-36, -1e-30, np.inf, -np.inf, 1e300, -1e300):
        matrix[rng.random(matrix.shape) < 0.01] = value
    matrix[:, 0] = np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows))
    return matrix


def odds(matrix):
    """Of the label: missing values tell, and features work together, so that paths meet a feature more than once."""
    calm = np.clip(np.nan_to_num(matrix, nan=-1.0), -2, 2)
    return np.isnan(matrix[:, 0]) * 2.0 + calm[:, 1] * calm[:, 2] + np.sin(3 * calm[:, 3]) + calm[:, 4] + calm[:, 6]


def train(matrix, rounds=12, seed=0, init_model=None, **parameters):
    noise = np.random.default_rng(seed).logistic(size=len(matrix))
    label = (odds(matrix) + noise > 0).astype(float)
    return lgb.train(
        {**PARAMETERS, "seed": seed, **parameters}, lgb.Dataset(matrix, label), rounds, init_model=init_model
    )


def check(booster, matrix, group=None, tolerance=1e-10):
    """Equality with LightGBM, by feature or by group."""
    group = np.arange(matrix.shape[1]) if group is None else np.asarray(group)
    theirs = np.asarray(booster.predict(matrix, pred_contrib=True))
    shap = GroupShap.of(booster, group)
    sums = np.stack([theirs[:, :-1][:, group == number].sum(axis=1) for number in range(group.max() + 1)], axis=1)
    np.testing.assert_allclose(shap.values(matrix), sums, rtol=0, atol=tolerance)
    np.testing.assert_allclose(shap.base, theirs[:, -1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_values_are_those_of_lightgbm(kind, seed):
    booster = train(sample(800, seed), seed=seed, **KINDS[kind])
    assert booster.num_trees() == 12
    check(booster, sample(300, seed + 100))


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_sums(seed):
    group = np.random.default_rng(seed).integers(0, 3, FEATURES)
    check(train(sample(800, seed), seed=seed), sample(300, seed + 100), group)


def test_a_group_without_features_gets_nothing():
    shap = GroupShap.of(train(sample(800, 1)), [0, 0, 2, 2, 0, 0, 2, 2])
    values = shap.values(sample(50, 2))
    assert values.shape == (50, 3)
    assert not values[:, 1].any()
    assert values[:, 2].any()


def test_with_the_base_they_are_the_raw_score():
    booster, matrix = train(sample(800, 1)), sample(300, 2)
    shap = GroupShap.of(booster, np.arange(FEATURES) % 2)
    raw = booster.predict(matrix, raw_score=True)
    np.testing.assert_allclose(shap.values(matrix).sum(axis=1) + shap.base, raw, rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:LightGBM binary classifier")  # the library tells of a change of its own
def test_values_are_those_of_the_shap_library():
    shap = pytest.importorskip("shap")
    booster, matrix = train(sample(800, 1)), np.random.default_rng(2).normal(size=(50, FEATURES))
    oracle = shap.TreeExplainer(booster).shap_values(matrix)
    oracle = oracle[1] if isinstance(oracle, list) else oracle
    np.testing.assert_allclose(GroupShap.of(booster, np.arange(FEATURES)).values(matrix), oracle, atol=1e-6)


def chain(length, rounds=3):
    """One tree that is a chain: its deepest leaf is beyond `length` decisions, each on a feature of its own."""
    rng = np.random.default_rng(length)
    matrix = rng.normal(size=(6000, length)) + 1.5
    label = np.cumprod(matrix > 0, axis=1).sum(axis=1) + rng.normal(scale=0.01, size=6000)
    parameters = {"objective": "regression", "num_leaves": length + 1, "min_data_in_leaf": 1, "max_bin": 15}
    return lgb.train({**PARAMETERS, **parameters}, lgb.Dataset(matrix, label), rounds), rng.normal(
        size=(300, length)
    ) + 1.5


@pytest.mark.parametrize("length", [10, 14, 30])
def test_deep_paths(length):
    booster, matrix = chain(length)
    assert max(len(leaf.features) for tree in read(booster) for leaf in tree) > 9
    matrix[::7, ::2] = np.nan
    # LightGBM divides its way back along a path, and loses digits on long ones: see the next test
    check(booster, matrix, tolerance=1e-10 if length < 30 else 1e-8)
    check(booster, matrix, np.arange(length) % 3, tolerance=1e-10 if length < 30 else 1e-8)


def by_the_definition(leaves, row):
    """Shapley's sum over the sizes of coalitions in exact fractions, for a row without zeros or missing values."""
    values = [Fraction(0)] * len(row)
    for leaf in leaves:
        share = {feature: Fraction(1) for feature in leaf.features}
        met = {feature: 1 for feature in leaf.features}
        for step in leaf.path:
            share[step.feature] *= Fraction(step.share)
            met[step.feature] &= (row[step.feature] > step.threshold) == step.right
        for feature in leaf.features:
            games = [Fraction(1)]  # by size of coalition: what the coalitions of the other features are worth
            for other in set(leaf.features) - {feature}:
                out, into = [*games, 0], [0, *games]
                games = [share[other] * a + met[other] * b for a, b in zip(out, into, strict=True)]
            size = len(games)
            mean = sum(
                g * Fraction(factorial(k) * factorial(size - 1 - k), factorial(size)) for k, g in enumerate(games)
            )
            values[feature] += Fraction(leaf.value) * (met[feature] - share[feature]) * mean
    return [float(value) for value in values]


@pytest.mark.parametrize("row", [3, 4])
def test_deep_paths_are_exact(row):
    booster, matrix = chain(16, rounds=1)
    (leaves,) = read(booster)
    assert max(len(leaf.features) for leaf in leaves) > 12
    values = GroupShap.of(booster, np.arange(16)).values(matrix[row : row + 1])[0]
    np.testing.assert_allclose(values, by_the_definition(leaves, matrix[row]), rtol=0, atol=1e-14)


def test_a_path_over_too_many_features_is_refused(monkeypatch):
    booster, _ = chain(14)
    monkeypatch.setattr(treeplan, "MOST_FEATURES", 9)
    with pytest.raises(ValueError, match=r"A path runs over \d\d features; SHAP by group explains up to 9"):
        GroupShap.of(booster, np.arange(14))


def test_a_feature_with_too_many_thresholds_is_refused(monkeypatch):
    monkeypatch.setattr(treeplan, "MOST_THRESHOLDS", 3)
    with pytest.raises(ValueError, match="A feature has over 3 thresholds; SHAP by group counts them in 16 bits"):
        GroupShap.of(train(sample(800, 1)), np.arange(FEATURES))


def test_trees_that_read_missing_values_in_their_own_ways():
    """A model trained further on other data: one feature, several treatments of NaN and zero."""
    whole = np.nan_to_num(sample(800, 1))
    booster = train(whole, seed=1)
    booster = train(sample(800, 2), seed=2, init_model=booster)
    booster = train(sample(800, 3), seed=3, init_model=booster, zero_as_missing=True)
    kinds = {step.column.missing for tree in read(booster) for leaf in tree for step in leaf.path}
    assert kinds == {"None", "NaN", "Zero"}
    check(booster, sample(300, 4))


def test_an_infinite_threshold_parts_missing_values_from_infinite_ones():
    matrix = np.random.default_rng(1).normal(size=(500, 1))
    matrix[::3] = np.nan
    booster = lgb.train(PARAMETERS, lgb.Dataset(matrix, np.isnan(matrix[:, 0]).astype(float)), 3)
    assert np.inf in {step.threshold for tree in read(booster) for leaf in tree for step in leaf.path}
    check(booster, np.array([[np.inf], [-np.inf], [np.nan], [0.0], [1e301]]))


def test_a_saved_model_gives_the_same(tmp_path):
    booster, matrix = train(sample(800, 1)), sample(100, 2)
    booster.save_model(str(tmp_path / "model.txt"))
    saved = lgb.Booster(model_file=str(tmp_path / "model.txt"))
    check(saved, matrix)
    group = np.arange(FEATURES)
    np.testing.assert_array_equal(
        GroupShap.of(saved, group).values(matrix), GroupShap.of(booster, group).values(matrix)
    )


def test_an_early_stopped_model_is_explained_as_it_predicts():
    booster = train(sample(800, 1))
    booster.best_iteration = 5
    check(booster, sample(50, 2))


def test_a_constant_model_is_its_base():
    matrix = sample(200, 1)
    booster = lgb.train({**PARAMETERS, "objective": "regression"}, lgb.Dataset(matrix, np.full(200, 3.5)), 2)
    check(booster, matrix)
    shap = GroupShap.of(booster, np.zeros(FEATURES, dtype=int))
    assert shap.base == pytest.approx(3.5)
    assert not shap.values(matrix).any()


def test_a_row_does_not_depend_on_the_rows_beside_it(monkeypatch):
    booster, matrix = train(sample(800, 1), num_leaves=63, min_data_in_leaf=2), sample(700, 2)
    shap = GroupShap.of(booster, np.arange(FEATURES))
    values = shap.values(matrix, threads=1)
    np.testing.assert_array_equal(shap.values(matrix[123:124]), values[123:124])
    np.testing.assert_array_equal(shap.values(np.asfortranarray(matrix), threads=2), values)
    monkeypatch.setattr(treeshap, "BLOCK", 37)
    np.testing.assert_array_equal(shap.values(matrix, threads=3), values)


def test_no_rows_give_no_values():
    assert GroupShap.of(train(sample(800, 1)), [0, 1] * 4).values(np.empty((0, FEATURES))).shape == (0, 2)


def test_the_matrix_is_left_as_it_was():
    matrix = sample(50, 2)
    before = matrix.copy()
    GroupShap.of(train(sample(800, 1)), np.arange(FEATURES)).values(matrix)
    np.testing.assert_array_equal(matrix, before)


def test_another_number_of_features_is_refused():
    shap = GroupShap.of(train(sample(800, 1)), np.arange(FEATURES))
    with pytest.raises(ValueError, match=r"matrix must be \(rows, 8 features\), as the model's, got \(5, 7\)"):
        shap.values(np.zeros((5, 7)))


@pytest.mark.parametrize("group", [[0, 1], [0.0] * FEATURES, [-1] * FEATURES])
def test_groups_that_do_not_fit_the_model_are_refused(group):
    with pytest.raises(ValueError, match="group must hold a whole number from 0 for each of the model's 8 features"):
        GroupShap.of(train(sample(800, 1)), group)


def test_categorical_splits_are_refused():
    rng = np.random.default_rng(1)
    matrix = rng.integers(0, 6, (600, 2)).astype(float)
    data = lgb.Dataset(matrix, (matrix[:, 0] % 2).astype(float), categorical_feature=[0], free_raw_data=False)
    booster = lgb.train(PARAMETERS, data, 2)
    with pytest.raises(ValueError, match="splits feature 0 by category"):
        GroupShap.of(booster, [0, 1])


def test_linear_trees_are_refused():
    matrix = np.random.default_rng(1).normal(size=(600, 2))
    data = lgb.Dataset(matrix, matrix[:, 0], params={"linear_tree": True})
    booster = lgb.train({**PARAMETERS, "objective": "regression", "linear_tree": True}, data, 2)
    with pytest.raises(ValueError, match="is a linear tree"):
        GroupShap.of(booster, [0, 1])


def test_several_classes_are_refused():
    matrix = np.random.default_rng(1).normal(size=(600, 2))
    parameters = {**PARAMETERS, "objective": "multiclass", "num_class": 3}
    booster = lgb.train(parameters, lgb.Dataset(matrix, np.arange(600) % 3), 2)
    with pytest.raises(ValueError, match="The model has 3 raw scores a row"):
        GroupShap.of(booster, [0, 1])


def test_trees_without_row_counts_are_refused():
    text = train(sample(800, 1), num_leaves=2).model_to_string().splitlines()
    text = ["internal_count=0" if line.startswith("internal_count=") else line for line in text]
    booster = lgb.Booster(model_str="\n".join(line for line in text if not line.startswith("tree_sizes")))
    with pytest.raises(ValueError, match="Tree 0 has no row counts"):
        GroupShap.of(booster, np.arange(FEATURES))
