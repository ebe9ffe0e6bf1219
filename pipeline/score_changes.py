"""`holdfast score --since`: only the accounts of which another thing is to be said than at a scoring before."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import ConfigurationError
from pipeline import history
from pipeline.history import Past
from pipeline.layout import Layout

PREVIOUS = "previous"
COMPARED = ("lapsed", "naming", "reason_1")  # besides the risk; what is told of a share moves with the naming


def require_place(since: str | None, out: Path, layout: Layout) -> None:
    """Raise ConfigurationError if what changed would take the place of the source's own scores."""
    if since is not None and out.resolve() == layout.scores.resolve():
        raise ConfigurationError(
            f"--since writes only what changed, and {layout.scores} must hold all accounts for the stages after it. "
            "Give another file with --out."
        )


def before(layout: Layout, since: str | None, as_of: date) -> Past | None:
    """The scoring kept that is compared with; None where `since` is None.

    Raises ConfigurationError for what is no day before `as_of` whose scoring is kept.
    """
    if since is None:
        return None
    kept = [day for day in history.days(layout) if day < as_of]
    found = None
    if since == PREVIOUS:
        found = history.last_before(layout, as_of)
    elif since in map(str, kept):
        found = history.at(layout, date.fromisoformat(since))
    if found is not None:
        return found
    told = f"There are: {', '.join(map(str, kept))}." if kept else "There is none yet: score without --since first."
    raise ConfigurationError(
        f"--since {since!r} must be 'previous' or a day before {as_of} whose scoring is kept in {layout.history}. {told}"
    )


def changed(scores: pd.DataFrame, then: pd.DataFrame, least: float) -> pd.DataFrame:
    """The rows of `scores` that changed since `then`, with `change` and `risk_before`, and those of accounts that left.

    `change` is "entered", "left", or what changed of "risk" (by `least` or more, in probability), "lapsed", "naming" and
    "reason_1", with a "+" between. Of an account that left only account_id, as_of, change and risk_before are told; these
    rows come last, by account.
    """
    now = scores.reset_index(drop=True)
    old = then.set_index("account_id").reindex(now["account_id"]).reset_index(drop=True)
    new = ~now["account_id"].isin(then["account_id"]).to_numpy(bool)
    moved = {"risk": (now["risk"] - old["risk"]).abs().to_numpy() >= max(least, np.finfo(float).tiny)}
    for name in COMPARED:
        here, there = now[name].astype(object), old[name].astype(object)
        moved[name] = ((here != there) & ~(here.isna() & there.isna())).to_numpy(bool)
    words = pd.Series("", index=now.index)
    for name, different in moved.items():
        words = words.where(~different | new, words + "+" + name)
    words = words.str.removeprefix("+").mask(new, "entered")
    told = now.assign(change=words, risk_before=old["risk"])[(words != "").to_numpy()]
    gone = then[~then["account_id"].isin(now["account_id"])].sort_values("account_id")
    left = pd.DataFrame(
        {"account_id": gone["account_id"], "as_of": now["as_of"].iloc[0], "change": "left", "risk_before": gone["risk"]}
    ).reindex(columns=told.columns)
    kinds = {name: kind for name, kind in told.dtypes.items() if name != "lapsed"}
    kinds["rank"] = "Int64"
    whole = [frame.astype({"lapsed": "boolean", **kinds}) for frame in (told, left)]
    return pd.concat(whole, ignore_index=True)
