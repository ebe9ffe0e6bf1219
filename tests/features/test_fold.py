"""What a fact reads, the grid of edges, and what a fold refuses."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declaration import Additive, AsOf, Days, Distinct, ItemValue, Latest, Reach, Shared
from features.engines import Read, connect, open_tables
from features.errors import ConfigurationError
from features.fold import Cutoffs, Fold, columns_of, day_number
from features.orders import AMOUNT, ORDER_DAYS
from features.panels import EXACT
from features.periods import Duration, Label, edge_index
from features.windows import Panel, View
from tests.features.worlds import LABEL, MONTH, write

AS_OF = date(2024, 3, 15)
PAID = Additive("paid", "rebates", "paid_on", value=lambda t: t.paid_amount, where=lambda t: t.kind == "term")
PRODUCTS = Distinct("products", "orders", "ordered_at", item="product_id", where=lambda t: t.quantity > 0)
RUNNING = AsOf(
    "running", "events", lambda known: known.rows("events"), ("started_on",), {"orders": ("product_line",)}, by="region"
)


@pytest.mark.parametrize(
    ("fact", "columns"),
    [
        (PAID, {"rebates": {"account_id", "paid_on", "paid_amount", "kind"}}),
        (Additive("count", "contacts", "contacted_at"), {"contacts": {"account_id", "contacted_at"}}),
        (
            Days("days", "orders", "ordered_at", where=lambda t: ~t.is_return),
            {"orders": {"account_id", "ordered_at", "is_return"}},
        ),
        (Latest("seen", "contacts", "contacted_at"), {"contacts": {"account_id", "contacted_at"}}),
        (PRODUCTS, {"orders": {"account_id", "ordered_at", "product_id", "quantity"}}),
        (
            ItemValue("launched", PRODUCTS, "products", "launched_on"),
            {
                "orders": {"account_id", "ordered_at", "product_id", "quantity"},
                "products": {"product_id", "launched_on"},
            },
        ),
        (
            Shared("paid_by_region", PAID, by="region"),
            {"rebates": {"account_id", "paid_on", "paid_amount", "kind"}, "accounts": {"account_id", "region"}},
        ),
        (Shared("paid_by_company", PAID, by="company"), {"rebates": {"account_id", "paid_on", "paid_amount", "kind"}}),
        (
            RUNNING,
            {"events": {"started_on"}, "orders": {"product_line"}, "accounts": {"account_id", "region"}},
        ),
        (Reach("complaints"), {"complaints": {"opened_at"}}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_columns_that_a_fact_reads(fact, columns):
    assert columns_of(fact) == columns


def test_the_grid_reaches_from_the_first_day_to_the_end_of_the_last_label():
    cutoffs = Cutoffs([date(2024, 1, 15), AS_OF], MONTH, LABEL)
    grid = cutoffs.grid(date(2023, 11, 14))
    days = [date(1970, 1, 1).fromordinal(date(1970, 1, 1).toordinal() + int(edge)) for edge in grid.edges]
    assert days[0] == date(2023, 10, 15)  # the period that holds 2023-11-14
    assert days[-2:] == [date(2024, 6, 15), date(2024, 7, 15)]  # the label of 2024-03-15 ends on 2024-06-15
    assert [days[place] for place in grid.at] == [date(2024, 1, 15), AS_OF]
    assert grid.year == 12


def test_the_grid_begins_no_later_than_its_cutoffs():
    grid = Cutoffs([AS_OF], MONTH, LABEL).grid(date(2025, 1, 1))
    assert grid.at.tolist() == [0]
    assert grid.edges[0] == day_number(AS_OF)


@given(
    st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    st.sampled_from(["1 month", "2 months", "7 days", "30 days"]),
    st.integers(0, 400),
)
def test_every_period_of_the_grid_is_the_one_its_days_are_numbered_by(as_of, first, period, horizon):
    period = Duration.parse(period)
    grid = Cutoffs([as_of], period, Label(Duration(horizon, "day"), Duration(12, "month"))).grid(first)
    assert (np.diff(grid.edges) > 0).all()
    assert grid.edges[grid.at[0]] == day_number(as_of)
    assert grid.edges[0] <= day_number(min(first, as_of))
    assert grid.edges[-1] > day_number(as_of) + horizon
    if first <= as_of:
        place = int(np.searchsorted(grid.edges, day_number(first), side="right")) - 1
        assert place - grid.at[0] == edge_index(first, period, as_of)


def order(amount: str, number: int = 1, day: int = 10) -> dict[str, Any]:
    return {
        "order_id": f"O{number}",
        "account_id": "A",
        "ordered_at": datetime(2024, 2, day),
        "amount": Decimal(amount),
        "is_return": False,
    }


def fold(folder, orders: list[dict[str, Any]], period: Duration = MONTH, label: Label = LABEL) -> Fold:
    write(folder, {"orders": orders})
    connection = connect("1GB")
    return Fold(connection, open_tables(connection, folder), [AMOUNT, ORDER_DAYS], Cutoffs([AS_OF], period, label))


def panel(folded: Fold) -> Panel:
    """The facts of the only account."""
    found: list[Panel] = []

    def work(read: Read, low: int, high: int) -> pa.Table:
        found.append(folded.kept.panel(read, high - low))
        return pa.table({})

    assert len(list(folded.blocks(1, work))) == 1
    return found[0]


def test_orders_without_rows_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="orders has no rows"):
        fold(tmp_path, [])


@pytest.mark.parametrize("period", [Duration(3, "month"), Duration(63, "day")], ids=str)
def test_a_period_longer_than_its_set_of_days_is_refused(tmp_path, period):
    with pytest.raises(ConfigurationError, match=rf"featurize\.period {period} is longer than 62 days\. Use 2 months"):
        fold(tmp_path, [order("1")], period)


def test_the_last_day_of_the_longest_period_counts(tmp_path):
    folded = fold(tmp_path, [order("1"), order("1", 2, 15)], Duration(62, "day"))
    # 2024-03-15 is day 62 after 2024-01-13: the period before it ends with 2024-03-14
    assert View(panel(folded), folded.grid).days(ORDER_DAYS).item() == 2
    edge = [{**order("1"), "ordered_at": datetime(2024, 3, 14)}, {**order("1", 2), "ordered_at": datetime(2024, 1, 13)}]
    folded = fold(tmp_path, edge, Duration(62, "day"))
    assert View(panel(folded), folded.grid).days(ORDER_DAYS, 1).item() == 2


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_largest_exact_sum_is_folded_exactly_and_a_larger_one_refused(tmp_path, sign):
    # 2**51 ten-thousandths are 225,179,981,368.5248
    folded = fold(tmp_path, [order(f"{sign}225179981368.0001"), order(f"{sign}0.5247", 2)])
    assert panel(folded).additive["amount"].dense.sum() == int(f"{sign}{EXACT}")
    folded = fold(tmp_path, [order(f"{sign}225179981368.0001"), order(f"{sign}0.7", 2)])
    with pytest.raises(ConfigurationError, match=r"sums of amount exceed 225179981369 in one period.*larger unit"):
        panel(folded)


def test_small_amounts_are_added_to_large_ones_exactly(tmp_path):
    # in floating point each of the small ones would be rounded on its own
    amounts = ["200000000000.0001", *["0.0001"] * 300]
    folded = fold(tmp_path, [order(amount, number) for number, amount in enumerate(amounts)])
    assert panel(folded).additive["amount"].dense.sum() == 2_000_000_000_000_301
