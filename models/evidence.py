"""Sentences of evidence: what speaks for a named reason, and what speaks against the loss, in the account's own numbers.

Each sentence is that of a feature's declaration, with the value now, the day it goes back to, the account's own value
`PAST` periods before, and what accounts of its size have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
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
SENTENCES = 3  # of a reason, at most
PROTECTIVE = 2  # sentences of what speaks against the loss, at most
WORTH = 1 / 3  # of the first sentence's weight that another must have
LEAST_PROTECTION = 0.05  # log-odds by which a value must lower the risk to be told
SHOWN_FROM = 2000  # accounts that take long enough for a progress bar
COLUMNS = ("account_id", "code", "place", "number", "feature", "value", "before", "peers", "sentence")


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
    """One to three sentences for each reason that `reasons` tells of (`models.naming.name`), the weightiest first.

    `contributions`: what each value adds to its reason (`CauseModel.contributions`). Columns: account_id, code, place
    (1: `reason_1`), number (of the sentence), feature, value, before, peers, sentence. A value that is missing is
    evidence of nothing; where a reason has no other, there is no sentence. Of features of one kind, such as the windows
    of one, the weightiest speaks.
    """
    rows: list[dict[str, Any]] = []
    speaker = _Speaker(compared)
    codes = sorted(set(reasons[_places()].stack().dropna()) - {UNEXPLAINED})
    quiet = None if len(reasons) >= SHOWN_FROM else True
    for code in tqdm(codes, desc="evidence", disable=quiet):
        own = [name for name in contributions.columns if DECLARED[name].reason == code]
        weight = np.where(_shown(compared.now[own]), contributions[own].to_numpy(), -np.inf)
        for place, column in enumerate(_places(), start=1):
            for row in np.flatnonzero((reasons[column] == code).to_numpy()).tolist():
                chosen = _strongest(own, weight[row], SENTENCES, WORTH * weight[row].max())
                rows += [speaker.row(row, name) | {"place": place, "number": n} for n, name in chosen]
    return _table(rows)


def against_loss(compared: Compared, contributions: pd.DataFrame) -> pd.DataFrame:
    """Up to two sentences on the values that lower an account's risk most, of different groups; columns as above.

    `contributions`: signed SHAP values of the risk model. Only a value that is better than that of accounts of its size
    is told. `place` is 0: they are no reason of a loss.
    """
    names = list(contributions.columns)
    harm = np.array([MONOTONE[DECLARED[name].direction] for name in names])
    better = (compared.now[names].to_numpy(np.float64) - compared.peers[names].to_numpy(np.float64)) * harm < 0
    weight = np.where(_shown(compared.now[names]) & better, -contributions.to_numpy(), -np.inf)
    best = np.argsort(-weight, axis=1, kind="stable")[:, : 4 * PROTECTIVE]
    rows: list[dict[str, Any]] = []
    speaker = _Speaker(compared)
    for row, order in enumerate(best):
        told: list[str] = []
        for place in order:
            feature = DECLARED[names[place]]
            if weight[row, place] < LEAST_PROTECTION or len(told) == PROTECTIVE:
                break
            if feature.reason not in told:
                told.append(feature.reason)
                rows.append(speaker.row(row, feature.name) | {"place": 0, "number": len(told)})
    return _table(rows)


def sentence(feature: Feature, values: Mapping[str, float], as_of: date) -> str:
    """The feature's sentence with the account's own numbers and dates; `values` by feature, of those it mentions."""
    own = values[feature.name]
    words = {name: worded(values[name], DECLARED[name].unit) for name in mentioned(feature)}
    words["value"] = worded(own, feature.unit)
    if feature.since:
        words["since"] = in_words(as_of - timedelta(days=round(own)))
    return _singular(feature.sentence.format(**words))


@cache
def mentioned(feature: Feature) -> tuple[str, ...]:
    """The other features that a sentence speaks of."""
    names = [name for _, name, _, _ in Formatter().parse(feature.sentence) if name]
    return tuple(name for name in names if name not in ("value", "since"))


def worded(value: float, unit: str) -> str:
    """A number as a reader writes it: 12,345 or 47 days or 23 %; "no value" for NaN."""
    if np.isnan(value):
        return "no value"
    if unit == "days":
        return f"{value:,.0f} day{'' if round(value) == 1 else 's'}"
    if unit == "share":
        return f"{value * 100:.0f} %" if value >= 0.1 else f"{value * 100:.1f} %"
    if unit == "ratio":
        return f"{value:.2g}" if abs(value) < 10 else f"{value:,.0f}"
    if unit == "pieces":
        return f"{value:,.0f} pieces"
    if unit != "money" and abs(value) < 10 and value != round(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"


def in_words(day: date) -> str:
    """9 May 2024."""
    return f"{day.day} {day:%B %Y}"


def _singular(text: str) -> str:
    """ "1 rebates are" as "1 rebate is", "1 times" as "once"."""
    text = re.sub(r"(?<![\d.,])1 times\b", "once", text)
    text = re.sub(r"(?<![\d.,])1 (\w+)ies\b", r"1 \1y", text)
    text = re.sub(r"(?<![\d.,])1 (\w+[^s\W])s\b", r"1 \1", text)
    return re.sub(r"(?<![\d.,])(1 \w+) are\b", r"\1 is", text)


def _places() -> list[str]:
    return [f"reason_{place}" for place in range(1, NAMED + 1)]


def _shown(values: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which values can be told: those that are known, and of days since something only where it happened."""
    since = np.array([DECLARED[name].since for name in values.columns])
    array = values.to_numpy(dtype=np.float64)
    return np.asarray(~np.isnan(array) & ~(since & (array <= 0)))


def _strongest(names: Sequence[str], weight: FloatArray, most: int, least: float) -> Iterator[tuple[int, str]]:
    """(number, name) of the weightiest features, one of a kind; the first whatever its weight."""
    told: list[str] = []
    for place in np.argsort(-weight, kind="stable"):
        if not np.isfinite(weight[place]) or len(told) == most or (told and weight[place] < max(least, 1e-9)):
            return
        if _kind(names[place]) not in told:
            told.append(_kind(names[place]))
            yield len(told), names[place]


def _kind(name: str) -> str:
    """What a feature is about: the first two words of its name, `rebates_overdue` of `rebates_overdue_amount`."""
    return "_".join([word for word in name.split("_") if not word.isdigit()][:2])


class _Speaker:
    """Says what a feature of an account comes to, from arrays: a frame's rows are slow to reach one by one."""

    def __init__(self, compared: Compared) -> None:
        self.as_of, self.past = compared.as_of, in_words(compared.past)
        self.accounts = compared.account_id.tolist()
        self.now, self.before, self.peers = (
            {name: table[name].to_numpy(dtype=np.float64) for name in table.columns}
            for table in (compared.now, compared.before, compared.peers)
        )

    def row(self, row: int, name: str) -> dict[str, Any]:
        """The row of the table of evidence, but for its place and number."""
        feature = DECLARED[name]
        values = {other: float(self.now[other][row]) for other in (name, *mentioned(feature))}
        before, peers = float(self.before[name][row]), float(self.peers[name][row])
        beside = []
        if not np.isnan(before):
            beside.append(f"on {self.past}: {worded(before, feature.unit)}")
        if not np.isnan(peers) and not feature.peers:  # else its value says already how it stands to peers
            beside.append(f"accounts of its size: {worded(peers, feature.unit)}")
        told = sentence(feature, values, self.as_of)
        if beside:
            told = f"{told.removesuffix('.')} ({'; '.join(beside)})."
        return {
            "account_id": self.accounts[row],
            "code": feature.reason,
            "feature": name,
            "value": values[name],
            "before": before,
            "peers": peers,
            "sentence": told,
        }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({"place": "int64", "number": "int64", "value": float, "before": float, "peers": float})
    return table.sort_values(["account_id", "place", "number"], ignore_index=True)
