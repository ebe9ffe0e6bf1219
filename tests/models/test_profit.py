"""Profit of contacting: worked numbers, plain loops, numerical integration, and empulse."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from empulse.metrics import empb_score, empc_score
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betainc, betaincinv

from models.profit import (
    Terms,
    contact_profit,
    curve,
    expected_maximum,
    expected_maximum_profit,
    per_contact,
    ranking,
)

TERMS = Terms(contact=50.0, incentive=10.0, incentive_share=0.05, alpha=4.0, beta=6.0)

money = st.floats(0, 1000).map(lambda amount: round(amount, 2))
some_terms = st.builds(
    Terms,
    contact=st.floats(0, 100),
    incentive=st.floats(0, 50),
    incentive_share=st.floats(0, 0.9),
    alpha=st.floats(0.5, 20),
    beta=st.floats(0.5, 20),
)


@st.composite
def accounts(draw, most=30):
    """Label, a score with many ties, and value of some accounts."""
    n = draw(st.integers(1, most))
    label = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n))
    score = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), min_size=n, max_size=n))
    value = draw(st.lists(money, min_size=n, max_size=n))
    return np.array(label), np.array(score), np.array(value)


def test_worked_numbers_of_one_contact():
    """Value 1000: the incentive is 10 + 5 % = 60. Lost for sure .4 (1000 - 60) - 50; kept for sure -60 - 50."""
    assert contact_profit([1.0, 0.0], [1000.0, 1000.0], TERMS) == pytest.approx([326.0, -110.0])
    assert contact_profit([0.25], [1000.0], TERMS) == pytest.approx([0.25 * 326.0 - 0.75 * 110.0])
    slope, intercept = per_contact([1.0, 0.0], [1000.0, 1000.0], TERMS)
    assert (slope, intercept) == (pytest.approx([940.0, 0.0]), pytest.approx([-50.0, -110.0]))


def test_a_risk_of_nothing_and_a_value_of_nothing_cost_the_contact():
    assert contact_profit([0.0, 0.9], [0.0, 0.0], Terms(50.0, 0.0, 0.05, 4.0, 6.0)) == pytest.approx([-50.0, -50.0])


@given(st.floats(0, 1), money, some_terms)
def test_profit_is_linear_in_value(risk, value, terms):
    none, once, twice = contact_profit([risk] * 3, [0.0, value, 2 * value], terms)
    assert twice - once == pytest.approx(once - none, abs=1e-6)


@given(accounts())
def test_places_are_those_of_sorted_keys_and_equals_share_one(case):
    label, score, value = case
    keys = sorted({(-a, -b) for a, b in zip(score, value, strict=True)})
    assert ranking(score, value).tolist() == [keys.index((-a, -b)) for a, b in zip(score, value, strict=True)]
    assert len(set(ranking(label * 0))) == 1


@given(accounts(), some_terms)
def test_the_curve_is_the_sum_of_the_accounts_contacted(case, terms):
    label, score, value = case
    place = ranking(score)
    found = curve(place, per_contact(label, value, terms))
    single = contact_profit(label, value, terms)
    expected = [single[place < ends].sum() for ends in range(max(place) + 2)]
    assert found.profit(terms.chance)[0] == pytest.approx(expected, abs=1e-6)
    assert found.contacts[0].tolist() == [(place < ends).sum() for ends in range(max(place) + 2)]
    assert (found.contacts[:, 0], found.profit(0.7)[:, 0]) == (0, 0)  # contacting nobody


@given(accounts(), some_terms, st.data())
def test_a_weight_is_a_repeated_account_and_the_order_says_nothing(case, terms, data):
    label, score, value = case
    times = data.draw(st.lists(st.integers(1, 3), min_size=len(label), max_size=len(label)))
    repeated = data.draw(st.permutations(np.repeat(np.arange(len(label)), times).tolist()))
    weighted = curve(ranking(score), per_contact(label, value, terms), np.array(times))
    plain = curve(ranking(score[repeated]), per_contact(label[repeated], value[repeated], terms))
    for part in ("contacts", "slope", "intercept"):
        np.testing.assert_allclose(getattr(weighted, part), getattr(plain, part), atol=1e-6)


def test_each_weighting_has_its_own_chance():
    place, lines = ranking([0.9, 0.1]), per_contact([1.0, 0.0], [100.0, 100.0], Terms(5.0, 0.0, 0.0, 1.0, 1.0))
    both = curve(place, lines, np.array([[1.0, 1.0], [2.0, 0.0]])).profit([0.2, 0.5])
    assert both.tolist() == [[0.0, 15.0, 10.0], [0.0, 90.0, 90.0]]


@given(accounts(), some_terms)
def test_no_ranking_earns_more_than_knowing_who_will_be_lost(case, terms):
    label, score, value = case
    single = contact_profit(label, value, terms)
    best = curve(ranking(score, value), per_contact(label, value, terms)).profit(terms.chance).max()
    assert 0 <= best <= single[single > 0].sum() + 1e-6


lines = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=12)
shapes = st.floats(0.7, 15)


@given(lines, shapes, shapes)
def test_the_expected_maximum_is_that_of_numerical_integration(given_lines, alpha, beta):
    slope, intercept = np.array(given_lines).T
    crossings = [
        (b - d) / (c - a) for a, b in given_lines for c, d in given_lines if a != c and 0 < (b - d) / (c - a) < 1
    ]
    cuts = sorted({0.0, 1.0, *crossings})
    # over the quantiles: the density itself may be infinite at both ends
    slow = sum(
        quad(
            lambda part: (slope * betaincinv(alpha, beta, part) + intercept).max(), low, high, epsrel=1e-6, epsabs=1e-6
        )[0]
        for low, high in pairwise(betainc(alpha, beta, cuts))
        if high - low > 1e-9
    )
    assert expected_maximum(slope, intercept, alpha, beta) == pytest.approx(slow, rel=1e-4, abs=1e-4)


@given(lines, shapes, shapes)
def test_the_expected_maximum_is_at_least_the_maximum_at_the_mean_and_does_not_depend_on_the_order(
    given_lines, alpha, beta
):
    slope, intercept = np.array(given_lines).T
    found = expected_maximum(slope, intercept, alpha, beta)
    assert found >= (slope * alpha / (alpha + beta) + intercept).max() - 1e-6
    assert expected_maximum(slope[::-1], intercept[::-1], alpha, beta) == pytest.approx(found, abs=1e-9)
    assert expected_maximum(*np.repeat([slope, intercept], 2, axis=1), alpha, beta) == pytest.approx(found, abs=1e-9)


def test_worked_numbers_of_the_expected_maximum():
    """0 or 100 gamma - 50, gamma uniform: the mean of 100 gamma - 50 over its upper half, 25, half of the time."""
    assert expected_maximum([0.0, 100.0], [0.0, -50.0], 1.0, 1.0) == pytest.approx(12.5)
    assert expected_maximum([0.0, 100.0], [0.0, -200.0], 2.0, 5.0) == pytest.approx(0.0)  # never worth it
    assert expected_maximum([3.0], [2.0], 4.0, 6.0) == pytest.approx(3.2)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_expected_maximum_profit_of_empulse(seed):
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 3, rng.integers(20, 400)).round(2)
    label = (rng.random(len(score)) < score).astype(int)
    label[:2] = 0, 1
    terms = Terms(rng.uniform(0, 20), rng.uniform(0, 30), 0.0, *rng.uniform(1, 20, 2))
    expected = empc_score(
        label,
        score,
        alpha=terms.alpha,
        beta=terms.beta,
        clv=200.0,
        incentive_cost=terms.incentive,
        contact_cost=terms.contact,
    )
    assert expected_maximum_profit(label, score, 200.0, terms) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_the_curve_is_the_maximum_profit_of_empulse_where_values_differ(seed):
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 3, rng.integers(20, 400)).round(2)
    label = (rng.random(len(score)) < score).astype(int)
    value = rng.gamma(0.7, 300.0, len(score))
    terms = Terms(rng.uniform(0, 20), 0.0, rng.uniform(0, 0.3), *rng.uniform(1, 20, 2))
    expected = empb_score(
        label,
        score,
        alpha=terms.alpha,
        beta=terms.beta,
        clv=value,
        incentive_fraction=terms.incentive_share,
        contact_cost=terms.contact,
    )
    found = curve(ranking(score), per_contact(label, value, terms)).profit(terms.chance).max() / len(score)
    assert found == pytest.approx(expected, abs=1e-9)


@given(accounts())
def test_one_score_for_all_leaves_nobody_or_everybody(case):
    label, _, _ = case
    single = contact_profit(label, np.full(len(label), 200.0), TERMS)
    assert curve(ranking(label * 0), per_contact(label, label * 0 + 200.0, TERMS)).profit(TERMS.chance)[
        0
    ] == pytest.approx([0.0, single.sum()])
    assert (
        expected_maximum_profit(label, label * 0, 200.0, TERMS)
        <= expected_maximum_profit(label, label, 200.0, TERMS) + 1e-9
    )
