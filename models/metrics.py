"""How good a ranking of risk is, and how sure one may be of it.

Every metric is a function of a `Tally`: predictions sorted from the riskiest down, equal ones gathered in one group,
under one or many weightings of the accounts at once. The point value is the weighting by one; a resample of accounts
is the weighting by how often each was drawn; so the value and its interval come from the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from features.errors import ContractError
from models.recalibration import dot, ratio, slopes

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

BINS = 10
PAIRED = ("auc", "average_precision", "brier")

_CLIP = 1e-6  # log-odds of a prediction of exactly 0 or 1 would be infinite
_CELLS = 1 << 21  # resamples times accounts held at once: 16 MB an array, whatever `bootstrap` is


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
        group, part = self._cut(self.weight[:, None] * np.arange(1, bins) / bins)

        def split(amount: FloatArray, so_far: FloatArray) -> FloatArray:
            at_edge = _up_to(amount, so_far, group, part)
            return np.diff(at_edge, axis=1, prepend=0.0, append=so_far[:, -1:])

        return split(self.lost, self.lost_so_far), split(self.total * self.risk, predicted_so_far)

    def lost_within(self, share: float) -> FloatArray:
        """(B,) lost weight among the riskiest `share` of the weight, a group at the edge shared out as by `in_bins`."""
        return _up_to(self.lost, self.lost_so_far, *self._cut(self.weight[:, None] * share))[:, 0]

    def _cut(self, edges: FloatArray) -> tuple[IntArray, FloatArray]:
        """(B, K) the group that each edge (B, K) of the weight cuts, and the part of it that lies above the edge."""
        rows = zip(self.total_so_far, edges, strict=True)
        group = np.stack([so_far.searchsorted(edge) for so_far, edge in rows]).clip(max=len(self.risk) - 1)
        held = np.take_along_axis(self.total, group, axis=1)
        before = np.take_along_axis(self.total_so_far, group, axis=1) - held
        return group, ratio(edges - before, held)


def _up_to(amount: FloatArray, so_far: FloatArray, group: IntArray, part: FloatArray) -> FloatArray:
    """(B, K) the amount (B, G) above each edge, of whose group (B, K) a `part` (B, K) lies above it."""
    whole = np.take_along_axis(so_far, group, axis=1)
    return whole - (1 - part) * np.take_along_axis(amount, group, axis=1)


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
    return ratio(below + equal / 2, tally.losses * kept)


def average_precision(tally: Tally) -> FloatArray:
    """Precision averaged over the losses: sum over thresholds of (recall gained) x precision, without interpolation.

    Range 0 to 1, higher is better, chance is the overall share lost; no unit. NaN if no account was lost.
    Source: `sklearn.metrics.average_precision_score`.
    """
    precision = ratio(tally.lost_so_far, tally.total_so_far, otherwise=0.0)
    return ratio(np.einsum("bg,bg->b", tally.lost, precision), tally.losses)


def lift(tally: Tally, share: float) -> FloatArray:
    """Share lost among the riskiest `share` of accounts, over the share lost among all.

    Range 0 to 1 / share, higher is better, 1 is chance; a ratio. Equal risks at the edge, and an account the edge cuts,
    count by expectation. NaN if no account was lost. Source: Provost & Fawcett (2013), Data Science for Business, ch. 8.
    """
    return ratio(tally.lost_within(share), tally.losses * share)


def brier(tally: Tally) -> FloatArray:
    """Brier score: mean of (predicted probability - outcome)^2.

    Range 0 to 1, lower is better; squared probability. Source: Brier (1950), Monthly Weather Review 78(1).
    """
    squares = dot(tally.lost, (1 - tally.risk) ** 2) + dot(tally.kept, tally.risk**2)
    return ratio(squares, tally.weight)


def ece(tally: Tally) -> FloatArray:
    """Expected calibration error: mean over 10 bins of |mean predicted risk - share lost|.

    The bins hold a tenth of the accounts each, by predicted risk; equal risks on an edge are shared out (see
    `Tally.in_bins`). Range 0 to 1, lower is better; probability. Chance alone makes it positive, the more so the fewer
    accounts there are, and a resample adds chance of its own: its interval lies high.
    Source: Naeini, Cooper & Hauskrecht (2015), AAAI; Nguyen & O'Connor (2015), EMNLP, for equal counts.
    """
    lost, predicted = tally.bins
    return ratio(np.abs(lost - predicted).sum(axis=1), tally.weight)


def slope(tally: Tally) -> FloatArray:
    """Slope s of the logistic recalibration log-odds(lost) = i + s x log-odds(predicted), by maximum likelihood.

    Any real number, 1 is ideal: below 1 the predictions are too extreme, above 1 too timid; no unit. Predictions are
    clipped to [1e-6, 1 - 1e-6]. NaN where no finite s exists: one class only, one risk for all, or a risk that
    separates lost from kept without error. Source: Cox (1958), Biometrika 45(3/4); Van Calster et al. (2016), Journal
    of Clinical Epidemiology 74.
    """
    return slopes(logit(tally.risk.clip(_CLIP, 1 - _CLIP)), tally.total, tally.lost)


def share_lost(tally: Tally) -> FloatArray:
    """Share of the accounts that were lost: range 0 to 1; NaN for nobody."""
    return ratio(tally.losses, tally.weight)


def mean_risk(tally: Tally) -> FloatArray:
    """Mean predicted probability, the share expected to be lost: range 0 to 1; NaN for nobody."""
    return ratio(dot(tally.total, tally.risk), tally.weight)


Metric = Callable[[Tally], FloatArray]
METRICS: dict[str, Metric] = {
    "auc": auc,
    "average_precision": average_precision,
    "lift_5": partial(lift, share=0.05),
    "lift_10": partial(lift, share=0.1),
    "lift_20": partial(lift, share=0.2),
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
    probabilities for each of `models`. Returns what `measure` does for the populations "all" and "active" (not lapsed).
    Raises ContractError for a missing column or a bad value.
    """
    _check(predictions, models, ["account_id", "as_of", "lapsed"])
    populations = {"all": np.ones(len(predictions), dtype=bool), "active": ~predictions["lapsed"].to_numpy(bool)}
    return measure(predictions, populations, models, METRICS, bootstrap, level, seed)


def measure(
    predictions: pd.DataFrame,
    populations: Mapping[str, NDArray[np.bool_]],
    models: Sequence[str],
    metrics: Mapping[str, Metric],
    bootstrap: int,
    level: float,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Each metric of each model at each cut-off and in each population, a mask (rows,) of `predictions` by its name.

    The first of `models` is compared with each of the others. Returns, ready for JSON,

    - "population" -> population -> model -> as_of or "mean" -> {"n": rows, "losses": rows lost,
      metric: {"value", "low", "high"}};
    - "paired" -> population -> other model -> as_of or "mean" -> auc, average_precision, brier ->
      {"value", "low", "high"} of the first model's less the other's.

    "mean" is the plain mean over the cut-offs at which the metric is defined; its n and losses are sums. Each resample
    draws as many accounts as there are, with replacement, each with all of its rows: the same draw serves every
    cut-off, model and population, so that differences are paired and repeated accounts do not pass for new ones.
    The interval holds the middle `level` of the resamples at which the metric is defined. What is undefined is None.
    The same seed gives the same result. Raises ContractError for a missing column or a bad value.
    """
    _check(predictions, models, ["account_id", "as_of"])
    account, accounts = pd.factorize(predictions["account_id"])
    label = predictions["label"].to_numpy(float)
    days = pd.to_datetime(predictions["as_of"])
    cutoffs = {day.date().isoformat(): (days == day).to_numpy() for day in sorted(days.unique())}
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
        block = {}
        for key, ranking in rankings.items():
            counts = ranking.tally(times[:, account[rows[key[:2]]]])
            block[key] = np.stack([metric(counts) for metric in metrics.values()])
        blocks.append(block)
    undefined = np.full((len(metrics), 1 + bootstrap), np.nan)

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
                | {metric: interval(series, level) for metric, series in zip(metrics, at, strict=True)}
                for cutoff, at in values[model].items()
            }
            for model in models
        }
        first, *others = models
        paired = [(metric, list(metrics).index(metric)) for metric in PAIRED]
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


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))


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
