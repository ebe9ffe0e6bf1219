"""The page of prospects: who is not yet a customer, by expected contribution and intent, and what to do about each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from models.prospects import CLASSES, playbook
from reports import rows
from reports.language import message, say, say_number
from reports.links import Links
from reports.words import count, number, percent, text

if TYPE_CHECKING:
    from reports.site import Site

MOST = 400  # rows of the table; all of them are in the files
SOURCES = {
    "record": message("searching records"),
    "internal": message("our own data"),
    "visit": message("going there"),
    "referral": message("a referral"),
    "influencer": message("people with influence"),
    "third_party": message("a third party’s data"),
    "new_channel": message("a new channel"),
    "new_region": message("a new region"),
    "new_product": message("a new product"),
}
INTENTS = {"strong": message("strong"), "weak": message("weak")}
CAUSES = {
    "unknown_to_them": message("it does not know us"),
    "switching_cost": message("it fears the cost of switching"),
    "risk": message("it fears the risk"),
    "competitor_stronger": message("a competitor is stronger"),
}
LACKING = {"criteria": message("too little judged"), "intent": message("intent not known")}


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    table = site.prospects
    listed = [_row(row) for row in table.head(MOST).to_dict("records")]
    return {
        "prospects": {
            "sentence": _sentence(site),
            "definition": _definition(site),
            "classes": _classes(table) if len(table) else [],
            "causes": [(say(CAUSES[entry.code]), say(entry.text)) for entry in playbook().intents]
            if len(table)
            else [],
            "rows": listed,
            "filters": rows.filters(listed, (1, message("Class"), "class"), (5, message("Region"), "region")),
            "caption": say(
                "{shown} of {all} prospects, by class and score.", shown=count(len(listed)), all=count(len(table))
            ),
        }
    }


def _sentence(site: Site) -> str:
    if site.decided["prospects"]["lacking"]:
        return say("There is no table prospects, so nothing is told of who is not yet a customer.")
    if site.prospects.empty:
        return say("The table prospects has no rows at this date.")
    sample = int(site.prospects["sample"].sum())
    return say_number(
        "{n} prospect. Third-party data are unreliable: {sample} are drawn to be checked before they are trusted (001).",
        "{n} prospects. Third-party data are unreliable: {sample} are drawn to be checked before they are trusted (001).",
        len(site.prospects),
        n=count(len(site.prospects)),
        sample=count(sample),
    )


def _definition(site: Site) -> str:
    high = site.decided["prospects"]["high"]
    if high is None:
        return say("The score is the weighted mean of what was judged from 1 to 5; no two scores differ.")
    return say(
        "The score is the weighted mean of what was judged from 1 to 5; an expected contribution is high from {high}.",
        high=number(high, 2),
    )


def _classes(table: pd.DataFrame) -> list[dict[str, Any]]:
    texts: dict[str, str] = {entry.code: entry.text for entry in playbook().classes}
    found = [
        {"name": code, "strategy": say(texts[code]), **_counts(table[(table["class"] == code).to_numpy(bool)])}
        for code in CLASSES
    ]
    return [
        *found,
        {
            "name": say("no class"),
            "strategy": say("Too little is known of them."),
            **_counts(table[table["class"].isna()]),
        },
    ]


def _counts(table: pd.DataFrame) -> dict[str, int]:
    return {"prospects": len(table), "third_party": int(table["third_party"].fillna(False).astype(bool).sum())}


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    intent, why, lacking = text(row["intent"]), text(row["intent_why"]), text(row["lacking"])
    source = text(row["source"])
    return {
        "id": str(row["prospect_id"]),
        "name": text(row["name"]),
        "class": text(row["class"]),
        "score": float(row["score"]),
        "judged": percent(row["judged"]),
        "intent": say(INTENTS[intent]) if intent else "",
        "why": say(CAUSES[why]) if why else say(LACKING[lacking]) if lacking else "",
        "region": text(row["region"]),
        "source": say(SOURCES[source]) if source else "",
        "check": say("check it") if row["sample"] else "",
    }
