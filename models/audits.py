"""Which live accounts someone should ask for the true reason: a random sample by reason, those contradicted first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.errors import ConfigurationError
from models.agreement import JUDGING, OTHER, told_then

COLUMNS = (
    *("account_id", "as_of", "reason", "share", "drawn", "chance"),
    *("verdict", "other_reason", "by", "given_on", "audited_reason", "audited_by"),
)


def draw(scores: pd.DataFrame, feedback: pd.DataFrame | None, count: int, seed: int) -> pd.DataFrame:
    """At most `count` accounts to audit, in the order in which to audit them: `COLUMNS`.

    `scores`: one scoring; its active accounts with a told first reason may be drawn. `feedback`: the contract's table, or
    None. First come the accounts that someone's last judging word contradicts ("drawn" is "contradicted"): it says
    `other_reason`, and not the one told now. Then all others ("random"). Within both, accounts of each reason are in
    random order and the reasons take turns, so that a rare reason is audited as often as a common one, while it has
    accounts; "chance" is the one with which an account of its reason and kind was drawn, so that 1 / chance weighs it
    back to all. "share": of the reason told, 0 to 1. What was said is the contradicting word, else the last one. The two
    audited columns are empty, for the auditor. The same inputs give the same sample, whatever their order.

    Raises ConfigurationError if `count` is less than one, or no reason was told of any active account.
    """
    if count < 1:
        raise ConfigurationError(f"An audit of {count} accounts cannot be drawn. Ask for 1 or more.")
    live = scores[~scores["lapsed"].astype(bool) & scores["reason_1"].notna()].sort_values("account_id")
    if live.empty:
        raise ConfigurationError("No reason was told of any active account. Run `holdfast score`, then draw the audit.")
    drawn = pd.DataFrame(
        {
            "account_id": live["account_id"].astype("str"),
            "as_of": live["as_of"],
            "reason": live["reason_1"],
            "share": _shares(live),
        }
    ).reset_index(drop=True)
    drawn = drawn.merge(_said(drawn, feedback), on="account_id", how="left", validate="one_to_one")
    drawn["drawn"] = np.where(drawn.pop("contradicted").eq(True), "contradicted", "random")
    drawn["place"] = np.random.default_rng(seed).permutation(len(drawn))
    drawn = drawn.sort_values("place", ignore_index=True)
    group = drawn.groupby(["drawn", "reason"])["account_id"]
    drawn["turn"], drawn["of"] = group.cumcount(), group.transform("size")
    # At a turn the reason of most accounts comes first: what is left of the count goes where it stands for most.
    drawn = drawn.sort_values(["drawn", "turn", "of", "reason"], ascending=[True, True, False, True]).head(count)
    drawn["chance"] = drawn.groupby(["drawn", "reason"])["account_id"].transform("size") / drawn["of"]
    return drawn.assign(audited_reason=None, audited_by=None)[list(COLUMNS)].reset_index(drop=True)


def _shares(live: pd.DataFrame) -> pd.Series[float]:
    """The share of each account's first reason; NaN where the scoring has none of it."""
    shares = pd.Series(np.nan, index=live.index)
    for code in live["reason_1"].unique():
        if f"share_{code}" in live:
            shares[live["reason_1"] == code] = live[f"share_{code}"]
    return shares


def _said(drawn: pd.DataFrame, feedback: pd.DataFrame | None) -> pd.DataFrame:
    """For each account with words: whether it is contradicted, and the word to show."""
    columns = ["account_id", "verdict", "other_reason", "by", "given_on", "contradicted"]
    if feedback is None or feedback.empty:
        return pd.DataFrame(columns=columns).astype({"account_id": "str"})
    words = told_then(feedback, drawn.iloc[:0].reindex(columns=["account_id", "as_of"]))[
        ["account_id", "given_on", "verdict", "reason", "by"]
    ].rename(columns={"reason": "other_reason"})
    judging = words[words["verdict"].isin(JUDGING)].drop_duplicates(["account_id", "by"], keep="last")
    now = judging["account_id"].map(drawn.set_index("account_id")["reason"])
    against = judging[(judging["verdict"] == OTHER) & (judging["other_reason"] != now)].assign(contradicted=True)
    # The last of each account; a contradicting word stands after all others.
    said = pd.concat([words.assign(contradicted=False), against], ignore_index=True)
    return said.drop_duplicates("account_id", keep="last")[columns]
