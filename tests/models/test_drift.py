"""The index by hand, its share of false alarms where nothing changed, its power where something did, and its bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from models.drift import Bins, missing_by_chance, psi, psi_of_counts, swapped

NUMBERS = st.lists(
    st.one_of(st.none(), st.integers(-5, 5), st.floats(-1e6, 1e6)).map(
        lambda value: np.nan if value is None else value
    ),
    min_size=1,
    max_size=60,
)


def test_the_index_by_hand():
    # (30.5 / 101 - 50.5 / 101) ln(30.5 / 50.5), and the same of the other bin with the signs turned
    found = psi_of_counts(np.array([50.0, 50.0, 0.0]), np.array([30.0, 70.0, 0.0]))
    p, q = np.array([50.5, 50.5]) / 101, np.array([30.5, 70.5]) / 101
    assert found.value == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert found.freedom == 1
    assert found.scale == pytest.approx(0.02)
    assert found.expected == pytest.approx(0.02)
    assert found.by_chance(0.05) == pytest.approx(3.841 * 0.02, rel=1e-3)


def test_nobody_has_moved_nowhere():
    assert psi(np.empty(0), np.ones(3)).value == 0.0
    assert psi(np.ones(3), np.empty(0)).by_chance(0.01) == 0.0
    assert psi(np.ones(50), np.ones(70)).value == 0.0


@given(NUMBERS, NUMBERS)
def test_properties(before, now):
    shift = psi(before, now)
    assert np.isfinite(shift.value)
    assert shift.value >= 0
    assert psi(before, before).value == pytest.approx(0.0, abs=1e-12)
    bins = Bins.of(before)
    assert bins.counts(before).sum() == len(before)
    assert bins.counts(now).sum() == len(now)
    assert psi(now, before, bins).value == pytest.approx(shift.value)  # both directions in the same bins
    shuffled = np.random.default_rng(1).permutation(now)
    assert psi(before, shuffled).value == pytest.approx(shift.value)


def test_few_values_have_a_bin_each_and_so_has_what_is_missing_or_new():
    bins = Bins.of([0.0, 0.0, 1.0, 3.0, np.nan])
    assert bins.counts([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, np.nan]).tolist() == [1, 1, 2, 2, 1, 1]
    assert psi(np.zeros(500), np.r_[np.zeros(400), np.ones(100)]).value > 0.25  # a constant that is one no more
    assert psi(np.zeros(500), np.r_[np.zeros(400), np.full(100, np.nan)]).value > 0.25
    assert psi(np.full(500, np.nan), np.zeros(500)).value > 0.25


def test_many_values_in_bins_of_equally_many_accounts():
    values = np.random.default_rng(0).normal(size=1000)
    assert Bins.of(values).counts(values).tolist() == [*[100] * 10, 0]
    mostly = np.r_[np.zeros(600), np.random.default_rng(0).gamma(2.0, size=400)]
    counts = Bins.of(mostly).counts(mostly)
    assert counts.sum() == 1000
    assert counts.max() == 600  # the zeros keep to themselves


@pytest.mark.parametrize(("n", "m"), [(60, 60), (1500, 200)])
def test_where_nothing_changed_the_limit_of_chance_is_passed_as_seldom_as_it_says(n, m):
    rng = np.random.default_rng(4)
    shifts = [psi(rng.gamma(2.0, size=n), rng.gamma(2.0, size=m)) for _ in range(2000)]
    assert np.mean([shift.value > shift.by_chance(0.05) for shift in shifts]) < 0.06
    assert np.mean([shift.value > shift.by_chance(0.01) for shift in shifts]) < 0.015
    assert np.mean([shift.value for shift in shifts]) < 1.1 * np.mean([shift.expected for shift in shifts])


def test_the_habit_of_a_quarter_is_false_with_few_accounts():
    """What a limit that ignores the number of accounts does: 60 accounts, nothing changed."""
    rng = np.random.default_rng(5)
    shifts = [psi(rng.normal(size=60), rng.normal(size=60)) for _ in range(500)]
    assert np.mean([shift.value > 0.25 for shift in shifts]) > 0.3
    assert np.mean([shift.value > shift.by_chance(0.01) for shift in shifts]) < 0.02


def test_a_shift_of_a_standard_deviation_is_found():
    rng = np.random.default_rng(6)
    shift = psi(rng.normal(size=300), rng.normal(1.0, size=300))
    assert shift.value > max(0.25, shift.by_chance(1e-4))


def test_shares_by_chance():
    assert missing_by_chance(0.5, 100, 0.5, 100, 0.05) == pytest.approx(np.sqrt(chi2.ppf(0.95, 1) * 0.25 * 0.02))
    assert missing_by_chance(0.0, 100, 0.0, 100, 0.05) > 0


def test_exchange_by_lot_is_fair():
    """Of accounts that do not change nothing can differ; of those that do, chance differs as much as it should."""
    same = np.random.default_rng(1).random((50, 2))
    assert swapped(same, same, lambda a, b: np.abs(a - b).max(axis=1), 20, 1) == pytest.approx(np.zeros(20))
    then, now = np.zeros((400, 1)), np.ones((400, 1))
    found = swapped(then, now, lambda a, b: (b - a)[:, 0], 4000, 2)
    assert found.std() == pytest.approx(np.sqrt(400), rel=0.05)  # a sum of 400 signs
    assert swapped(then, now, lambda a, b: (b - a)[:, 0], 0, 2).shape == (0,)
