"""Declaring features, and the two formulas that most of them use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declaration import Additive, Reach, Theme, ratio, trend
from features.windows import Cells, Grid, Panel, View

SOLD = Additive("sold", "orders", "ordered_at")
NUMBERS = st.floats(-1e12, 1e12)


def declared(**said):
    theme = Theme("trial")

    @theme.feature(**{"unit": "money", "reason": "context", "direction": "none", "sentence": "{value}", **said})
    def sold(v, w=None):
        """Sold in the last {w} periods, against the {w} before.

        A second line is for who reads the code.
        """
        return v.total(SOLD, w)

    return theme.features


def test_ratio_has_no_value_where_the_whole_is_not_above_zero():
    part, whole = np.array([1.0, 0, 5, 5, 5, np.nan, 5]), np.array([4.0, 2, 0, -1, np.nan, 2, np.inf])
    np.testing.assert_array_equal(ratio(part, whole), [0.25, 0, np.nan, np.nan, np.nan, np.nan, 0])


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (3, 1, 0.5),
        (1, 3, -0.5),
        (2, 2, 0),
        (0, 5, -1),
        (5, 0, 1),
        (0, 0, np.nan),
        (-4, 5, -1),  # more came back than was bought: as if it had stopped
        (5, -4, 1),
        (-1, -1, np.nan),
        (np.nan, 5, np.nan),
        (5, np.nan, np.nan),
    ],
)
def test_trend(now, before, expected):
    np.testing.assert_array_equal(trend(np.array([now]), np.array([before])), [expected])


@given(NUMBERS, NUMBERS)
def test_trend_is_bounded_and_turns_its_sign_with_time(now, before):
    there, back = trend(np.array([now]), np.array([before])), trend(np.array([before]), np.array([now]))
    np.testing.assert_array_equal(there, -back)
    assert np.isnan(there) or -1 <= there.item() <= 1


def test_a_feature_is_named_for_its_function_and_told_by_its_first_line():
    (feature,) = declared(empty="no value", low=0, high=9, peers="tier", relation="difference", cured="peers")
    assert (feature.name, feature.theme, feature.window) == ("sold", "trial", None)
    assert feature.doc.startswith("Sold in the last")
    assert "second line" not in feature.doc
    assert (feature.unit, feature.reason, feature.direction, feature.sentence) == (
        *("money", "context", "none", "{value}"),
    )
    assert (feature.empty, feature.low, feature.high) == ("no value", 0, 9)
    assert (feature.peers, feature.relation, feature.cured) == ("tier", "difference", "peers")


def test_each_window_is_a_feature_with_its_own_name_words_and_formula():
    features = declared(windows=(1, 3), sentence="Bought for {value} in the last {w} periods.")
    assert [(feature.name, feature.window) for feature in features] == [("sold_1", 1), ("sold_3", 3)]
    assert [feature.doc for feature in features] == [
        "Sold in the last period, against the one before.",
        "Sold in the last 3 periods, against the 3 before.",
    ]
    assert [feature.sentence for feature in features] == [
        "Bought for {value} in the last period.",
        "Bought for {value} in the last 3 periods.",
    ]
    panel = Panel(1, additive={"sold": Cells(np.array([[10_000, 20_000, 30_000, 40_000]]))})
    view = View(panel, Grid(np.arange(5) * 30, np.array([4]), 12))
    assert [feature.formula(view).item() for feature in features] == [4, 9]


def test_features_keep_the_order_of_their_declaration_and_functions_stay_usable():
    theme = Theme("trial")
    declare = theme.feature(unit="money", reason="context", direction="none", sentence="{value}")

    def second(v):
        """Second."""
        return 2.0

    def first(v):
        """First."""
        return 1.0

    assert declare(second) is second
    assert declare(first) is first
    assert [feature.name for feature in theme.features] == ["second", "first"]


def test_a_feature_without_a_docstring_is_refused():
    theme = Theme("trial")

    def sold(v):
        return v.total(SOLD)

    with pytest.raises(ValueError, match="feature sold has no docstring"):
        theme.feature(unit="money", reason="context", direction="none", sentence="{value}")(sold)
    assert theme.features == []


def test_a_sentence_names_the_day_where_the_value_counts_the_days_since_it():
    (feature,) = declared(unit="days", since=True, sentence="Sold on {since}, {value} ago.")
    assert feature.since
    assert not declared()[0].since


def test_nothing_is_cured_unless_it_is_declared():
    assert declared()[0].cured is None
    assert [feature.cured for feature in declared(windows=(1, 3), cured=0)] == [0, 0]


def test_only_days_are_counted_since_a_day():
    with pytest.raises(ValueError, match='feature sold is declared since=True, which needs unit="days", not "money"'):
        declared(since=True)


def test_a_sentence_cannot_name_a_day_that_the_value_does_not_tell():
    with pytest.raises(ValueError, match=r"sentence of feature sold names \{since\}, which needs since=True"):
        declared(unit="days", sentence="Sold on {since}, {value} ago.")


def test_how_far_back_a_table_reaches_is_a_fact_of_the_table():
    assert Reach("orders").name == "orders_reach"
