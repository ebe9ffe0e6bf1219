"""Nothing known at or after as_of moves a feature; a plain Python oracle agrees on what does."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import FEATURES
from features.fold import connect, open_tables
from features.matrix import Plan, build
from features.periods import Duration, Label
from features.tables import TABLES

MONTH = Duration(1, "month")
LABEL = Label(Duration(3, "month"), Duration(12, "month"))
AS_OF = date(2024, 3, 15)
ARROW = {
    "id": pa.string(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "decimal": pa.decimal128(18, 4),
    "integer": pa.int64(),
    "flag": pa.bool_(),
}
FILLED = {
    "orders": [
        *("order_id", "account_id", "ordered_at", "product_id", "quantity", "amount", "is_return", "recorded_at"),
    ],
    "rebates": [
        *(
            "rebate_id",
            "account_id",
            "promised_on",
            "promised_amount",
            "due_on",
            "paid_on",
            "paid_amount",
            "recorded_at",
        ),
    ],
    "assignments": ["account_id", "manager_id", "started_on", "ended_on", "recorded_at"],
    "managers": ["manager_id", "hired_on", "left_on"],
}


def write(folder: Path, world: dict[str, list[dict]]) -> None:
    from decimal import Decimal

    folder.mkdir(exist_ok=True)
    for name, rows in world.items():
        columns = {}
        for column in FILLED[name]:
            kind = TABLES[name][column].kind
            values = [row.get(column) for row in rows]
            if kind == "decimal":
                values = [None if value is None else Decimal(str(value)) for value in values]
            columns[column] = pa.array(values, ARROW[kind])
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def matrix(folder: Path, world: dict[str, list[dict]], cutoffs: list[date], until=date(2024, 9, 1), label=LABEL):
    write(folder, world)
    connection = connect("1GB")
    parts = list(build(connection, open_tables(connection, folder), cutoffs, Plan(MONTH, label, block=2), until))
    connection.disconnect()
    frame = pa.concat_tables(parts).to_pandas()
    return frame.sort_values(["as_of", "account_id"], ignore_index=True)


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


def world() -> dict[str, list[dict]]:
    rng = np.random.default_rng(3)
    orders, rebates, assignments = [], [], []
    first = date(2022, 9, 1)
    for account in range(5):
        for number in range(24):
            day = first + timedelta(int(rng.integers(0, 700)))
            late = rng.random() < 0.15
            recorded = datetime(day.year, day.month, day.day) + timedelta(int(rng.integers(1, 80))) if late else None
            orders.append(
                order(
                    100 * account + number,
                    f"A{account}",
                    day,
                    float(rng.integers(1, 500)) / 4,
                    f"P{rng.integers(0, 6)}",
                    bool(rng.random() < 0.15),
                    recorded,
                )
            )
        for number in range(6):
            due = first + timedelta(int(rng.integers(60, 650)))
            paid = due + timedelta(int(rng.integers(-10, 120))) if rng.random() < 0.7 else None
            rebates.append(
                {
                    "rebate_id": f"R{account}-{number}",
                    "account_id": f"A{account}",
                    "promised_on": due - timedelta(40),
                    "promised_amount": float(rng.integers(10, 90)),
                    "due_on": due,
                    "paid_on": paid,
                    "paid_amount": None if paid is None else 9.5,
                    "recorded_at": None,
                }
            )
        change = first + timedelta(int(rng.integers(200, 600)))
        assignments += [
            {"account_id": f"A{account}", "manager_id": "M1", "started_on": first, "ended_on": change},
            {"account_id": f"A{account}", "manager_id": "M2", "started_on": change + timedelta(20), "ended_on": None},
        ]
    managers = [
        {"manager_id": "M1", "hired_on": first, "left_on": date(2023, 12, 1)},
        {"manager_id": "M2", "hired_on": None, "left_on": None},
    ]
    return {"orders": orders, "rebates": rebates, "assignments": assignments, "managers": managers}


def features_only(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("account_id")[[feature.name for feature in FEATURES if feature.name in frame]]


MIDNIGHT = datetime(AS_OF.year, AS_OF.month, AS_OF.day)


def drop_future(tables: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The tables as they were known at as_of, by hand."""
    known = {}
    known["orders"] = [
        row
        for row in tables["orders"]
        if row["ordered_at"] < MIDNIGHT and (row["recorded_at"] is None or row["recorded_at"] < MIDNIGHT)
    ]
    known["rebates"] = [
        row if row["paid_on"] is None or row["paid_on"] < AS_OF else {**row, "paid_on": None, "paid_amount": None}
        for row in tables["rebates"]
        if row["promised_on"] < AS_OF
    ]
    known["assignments"] = [
        row if row["ended_on"] is None or row["ended_on"] < AS_OF else {**row, "ended_on": None}
        for row in tables["assignments"]
        if row["started_on"] < AS_OF
    ]
    known["managers"] = [
        row if row["left_on"] is None or row["left_on"] < AS_OF else {**row, "left_on": None}
        for row in tables["managers"]
    ]
    return known


def test_deleting_all_that_was_not_known_changes_no_feature(tmp_path):
    full = matrix(tmp_path / "full", world(), [AS_OF])
    known = matrix(tmp_path / "known", drop_future(world()), [AS_OF])
    assert len(full) >= 3
    pd.testing.assert_frame_equal(features_only(full), features_only(known), check_exact=True)


def test_a_cutoff_among_others_gives_the_same_bits_as_alone(tmp_path):
    # 2024-01-15 shares its edges, 2024-02-29 owns others
    both = matrix(tmp_path / "both", world(), [date(2024, 1, 15), date(2024, 2, 29), AS_OF])
    alone = matrix(tmp_path / "alone", world(), [AS_OF])
    together = both[both["as_of"] == AS_OF].reset_index(drop=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutating_the_future_changes_no_feature(tmp_path, data):
    tables = world()
    days = st.integers(0, 200).map(lambda count: AS_OF + timedelta(count))
    mutated = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    for row in mutated["rebates"]:
        if row["paid_on"] is None or row["paid_on"] >= AS_OF:
            row["paid_on"] = data.draw(st.none() | days)
            row["paid_amount"] = None if row["paid_on"] is None else data.draw(st.integers(0, 99))
    for row in mutated["assignments"]:
        if row["ended_on"] is None or row["ended_on"] >= AS_OF:
            row["ended_on"] = data.draw(st.none() | days)
    for row in mutated["managers"]:
        if row["left_on"] is None or row["left_on"] >= AS_OF:
            row["left_on"] = data.draw(st.none() | days)
    for number in range(data.draw(st.integers(1, 5))):
        account = f"A{data.draw(st.integers(0, 6))}"
        day = data.draw(days)
        early = data.draw(st.booleans())  # happened long ago, booked only now
        happened = data.draw(st.integers(1, 900).map(lambda count: AS_OF - timedelta(count))) if early else day
        recorded = datetime(day.year, day.month, day.day) if early else None
        mutated["orders"].append(order(9000 + number, account, happened, 777.0, "P99", recorded=recorded))
    before = features_only(matrix(tmp_path / "before", tables, [AS_OF]))
    after = features_only(matrix(tmp_path / "after", mutated, [AS_OF]))
    pd.testing.assert_frame_equal(after.loc[before.index], before, check_exact=True)


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


def plain(rows: list[dict], as_of: date) -> dict[str, float]:
    """Some features of one account from its known orders, the slow and obvious way."""
    bought = [row for row in rows if not row["is_return"]]
    days = sorted({row["ordered_at"].date() for row in bought})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    result = {
        "recency": (as_of - days[-1]).days,
        "tenure": (as_of - days[0]).days,
        "order_days_total": len(days),
        "gap_mean": np.mean(gaps) if gaps else np.nan,
        "gap_spread": np.std(gaps) / np.mean(gaps) if gaps else np.nan,
    }
    for window in (1, 3, 6, 12):
        start = MONTH.before(as_of, window)
        inside = [row for row in bought if row["ordered_at"].date() >= start]
        back = [row for row in rows if row["is_return"] and row["ordered_at"].date() >= start]
        amount = sum(row["amount"] for row in inside)
        result[f"amount_{window}"] = amount
        result[f"quantity_{window}"] = sum(row["quantity"] for row in inside)
        result[f"order_days_{window}"] = len({row["ordered_at"].date() for row in inside})
        result[f"breadth_{window}"] = len({row["product_id"] for row in inside})
        result[f"return_share_{window}"] = -sum(row["amount"] for row in back) / amount if amount > 0 else np.nan
    return result


def plain_care(tables: dict[str, list[dict]], account: str, as_of: date) -> dict[str, float]:
    """Rebate and manager features of one account from tables already cut to what was known."""
    own = [row for row in tables["rebates"] if row["account_id"] == account]
    overdue = [row for row in own if row["due_on"] < as_of and row["paid_on"] is None]
    year = MONTH.before(as_of, 12)
    paid = [row for row in own if row["paid_on"] is not None and row["paid_on"] >= year]
    delays = [max((row["paid_on"] - row["due_on"]).days, 0) for row in paid]
    spells = [row for row in tables["assignments"] if row["account_id"] == account]
    current = [row for row in spells if row["ended_on"] is None]
    return {
        "rebates_overdue": len(overdue),
        "rebates_overdue_amount": sum(row["promised_amount"] for row in overdue),
        "rebates_overdue_oldest": max([(as_of - row["due_on"]).days for row in overdue], default=0),
        "rebate_delay_12": np.mean(delays) if delays else np.nan,
        "rebates_paid_late_share_12": np.mean([delay > 0 for delay in delays]) if delays else np.nan,
        "manager_tenure": min([(as_of - row["started_on"]).days for row in current], default=np.nan),
        "managers_total": len(spells),
        "manager_absent": 0 if current else min((as_of - row["ended_on"]).days for row in spells),
    }


def test_features_agree_with_plain_python(tmp_path):
    frame = matrix(tmp_path / "all", world(), [AS_OF]).set_index("account_id")
    known = drop_future(world())
    for account, row in frame.iterrows():
        expected = plain([r for r in known["orders"] if r["account_id"] == account], AS_OF)
        expected |= plain_care(known, account, AS_OF)
        for name, value in expected.items():
            np.testing.assert_allclose(row[name], value, rtol=1e-9, err_msg=f"{account} {name}", equal_nan=True)


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


def test_any_missing_table_removes_its_features_only(tmp_path):
    tables = world()
    alone = matrix(tmp_path / "alone", {"orders": tables["orders"]}, [AS_OF])
    full = matrix(tmp_path / "full", tables, [AS_OF])
    assert not [name for name in alone if name.startswith(("rebate", "manager", "leaver"))]
    shared = list(alone.columns)
    pd.testing.assert_frame_equal(full[shared], alone, check_exact=True)
