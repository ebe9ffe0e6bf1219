"""What causes are learned from: evidence and the label of later periods, in bags of accounts that stay the same.

That each cause names its own losses is tested in test_causes.py.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from risk_recipes import CAUSES as RECIPE

from features.periods import Duration
from models.competing import _in_bag, ahead


def test_evidence_is_set_against_the_label_of_two_periods_later():
    days = [date(2024, month, 1) for month in (1, 2, 3, 4)]
    matrix = pd.DataFrame(
        {
            "account_id": ["A"] * 4 + ["B"] * 4,
            "as_of": days * 2,
            "label": [0.0, 0.0, 1.0, np.nan, 0.0, 0.0, 0.0, 1.0],
            "lapsed": [False, False, False, False, False, True, False, False],
            "recency": range(8),
        }
    )
    rows = ahead(matrix, Duration(1, "month"), 2)
    # A in February: its label of April is not known; B in February: silent already
    assert rows[["account_id", "as_of", "label", "recency"]].to_numpy().tolist() == [
        ["A", days[0], 1.0, 0],
        ["B", days[0], 0.0, 4],
    ]


def test_who_bought_again_was_not_lost_as_far_as_is_known():
    days = [date(2024, month, 1) for month in range(1, 7)]
    matrix = pd.DataFrame(
        {
            "account_id": ["A"] * 6 + ["B"] * 6,
            "as_of": days * 2,
            "label": [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, np.nan],
            "lapsed": [False] * 12,
        }
    )
    rows = ahead(matrix, Duration(1, "month"), 1)
    assert rows.loc[rows["account_id"] == "A", "label"].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]  # back, then lost
    assert rows.loc[rows["account_id"] == "B", "label"].tolist() == [1.0, 1.0, 1.0, 1.0]
    early = matrix[matrix["as_of"] <= days[2]]  # on which nobody knows that A comes back
    assert ahead(early, Duration(1, "month"), 1)["label"].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_an_account_is_in_the_same_bags_whoever_else_is_there():
    """A month more of data, or other accounts, change what a bag learns from as little as can be."""
    accounts = pd.Series([f"A{number:04d}" for number in range(6000)])
    some = accounts[100:200]
    for bag in range(2):
        chosen = _in_bag(accounts, RECIPE, bag)
        assert (_in_bag(some, RECIPE, bag) == chosen[100:200]).all()
        assert 0.65 < chosen.mean() < 0.75


def test_bags_come_in_pairs_that_leave_nobody_out_and_pairs_are_drawn_apart_from_each_other():
    """Bags that are alike average less than they seem to; whom both bags of a pair leave out counts less often than others."""
    accounts = pd.Series([f"A{number:05d}" for number in range(1, 12_001)])
    pairs = np.array([[_in_bag(accounts, RECIPE, 2 * pair + bag) for bag in range(2)] for pair in range(6)])
    assert pairs.any(axis=1).all()
    first = np.corrcoef(pairs[:, 0])[np.triu_indices(6, k=1)]
    assert np.abs(first).max() < 0.05
    counts = pairs.sum(axis=(0, 1))
    both = 2 * RECIPE.bag_share - 1  # in both bags of a pair
    assert counts.mean() == pytest.approx(12 * RECIPE.bag_share, rel=0.01)
    assert counts.var() == pytest.approx(6 * both * (1 - both), rel=0.1)  # binomial, of the pairs


def test_one_bag_holds_all():
    assert _in_bag(pd.Series(["A", "B"]), replace(RECIPE, bags=1), 0).all()
