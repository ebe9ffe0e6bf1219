"""The page of managers: the accounts and the money at risk if one left, and the list for the day he or she resigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports import rows
from reports.language import say, say_number
from reports.links import Links
from reports.words import count, day, money, percent, span, text

if TYPE_CHECKING:
    from reports.site import Site

LISTS = 40  # managers with a list on the page; the others' are in the files
ACCOUNTS = 10  # in each list


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    found, managers = site.decided["leavers"], site.managers
    lists = managers["manager_id"].head(LISTS).tolist()
    anchors = {manager: f"manager-{place}" for place, manager in enumerate(lists)}
    return {
        "managers": {
            "sentence": _sentence(site),
            "rows": [
                {
                    "id": str(row["manager_id"]),
                    "name": text(row["name"]),
                    "level": text(row["level"]),
                    "since": None if pd.isna(row["hired_on"]) else day(row["hired_on"]),
                    "since_iso": "" if pd.isna(row["hired_on"]) else row["hired_on"].isoformat(),
                    "anchor": anchors.get(row["manager_id"]),
                    "accounts": int(row["accounts"]),
                    "money": float(row["expected_loss"]),
                    "money_if_left": float(row["expected_loss_if_left"]),
                    "difference": float(row["extra"]),
                }
                for row in managers.to_dict("records")
            ],
            "experience": _experience(found["experience"]),
            "lists": [
                _list(site, links, row, anchors[row["manager_id"]]) for row in managers.head(LISTS).to_dict("records")
            ],
        }
    }


def _sentence(site: Site) -> str:
    lacking = site.decided["leavers"]["lacking"]
    if lacking == "model":
        return say("The model knows no feature of managers, so it cannot say what would follow if one left.")
    if lacking is not None:
        return say("Without {table} it is not known who looks after whom.", table=lacking)
    managers = site.managers
    if managers.empty:
        return say("Nobody looks after an eligible account.")
    first = managers.iloc[0]
    return say_number(
        "{n} manager looks after active accounts. If {name} left, {extra} more would be at risk, the most for any of them.",
        "{n} managers look after active accounts. If {name} left, {extra} more would be at risk, the most for any of them.",
        len(managers),
        n=count(len(managers)),
        name=text(first["name"]) or str(first["manager_id"]),
        extra=money(float(first["extra"]), site.currency),
    )


def _experience(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What became of active accounts by how long ago their manager had left, and of all others."""
    return [
        {
            "name": say("no manager left within a year")
            if row["most"] is None
            else say("{low} to {high} days ago", low=count(row["above"]), high=count(row["most"])),
            "accounts": row["accounts"],
            "lost": row["value"],
            "interval": None if row["low"] is None else span(percent(row["low"]), percent(row["high"])),
        }
        for row in found
    ]


def _list(site: Site, links: Links, manager: dict[Any, Any], anchor: str) -> dict[str, Any]:
    mine = site.leavers[(site.leavers["manager_id"] == manager["manager_id"]) & ~site.leavers["lapsed"].astype(bool)]
    mine = mine.sort_values(["extra", "account_id"], ascending=[False, True])
    shown = mine.head(ACCOUNTS)
    about = rows.known(site, shown["account_id"])
    name = text(manager["name"])
    return {
        "anchor": anchor,
        "name": say("{name} ({id})", name=name, id=manager["manager_id"]) if name else str(manager["manager_id"]),
        "caption": say("{shown} of {all} accounts.", shown=count(len(shown)), all=count(len(mine))),
        "rows": [
            {
                **rows.identity(links, row["account_id"], who),
                "risk": float(row["risk"]),
                "risk_if_left": float(row["risk_if_left"]),
                "expected_loss": float(row["expected_loss"]),
                "expected_loss_if_left": float(row["expected_loss_if_left"]),
            }
            for row, who in zip(shown.to_dict("records"), about, strict=True)
        ],
    }
