"""Classes by contribution and stability as the portfolio shows them: heat map, table, movement, kinds and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.kinds import ACCOUNT_KINDS
from models.segments import CLASSES, GONE, NEW, SIZES, UNCLASSED
from models.strategies import strategies
from reports.language import message, say
from reports.words import day, money, paragraph, percent

if TYPE_CHECKING:
    from reports.site import Site

STRATEGIES = {
    "consolidate": message("consolidate"),
    "turn_around": message("turn around"),
    "lift": message("lift"),
    "liquidate": message("liquidate, unless it pays"),
}
KIND_NAMES = {
    "buyer": message("buyers: once or a few times"),
    "loyal": message("loyal: the third purchase made a habit"),
    "adept": message("adepts: buy from us alone"),
    "vip": message("VIP: buy much"),
    "black_list": message("black list: owe much and do not pay"),
    "former": message("former: have bought, but not in the last year"),
    "client": message("clients: know us, and have not bought"),
    "newcomer": message("newcomers: know nothing of us"),
}
SIZE_NAMES = {"large": message("large"), "medium": message("medium"), "small": message("small")}
OTHERS = {NEW: message("new"), GONE: message("gone"), UNCLASSED: message("no class")}
DEEPEST = 0.6  # opacity of the largest cell


def name(code: str | None) -> str:
    """The class as tables write it; who has none is told so."""
    return say("no class") if code is None else code


def strategy(code: str) -> str:
    """The strategy of a class, in words."""
    return say(STRATEGIES[strategies()[code].strategy])


def heat(site: Site, told: pd.DataFrame, codes: Sequence[str]) -> dict[str, Any] | None:
    """Money at risk by reason and class; None where there are no classes."""
    if not codes or not site.accounts["class"].notna().any():
        return None
    of = told[["account_id"]].merge(site.accounts[["account_id", "class"]], how="left")["class"].to_numpy()
    kinds: list[str | None] = [*CLASSES, None]
    cells = {
        code: [float((told[f"share_{code}"] * told["expected_loss"])[_of(of, kind)].sum()) for kind in kinds]
        for code in codes
    }
    largest = max((value for values in cells.values() for value in values), default=0.0)
    return {
        "heads": [name(kind) for kind in kinds],
        "rows": [
            {"code": code, "cells": [{"money": value, "shade": _shade(value, largest)} for value in values]}
            for code, values in cells.items()
        ],
    }


def context(site: Site) -> dict[str, Any] | None:
    """Table of the classes, movement since the scoring before, kinds and sizes; None where there are no classes."""
    accounts = site.accounts[~site.accounts["lapsed"].to_numpy(bool)]
    if accounts.empty:
        return None
    of = accounts["class"].to_numpy()
    return {
        "definition": _definition(site),
        "rows": [
            {
                "name": name(kind),
                "strategy": strategy(kind) if kind else "",
                "what": paragraph([say(line) for line in strategies()[kind].what_to_do])
                if kind
                else say("Too new, or with too few orders, to be classed."),
                **_sums(accounts[_of(of, kind)]),
            }
            for kind in (*CLASSES, None)
        ],
        "migration": _migration(site),
        "kinds": [
            {"name": say(names[code]), **_sums(accounts[(accounts[column] == code).to_numpy(bool)])}
            for column, names, codes in (("size", SIZE_NAMES, SIZES), ("kind", KIND_NAMES, ACCOUNT_KINDS))
            for code in codes
            if code in names and (accounts[column] == code).any()
        ],
        "notes": _notes(site),
    }


def _definition(site: Site) -> str:
    high = site.decided["segments"]
    if high["contribution"] is None or high["stability"] is None:
        return say(
            "There is too little history for classes: they need a year of purchases, and accounts that go on buying. Active "
            "accounts."
        )
    return say(
        "Contribution: purchases of the last year, high from {contribution}. Stability: how even by quarter, how regular by "
        "month, how spread over single orders, and whether it falls, from 0 to 100%, high from {stability}. Active accounts.",
        contribution=money(high["contribution"], site.currency),
        stability=percent(high["stability"]),
    )


def _notes(site: Site) -> list[str]:
    segments = site.decided["segments"]
    found = [
        say(
            "The largest fifth of the accounts makes {share} of the purchases of a year; the largest {accounts} make four fifths.",
            share=percent(segments["concentration"]["top_share"]),
            accounts=percent(segments["concentration"]["accounts_share"]),
        )
    ]
    for code in site.decided["kinds"]["not_known"]:
        if code in KIND_NAMES:
            found.append(say("Not known on this data: {kind}.", kind=say(KIND_NAMES[code])))
    return found


def _migration(site: Site) -> dict[str, Any] | None:
    """The matrix of movement: rows from, columns to; the diagonal is left unshaded."""
    table = pd.DataFrame(site.decided["migration"]["cells"])
    if table.empty:
        return None
    order = [*CLASSES, UNCLASSED]
    rows, columns = [*order, NEW], [*order, GONE]
    cells = {(row["class_before"], row["class_now"]): row["accounts"] for row in table.to_dict("records")}
    moved = [count for (before, now), count in cells.items() if before != now]
    return {
        "caption": say(
            "Accounts by their class on {then} (rows) and on {now} (columns); shaded: those that moved.",
            then=day(pd.Timestamp(site.decided["migration"]["since"]).date()),
            now=day(site.as_of),
        ),
        "heads": [_label(code) for code in columns],
        "rows": [
            {
                "name": _label(before),
                "cells": [
                    {
                        "accounts": cells.get((before, now), 0),
                        "shade": _shade(cells.get((before, now), 0), max(moved, default=0)) if before != now else "",
                    }
                    for now in columns
                ],
            }
            for before in rows
        ],
    }


def _label(code: str) -> str:
    return say(OTHERS[code]) if code in OTHERS else code


def _sums(accounts: pd.DataFrame) -> dict[str, Any]:
    return {
        "accounts": len(accounts),
        "amount": float(accounts["amount_12"].sum()),
        "money": float(accounts["expected_loss"].sum()),
        "risk": float(accounts["risk"].mean()) if len(accounts) else None,
    }


def _of(classes: Any, kind: str | None) -> Any:
    return pd.isna(classes) if kind is None else classes == kind


def _shade(value: float, largest: float) -> str:
    return f"{DEEPEST * max(value, 0.0) / largest:.2f}" if largest > 0 else "0"
