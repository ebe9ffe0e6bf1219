"""Made-up frames of the decisions as stage decide writes them; the worklist is the true one of its accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from frames import DAY, ECONOMICS

from models import hours, segments, worklist
from models.playbook import playbook

CLASSES = ("EI", "EII", "EIII", "EIV", None)
MANAGERS = {"M1": "Ion Chen", "M2": None, None: None}
REGIONS = ("North", "South", None)
RULES = hours.Rules(
    hours_share=0.25,
    monthly_hours=48.0,
    unassigned_hours=6.0,
    region_hours={},
    class_share={"EII": 0.5},
    hour_cost=20.0,
    gap=0.001,
    nodes=1000,
)
HISTORY = 12  # periods


def accounts_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Classes, managers and regions in turn; A001, of the class EII, was of EI before; A002 has no name."""
    place = np.arange(len(scores))
    kind = pd.Series([CLASSES[i % 5] for i in place], scores.index, dtype="str")
    manager = [list(MANAGERS)[i % 3] for i in place]
    table = scores[["account_id", "as_of", "lapsed", "risk", "risk_low", "risk_high", "rank", "amount_12"]].assign(
        expected_loss=scores["expected_loss"],
        contact_profit=scores["contact_profit"],
        name=pd.Series([f"Firm {account}" for account in scores["account_id"]], scores.index, dtype="str"),
        region=pd.Series([REGIONS[i // 3 % 3] for i in place], scores.index, dtype="str"),
        manager_id=pd.Series(manager, scores.index, dtype="str"),
        manager=pd.Series([MANAGERS[name] for name in manager], scores.index, dtype="str"),
        manager_since=pd.Series([date(2023, 7, 1) if name else None for name in manager], scores.index, dtype=object),
        **{"class": kind},
        not_known=pd.Series(np.where(kind.isna(), "too_new", None), scores.index, dtype="str"),
        contribution=scores["amount_12"] * 0.9,
        stability=np.where(kind.isna(), np.nan, 0.1 + place % 9 / 10),
        size=pd.Series([segments.SIZES[i % 3] for i in place], scores.index, dtype="str"),
        class_before=kind.where(scores["account_id"] != "A001", "EI"),
        kind=pd.Series([("buyer", "loyal", "vip")[i % 3] for i in place], scores.index, dtype="str"),
        habit=place % 2 == 0,
        first_order_on=date(2022, 3, 4),
        last_order_on=date(2024, 11, 5),
    )
    table.loc[table["account_id"] == "A002", "name"] = None
    return pd.concat([table, scores[["naming", "reason_1", "reason_2", "reason_3"]]], axis=1)


def history_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Every second period has purchases, the third last of A001 more returns than purchases; A002 bought nothing."""
    rows = [
        (account, ago, 100.25 * ago + place, 2)
        for place, account in enumerate(scores["account_id"])
        for ago in range(1, HISTORY + 1, 2)
        if account != "A002"
    ]
    table = pd.DataFrame(rows, columns=["account_id", "periods_ago", "amount", "order_days"])
    table.loc[(table["account_id"] == "A001") & (table["periods_ago"] == 3), "amount"] = -512.5
    bought = table["amount"].clip(lower=0)
    return table.assign(bought=bought, orders=2, largest=bought / 2, squared=bought**2 / 2)[
        ["account_id", "periods_ago", "amount", "bought", "order_days", "orders", "largest", "squared"]
    ]


def worklist_of(accounts: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The list and its summary, by the model of the worklist itself."""
    active = accounts[~accounts["lapsed"].to_numpy(bool)]
    value = ECONOMICS.value(active["amount_12"])
    candidates = pd.DataFrame(
        {
            **{name: active[name] for name in ("account_id", "manager_id", "region", "class", "risk")},
            "reason": active["reason_1"].where(active["naming"] != "none"),
            "value": value,
        }
    )
    planned = worklist.planned(candidates, playbook(), DAY)
    found = worklist.choose(planned, ECONOMICS.terms(value), RULES, {})
    about = accounts[["account_id", "name", "manager", "naming", "risk", "expected_loss"]]
    about = about.assign(other_reason=accounts["reason_2"].where(accounts["naming"] == "candidates"))
    table = found.frame.merge(about.assign(at_stake=about["risk"]), how="left", on="account_id")
    steps = [
        playbook().step("unexplained" if pd.isna(reason) else reason, None if pd.isna(kind) else kind)
        for reason, kind in zip(table["reason"], table["class"], strict=True)
    ]
    table["what"] = pd.Series([step.do for step in steps], table.index, dtype="str")
    return table[
        [
            *("place", "account_id", "name", "manager_id", "manager", "region", "class", "reason", "naming"),
            *("other_reason", "action", "what"),
            *("owner", "until", "hours", "risk", "at_stake", "expected_loss", "profit", "decision", "why"),
        ]
    ], found.summary | {"by": "silent"}


def leavers_of(accounts: pd.DataFrame) -> pd.DataFrame:
    mine = accounts[accounts["manager_id"].notna()]
    risk = np.minimum(mine["risk"] * 1.25, 1.0)
    return (
        mine[["account_id", "manager_id", "lapsed", "risk"]]
        .assign(
            risk_if_left=risk,
            expected_loss=mine["expected_loss"],
            expected_loss_if_left=risk * mine["amount_12"],
            extra=risk * mine["amount_12"] - mine["expected_loss"],
        )
        .sort_values("manager_id", kind="stable", ignore_index=True)
    )


def managers_of(leavers: pd.DataFrame) -> pd.DataFrame:
    """What the accounts of each come to, the most extra money first; of M2 nothing else is known."""
    active = leavers[~leavers["lapsed"].astype(bool)].groupby("manager_id")
    money = active[["expected_loss", "expected_loss_if_left", "extra"]].sum()
    lapsed = leavers.groupby("manager_id")["lapsed"].sum().reindex(money.index).astype(int)
    table = money.assign(accounts=active.size(), lapsed=lapsed).reset_index()
    first = table["manager_id"] == "M1"
    table = table.assign(
        name=pd.Series(np.where(first, "Ion Chen", None), dtype="str"),
        level=pd.Series(np.where(first, "senior", None), dtype="str"),
        hired_on=pd.Series(np.where(first, date(2020, 4, 2), None), dtype=object),
        monthly_hours=np.where(first, 150.0, np.nan),
    )
    order = ["manager_id", "accounts", "lapsed", "expected_loss", "expected_loss_if_left", "extra"]
    return table[[*order, "name", "level", "hired_on", "monthly_hours"]].sort_values(
        ["extra", "manager_id"], ascending=[False, True], ignore_index=True
    )


def win_back_of(accounts: pd.DataFrame) -> pd.DataFrame:
    """By turns a talk that pays, one with a strategic account that does not, an account to leave, and one to close."""
    rows = accounts[accounts["lapsed"].to_numpy(bool)].reset_index(drop=True)
    turn = rows.index.to_numpy() % 4
    profit = np.select([turn == 0, turn == 1], [900.125 - rows.index, -40.25 - rows.index], -100.5 - rows.index)
    decision = np.select([turn <= 1, turn == 2], ["talk", "leave"], "close")
    table = pd.DataFrame(
        {
            "account_id": rows["account_id"],
            "reason": rows["reason_1"],
            "chance": 0.3 - rows.index / 1000,
            "value": rows["amount_12"] * 0.25,
            "cost": np.full(len(rows), 150.333),
            "profit": profit,
            "decision": pd.Series(decision, dtype="str"),
            "who": pd.Series(np.where(turn == 0, "sales director", None), dtype="str"),
        }
    )
    table = table.sort_values(["profit", "account_id"], ascending=[False, True], ignore_index=True)
    return table.assign(place=range(1, len(table) + 1))


def prospects_of(n: int = 12) -> pd.DataFrame:
    place = np.arange(n)

    def turns(*values: object) -> pd.Series[Any]:
        return pd.Series([values[i % len(values)] for i in place], dtype="str")

    return pd.DataFrame(
        {
            "prospect_id": pd.Series([f"X{i:02d}" for i in place], dtype="str"),
            "name": turns("Maple", None, "Linden", "Poplar"),
            "region": turns("West", "North", None, "West"),
            "source": turns("record", "third_party", None, "referral"),
            "score": 4.5 - place / 7,
            "judged": 1.0 - place / 50,
            "intent": turns("strong", "weak", None, "weak"),
            "intent_why": turns(None, "risk", None, "switching_cost"),
            "class": turns("PI", "PIII", None, "PIV"),
            "lacking": turns(None, None, "intent", None),
            "third_party": pd.Series([(False, True, None, False)[i % 4] for i in place], dtype="boolean"),
            "sample": place % 4 == 1,
        }
    )


def feedback_of() -> pd.DataFrame:
    """Two people on A001, nobody known on A002, and one on an account that is not scored."""
    rows = [
        ("A001", date(2024, 11, 3), "agree", None, "Eva"),
        ("A001", date(2024, 12, 9), "other_reason", "product", "Ion"),
        ("A002", date(2024, 12, 1), "already_handled", None, None),
        ("Z9", date(2024, 12, 2), "agree", None, "Eva"),
    ]
    table = pd.DataFrame(rows, columns=["account_id", "given_on", "verdict", "reason", "by"])
    return table.astype({"account_id": "str", "verdict": "str", "reason": "str", "by": "str"})


def decided_of(accounts: pd.DataFrame, listed: Mapping[str, Any]) -> dict[str, Any]:
    """What of the decisions is no table, as it comes back from JSON."""
    now = accounts[["account_id", "class", "contribution"]]
    before = now.assign(**{"class": accounts["class_before"]}).iloc[2:]
    found = segments.concentration(accounts["contribution"])
    told = {
        "period": "1 month",
        "history_periods": HISTORY,
        "segments": {
            "contribution": 9_000.5,
            "stability": 0.6,
            "large": 30_000.0,
            "medium": 8_000.0,
            "concentration": {"top_share": found.top_share, "accounts_share": found.accounts_share},
        },
        "kinds": {"not_known": ["adept", "black_list"], "prospects": {"client": 3}},
        "migration": {"since": "2024-12-01", "cells": segments.migration(before, now).to_dict("records")},
        "leavers": {
            "lacking": None,
            "unattended": 20,
            "experience": [
                {"above": 0, "most": 31, "accounts": 397, "rows": 437, "value": 0.105, "low": 0.079, "high": 0.134},
                {"above": 31, "most": 92, "accounts": 4, "rows": 4, "value": None, "low": None, "high": None},
                {"above": None, "most": None, "accounts": 900, "rows": 999, "value": 0.09, "low": 0.08, "high": 0.1},
            ],
        },
        "worklist": listed,
        "win_back": {
            **{"value": 0.2287, "low": 0.1965, "high": 0.2625, "prior": 0.4, "prior_accounts": 10.0},
            **{"trials": 611, "ordered": 138, "own": 0.2259, "accounts": 552, "approached": True, "cutoffs": []},
        },
        "prospects": {"high": 3.25, "lacking": None},
        "economics": [
            claim("Of new contacts 5 % order.", None, "It cannot be seen on this data: nothing says so."),
            claim(
                "Of former accounts 40 % order again.",
                {"value": 0.226, "low": 0.194, "high": 0.26, "n": 611},
                "",
                "Here {value} ({low} to {high}) of {n}; the documents say {documented}.",
            ),
        ],
        "hindsight": {"scorings": [], "calibration": [], "reasons": [], "pending": [str(DAY)]},
    }
    return json.loads(json.dumps(told, default=str))


def claim(said: str, own: Mapping[str, Any] | None, cannot: str, measured: str | None = None) -> dict[str, Any]:
    """A row of what the documents claim, a share."""
    return {
        "claim": said,
        "documents": ["004"],
        "documented": {"low": 0.4, "high": 0.4},
        "own": own,
        "cannot": cannot,
        "measured": measured,
        "unit": "share",
        "years": None,
    }


def scoring(ago: int, lost: int, top_rate: float | None) -> dict[str, Any]:
    """A scoring of so many days ago, of which it is known what became."""
    day = DAY - timedelta(days=ago)
    return {"as_of": str(day), "accounts": 45, "expected": 9.75, "lost": lost, "top_rate": top_rate}
