"""From hazards to shares: they sum to one, order stays order, and what cannot be seen is not zero."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.shares import Weights, shares
from models.taxonomy import taxonomy

PLAIN = Weights(power=1.0, floor=1e-12, unexplained=1.0, offsets={})
SHIPPED = Weights(power=0.65, floor=0.001, unexplained=0.11, offsets={})
HAZARDS = pd.DataFrame({"broken_promises": [3.0, 0.05, 0.0], "product": [1.0, 0.0, 0.0]})


def test_shares_sum_to_one_and_what_cannot_be_seen_is_not_zero():
    share = shares(HAZARDS, PLAIN)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert share["share_competitor"].isna().all()
    first = share.loc[0, ["share_broken_promises", "share_product", "share_unexplained"]]
    assert first.tolist() == pytest.approx([0.6, 0.2, 0.2])
    assert share.loc[2, "share_unexplained"] == pytest.approx(1.0)


def test_where_no_reason_can_be_seen_all_is_unexplained():
    share = shares(pd.DataFrame(index=range(2)), SHIPPED)
    assert share["share_unexplained"].tolist() == [1.0, 1.0]
    assert share.drop(columns="share_unexplained").isna().all(axis=None)


def test_a_worked_example():
    """(.001 + 2) ** .65 = 1.5697; seven of eight reasons cannot be seen: .11 + .89 * 7 / 8 = .88875."""
    share = shares(pd.DataFrame({"competitor": [2.0]}), SHIPPED)
    assert share.loc[0, "share_competitor"] == pytest.approx(1.5697 / (1.5697 + 0.88875), abs=1e-4)


def test_the_fewer_reasons_can_be_seen_the_more_is_unexplained():
    hazards = pd.DataFrame({code: [0.3 * (code == "competitor")] for code in taxonomy().codes})
    left = [shares(hazards.iloc[:, :count], SHIPPED)["share_unexplained"].iloc[0] for count in range(1, 9)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.3 < 0.6 < left[0]


def test_a_natural_end_needs_its_own_evidence():
    hazards = pd.DataFrame({code: [0.0, 0.0] for code in taxonomy().codes})
    hazards.loc[1, "natural_end"] = 0.2
    share = shares(hazards, SHIPPED)
    assert share.loc[0, "share_natural_end"] == 0
    assert share.loc[0, "share_competitor"] > 0
    assert share.loc[1, "share_natural_end"] == share.loc[1].max()


@given(st.floats(1e-4, 1), st.floats(0.1, 1))
def test_a_natural_end_without_evidence_has_nothing_by_any_power_and_floor(floor, power):
    hazards = pd.DataFrame({code: np.zeros(20) for code in taxonomy().codes})
    assert (shares(hazards, Weights(power, floor, 0.2, {}))["share_natural_end"] == 0).all()


def test_offsets_multiply_the_odds():
    plain, moved = shares(HAZARDS, SHIPPED), shares(HAZARDS, Weights(0.65, 0.001, 0.11, {"product": np.log(2)}))
    odds = [table["share_product"] / table["share_broken_promises"] for table in (plain, moved)]
    np.testing.assert_allclose(odds[1], 2 * odds[0])


@given(st.lists(st.floats(0, 50), min_size=8, max_size=8), st.integers(0, 7), st.floats(0, 10))
def test_a_hazard_that_rises_never_lowers_its_own_share(values, place, step):
    hazards = pd.DataFrame([values], columns=list(taxonomy().codes))
    worse = hazards.copy()
    worse.iloc[0, place] += step
    before, after = shares(hazards, SHIPPED).iloc[0], shares(worse, SHIPPED).iloc[0]
    assert before.sum() == pytest.approx(1.0)
    assert after.iloc[place] >= before.iloc[place] - 1e-12
    assert (after.drop(after.index[place]) <= before.drop(before.index[place]) + 1e-12).all()
