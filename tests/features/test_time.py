"""Nothing known at or after as_of moves a feature; edges, labels, eligibility and missing tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import FEATURES, needs_of
from features.periods import Duration, Label
from tests.features.worlds import LABEL, MONTH, day_of, known, matrix, mutate_future, world

AS_OF = date(2024, 3, 15)


def order(
    number: int, account: str, day: date, amount=10.0, product="P1", is_return=False, recorded=None, hour=9
) -> dict:
    return {
        "order_id": f"O{number}",
        "account_id": account,
        "ordered_at": datetime(day.year, day.month, day.day, hour),
        "product_id": product,
        "quantity": -2 if is_return else 2,
        "amount": -amount if is_return else amount,
        "is_return": is_return,
        "recorded_at": recorded,
    }


def features_only(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("account_id")[[feature.name for feature in FEATURES if feature.name in frame]]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), future=st.integers(0, 10_000), as_of=st.sampled_from([AS_OF, date(2023, 10, 1)]))
def test_changing_all_that_was_not_known_changes_no_feature(tmp_path, seed, future, as_of):
    tables = world(seed)
    before = features_only(matrix(tmp_path / "before", tables, [as_of]))
    after = features_only(matrix(tmp_path / "after", mutate_future(tables, as_of, future), [as_of]))
    pd.testing.assert_frame_equal(after.loc[before.index], before, check_exact=True)


def test_deleting_all_that_was_not_known_changes_no_feature(tmp_path):
    full = matrix(tmp_path / "full", world(3), [AS_OF])
    gone = matrix(tmp_path / "known", known(world(3), AS_OF), [AS_OF])
    assert len(full) >= 3
    pd.testing.assert_frame_equal(features_only(full), features_only(gone), check_exact=True)


def test_a_cutoff_among_others_gives_the_same_bits_as_alone(tmp_path):
    # 2024-01-15 shares its edges, 2024-02-29 owns others
    both = matrix(tmp_path / "both", world(3), [date(2024, 1, 15), date(2024, 2, 29), AS_OF])
    alone = matrix(tmp_path / "alone", world(3), [AS_OF])
    together = both[both["as_of"] == AS_OF].reset_index(drop=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)


@pytest.mark.parametrize("window", [1, 3, 6, 12])
def test_an_order_on_an_edge_belongs_to_the_window_that_begins_there(tmp_path, window):
    edge = MONTH.before(AS_OF, window)
    rows = [order(1, "A", edge, hour=0), order(2, "A", edge - timedelta(1), 5.0), order(3, "A", AS_OF, 99.0, hour=0)]
    rows.append(order(4, "A", AS_OF - timedelta(1), 1.0))
    frame = matrix(tmp_path / "edge", {"orders": rows}, [AS_OF])
    assert frame[f"amount_{window}"].tolist() == [11.0]
    assert frame[f"order_days_{window}"].tolist() == [2.0]
    assert frame["recency"].tolist() == [1.0]
    assert frame["order_days_total"].tolist() == [3.0]


def test_labels(tmp_path):
    rows = [order(number, account, date(2024, 3, 1)) for number, account in enumerate("ABCDE")]
    rows += [
        order(10, "A", date(2024, 6, 14)),  # the last day of the horizon
        order(11, "B", date(2024, 6, 15)),  # the first day after it
        order(12, "C", date(2024, 5, 1), recorded=datetime(2024, 6, 14)),  # booked just in time
        order(13, "D", date(2024, 5, 1), recorded=datetime(2024, 6, 15)),  # booked too late for the label
        order(14, "E", AS_OF, hour=0),  # at as_of itself: within the horizon
    ]
    frame = matrix(tmp_path / "labels", {"orders": rows}, [AS_OF]).set_index("account_id")
    assert frame["label"].to_dict() == {"A": 0.0, "B": 1.0, "C": 0.0, "D": 1.0, "E": 0.0}
    lagged = Label(LABEL.horizon, LABEL.eligible, booking_lag=Duration(1, "day"))
    assert (
        matrix(tmp_path / "lag", {"orders": rows}, [AS_OF], label=lagged).set_index("account_id")["label"]["D"] == 0.0
    )


def test_a_label_that_has_not_matured_is_unknown(tmp_path):
    rows = [order(1, "A", date(2024, 3, 1)), order(2, "A", date(2024, 6, 14))]
    immature = matrix(tmp_path / "immature", {"orders": rows}, [AS_OF], until=date(2024, 6, 14))
    assert immature["label"].isna().all()


def test_eligible_and_lapsed(tmp_path):
    rows = [
        order(1, "edge", date(2023, 3, 15)),  # twelve months to the day: eligible
        order(2, "gone", date(2023, 3, 14)),
        order(3, "quiet", date(2023, 12, 14)),  # no order in [2023-12-15, 2024-03-15)
        order(4, "live", date(2023, 12, 15)),
        order(5, "new", AS_OF),
    ]
    frame = matrix(tmp_path / "eligible", {"orders": rows}, [AS_OF]).set_index("account_id")
    assert frame["lapsed"].to_dict() == {"edge": True, "live": False, "quiet": True}


@pytest.mark.parametrize("seed", range(8))
def test_any_missing_table_removes_its_features_only(tmp_path, seed):
    rng = np.random.default_rng(seed)
    tables = world(seed)
    kept = {name: rows for name, rows in tables.items() if name == "orders" or rng.random() < 0.5}
    some = matrix(tmp_path / "some", kept, [AS_OF])
    full = matrix(tmp_path / "full", tables, [AS_OF])
    needing = {feature.name for feature in FEATURES if not set(needs_of(feature)) <= set(kept)}
    assert not needing & set(some.columns)
    assert {feature.name for feature in FEATURES} - needing <= set(some.columns)
    pd.testing.assert_frame_equal(full[list(some.columns)], some, check_exact=True)


def test_orders_alone_show_their_features(tmp_path):
    alone = matrix(tmp_path / "alone", {"orders": world(1)["orders"]}, [AS_OF])
    assert {"recency", "amount_12", "return_share_12"} <= set(alone.columns)
    assert not [name for name in alone if name.startswith(("rebate", "manager", "leaver"))]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Three worlds with their features; in one or other every feature that counts the days since something has a value."""
    folder = tmp_path_factory.mktemp("worlds")
    tables = [world(10), world(31), silent_since_closed(world(31))]
    return [(one, matrix(folder / str(number), one, [AS_OF])) for number, one in enumerate(tables)]


def silent_since_closed(tables):
    """The same tables, but nobody orders after it closed."""
    closed = {row["account_id"]: row["closed_on"] or date.max for row in tables["accounts"]}
    orders = [row for row in tables["orders"] if row["ordered_at"].date() <= closed[row["account_id"]]]
    return {**tables, "orders": orders}


@pytest.mark.parametrize("feature", [f for f in FEATURES if f.since], ids=lambda feature: feature.name)
def test_the_day_that_days_are_counted_since_is_one_of_the_accounts_own(worlds, feature):
    found = 0
    for tables, frame in worlds:
        values = frame.set_index("account_id")[feature.name].dropna()
        for account, value in values[values > 0].items() if feature.empty == "0" else values.items():
            own = {
                day_of(row[column])
                for table, columns in needs_of(feature).items()
                for row in tables[table]
                if row.get("account_id", account) == account  # managers' rows are of no account
                for column in columns
                if isinstance(row[column], date)
            }
            assert AS_OF - timedelta(value) in own
            found += 1
    assert found


def test_a_spell_closed_because_the_account_was_lost_is_not_over(tmp_path):
    spell = {"account_id": "A", "manager_id": "M1", "started_on": date(2024, 1, 1), "ended_on": date(2024, 3, 1)}
    absent = {}
    for reason in ("account_lost", "left"):
        tables = {"orders": [order(1, "A", date(2024, 2, 1))], "assignments": [{**spell, "end_reason": reason}]}
        absent[reason] = matrix(tmp_path / reason, tables, [AS_OF])["manager_absent"].item()
    assert absent == {"account_lost": 0.0, "left": 14.0}
