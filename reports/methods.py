"""The page of methods: how the numbers come about, what contacting earned, and how far the risk can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports import earnings, quality, rows
from reports.language import say
from reports.links import Links
from reports.measures import POPULATIONS, metrics
from reports.words import count, span

if TYPE_CHECKING:
    from reports.site import Site

CONTACTS = 10  # accounts in the table of those most worth contacting


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    active = site.active
    return {
        "terms": _terms(site),
        "active": len(active),
        "contacts": _contacts(site, links),
        "earned": earnings.past(site.metrics.get("money", {}).get("active", {}), site.currency),
        "assumptions": earnings.assumptions(site.economics, site.plan, site.currency),
        "quality": [quality.population(site.metrics, site.predictions, kind) for kind in POPULATIONS],
        "slices": quality.slices(site.metrics),
        "champion": quality.champion(site.metrics),
        "expected": quality.expected(site.metrics, site.live),
        "metrics": metrics(),
    }


def _terms(site: Site) -> list[tuple[str, str]]:
    within = site.within()
    return [
        (
            say("Risk"),
            say(
                "of no order within {within}; beside it the range in which the share lost among accounts of such a risk is "
                "thought to lie, by how far off it was at cut-offs held out",
                within=within,
            ),
        ),
        (say("Expected loss"), say("risk times the purchases of the last twelve months")),
        (
            say("Lapsed"),
            say("silent for {within} or longer already; never on the list of accounts at risk", within=within),
        ),
        (
            say("Contact earns"),
            say("expected profit of contacting the account; below zero, the contact is expected to cost more"),
        ),
        (
            say("Associated reasons"),
            say(
                "in brackets a reason’s share, its estimated part in why the account would be lost, by its evidence now and in "
                "the periods before; below it the evidence with the most weight"
            ),
        ),
        (
            say("{one} or {other}", one="…", other="…"),
            say("no reason has enough share to be named alone; each of the two may be the one"),
        ),
        (say("Why now"), say("what moved the risk since the day named, in points of probability that add up")),
        (say("What if"), say("the risk the model would see had the cause been removed today: model-based, not causal")),
        (say("What speaks against it"), say("the values that lower the account’s risk most")),
    ]


def _contacts(site: Site, links: Links) -> dict[str, Any]:
    """How many active accounts to contact, what it is expected to earn, and the first of them."""
    active = site.active
    worth = active[active["contact_profit"] > 0].sort_values(["contact_profit", "rank"], ascending=[False, True])
    number, profit = site.plan["contacts"], site.plan["profit"]
    return {
        "number": len(worth),
        "interval": span(count(round(number["low"])), count(round(number["high"]))),
        "profit": earnings.amount(profit, site.currency),
        "rows": rows.accounts(site, links, worth.head(CONTACTS)),
    }
