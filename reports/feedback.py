"""What people said of the reasons: their words on live accounts, counted, and those of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.language import message, say, say_number
from reports.words import count, day, percent, span, text

if TYPE_CHECKING:
    from reports.site import Site

VERDICTS = {
    "agree": message("The reasons are right"),
    "other_reason": message("It is another reason"),
    "already_handled": message("Already handled"),
}


def context(site: Site) -> dict[str, Any] | None:
    """How many words there are, and how many agree by the reason told first; None where nobody said anything."""
    if site.feedback.empty:
        return None
    found = site.agreement
    return {
        "sentence": say_number(
            "{n} word on {accounts} accounts: {agree} that the reasons are right, {other} for another reason, {handled} that it "
            "is handled already. It is no proof: who judges has read the reasons first, and may judge his or her own work.",
            "{n} words on {accounts} accounts: {agree} that the reasons are right, {other} for another reason, {handled} that it "
            "is handled already. It is no proof: who judges has read the reasons first, and may judge his or her own work.",
            len(site.feedback),
            n=count(len(site.feedback)),
            accounts=count(site.feedback["account_id"].nunique()),
            agree=count(found["verdicts"]["agree"]),
            other=count(found["verdicts"]["other_reason"]),
            handled=count(found["verdicts"]["already_handled"]),
        ),
        "rows": [
            {
                "name": say("all together") if row.get("reason") is None else site.reason(row["reason"]),
                "words": row["words"],
                "agree": row["agree"],
                "share": row["share"],
                "interval": span(percent(row["low"]), percent(row["high"])),
            }
            for row in (*found["reasons"], found["overall"])
            if row["words"]
        ],
    }


def said(site: Site, account: str) -> list[str]:
    """What was said of one account, the latest first."""
    mine = site.feedback["account_id"] == account
    if not mine.any():
        return []
    lines = []
    for row in site.feedback[mine].sort_values(["given_on", "by"], ascending=[False, True]).to_dict("records"):
        verdict = say(VERDICTS[row["verdict"]])
        reason = text(row.get("reason"))
        lines.append(
            say(
                "{day}, {who}: {verdict}",
                day=day(row["given_on"]),
                who=text(row.get("by")) or say("unknown"),
                verdict=f"{verdict}: {site.reason(reason)}" if reason else verdict,
            )
        )
    return lines
