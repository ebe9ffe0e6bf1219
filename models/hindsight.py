"""What became of past scorings: how many were lost of how many expected, and how often the riskiest were.

Only scorings whose horizon has matured are judged, and of them the active accounts alone: that a lapsed account stays
silent is no feat. An account is lost if no order in the horizon was booked by the day on which the label matured, as in
training; so this judges scorings of silence, not of another definition of a loss. Scorings less than a horizon apart see
some of the same silence, and are not added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from features.declaration import Expression
from features.errors import ContractError
from features.known import known_at
from features.periods import Label
from features.tables import TABLES

TOP = 0.1  # of the active accounts
FIFTHS = 5
SCORINGS = (
    *("as_of", "matured", "foresight", "accounts", "expected", "expected_low", "expected_high", "lost", "share_lost"),
    *("top", "top_hits", "top_rate", "top_low", "top_high", "listed", "listed_hits", "listed_rate"),
    *("listed_low", "listed_high"),
)
CALIBRATION = ("as_of", "fifth", "accounts", "risk", "share_lost", "low", "high")
REASONS = ("as_of", "reason", "accounts", "expected", "lost", "share_lost")
NEEDED = ("account_id", "lapsed", "risk", "naming", "reason_1")


@dataclass(frozen=True)
class Scoring:
    """A past scoring: `scores` gives its rows (NEEDED), `label` has the horizon of its risks.

    The rows are read when it is judged: a history grows by a scoring a month, and they are not in memory together.

    `known_until`: first day of which its model knew no outcome; None where that was not noted.
    """

    as_of: date
    scores: Callable[[], pd.DataFrame]
    label: Label
    known_until: date | None = None


@dataclass(frozen=True)
class Hindsight:
    """What became of the scorings that have matured, oldest first; all empty where none has.

    `scorings` (SCORINGS), a row each: `expected` losses with the interval that chance alone leaves, `lost` ones; of the
    riskiest tenth (`top` accounts) and of the `listed` riskiest how many were lost, with Wilson intervals of the rate.
    `foresight`: False where the model was trained on outcomes from the as_of on, so that being right is no feat; null
    where that is not known. `calibration` (CALIBRATION): fifths of the active accounts by risk, 1 the riskiest.
    `reasons` (REASONS): by the reason named first, how many were expected to be lost and were; without a name "none".
    `pending`: days of scorings that have not matured.
    """

    scorings: pd.DataFrame
    calibration: pd.DataFrame
    reasons: pd.DataFrame
    pending: tuple[date, ...]


def hindsight(
    scorings: Sequence[Scoring], tables: Mapping[str, Expression], until: date, listed: int, level: float
) -> Hindsight:
    """Judge them by the orders known before `until`; `listed`: how many of the riskiest a list has.

    Raises ContractError if a scoring lacks a column.
    """
    rows, fifths, reasons, pending = [], [], [], []
    for scoring in sorted(scorings, key=lambda scoring: scoring.as_of):
        active = outcomes(scoring, tables, until)
        if active is None:
            pending.append(scoring.as_of)
            continue
        if active.empty:
            continue
        rows.append(_row(scoring, active, listed, level))
        fifths.append(_fifths(active, level).assign(as_of=scoring.as_of))
        reasons.append(_reasons(active).assign(as_of=scoring.as_of))
    return Hindsight(
        pd.DataFrame(rows, columns=list(SCORINGS)),
        _joined(fifths, CALIBRATION),
        _joined(reasons, REASONS),
        tuple(pending),
    )


def outcomes(scoring: Scoring, tables: Mapping[str, Expression], until: date) -> pd.DataFrame | None:
    """The active accounts of a scoring, riskiest first, with `lost` (0.0 or 1.0); None before it has matured.

    Raises ContractError if the scoring lacks a column.
    """
    if scoring.label.matures(scoring.as_of) > until:
        return None
    active = _active(scoring)
    lost = ~active["account_id"].isin(ordered(tables, scoring.as_of, scoring.label)).to_numpy(dtype=bool)
    return active.assign(lost=lost.astype(float))


def ordered(tables: Mapping[str, Expression], as_of: date, label: Label) -> set[str]:
    """The accounts with an order in [as_of, as_of + horizon) that was booked before the label matured."""
    orders = tables["orders"]
    day = orders.ordered_at.cast("date")
    booked = known_at(orders, TABLES["orders"]) < label.matures(as_of)
    rows = orders.filter(~orders.is_return & (day >= as_of) & (day < label.end(as_of)) & booked)
    return set(rows.select("account_id").distinct().to_pyarrow()["account_id"].to_pylist())


def _active(scoring: Scoring) -> pd.DataFrame:
    """The active accounts, riskiest first."""
    scores = scoring.scores()
    if missing := [name for name in NEEDED if name not in scores]:
        raise ContractError(
            f"The scoring of {scoring.as_of} lacks {', '.join(missing)}: another version made it. Remove its folder from "
            "the history, or score that day again."
        )
    active = scores[~scores["lapsed"].to_numpy(dtype=bool)]
    return active.sort_values(["risk", "account_id"], ascending=[False, True], ignore_index=True)


def _row(scoring: Scoring, active: pd.DataFrame, listed: int, level: float) -> dict[str, object]:
    risk, lost = active["risk"].to_numpy(dtype=float), active["lost"].to_numpy(dtype=float)
    reach = float(norm.ppf((1 + level) / 2) * np.sqrt((risk * (1 - risk)).sum()))
    row: dict[str, object] = {
        "as_of": scoring.as_of,
        "matured": scoring.label.matures(scoring.as_of),
        "foresight": None if scoring.known_until is None else scoring.known_until <= scoring.as_of,
        "accounts": len(active),
        "expected": float(risk.sum()),
        "expected_low": max(float(risk.sum()) - reach, 0.0),
        "expected_high": min(float(risk.sum()) + reach, float(len(active))),
        "lost": int(lost.sum()),
        "share_lost": float(lost.mean()),
    }
    for name, size in (("top", ceil(TOP * len(active))), ("listed", min(listed, len(active)))):
        low, high = _wilson(int(lost[:size].sum()), size, level)
        row |= {name: size, f"{name}_hits": int(lost[:size].sum()), f"{name}_rate": float(lost[:size].mean())}
        row |= {f"{name}_low": low, f"{name}_high": high}
    return row


def _fifths(active: pd.DataFrame, level: float) -> pd.DataFrame:
    told = []
    for place, part in enumerate(np.array_split(np.arange(len(active)), FIFTHS), start=1):
        if not len(part):
            continue
        rows = active.iloc[part]
        low, high = _wilson(int(rows["lost"].sum()), len(rows), level)
        told.append((place, len(rows), rows["risk"].mean(), rows["lost"].mean(), low, high))
    return pd.DataFrame(told, columns=["fifth", "accounts", "risk", "share_lost", "low", "high"])


def _reasons(active: pd.DataFrame) -> pd.DataFrame:
    named = (active["naming"] == "named").to_numpy(dtype=bool)
    reason = active["reason_1"].astype(object).where(named, "none")
    told = active.assign(reason=reason).groupby("reason", as_index=False)
    result = told.agg(
        accounts=("lost", "size"), expected=("risk", "sum"), lost=("lost", "sum"), share_lost=("lost", "mean")
    )
    return result.astype({"lost": int}).sort_values(["accounts", "reason"], ascending=[False, True])


def _wilson(hits: int, size: int, level: float) -> tuple[float, float]:
    found = binomtest(hits, size).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[list(columns)] if parts else pd.DataFrame(columns=list(columns))
