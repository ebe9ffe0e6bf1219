"""How good a ranking of risk is, and how sure one may be of it.

Every metric is a function of a `Tally`: predictions sorted from the riskiest down, equal ones gathered in one group,
under one or many weightings of the accounts at once. The point value is the weighting by one; a resample of accounts
is the weighting by how often each was drawn; so the value and its interval come from the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from features.errors import ContractError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

BINS = 10
PAIRED = ("auc", "average_precision", "brier")

_CLIP = 1e-6  # log-odds of a prediction of exactly 0 or 1 would be infinite
_CELLS = 1 << 21  # resamples times accounts held at once: 16 MB an array, whatever `bootstrap` is
_NEWTON_STEPS = 50
_NEWTON_TOLERANCE = 1e-12  # squared Newton decrement for a weight of one: far below any interval


@dataclass(frozen=True)
class Tally:
    """Predictions under B weightings, as G groups of equal predictions, riskiest first."""

    risk: FloatArray  # (G,) predicted probability
    total: FloatArray  # (B, G) weight of the accounts in the group
    lost: FloatArray  # (B, G) weight of those that were lost

    @cached_property
    def kept(self) -> FloatArray:
        """(B, G) weight of the accounts that were not lost."""
        return self.total - self.lost

    @cached_property
    def total_so_far(self) -> FloatArray:
        """(B, G) weight of this group and all riskier ones."""
        return np.cumsum(self.total, axis=1)

    @cached_property
    def lost_so_far(self) -> FloatArray:
        """(B, G) weight of the lost accounts in this group and all riskier ones."""
        return np.cumsum(self.lost, axis=1)

    @cached_property
    def weight(self) -> FloatArray:
        """(B,) weight of all accounts."""
        return self.total_so_far[:, -1]

    @cached_property
    def losses(self) -> FloatArray:
        """(B,) weight of all lost accounts."""
        return self.lost_so_far[:, -1]

    @cached_property
    def bins(self) -> tuple[FloatArray, FloatArray]:
        """(B, BINS) lost weight, and lost weight as predicted, in each tenth of the weight, riskiest first."""
        return self.in_bins(BINS)

    def in_bins(self, bins: int) -> tuple[FloatArray, FloatArray]:
        """Lost weight, observed and predicted, in `bins` bins of exactly equal weight, riskiest first.

        A group that an edge cuts is shared out in proportion: what is expected if equal predictions are put in random
        order. So bins depend on neither the order of the rows nor the number of ties.
        """
        predicted_so_far = np.cumsum(self.total * self.risk, axis=1)
        edges = self.weight[:, None] * np.arange(1, bins) / bins
        rows = zip(self.total_so_far, edges, strict=True)
        group = np.stack([so_far.searchsorted(edge) for so_far, edge in rows]).clip(max=len(self.risk) - 1)
        held = np.take_along_axis(self.total, group, axis=1)
        before = np.take_along_axis(self.total_so_far, group, axis=1) - held
        part = _ratio(edges - before, held)

        def split(amount: FloatArray, so_far: FloatArray) -> FloatArray:
            whole = np.take_along_axis(so_far, group, axis=1)
            at_edge = whole - (1 - part) * np.take_along_axis(amount, group, axis=1)
            return np.diff(at_edge, axis=1, prepend=0.0, append=so_far[:, -1:])

        return split(self.lost, self.lost_so_far), split(self.total * self.risk, predicted_so_far)


@dataclass(frozen=True)
class _Ranking:
    """The order of one model's predictions at one cut-off: found once, tallied for every block of resamples."""

    order: IntArray  # (n,) rows, riskiest first
    starts: IntArray  # (G,) where a group of equal predictions begins in `order`
    label: FloatArray  # (n,) in that order
    risk: FloatArray  # (G,)

    @classmethod
    def of(cls, label: FloatArray, probability: FloatArray) -> _Ranking:
        order = np.argsort(-probability, kind="stable")
        ranked = probability[order]
        starts = np.flatnonzero(np.diff(ranked, prepend=np.inf) != 0)
        return cls(order, starts, label[order], ranked[starts])

    def tally(self, weight: FloatArray) -> Tally:
        """Gather the weights (B, n), given in the order of the rows."""
        total = np.take(weight, self.order, axis=1)
        lost = total * self.label
        if len(self.starts) < len(self.order):
            total, lost = (np.add.reduceat(part, self.starts, axis=1) for part in (total, lost))
        return Tally(self.risk, total, lost)


def tally(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> Tally:
    """Tally n predictions under no weights, n weights, or B x n weights.

    Raises ContractError if there is no row, a label is not 0 or 1, or a probability not within 0 and 1.
    """
    frame = pd.DataFrame({"label": np.asarray(label, float), "probability": np.asarray(probability, float)})
    _check(frame, ["probability"])
    weights = np.ones(len(frame)) if weight is None else np.asarray(weight, float)
    return _Ranking.of(frame["label"].to_numpy(), frame["probability"].to_numpy()).tally(np.atleast_2d(weights))


def auc(tally: Tally) -> FloatArray:
    """Area under the ROC curve: P(risk of a lost account > risk of a kept one) + P(equal) / 2.

    Range 0 to 1, higher is better, 0.5 is chance; no unit. NaN if no account, or every account, was lost.
    Source: Hanley & McNeil (1982), Radiology 143(1).
    """
    kept_so_far = tally.total_so_far - tally.lost_so_far
    kept = kept_so_far[:, -1]
    below = np.einsum("bg,bg->b", tally.lost, kept[:, None] - kept_so_far)
    equal = np.einsum("bg,bg->b", tally.lost, tally.kept)
    return _ratio(below + equal / 2, tally.losses * kept)


def average_precision(tally: Tally) -> FloatArray:
    """Precision averaged over the losses: sum over thresholds of (recall gained) x precision, without interpolation.

    Range 0 to 1, higher is better, chance is the overall share lost; no unit. NaN if no account was lost.
    Source: `sklearn.metrics.average_precision_score`.
    """
    precision = _ratio(tally.lost_so_far, tally.total_so_far, otherwise=0.0)
    return _ratio(np.einsum("bg,bg->b", tally.lost, precision), tally.losses)


def lift_10(tally: Tally) -> FloatArray:
    """Share lost among the riskiest 10 % of accounts, over the share lost among all.

    Range 0 to 10, higher is better, 1 is chance; a ratio. Equal risks at the edge, and an account the edge cuts, count
    by expectation. NaN if no account was lost. Source: Provost & Fawcett (2013), Data Science for Business, ch. 8.
    """
    lost, _ = tally.bins
    return _ratio(lost[:, 0] * BINS, tally.losses)


def brier(tally: Tally) -> FloatArray:
    """Brier score: mean of (predicted probability - outcome)^2.

    Range 0 to 1, lower is better; squared probability. Source: Brier (1950), Monthly Weather Review 78(1).
    """
    squares = _dot(tally.lost, (1 - tally.risk) ** 2) + _dot(tally.kept, tally.risk**2)
    return _ratio(squares, tally.weight)


def ece(tally: Tally) -> FloatArray:
    """Expected calibration error: mean over 10 bins of |mean predicted risk - share lost|.

    The bins hold a tenth of the accounts each, by predicted risk; equal risks on an edge are shared out (see
    `Tally.in_bins`). Range 0 to 1, lower is better; probability. Chance alone makes it positive, the more so the fewer
    accounts there are, and a resample adds chance of its own: its interval lies high.
    Source: Naeini, Cooper & Hauskrecht (2015), AAAI; Nguyen & O'Connor (2015), EMNLP, for equal counts.
    """
    lost, predicted = tally.bins
    return _ratio(np.abs(lost - predicted).sum(axis=1), tally.weight)


def slope(tally: Tally) -> FloatArray:
    """Slope s of the logistic recalibration log-odds(lost) = i + s x log-odds(predicted), by maximum likelihood.

    Any real number, 1 is ideal: below 1 the predictions are too extreme, above 1 too timid; no unit. Predictions are
    clipped to [1e-6, 1 - 1e-6]. NaN where no finite s exists: one class only, one risk for all, or a risk that
    separates lost from kept without error. Source: Cox (1958), Biometrika 45(3/4); Van Calster et al. (2016), Journal
    of Clinical Epidemiology 74.
    """
    odds = logit(tally.risk.clip(_CLIP, 1 - _CLIP))
    result = np.full(len(tally.total), np.nan)
    rows = np.flatnonzero(_overlap(odds, tally.lost > 0, tally.kept > 0))
    if not len(rows):
        return result
    scale = max(float(odds.std()), 1e-9)
    scaled = (odds - odds.mean()) / scale
    total, lost = (part if len(rows) == len(part) else part[rows] for part in (tally.total, tally.lost))
    start = np.stack([logit(tally.losses[rows] / tally.weight[rows]), np.zeros(len(rows))], axis=1)
    result[rows] = _newton(total, lost, scaled, start)[:, 1] / scale
    return result


METRICS: dict[str, Callable[[Tally], FloatArray]] = {
    "auc": auc,
    "average_precision": average_precision,
    "lift_10": lift_10,
    "brier": brier,
    "ece": ece,
    "slope": slope,
}


def reliability(label: ArrayLike, probability: ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """The calibration plot as a table, least risky bin first, with the bins of `ece`.

    Columns: bin (1 to `bins`), predicted (mean predicted risk), observed (share lost), n (accounts in the bin, the
    same in each; not whole where an edge cuts an account). Raises ContractError as `tally` does.
    """
    counts = tally(label, probability)
    lost, predicted = counts.in_bins(bins)
    size = counts.weight[0] / bins
    return pd.DataFrame(
        {
            "bin": np.arange(1, bins + 1),
            "predicted": predicted[0, ::-1] / size,
            "observed": lost[0, ::-1] / size,
            "n": size,
        }
    )


def evaluate(
    predictions: pd.DataFrame, models: Sequence[str], bootstrap: int, level: float, seed: int
) -> dict[str, dict[str, Any]]:
    """Measure each model at each cut-off, with intervals from `bootstrap` resamples of the accounts.

    `predictions` has one row an account and cut-off: account_id, as_of, label (0 or 1), lapsed (bool), and a column of
    probabilities for each of `models`; the first of them is compared with each of the others. Returns, ready for JSON,

    - "population" -> "all" or "active" (not lapsed) -> model -> as_of or "mean" -> {"n": rows, "losses": rows lost,
      metric: {"value", "low", "high"}};
    - "paired" -> "all" or "active" -> other model -> as_of or "mean" -> auc, average_precision, brier ->
      {"value", "low", "high"} of the first model's less the other's.

    "mean" is the plain mean over the cut-offs at which the metric is defined; its n and losses are sums. Each resample
    draws as many accounts as there are, with replacement, each with all of its rows: the same draw serves every
    cut-off, model and population, so that differences are paired and repeated accounts do not pass for new ones.
    The interval holds the middle `level` of the resamples at which the metric is defined. What is undefined is None.
    The same seed gives the same result. Raises ContractError for a missing column or a bad value.
    """
    _check(predictions, models, ["account_id", "as_of", "lapsed"])
    account, accounts = pd.factorize(predictions["account_id"])
    label = predictions["label"].to_numpy(float)
    days = pd.to_datetime(predictions["as_of"])
    cutoffs = {day.date().isoformat(): (days == day).to_numpy() for day in sorted(days.unique())}
    populations = {"all": np.ones(len(label), dtype=bool), "active": ~predictions["lapsed"].to_numpy(bool)}
    rows = {
        (population, cutoff): np.flatnonzero(member & at)
        for population, member in populations.items()
        for cutoff, at in cutoffs.items()
    }
    rankings = {
        (*cell, model): _Ranking.of(label[held], predictions[model].to_numpy(float)[held])
        for cell, held in rows.items()
        if len(held)
        for model in models
    }

    blocks: list[dict[tuple[str, str, str], FloatArray]] = []
    for times in multiplicities(len(accounts), bootstrap, seed):
        blocks.append({key: _measure(ranking, times[:, account[rows[key[:2]]]]) for key, ranking in rankings.items()})
    undefined = np.full((len(METRICS), 1 + bootstrap), np.nan)

    def measured(population: str, model: str) -> dict[str, FloatArray]:
        """(metric, point and resamples) at each cut-off and in the mean."""
        keys = [(population, cutoff, model) for cutoff in cutoffs]
        values = {
            key[1]: np.concatenate([block[key] for block in blocks], axis=1) if key in rankings else undefined
            for key in keys
        }
        return {**values, "mean": _mean(np.stack(list(values.values())))}

    result: dict[str, dict[str, Any]] = {"population": {}, "paired": {}}
    for population in populations:
        held = {cutoff: rows[population, cutoff] for cutoff in cutoffs}
        held["mean"] = np.concatenate(list(held.values()))
        values = {model: measured(population, model) for model in models}
        result["population"][population] = {
            model: {
                cutoff: {"n": len(held[cutoff]), "losses": int(label[held[cutoff]].sum())}
                | {metric: interval(series, level) for metric, series in zip(METRICS, at, strict=True)}
                for cutoff, at in values[model].items()
            }
            for model in models
        }
        first, *others = models
        paired = [(metric, list(METRICS).index(metric)) for metric in PAIRED]
        result["paired"][population] = {
            other: {
                cutoff: {metric: interval(at[i] - values[other][cutoff][i], level) for metric, i in paired}
                for cutoff, at in values[first].items()
            }
            for other in others
        }
    return result


def require_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ContractError, naming columns and counts, unless all `columns` are there and hold finite numbers."""
    _require_columns(frame, columns)
    counts = {column: int((~np.isfinite(frame[column].to_numpy(float, na_value=np.nan))).sum()) for column in columns}
    if bad := [f"{column} in {count:,}" for column, count in counts.items() if count]:
        raise ContractError(
            f"Of {len(frame):,} rows these hold no finite number: {', '.join(bad)}. "
            "Leave those rows out, or give the feature a value for an empty history."
        )


def _require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in frame]:
        raise ContractError(f"Missing columns: {', '.join(missing)}. There are: {', '.join(map(str, frame.columns))}.")


def _check(frame: pd.DataFrame, models: Sequence[str], keys: Sequence[str] = ()) -> None:
    _require_columns(frame, [*keys, "label", *models])
    if frame.empty:
        raise ContractError("There are no predictions to measure: give at least one row.")
    for key in keys:
        if empty := int(frame[key].isna().sum()):
            raise ContractError(f"{key} is empty in {empty:,} of {len(frame):,} rows. Fill it or leave those rows out.")
    if keys and (twice := int(frame.duplicated(["account_id", "as_of"]).sum())):
        raise ContractError(f"{twice:,} rows repeat an account_id and as_of. Give one row an account and cut-off.")
    require_numbers(frame, ["label", *models])
    if wrong := int((~frame["label"].isin([0, 1])).sum()):
        raise ContractError(f"label is neither 0 nor 1 in {wrong:,} rows. Leave out labels that are not yet known.")
    for model in models:
        outside = ~frame[model].between(0, 1)
        if outside.any():
            example = frame.loc[outside, model].iloc[0]
            raise ContractError(
                f"{model} is outside 0 to 1 in {int(outside.sum()):,} rows, for example {example}. "
                "Give probabilities, not scores."
            )


def multiplicities(accounts: int, bootstrap: int, seed: int) -> Iterator[FloatArray]:
    """How often each account counts, (resamples, accounts): first once each, then `bootstrap` resamples in blocks."""
    yield np.ones((1, accounts))
    rng = np.random.default_rng(seed)
    size = max(1, _CELLS // accounts)
    for done in range(0, bootstrap, size):
        draws = (rng.integers(accounts, size=accounts) for _ in range(min(size, bootstrap - done)))
        yield np.stack([np.bincount(draw, minlength=accounts) for draw in draws]).astype(float)


def _measure(ranking: _Ranking, weight: FloatArray) -> FloatArray:
    """All metrics under each weighting: (metric, B)."""
    counts = ranking.tally(weight)
    return np.stack([metric(counts) for metric in METRICS.values()])


def _ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float = np.nan) -> FloatArray:
    """The quotient, and `otherwise` where the denominator is zero."""
    out: FloatArray = np.full(numerator.shape, otherwise)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))


def interval(series: FloatArray, level: float) -> dict[str, float | None]:
    """The first of the series as value, and percentiles of the rest, leaving out NaN, as low and high."""
    value, resamples = series[0], series[1:]
    resamples = resamples[~np.isnan(resamples)]
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    if not len(resamples):
        return {"value": float(value), "low": None, "high": None}
    low, high = np.quantile(resamples, [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}


def _overlap(odds: FloatArray, lost: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether no threshold on the odds (G,), falling, parts lost from kept; only then is the likelihood's top finite.

    `lost` and `kept` (B, G) say which groups hold any.
    """
    last = len(odds) - 1
    lost_high, lost_low = odds[lost.argmax(axis=1)], odds[last - lost[:, ::-1].argmax(axis=1)]
    kept_high, kept_low = odds[kept.argmax(axis=1)], odds[last - kept[:, ::-1].argmax(axis=1)]
    both = lost.any(axis=1) & kept.any(axis=1)
    overlap: NDArray[np.bool_] = both & (lost_low < kept_high) & (kept_low < lost_high)
    return overlap


def _dot(amount: FloatArray, value: FloatArray) -> FloatArray:
    """(B, G) times (G,). Not by BLAS, whose threads wait for each other: four times slower on a busy machine."""
    product: FloatArray = np.einsum("bg,g->b", amount, value)
    return product


def _newton(total: FloatArray, lost: FloatArray, predictor: FloatArray, start: FloatArray) -> FloatArray:
    """Maximum-likelihood (intercept, slope) of B weighted logistic regressions at once: (B, 2).

    `total` and `lost` (B, G) weights, `predictor` (G,). A full Newton step may leap over the top where predictors are
    extreme. The gradient tells: behind the top it points back along the step. If it does by more than half of what it
    pointed forward, half of the step is taken back; the likelihood is concave, so this ends at its top. Rows that do
    not arrive are NaN.
    """
    square = predictor**2
    target = np.stack([lost.sum(axis=1), _dot(lost, predictor)], axis=1)
    at, step = start, np.zeros_like(start)
    ahead = np.zeros(len(start))
    tolerance = _NEWTON_TOLERANCE * total.sum(axis=1)
    for _ in range(_NEWTON_STEPS):
        chance = at[:, 1:] * predictor
        chance += at[:, :1]
        expit(chance, out=chance)
        expected = total * chance
        gradient = target - np.stack([expected.sum(axis=1), _dot(expected, predictor)], axis=1)
        np.subtract(1.0, chance, out=chance)
        expected *= chance
        h0, h1, h2 = expected.sum(axis=1), _dot(expected, predictor), _dot(expected, square)
        leapt = (gradient * step).sum(axis=1) < -ahead / 2
        determinant = h0 * h2 - h1**2
        newton = np.stack(
            [h2 * gradient[:, 0] - h1 * gradient[:, 1], h0 * gradient[:, 1] - h1 * gradient[:, 0]], axis=1
        )
        newton = _ratio(newton, np.broadcast_to(determinant[:, None], newton.shape), otherwise=0.0)
        newton_ahead = (newton * gradient).sum(axis=1)
        arrived = ~leapt & (determinant > 0) & (newton_ahead < tolerance)
        if arrived.all():
            break
        step = np.where(leapt[:, None], step / 2, newton)
        ahead = np.where(leapt, ahead, newton_ahead)
        at = np.where(leapt[:, None], at - step, np.where(arrived[:, None], at, at + step))
    # The last step is known anyway, and squares what error is left.
    return np.where(arrived[:, None], at + newton, np.nan)
