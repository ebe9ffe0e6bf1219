"""What an account owes, its wallet, and who knows us: edges, what is known later, and slow counts."""

from __future__ import annotations

from datetime import date, datetime
from statistics import fmean
from typing import Any

import ibis
import pandas as pd
import pytest

from features import standing
from features.tables import WEAK_INTENTS
from tests.features.worlds import MONTH, arrow, day_of, known, mutate_future, world

AS_OF = date(2024, 3, 15)
SINCE = date(2023, 3, 15)
EDGES = [MONTH.before(AS_OF, step) for step in range(14)]


def table(name: str, rows: list[dict[str, Any]], without: tuple[str, ...] = ()) -> Any:
    return ibis.memtable(arrow(name, rows).drop_columns(list(without)))


def invoice(due: date | None, amount: float | None = 10.0, paid: date | None = None, **other: Any) -> dict[str, Any]:
    row = {"invoice_id": "I", "account_id": "A", "issued_on": date(2023, 6, 1), "due_on": due, "paid_on": paid}
    return {**row, "amount": amount, **other}


def signal(seen: date, value: float | None, **other: Any) -> dict[str, Any]:
    return {"signal_id": "S", "account_id": "A", "seen_on": seen, "kind": "wallet", "value": value, **other}


@pytest.mark.parametrize("edges", [(), EDGES], ids=["any day", "days on the edges"])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_a_slow_count_of_what_was_known(seed, edges):
    tables = world(seed, edges)
    then = known(tables, AS_OF)
    owed = standing.overdue(table("invoices", tables["invoices"]), AS_OF, 60).set_index("account_id")
    expected: dict[str, list[tuple[int, float]]] = {}
    for row in then["invoices"]:
        if row["due_on"] is not None and row["due_on"] < AS_OF and row["paid_on"] is None:
            expected.setdefault(row["account_id"], []).append(((AS_OF - row["due_on"]).days, row["amount"] or 0.0))
    assert sorted(owed.index) == sorted(expected)
    for account, invoices in expected.items():
        long = sum(amount for days, amount in invoices if days >= 60)
        assert owed.loc[account].tolist() == [sum(amount for _, amount in invoices), long, max(invoices)[0]]
    seen: dict[str, list[float]] = {}
    for row in then["competitor_signals"]:
        if row["kind"] == "wallet" and row["value"] is not None and row["account_id"] and row["seen_on"] >= SINCE:
            seen.setdefault(row["account_id"], []).append(row["value"])
    found = standing.wallet(table("competitor_signals", tables["competitor_signals"]), SINCE, AS_OF)
    assert dict(found.itertuples(index=False, name=None)) == pytest.approx({a: fmean(v) for a, v in seen.items()})
    assert standing.opened(table("accounts", tables["accounts"]), AS_OF)["account_id"].tolist() == sorted(
        row["account_id"] for row in then["accounts"]
    )
    prospects = standing.intents(table("prospects", tables["prospects"]), AS_OF)
    assert prospects["prospect_id"].tolist() == sorted(row["prospect_id"] for row in then["prospects"])


@pytest.mark.parametrize("seed", range(3))
def test_what_becomes_known_later_changes_nothing(seed):
    tables = world(seed, EDGES if seed % 2 else ())
    other = mutate_future(tables, AS_OF, seed)
    assert any(day_of(row["paid_on"]) != was["paid_on"] for row, was in zip(other["invoices"], tables["invoices"]))  # noqa: B905
    for name, function in {
        "invoices": lambda t: standing.overdue(t, AS_OF, 60),
        "competitor_signals": lambda t: standing.wallet(t, SINCE, AS_OF),
        "accounts": lambda t: standing.opened(t, AS_OF),
        "prospects": lambda t: standing.intents(t, AS_OF),
    }.items():
        pd.testing.assert_frame_equal(function(table(name, tables[name])), function(table(name, other[name])))


@pytest.mark.parametrize(
    ("due", "paid", "recorded", "owed"),
    [
        (date(2024, 3, 14), None, None, [10.0, 0.0, 1]),
        (AS_OF, None, None, None),  # owed, but not overdue yet
        (date(2024, 1, 16), None, None, [10.0, 0.0, 59]),
        (date(2024, 1, 15), None, None, [10.0, 10.0, 60]),
        (date(2024, 1, 15), date(2024, 3, 14), None, None),
        (date(2024, 1, 15), AS_OF, None, [10.0, 10.0, 60]),  # paid, but we do not know it yet
        (date(2024, 1, 15), None, datetime(2024, 3, 15), None),  # entered late
        (None, None, None, None),
    ],
)
def test_an_invoice_is_overdue_from_the_day_after_it_is_due_until_it_is_paid(due, paid, recorded, owed):
    found = standing.overdue(table("invoices", [invoice(due, paid=paid, recorded_at=recorded)]), AS_OF, 60)
    assert found.iloc[:, 1:].values.tolist() == ([] if owed is None else [owed])


def test_an_invoice_without_an_amount_counts_in_days_alone():
    rows = [invoice(date(2024, 1, 1), None), invoice(date(2024, 3, 1), 5.0, invoice_id="J")]
    assert standing.overdue(table("invoices", rows), AS_OF, 60).iloc[0].tolist() == ["A", 5.0, 0.0, 74]
    assert standing.overdue(table("invoices", rows[:1]), AS_OF, 60).iloc[0].tolist() == ["A", 0.0, 0.0, 74]


def test_a_wallet_is_the_mean_of_the_shares_seen_in_the_window():
    rows = [
        signal(date(2023, 3, 14), 0.1),
        signal(SINCE, 0.4),
        signal(date(2024, 3, 14), 0.8),
        signal(AS_OF, 1.0),
        signal(date(2024, 1, 1), 0.9, kind="price_gap"),
        signal(date(2024, 1, 1), 0.9, account_id=None, region="North"),
        signal(date(2024, 1, 1), None),
    ]
    found = standing.wallet(table("competitor_signals", rows), SINCE, AS_OF)
    assert found.values.tolist() == [["A", pytest.approx(0.6)]]


def test_intents_may_be_lacking():
    rows = [{"prospect_id": "X", "recorded_at": datetime(2024, 1, 1), "intent_why": WEAK_INTENTS[0]}]
    found = standing.intents(table("prospects", rows, without=("intent",)), AS_OF)
    assert found["intent"].isna().all()
    assert found["intent_why"].tolist() == ["unknown_to_them"]


def test_a_table_has_only_the_columns_it_has():
    tables = {"invoices": table("invoices", [invoice(AS_OF)], without=("due_on",))}
    assert standing.has(tables, "invoices", "paid_on", "amount")
    assert not standing.has(tables, "invoices", *standing.INVOICES)
    assert not standing.has(tables, "prospects")
