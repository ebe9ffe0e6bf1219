"""Classes by contribution and stability: worked examples, a slow oracle, thresholds and movements."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from statistics import fmean, pstdev

import numpy as np
import pandas as pd
import pytest

from features.engines import connect, open_tables
from features.errors import ConfigurationError
from features.periods import Duration
from features.purchases import by_period, over_all_time
from market.simulate import simulate, write
from models.segments import (
    Concentration,
    Rules,
    Thresholds,
    classify,
    concentration,
    measure,
    migration,
)

AS_OF = date(2024, 3, 15)
MONTH = Duration(1, "month")
RULES = Rules(None, None, 0.8, 0.95, history=24, least_history=12, least_order_days=3)


def bought(account: str, amounts: dict[int, float], orders: int = 1) -> pd.DataFrame:
    """Purchases of one account: what it bought so many periods ago, in so many equal single orders."""
    return pd.DataFrame(
        [
            {
                "account_id": account,
                "periods_ago": ago,
                "amount": amount,
                "bought": amount,
                "order_days": orders,
                "orders": orders,
                "largest": amount / orders,
                "squared": amount**2 / orders,
            }
            for ago, amount in amounts.items()
        ]
    )


def ever(**first: date) -> pd.DataFrame:
    rows = [
        {"account_id": a, "first_order_on": day, "last_order_on": AS_OF, "order_days": 9} for a, day in first.items()
    ]
    return pd.DataFrame(rows)


def measured(amounts: dict[int, float], first: date = date(2020, 1, 1), orders: int = 1, rules: Rules = RULES):
    return measure(bought("A", amounts, orders), ever(A=first), MONTH, AS_OF, rules).iloc[0]


STEADY = dict.fromkeys(range(1, 25), 100.0)


def test_a_steady_account_is_as_stable_as_its_orders_are_many():
    row = measured(STEADY)
    assert row[["contribution", "even", "regular", "trend"]].tolist() == [1200.0, 1.0, 1.0, 1.0]
    assert row["spread"] == pytest.approx(11 / 12)
    assert row["stability"] == pytest.approx((11 / 12) ** (1 / 4))
    assert measured(STEADY, orders=4)["spread"] == pytest.approx(47 / 48)


def test_each_part_makes_an_account_less_stable():
    steady = measured(STEADY)["stability"]
    uneven = measured({ago: 180.0 if ago in (4, 5, 6, 13, 14, 15) else 100.0 for ago in STEADY})
    assert uneven["even"] < 1
    falling = measured({ago: 60.0 if ago <= 3 else 100.0 for ago in STEADY})
    assert falling["trend"] == pytest.approx(0.6)
    rare = measured({ago: 300.0 for ago in range(1, 25, 3)})
    assert rare["regular"] == pytest.approx(4 / 12)
    assert rare["even"] == rare["trend"] == 1.0
    one = measured({ago: 10000.0 if ago == 12 else 100.0 for ago in STEADY})
    assert one["spread"] < 0.25
    for row in (uneven, falling, rare, one):
        assert row["stability"] < steady
    assert measured({ago: 400.0 if ago <= 3 else 100.0 for ago in STEADY})["trend"] == 1.0  # a rise is no instability


def test_who_bought_nothing_for_a_quarter_has_no_stability_left():
    assert measured({ago: 100.0 for ago in range(4, 25)})["stability"] == 0.0
    assert measured({ago: 100.0 for ago in range(3, 25)})["stability"] > 0.5


@pytest.mark.parametrize(
    ("first", "history", "told"),
    [(date(2023, 3, 15), 12, None), (date(2023, 3, 16), 11, "too_new"), (date(2022, 1, 1), 24, None)],
)
def test_an_account_is_too_new_before_a_whole_year(first, history, told):
    row = measured({ago: 100.0 for ago in range(1, 13)}, first)
    assert row["history"] == history
    assert row["contribution"] == 1200.0
    assert (row["not_known"] == told) if told else pd.isna(row["not_known"])
    assert math.isnan(row["stability"]) == (told is not None)


def test_quarters_before_the_first_order_are_no_unevenness():
    row = measured({ago: 100.0 for ago in range(1, 14)}, date(2023, 2, 15))
    assert row["even"] == 1.0
    assert measured({ago: 100.0 for ago in range(1, 14)}, date(2020, 1, 1))["even"] < 0.6


def test_two_days_with_an_order_are_too_few():
    few = ever(A=date(2020, 1, 1)).assign(order_days=2)
    row = measure(bought("A", {1: 100.0, 9: 100.0}), few, MONTH, AS_OF, RULES).iloc[0]
    assert row["not_known"] == "too_few"
    assert row[["stability", "even", "regular", "spread", "trend"]].isna().all()
    assert pd.isna(classify(pd.DataFrame([row]), Thresholds(1.0, 0.5, 2.0, 1.0))["class"].iloc[0])


def test_who_only_returned_something_has_a_low_contribution_and_no_class():
    back = bought("A", {2: -50.0}).assign(bought=0.0, order_days=0, orders=0, squared=0.0)
    frame = classify(measure(back, ever(B=AS_OF), MONTH, AS_OF, RULES), Thresholds(1.0, 0.5, 2.0, 1.0))
    assert frame["contribution"].tolist() == [-50.0]
    assert frame["not_known"].tolist() == ["too_new"]
    assert frame["class"].isna().all()
    assert frame["size"].tolist() == ["small"]


def test_who_bought_nothing_in_the_last_year_is_no_existing_account():
    purchases = pd.concat([bought("A", STEADY), bought("B", {13: 1.0}), bought("C", {12: 1.0})])
    frame = measure(purchases, ever(A=date(2020, 1, 1), B=date(2020, 1, 1), C=date(2020, 1, 1)), MONTH, AS_OF, RULES)
    assert frame["account_id"].tolist() == ["A", "C"]


def slow_stability(purchases: pd.DataFrame, history: int) -> float:
    by = {row.periods_ago: row for row in purchases.itertuples()}
    quarters = [
        max(0.0, sum(by[ago].amount for ago in range(start, start + 3) if ago in by)) for start in range(1, 25, 3)
    ][: history // 3]
    year = [row for ago, row in by.items() if ago <= 12]
    total = sum(row.bought for row in year)
    parts = [
        1 / (1 + pstdev(quarters) / fmean(quarters)),
        sum(row.order_days > 0 for row in year) / 12,
        1 - sum(row.squared for row in year) / total**2,
        min(1.0, quarters[0] / fmean(quarters[1:5])),
    ]
    return math.prod(parts) ** (1 / 4)


@pytest.mark.parametrize("seed", range(5))
def test_stability_is_that_of_a_slow_count(seed):
    rng = np.random.default_rng(seed)
    accounts = {f"A{number}": date(2020, 1, 1) if number % 2 else date(2022, 9, 15) for number in range(8)}
    parts = []
    for account, first in accounts.items():
        agos = [ago for ago in range(1, 25 if first.year == 2020 else 19) if rng.random() < 0.7 or ago in (1, 5)]
        parts.append(
            bought(account, {ago: float(rng.integers(-20, 200)) or 1.0 for ago in agos}, int(rng.integers(1, 4)))
        )
    purchases = pd.concat(parts).assign(bought=lambda rows: rows["amount"].abs())
    before = purchases.copy()
    frame = measure(purchases.sample(frac=1, random_state=seed), ever(**accounts), MONTH, AS_OF, RULES)
    pd.testing.assert_frame_equal(purchases, before)
    for row in frame.itertuples():
        mine = purchases[purchases["account_id"] == row.account_id]
        assert row.stability == pytest.approx(slow_stability(mine, row.history), abs=1e-12)


def test_weeks_are_quarters_of_thirteen():
    rules = replace(RULES, history=104, least_history=52)
    frame = measure(
        bought("A", dict.fromkeys(range(1, 105), 10.0)), ever(A=date(2020, 1, 1)), Duration(7, "day"), AS_OF, rules
    )
    assert frame[["contribution", "even", "regular", "trend"]].iloc[0].tolist() == [520.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(("history", "least"), [(14, 12), (24, 11)])
def test_a_history_of_less_than_a_year_and_a_quarter_is_refused(history, least):
    with pytest.raises(ConfigurationError, match=r"segments.history \d+ and least_history \d+ are too short"):
        measured(STEADY, rules=replace(RULES, history=history, least_history=least))


def world() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": list("ABCDEFG"),
            "contribution": [1000.0, 900.0, 20.0, 15.0, 10.0, 800.0, -5.0],
            "stability": [0.9, 0.3, 0.8, 0.2, math.nan, 0.0, 0.85],
        }
    )


def test_thresholds_are_natural_breaks_and_shares_unless_given():
    found = Thresholds.of(world(), RULES)
    assert found == Thresholds(contribution=800.0, stability=0.8, large=800.0, medium=800.0)
    given_ = Thresholds.of(world(), replace(RULES, contribution=950.0, stability=0.25, large=0.6, medium=0.99))
    assert given_ == Thresholds(contribution=950.0, stability=0.25, large=900.0, medium=20.0)


def test_classes_and_sizes():
    frame = classify(world(), Thresholds(contribution=900.0, stability=0.3, large=1000.0, medium=20.0))
    assert frame["class"].fillna("").tolist() == ["EI", "EI", "EIII", "EIV", "", "EIV", "EIII"]
    assert frame["size"].tolist() == ["large", "medium", "medium", "small", "small", "medium", "small"]
    assert classify(world(), Thresholds(900.0, 0.31, 1e3, 2e1))["class"].iloc[1] == "EII"


def test_where_nothing_tells_high_from_low_nothing_is_high():
    nothing = Thresholds.of(world().assign(contribution=0.0), RULES)
    assert (nothing.contribution, nothing.large, nothing.medium) == (math.inf,) * 3
    new = world().assign(stability=math.nan)
    assert Thresholds.of(new, RULES).stability == math.inf
    assert classify(new, Thresholds.of(new, RULES))["class"].isna().all()
    stopped = classify(world().assign(stability=0.0), Thresholds.of(world().assign(stability=0.0), RULES))
    assert set(stopped["class"]) == {"EII", "EIV"}
    assert Thresholds.of(new, replace(RULES, stability=0.4)).stability == 0.4


def test_migration_counts_every_account_once_with_what_it_bought():
    thresholds = Thresholds(900.0, 0.3, 1000.0, 20.0)
    before = classify(world(), thresholds)
    moved = world().iloc[1:].assign(stability=[0.1, 0.8, 0.8, 0.9, 0.0, 0.85])
    now = classify(pd.concat([moved, moved.iloc[:1].assign(account_id="N", contribution=7.0)]), thresholds)
    found = migration(before, now)
    assert list(found.itertuples(index=False, name=None)) == [
        ("EI", "EII", 1, 900.0, 900.0),
        ("EI", "gone", 1, 1000.0, 0.0),
        ("EIII", "EIII", 2, 15.0, 15.0),
        ("EIV", "EIII", 1, 15.0, 15.0),
        ("EIV", "EIV", 1, 800.0, 800.0),
        ("unclassed", "EIII", 1, 10.0, 10.0),
        ("new", "EIV", 1, 0.0, 7.0),
    ]
    assert found["accounts"].sum() == 8


def test_concentration():
    assert concentration(pd.Series([80.0, *[20 / 4] * 4])) == Concentration(0.8, 0.2)
    assert concentration(pd.Series([10.0] * 15)) == Concentration(pytest.approx(0.2), pytest.approx(0.8))
    assert concentration(pd.Series([-5.0, 60.0, 40.0])) == Concentration(0.6, pytest.approx(2 / 3))
    for nothing in ([], [-1.0, 0.0]):
        found = concentration(pd.Series(nothing, dtype=float))
        assert math.isnan(found.top_share)
        assert math.isnan(found.accounts_share)


def test_low_stability_goes_with_more_losses_in_both_halves_of_contribution(tmp_path):
    write(simulate(700, 36, 102, date(2021, 1, 1)), tmp_path / "tables", tmp_path / "truth.parquet")
    connection = connect("1GB")
    orders = open_tables(connection, tmp_path / "tables")["orders"]
    as_of = date(2023, 6, 1)
    frame = measure(by_period(orders, MONTH, as_of, 24), over_all_time(orders, as_of), MONTH, as_of, RULES)
    later = by_period(orders, MONTH, date(2023, 9, 1), 3)
    connection.disconnect()
    frame = frame[frame["stability"] > 0]  # who has stopped already is no forecast
    frame = classify(frame, Thresholds.of(frame, RULES))
    lost = ~frame["account_id"].isin(later.loc[later["order_days"] > 0, "account_id"])
    share = lost.groupby(frame["class"]).mean()
    assert share["EII"] > 2 * share["EI"]
    assert share["EIV"] > 1.5 * share["EIII"]
