"""The plain twins of the facts that are no sum; importing this registers them."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from features.periods import periods_in_year
from tests.features.oracle import Known, twin
from tests.features.worlds import day_of

FAR = date(9999, 12, 31)


def spells(known: Known) -> list[dict[str, Any]]:
    """Assignments; those closed because the account was lost are not over."""
    return [
        {**row, "ended_on": None if row["end_reason"] == "account_lost" else row["ended_on"]}
        for row in known.tables["assignments"]
    ]


def _by_account(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    result: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        result[row["account_id"]].append(row)
    return result


@twin("rebates_oldest_overdue")
def oldest_overdue(known: Known) -> dict[str, float]:
    return {
        account: max(ages)
        for account, rows in known.by_account("rebates").items()
        if (ages := [known.since(r["due_on"]) for r in rows if r["due_on"] < known.as_of and r["paid_on"] is None])
    }


@twin("manager_current_days")
def current_days(known: Known) -> dict[str, float]:
    return {
        account: min(days)
        for account, rows in _by_account(spells(known)).items()
        if (days := [known.since(row["started_on"]) for row in rows if row["ended_on"] is None])
    }


@twin("manager_unattended_days")
def unattended_days(known: Known) -> dict[str, float]:
    return {
        account: min(known.since(row["ended_on"]) for row in rows)
        for account, rows in _by_account(spells(known)).items()
        if all(row["ended_on"] is not None for row in rows)
    }


@twin("manager_gap_days")
def gap_days(known: Known) -> dict[str, float]:
    result: dict[str, float] = {}
    for account, rows in _by_account(spells(known)).items():
        ordered = sorted(rows, key=lambda row: (row["started_on"], row["manager_id"]))
        for place, row in enumerate(ordered[1:], start=1):
            covered = max(earlier["ended_on"] or FAR for earlier in ordered[:place])
            if covered < row["started_on"] and known.since(row["started_on"]) <= 365:
                result[account] = result.get(account, 0) + (row["started_on"] - covered).days
    return result


def _leavers(known: Known) -> list[tuple[str, str, date]]:
    """(account, manager, day he left) of the spells that were running when he left, within a year."""
    left = {r["manager_id"]: r["left_on"] for r in known.tables["managers"] if r["left_on"] is not None}
    found: set[tuple[str, str, date]] = set()
    for row in spells(known):
        day = left.get(row["manager_id"])
        if day and known.since(day) <= 365 and row["started_on"] < day and (row["ended_on"] or known.as_of) >= day:
            found.add((row["account_id"], row["manager_id"], day))
    return sorted(found)


@twin("manager_since_leaver")
def since_leaver(known: Known) -> dict[str, float]:
    result: dict[str, float] = {}
    for account, _, day in _leavers(known):
        result[account] = min(result.get(account, 10**6), known.since(day))
    return result


@twin("manager_others_gone")
def others_gone(known: Known) -> dict[str, float]:
    last, horizon = known.last_orders(), known.since(known.silent_from)
    books: dict[str, list[tuple[str, date]]] = defaultdict(list)
    for account, manager, day in _leavers(known):
        books[manager].append((account, day))
    result: dict[str, float] = {}
    for book in books.values():
        for account, _ in book:
            bought = [a for a, day in book if a != account and a in last and (day - last[a]).days <= horizon]
            gone = [a for a in bought if last[a] < known.silent_from]
            if bought:
                result[account] = max(result.get(account, 0.0), len(gone) / len(bought))
    return result


@twin("complaints_oldest_open")
def complaints_oldest_open(known: Known) -> dict[str, float]:
    return {
        account: max(ages)
        for account, rows in known.by_account("complaints").items()
        if (ages := [known.since(r["opened_at"]) for r in rows if r["resolved_at"] is None and r["kind"] != "quality"])
    }


@twin("oldest_request")
def oldest_request(known: Known) -> dict[str, float]:
    return {
        account: max(ages)
        for account, rows in known.by_account("product_requests").items()
        if (ages := [known.since(row["requested_on"]) for row in rows if row["granted_on"] is None])
    }


@twin("region_signals")
def region_signals(known: Known) -> dict[str, float]:
    result: dict[str, float] = {}
    for row in known.tables["competitor_signals"]:
        if row["account_id"] is None and row["region"] is not None and known.since(row["seen_on"]) <= 183:
            result[row["region"]] = result.get(row["region"], 0) + 1
    return result


def _events(known: Known, scope: str, running: bool) -> dict[str | None, float]:
    """Severity by scope_id (None for the company) of events that run, or that began in the last 183 days."""
    result: dict[str | None, float] = {}
    for row in known.tables["events"]:
        if row["scope"] != scope:
            continue
        if row["ended_on"] is None if running else known.since(row["started_on"]) <= 183:
            key = None if scope == "company" else row["scope_id"]
            result[key] = result.get(key, 0) + (1 if row["severity"] is None else row["severity"])
    return result


twin("events_company_running")(lambda known: _events(known, "company", True))
twin("events_company_recent")(lambda known: _events(known, "company", False))
twin("events_region_running")(lambda known: _events(known, "region", True))
twin("events_region_recent")(lambda known: _events(known, "region", False))
twin("events_account_recent")(lambda known: _events(known, "account", False))


def _bought(known: Known) -> dict[str, dict[Any, float]]:
    """Amount of a year by account and product line, None among the lines."""
    start = known.period.before(known.as_of, periods_in_year(known.period))
    bought: dict[str, dict[Any, float]] = defaultdict(lambda: defaultdict(float))
    for row in known.tables["orders"]:
        day = day_of(row["ordered_at"])
        if not row["is_return"] and day is not None and day >= start and (row["amount"] or 0) > 0:
            bought[row["account_id"]][row["product_line"]] += row["amount"]
    return bought


def _events_of_lines(known: Known, running: bool) -> dict[str, float]:
    severity = _events(known, "product_line", running)
    return {
        account: sum(severity.get(line, 0) * amount for line, amount in lines.items() if line) / sum(lines.values())
        for account, lines in _bought(known).items()
    }


twin("events_line_running")(lambda known: _events_of_lines(known, True))
twin("events_line_recent")(lambda known: _events_of_lines(known, False))


@twin("line_stock_outs")
def line_stock_outs(known: Known) -> dict[str, float]:
    """Parts of an account's year are whole thousandths, rates of a line whole hundred-thousandths."""
    parts = {
        account: {
            line: int(amount * 10_000) * 1000 // int(sum(lines.values()) * 10_000)
            for line, amount in lines.items()
            if line
        }
        for account, lines in _bought(known).items()
    }
    out, promised = defaultdict[str, int](int), defaultdict[str, int](int)
    for row in known.tables["deliveries"]:
        if row["promised_on"] < known.as_of and known.since(row["promised_on"]) <= 92:
            for line, part in parts.get(row["account_id"], {}).items():
                out[line] += part * bool(row["stock_out"])
                promised[line] += part
    rate = {line: out[line] * 100_000 // whole for line, whole in promised.items() if whole}
    return {
        account: sum(part * rate[line] for line, part in of.items() if line in rate) / (whole * 100_000)
        for account, of in parts.items()
        if (whole := sum(part for line, part in of.items() if line in rate))
    }


@twin("recent_requests")
def recent_requests(known: Known) -> dict[str, float]:
    return {
        account: sum(known.since(row["requested_on"]) <= 183 and row["granted_on"] is None for row in rows)
        for account, rows in known.by_account("product_requests").items()
    }


@twin("manager_contacts")
def manager_contacts(known: Known) -> dict[str, float]:
    managers: dict[str, str] = {}
    for row in spells(known):
        if row["ended_on"] is None and row["started_on"] < known.as_of:
            account = row["account_id"]
            managers[account] = min(managers.get(account, row["manager_id"]), row["manager_id"])
    contacts = {
        account: sum(known.since(row["contacted_at"]) <= 92 and not row["inbound"] for row in rows)
        for account, rows in known.by_account("contacts").items()
    }
    result = {}
    for account, manager in managers.items():
        others = [contacts.get(a, 0) for a, m in managers.items() if m == manager and a != account]
        if others:
            result[account] = sum(others) / len(others)
    return result


def _since(known: Known, column: str) -> dict[str, float]:
    return {r["account_id"]: known.since(r[column]) for r in known.tables["accounts"] if r[column] is not None}


twin("since_closed_on")(lambda known: _since(known, "closed_on"))
twin("since_owner_changed_on")(lambda known: _since(known, "owner_changed_on"))
