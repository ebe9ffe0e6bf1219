"""Approaches of lapsed accounts: the clock starts at the contact, edges are half-open, and the future tells nothing."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

from features.engines import connect, open_tables
from features.periods import Duration, Label
from models.approaches import apart, approaches, bought_before
from tests.features.worlds import mutate_future, world, write

LABEL = Label(Duration(3, "month"), Duration(12, "month"))
CUTOFF = date(2024, 3, 15)
AS_OF = date(2024, 9, 15)  # the first day on which all approaches from the cut-off have matured
MATRIX = pd.DataFrame({"account_id": list("ABCDEFGH"), "as_of": CUTOFF, "lapsed": True})


def order(account, day, number=0, amount=10.0, is_return=False, recorded=None):
    return {
        "order_id": f"{account}{day}{number}",
        "account_id": account,
        "ordered_at": datetime(day.year, day.month, day.day, 9),
        "product_id": "P1",
        "amount": -amount if is_return else amount,
        "is_return": is_return,
        "recorded_at": recorded,
    }


def contact(account, day, inbound=False, recorded=None):
    at = datetime(day.year, day.month, day.day, 8)
    row = {"contact_id": f"{account}{day}", "account_id": account, "contacted_at": at, "kind": "call"}
    return row | {"inbound": inbound, "recorded_at": recorded}


def opened(folder, tables):
    write(folder, tables)
    return open_tables(connect("1GB"), folder)


@pytest.fixture
def tables():
    orders = [
        order("A", date(2024, 7, 31)),  # contacted 1 May: the last day
        order("B", date(2024, 8, 1)),  # contacted 1 May: the first day after
        order("C", date(2024, 4, 1)),  # came back before anybody contacted it
        order("D", date(2024, 5, 2), is_return=True),  # goods that came back are no order
        order("E", date(2024, 5, 2)),  # it contacted us
        order("F", date(2024, 6, 20)),  # contacted after the horizon from the cut-off
        order("G", date(2024, 5, 2), recorded=datetime(2024, 9, 15)),  # not known yet
        order("H", date(2024, 5, 2)),  # its contact was not known yet
        order("A", date(2023, 12, 1), amount=3.0),
    ]
    contacts = [contact(account, date(2024, 5, 1)) for account in "ABCDG"]
    contacts += [contact("E", date(2024, 5, 1), inbound=True), contact("F", date(2024, 6, 15))]
    contacts += [contact("H", date(2024, 5, 1), recorded=datetime(2024, 9, 15)), contact("A", date(2024, 6, 1))]
    return {"orders": orders, "contacts": contacts}


def test_an_approach_is_a_contact_of_a_silent_account_and_its_clock_starts_there(tmp_path, tables):
    told = approaches(opened(tmp_path / "all", tables), MATRIX, LABEL, AS_OF)
    assert told.rows["account_id"].tolist() == ["A", "B", "D", "G"]
    assert (told.approached, told.trials, told.ordered, told.accounts, told.cutoffs) == (True, 4, 1, 4, (CUTOFF,))
    active = MATRIX.assign(lapsed=MATRIX["account_id"] != "A")
    assert approaches(opened(tmp_path / "active", tables), active, LABEL, AS_OF).ordered == 0


def test_before_all_have_matured_there_are_none(tmp_path, tables):
    told = approaches(opened(tmp_path / "all", tables), MATRIX, LABEL, date(2024, 9, 14))
    assert (told.trials, told.cutoffs) == (0, ())


def test_without_contacts_nobody_is_known_to_have_been_approached(tmp_path, tables):
    told = approaches(opened(tmp_path / "bare", {"orders": tables["orders"]}), MATRIX, LABEL, date(2024, 6, 15))
    assert not told.approached
    assert (told.trials, told.ordered) == (8, 3)  # C, E and H; what G ordered was booked too late


def test_cutoffs_do_not_touch():
    days = [date(2024, month, 15) for month in range(1, 7)]
    assert apart(days, LABEL, AS_OF, True) == (CUTOFF,)
    assert apart([date(2023, 12, 15), *days], LABEL, AS_OF, True) == (date(2023, 12, 15), CUTOFF)
    assert apart(days, LABEL, AS_OF, False) == (CUTOFF, date(2024, 6, 15))
    assert apart([], LABEL, AS_OF, True) == ()


@pytest.mark.parametrize("seed", range(3))
def test_the_future_changes_nothing(tmp_path, seed):
    tables, as_of = world(seed), date(2024, 3, 15)
    days = [date(2023, 3, 15), date(2023, 6, 15), date(2023, 9, 15)]
    matrix = pd.DataFrame([(f"A{n}", day, True) for n in range(6) for day in days])
    matrix.columns = ["account_id", "as_of", "lapsed"]
    now, later = opened(tmp_path / "a", tables), opened(tmp_path / "b", mutate_future(tables, as_of, seed + 5))
    told, again = (approaches(source, matrix, LABEL, as_of) for source in (now, later))
    pd.testing.assert_frame_equal(told.rows, again.rows)
    assert (told.trials, told.ordered, told.cutoffs) == (again.trials, again.ordered, again.cutoffs)
    assert told.trials
    accounts = matrix["account_id"].unique()
    pd.testing.assert_series_equal(bought_before(now, accounts, as_of), bought_before(later, accounts, as_of))


def test_what_an_account_used_to_buy(tmp_path):
    rows = [order("A", date(2022, 3, 1), amount=100.0), order("A", date(2022, 3, 2), amount=1.0)]
    rows += [order("A", date(2023, 3, 1), amount=2.0), order("A", date(2023, 2, 1), amount=0.5, is_return=True)]
    rows += [order("A", date(2024, 3, 15), amount=70.0), order("B", date(2023, 1, 1))]
    found = bought_before(opened(tmp_path / "all", {"orders": rows}), ["A", "X"], CUTOFF)
    assert found.to_dict() == {"A": 2.5}
