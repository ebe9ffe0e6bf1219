"""What people said of the reasons: their words on live accounts, counted, and those of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.shares import UNEXPLAINED
from reports.language import message, say, say_number
from reports.words import count, day, text

if TYPE_CHECKING:
    from reports.site import Site

VERDICTS = {
    "agree": message("The reasons are right"),
    "other_reason": message("It is another reason"),
    "already_handled": message("Already handled"),
}


def context(site: Site) -> dict[str, Any] | None:
    """The counts by the reason told first; None where nobody said anything."""
    if site.feedback.empty:
        return None
    told = site.feedback.merge(site.scores[["account_id", "reason_1"]], how="left", on="account_id")
    first = told["reason_1"].fillna(UNEXPLAINED)
    agree = int((told["verdict"] == "agree").sum())
    judged = int(told["verdict"].isin(["agree", "other_reason"]).sum())
    return {
        "sentence": say_number(
            "{n} word on {accounts} accounts; of {judged} that judge the reasons, {agree} find them right. It is no proof: "
            "who looks after an account judges his or her own work too.",
            "{n} words on {accounts} accounts; of {judged} that judge the reasons, {agree} find them right. It is no proof: "
            "who looks after an account judges his or her own work too.",
            len(told),
            n=count(len(told)),
            accounts=count(told["account_id"].nunique()),
            judged=count(judged),
            agree=count(agree),
        ),
        "rows": [
            {
                "name": site.reason(code),
                "cells": [int(((first == code) & (told["verdict"] == verdict)).sum()) for verdict in VERDICTS],
            }
            for code in sorted(set(first))
        ],
    }


def said(site: Site, account: str) -> list[str]:
    """What was said of one account, the latest first."""
    mine = site.feedback["account_id"] == account
    if not mine.any():
        return []
    lines = []
    for row in site.feedback[mine].sort_values("given_on", ascending=False).to_dict("records"):
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
