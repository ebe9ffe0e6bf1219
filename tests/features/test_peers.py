"""Peers, tiers and medians, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declaration import Theme
from features.peers import TIERS, against, medians, peered, tiers_of

# ten accounts, two a tier: tiers 0 0 1 1 2 2 3 3 4 4
AMOUNT = np.array([10.0, 20, 30, 40, 50, 60, 70, 80, 90, 100])
VISITS = np.array([0.0, 2, 1, 1, np.nan, 3, np.nan, np.nan, 4, 10])


def feature(peers="", relation="ratio"):
    theme = Theme("trial")

    def visits(v):
        """Visits."""
        return v.days(None)

    theme.feature(
        unit="contacts", reason="context", direction="none", sentence="{value}", peers=peers, relation=relation
    )(visits)
    return theme.features[0]


def test_tiers_are_fifths_of_the_accounts():
    known = medians(AMOUNT, {"visits": VISITS})
    np.testing.assert_allclose(known.limits, [28, 46, 64, 82])
    assert tiers_of(AMOUNT, known.limits).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_an_amount_on_a_limit_belongs_to_the_tier_above():
    assert tiers_of(np.array([27.9, 28, 82, 1e9, -5]), np.array([28.0, 46, 64, 82])).tolist() == [0, 1, 4, 4, 0]


def test_accounts_with_equal_amounts_are_of_one_tier():
    known = medians(np.full(7, 3.0), {"visits": np.arange(7.0)})
    assert set(tiers_of(np.full(7, 3.0), known.limits)) == {TIERS - 1}
    assert known.tier["visits"][-1] == known.all["visits"] == 3


def test_medians_leave_out_those_without_a_value():
    known = medians(AMOUNT, {"visits": VISITS})
    np.testing.assert_array_equal(known.tier["visits"], [1, 1, 3, np.nan, 7])
    assert known.all["visits"] == 2  # of 0 1 1 2 3 4 10


def test_nobody_has_no_median():
    known = medians(np.zeros(0), {"visits": np.zeros(0)})
    assert np.isnan(known.all["visits"])
    assert np.isnan(known.tier["visits"]).all()
    assert len(against(feature("tier"), np.zeros(0), np.zeros(0), known)) == 0


@pytest.mark.parametrize(
    ("peers", "median"),
    [
        ("all", [2] * 10),
        ("largest", [7] * 10),
        ("tier", [1, 1, 1, 1, 3, 3, np.nan, np.nan, 7, 7]),
    ],
)
def test_each_account_is_set_against_its_peers(peers, median):
    known, median = medians(AMOUNT, {"visits": VISITS}), np.array(median)
    apart = against(feature(peers, "difference"), VISITS, AMOUNT, known)
    np.testing.assert_array_equal(apart, VISITS - median)
    as_ratio = against(feature(peers), VISITS, AMOUNT, known)
    np.testing.assert_allclose(as_ratio, (VISITS - median) / (VISITS + median))


def test_accounts_of_another_block_are_set_against_the_same_medians():
    known = medians(AMOUNT, {"visits": VISITS})
    part = against(feature("tier", "difference"), VISITS[4:6], AMOUNT[4:6], known)
    np.testing.assert_array_equal(part, [np.nan, 0])


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=40))
def test_tiers_ascend_with_the_amount(amounts):
    amount = np.sort(np.array(amounts))
    tiers = tiers_of(amount, medians(amount, {}).limits)
    assert (np.diff(tiers) >= 0).all()
    assert tiers.min() >= 0
    assert tiers[-1] == TIERS - 1  # the largest account is of the largest tier


def test_features_that_look_at_peers():
    alone, tier = feature(), feature("tier")
    assert peered([alone, tier, alone]) == [tier]
