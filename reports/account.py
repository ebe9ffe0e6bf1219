"""The page of one account: who it is, what it bought, the risk and why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.matrix import SILENT
from features.periods import Duration, edge_index
from models.taxonomy import taxonomy
from reports import accounts, classes, feedback, history, portfolio, rows, win_back, worklist
from reports.language import say
from reports.links import Links
from reports.words import day, money, percent, quantity, text

if TYPE_CHECKING:
    from reports.site import Site

Record = Mapping[Any, Any]


def contexts(site: Site, links: Links) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, what it shows) of each account that has a page, riskiest first."""
    chosen = site.scores[site.scores["account_id"].isin(links.paged)]
    about = rows.known(site, chosen["account_id"])
    pages = _Pages(site, links, chosen["account_id"])
    shared = {"not_observable": portfolio.not_observable(site), "reasons": taxonomy().codes, "scored": len(site.scores)}
    for row, who in zip(chosen.to_dict("records"), about, strict=True):
        yield links.paged[row["account_id"]], {"account": pages.account(row, who), **shared}


class _Pages:
    """What the tables hold of each account, found once for all of them."""

    def __init__(self, site: Site, links: Links, chosen: pd.Series[str]) -> None:
        self.site, self.links = site, links
        wanted = set(chosen)
        self.evidence = accounts.sentences(_of(site.evidence, wanted))
        self.explanations = _by_account(_of(site.explanations, wanted))
        self.worklist = _by_account(_of(site.worklist, wanted))
        self.win_back = _by_account(_of(site.win_back, wanted))
        self.similar = _grouped(_of(site.similar, wanted))
        self.history = _grouped(_of(site.history, wanted))
        self.names = dict(zip(site.accounts["account_id"], site.accounts["name"], strict=True))
        self.period = Duration.parse(site.decided["period"])

    def account(self, row: Record, who: Record) -> dict[str, Any]:
        """All that the page of a row of the scores shows."""
        site, account = self.site, row["account_id"]
        told = accounts.told(
            row,
            self.evidence.get(account, []),
            self.explanations.get(account, {}),
            site.reason,
            site.currency,
        )
        return {
            **rows.identity(self.links, account, who),
            **told,
            "lapsed": bool(row["lapsed"]),
            "risk": float(row["risk"]),
            "range": rows.interval(row["risk_low"], row["risk_high"]),
            "rank": int(row["rank"]),
            "expected_loss": float(row["expected_loss"]),
            "action_profit": None if (listed := self.worklist.get(account)) is None else float(listed["profit"]),
            "facts": _facts(site, who),
            "horizons": self._horizons(row),
            "history": history.of(self.history.get(account, []), site, self.period),
            "step": self._step(account, who),
            "similar": [self._similar(found) for found in self.similar.get(account, [])],
            "said": feedback.said(site, account),
        }

    def _horizons(self, row: Record) -> list[tuple[str, float]]:
        unit = "months" if self.period.unit == "month" else "days"
        return [
            (quantity(self.period.count * step, unit), float(row[name]))
            for step, name in enumerate(SILENT, start=1)
            if name in row and not pd.isna(row[name])
        ]

    def _step(self, account: str, who: Record) -> dict[str, Any] | None:
        """What to do: the worklist's step of an active account, the decision on a lapsed one."""
        if (listed := self.worklist.get(account)) is not None:
            words = worklist.decision(listed)
            return {**worklist.step_of(self.site, listed, who), "decision": words, "do": listed["decision"] == "do"}
        if (lapsed := self.win_back.get(account)) is not None:
            return {
                "what": win_back.decided(lapsed),
                "terms": say(
                    "Chance of an order {chance}; a year is worth {value}, approaching it costs {cost}: expected net profit {profit}.",
                    chance=percent(lapsed["chance"]),
                    value=money(lapsed["value"], self.site.currency),
                    cost=money(lapsed["cost"], self.site.currency),
                    profit=money(lapsed["profit"], self.site.currency),
                ),
                "decision": "",
                "do": True,
            }
        return None

    def _similar(self, found: Record) -> dict[str, Any]:
        other = found["similar_account"]
        return {
            "id": str(other),
            "name": text(self.names.get(other)),
            "page": self.links.page(other),
            "day": day(found["as_of"]),
            "risk_then": float(found["risk_then"]),
            "lost": bool(found["lost"]),
        }


def _facts(site: Site, who: Record) -> list[tuple[str, str]]:
    """What is known of the account, in words; nothing is told of what is not known, but for the class."""
    facts: list[tuple[str, str | None]] = [
        (say("Region"), text(who.get("region"))),
        (say("Manager"), _manager(site, who)),
        (say("Class"), _class(site, who)),
        (say("Kind"), _word(classes.KIND_NAMES, who.get("kind"))),
        (say("Size"), _word(classes.SIZE_NAMES, who.get("size"))),
        (say("First order"), _date(who.get("first_order_on"))),
        (say("Last order"), _date(who.get("last_order_on"))),
        (say("Purchases of the last year"), money(who["amount_12"], site.currency) if who else None),
        (say("Stability, 0 to 100%"), None if pd.isna(who.get("stability")) else percent(float(who["stability"]))),
    ]
    return [(name, value) for name, value in facts if value]


def _manager(site: Site, who: Record) -> str | None:
    """The manager by name and id, with how long he or she has looked after the account."""
    manager = text(who.get("manager_id"))
    if manager is None:
        return None
    name, since = text(who.get("manager")), who.get("manager_since")
    shown = say("{name} ({id})", name=name, id=manager) if name else manager
    if since is None or pd.isna(since):
        return shown
    months = edge_index(site.as_of, Duration(1, "month"), since)
    return say("{manager}, for {time}", manager=shown, time=quantity(months, "months"))


def _class(site: Site, who: Record) -> str:
    now, before = text(who.get("class")), text(who.get("class_before"))
    if now is None:
        return say("none: too new, or with too few orders, to be classed")
    strategy = classes.strategy(now)
    if before is None or before == now:
        return say("{code}: {strategy}", code=now, strategy=strategy)
    return say("{code}: {strategy}; it was {before}", code=now, strategy=strategy, before=before)


def _word(words: Mapping[str, str], code: Any) -> str | None:
    found = text(code)
    return say(words[found]) if found is not None and found in words else None


def _date(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else day(value)


def _of(table: pd.DataFrame, wanted: set[str]) -> pd.DataFrame:
    return table if table.empty else table[table["account_id"].isin(wanted)]


def _by_account(table: pd.DataFrame) -> dict[str, Record]:
    return {record["account_id"]: record for record in table.to_dict("records")}


def _grouped(table: pd.DataFrame) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in table.to_dict("records"):
        found.setdefault(record["account_id"], []).append(record)
    return found
