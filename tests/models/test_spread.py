"""The spread of a risk: recovered where levels are shifted by a known amount, never nothing, unknown without data."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from models.spread import PRIOR, coverage, spread


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


def test_intervals_of_the_true_spread_hold_as_often_as_they_say_and_narrower_ones_less():
    frames = [
        pd.DataFrame({"as_of": place, "risk": risk, "label": lost, "spread": 0.4})
        for place, (risk, lost) in enumerate(held(0.4, 150, accounts=2000))
    ]
    rows = pd.concat(frames, ignore_index=True)
    assert coverage(rows, 0.8) == {"level": 0.8, "tenths": 1500, "within": pytest.approx(0.8, abs=0.05)}
    assert coverage(rows.assign(spread=0.1), 0.8)["within"] < 0.6
    assert coverage(rows.assign(spread=np.nan), 0.8) == {"level": 0.8, "tenths": 0, "within": None}


def test_risks_that_are_certain_tell_nothing():
    assert spread([(np.array([0.0, 1.0]), np.array([0.0, 1.0]))]) is None
