"""The knapsacks: against brute force and the greedy list, and what a minute more would earn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from models import allocation
from models.allocation import allocate, fits_alone, greedy


@st.composite
def problems(draw, most=9, limits=4):
    n, m = draw(st.integers(1, most)), draw(st.integers(1, limits))
    profit = draw(st.lists(st.integers(-20, 60), min_size=n, max_size=n))
    minutes = draw(st.lists(st.integers(1, 90), min_size=n, max_size=n))
    draws = np.zeros((m, n), np.int64)
    for item in range(n):
        draws[draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=m, unique=True)), item] = 1
    caps = draw(st.lists(st.integers(0, 200), min_size=m, max_size=m))
    return np.array(profit, float), np.array(minutes), csr_array(draws), np.array(caps)


def brute_force(profit, minutes, draws, limits):
    choices = np.array(list(product([0, 1], repeat=len(profit))))
    fits = (choices @ (draws.toarray() * minutes).T <= limits).all(axis=1)
    return (choices @ profit)[fits].max()


@given(problems())
@settings(deadline=None, max_examples=100)
def test_it_is_the_best_of_all_choices(case):
    profit, _, _, _ = case
    found = allocate(*case, 0.0, 1000)
    assert profit[found.chosen].sum() == pytest.approx(brute_force(*case), abs=1e-6)
    assert found.bound == pytest.approx(brute_force(*case), abs=1e-3)
    assert found.by_greed == 0


# Equals of which the first does not fit: where the other was chosen it was once taken in its place.
EQUALS = (np.array([1.0, 1.0]), np.array([1, 1]), csr_array(np.array([[1, 0], [0, 1]])), np.array([0, 1]))


@given(problems(most=40, limits=6), st.sampled_from([0.0, 0.01, 0.5]))
@example(EQUALS, 0.0)
@settings(deadline=None, max_examples=50)
def test_no_limit_is_passed_and_the_greedy_list_is_never_better(case, gap):
    profit, minutes, draws, limits = case
    found = allocate(*case, gap, 1000)
    used = draws @ np.where(found.chosen, minutes, 0)
    assert (used <= limits).all()
    assert (profit[found.chosen] > 0).all()
    by_hand = np.zeros(len(profit), bool)  # a greedy list written anew
    for item in sorted(range(len(profit)), key=lambda item: (-profit[item] / minutes[item], item)):
        by_hand[item] = profit[item] > 0
        if (draws @ np.where(by_hand, minutes, 0) > limits).any():
            by_hand[item] = False
    assert greedy(*case).tolist() == by_hand.tolist()
    assert profit[found.chosen].sum() >= profit[by_hand].sum() - 1e-9
    assert found.bound >= profit[found.chosen].sum() - 1e-6
    for item in np.flatnonzero(~found.chosen & (profit > 0)):  # nothing that still fits is left out
        assert (used + draws.toarray()[:, item] * minutes[item] > limits).any()


@given(problems(most=12))
@settings(deadline=None, max_examples=50)
def test_the_value_of_a_minute_is_that_of_the_relaxation(case):
    """A dual value bounds the gain: the relaxation with a minute more earns no more than that on top."""
    profit, minutes, draws, limits = case
    found = allocate(*case, 0.0, 1000)
    assert (found.shadow >= -1e-9).all()
    open_ = (profit > 0) & fits_alone(minutes, draws, limits)
    for limit in np.flatnonzero(draws @ np.where(open_, minutes, 0) <= limits):
        assert found.shadow[limit] == 0


def test_worked_numbers():
    """60 minutes; 30 for 50, 40 for 60, 30 for 30: the first and the third, though the second earns most. Relaxed, the
    second fills the last 30 minutes at 1.5 a minute."""
    found = allocate(
        np.array([50.0, 60.0, 30.0]), np.array([30, 40, 30]), csr_array(np.ones((1, 3), int)), np.array([60]), 0.0, 100
    )
    assert found.chosen.tolist() == [True, False, True]
    assert found.shadow[0] == pytest.approx(1.5)
    assert (found.blocks, found.by_greed) == (1, 0)


def test_blocks_that_share_no_limit_are_solved_apart_and_what_is_not_short_is_not_solved():
    draws = csr_array(np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]))
    found = allocate(np.ones(5), np.full(5, 10), draws, np.array([10, 10, 10]), 0.0, 100)
    assert found.blocks == 2
    assert found.chosen.tolist() == [True, False, True, False, True]
    joined = csr_array(np.vstack([draws.toarray(), np.ones(5, int)]))
    assert allocate(np.ones(5), np.full(5, 10), joined, np.array([10, 10, 10, 20]), 0.0, 100).blocks == 1


def test_of_equals_the_first_are_chosen():
    found = allocate(np.full(9, 2.0), np.full(9, 7), csr_array(np.ones((1, 9), int)), np.array([30]), 0.0, 100)
    assert found.chosen.tolist() == [True] * 4 + [False] * 5


def test_a_solver_that_finds_nothing_gives_the_greedy_list_and_says_so(monkeypatch):
    class Nothing:
        x, status, mip_dual_bound = None, 1, None

    monkeypatch.setattr(allocation, "milp", lambda *given, **options: Nothing())
    case = np.array([50.0, 60.0]), np.array([30, 40]), csr_array(np.ones((1, 2), int)), np.array([60])
    found = allocate(*case, 0.0, 1)
    assert found.by_greed == 1
    assert found.chosen.tolist() == greedy(*case).tolist() == [True, False]
    assert found.bound == pytest.approx(95.0)  # of the relaxation


def test_an_answer_beyond_a_limit_is_not_taken(monkeypatch):
    class TooMuch:
        x, status, mip_dual_bound = np.ones(2), 0, -1000.0

    monkeypatch.setattr(allocation, "milp", lambda *given, **options: TooMuch())
    found = allocate(np.ones(2), np.array([30, 40]), csr_array(np.ones((1, 2), int)), np.array([60]), 0.0, 1)
    assert found.chosen.sum() == 1
    assert found.by_greed == 1
