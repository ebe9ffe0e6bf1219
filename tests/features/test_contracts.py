from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis
import pytest
from ibis.backends.duckdb import Backend

from features import contracts
from features.errors import ContractError, LimitError
from features.tables import TABLES
from tests.features.contract_rows import EARLIEST, LATEST, rows_like

ORDER = {"order_id": "'O1'", "account_id": "'A1'", "ordered_at": "TIMESTAMP '2024-01-05 10:00:00'", "amount": "12.5"}


@pytest.fixture
def con() -> Iterator[Backend]:
    backend = ibis.duckdb.connect()
    yield backend
    backend.disconnect()


def rows(*changes: dict[str, str | None], base: dict[str, str] = ORDER) -> str:
    """SQL of rows like `base`, each with its changes; a column changed to None is left out of every row."""
    return rows_like(base, *changes)


def failures(con: Backend, **sources: str) -> list[str]:
    tables = {name: contracts.cast(con, TABLES[name], source) for name, source in sources.items()}
    return [
        line
        for name, table in tables.items()
        for line in (*table.failures, *contracts.check(con, tables, name, EARLIEST, LATEST))
    ]


def kept(con: Backend, name: str = "orders") -> list[dict[str, Any]]:
    found = con.con.execute(f"SELECT * FROM kept.{name} ORDER BY ALL")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_good_orders_have_no_failures_and_no_returns_where_nothing_is_said(con: Backend) -> None:
    assert failures(con, orders=rows()) == []
    assert kept(con) == [
        {
            "order_id": "O1",
            "account_id": "A1",
            "ordered_at": datetime(2024, 1, 5, 10),
            "amount": Decimal("12.5000"),
            "is_return": False,
        }
    ]


def test_where_nothing_is_said_of_a_return_the_amount_says_it(con: Backend) -> None:
    """A credit note that counted as an order would keep an account that is lost."""
    given = rows(
        {"is_return": "''", "amount": "'10'"},
        {"order_id": "'O2'", "is_return": "''", "amount": "'-10'"},
        {"order_id": "'O3'", "is_return": "'false'", "amount": "'-10'"},  # a discount in a line of its own
        {"order_id": "'O4'", "is_return": "'true'", "amount": "'-10'"},
    )
    assert failures(con, orders=given) == []
    assert [row["is_return"] for row in kept(con)] == [False, True, False, True]


def test_without_a_flag_of_returns_the_amounts_say_it(con: Backend) -> None:
    given = rows({"amount": "'10'"}, {"order_id": "'O2'", "amount": "'-10'"}, {"order_id": "'O3'", "amount": "'0'"})
    assert failures(con, orders=given) == []
    assert [row["is_return"] for row in kept(con)] == [False, True, False]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"amount": None, "amont": "1"},
            (
                "orders.amount: the column is missing; is it 'amont'? "
                "Columns found: order_id, account_id, ordered_at, amont."
            ),
        ),
        (
            {"ordered_at": None},
            "orders.ordered_at: the column is missing. Columns found: order_id, account_id, amount.",
        ),
        (
            {"ordered_at": None, "orderd_at": "DATE '2024-01-01'"},  # told once, though it is like recorded_at too
            (
                "orders.ordered_at: the column is missing; is it 'orderd_at'? "
                "Columns found: order_id, account_id, amount, orderd_at."
            ),
        ),
        (
            {"Account_ID": "'A1'", "account_id": None},
            (
                "orders.account_id: the column is missing; is it 'Account_ID'? "
                "Columns found: order_id, ordered_at, amount, Account_ID."
            ),
        ),
        (
            {"quantitty": "1"},
            "orders.quantitty: the contract has no such column; is it 'quantity'? Rename it or leave it out.",
        ),
        (
            {"amount": "'12,50 EUR'"},
            (
                "orders.amount: not a number of at most 14 digits before the point (write 1234.50): 1 row, "
                "for example '12,50 EUR' (order_id O1)."
            ),
        ),
        (
            {"amount": "1e20"},
            (
                "orders.amount: not a number of at most 14 digits before the point (write 1234.50): 1 row, "
                "for example '1e+20' (order_id O1)."
            ),
        ),
        (
            {"amount": "'nan'::DOUBLE"},
            (
                "orders.amount: not a number of at most 14 digits before the point (write 1234.50): 1 row, "
                "for example 'nan' (order_id O1)."
            ),
        ),
        (
            {"ordered_at": "'05/01/2024'"},
            "orders.ordered_at: not a time (write 2024-03-15 13:45:00): 1 row, for example '05/01/2024' (order_id O1).",
        ),
        (
            {"ordered_at": "20240105"},
            "orders.ordered_at: not a time (write 2024-03-15 13:45:00): 1 row, for example '20240105' (order_id O1).",
        ),
        (
            {"is_return": "'maybe'"},
            "orders.is_return: not true or false: 1 row, for example 'maybe' (order_id O1).",
        ),
        (
            {"is_return": "2"},
            "orders.is_return: not true or false: 1 row, for example '2' (order_id O1).",
        ),
        (
            {"order_id": "1.5::DOUBLE"},
            "orders.order_id: not a whole number or text: 1 row, for example '1.5'.",
        ),
        ({"amount": "NULL"}, "orders.amount: must not be empty: 1 row, for example (order_id O1, is_return False)."),
        ({"order_id": "'  '"}, "orders.order_id: must not be empty: 1 row, for example (is_return False)."),
        (
            {"ordered_at": "DATE '1989-12-31'"},
            (
                "orders.ordered_at: before 1990-01-01 (ingest.earliest): 1 row, for example 1989-12-31 "
                "(order_id O1, is_return False)."
            ),
        ),
        (
            {"ordered_at": "DATE '2024-03-16'"},
            (
                "orders.ordered_at: after 2024-03-15 (ingest.latest, or today where that is null): 1 row, "
                "for example 2024-03-16 (order_id O1, is_return False)."
            ),
        ),
    ],
)
def test_each_broken_rule_is_told_in_one_line(con: Backend, change: dict[str, str | None], line: str) -> None:
    assert failures(con, orders=rows(change)) == [line]


def test_days_at_both_limits_are_allowed(con: Backend) -> None:
    first, last = {"ordered_at": "'1990-01-01'"}, {"order_id": "'O2'", "ordered_at": "'2024-03-15 23:59:59.999999'"}
    assert failures(con, orders=rows(first, last)) == []


def test_repeated_key_is_told_and_empty_parts_of_it_are_equal(con: Backend) -> None:
    line = (
        "orders (order_id, product_id, is_return): the key must not repeat: 1 key, for example "
        "order_id O1, product_id empty, is_return False (3 times)."
    )
    assert failures(con, orders=rows(*[{"product_id": "''"}] * 3)) == [line]
    other = {"product_id": "'P1'"}
    assert failures(ibis.duckdb.connect(), orders=rows(other, {**other, "is_return": "true"})) == []


REBATE = {"rebate_id": "1", "account_id": "'A1'", "due_on": "'2024-06-01'"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"kind": "'bonus'"},
            "rebates.kind: none of rebate, reward, term: 1 row, for example bonus (rebate_id 1).",
        ),
        ({"paid_amount": "-0.5"}, "rebates.paid_amount: less than 0: 1 row, for example -0.5 (rebate_id 1)."),
        (
            {"paid_on": "'2024-06-01'"},
            (
                "rebates.paid_on: after 2024-03-15 (ingest.latest, or today where that is null): 1 row, "
                "for example 2024-06-01 (rebate_id 1)."
            ),
        ),
        (
            {"due_on": "'2034-03-16'"},
            "rebates.due_on: after 2034-03-15 (ten years after 2024-03-15): 1 row, for example 2034-03-16 (rebate_id 1).",
        ),
    ],
)
def test_rules_of_other_tables(con: Backend, change: dict[str, str | None], line: str) -> None:
    assert failures(con, rebates=rows(change, base=REBATE)) == [line]


def test_planned_date_may_lie_up_to_ten_years_ahead(con: Backend) -> None:
    assert failures(con, rebates=rows({"due_on": "'2034-03-15'"}, base=REBATE)) == []


def test_whole_number_is_not_made_by_rounding(con: Backend) -> None:
    base = {"complaint_id": "1", "account_id": "'A1'", "opened_at": "'2024-01-01'"}
    wrong = [{"complaint_id": "2", "severity": "'2.5'"}, {"complaint_id": "1", "severity": "'3.0'"}]
    assert failures(con, complaints=rows(*wrong, base=base)) == [
        "complaints.severity: not a whole number: 1 row, for example '2.5' (complaint_id 2)."
    ]


def test_unknown_accounts_and_managers_are_told(con: Backend) -> None:
    spell = {"account_id": "'A9'", "manager_id": "'M9'", "started_on": "'2024-01-01'"}
    found = failures(
        con,
        accounts="(SELECT 'A1' AS account_id)",
        orders=rows({}, {"order_id": "'O2'", "account_id": "'A2'"}, {"order_id": "'O3'", "account_id": "'A3'"}),
        assignments=rows(base=spell),
        managers="(SELECT 'M1' AS manager_id)",
        competitor_signals="(SELECT 1 AS signal_id, NULL AS account_id, 'North' AS region, DATE '2024-01-01' AS seen_on)",
    )
    assert found == [
        "orders.account_id: not in table accounts: 2 rows, for example A2 (order_id O2, is_return False).",
        "assignments.account_id: not in table accounts: 1 row, for example A9 (manager_id M9, started_on 2024-01-01).",
        "assignments.manager_id: not in table managers: 1 row, for example M9 (account_id A9, started_on 2024-01-01).",
    ]


def test_accounts_without_a_table_of_accounts_are_not_checked(con: Backend) -> None:
    assert failures(con, orders=rows(), rebates=rows({"account_id": "'elsewhere'"}, base=REBATE)) == []


def test_every_failure_of_a_table_is_told_at_once(con: Backend) -> None:
    bad = {"order_id": "'O2'", "amount": "'x'", "ordered_at": "'2025-01-01'"}
    found = failures(con, orders=rows({"amount": "'1'", "ordered_at": "'2024-01-01'"}, bad))
    assert [line.split(":")[0] for line in found] == ["orders.amount", "orders.ordered_at"]


def test_times_with_a_zone_become_utc_and_identifiers_stored_as_floats_whole(con: Backend) -> None:
    source = rows(
        {"order_id": "1.0::DOUBLE", "ordered_at": "TIMESTAMPTZ '2024-01-05 00:30:00+02'"},
        {"order_id": "2.0::DOUBLE", "ordered_at": "TIMESTAMPTZ '2024-01-05 00:30:00-02'"},
    )
    assert failures(con, orders=source) == []
    assert [(row["order_id"], row["ordered_at"]) for row in kept(con)] == [
        ("1", datetime(2024, 1, 4, 22, 30)),
        ("2", datetime(2024, 1, 5, 2, 30)),
    ]


def test_text_with_a_zone_becomes_utc_too(con: Backend) -> None:
    assert failures(con, orders=rows({"ordered_at": "'2024-01-05T00:30:00+02:00'"})) == []
    assert kept(con)[0]["ordered_at"] == datetime(2024, 1, 4, 22, 30)
    assert failures(con, rebates=rows({"paid_on": "'2024-01-05T00:30:00+02:00'"}, base=REBATE)) == []
    assert kept(con, "rebates")[0]["paid_on"] == date(2024, 1, 4)


def test_rows_without_account_or_date_are_set_aside_and_counted(con: Backend) -> None:
    source = rows({}, {"account_id": "' '"}, {"account_id": "NULL"}, {"ordered_at": "NULL", "account_id": "NULL"})
    table = contracts.cast(con, TABLES["orders"], source)
    assert table.quarantined == {"account_id is empty": 2, "account_id is empty; ordered_at is empty": 1}
    assert (table.rows, table.share_aside) == (1, 0.75)
    assert contracts.check(con, {"orders": table}, "orders", EARLIEST, LATEST) == []


def test_columns_that_no_contract_knows_are_left_out_and_named(con: Backend) -> None:
    table = contracts.cast(con, TABLES["orders"], rows({"colour of the box": "'red'"}))
    assert (table.ignored, table.failures) == (("colour of the box",), ())
    assert "colour of the box" not in kept(con)[0]


def test_environment_cannot_switch_the_checks_off(con: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    monkeypatch.setenv("PANDERA_VALIDATION_DEPTH", "SCHEMA_ONLY")
    assert len(failures(con, orders=rows({}, {}))) == 1


def test_refusal_holds_every_failure_and_the_next_step() -> None:
    with pytest.raises(ContractError, match=r"breaks its contract:\n  one\n  two\nCorrect it\.$") as caught:
        contracts.refuse(["one", "two"], [], 0.5, "Correct it.")
    assert caught.value.exit_code == 1


def test_too_many_rows_set_aside_pass_the_limit(con: Backend) -> None:
    table = contracts.cast(con, TABLES["orders"], rows({}, {"account_id": "NULL"}, {"account_id": "NULL"}))
    with pytest.raises(LimitError, match=r"orders: 66\.7% of 3 rows \(account_id is empty: 2\)") as caught:
        contracts.refuse([], [table], 0.5, "Correct it.")
    assert caught.value.exit_code == 4
    contracts.refuse([], [table], 0.67, "Correct it.")


@pytest.mark.parametrize("name", list(TABLES))
def test_every_declared_table_passes_with_what_it_requires(con: Backend, name: str) -> None:
    values = {"id": "'1'", "text": "'x'", "date": "DATE '2024-01-05'", "time": "TIMESTAMP '2024-01-05'", "decimal": "1"}
    row = {column.name: values[column.kind] for column in TABLES[name].columns if column.required}
    assert failures(con, **{name: rows(base=row)}) == []


def test_a_source_that_does_not_say_why_spells_ended_has_an_empty_reason(con: Backend) -> None:
    spell = {"account_id": "'A1'", "manager_id": "'M1'", "started_on": "'2024-01-01'"}
    assert failures(con, assignments=rows(base=spell)) == []
    assert kept(con, "assignments")[0]["end_reason"] is None


@pytest.mark.parametrize(
    ("count", "pattern", "refused"),
    [(20, "'A00' || range", True), (19, "'A00' || range", False), (20, "'A' || range", False)],
)
def test_a_table_of_which_no_account_ever_ordered_is_refused(
    con: Backend, count: int, pattern: str, refused: bool
) -> None:
    """Ids with zeros before them, as another system writes them, would make every complaint a complaint of nobody."""
    complaints = (
        f"(SELECT 'C' || range AS complaint_id, {pattern} AS account_id, '2024-01-02' AS opened_at FROM range({count}))"
    )
    told = failures(con, orders=rows(), complaints=complaints)
    assert bool(told) == refused
    if refused:
        assert told == [
            "complaints.account_id: not one of them is in table orders: write them as they are written there: 20 rows, "
            "for example A000 (complaint_id C0)."
        ]


def test_blanks_around_an_id_are_no_part_of_it(con: Backend) -> None:
    assert failures(con, orders=rows({"account_id": "'A1  '"})) == []
    assert kept(con)[0]["account_id"] == "A1"
