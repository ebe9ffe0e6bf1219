"""What causes are learned from: evidence and the label of later periods, in bags of accounts that stay the same.

That each cause names its own losses is tested in test_causes.py.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
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


def test_an_account_is_in_the_same_bags_whoever_else_is_there():
    """A month more of data, or other accounts, change what a bag learns from as little as can be."""
    accounts = pd.Series([f"A{number:04d}" for number in range(6000)])
    chosen = [_in_bag(accounts, RECIPE, bag) for bag in range(2)]
    some = accounts[100:200]
    for bag in range(2):
        assert (_in_bag(some, RECIPE, bag) == chosen[bag][100:200]).all()
        assert 0.65 < chosen[bag].mean() < 0.75
    assert (chosen[0] != chosen[1]).any()


def test_one_bag_holds_all():
    assert _in_bag(pd.Series(["A", "B"]), replace(RECIPE, bags=1), 0).all()
