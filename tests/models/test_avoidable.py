"""What causes are answerable for: worked numbers, and that the signs of a loss under way play no part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import expit

from models.avoidable import avoidable_risk

numbers = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 50)), min_size=1, max_size=30)


def test_worked_numbers():
    """Odds of 1/9 and, with a hazard of 2, of 3/9: risks .1 and .25, whose mean is .175."""
    assert avoidable_risk([0.3, 0.05], [0.0, 2.0]) == pytest.approx([0.0, 0.15])


@example([(1.0, 0.0)])
@example([(0.0, 0.0)])
@given(numbers)
def test_it_lies_between_nothing_and_all_and_rises_with_the_hazard(given_numbers):
    risk, hazard = np.array(given_numbers).T
    found = avoidable_risk(risk, hazard)
    assert ((found >= 0) & (found <= 1)).all()
    order = np.argsort(hazard)
    assert (np.diff(found[order]) >= -1e-12).all()
    assert (found[hazard == 0] == 0).all()


@given(numbers)
def test_the_mean_risk_with_the_causes_is_that_of_the_risk_model(given_numbers):
    risk, hazard = np.array(given_numbers).T
    risk = risk.clip(0.01, 0.99)
    found = avoidable_risk(risk, hazard)
    top = int(hazard.argmax())
    if hazard[top] > 0.01:  # the one unknown is what is left without causes: found from the largest
        odds = np.log1p(hazard)
        grid = np.linspace(-15, 6, 20_001)
        base = grid[np.abs(expit(grid + odds[top]) - expit(grid) - found[top]).argmin()]
        assert expit(base + odds[top]) - expit(base) == pytest.approx(found[top], abs=1e-3)
    assert avoidable_risk(risk[::-1], hazard) == pytest.approx(found, abs=1e-9)  # whose risk it is does not matter


def test_nobody_has_nothing_to_avoid():
    assert avoidable_risk([], []).tolist() == []
