"""The same metrics by kind of account: tier, region and age, where a good mean may hide a bad part.

A slice with few losses has a metric that means nothing: it is None, and the counts say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ContractError
from models.metrics import METRICS, FloatArray, Tally, mean_risk, measure, share_lost

LEAST = 20  # lost, and kept, accounts behind a metric
REGIONS = 8  # the largest ones; what is left is one slice
YEAR = 365.25  # days
AGES = ((0.0, "under 1 year"), (1.0, "1 to 3 years"), (3.0, "3 years and more"))  # from so many years on
FIFTHS = (
    "smallest fifth",
    "second fifth",
    "third fifth",
    "fourth fifth",
    "largest fifth",
)  # the tiers of `features.peers`
FACTS = ("tier", "region", "tenure")
DIMENSIONS = ("tier", "region", "age")
CALIBRATION = ("predicted", "observed", "gap")

Mask = NDArray[np.bool_]


def gap(tally: Tally) -> FloatArray:
    """Share lost less mean predicted risk: range -1 to 1, 0 is ideal, above it more were lost than expected."""
    return share_lost(tally) - mean_risk(tally)


def slices_of(predictions: pd.DataFrame) -> dict[str, list[tuple[str, Mask]]]:
    """By dimension the slices that hold a row, each its name and a mask (rows,); every row is in one of each dimension.

    `predictions` has a row an account and cut-off, with tier (0 for the smallest fifth of the accounts by purchases of
    twelve periods to 4 for the largest, as in `features.peers`), region (text, or missing) and tenure (days since the first order).
    The regions with the most rows are slices of their own, the largest first. Where no row has a region there is no
    slice by region. Raises ContractError for a missing column.
    """
    if missing := [name for name in FACTS if name not in predictions]:
        raise ContractError(
            f"predictions: {', '.join(missing)} missing, which slices are cut by. Run `holdfast evaluate` again."
        )
    tier = predictions["tier"].to_numpy()
    years = predictions["tenure"].to_numpy(float) / YEAR
    starts = [start for start, _ in AGES]
    age = np.searchsorted(starts, years, side="right") - 1
    found = {
        "tier": [(name, tier == number) for number, name in enumerate(FIFTHS)],
        "region": _regions(predictions["region"]),
        "age": [(name, age == number) for number, (_, name) in enumerate(AGES)],
    }
    return {dimension: [(name, mask) for name, mask in slices if mask.any()] for dimension, slices in found.items()}


def _regions(region: pd.Series[Any]) -> list[tuple[str, Mask]]:
    counts = region.value_counts()
    if counts.empty:
        return []
    ordered = sorted(counts.index, key=lambda name: (-counts[name], str(name)))
    named = ordered if len(ordered) <= REGIONS + 1 else ordered[:REGIONS]  # one alone is not called "other"
    others = ordered[len(named) :]
    slices = [(str(name), (region == name).to_numpy(bool, na_value=False)) for name in named]
    return [
        *slices,
        (f"{len(others)} other regions", region.isin(others).to_numpy(bool)),
        ("no region", region.isna().to_numpy(bool)),
    ]


def by_slice(
    predictions: pd.DataFrame, models: Sequence[str], bootstrap: int, level: float, seed: int
) -> dict[str, Any]:
    """Metrics of the first model, and how it compares with the others, in each slice of all and of active accounts.

    `predictions` as for `models.metrics.evaluate`, with the columns that `slices_of` reads; values are means over the
    cut-offs and intervals those of the same resamples of accounts as there. Returns, ready for JSON, "least" and

    - "all" or "active" -> dimension -> list of {"slice": name, "n": rows, "losses": rows lost, "expected": sum of the
      first model's risks, "models": model -> metric -> cell, "paired": other model -> metric -> cell,
      "calibration": "predicted", "observed", "gap" -> cell}, a cell being {"value", "low", "high"}.

    A metric is None with fewer than LEAST rows lost or kept, the calibration with fewer than LEAST both lost and
    expected to be. An empty slice is left out. Raises ContractError as `evaluate` does.
    """
    slices = slices_of(predictions)
    kinds = {"all": np.ones(len(predictions), dtype=bool), "active": ~predictions["lapsed"].to_numpy(bool)}
    cells = {
        (kind, dimension, name): member & mask
        for kind, member in kinds.items()
        for dimension, named in slices.items()
        for name, mask in named
    }
    keys = {str(number): key for number, key in enumerate(cells) if cells[key].any()}
    metrics = {**METRICS, "predicted": mean_risk, "observed": share_lost, "gap": gap}
    populations = {number: cells[key] for number, key in keys.items()}
    found = measure(predictions, populations, models, metrics, bootstrap, level, seed)
    result: dict[str, Any] = {kind: {dimension: [] for dimension in DIMENSIONS} for kind in kinds}
    for number, (kind, dimension, name) in keys.items():
        means = {model: at["mean"] for model, at in found["population"][number].items()}
        paired = {model: at["mean"] for model, at in found["paired"][number].items()}
        expected = float(predictions.loc[populations[number], models[0]].sum())
        result[kind][dimension].append({"slice": name} | _row(means, paired, expected, models[0]))
    return {"least": LEAST, **result}


def _row(
    means: Mapping[str, Mapping[str, Any]], paired: Mapping[str, Mapping[str, Any]], expected: float, first: str
) -> dict[str, Any]:
    """A slice with what is known of it for sure enough."""
    n, losses = means[first]["n"], means[first]["losses"]
    ranked = min(losses, n - losses) >= LEAST
    counted = max(losses, expected) >= LEAST
    return {
        "n": n,
        "losses": losses,
        "expected": expected,
        "models": {model: {name: _cell(cells[name], ranked) for name in METRICS} for model, cells in means.items()},
        "paired": {
            other: {name: _cell(cell, ranked) for name, cell in cells.items()} for other, cells in paired.items()
        },
        "calibration": {name: _cell(means[first][name], counted) for name in CALIBRATION},
    }


def _cell(cell: Mapping[str, float | None], known: bool) -> dict[str, float | None]:
    return {name: value if known else None for name, value in cell.items()}
