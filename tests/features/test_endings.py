"""An account that closed is closed only as long as it does not order on."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from features.catalog import DECLARED
from tests.features.test_time import AS_OF, order
from tests.features.worlds import LABEL, matrix

CLOSED_ON = date(2024, 1, 10)
UNTIL = date(2024, 12, 1)


@pytest.mark.parametrize(
    ("last_order", "closed_on", "days"),
    [
        (date(2023, 12, 1), CLOSED_ON, (AS_OF - CLOSED_ON).days),
        (CLOSED_ON + timedelta(31), CLOSED_ON, (AS_OF - CLOSED_ON).days),  # was under way when it closed
        (CLOSED_ON + timedelta(32), CLOSED_ON, 0),
        (date(2023, 12, 1), None, 0),
        (date(2023, 12, 1), AS_OF, 0),  # not known yet
    ],
)
def test_who_orders_on_more_than_a_month_after_it_closed_is_open(tmp_path, last_order, closed_on, days):
    accounts = [{"account_id": "A", "closed_on": closed_on}]
    orders = [order(0, "A", date(2023, 11, 1)), order(1, "A", last_order)]
    frame = matrix(
        tmp_path / "world",
        {"orders": orders, "accounts": accounts},
        [AS_OF],
        UNTIL,
        LABEL,
        features=[DECLARED["account_closed"]],
    )
    assert frame["account_closed"].tolist() == [days]
