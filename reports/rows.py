"""Rows of accounts as several tables show them, and the filters above them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.language import say
from reports.links import Links
from reports.words import percent, span, text

if TYPE_CHECKING:
    from reports.site import Site


def accounts(site: Site, links: Links, scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each row of the scores: who it is, its risk and money, what a contact and the worklist's action earn, and its first reason."""
    about = known(site, scores["account_id"])
    profit = dict(zip(site.worklist["account_id"], site.worklist["profit"], strict=True))
    return [
        {
            **identity(links, row["account_id"], who),
            "rank": int(row["rank"]),
            "risk": float(row["risk"]),
            "range": interval(row["risk_low"], row["risk_high"]),
            "width": f"{min(max(row['risk'], 0.0), 1.0) * 100:.1f}" if math.isfinite(row["risk"]) else "0",
            "expected_loss": float(row["expected_loss"]),
            "contact_profit": float(row["contact_profit"]),
            "action_profit": float(profit.get(row["account_id"], math.nan)),
            "class": text(who.get("class")),
            "region": text(who.get("region")),
            "reason_key": text(row["reason_1"]) or "",
            "first_reason": first_reason(site, row),
        }
        for row, who in zip(scores.to_dict("records"), about, strict=True)
    ]


def known(site: Site, chosen: pd.Series[str]) -> list[Mapping[Any, Any]]:
    """What is known of each account beside its risk; nothing of one that was not scored."""
    found = site.accounts[site.accounts["account_id"].isin(chosen)].set_index("account_id")
    records = dict(zip(found.index, found.to_dict("records"), strict=True))
    return [records.get(account, {}) for account in chosen]


def identity(links: Links, account: str, who: Mapping[Any, Any]) -> dict[str, Any]:
    """Its id, its name and its page, where it has them."""
    return {"id": str(account), "name": text(who.get("name")), "page": links.page(account)}


def first_reason(site: Site, row: Mapping[Any, Any]) -> str:
    """As `told_first`, in the site's words."""
    return told_first(row, site.reason)


def told_first(row: Mapping[Any, Any], name: Callable[[str], str]) -> str:
    """The reason named first, a guess or the two candidates, said to be so; nothing where none is told."""
    naming, codes = text(row["naming"]), [text(row["reason_1"]), text(row["reason_2"])]
    if naming is None or codes[0] is None:
        return ""
    if naming == "candidates" and codes[1] is not None:
        return say("{one} or {other}", one=name(codes[0]), other=name(codes[1]))
    if naming == "untried":
        return say("{reason} (a guess)", reason=name(codes[0]))
    return name(codes[0])


def interval(low: float, high: float) -> str | None:
    """The interval of a risk; None where it was not measured."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return span(percent(low), percent(high))


def filters(
    rows: Sequence[Mapping[str, Any]], *columns: tuple[int, str, str], words: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Choices above a table: (column, name, key of the rows), with what stands in the rows, in words where given."""
    found = []
    for column, name, key in columns:
        values = sorted({row[key] for row in rows if row[key]})
        found.append(
            {
                "column": column,
                "name": say(name),
                "options": [(value, (words or {}).get(value, value)) for value in values],
            }
        )
    return found
