"""Which features given tables can show: a missing table or column removes exactly those that read it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog import FEATURES, available, facts_of, needs_of, shared
from features.declaration import Fact, Shared
from features.engines import connect, open_tables
from features.matrix import Plan, build, features_of
from features.orders import ORDER_DAYS, PRODUCTS
from features.tables import TABLES
from tests.features.worlds import LABEL, MONTH, world, write

ALL = {name: {column.name for column in table.columns} for name, table in TABLES.items()}
AS_OF = date(2024, 3, 15)


def names(features) -> set[str]:
    return {feature.name for feature in features}


def gone(table: str, column: str = "") -> set[str]:
    """The features that vanish with a table, or with one column of it."""
    left = {name: columns - {column} if name == table else columns for name, columns in ALL.items()}
    if not column:
        del left[table]
    return names(FEATURES) - names(available(left))


def named(*beginnings: str) -> set[str]:
    return {name for name in names(FEATURES) if name.startswith(beginnings)}


def test_all_tables_show_all_features_in_their_order():
    assert available(ALL) == FEATURES


def test_nothing_shows_nothing():
    assert available({}) == ()


@pytest.mark.parametrize(
    ("table", "column", "features"),
    [
        ("orders", "quantity", named("quantity_")),
        ("orders", "list_amount", {"price_paid", "price_paid_change"}),
        ("orders", "product_id", named("breadth_", "range_against_others", "range_age")),
        ("orders", "product_line", named("events_line_")),
        ("orders", "margin", set()),
        ("accounts", "closed_on", {"account_closed"}),
        ("deliveries", "stock_out", {"stock_outs", "stock_outs_against_lines", "region_stock_outs", "line_stock_outs"}),
        ("products", "launched_on", named("range_age")),
        ("products", "delisted_on", set()),
        ("managers", "left_on", {"manager_left_since", "leaver_accounts_gone"}),
        ("managers", "name", set()),
        ("contacts", "replied_at", {"questions_unanswered", *named("reply_days_")}),
        ("complaints", "severity", {"complaints_severity"}),
        ("competitor_signals", "region", {"rival_signals_region"}),
        (
            "competitor_signals",
            "account_id",
            {"rival_since", "rival_price_gap", *named("rival_signals_1", "rival_signals_3", "wallet_")},
        ),
        ("exits", "", set()),
        ("feedback", "", set()),
        ("prospects", "", set()),
    ],
)
def test_a_missing_column_removes_the_features_that_read_it(table, column, features):
    assert gone(table, column) == features


@pytest.mark.parametrize("table", ["orders", "rebates", "complaints", "deliveries", "events"])
def test_a_missing_table_removes_the_features_that_are_named_for_it(table):
    theme = {"events": "turbulence"}.get(table, table)
    removed = gone(table)
    assert {feature.theme for feature in FEATURES if feature.name in removed} >= {theme}
    assert not [feature.name for feature in FEATURES if table in needs_of(feature) and feature.name not in removed]


@pytest.mark.parametrize("table", list(TABLES))
def test_a_missing_table_removes_what_any_of_its_columns_would_and_no_more(table):
    assert gone(table) == set().union(*(gone(table, column) for column in ALL[table]))


def test_the_facts_of_a_feature_are_those_its_formula_asks_for():
    by_name = {feature.name: feature for feature in FEATURES}
    assert facts_of(by_name["recency"]) == (ORDER_DAYS,)
    assert facts_of(by_name["breadth_3"]) == (PRODUCTS,)
    assert {fact.name for fact in facts_of(by_name["order_size_6"])} == {"amount", "order_days"}


def test_facts_of_one_name_are_one_fact():
    known: dict[str, Fact] = {}  # the fold tells them apart by name alone
    for feature in FEATURES:
        for fact in facts_of(feature):
            assert known.setdefault(fact.name, fact) == fact


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("whole")
    write(folder, world(11))
    return folder, built(folder)


def built(folder: Path) -> pd.DataFrame:
    connection = connect("1GB")
    tables = open_tables(connection, folder)
    parts = list(
        build(connection, tables, [AS_OF], Plan(MONTH, LABEL), date(2024, 9, 1), features_of(tables), progress=False)
    )
    connection.disconnect()
    return pa.concat_tables(parts).to_pandas()


@pytest.mark.parametrize("seed", range(4))
def test_with_columns_missing_at_random_the_other_features_stay_what_they_are(whole, tmp_path, seed):
    folder, full = whole
    rng = np.random.default_rng(seed)
    columns, absent = {}, set[str]()
    for path in folder.glob("*.parquet"):
        table, declared = pq.read_table(path), TABLES[path.stem]
        # key, event and entry move the day a row counts from; without an account signals are of its region
        safe = {*declared.key, declared.event, "recorded_at", "account_id"}
        safe |= {column.name for column in declared.columns if column.required}
        dropped = [name for name in table.column_names if name not in safe and rng.random() < 0.3]
        pq.write_table(table.drop_columns(dropped), tmp_path / path.name)
        columns[path.stem] = set(table.column_names) - set(dropped)
        absent |= set(dropped)
    some = built(tmp_path)
    shown = names(available(columns))
    assert 20 < len(shown) < len(FEATURES)
    assert shown <= set(some.columns)
    other = {feature.name for feature in FEATURES if any(absent & set(spared(fact)) for fact in facts_of(feature))}
    same = [name for name in some.columns if name not in other]
    pd.testing.assert_frame_equal(some[same], full[same], check_exact=True)


def spared(fact: Fact) -> tuple[str, ...]:
    """The columns that a fact does without where they are not there: then it counts what it would leave out."""
    return getattr(fact.of if isinstance(fact, Shared) else fact, "spare", ())


def test_no_more_features_than_those_of_deliveries_do_without_a_column():
    found = {feature.name for feature in FEATURES if any(spared(fact) for fact in facts_of(feature))}
    late = {
        "region_late_share",
        "peak_season_failures",
        "delivery_delay_3",
        *named("deliveries_late_", "deliveries_short_"),
    }
    assert found == late | {"stock_outs", "stock_outs_against_lines", "line_stock_outs"}


def test_signals_of_regions_alone_show_the_feature_of_regions(tmp_path):
    orders = [
        {"order_id": name, "account_id": name, "ordered_at": datetime(2024, 3, 1), "amount": 1, "is_return": False}
        for name in ("A", "B")
    ]
    accounts = [{"account_id": "A", "region": "North"}, {"account_id": "B", "region": "South"}]
    signals = [{"signal_id": str(day), "region": "North", "seen_on": date(2024, 3, day)} for day in (1, 14, 15)]
    write(tmp_path, {"orders": orders, "accounts": accounts, "competitor_signals": signals})
    path = tmp_path / "competitor_signals.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["account_id"]), path)
    frame = built(tmp_path)
    assert frame["rival_signals_region"].tolist() == [2, 0]
    assert not {"rival_signals_3", "rival_since", "wallet_change"} & set(frame.columns)


def test_without_product_lines_all_deliveries_are_of_one_line(tmp_path):
    orders = [
        {
            "order_id": f"O{number}",
            "account_id": account,
            "ordered_at": datetime(2024, 2, 1),
            "amount": 10,
            "is_return": False,
        }
        for number, account in enumerate("AAB")
    ]
    deliveries = [
        {
            "delivery_id": str(number),
            "order_id": "O1",
            "account_id": account,
            "promised_on": date(2024, 2, 10 + number),
            "delivered_on": date(2024, 2, 12 + number),
            "stock_out": out,
        }
        for number, (account, out) in enumerate([("A", True), ("A", True), ("A", False), ("B", False)])
    ]
    write(tmp_path, {"orders": orders, "deliveries": deliveries})
    path = tmp_path / "orders.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["product_line"]), path)
    frame = built(tmp_path).set_index("account_id")
    assert frame["line_stock_outs"].to_dict() == {"A": 0.5, "B": 0.5}
    assert frame["stock_outs"].to_dict() == {"A": 0.5, "B": 0.0}
    assert frame["stock_outs_against_lines"].to_dict() == pytest.approx({"A": 2 / 3 - 0.5, "B": -0.5})
    assert frame["deliveries_late_share_3"].to_dict() == pytest.approx({"A": 1 / 3, "B": 1.0})


def test_features_shared_by_region_or_company_are_known_by_their_declaration():
    found = {feature.name for feature in FEATURES if shared(feature)}
    assert {"events_company_running", "region_season", "company_season", "region_late_share"} <= found
    assert not found & {"recency", "own_against_region", "stock_outs_against_lines", "tenure", "events_account_recent"}
