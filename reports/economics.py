"""The page of economics: what the documents claim, beside what this company's own data say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.language import say
from reports.links import Links
from reports.words import count, exact_percent, listed, number

if TYPE_CHECKING:
    from reports.site import Site


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    return {"economics": [_row(record) for record in site.decided["economics"]]}


def _row(record: dict[str, Any]) -> dict[str, Any]:
    own, documented = record["own"], record["documented"]
    found = {
        "claim": say(record["claim"]),
        "documents": listed(record["documents"]),
        "measured": None,
        "why_not": "",
    }
    if own is None:
        return found | {"why_not": say(record["cannot"])}
    values = {name: _figure(own[name], record["unit"]) for name in ("value", "low", "high")}
    told = {
        "n": count(own["n"]),
        "years": count(record["years"] or 0),
        "documented": _figure(documented["high"], record["unit"]),
    }
    return found | {"measured": say(record["measured"], **values, **told)}


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return number(value, 1)
    if unit == "share":
        return exact_percent(value, 1)
    return number(value, 1, sign=unit == "points")
