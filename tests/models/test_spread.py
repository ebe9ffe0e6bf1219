"""The spread of a risk: recovered where levels are shifted by a known amount, never nothing, unknown without data."""

import numpy as np
import pytest
from scipy.special import expit

from models.spread import PRIOR, spread


def held(spread_of_levels: float, cutoffs: int, accounts: int = 4000, seed: int = 1):
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(cutoffs):
        odds = rng.normal(-1.0, 1.0, accounts)
        lost = (rng.random(accounts) < expit(odds + rng.normal(0, spread_of_levels))).astype(float)
        result.append((expit(odds), lost))
    return result


@pytest.mark.parametrize("true", [0.2, 0.5])
def test_shifts_of_the_level_are_found(true):
    assert spread(held(true, 200)) == pytest.approx(true, rel=0.2)


def test_risks_that_fitted_a_few_times_are_not_certain():
    assert spread(held(0.0, 3)) == pytest.approx(PRIOR / 2, rel=0.25)
    assert spread(held(0.0, 60)) < PRIOR / 5


def test_without_cutoffs_held_out_it_is_unknown():
    assert spread([]) is None


def test_risks_that_are_certain_tell_nothing():
    assert spread([(np.array([0.0, 1.0]), np.array([0.0, 1.0]))]) is None
