"""Whom to act on with the hours there are: the list with the greatest expected net profit.

An action on an account of value v at the risk p takes h hours and earns, as `models/profit.py` has it,

    p gamma k (v - d) - (1 - p) d - h w

with gamma the chance of keeping an account, k the part of it that the playbook hopes for, d the incentive and w the cost of an
hour. Chosen are the actions whose sum is largest, so that no manager and no region gets more hours than it has, and each
class as much of a manager's time as is set aside for it (003), as far as there is something worth doing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ContractError
from models.allocation import BoolArray, IntArray, allocate, blocked_by
from models.hours import UNKNOWN, Limits, Rules, or_none
from models.metrics import require_numbers
from models.playbook import CLASSES, Playbook
from models.profit import FloatArray, Terms, per_contact
from models.shares import OWN_EVIDENCE_ONLY, UNEXPLAINED

log = logging.getLogger("holdfast")

COLUMNS = ("account_id", "manager_id", "region", "class", "reason", "risk", "value")
PLANNED = ("action", "owner", "until", "hours", "kept")
RESULT = (
    *("account_id", "manager_id", "region", "class", "reason", "action", "owner", "until", "hours", "profit"),
    *("decision", "why", "place"),
)
DECISIONS = ("do", "no_capacity", "not_worth")
WHY = {
    "do": ("pays",),
    "no_capacity": ("manager_full", "reserved", "region_full", "too_long"),
    "not_worth": ("costs_more", "let_go", "objective"),
}


@dataclass(frozen=True)
class Worklist:
    """`frame`: every candidate with what was decided; `summary`: hours, profit and what an hour is worth."""

    frame: pd.DataFrame
    summary: dict[str, Any]


def reason_to_act_on(told: pd.DataFrame) -> pd.Series[Any]:
    """The reason that each account is planned for, (accounts,), null where there is none: the first that is told.

    `told`: naming, reason_1 and reason_2, as `models.naming.name` gives them. What is nobody's fault closes a case only
    where it is named; as one of two candidates it leaves the case to the other, as a guess to none.
    """
    first = told["reason_1"].where(told["naming"] != "none")
    doubted = (first == OWN_EVIDENCE_ONLY) & (told["naming"] != "named")
    return first.mask(doubted, told["reason_2"].where(told["naming"] == "candidates"))


def planned(accounts: pd.DataFrame, book: Playbook, as_of: date) -> pd.DataFrame:
    """The accounts with the step of the playbook: action, owner, until (date), hours and kept.

    `accounts`: account_id, manager_id, region, class (each null where not known), reason, risk, value (money earned in a
    year). Where no reason was told (null) it is the step for `unexplained`. Raises ConfigurationError for a reason or class
    that the playbook does not have, ContractError for a missing column.
    """
    _require(accounts, COLUMNS)
    pairs = zip(or_none(accounts["reason"]), or_none(accounts["class"]), strict=True)
    steps = [book.step(reason or UNEXPLAINED, account_class) for reason, account_class in pairs]
    return accounts.assign(
        action=pd.Series([step.action for step in steps], accounts.index, dtype="str"),
        owner=pd.Series([step.owner for step in steps], accounts.index, dtype="str"),
        until=pd.Series([as_of + timedelta(days=step.within) for step in steps], accounts.index, dtype=object),
        hours=np.array([step.hours for step in steps], dtype=float),
        kept=np.array([step.kept for step in steps], dtype=float),
    )


def hour_cost(hours: FloatArray, terms: Terms, given: float | None) -> float:
    """Money an hour: as given, else the cost of a contact over the mean hours of all candidates' actions."""
    if given is not None or not len(hours):
        return given or 0.0
    return terms.contact / float(hours.mean())


def action_profit(candidates: pd.DataFrame, terms: Terms, cost: float) -> FloatArray:
    """Expected net profit of each action, money, (n,); see the head of this file. `cost`: money an hour."""
    risk, value, hours, kept = (candidates[name].to_numpy(float) for name in ("risk", "value", "hours", "kept"))
    slope, intercept = per_contact(risk, value, replace(terms, contact=0.0))
    profit: FloatArray = slope * (terms.chance * kept) + intercept - hours * cost
    return profit


def choose(candidates: pd.DataFrame, terms: Terms, rules: Rules, hours_of: Mapping[str, float]) -> Worklist:
    """The worklist among `candidates` (the output of `planned`, of active accounts).

    `hours_of`: hours for the list by manager (`hours.manager_hours`); others have `rules.monthly_hours` x `hours_share`.
    Accounts without a manager share `unassigned_hours` a region.

    `frame` has the columns `RESULT`, by manager, decision and profit an hour. `decision` do, no_capacity or not_worth;
    `why` as in `WHY`: reserved, its hours are kept for another class; too_long, it takes more hours than there are at all;
    let_go, class EIV and effort exceeds return (003); objective, nobody's fault (004). `place`: 1 is first on the
    manager's list, by profit an hour; null unless `do`. `summary` is ready for JSON, hours and money:

    - hour_cost, capacity, used, profit, `bound` (no list earns more), `gap` (bound less profit, over bound), `blocks`,
      `by_greed` (blocks without a solution of the solver's), `split_costs` (what the split by class takes off the profit);
    - `decisions` -> decision -> why -> accounts; `hours_by_class`;
    - `managers`: manager_id, region (only where manager_id is null), accounts, listed, capacity, used, profit,
      hours_by_class, `shadow_value`: what one more hour would earn, the dual value of the linear relaxation;
    - `regions`: the same by region; capacity and shadow_value null where it has no limit of its own.

    Hours count in whole minutes: those of an action are rounded up, those there are down. Raises ContractError for a
    missing column, an account twice, or numbers missing or out of range.
    """
    _check(candidates)
    rows = candidates.sort_values("account_id", ignore_index=True)
    cost = hour_cost(rows["hours"].to_numpy(float), terms, rules.hour_cost)
    profit = action_profit(rows, terms, cost)
    minutes = np.ceil(rows["hours"].to_numpy(float) * 60 - 1e-6).astype(np.int64)
    world = Limits.of(rows, profit, minutes, rules, hours_of)
    found = allocate(profit, minutes, world.draws, world.limits, rules.gap, rules.nodes)
    why = _why(rows, profit, minutes, found.chosen, world)
    decision = np.array([next(key for key, codes in WHY.items() if code in codes) for code in why], dtype=object)
    rows = rows.assign(
        profit=profit,
        decision=pd.Series(decision, dtype="str"),
        why=pd.Series(why, dtype="str"),
        rate=-profit / minutes,
        rank=pd.Series(decision, dtype=object).map(DECISIONS.index).astype(int),
        group=world.group,
    ).sort_values(["group", "rank", "rate", "account_id"], ignore_index=True)
    place = rows.groupby(["group", "decision"]).cumcount() + 1
    rows["place"] = place.where(rows["decision"] == "do").astype("Int64")
    earned = float(profit[found.chosen].sum())
    freely = earned
    if world.split:
        draws, limits = world.without_split()
        freely = float(profit[allocate(profit, minutes, draws, limits, rules.gap, rules.nodes).chosen].sum())
    if found.by_greed:
        log.warning(
            "worklist: %d of %d blocks have the greedy list, since the solver found none in %d nodes. Raise worklist.nodes",
            found.by_greed,
            found.blocks,
            rules.nodes,
        )
    hours, shadow = world.limits / 60, found.shadow * 60
    managers = [
        {"manager_id": manager, "region": region, "capacity": capacity, "shadow_value": worth, **told}
        for (manager, region), capacity, worth, told in zip(
            world.groups,
            hours[: len(world.groups)].tolist(),
            shadow[: len(world.groups)].tolist(),
            _told(rows, "group", range(len(world.groups))),
            strict=True,
        )
    ]
    regions = [
        {"region": region, "capacity": world.of_region(region, hours), "shadow_value": world.of_region(region, shadow)}
        | told
        for region, told in zip(world.regions, _told(rows, "region", world.regions), strict=True)
    ]
    of_class = {name: sum(told["hours_by_class"][name] for told in managers) for name in (*CLASSES, UNKNOWN)}
    summary = {
        "hour_cost": cost,
        "capacity": float(hours[: len(world.groups)].sum()),
        "used": float(rows.loc[rows["decision"] == "do", "hours"].sum()),
        "profit": earned,
        "bound": max(found.bound, earned),
        "gap": max(0.0, found.bound - earned) / found.bound if found.bound > 0 else 0.0,
        "blocks": found.blocks,
        "by_greed": found.by_greed,
        "split_costs": max(0.0, freely - earned),
        "decisions": {key: {code: int((rows["why"] == code).sum()) for code in codes} for key, codes in WHY.items()},
        "hours_by_class": of_class,
        "managers": managers,
        "regions": regions,
    }
    return Worklist(rows[list(RESULT)], summary)


def _why(
    rows: pd.DataFrame, profit: FloatArray, minutes: IntArray, chosen: BoolArray, world: Limits
) -> NDArray[np.object_]:
    """The code of each account, (n,)."""
    managers, split = len(world.groups), len(world.groups) + world.split

    def over(left: IntArray) -> list[BoolArray]:
        blocked = blocked_by(minutes, world.draws, left)
        return [blocked[part].sum(axis=0) > 0 for part in (slice(managers), slice(split, None), slice(managers, split))]

    too_long, beyond_region, _ = over(world.limits)
    manager, region, reserved = over(world.limits - world.draws @ np.where(chosen, minutes, 0))
    return np.select(
        [
            chosen,
            (profit <= 0) & (rows["kept"].to_numpy() == 0),
            (profit <= 0) & (rows["class"] == "EIV").to_numpy(bool),
            profit <= 0,
            too_long | beyond_region,
            manager,
            region,
            reserved,
        ],
        [
            np.array(code, dtype=object)
            for code in (
                *("pays", "objective", "let_go", "costs_more"),
                *("too_long", "manager_full", "region_full", "reserved"),
            )
        ],
        default="",
    )


def _told(rows: pd.DataFrame, key: str, names: Sequence[Any]) -> list[dict[str, Any]]:
    """What is listed, by the names of a column: a dict for each, all zero for a name that no account has."""
    listed = rows["decision"] == "do"
    of_class = rows["class"].astype(object).fillna(UNKNOWN)
    columns = {
        "accounts": np.ones(len(rows), np.int64),
        "listed": listed.astype(np.int64),
        "used": rows["hours"].where(listed, 0.0),
        "profit": rows["profit"].where(listed, 0.0),
        **{f"class {name}": rows["hours"].where(listed & (of_class == name), 0.0) for name in (*CLASSES, UNKNOWN)},
    }
    sums = pd.DataFrame(columns, index=rows.index).groupby(rows[key]).sum().reindex(list(names), fill_value=0)
    plain = ("accounts", "listed", "used", "profit")
    return [
        {name: of_name[name] for name in plain}
        | {"hours_by_class": {name: of_name[f"class {name}"] for name in (*CLASSES, UNKNOWN)}}
        for of_name in sums.to_dict("records")
    ]


def _require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in frame]:
        raise ContractError(f"worklist: the candidates have no column {missing[0]!r}. Give {', '.join(columns)}.")


def _check(candidates: pd.DataFrame) -> None:
    """Raise ContractError unless every account is there once with sound numbers."""
    _require(candidates, (*COLUMNS, *PLANNED))
    require_numbers(candidates, ["risk", "value", "hours", "kept"])
    twice = candidates.loc[candidates["account_id"].duplicated(), "account_id"]
    if len(twice):
        raise ContractError(f"worklist: account {twice.iloc[0]!r} is there twice. Give each candidate once.")
    for name, least, most in (("risk", 0.0, 1.0), ("value", 0.0, np.inf), ("kept", 0.0, 1.0), ("hours", 1e-9, np.inf)):
        wrong = candidates.loc[~candidates[name].between(least, most), ["account_id", name]]
        if len(wrong):
            account, value = wrong.iloc[0]
            raise ContractError(
                f"worklist: {name} of account {account!r} is {value}; it must lie within {least:g} to {most:g}. "
                "Correct the candidates."
            )
