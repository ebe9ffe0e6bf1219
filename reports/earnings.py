"""What the page tells of contacting accounts: how many, what it is expected to earn, what it would have earned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.campaign import RANKINGS, Economics
from reports import charts
from reports.words import count, money, number, percent

NAMES = {"contact_profit": "By expected profit of contacting", "risk": "By risk", "value": "By purchases"}


def past(found: Mapping[str, Any], currency: str) -> dict[str, Any] | None:
    """Rankings, models and the curve of what `campaign.measure` found; None where it found nothing."""
    if not found:
        return None
    best = RANKINGS[0]
    rankings = [
        {
            "name": NAMES[name],
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
        "sentences": [_sentence(NAMES[name], found["paired"][name]) for name in RANKINGS[1:]],
        "plot": _plot(found, currency),
    }


def assumptions(economics: Economics, plan: Mapping[str, Any], currency: str) -> list[tuple[str, str, str]]:
    """(what is assumed, the figure in use, what it rests on): the documents, or nothing but an assumption."""
    given = economics.contact_cost is not None
    return [
        (
            "Margin",
            f"{percent(economics.margin)} of purchases",
            "An assumption; the documents give no figure.",
        ),
        (
            "Cost of a contact",
            money(plan.get("contact_cost"), currency),
            "Given in params.yaml."
            if given
            else f"{percent(economics.contact_share)} of the mean yearly margin of the active accounts. The documents: 5 % of "
            "new contacts order (004), and a new account pays after a year (001); so a contact costs a twentieth of a year.",
        ),
        (
            "Incentive",
            _incentive(economics, currency),
            "For an account that was contacted and stays. The documents name lack of contact as the commonest reason, 67 % "
            "(004), which a contact cures; they name discounts, but give no figure.",
        ),
        (
            "Chance that an account is kept that would be lost",
            percent(economics.kept),
            "The documents: 40 % of former accounts order again (004). That accounts about to go are kept as often is an "
            "assumption.",
        ),
        (
            "How sure that chance is",
            f"as if seen on {count(economics.kept_accounts)} accounts",
            "An assumption; every interval here draws the chance anew.",
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
        "value": "–" if value is None else words(value),
        "interval": f"{words(low)} to {words(high)}" if known else None,
    }


def _sentence(name: str, difference: Mapping[str, float | None]) -> str:
    found = {
        "better": "the interval of the difference lies above zero, expected profit earned more",
        "worse": "the interval of the difference lies below zero, expected profit earned less",
        "open": "the interval of the difference holds zero, so no difference is shown",
    }
    return f"{name}: {found[verdict(difference)]}."


def _incentive(economics: Economics, currency: str) -> str:
    parts = [
        *([money(economics.incentive, currency)] if economics.incentive else []),
        *([f"{percent(economics.incentive_share)} of its yearly margin"] if economics.incentive_share else []),
    ]
    return " and ".join(parts) or "none"


def _plot(found: Mapping[str, Any], currency: str) -> str:
    curve = {name: np.array(values) for name, values in found["curve"].items()}
    contacts = curve["share"] * found["accounts"]
    cells = found["rankings"]
    spoken = "; ".join(
        f"{NAMES[name].lower()} {money(cells[name]['profit']['value'], currency)} with "
        f"{count(round(cells[name]['contacts']['value'], 1))} contacts"
        for name in RANKINGS
    )
    return charts.profit(
        "profit",
        {NAMES[name]: (contacts, curve[name]) for name in RANKINGS},
        (contacts, curve["low"], curve["high"]),
        cells[RANKINGS[0]]["contacts"]["value"],
        "Profit at past cut-offs by how many active accounts are contacted",
        f"{spoken}.",
    )
