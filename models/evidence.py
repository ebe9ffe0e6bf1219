"""Evidence: what speaks for a named reason, and what speaks against the loss, in the account's own numbers.

An account is judged by several cut-offs (`models/causes.py`), so a reason is told by the last of them at which it weighed
much. Each row is a feature with its value then, the account's own value now and `PAST` periods before now, and what accounts
of its size had. The words for it are made in `reports/sentences.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from string import Formatter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalog import DECLARED
from features.declaration import Feature
from features.peers import medians, tiers_of
from models.naming import NAMED
from models.risk import MONOTONE
from models.shares import UNEXPLAINED

FloatArray = npt.NDArray[np.float64]
PAST = 6  # periods back to the account's own value before
SENTENCES = 3  # rows of a reason, at most
PROTECTIVE = 2  # rows of what speaks against the loss, at most
WORTH = 1 / 3  # of the first row's weight that another must have
LEAST_PROTECTION = 0.05  # log-odds by which a value must lower the risk to be told
TELLING = 0.5  # of a reason's largest hazard at any cut-off: a cut-off at which it weighed much
COLUMNS = (
    "account_id",
    "code",
    "place",
    "number",
    "feature",
    "value",
    "before",
    "now",
    "peers",
    "others",
    "as_of",
    "past",
    "latest",
)


@dataclass(frozen=True)
class Compared:
    """Features of accounts at `as_of`, with what they are compared to; all of (accounts, features) in the same order.

    `before`: the same accounts at the day `past`, NaN where an account was not eligible then; `now`: at the day `latest`,
    that of the scoring. `peers`: the median of the active accounts of the same fifth by amount at `as_of`.
    """

    as_of: date
    past: date
    latest: date
    account_id: pd.Series[str]
    values: pd.DataFrame
    before: pd.DataFrame
    peers: pd.DataFrame
    now: pd.DataFrame


def peer_values(frame: pd.DataFrame, active: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """For each row the median of every feature over the active rows of the same fifth by amount of the year."""
    amount = frame["amount_12"].to_numpy(dtype=np.float64)
    values = {name: frame[name].to_numpy(dtype=np.float64) for name in frame.columns}
    found = medians(amount[active], {name: column[active] for name, column in values.items()})
    tier = tiers_of(amount, found.limits)
    return pd.DataFrame({name: found.tier[name][tier] for name in frame.columns}, index=frame.index)


def told_at(reasons: pd.DataFrame, hazards: Mapping[date, pd.DataFrame]) -> dict[date, pd.DataFrame]:
    """The `reason_1 .. reason_3` of `reasons` that each day is to tell of, None for the others.

    `hazards`: by day (accounts, reasons), accounts as in `reasons`. A reason is told by the last day at which it had
    `TELLING` of its largest hazard: by the values of now as long as they say it too.
    """
    days = sorted(hazards)
    codes = hazards[days[-1]].columns
    named = reasons[_places()]
    result = dict.fromkeys(days, named.where(named.isin(codes)))
    for code in codes:
        of_day = np.stack([hazards[day][code].to_numpy() for day in days])
        tells = of_day >= TELLING * of_day.max(axis=0)
        last = len(days) - 1 - tells[::-1].argmax(axis=0)
        for number, day in enumerate(days):
            other = (last != number)[:, None] & (named == code).to_numpy()
            result[day] = result[day].mask(other)
    return result


def for_reasons(compared: Compared, contributions: pd.DataFrame, reasons: pd.DataFrame) -> pd.DataFrame:
    """Up to three rows for each reason that `reasons` tells of (`models.naming.name`, `told_at`), the weightiest first.

    `contributions`: what each value adds to its reason (`CauseModel.contributions`). Columns: account_id, code, place
    (1: `reason_1`), number (of the row within its reason), feature, value, before (NaN: not eligible then), now, peers, others
    (JSON: the values of the other features that the sentence of this one mentions, null where they are missing; nothing
    where it mentions none), as_of, past and latest (the days of value, before and now). A value that is missing is evidence
    of nothing, nor is one that does not raise the reason's hazard; where a reason has no other there is no row. Of features of
    one kind, such as the windows of one, the weightiest speaks.
    """
    rows: list[dict[str, Any]] = []
    gathered = _Gathered(compared)
    for code in sorted(set(reasons[_places()].stack().dropna()) - {UNEXPLAINED}):
        own = [name for name in contributions.columns if DECLARED[name].reason == code]
        weight = np.where(_shown(compared.values[own]), contributions[own].to_numpy(), -np.inf)
        for place, column in enumerate(_places(), start=1):
            for row in np.flatnonzero((reasons[column] == code).to_numpy()).tolist():
                chosen = _strongest(own, weight[row], SENTENCES, WORTH * weight[row].max())
                rows += [gathered.row(row, name) | {"place": place, "number": n} for n, name in chosen]
    return _table(rows)


def against_loss(compared: Compared, contributions: pd.DataFrame) -> pd.DataFrame:
    """Up to two rows on the values that lower an account's risk most, of different groups; columns as above.

    `contributions`: signed SHAP values of the risk model. Only a value that is better than that of accounts of its size
    is told. `place` is 0: they are no reason of a loss.
    """
    names = list(contributions.columns)
    harm = np.array([MONOTONE[DECLARED[name].direction] for name in names])
    better = (compared.values[names].to_numpy(np.float64) - compared.peers[names].to_numpy(np.float64)) * harm < 0
    weight = np.where(_shown(compared.values[names]) & better, -contributions.to_numpy(), -np.inf)
    best = np.argsort(-weight, axis=1, kind="stable")[:, : 4 * PROTECTIVE]
    rows: list[dict[str, Any]] = []
    gathered = _Gathered(compared)
    for row, order in enumerate(best):
        told: list[str] = []
        for place in order:
            feature = DECLARED[names[place]]
            if weight[row, place] < LEAST_PROTECTION or len(told) == PROTECTIVE:
                break
            if feature.reason not in told:
                told.append(feature.reason)
                rows.append(gathered.row(row, feature.name) | {"place": 0, "number": len(told)})
    return _table(rows)


@cache
def mentioned(feature: Feature) -> tuple[str, ...]:
    """The other features that a sentence speaks of."""
    names = [name for _, name, _, _ in Formatter().parse(feature.sentence) if name]
    return tuple(name for name in names if name not in ("value", "since"))


def _places() -> list[str]:
    return [f"reason_{place}" for place in range(1, NAMED + 1)]


def _shown(values: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which values can be told: those that are known, and of days since something only where it happened."""
    since = np.array([DECLARED[name].since for name in values.columns])
    array = values.to_numpy(dtype=np.float64)
    return np.asarray(~np.isnan(array) & ~(since & (array <= 0)))


def _strongest(names: Sequence[str], weight: FloatArray, most: int, least: float) -> Iterator[tuple[int, str]]:
    """(number, name) of the weightiest features that weigh anything, one of a kind."""
    told: list[str] = []
    for place in np.argsort(-weight, kind="stable"):
        if not np.isfinite(weight[place]) or len(told) == most or weight[place] < max(least, 1e-9):
            return
        if _kind(names[place]) not in told:
            told.append(_kind(names[place]))
            yield len(told), names[place]


def _kind(name: str) -> str:
    """What a feature is about: the first two words of its name, `rebates_overdue` of `rebates_overdue_amount`."""
    return "_".join([word for word in name.split("_") if not word.isdigit()][:2])


class _Gathered:
    """The rows of evidence, from arrays: a frame's rows are slow to reach one by one."""

    def __init__(self, compared: Compared) -> None:
        self.days = {"as_of": compared.as_of, "past": compared.past, "latest": compared.latest}
        self.accounts = compared.account_id.tolist()
        self.values, self.before, self.now, self.peers = (
            {name: table[name].to_numpy(dtype=np.float64) for name in table.columns}
            for table in (compared.values, compared.before, compared.now, compared.peers)
        )

    def row(self, row: int, name: str) -> dict[str, Any]:
        """The row of the table of evidence, but for its place and number."""
        feature = DECLARED[name]
        others = {other: float(self.values[other][row]) for other in mentioned(feature)}
        known = {other: None if np.isnan(value) else value for other, value in others.items()}
        return {
            "account_id": self.accounts[row],
            "code": feature.reason,
            "feature": name,
            "value": float(self.values[name][row]),
            "before": float(self.before[name][row]),
            "now": float(self.now[name][row]),
            "peers": float(self.peers[name][row]),
            "others": json.dumps(known) if known else None,
            **self.days,
        }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = dict.fromkeys(("value", "before", "now", "peers"), "float64")
    table = table.astype({"place": "int64", "number": "int64", **numbers, "others": "str"})  # also where no row has any
    return table.sort_values(["account_id", "place", "number"], ignore_index=True)
