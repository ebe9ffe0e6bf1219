"""What recorded losses teach: how much more, or less, each reason weighs in this market than its evidence says.

An audited exit tells the true reason of a loss. What it teaches is an offset on the logarithm of each reason's weight
(`models/shares.py`), held near zero by a penalty: 50 exits move the offsets a little, more exits move them further. What
an exit teaches ages with the market it is of: one of a year ago counts half. An exit that nobody checked tells what a
manager chose to write. It counts a tenth, and only as what the true reason may have been, through a confusion matrix
P(written | true), learned together with the offsets from the audited exits, from pairs (an exit written by the manager and
audited later) and from how far what was written strays from the evidence (expectation and maximisation, after Dawid and
Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm").

Whether it helps is told by cross-validation over the audited exits: the shares of the held-out reasons must rise (their
log-loss fall). Else nothing is learned. How often the largest share is right is told too, but decides nothing: it is far
less steady, and asking that it rise as well was measured to lose half of the gain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize

from features.periods import Duration
from models.causes import CauseModel
from models.shares import UNEXPLAINED, Weights, weigh
from models.taxonomy import taxonomy

FloatArray = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_AUDITED = 50
PENALTY = 10.0  # of the squared offset of a reason: worth ten exits
HALF_LIFE = 365.0  # days after which an exit counts half
WRITTEN = 0.1  # of an audited exit: what one counts that nobody checked
PENALTY_UNEXPLAINED = 2.0
DOUBT = 4.0  # exits' worth of belief that a manager writes anything, and as much that he writes the truth
STEPS = 15  # of expectation and maximisation: the offsets move by less than .01 after them
FOLDS = 10
RESAMPLES = 1000
LEVEL = 0.95
TINY = 1e-9  # weight of a reason that nothing shows: keeps the logarithm finite


@dataclass(frozen=True)
class Exits:
    """Recorded losses with the hazards of their accounts at the last cut-off at which these still bought.

    `hazards`: (exits, reasons that can be seen); `reason`: code, `audited`: flag, `age`: days since it was recorded, all by
    exit. `written`: the code that the manager wrote of an audited one before, NaN where he wrote none; None: he did of none.
    """

    hazards: pd.DataFrame
    reason: pd.Series[str]
    audited: pd.Series[bool]
    age: pd.Series[float]
    written: pd.Series[Any] | None = None


def learn(exits: Exits, weights: Weights, seed: int) -> dict[str, Any]:
    """Offsets by code and how they were found, as JSON can hold it; without "offsets" where nothing was learned.

    "why" says in words what was done, "accuracy" how often the largest share was the audited reason before and after
    (held-out folds), and the interval of the difference by resampling the audited exits. An audited exit for a reason
    of which nothing showed ("unshown") says nothing of how much evidence weighs, and is left out.
    """
    values, codes = weigh(exits.hazards, replace(weights, offsets={}))
    known = np.where(np.isnan(values), 0.0, values) + TINY
    place = {code: number for number, code in enumerate(codes)}
    said: Ints = np.array([place[code] for code in exits.reason], dtype=np.int64)
    checked = exits.audited.to_numpy(dtype=bool)
    weight: FloatArray = np.power(0.5, exits.age.to_numpy(dtype=np.float64) / HALF_LIFE)
    written = pd.Series(np.nan, exits.reason.index) if exits.written is None else exits.written.map(place)
    manager = np.asarray(written.fillna(-1), dtype=np.int64)
    paired = checked & (manager >= 0)
    shown = known[np.arange(len(said)), said] > TINY
    audited = checked & shown
    counts = {
        "audited": int(audited.sum()),
        "unaudited": int((~checked).sum()),
        "pairs": int(paired.sum()),
        "unshown": int((checked & ~shown).sum()),
    }
    if counts["audited"] < LEAST_AUDITED:
        return counts | {
            "why": f"Nothing was learned: {counts['audited']} audited exits are there, {LEAST_AUDITED} are needed. Have "
            "someone other than the manager check why accounts were lost, and set `audited` in the exits."
        }

    def pairs(rows: npt.NDArray[np.bool_]) -> FloatArray:
        counts = np.zeros((len(codes), len(codes)))
        np.add.at(counts, (said[rows], manager[rows]), 1)
        return counts

    true, log_weights = said[audited], np.log(known[audited])
    certain = _Told(log_weights, true, weight[audited])
    rest = _Told(np.log(known[~checked]), said[~checked], WRITTEN * weight[~checked])
    nobody = rest.of(np.zeros(len(rest.said), dtype=bool))
    rows = np.arange(len(true))
    held_out = {"nothing": log_weights, "audited": np.empty_like(log_weights), "all": np.empty_like(log_weights)}
    folds = np.random.default_rng(seed).permutation(len(true)) % FOLDS
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        held = np.zeros(len(said), dtype=bool)
        held[np.flatnonzero(audited)[outside]] = True
        for name in ("audited", "all"):
            others = rest if name == "all" else nobody
            offsets = _offsets(certain.of(inside), others, pairs(paired & ~held))[0]
            held_out[name][outside] = log_weights[outside] + offsets
    losses = {
        name: -np.average(_log_shares(scores)[rows, true], weights=certain.weight) for name, scores in held_out.items()
    }
    best = min(losses, key=lambda name: losses[name])
    right = {name: scores.argmax(axis=1) == true for name, scores in held_out.items()}
    gain = right[best].astype(float) - right["nothing"]
    draws = np.random.default_rng(seed).integers(0, len(gain), (RESAMPLES, len(gain)))
    low, high = np.quantile(gain[draws].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    told = counts | {
        "used": best,
        "log_loss": {name: float(value) for name, value in losses.items()},
        "accuracy": {
            "before": float(right["nothing"].mean()),
            "after": float(right[best].mean()),
            "gain": float(gain.mean()),
            "low": float(low),
            "high": float(high),
            "level": LEVEL,
        },
    }
    if best == "nothing":
        return told | {
            "used": "nothing",
            "why": f"Nothing was learned: on held-out exits of the {counts['audited']} audited ones the shares were not "
            "better with what the others taught. The model's own shares stay.",
        }
    offsets, confusion = _offsets(certain, rest if best == "all" else nobody, pairs(paired))
    result = told | {
        "why": f"Learned from {counts['audited']} audited exits"
        + (f" and {counts['unaudited']} unaudited ones through a confusion matrix." if best == "all" else ".")
        + ("" if best == "all" or not counts["unaudited"] else " The unaudited ones did not help and were left out."),
        "offsets": {code: float(offsets[place[code]]) for code in (*exits.hazards.columns, UNEXPLAINED)},
    }
    if best == "all":
        result["written_when_true"] = {
            code: {other: float(confusion[place[code], place[other]]) for other in codes} for code in codes
        }
    return result


@dataclass(frozen=True)
class _Told:
    """What was said of some exits: log weights of the reasons, (exits, codes), place of the code, and what each counts."""

    log_weights: FloatArray
    said: Ints
    weight: FloatArray

    def of(self, rows: npt.NDArray[np.bool_]) -> _Told:
        return _Told(self.log_weights[rows], self.said[rows], self.weight[rows])


def _offsets(audited: _Told, others: _Told, pairs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Offsets, (codes,), and the confusion matrix P(written | true), (codes, codes)."""
    count = audited.log_weights.shape[1]
    certain = np.eye(count)[audited.said]
    prior = pairs + DOUBT / count + DOUBT * np.eye(count)
    confusion = prior / prior.sum(axis=1, keepdims=True)
    offsets = _penalised(audited.log_weights, certain, audited.weight)
    if not len(others.said):
        return offsets, confusion
    everyone = np.concatenate([audited.log_weights, others.log_weights])
    weight = np.concatenate([audited.weight, others.weight])
    for _ in range(STEPS):
        chance = np.exp(_log_shares(others.log_weights + offsets)) * confusion[:, others.said].T
        chance /= chance.sum(axis=1, keepdims=True)
        seen = prior.copy()
        np.add.at(seen.T, others.said, chance)
        confusion = seen / seen.sum(axis=1, keepdims=True)
        offsets = _penalised(everyone, np.concatenate([certain, chance]), weight)
    return offsets, confusion


def _penalised(log_weights: FloatArray, chance: FloatArray, weight: FloatArray) -> FloatArray:
    """The offsets with the largest likelihood of the reasons' chances, (exits, codes), less the penalty."""
    penalty = np.full(log_weights.shape[1], PENALTY)
    penalty[-1] = PENALTY_UNEXPLAINED
    counted = chance * weight[:, None]

    def objective(offsets: FloatArray) -> tuple[float, FloatArray]:
        log_share = _log_shares(log_weights + offsets)
        value = -(counted * log_share).sum() + (penalty * offsets**2).sum() / 2
        return float(value), weight @ np.exp(log_share) - counted.sum(axis=0) + penalty * offsets

    return np.asarray(minimize(objective, np.zeros(len(penalty)), jac=True, method="L-BFGS-B").x)


def _log_shares(scores: FloatArray) -> FloatArray:
    top = scores.max(axis=1, keepdims=True)
    return np.asarray(scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True)))


def hazards_at_loss(why: CauseModel, matrix: pd.DataFrame, period: Duration, recorded: pd.Series[Any]) -> pd.DataFrame:
    """Hazards by account at the last cut-off of `matrix` at which it still bought before its loss was recorded.

    `recorded`: day by account. An account that `matrix` never had as active before that day is not in the result.
    """
    active = matrix.loc[~matrix["lapsed"] & matrix["account_id"].isin(recorded.index), ["account_id", "as_of"]]
    before = active["as_of"].to_numpy() <= pd.to_datetime(active["account_id"].map(recorded)).dt.date.to_numpy()
    last = active[before].groupby("account_id")["as_of"].max().reset_index()
    wanted = [
        last.assign(as_of=[period.before(day, back) for day in last["as_of"]]) for back in range(why.recipe.lags + 1)
    ]
    return why.hazards_by_account(matrix.merge(pd.concat(wanted), on=["account_id", "as_of"]))


def read(table: pd.DataFrame, hazards: pd.DataFrame, day: date) -> tuple[Exits, int]:
    """Exits from the contract table and the `hazards` by account at the loss that is `counted`, as of `day`; how many had no
    hazards or no documented reason."""
    rows = counted(table)
    rows = rows[rows.index.isin(hazards.index)]
    exits = Exits(
        hazards=hazards.loc[rows.index],
        reason=rows["reason"],
        audited=rows["audited"],
        age=(pd.Timestamp(day) - pd.to_datetime(rows["recorded_on"])).dt.days.clip(lower=0).astype(float),
        written=rows["written"],
    )
    return exits, table["account_id"].nunique() - len(rows)


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """The loss of each account that counts, of the contract table: reason, recorded_on, audited and written, index account_id.

    An account may have been lost more than once: of its rows with a documented reason the last audited one counts, else the
    last. `written`: what the last row until then says that nobody audited, NaN where there is none.
    """
    rows = table.dropna(subset=["account_id", "reason"]).sort_values(["recorded_on", "account_id"], kind="stable")
    rows = rows.assign(
        audited=rows["audited"].fillna(False).astype(bool), recorded_on=pd.to_datetime(rows["recorded_on"])
    )
    rows = rows[rows["reason"].isin((*taxonomy().codes, UNEXPLAINED))]
    columns = ["reason", "recorded_on", "audited"]
    checked = rows[rows["audited"]].groupby("account_id")[columns].last()
    unchecked = rows[~rows["audited"]]
    until = unchecked["account_id"].map(checked["recorded_on"])
    before = unchecked[unchecked["recorded_on"] <= until]
    checked["written"] = before.groupby("account_id")["reason"].last()
    others = unchecked[~unchecked["account_id"].isin(checked.index)].groupby("account_id")[columns].last()
    return pd.concat([checked, others])
