"""Every declared feature against the slow oracle, over random worlds with late bookings, months and days as periods."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import tests.features.twins  # noqa: F401  # registers the plain twins
from features.catalog import FEATURES, facts_of
from features.declaration import AsOf, Feature
from features.orders import AMOUNT
from features.periods import Duration
from tests.features.oracle import TWINS, Known, OracleView
from tests.features.worlds import LABEL, MONTH, World, matrix, world

DAY = Duration(1, "day")
CASES = [
    (MONTH, [date(2024, 3, 15), date(2024, 1, 15), date(2023, 8, 15)]),
    (MONTH, [date(2024, 3, 31), date(2024, 2, 29)]),  # they share no edges
    (Duration(2, "month"), [date(2024, 4, 1)]),
    (Duration(30, "day"), [date(2024, 3, 15), date(2024, 2, 14)]),
    (Duration(7, "day"), [date(2024, 1, 3)]),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("period", "cutoffs"), CASES, ids=[f"{period} {cutoffs[0]}" for period, cutoffs in CASES])
def test_every_feature_agrees_with_the_oracle(tmp_path, seed, period, cutoffs):
    compare(tmp_path / "world", world(seed), cutoffs, period)


@pytest.mark.parametrize("seed", range(4))
def test_every_feature_agrees_with_the_oracle_where_all_days_are_edges(tmp_path, seed):
    as_of = date(2024, 3, 15)
    edges = [MONTH.before(as_of, back) for back in range(-2, 16)]
    compare(tmp_path / "world", world(seed, edges), [as_of, MONTH.before(as_of)], MONTH)


def test_every_feature_agrees_with_the_oracle_where_no_table_tells_when_it_was_booked(tmp_path):
    on_time = {
        name: [{column: value for column, value in row.items() if column != "recorded_at"} for row in rows]
        for name, rows in world(6).items()
    }
    compare(tmp_path / "world", on_time, [date(2024, 3, 15), date(2023, 10, 15)], MONTH, without=["recorded_at"])


def compare(folder: Path, tables: World, cutoffs: list[date], period: Duration, without: Sequence[str] = ()) -> None:
    frame = matrix(folder, tables, cutoffs, period=period, without=without)
    assert {feature.name for feature in FEATURES} <= set(frame.columns)
    for as_of, rows in frame.groupby("as_of"):
        known = Known(tables, as_of, period, LABEL)
        views = {account: OracleView(known, account) for account in rows["account_id"]}
        for feature in FEATURES:
            with np.errstate(all="ignore"):
                expected = [np.broadcast_to(feature.formula(views[name]), (1, 1)).item() for name in views]
            if feature.peers:
                year = [views[name].total(AMOUNT, 12).item() for name in views]
                expected = against_peers(feature, expected, year)
            np.testing.assert_allclose(
                rows[feature.name], expected, rtol=1e-9, atol=1e-9, err_msg=f"{feature.name} at {as_of}"
            )


def against_peers(feature: Feature, own: list[float], amount: list[float]) -> list[float]:
    """Each value against the median of its peers, one account at a time."""
    limits = [np.quantile(amount, share) for share in (0.2, 0.4, 0.6, 0.8)]
    tiers = [sum(value >= limit for limit in limits) for value in amount]
    result = []
    for value, tier in zip(own, tiers, strict=True):
        wanted = {"all": range(5), "largest": [4], "tier": [tier]}[feature.peers]
        group = [v for v, t in zip(own, tiers, strict=True) if t in wanted and not np.isnan(v)]
        median = statistics.median(group) if group else np.nan
        if feature.relation == "difference":
            result.append(value - median)
        else:
            result.append((value - median) / (value + median) if value + median > 0 else np.nan)
    return result


def test_every_fact_that_is_no_sum_has_a_plain_twin():
    facts = {fact.name for feature in FEATURES for fact in facts_of(feature) if isinstance(fact, AsOf)}
    assert facts == set(TWINS)
