"""Additive hazards: planted slopes are found, evidence that does nothing gets next to none, harm beyond the cap counts no further."""

from dataclasses import replace

import numpy as np
import pytest
from risk_recipes import CAUSES
from tqdm import tqdm

from models import additive
from models.boosting import Ensemble

RECIPE = replace(CAUSES, rounds=80)
NAMES = ["rebates_overdue", "manager_absent", "complaints_3"]
SLOPES = (3.0, 1.0, 0.0)  # of the planted hazards, by unit of harm
ROWS = 40_000


def planted(seed=4, rows=ROWS):
    """Harm of three features, and labels: its hazards add up, on odds of .05 that a sign doubles."""
    rng = np.random.default_rng(seed)
    harm = rng.uniform(0, 1, (rows, 3)) * (rng.random((rows, 3)) < 0.3)
    sign = rng.integers(0, 2, rows).astype(float)
    odds = 0.05 * (1 + sign) * (1 + harm @ np.array(SLOPES))
    return harm, sign[:, None], (rng.random(rows) < odds / (1 + odds)).astype(float)


def learn(harm, sign, label, weight=None):
    counts = np.ones(len(label)) if weight is None else weight
    with tqdm(disable=True) as bar:
        return additive.fit(
            harm.T, NAMES, lambda: Ensemble(sign, label, RECIPE, 0, [0], ["tenure"]), label, counts, RECIPE, bar
        )


@pytest.fixture(scope="module")
def learned():
    return learn(*planted())


def test_planted_slopes_are_found(learned):
    for name, slope in zip(NAMES, SLOPES, strict=True):
        assert learned.get(name, (0.0, 0.0))[0] == pytest.approx(slope, abs=0.3)


def test_no_other_slopes_near_by_are_likelier(learned):
    """The penalised likelihood, reckoned row by row, at slopes that differ, g being what the planted signs say."""
    harm, sign, label = planted()
    unit = {name: cap / additive.CAP for name, (_, cap) in learned.items()}
    start = np.log(0.05 * (1 + sign[:, 0]))

    def surprise(slopes):
        log_odds = start + np.log1p(sum(slopes[name] * harm[:, NAMES.index(name)] for name in slopes))
        scaled = np.array([slopes[name] * unit[name] for name in slopes])
        found = np.logaddexp(0, log_odds) - label * log_odds
        return found.sum() + additive.PENALTY * (scaled.sum() + (scaled**2).sum() / 2)

    best = {name: slope for name, (slope, _) in learned.items()}
    for name in NAMES[:2]:  # the third does nothing, and what it has is what g, as learned, leaves to it
        for factor in (0.6, 1.6):
            assert surprise(best | {name: best[name] * factor}) > surprise(best)


def test_evidence_of_nobody_or_all_alike_gets_no_slope():
    harm, sign, label = planted(rows=5000)
    assert set(learn(harm * [1, 0, 1], sign, label)) <= {"rebates_overdue", "complaints_3"}
    flat = harm.copy()
    flat[:, 1] = 1.0  # what all have is the level, not evidence
    assert set(learn(flat, sign, label)) <= {"rebates_overdue", "complaints_3"}


def test_harm_counts_up_to_half_beyond_the_worst_but_few(learned):
    harm = planted()[0]
    for name, (_, cap) in learned.items():
        assert cap == pytest.approx(1.5 * np.quantile(harm[:, NAMES.index(name)], 0.995), rel=1e-3)


def test_a_row_that_counts_twice_is_as_good_as_two(learned):
    harm, sign, label = planted(rows=6000)
    twice = [np.concatenate([part, part]) for part in (harm, sign, label)]
    weighed = learn(harm, sign, label, weight=np.full(6000, 2.0))
    for name, (slope, cap) in learn(*twice).items():
        assert weighed[name] == pytest.approx((slope, cap), rel=0.05)


def test_the_unit_of_harm_is_that_of_the_accounts_a_sample_stands_for():
    """One row in five, each for five, but for those with much harm, as where all who were lost are kept."""
    harm, sign, label = planted(rows=20_000)
    kept = (harm[:, 0] > 0.8) | (np.arange(len(harm)) % 5 == 0)
    counts = np.where(harm[kept, 0] > 0.8, 1.0, 5.0)
    whole, sample = learn(harm, sign, label), learn(harm[kept], sign[kept], label[kept], weight=counts)
    assert sample["rebates_overdue"][1] == pytest.approx(whole["rebates_overdue"][1], rel=0.01)
