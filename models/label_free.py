"""How good the ranking of a scoring is likely to be, before anybody knows who was lost.

Confidence-based performance estimation: where risks are calibrated, an account with risk p is lost with probability p. So
outcomes are drawn from the risks themselves, and the metrics of `models.metrics` measured on each draw: their mean is what
to expect, their spread the chance in which accounts go. Source: Kivimäki, Białek, Kuberski & Nurminen (2025),
"Performance Estimation in Binary Classification Using Calibrated Confidence", arXiv:2505.05295 (CBPE, as in NannyML).

It holds as far as the calibration does, and cannot see that what drives losses has changed: `checked` says by how much
it was off where the outcome is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from models.metrics import METRICS, FloatArray, Metric, Tally, interval, share_lost, tally

# Calibration is what is assumed, so that its metrics cannot be estimated.
ESTIMATED: dict[str, Metric] = {
    "share_lost": share_lost,
    **{name: METRICS[name] for name in ("auc", "average_precision", "lift_5", "lift_10", "lift_20", "brier")},
}

_CELLS = 1 << 21  # draws times accounts held at once


def drawn(risk: ArrayLike, draws: int, seed: int) -> Iterator[Tally]:
    """Tallies of so many outcomes of n accounts drawn from their risks (n,), in blocks.

    Raises ContractError if there is no account, or a risk is not within 0 and 1.
    """
    risks = np.asarray(risk, dtype=np.float64)
    counts = tally(np.zeros(len(risks)), risks)
    rng = np.random.default_rng(seed)
    size = max(1, _CELLS // len(risks))
    for done in range(0, draws, size):
        total = np.repeat(counts.total, min(size, draws - done), axis=0)
        yield Tally(counts.risk, total, rng.binomial(total.astype(np.int64), counts.risk).astype(np.float64))


def estimate(risk: ArrayLike, draws: int, level: float, seed: int) -> dict[str, Any]:
    """What to expect of accounts with these risks (n,): "n", and by name of ESTIMATED {"value", "low", "high"}.

    "value" is the mean over the draws, "low" to "high" hold the middle `level` of them: the chance of who goes, were the
    risks right. None where fewer than `level` of the draws have the metric. Raises ContractError for a risk outside 0 and 1.
    """
    risks = np.asarray(risk, dtype=np.float64)
    values = np.full((len(ESTIMATED), draws), np.nan)
    if len(risks):
        blocks = [np.stack([metric(counts) for metric in ESTIMATED.values()]) for counts in drawn(risks, draws, seed)]
        values = np.concatenate(blocks, axis=1)
    return {"n": len(risks), **{name: _cell(row, level) for name, row in zip(ESTIMATED, values, strict=True)}}


def live(scores: pd.DataFrame, draws: int, level: float, seed: int) -> dict[str, dict[str, Any]]:
    """`estimate` of all accounts scored and of the active ones; `scores` has columns risk and lapsed (bool)."""
    return {kind: estimate(rows["risk"], draws, level, seed) for kind, rows in _kinds(scores).items()}


def checked(predictions: pd.DataFrame, draws: int, level: float, seed: int) -> dict[str, dict[str, Any]]:
    """The estimate beside what came out, at each cut-off of `predictions` (account_id, as_of, label, lapsed, risk).

    Returns, ready for JSON, "all" or "active" ->

    - "cutoffs" -> as_of -> metric -> {"value", "low", "high"} as expected from the risks alone, and "outcome";
    - "error" -> metric -> mean over the cut-offs of |value - outcome|, "bias" -> metric -> of value - outcome, None
      where no cut-off has both, and "inside" -> metric -> at how many cut-offs the outcome lay between low and high.

    Raises ContractError as `models.metrics.tally` does.
    """
    return {kind: _checked(rows, draws, level, seed) for kind, rows in _kinds(predictions).items()}


def _checked(rows: pd.DataFrame, draws: int, level: float, seed: int) -> dict[str, Any]:
    cutoffs = {}
    days = pd.to_datetime(rows["as_of"])
    for day in sorted(days.unique()):
        at = rows[(days == day).to_numpy()]
        guessed, counts = estimate(at["risk"], draws, level, seed), tally(at["label"], at["risk"])
        cutoffs[day.date().isoformat()] = {
            name: {**guessed[name], "outcome": _known(metric(counts)[0])} for name, metric in ESTIMATED.items()
        }
    off = {name: _off([at[name] for at in cutoffs.values()]) for name in ESTIMATED}
    return {
        "cutoffs": cutoffs,
        "error": {name: _known(np.abs(values).mean()) if len(values) else None for name, values in off.items()},
        "bias": {name: _known(values.mean()) if len(values) else None for name, values in off.items()},
        "inside": {name: sum(_inside(at[name]) for at in cutoffs.values()) for name in ESTIMATED},
    }


def _off(cells: list[dict[str, Any]]) -> FloatArray:
    """Estimate less outcome at the cut-offs that have both."""
    both = [cell for cell in cells if cell["value"] is not None and cell["outcome"] is not None]
    return np.array([cell["value"] - cell["outcome"] for cell in both])


def _inside(cell: Mapping[str, float | None]) -> bool:
    low, outcome, high = cell["low"], cell["outcome"], cell["high"]
    return low is not None and outcome is not None and high is not None and low <= outcome <= high


def _cell(values: FloatArray, level: float) -> dict[str, float | None]:
    known = values[~np.isnan(values)]
    enough = len(known) > 0 and len(known) >= level * len(values)
    return interval(np.r_[known.mean() if enough else np.nan, known], level)


def _kinds(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {"all": rows, "active": rows[~rows["lapsed"].to_numpy(bool)]}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
