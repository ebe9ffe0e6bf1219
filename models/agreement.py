"""How often those who know an account agree with the reason it was told: what is made of the table `feedback`.

A word judges the reason that was told first when it was given. It is measured here and learned from nowhere: the person
had read the model's reason before, so its agreement is no second source (anchoring), and the account is alive, so that
nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pandas as pd
from scipy.stats import binomtest

AGREE, OTHER, HANDLED = "agree", "other_reason", "already_handled"
JUDGING = (AGREE, OTHER)
TOLD = ("account_id", "as_of", "reason_1", "reason_2", "reason_3")
WORD = ("account_id", "given_on", "verdict", "reason", "by")


def told_then(feedback: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """The words of `feedback` (columns `WORD`, all but the first three may be absent) with `TOLD` of their scoring.

    `told`: reasons of one scoring or several. A word goes with the latest scoring that can have been read on its day: one
    whose as_of is at most the day after, for a scoring of tomorrow reads the orders of today. `as_of` and the reasons are
    None where there was none, or no reason was told. Ordered by day, account and person.
    """
    words = feedback.reindex(columns=list(WORD)).astype({"account_id": "str"})
    words["given_on"] = pd.to_datetime(words["given_on"]).astype("datetime64[us]")
    words = words.sort_values(["given_on", "account_id", "by"], kind="stable", ignore_index=True)
    scorings = told.reindex(columns=list(TOLD)).astype({"account_id": "str"})
    scorings["read_from"] = (pd.to_datetime(scorings["as_of"]) - timedelta(days=1)).astype("datetime64[us]")
    scorings = scorings.sort_values(["read_from", "account_id"], kind="stable", ignore_index=True)
    joined = pd.merge_asof(words, scorings, left_on="given_on", right_on="read_from", by="account_id")
    joined["given_on"] = joined["given_on"].dt.date
    text = ["verdict", "reason", "by", "as_of", "reason_1", "reason_2", "reason_3"]
    joined[text] = joined[text].astype(object).where(joined[text].notna(), None)
    return joined.drop(columns="read_from")


def latest(words: pd.DataFrame) -> pd.DataFrame:
    """Of `told_then` the last judging word of each person on an account and scoring: who repeats himself is one voice."""
    judging = words[words["verdict"].isin(JUDGING)]
    return judging.drop_duplicates(["account_id", "as_of", "by"], keep="last").reset_index(drop=True)


def agreement(feedback: pd.DataFrame, told: pd.DataFrame, level: float = 0.95) -> dict[str, Any]:
    """The share of judging words that agree: overall, by the reason told first, and by person, as JSON can hold it.

    "overall", and each record of "reasons" (with "reason") and "people" (with "by", None where nobody is named), holds:
    "words"; "agree"; "share", with "low" and "high", its Wilson score interval (Wilson 1927) at `level`, all None without
    words; "told_after": words for another reason that was told too, in the second or third place. Records are ordered by
    words, the most first, then by name. "verdicts" counts all words as they are; "not_told" are the judging ones of
    accounts of which no reason had been told, which are in no share. The interval takes words as independent; those of
    one person on many accounts are less so, and it is then too narrow.
    """
    words = told_then(feedback, told)
    judged = latest(words)
    known = judged[judged["reason_1"].notna()]
    return {
        "level": level,
        "verdicts": {verdict: int((words["verdict"] == verdict).sum()) for verdict in (*JUDGING, HANDLED)},
        "not_told": int(judged["reason_1"].isna().sum()),
        "overall": _record(known, level),
        "reasons": _records(known, "reason_1", "reason", level),
        "people": _records(known, "by", "by", level),
    }


def _records(words: pd.DataFrame, column: str, name: str, level: float) -> list[dict[str, Any]]:
    groups: Iterable[tuple[Any, pd.DataFrame]] = words.groupby(column, dropna=False, sort=False)
    records = [{name: None if pd.isna(value) else str(value), **_record(rows, level)} for value, rows in groups]
    return sorted(records, key=lambda record: (-record["words"], record[name] or ""))


def _record(words: pd.DataFrame, level: float) -> dict[str, Any]:
    agree, count = int((words["verdict"] == AGREE).sum()), len(words)
    other = words[words["verdict"] == OTHER]
    after = (other["reason"] == other["reason_2"]) | (other["reason"] == other["reason_3"])
    record: dict[str, Any] = {"words": count, "agree": agree, "told_after": int(after.sum())}
    if not count:
        return record | {"share": None, "low": None, "high": None}
    interval = binomtest(agree, count).proportion_ci(confidence_level=level, method="wilson")
    return record | {"share": agree / count, "low": float(interval.low), "high": float(interval.high)}
