"""Evidence: what speaks for a named reason, and what speaks against the loss, in the account's own numbers.

Each row is a feature with its value now, the account's own value `PAST` periods before, and what accounts of its size
have. The words for it are made in `reports/sentences.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from string import Formatter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

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
SHOWN_FROM = 2000  # accounts that take long enough for a progress bar
COLUMNS = (
    "account_id",
    "code",
    "place",
    "number",
    "feature",
    "value",
    "before",
    "peers",
    "others",
    "as_of",
    "past",
)


@dataclass(frozen=True)
class Compared:
    """Features of accounts now, with what they are compared to; all of (accounts, features) in the same order.

    `before`: the same accounts at the day `past`, NaN where an account was not eligible then. `peers`: the median of
    the active accounts of the same fifth by amount.
    """

    as_of: date
    past: date
    account_id: pd.Series[str]
    now: pd.DataFrame
    before: pd.DataFrame
    peers: pd.DataFrame


def peer_values(frame: pd.DataFrame, active: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """For each row the median of every feature over the active rows of the same fifth by amount of the year."""
    amount = frame["amount_12"].to_numpy(dtype=np.float64)
    values = {name: frame[name].to_numpy(dtype=np.float64) for name in frame.columns}
    found = medians(amount[active], {name: column[active] for name, column in values.items()})
    tier = tiers_of(amount, found.limits)
    return pd.DataFrame({name: found.tier[name][tier] for name in frame.columns}, index=frame.index)


def for_reasons(compared: Compared, contributions: pd.DataFrame, reasons: pd.DataFrame) -> pd.DataFrame:
    """Up to three rows for each reason that `reasons` tells of (`models.naming.name`), the weightiest first.

    `contributions`: what each value adds to its reason (`CauseModel.contributions`). Columns: account_id, code, place
    (1: `reason_1`), number (of the row within its reason), feature, value, before (NaN: not eligible then), peers, others
    (JSON: the values of the other features that the sentence of this one mentions, null where they are missing; nothing
    where it mentions none), as_of and past (the days of value and before). A value that is missing is evidence of
    nothing, nor is one that does not raise the reason's hazard; where a reason has no other, because its share is that of the
    cut-offs before, there is no row. Of features of one kind, such as the windows of one, the
    weightiest speaks.
    """
    rows: list[dict[str, Any]] = []
    gathered = _Gathered(compared)
    codes = sorted(set(reasons[_places()].stack().dropna()) - {UNEXPLAINED})
    quiet = None if len(reasons) >= SHOWN_FROM else True
    for code in tqdm(codes, desc="evidence", disable=quiet):
        own = [name for name in contributions.columns if DECLARED[name].reason == code]
        weight = np.where(_shown(compared.now[own]), contributions[own].to_numpy(), -np.inf)
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
    better = (compared.now[names].to_numpy(np.float64) - compared.peers[names].to_numpy(np.float64)) * harm < 0
    weight = np.where(_shown(compared.now[names]) & better, -contributions.to_numpy(), -np.inf)
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
        self.as_of, self.past = compared.as_of, compared.past
        self.accounts = compared.account_id.tolist()
        self.now, self.before, self.peers = (
            {name: table[name].to_numpy(dtype=np.float64) for name in table.columns}
            for table in (compared.now, compared.before, compared.peers)
        )

    def row(self, row: int, name: str) -> dict[str, Any]:
        """The row of the table of evidence, but for its place and number."""
        feature = DECLARED[name]
        others = {other: float(self.now[other][row]) for other in mentioned(feature)}
        known = {other: None if np.isnan(value) else value for other, value in others.items()}
        return {
            "account_id": self.accounts[row],
            "code": feature.reason,
            "feature": name,
            "value": float(self.now[name][row]),
            "before": float(self.before[name][row]),
            "peers": float(self.peers[name][row]),
            "others": json.dumps(known) if known else None,
            "as_of": self.as_of,
            "past": self.past,
        }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({"place": "int64", "number": "int64", "value": float, "before": float, "peers": float})
    table = table.astype({"others": "str"})  # also where no row has any
    return table.sort_values(["account_id", "place", "number"], ignore_index=True)
