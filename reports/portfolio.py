"""The portfolio page: money at risk, what changed, reasons, classes, whom to see, and how past scorings turned out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from models import money_change
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy
from reports import charts, classes, exports, feedback, hindsight, monitoring, rows, worklist
from reports.accounts import GROUPS
from reports.language import language, message, say, say_number
from reports.links import Links
from reports.words import DASH, clauses, count, day, listed, money, percent

if TYPE_CHECKING:
    from reports.site import Site

STEPS = {
    money_change.GONE: message("No longer active"),
    money_change.NEW: message("Active since then"),
    money_change.PURCHASES: message("More or fewer purchases"),
    money_change.RISK: message("Higher or lower risk"),
    money_change.UNDIVIDED: message("Risk: everything else"),
}
WORKLIST = 10  # rows of it on this page
LEAST = 0.5  # money of a step that is told: what is less is written as 0
TOLD_STEPS = 5  # moves of the risk told one by one


def context(site: Site, links: Links) -> dict[str, Any]:
    """What the page shows."""
    active = site.active
    told = active[active["naming"].notna()]
    by_reason = _by_reason(site, told)
    change = _change(site)
    riskiest = rows.accounts(
        site, links, active.sort_values(["expected_loss", "rank"], ascending=[False, True]).head(site.top)
    )
    return {
        "headline": _headline(site, active, change),
        "findings": _findings(site, active, told, by_reason),
        "change": change,
        "reasons": by_reason,
        "reasons_chart": _reasons_chart(site, by_reason),
        "heat": classes.heat(site, told, [row["code"] for row in by_reason]),
        "told": len(told),
        "told_money": total(told["expected_loss"]),
        "active": len(active),
        "active_money": total(active["expected_loss"]),
        "candidates": int((told["naming"] == "candidates").sum()),
        "untried": int((told["naming"] == "untried").sum()),
        "not_observable": not_observable(site),
        "hypotheses": [
            say(
                "Hypothesis: {reason}. Without the table {table} the data show it only from afar, by traces in other "
                "tables: to ask about, not a finding.",
                reason=taxonomy().names[code][language()],
                table=taxonomy().tables[code],
            )
            for code in site.hypotheses
            if code not in _unseen(site)
        ],
        "classes": classes.context(site),
        "worklist": worklist.summary(site, links, WORKLIST),
        "riskiest": riskiest,
        "filters": rows.filters(riskiest, (1, message("Class"), "class"), (2, message("Region"), "region")),
        "hindsight": hindsight.context(site),
        "monitoring": _monitoring(site),
        "feedback": feedback.context(site),
        "files": exports.listed(site),
    }


def _monitoring(site: Site) -> dict[str, str] | None:
    """The verdict of stage monitor and the file of its page; None where it has not run on this scoring."""
    if not site.monitoring:
        return None
    verdict, counts = site.monitoring["verdict"], site.monitoring["counts"]
    if verdict == "fine":
        words = say("Monitoring: fine. The accounts are like those that the model learned from.")
    elif verdict == "watch":
        words = say_number(
            "Monitoring: to watch. {n} check passed its first limit.",
            "Monitoring: to watch. {n} checks passed their first limit.",
            counts["watch"],
            n=count(counts["watch"]),
        )
    else:
        words = say_number(
            "Monitoring: alarm. {n} check passed its limit; see what to do before you act on these risks.",
            "Monitoring: alarm. {n} checks passed their limit; see what to do before you act on these risks.",
            counts["alarm"],
            n=count(counts["alarm"]),
        )
    return {"words": words, "file": monitoring.FILE}


def total(values: pd.Series[Any]) -> float | None:
    """Sum of what is known; None where accounts are there and nothing of them is known."""
    known = values.dropna()
    return None if len(values) and not len(known) else float(known.sum())


def not_observable(site: Site) -> str:
    """The documented reasons that this data cannot show, as a list in words."""
    return listed([site.reason(code) for code in _unseen(site)])


def _unseen(site: Site) -> list[str]:
    """None where there is no account to look at."""
    told = site.scores[site.scores["naming"].notna()]
    if told.empty:
        return []
    return [code for code in taxonomy().codes if f"share_{code}" not in told or told[f"share_{code}"].isna().all()]


def _headline(site: Site, active: pd.DataFrame, change: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The tiles: words, value, the value as shown, what it means."""
    at_risk = total(active["expected_loss"]) if len(active) else None
    lost = float(active["risk"].sum()) if len(active) else None
    do = site.worklist[site.worklist["decision"] == "do"]
    profit = float(do["profit"].sum()) if len(site.worklist) else None
    lapsed = len(site.scores) - len(active)
    within = site.within()
    return [
        {
            "words": say("Money at risk"),
            "value": at_risk,
            "shown": money(at_risk, site.currency),
            "meaning": change["brief"]
            if change
            else say("Risk times the purchases of twelve months, of active accounts."),
        },
        {
            "words": say("Expected to be lost"),
            "value": lost,
            "shown": DASH if lost is None else count(lost),
            "meaning": say(
                "Active accounts that will not order within {within}: the sum of their risks.", within=within
            ),
        },
        {
            "words": say("Active accounts"),
            "value": float(len(active)),
            "shown": count(len(active)),
            "meaning": say("Their last order lies less than {within} back.", within=within),
        },
        {
            "words": say("The worklist earns"),
            "value": profit,
            "shown": money(profit, site.currency),
            "meaning": say_number(
                "Expected net profit of seeing {n} account.",
                "Expected net profit of seeing {n} accounts.",
                len(do),
                n=count(len(do)),
            ),
        },
        {
            "words": say("Lapsed accounts"),
            "value": float(lapsed),
            "shown": count(lapsed),
            "meaning": say("Silent for {within} or longer already: a case for win-back.", within=within),
        },
    ]


def _findings(site: Site, active: pd.DataFrame, told: pd.DataFrame, reasons: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was found, in sentences."""
    if not len(active):
        return [say("There are no active accounts at this date, so there is no risk to report.")]
    lost = float(active["risk"].sum())
    findings = [
        say(
            "Of {active} active accounts, {lost} ({share}) are expected not to order within {within} after {day}.",
            active=count(len(active)),
            lost=count(lost),
            share=percent(lost / len(active)),
            within=site.within(),
            day=day(site.as_of),
        ),
    ]
    documented = [row for row in reasons if row["code"] != UNEXPLAINED and row["money"] > 0]
    if documented and documented[0]["share"] is not None:
        findings.append(
            say(
                "Of the documented reasons, “{reason}” is associated with the largest share of the money at risk that "
                "reasons are told of, {share}.",
                reason=site.reason(documented[0]["code"]),
                share=percent(documented[0]["share"]),
            )
        )
    elif reasons:
        findings.append(say("No documented reason is associated with this money on the data at hand."))
    unexplained = next((row for row in reasons if row["code"] == UNEXPLAINED), None)
    if unexplained and unexplained["share"] is not None:
        findings.append(
            say("For {share} of that money no documented reason stands out.", share=percent(unexplained["share"]))
        )
    largest = active["expected_loss"].sort_values(ascending=False)
    if (whole := float(largest.sum())) > 0:
        half = int((largest.cumsum() < whole / 2).sum()) + 1
        findings.append(
            say_number(
                "Half of the money at risk lies with {n} account.",
                "Half of the money at risk lies with {n} accounts.",
                half,
                n=count(half),
            )
        )
    return findings


def _by_reason(site: Site, told: pd.DataFrame) -> list[dict[str, Any]]:
    """Money at risk divided by share of the reasons: largest first, unexplained last; observable reasons only.

    `first`: how many accounts have the reason named first. `documented`: the share of a published study, or None.
    """
    unseen = _unseen(site)
    found: list[dict[str, Any]] = []
    for code in (*taxonomy().codes, UNEXPLAINED):
        if code in unseen or not len(told):
            continue
        naming = "none" if code == UNEXPLAINED else "named"
        found.append(
            {
                "code": code,
                "money": float((told[f"share_{code}"] * told["expected_loss"]).sum()),
                "first": int(((told["naming"] == naming) & (told["reason_1"] == code)).sum()),
                "documented": taxonomy().documented_shares.get(code),
            }
        )
    whole = sum(row["money"] for row in found)
    for row in found:
        row["share"] = row["money"] / whole if whole > 0 else None
    return sorted(found, key=lambda row: (row["code"] == UNEXPLAINED, -row["money"]))


def _reasons_chart(site: Site, reasons: Sequence[Mapping[str, Any]]) -> str:
    if not reasons:
        return ""
    bars = [
        charts.Bar(
            site.reason(row["code"]),
            max(row["money"], 0.0),
            f"{money(row['money'], site.currency)} ({percent(row['share'])})",
            muted=row["code"] == UNEXPLAINED,
        )
        for row in reasons
    ]
    spoken = clauses([f"{bar.label}: {bar.shown}" for bar in bars])
    return charts.bars("reasons", bars, say("Money at risk by associated reason, active accounts"), f"{spoken}.")


def _change(site: Site) -> dict[str, Any] | None:
    """The steps from the money at risk of the scoring before to that of now."""
    if site.previous.empty:
        return None
    found = money_change.money_change(site.previous, site.scores, site.explanations)
    if found is None:
        return None
    since, kept = day(site.previous["as_of"].iloc[0]), bool(site.previous["kept"].iloc[0])
    steps: list[dict[str, Any]] = [
        {"name": _step(site, step.code), "accounts": step.accounts, "money": step.money} for step in _told(found.steps)
    ]
    ends: list[dict[str, Any]] = [
        {"name": say("At risk on {day}", day=day_), "accounts": None, "money": value}
        for day_, value in ((since, found.then), (day(site.as_of), found.now))
    ]
    difference = found.now - found.then
    brief = {"since": since, "change": money(abs(difference), site.currency)}
    words = {"then": money(found.then, site.currency), "now": money(found.now, site.currency), **brief}
    rose = difference >= 0
    return {
        "rows": [ends[0], *steps, ends[1]],
        "brief": say("{change} more than on {since}", **brief)
        if rose
        else say("{change} less than on {since}", **brief),
        "sentence": say("Since {since} the money at risk rose by {change}, from {then} to {now}.", **words)
        if rose
        else say("Since {since} the money at risk fell by {change}, from {then} to {now}.", **words),
        "note": say("Compared with the scoring kept of that day.")
        if kept
        else say("No earlier scoring is kept: the accounts of that day, reckoned by today’s model."),
        "plot": charts.steps(
            "change",
            [(row["name"], row["money"]) for row in (ends[0], *steps, ends[1])],
            lambda value: money(value, site.currency),
            say("From the money at risk on {then} to that on {now}", then=since, now=day(site.as_of)),
            clauses([f"{row['name']}: {money(row['money'], site.currency)}" for row in (ends[0], *steps, ends[1])]),
        ),
    }


def _told(steps: Sequence[money_change.Step]) -> list[money_change.Step]:
    """The steps worth a row: the largest moves of the risk one by one, the rest of it together; none of next to nothing."""
    moves = [step for step in steps if step.code.startswith("change_")]
    rest = [*moves[TOLD_STEPS:], *(step for step in steps if step.code in (money_change.UNDIVIDED, money_change.RISK))]
    others = [step for step in steps if step.code in (money_change.GONE, money_change.NEW, money_change.PURCHASES)]
    code = money_change.UNDIVIDED if moves else money_change.RISK
    left = money_change.Step(code, max((step.accounts for step in rest), default=0), sum(step.money for step in rest))
    return [step for step in (*others, *moves[:TOLD_STEPS], left) if abs(step.money) >= LEAST]


def _step(site: Site, code: str) -> str:
    if code in STEPS:
        return say(STEPS[code])
    group = code.removeprefix("change_")
    return say("Risk: {what}", what=say(GROUPS[group]) if group in GROUPS else site.reason(group))
