"""The page of win-back: lapsed accounts by what approaching them is worth, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.win_back import CLOSE, DECISIONS, LEAVE, TALK
from reports import rows
from reports.language import message, say, say_number
from reports.links import Links
from reports.words import count, money, percent, text

if TYPE_CHECKING:
    from reports.site import Site

MOST = 250  # rows of the table; all of them are in the files
NAMES = {
    TALK: message("Talk to the decision-maker"),
    LEAVE: message("Leave: it costs more than it brings"),
    CLOSE: message("Close the case: nobody’s fault, and not strategic"),
}


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    table = site.win_back
    listed = _rows(site, links)
    return {
        "win_back": {
            "sentence": _sentence(site),
            "findings": _findings(site),
            "decisions": [
                {
                    "name": say(NAMES[decision]),
                    "accounts": int((table["decision"] == decision).sum()),
                    "value": float(table.loc[table["decision"] == decision, "value"].sum()),
                    "profit": float(table.loc[table["decision"] == decision, "profit"].sum()),
                }
                for decision in DECISIONS
            ]
            if len(table)
            else [],
            "rows": listed,
            "filters": rows.filters(
                listed, (7, message("Decision"), "decision"), words={code: say(name) for code, name in NAMES.items()}
            ),
            "caption": say("{shown} of {all} lapsed accounts.", shown=count(len(listed)), all=count(len(table))),
        }
    }


def decided(row: Mapping[Any, Any]) -> str:
    """What to do, and who does it."""
    who = text(row["who"])
    name = say(NAMES[row["decision"]])
    return say("{decision} ({who})", decision=name, who=say(who)) if who else name


def _sentence(site: Site) -> str:
    if site.win_back.empty:
        return say("No account scored has lapsed.")
    talk = site.win_back[site.win_back["decision"] == TALK]
    pays = talk[talk["profit"] > 0]
    return say_number(
        "{n} account had already been silent for {within} or longer. A talk is expected to pay with {pays} of them, to earn "
        "{profit}; with {strategic} more it does not pay, but they are strategic, or not known not to be.",
        "{n} accounts had already been silent for {within} or longer. A talk is expected to pay with {pays} of them, to earn "
        "{profit}; with {strategic} more it does not pay, but they are strategic, or not known not to be.",
        len(site.win_back),
        n=count(len(site.win_back)),
        within=site.within(),
        pays=count(len(pays)),
        profit=money(float(pays["profit"].sum()), site.currency),
        strategic=count(len(talk) - len(pays)),
    )


def _findings(site: Site) -> list[str]:
    if site.win_back.empty:
        return []
    found = site.decided["win_back"]
    lines = [
        say(
            "Chance that an approached account orders again: {value} ({low} to {high}).",
            value=percent(found["value"]),
            low=percent(found["low"]),
            high=percent(found["high"]),
        ),
        say(
            "The documents say {prior} of former accounts (004), counted as if seen on {accounts} accounts.",
            prior=percent(found["prior"]),
            accounts=count(found["prior_accounts"]),
        ),
    ]
    if not found["trials"]:
        lines.append(say("This company’s own data say nothing of it yet."))
    elif found["approached"]:
        lines.append(
            say(
                "Of {trials} approaches to lapsed accounts at past cut-offs {ordered} were followed by an order ({own}).",
                trials=count(found["trials"]),
                ordered=count(found["ordered"]),
                own=percent(found["own"]),
            )
        )
    else:
        lines.append(
            say(
                "No table says who was approached: of {trials} lapsed accounts at past cut-offs {ordered} ordered again of "
                "themselves ({own}).",
                trials=count(found["trials"]),
                ordered=count(found["ordered"]),
                own=percent(found["own"]),
            )
        )
    return lines


def _rows(site: Site, links: Links) -> list[dict[str, Any]]:
    shown = site.win_back.sort_values("place").head(MOST)
    about = rows.known(site, shown["account_id"])
    return [
        {
            **rows.identity(links, row["account_id"], who),
            "place": int(row["place"]),
            "reason": site.reason(code) if (code := text(row["reason"])) else "",
            "chance": float(row["chance"]),
            "value": float(row["value"]),
            "cost": float(row["cost"]),
            "profit": float(row["profit"]),
            "decision": row["decision"],
            "decided": decided(row),
        }
        for row, who in zip(shown.to_dict("records"), about, strict=True)
    ]
