"""Whether a scoring still resembles what its model learned from: checks with a value, their limits, and a verdict each.

A limit counts as passed only where the value is above all of these:

- the limit itself (`params.yaml`, section `monitor`): so large a change matters;
- `chance`: what it would be with a small probability had nothing changed, so that few accounts raise no alarm;
- `usual`: the most it was between past cut-offs as far apart, so that what always moves (tenure grows, prices rise)
  raises none either. Worked out only where the other two are passed already.

The scoring is set against the cut-off a year before, because features have seasons. Features are judged on the active
accounts, one by one; those that all accounts of a region or of the company share are a handful of values, however many
accounts there are, and are held to the range that training saw instead (`features.catalog.shared`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog import DECLARED, shared
from models.drift import missing_by_chance, psi, swapped

FloatArray = NDArray[np.float64]
Verdict = Literal["fine", "watch", "alarm"]
VERDICTS: tuple[Verdict, ...] = ("fine", "watch", "alarm")
NEAR = 16  # days by which a cut-off may miss the day a year before, as in models/season.py
DRAWS = 2000  # exchanges by lot
LEAST_WEIGHT = 0.005  # of the model's gain: assumed
_TINY = 1e-9  # by which a sound value may miss its bounds


@dataclass(frozen=True)
class Limit:
    """A value above `watch` is looked at, one above `alarm` acted on."""

    watch: float
    alarm: float


@dataclass(frozen=True)
class Check:
    """A value held against its limits, `kind` says which and `name` of what ("" where there is one only).

    `watch`, `alarm`: the limits as they count, with `chance` and `usual`; None where a check has no such thing.
    """

    kind: str
    name: str
    value: float
    watch: float
    alarm: float
    verdict: Verdict
    chance: float | None = None
    usual: float | None = None

    def record(self) -> dict[str, Any]:
        """The check as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Day:
    """The accounts of a cut-off: `active` rows (index account_id) with features and `risk`, of so many `eligible` ones."""

    as_of: date
    active: pd.DataFrame
    eligible: int


Pair = tuple[Day, Day]  # an earlier cut-off and a later one


def judge(
    kind: str,
    name: str,
    value: float,
    limit: Limit,
    chance: float | None = None,
    usual: Callable[[], float | None] = lambda: None,
    most: Verdict = "alarm",
) -> Check:
    """The check of a value; `usual` is asked only where limit and chance are passed. No verdict is worse than `most`."""
    floor, often = chance or 0.0, None
    if value > max(limit.watch, floor):
        often = usual()
        floor = max(floor, often or 0.0)
    watch, alarm = max(limit.watch, floor), max(limit.alarm, floor)
    return Check(
        kind=kind,
        name=name,
        value=float(value),
        watch=watch,
        alarm=alarm,
        verdict=most if value > alarm else "watch" if value > watch else "fine",
        chance=chance,
        usual=often,
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of them; fine where there is none."""
    return max(verdicts, key=VERDICTS.index, default="fine")


def reference_of(cutoffs: Sequence[date], as_of: date, year_before: date, trained: Sequence[date]) -> date | None:
    """The cut-off to compare with: the nearest to the day a year before, else the last of those trained on, before as_of.

    None where there is neither.
    """
    near = [day for day in cutoffs if abs((day - year_before).days) <= NEAR]
    if near:
        return min(near, key=lambda day: abs((day - year_before).days))
    return max((day for day in trained if day in cutoffs and day < as_of), default=None)


def past_pairs(cutoffs: Sequence[date], as_of: date, reference: date, most: int) -> list[tuple[date, date]]:
    """The last pairs of cut-offs as far apart as as_of and reference, none of them after the reference."""
    apart, found = as_of - reference, []
    for later in sorted((day for day in cutoffs if day <= reference), reverse=True):
        off = {day: abs((later - apart - day).days) for day in cutoffs if day < later}
        if off and min(off.values()) <= NEAR:
            found.append((min(off, key=lambda day: off[day]), later))
    return found[:most]


def population(then: Day, now: Day, pairs: Sequence[Pair], limits: Mapping[str, Limit], alpha: float) -> list[Check]:
    """How many accounts are eligible, relative to then, and which part of them has lapsed."""

    def grown(earlier: Day, later: Day) -> float:
        return abs(later.eligible / earlier.eligible - 1)

    def lapsed(day: Day) -> float:
        return 1 - len(day.active) / day.eligible

    def more_lapsed(earlier: Day, later: Day) -> float:
        return abs(lapsed(later) - lapsed(earlier))

    chance = missing_by_chance(lapsed(then), then.eligible, lapsed(now), now.eligible, alpha)
    return [
        judge("accounts", "", grown(then, now), limits["accounts"], None, _most(pairs, grown)),
        judge("lapsed", "", more_lapsed(then, now), limits["lapsed"], chance, _most(pairs, more_lapsed)),
    ]


def features(
    then: Day,
    now: Day,
    pairs: Sequence[Pair],
    weights: Mapping[str, float],
    limits: Mapping[str, Limit],
    alpha: float,
) -> list[Check]:
    """Drift and missing values of each feature, at a probability `alpha` of a false alarm for all of them together.

    `weights`: the part of the model's gain that each feature brings. The drift of one that brings less than LEAST_WEIGHT
    is watched at most: it does not move the risk, and what it does to the reasons has a check of its own.
    """
    found = []
    each = alpha / max(len(weights), 1)
    n, m = len(then.active), len(now.active)
    for name, weight in weights.items():
        shift = psi(then.active[name], now.active[name])
        if not shared(DECLARED[name]):
            chance = shift.by_chance(each)
            most: Verdict = "alarm" if weight >= LEAST_WEIGHT else "watch"
            usual = _most(pairs, _shifted(name))
            found.append(judge("drift", name, shift.value, limits["drift"], chance, usual, most))
        lacks = _lacking(name)
        before, after = (float(day.active[name].isna().mean()) if len(day.active) else 0.0 for day in (then, now))
        chance = missing_by_chance(before, n, after, m, each) if n and m else 0.0
        found.append(judge("missing", name, lacks(then, now), limits["missing"], chance, _most(pairs, lacks)))
    return found


def _shifted(name: str) -> Callable[[Day, Day], float]:
    return lambda earlier, later: psi(earlier.active[name], later.active[name]).value


def _lacking(name: str) -> Callable[[Day, Day], float]:
    def measure(earlier: Day, later: Day) -> float:
        shares = [day.active[name].isna().mean() if len(day.active) else 0.0 for day in (earlier, later)]
        return float(abs(shares[1] - shares[0]))

    return measure


@dataclass(frozen=True)
class Ranges:
    """Least and largest value of each feature by cut-off, all eligible accounts: (cut-offs, features), index as_of."""

    low: pd.DataFrame
    high: pd.DataFrame

    @classmethod
    def of(cls, matrix: pd.DataFrame, names: Sequence[str]) -> Ranges:
        """Of a matrix with as_of."""
        grouped = matrix.groupby("as_of")[list(names)]
        return cls(grouped.min(), grouped.max())

    def beyond(self, rows: pd.DataFrame, until: date) -> pd.Series[float]:
        """Share of the rows with a value outside what all cut-offs up to `until` had, by feature."""
        low, high = self.low.loc[self.low.index <= until].min(), self.high.loc[self.high.index <= until].max()
        values = rows[list(self.low.columns)]
        return ((values < low) | (values > high)).mean()


def ranges(
    now: Day,
    pairs: Sequence[Pair],
    seen: Ranges,
    trained_until: date,
    weights: Mapping[str, float],
    limits: Mapping[str, Limit],
) -> list[Check]:
    """Values beyond the declared bounds of a feature, and beyond all that the model was trained on; `weights` as for `features`."""
    found = []
    for name in seen.low.columns:
        feature, values = DECLARED[name], now.active[name]
        low = -np.inf if feature.low is None else feature.low - _TINY
        high = np.inf if feature.high is None else feature.high + _TINY
        if np.isfinite(low) or np.isfinite(high):
            outside = float(((values < low) | (values > high)).mean())
            found.append(judge("bounds", name, outside, limits["bounds"]))
    gap = now.as_of - trained_until
    past: dict[date, pd.Series[float]] = {}

    def usual(name: str) -> Callable[[], float | None]:
        def largest() -> float | None:
            for _, later in pairs:
                if later.as_of not in past and (seen.low.index <= later.as_of - gap).any():
                    past[later.as_of] = seen.beyond(later.active, later.as_of - gap)
            return max((float(share[name]) for share in past.values()), default=None)

        return largest

    beyond = seen.beyond(now.active, trained_until)
    for name in seen.low.columns:
        # what is new to all accounts of a region at once is no fault of the data; what is hardly used moves no risk
        most: Verdict = "watch" if shared(DECLARED[name]) or weights[name] < LEAST_WEIGHT else "alarm"
        found.append(judge("unseen", name, float(beyond[name]), limits["unseen"], None, usual(name), most))
    return found


def risks(
    then: Day, now: Day, pairs: Sequence[Pair], limits: Mapping[str, Limit], alpha: float, seed: int
) -> list[Check]:
    """The distribution of the risk, and the share expected to be lost relative to then; both by the same model."""

    def share(earlier: Day, later: Day) -> float:
        return float(abs(later.active["risk"].mean() / earlier.active["risk"].mean() - 1))

    def relative(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.abs((b[:, 0] / b[:, 1]) / (a[:, 0] / a[:, 1]) - 1)

    sums = _aligned(*(day.active[["risk"]].assign(accounts=1.0) for day in (then, now)))
    shift = psi(then.active["risk"], now.active["risk"])
    return [
        judge("risk", "", shift.value, limits["drift"], shift.by_chance(alpha), _most(pairs, _shifted("risk"))),
        judge(
            "expected_share",
            "",
            share(then, now),
            limits["expected_share"],
            float(np.quantile(swapped(*sums, relative, DRAWS, seed), 1 - alpha)),
            _most(pairs, share),
        ),
    ]


def reason_mix(
    then: pd.DataFrame,
    now: pd.DataFrame,
    pairs: Callable[[], Sequence[tuple[pd.DataFrame, pd.DataFrame]]],
    limit: Limit,
    alpha: float,
    seed: int,
) -> Check:
    """How much of the expected losses has another reason than then: half the sum of the differences of the shares.

    `then`, `now`: expected losses by account and reason, risk x share: (accounts, reasons), index account_id.
    """

    def moved(a: FloatArray, b: FloatArray) -> FloatArray:
        distance: FloatArray = np.abs(_shares(b) - _shares(a)).sum(axis=1) / 2
        return distance

    def between(earlier: pd.DataFrame, later: pd.DataFrame) -> float:
        return float(moved(earlier.to_numpy().sum(axis=0)[None, :], later.to_numpy().sum(axis=0)[None, :])[0])

    chance = float(np.quantile(swapped(*_aligned(then, now), moved, DRAWS, seed), 1 - alpha))
    return judge(
        "reason_mix",
        "",
        between(then, now),
        limit,
        chance,
        lambda: max((between(*pair) for pair in pairs()), default=None),
    )


def mix_intervals(losses: pd.DataFrame, bootstrap: int, level: float, seed: int) -> dict[str, dict[str, float]]:
    """Share of the expected losses by reason, {"value", "low", "high"} by resampling accounts.

    `losses`: as in `reason_mix`.
    """
    values = losses.to_numpy(dtype=np.float64)
    rng = np.random.default_rng(seed)
    draws = [values[rng.integers(len(values), size=len(values))].sum(axis=0) for _ in range(bootstrap)]
    low, high = np.quantile(_shares(np.stack(draws)), [(1 - level) / 2, (1 + level) / 2], axis=0)
    whole = _shares(values.sum(axis=0)[None, :])[0]
    return {
        str(name): {"value": float(whole[place]), "low": float(low[place]), "high": float(high[place])}
        for place, name in enumerate(losses.columns)
    }


def _shares(sums: FloatArray) -> FloatArray:
    total = sums.sum(axis=1, keepdims=True)
    found: FloatArray = sums / np.where(total > 0, total, 1.0)
    return found


def _aligned(then: pd.DataFrame, now: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Both with a row for every account of either, zeros where it is not there."""
    accounts = then.index.union(now.index)
    first, second = (
        frame.reindex(accounts, fill_value=0.0).to_numpy(dtype=np.float64) for frame in (then, now[then.columns])
    )
    return first, second


def _most(pairs: Sequence[Pair], measure: Callable[[Day, Day], float]) -> Callable[[], float | None]:
    return lambda: max((measure(*pair) for pair in pairs), default=None)


def grade_checks(grade: Mapping[str, Any], limits: Mapping[str, Limit], precision: float) -> list[Check]:
    """Whether a scoring that has matured kept its promise: its order, its level, its calibration, its names.

    Each value is by how much the promise was missed, beyond what chance leaves: the AUC's upper bound below the promised
    lower one, expected losses off by a part of them, calibration error above its floor, precision of audited names whose
    upper bound lies below `precision`.
    """
    found = []
    high, low = grade["auc"]["high"], grade["promised"]["auc"]["low"]
    if high is not None and low is not None:
        found.append(judge("auc", grade["as_of"], max(low - high, 0.0), limits["auc"]))
    off = abs(grade["lost"] - grade["expected"]) / grade["expected"] if grade["expected"] else 0.0
    inside = grade["expected_low"] <= grade["lost"] <= grade["expected_high"]
    found.append(judge("level", grade["as_of"], off, limits["level"], off if inside else None))
    found.append(
        judge("calibration", grade["as_of"], grade["ece"]["value"], limits["calibration"], grade["ece_by_chance"])
    )
    audited = grade["names"]["audited"]
    if audited["high"] is not None:
        found.append(judge("names", grade["as_of"], max(precision - audited["high"], 0.0), limits["names"]))
    return found
