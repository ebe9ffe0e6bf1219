"""The audit finds a feature that knows the future, by name, and passes those that do not."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow.parquet as pq
import pytest

from features.audit import audit
from features.catalog import FEATURES, needs_of
from features.declaration import Additive, AsOf, Theme
from features.engines import connect, open_tables
from features.errors import ContractError
from features.matrix import Plan, features_of
from tests.features.worlds import LABEL, MONTH, world, write

FEATURES_OF_TWO = [feature for feature in FEATURES if set(needs_of(feature)) <= {"orders", "accounts"}]
CUTOFFS = [date(2023, 10, 1), date(2024, 3, 15)]
theme = Theme("leaking")

# paid_on is filled in later than the row: at its due date nobody knows that it will be paid
PAID_SOME_DAY = Additive("paid_some_day", "rebates", "due_on", where=lambda t: t.paid_on.notnull())


def _last_order(known):
    orders = known._tables["orders"]
    last = orders.group_by("account_id").agg(value=orders.ordered_at.epoch_seconds().max())
    return last.cross_join(known._cutoffs).select("account_id", "cutoff", "value")


LAST_ORDER = AsOf("last_order", "orders", _last_order)
declare = theme.feature(unit="days", reason="context", direction="none", sentence="{value}")


@declare
def rebates_paid_some_day(v):
    """Rebates that fell due and are paid some day."""
    return v.total(PAID_SOME_DAY)


@declare
def last_order_of_all(v):
    """Last order of all, after the cut-off or not."""
    return v.as_of(LAST_ORDER)


@pytest.fixture
def check(tmp_path):
    def run(features, tables=None):
        write(tmp_path / "world", tables or world(5))
        connection = connect("1GB")
        try:
            return audit(
                connection,
                open_tables(connection, tmp_path / "world"),
                CUTOFFS,
                Plan(MONTH, LABEL),
                date(2024, 9, 1),
                features,
            )
        finally:
            connection.disconnect()

    return run


@pytest.mark.slow
def test_declared_features_pass(check):
    alone = check(FEATURES)
    assert {suspect.feature for suspect in alone} == {feature.name for feature in FEATURES}
    assert all(0.5 <= suspect.auc <= 1 for suspect in alone)


@pytest.mark.parametrize("leak", theme.features, ids=lambda feature: feature.name)
def test_a_leaking_feature_is_caught_by_name(check, leak):
    with pytest.raises(
        ContractError, match=rf"Feature {leak.name} \(features/leaking.py\) knows the future: .* moved at"
    ):
        check([*FEATURES[:3], leak, *FEATURES[3:6]])


@pytest.mark.slow
def test_tables_without_booking_times_pass(tmp_path):
    write(tmp_path, world(6))
    for path in tmp_path.glob("*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(["recorded_at"]), path)
    connection = connect("1GB")
    tables = open_tables(connection, tmp_path)
    audit(connection, tables, CUTOFFS, Plan(MONTH, LABEL), date(2024, 9, 1), features_of(tables))
    connection.disconnect()


def test_a_row_written_because_an_account_was_lost_stands_out(check):
    orders, accounts = [], []
    for number in range(40):
        account, lost = f"A{number}", number % 2 == 0
        months = range(1, 3 if lost else 6)
        orders += [
            {"order_id": f"{account}-{month}", "account_id": account, "ordered_at": datetime(2024, month, 1 + number % 9),
             "amount": number, "is_return": False}
            for month in months
        ]  # fmt: skip
        # booked as closed before, once it was lost
        accounts.append({"account_id": account, "closed_on": date(2024, 2, 1) if lost else None})
    alone = {
        suspect.feature: suspect.auc for suspect in check(FEATURES_OF_TWO, {"orders": orders, "accounts": accounts})
    }
    assert alone["account_closed"] == 1.0
    assert alone["amount_12"] < 0.7
