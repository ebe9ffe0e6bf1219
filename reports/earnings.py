"""What the page tells of contacting accounts: how many, what it is expected to earn, what it would have earned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.campaign import RANKINGS, Economics
from reports import charts
from reports.language import message, say, say_number
from reports.words import DASH, clauses, count, money, number, percent, span

NAMES = {
    "contact_profit": message("By expected profit of contacting"),
    "risk": message("By risk"),
    "value": message("By purchases"),
}


def past(found: Mapping[str, Any], currency: str) -> dict[str, Any] | None:
    """Rankings, models and the curve of what `campaign.measure` found; None where it found nothing."""
    if not found:
        return None
    best = RANKINGS[0]
    rankings = [
        {
            "name": say(NAMES[name]),
            "contacts": _counted(found["rankings"][name]["contacts"]),
            "promised": amount(found["rankings"][name]["promised"], currency),
            "profit": amount(found["rankings"][name]["profit"], currency),
            "less": None if name == best else amount(found["paired"][name], currency),
            "verdict": "" if name == best else verdict(found["paired"][name]),
        }
        for name in RANKINGS
    ]
    emp = [
        {
            "model": model,
            "emp": _decimal(cell),
            "less": _decimal(found["emp_paired"][model], sign=True) if model in found["emp_paired"] else None,
            "verdict": verdict(found["emp_paired"][model]) if model in found["emp_paired"] else "",
        }
        for model, cell in found["emp"].items()
    ]
    return {
        "rankings": rankings,
        "emp": emp,
        "cutoffs": found["cutoffs"],
        "accounts": found["accounts"],
        "value": found["value"],
        "perfect": amount(found["perfect"], currency),
        "sentences": [_sentence(say(NAMES[name]), found["paired"][name]) for name in RANKINGS[1:]],
        "plot": _plot(found, currency),
    }


def assumptions(economics: Economics, plan: Mapping[str, Any], currency: str) -> list[tuple[str, str, str]]:
    """(what is assumed, the figure in use, what it rests on): the documents, or nothing but an assumption."""
    return [
        (
            say("Margin"),
            say("{share} of purchases", share=percent(economics.margin)),
            say("An assumption; the documents give no figure."),
        ),
        (
            say("Cost of a contact"),
            money(plan.get("contact_cost"), currency),
            say("Given in params.yaml.")
            if economics.contact_cost is not None
            else say(
                "{share} of the mean yearly margin of the active accounts. The documents: 5% of new contacts order (004), "
                "and a new account pays after a year (001); so a contact costs a twentieth of a year.",
                share=percent(economics.contact_share),
            ),
        ),
        (
            say("Incentive"),
            _incentive(economics, currency),
            say(
                "For an account that was contacted and stays. The documents name lack of contact as the commonest reason, "
                "67% (004), which a contact cures; they name discounts, but give no figure."
            ),
        ),
        (
            say("Chance that an account is kept that would be lost"),
            percent(economics.kept),
            say(
                "The documents: 40% of former accounts order again (004). That accounts about to go are kept as often is "
                "an assumption."
            ),
        ),
        (
            say("How sure that chance is"),
            say_number(
                "as if seen on {n} account",
                "as if seen on {n} accounts",
                economics.kept_accounts,
                n=count(economics.kept_accounts),
            ),
            say("An assumption; every interval here draws the chance anew."),
        ),
    ]


def amount(cell: Mapping[str, float | None], currency: str) -> dict[str, str | None]:
    """A value with its interval, as money."""
    return _shown(cell, lambda value: money(value, currency))


def verdict(cell: Mapping[str, float | None]) -> str:
    """Whether a difference in money is better or worse than nothing for sure, or open."""
    low, high = cell["low"], cell["high"]
    if low is not None and low > 0:
        return "better"
    return "worse" if high is not None and high < 0 else "open"


def _counted(cell: Mapping[str, float | None]) -> dict[str, str | None]:
    return _shown(cell, lambda value: count(round(value, 1)))


def _decimal(cell: Mapping[str, float | None], sign: bool = False) -> dict[str, str | None]:
    return _shown(cell, lambda value: number(value, 2, sign))


def _shown(cell: Mapping[str, float | None], words: Any) -> dict[str, str | None]:
    value, low, high = (cell[part] for part in ("value", "low", "high"))
    known = value is not None and low is not None and high is not None
    return {
        "value": DASH if value is None else words(value),
        "interval": span(words(low), words(high)) if known else None,
    }


def _sentence(ranking: str, difference: Mapping[str, float | None]) -> str:
    found = verdict(difference)
    if found == "better":
        return say(
            "{ranking}: the interval of the difference lies above zero, expected profit earned more.", ranking=ranking
        )
    if found == "worse":
        return say(
            "{ranking}: the interval of the difference lies below zero, expected profit earned less.", ranking=ranking
        )
    return say("{ranking}: the interval of the difference holds zero, so no difference is shown.", ranking=ranking)


def _incentive(economics: Economics, currency: str) -> str:
    fixed, share = money(economics.incentive, currency), percent(economics.incentive_share)
    if economics.incentive and economics.incentive_share:
        return say("{amount} and {share} of its yearly margin", amount=fixed, share=share)
    if economics.incentive_share:
        return say("{share} of its yearly margin", share=share)
    return fixed if economics.incentive else say("none")


def _plot(found: Mapping[str, Any], currency: str) -> str:
    curve = {name: np.array(values) for name, values in found["curve"].items()}
    contacts = curve["share"] * found["accounts"]
    cells = found["rankings"]
    spoken = [_spoken(say(NAMES[name]), cells[name], currency) for name in RANKINGS]
    return charts.profit(
        "profit",
        {say(NAMES[name]): (contacts, curve[name]) for name in RANKINGS},
        (contacts, curve["low"], curve["high"]),
        cells[RANKINGS[0]]["contacts"]["value"],
        say("Profit at past cut-offs by how many active accounts are contacted"),
        say("{findings}.", findings=clauses(spoken)),
    )


def _spoken(ranking: str, cell: Mapping[str, Any], currency: str) -> str:
    contacts = round(cell["contacts"]["value"], 1)
    return say_number(
        "{ranking}: {profit} with {n} contact",
        "{ranking}: {profit} with {n} contacts",
        contacts,
        ranking=ranking,
        profit=money(cell["profit"]["value"], currency),
        n=count(contacts),
    )
