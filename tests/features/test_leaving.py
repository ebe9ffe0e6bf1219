"""Had a manager left yesterday: each account is as if he alone had left, and nothing of the future tells who he is."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations

import pandas as pd
import pytest

from features import leaving
from features.catalog import DECLARED
from features.engines import connect, open_tables
from features.matrix import Plan, build
from tests.features.worlds import LABEL, MONTH, day_of, known, known_day, matrix, mutate_future, world, write

AS_OF = date(2024, 3, 15)
YESTERDAY = AS_OF - timedelta(1)
LEFT_ON = [YESTERDAY, date(2024, 2, 15)]
FEATURES = [DECLARED[name] for name in leaving.NAMES]


def opened(folder, tables):
    write(folder, tables)
    return open_tables(connect("1GB"), folder)


def alone(tables, manager, left_on):
    """The rows in words: his spells that had not ended ended that day, and he left the company then."""
    changed = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    for row in changed["assignments"]:
        ended = row["ended_on"]
        if row["manager_id"] == manager and row["started_on"] < AS_OF and (ended is None or ended >= AS_OF):
            row |= {"ended_on": left_on, "end_reason": "left"}
            row["started_on"] = min(row["started_on"], left_on - timedelta(1))
    for row in changed["managers"]:
        if row["manager_id"] == manager:
            row |= {"left_on": left_on, "recorded_at": None}
    return changed


def spell(account, manager, started=date(2023, 1, 1), ended=None, why=None, recorded=None):
    names = ("account_id", "manager_id", "started_on", "ended_on", "end_reason", "recorded_at")
    return dict(zip(names, (account, manager, started, ended, why, recorded), strict=True))


@pytest.mark.parametrize(("seed", "left_on"), list(enumerate(LEFT_ON)))
def test_each_account_is_as_if_only_its_own_manager_had_left(tmp_path, seed, left_on):
    tables = world(seed)
    for row in tables["managers"]:
        row["left_on"] = None if row["manager_id"] != "M3" or seed % 2 else row["left_on"]
    tables_now = opened(tmp_path / "now", tables)
    care = leaving.care(tables_now, AS_OF, left_on)
    groups = leaving.rounds(care)
    told = 0
    for group in groups:
        for one, other in combinations(group, 2):
            books = [set(care.loc[care["manager_id"] == manager, "account_id"]) for manager in (one, other)]
            assert not books[0] & books[1]
        connection = connect("1GB")
        views = leaving.without(open_tables(connection, tmp_path / "now"), group, AS_OF, left_on)
        parts = build(connection, views, [AS_OF], Plan(MONTH, LABEL, 2, steps=0), AS_OF, FEATURES)
        together = pd.concat([part.to_pandas() for part in parts]).set_index("account_id")
        for manager in group:
            single = matrix(tmp_path / manager, alone(tables, manager, left_on), [AS_OF], features=FEATURES)
            single = single.set_index("account_id")
            mine = care.loc[care["present"] & (care["manager_id"] == manager), "account_id"]
            mine = [account for account in mine if account in single.index]
            told += len(mine)
            names = list(leaving.NAMES)
            pd.testing.assert_frame_equal(together.loc[mine, names], single.loc[mine, names], check_exact=True)
            assert (single.loc[mine, "manager_left_since"] <= (AS_OF - left_on).days).all() or not mine
    assert told


def test_who_looks_after_whom(tmp_path):
    tables = world(1)
    tables["managers"] = [
        {"manager_id": "M1", "left_on": None},
        {"manager_id": "M2", "left_on": AS_OF},  # tomorrow's news
        {"manager_id": "M3", "left_on": YESTERDAY},
    ]
    tables["assignments"] = [
        spell("A0", "M1"),
        spell("A1", "M2", ended=AS_OF, why="left"),  # not known to have ended
        spell("A2", "M3"),  # he has left already, though the spell was never ended
        spell("A3", "M1", ended=YESTERDAY, why="handover"),
        spell("A3", "M2", started=YESTERDAY),
        spell("A4", "M1", ended=date(2023, 9, 1), why="account_lost"),
        spell("A5", "M1", ended=date(2023, 9, 1), why="left"),
        spell("A5", "M2", started=AS_OF),
        spell("A5", "M4", recorded=pd.Timestamp(AS_OF).to_pydatetime()),
    ]
    source = opened(tmp_path / "tables", tables)
    care = leaving.care(source, AS_OF, YESTERDAY)
    earlier = leaving.care(source, AS_OF, date(2023, 9, 1))  # counts whom he handed over since among those left behind
    assert earlier.loc[earlier["account_id"] == "A5", ["manager_id", "present"]].to_numpy().tolist() == [["M1", False]]
    assert care[["account_id", "manager_id", "present"]].to_numpy().tolist() == [
        ["A0", "M1", True],
        ["A1", "M2", True],
        ["A3", "M1", False],
        ["A3", "M2", True],
        ["A4", "M1", False],
    ]
    assert leaving.rounds(care) == [["M1"], ["M2"]]  # both count A3 among their own


def test_managers_who_share_nothing_leave_together():
    care = pd.DataFrame(
        [["A", "M1", True], ["A", "M2", True], ["B", "M3", True], ["C", "M2", True], ["C", "M4", False]],
        columns=["account_id", "manager_id", "present"],
    )
    assert leaving.rounds(care) == [["M1", "M3"], ["M2"]]
    assert leaving.rounds(care.iloc[:0]) == []


def test_the_future_tells_nothing(tmp_path):
    for seed in range(2):
        tables = world(seed)
        care = leaving.care(opened(tmp_path / "now", tables), AS_OF, LEFT_ON[1])
        for number, other in enumerate((mutate_future(tables, AS_OF, seed + 7), known(tables, AS_OF))):
            again = leaving.care(opened(tmp_path / f"{seed}{number}", other), AS_OF, LEFT_ON[1])
            pd.testing.assert_frame_equal(again, care)


def test_a_manager_that_the_table_does_not_know_leaves_too(tmp_path):
    tables = world(1)
    tables["assignments"] = [spell("A0", "M9"), spell("A1", "M9", started=AS_OF)]
    views = leaving.without(opened(tmp_path / "tables", tables), ["M9"], AS_OF, YESTERDAY)
    people = views["managers"].to_pandas().set_index("manager_id")
    assert sorted(people.index) == ["M1", "M2", "M3", "M9"]
    assert day_of(people.loc["M9", "left_on"]) == YESTERDAY
    ended = views["assignments"].to_pandas().set_index("account_id")
    assert ended["end_reason"].isna().to_dict() == {"A0": False, "A1": True}
    assert day_of(ended.loc["A1", "started_on"]) == AS_OF  # what is not known yet stays so
    assert known_day("managers", {"left_on": YESTERDAY}) < AS_OF


def test_what_the_tables_lack(tmp_path):
    tables = opened(tmp_path / "tables", world(1))
    assert leaving.lacking(tables) is None
    assert leaving.lacking({"orders": tables["orders"]}) == "assignments"
    assert leaving.lacking({"assignments": tables["assignments"].drop("ended_on")}) == "assignments.ended_on"
    bare = {name: table for name, table in tables.items() if name != "managers"}
    assert "managers" not in leaving.without(bare, ["M1"], AS_OF, YESTERDAY)


def test_in_charge_is_who_began_last_of_those_still_there(tmp_path):
    tables = world(1)
    tables["managers"] = [
        {"manager_id": "M1", "left_on": None},
        {"manager_id": "M2", "left_on": AS_OF},  # tomorrow's news
        {"manager_id": "M3", "left_on": YESTERDAY},
    ]
    later = date(2023, 6, 1)
    tables["assignments"] = [
        spell("A0", "M2"),
        spell("A0", "M1", started=later, ended=AS_OF, why="handover"),  # not known to have ended
        spell("A1", "M2", started=later),
        spell("A1", "M1", started=later),  # began the same day: the first by id
        spell("A2", "M3"),  # has left the company
        spell("A3", "M1", ended=YESTERDAY, why="handover"),
        spell("A4", "M1", started=AS_OF),
        spell("A5", "M4", recorded=pd.Timestamp(AS_OF).to_pydatetime()),
    ]
    found = leaving.in_charge(opened(tmp_path / "tables", tables), AS_OF)
    assert list(found.itertuples(index=False, name=None)) == [("A0", "M1", later), ("A1", "M1", later)]
    del tables["assignments"]
    assert leaving.in_charge(opened(tmp_path / "none", tables), AS_OF).empty
