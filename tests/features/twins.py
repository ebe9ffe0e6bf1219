"""The plain twins of the facts that are no sum; importing this registers them."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from tests.features.oracle import Known, twin

FAR = date(9999, 12, 31)


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
        for account, rows in known.by_account("assignments").items()
        if (days := [known.since(row["started_on"]) for row in rows if row["ended_on"] is None])
    }


@twin("manager_unattended_days")
def unattended_days(known: Known) -> dict[str, float]:
    return {
        account: min(known.since(row["ended_on"]) for row in rows)
        for account, rows in known.by_account("assignments").items()
        if all(row["ended_on"] is not None for row in rows)
    }


@twin("manager_gap_days")
def gap_days(known: Known) -> dict[str, float]:
    result: dict[str, float] = {}
    for account, rows in known.by_account("assignments").items():
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
    for row in known.tables["assignments"]:
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
