"""Features kept on disk by cut-off: read block by block, of all accounts or of some, the same whatever the block."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from features.engines import connect, open_tables
from features.errors import ConfigurationError, ContractError
from features.matrix import Plan, build, features_of
from features.periods import Duration, Label
from pipeline.feature_rows import feature_rows, features_at
from pipeline.layout import Layout
from pipeline.params import load
from tests.features.worlds import write

FEATURIZE = load(Path(__file__).resolve().parents[2], "contract").featurize
PLAN = Plan(Duration(1, "month"), Label(Duration(3, "month"), Duration(12, "month"), 2, Duration(5, "day")), 7, 0)


def order(account: str, ordered_at: datetime) -> dict:
    return {
        "order_id": f"{account}-{ordered_at:%m%d}", "account_id": account, "ordered_at": ordered_at, "amount": 1,
        "is_return": False,
    }  # fmt: skip


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path, "mine")
    layout.tables.mkdir(parents=True)
    orders = [order("A", datetime(2024, 2, day)) for day in (1, 20)] + [order("B", datetime(2024, 3, 14, 18))]
    write(layout.tables, {"orders": [*orders, order("B", datetime(2024, 1, 14))]})
    return layout


def test_features_at_a_day_or_at_the_day_after_the_last_order(layout):
    frame = features_at(layout, None, PLAN, FEATURIZE, ["recency", "order_days_total"])
    assert frame["as_of"].unique().tolist() == [date(2024, 3, 15)]
    assert frame.set_index("account_id")["recency"].to_dict() == {"A": 24, "B": 1}
    frame = features_at(layout, date(2024, 2, 21), PLAN, FEATURIZE, ["recency"])
    assert frame.set_index("account_id")["recency"].to_dict() == {"A": 1}  # B had ordered on one day only
    assert list(frame.columns[-1:]) == ["recency"]


def test_features_at_the_cut_offs_before_come_with_those_at_the_day(layout):
    with feature_rows(layout, date(2024, 4, 1), PLAN, FEATURIZE, ["recency"], backs=[0, 1, 2]) as rows:
        told = {month: rows.read(date(2024, month, 1)) for month in (4, 3, 2)}
    assert [dict(zip(frame["account_id"], frame["recency"], strict=True)) for frame in told.values()] == [
        {"A": 41, "B": 18},
        {"A": 10},  # B had ordered on one day only
        {},
    ]
    assert list(told[2].columns) == list(told[4].columns)


def test_features_that_the_tables_cannot_show_are_counted_and_one_is_named(layout):
    names = ["recency", "rebates_overdue", "manager_absent"]
    with pytest.raises(
        ContractError, match=r"which has 3 features .*\n  - rebates_overdue: no table shows it\n  - manager_absent: "
    ):
        features_at(layout, None, PLAN, FEATURIZE, names)


def test_a_day_on_which_nobody_is_eligible_is_refused_with_the_last_order(layout):
    with pytest.raises(
        ConfigurationError,
        match=r"Nobody is eligible at 2026-01-01: no account ordered in the 12 months before it\. Orders end on 2024-03-14",
    ):
        features_at(layout, date(2026, 1, 1), PLAN, FEATURIZE, ["recency"])


@pytest.mark.parametrize("block", [1, 3, 100])
def test_whatever_the_block_the_rows_are_those_of_the_matrix(tmp_path, block):
    """The oracle is the matrix in one piece; of some accounts, in any order, its rows are the same."""
    layout = Layout(tmp_path, "mine")
    layout.tables.mkdir(parents=True)
    orders = [
        order(f"A{number % 10}", datetime(2024, 1 + number % 6, 1 + number % 27, number % 24)) for number in range(80)
    ]
    write(layout.tables, {"orders": orders})
    names, days = ["recency", "amount_3", "order_days_total"], [date(2024, 4, 15), date(2024, 6, 15)]
    connection = connect("1GB")
    tables = open_tables(connection, layout.tables)
    chosen = [feature for feature in features_of(tables) if feature.name in names]
    whole = pa.concat_tables(build(connection, tables, days, replace(PLAN, block=50), date(2024, 7, 1), chosen))
    oracle = whole.to_pandas().sort_values(["as_of", "account_id"])
    some = ["A7", "A0", "A3", "nobody"]
    plan = replace(PLAN, block=block)
    with feature_rows(layout, days[1], plan, FEATURIZE, [feature.name for feature in chosen], backs=[0, 2]) as rows:
        for day in days:
            expected = oracle[oracle["as_of"] == day].reset_index(drop=True)
            assert len(expected) == 10
            pd.testing.assert_frame_equal(rows.read(day), expected)
            of_some = expected[expected["account_id"].isin(some)].reset_index(drop=True)
            pd.testing.assert_frame_equal(rows.read(day, some), of_some)
            assert len(list(rows.blocks(day))) == -(-10 // block)
        folder = rows.folder
    assert not folder.exists()
