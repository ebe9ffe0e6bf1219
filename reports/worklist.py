"""The worklist: whom to see, what to do there, until when, and what it is expected to earn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.playbook import playbook
from models.segments import CLASSES
from reports import classes, exports, rows
from reports.language import message, say, say_number
from reports.links import Links
from reports.words import count, day, exact_percent, listed, money, paragraph, quantity, text

if TYPE_CHECKING:
    from reports.site import Site

MOST = 250  # rows on a page of at most 300 kB; all of them are in the files
LEFT = 50
WHY = {
    "manager_full": message("Worth its effort, but there is no time for it: others earn more an hour."),
    "region_full": message("Worth its effort, but the region has no time for it: others earn more an hour."),
    "reserved": message("Worth its effort, but the time for it is set aside for accounts of another class."),
    "too_long": message("Worth its effort, but it takes more hours than there are."),
    "costs_more": message("Left alone: the effort is expected to exceed the return."),
    "let_go": message("Let go: of the class EIV, and the effort is expected to exceed the return (003)."),
    "objective": message("Left alone: it goes for a reason that is nobody’s fault (004)."),
}


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    found = summary(site, links, MOST)
    return {
        "worklist": found
        | {
            "capacity": _capacity(site),
            "capacity_caption": _capacity_caption(site),
            "basis": _basis(site),
            "classes": _classes(site),
            "left": _left(site, links),
        }
    }


def summary(site: Site, links: Links, most: int) -> dict[str, Any]:
    """The first rows of the list, and what the whole of it comes to."""
    do = site.worklist[site.worklist["decision"] == "do"]
    chosen = _rows(site, links, do.sort_values(["profit", "account_id"], ascending=[False, True]).head(most))
    return {
        "rows": chosen,
        "sentence": _sentence(site, do),
        "caption": say(
            "{shown} of {all}, by expected net profit; place: the order of visits within a manager’s list, by profit an hour.",
            shown=count(len(chosen)),
            all=count(len(do)),
        ),
        "filters": rows.filters(chosen, (2, message("Class"), "class"), (3, message("Looked after by"), "who")),
    }


def step_of(site: Site, row: Mapping[Any, Any], told: Mapping[Any, Any]) -> dict[str, str]:
    """What to do and its terms, in words, for a row with reason and class; `told`: how its reasons were named."""
    step = playbook().step(text(row["reason"]) or "unexplained", text(row["class"]))
    manner = say(step.manner) if step.manner else ""
    doubt = _doubt(site, told)
    return {
        "brief": paragraph([doubt, say(step.do)]),
        "what": paragraph([doubt, say(step.do), manner]),
        "terms": say(
            "{owner}, until {until}; {hours} (documents {documents})",
            owner=say(step.owner),
            until=day(row["until"]),
            hours=quantity(row["hours"], "hours"),
            documents=listed(step.documents),
        ),
    }


def _doubt(site: Site, told: Mapping[Any, Any]) -> str:
    """What to ask before the step for a reason that is not named alone; nothing where it is, or where none is told."""
    if text(told.get("naming")) not in ("candidates", "untried"):
        return ""
    return say("Ask first whether it is so: {reasons}.", reasons=rows.first_reason(site, told))


def decision(row: Mapping[Any, Any]) -> str:
    """Why the account is on the list or not, in words."""
    if row["decision"] == "do":
        return say("On the worklist, place {place} of its manager’s or region’s.", place=count(row["place"]))
    return say(WHY[row["why"]])


def _sentence(site: Site, do: pd.DataFrame) -> str:
    if site.worklist.empty:
        return say("There are no active accounts to choose from.")
    if do.empty:
        return say("Nothing is on the list: no action earns more than it costs within the time there is.")
    left = int((site.worklist["decision"] == "not_worth").sum())
    return say_number(
        "{n} account is worth seeing within the time there is: {hours}, expected to earn {profit} more than it costs; {left} are "
        "left alone, because the effort exceeds the return.",
        "{n} accounts are worth seeing within the time there is: {hours}, expected to earn {profit} more than it costs; {left} are "
        "left alone, because the effort exceeds the return.",
        len(do),
        n=count(len(do)),
        hours=quantity(float(do["hours"].sum()), "hours"),
        profit=money(float(do["profit"].sum()), site.currency),
        left=count(left),
    )


def _rows(site: Site, links: Links, chosen: pd.DataFrame) -> list[dict[str, Any]]:
    about = rows.known(site, chosen["account_id"])
    return [
        {
            **rows.identity(links, row["account_id"], who),
            **step_of(site, row, who),
            "place": int(row["place"]),
            "class": text(row["class"]),
            "who": text(who.get("manager")) or text(row["manager_id"]) or text(row["region"]),
            "until": day(row["until"]),
            "until_iso": row["until"].isoformat(),
            "hours": float(row["hours"]),
            "risk": float(row["risk"]),
            "profit": float(row["profit"]),
        }
        for row, who in zip(chosen.to_dict("records"), about, strict=True)
    ]


def _capacity(site: Site) -> list[dict[str, Any]]:
    """A row a manager, or a region where accounts have no manager."""
    files = exports.by_list(site)
    names = dict(zip(site.accounts["manager_id"], site.accounts["manager"], strict=True))
    return [
        {
            "name": _list_name(row, text(names.get(row["manager_id"]))),
            "capacity": row["capacity"],
            "used": row["used"],
            "accounts": row["listed"],
            "profit": row["profit"],
            "marginal": row["shadow_value"],
            "file": files.get((row["manager_id"], row["region"])),
        }
        for row in site.decided["worklist"]["managers"]
    ]


def _list_name(row: Mapping[str, Any], name: str | None) -> str:
    if row["manager_id"] is None:
        return say("{region}, no manager", region=row["region"]) if row["region"] else say("no manager")
    return say("{name} ({id})", name=name, id=row["manager_id"]) if name else str(row["manager_id"])


def _basis(site: Site) -> str:
    """By which risk the list was chosen."""
    if site.decided["worklist"]["by"] == "avoidable":
        return say(
            "An action is reckoned by the part of the risk that it can change, which comes from causes at work now: a visit does "
            "not keep an account that has decided already, or orders rarely anyway."
        )
    return say(
        "These data show too few of the causes that could be removed, so an action is reckoned by the whole risk."
    )


def _capacity_caption(site: Site) -> str:
    found = site.decided["worklist"]
    return say(
        "Hours a month. An hour is reckoned at {cost}. This list earns at most {gap} less than the best possible one. Setting "
        "time aside for each class costs {split}. One more hour: what it would earn.",
        cost=money(found["hour_cost"], site.currency),
        gap=exact_percent(found["gap"], 2),
        split=money(found["split_costs"], site.currency),
    )


def _classes(site: Site) -> list[dict[str, Any]]:
    if site.worklist.empty:
        return []
    used = float(site.worklist.loc[site.worklist["decision"] == "do", "hours"].sum())
    found = []
    for kind in (*CLASSES, None):
        of = site.worklist[site.worklist["class"].isna() if kind is None else site.worklist["class"] == kind]
        do = of[of["decision"] == "do"]
        found.append(
            {
                "name": classes.name(kind),
                "accounts": len(do),
                "hours": float(do["hours"].sum()),
                "share": float(do["hours"].sum()) / used if used else None,
                "profit": float(do["profit"].sum()),
                "no_capacity": int((of["decision"] == "no_capacity").sum()),
                "not_worth": int((of["decision"] == "not_worth").sum()),
            }
        )
    return found


def _left(site: Site, links: Links) -> dict[str, Any] | None:
    """Accounts whose effort exceeds the return, most at risk first."""
    left = site.worklist[site.worklist["decision"] == "not_worth"]
    if left.empty:
        return None
    shown = left.sort_values(["expected_loss", "account_id"], ascending=[False, True])
    about = rows.known(site, shown["account_id"].head(LEFT))
    return {
        "sentence": say(
            "Time given to them would be lost to others. Of the class EIV, which the documents say to let go where it does not "
            "pay (003), there are {accounts}.",
            accounts=count(int((left["class"] == "EIV").sum())),
        ),
        "caption": say(
            "{shown} of {all}, by expected loss.", shown=count(min(LEFT, len(shown))), all=count(len(shown))
        ),
        "rows": [
            {
                **rows.identity(links, row["account_id"], who),
                "class": text(row["class"]),
                "risk": float(row["risk"]),
                "expected_loss": float(row["expected_loss"]),
                "profit": float(row["profit"]),
            }
            for row, who in zip(shown.head(LEFT).to_dict("records"), about, strict=True)
        ],
    }
