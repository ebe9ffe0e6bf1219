"""The tables as they would be had managers left on a day before an as_of: views, nothing is written.

To leave is what the features of theme `managers` see of one who left: his present spells ended that day, and he is no
longer in the company; nobody has followed. Accounts that another manager looks after too tie the two together, for each would be left by both;
managers who share no account leave in one round, and each account then is as if only its own manager had left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import ibis
import pandas as pd

from features.declaration import Expression
from features.known import known_at
from features.managers import theme
from features.tables import TABLES

SPELL = ("manager_id", "started_on", "ended_on", "end_reason")  # columns without which nobody can be seen to leave
NAMES = tuple(feature.name for feature in theme.features)


def lacking(tables: Mapping[str, Expression]) -> str | None:
    """What the tables lack to show a manager's leaving: a table, or a column as table.column; None: nothing."""
    if "assignments" not in tables:
        return "assignments"
    columns = set(tables["assignments"].columns)
    return next((f"assignments.{name}" for name in SPELL if name not in columns), None)


def care(tables: Mapping[str, Expression], as_of: date, left_on: date) -> pd.DataFrame:
    """Who looks after whom as known before `as_of`: account_id, manager_id, present; ordered, none twice.

    Managers who had left are left out. Not `present` are spells closed because the account was lost, which the features
    take to go on, and those that ended from `left_on` on: had the manager left that day, the features would count their
    accounts among those he left behind, but they are no longer his.
    """
    rows = _known(tables["assignments"], "assignments", as_of)
    ended = ibis.cases((rows.ended_on < as_of, rows.ended_on))
    lost = ended.notnull() & ibis.coalesce(rows.end_reason == "account_lost", False)
    there = rows.account_id.notnull() & rows.manager_id.notnull()
    rows = rows.filter(there & (ended.isnull() | lost | ibis.coalesce(ended >= left_on, False)))
    if _tells_leaving(tables):
        managers = _known(tables["managers"], "managers", as_of)
        rows = rows.anti_join(managers.filter(managers.left_on < as_of), "manager_id")
    present = ibis.cases((rows.ended_on < as_of, False), else_=True)
    found = rows.group_by(["account_id", "manager_id"]).agg(present=present.any())
    frame: pd.DataFrame = found.order_by(["account_id", "manager_id"]).to_pyarrow().to_pandas()
    return frame


def in_charge(tables: Mapping[str, Expression], as_of: date) -> pd.DataFrame:
    """The one who looks after each account at `as_of`: account_id, manager_id, started_on (date), ordered by account.

    Of several the one who began last, of those the first by id. Accounts that nobody looks after are not in it; no rows
    where the tables do not tell (`lacking`).
    """
    if lacking(tables) is not None:
        kinds = {"account_id": "str", "manager_id": "str", "started_on": "object"}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    rows = _known(tables["assignments"], "assignments", as_of)
    there = rows.account_id.notnull() & rows.manager_id.notnull()
    rows = rows.filter(there & ibis.coalesce(rows.ended_on >= as_of, True))
    if _tells_leaving(tables):
        managers = _known(tables["managers"], "managers", as_of)
        rows = rows.anti_join(managers.filter(managers.left_on < as_of), "manager_id")
    spells: pd.DataFrame = rows.select("account_id", "manager_id", "started_on").to_pyarrow().to_pandas()
    spells = spells.sort_values(["account_id", "started_on", "manager_id"], ascending=[True, False, True])
    return spells.drop_duplicates("account_id", ignore_index=True)


def rounds(care: pd.DataFrame) -> list[list[str]]:
    """The managers who look after an account at present, in groups of which no two share an account of `care`."""
    of_account = care.groupby("account_id")["manager_id"].agg(list)
    rivals: dict[str, set[str]] = {manager: set() for manager in sorted(care.loc[care["present"], "manager_id"])}
    for together in of_account[of_account.map(len) > 1]:
        for manager in rivals.keys() & set(together):
            rivals[manager] |= set(together) - {manager}
    groups: list[list[str]] = []
    for manager, others in rivals.items():
        free = (group for group in groups if not others & set(group))
        if (group := next(free, None)) is None:
            groups.append(group := [])
        group.append(manager)
    return groups


def without(
    tables: Mapping[str, Expression], managers: Sequence[str], as_of: date, left_on: date
) -> dict[str, Expression]:
    """The tables had these managers left on `left_on`, before `as_of`: their present spells ended then.

    A spell that began only after that is taken to have begun the day before. A manager of whom the table `managers` says
    nothing is entered in it.
    """
    day, before = ibis.literal(left_on), ibis.literal(left_on - timedelta(1))
    spells = tables["assignments"]
    present = (spells.started_on < as_of) & ibis.coalesce(spells.ended_on >= as_of, True)
    leaves = spells.manager_id.isin(list(managers)) & present
    changed = dict(tables)
    changed["assignments"] = spells.mutate(
        started_on=ibis.cases((leaves, ibis.least(spells.started_on, before)), else_=spells.started_on),
        ended_on=ibis.cases((leaves, day), else_=spells.ended_on),
        end_reason=ibis.cases((leaves, "left"), else_=spells.end_reason),
    )
    if _tells_leaving(tables):
        people = tables["managers"]
        given = {"left_on": day}
        left = spells.filter(spells.manager_id.isin(list(managers))).select("manager_id").distinct()
        left = left.mutate(
            **{
                name: given.get(name, ibis.null()).cast(kind)
                for name, kind in people.schema().items()
                if name != "manager_id"
            }
        ).select(people.columns)
        changed["managers"] = people.filter(~people.manager_id.isin(list(managers))).union(left)
    return changed


def _tells_leaving(tables: Mapping[str, Expression]) -> bool:
    return "managers" in tables and "left_on" in tables["managers"].columns


def _known(table: Expression, name: str, as_of: date) -> Expression:
    return table.filter(known_at(table, TABLES[name]) < as_of)
