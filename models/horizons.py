"""What the risk model learns from at an as_of: who stayed silent for how long, as far as it was known by then.

A cut-off whose label has matured tells it, and of some of the other horizons of 1, 2, .. periods who stayed silent so
long. A cut-off of late, whose label has not, tells of the horizons that have passed: so the model knows what the last
months were like, which labels alone tell a whole horizon later. The horizon, in periods, is a feature beside the others.

Worked example: period one month, horizon three months, as_of 2024-06-15. The latest label known is that of 2024-03-15;
of 2024-04-15 it is known who stayed silent one month and two, of 2024-05-15 who stayed silent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features.errors import ConfigurationError
from features.matrix import SILENT
from features.periods import Duration, Label

HORIZON = "horizon"
_TURNS = 3  # a matured cut-off tells its label and every third of the other horizons, in turns: they repeat each other


@dataclass(frozen=True)
class Horizons:
    """The horizons that a risk is told for: the label's own, and 1 .. `steps` periods."""

    label: Label
    period: Duration
    steps: int

    @property
    def main(self) -> float:
        """The label's horizon in periods: 3 for 3 months of months, 2.96 for 90 days of months."""
        return self.label.horizon.days / self.period.days

    def columns(self) -> dict[str, float]:
        """Columns of the matrix that tell an outcome, with their horizon in periods; none twice."""
        steps = {name: float(step) for step, name in enumerate(SILENT[: self.steps], start=1)}
        return {"label": self.main, **{name: step for name, step in steps.items() if step != self.main}}

    def matures(self, column: str, cutoff: date) -> date:
        """First day on which the column is known of the cut-off."""
        if column == "label":
            return self.label.matures(cutoff)
        return self.label.booking_lag.after(self.period.after(cutoff, SILENT.index(column) + 1))


def matured(cutoffs: Sequence[date], as_of: date, label: Label, limit: int) -> tuple[date, ...]:
    """The latest `limit` cut-offs whose label has matured at or before `as_of`, oldest first.

    Raises ConfigurationError if there is none.
    """
    known = sorted(cutoff for cutoff in set(cutoffs) if label.matures(cutoff) <= as_of)[-limit:]
    if not known:
        raise ConfigurationError(
            f"No label has matured at {as_of}: it takes {label.horizon} and {label.booking_lag} after a cut-off. "
            "Give more history, a shorter horizon, or later test cut-offs in params.yaml."
        )
    return tuple(known)


def training_rows(matrix: pd.DataFrame, as_of: date, horizons: Horizons, limit: int) -> pd.DataFrame:
    """The matrix as known at `as_of`: a row for account, cut-off and horizon, its outcome in `label`, by cut-off.

    Of the latest `limit` cut-offs with a matured label and of all later ones. Raises ConfigurationError if no label has
    matured.
    """
    cutoffs = sorted(set(matrix["as_of"]))
    told = matured(cutoffs, as_of, horizons.label, limit)
    columns = horizons.columns()
    days = matrix["as_of"].to_numpy()
    rows: list[np.ndarray] = []
    outcome: list[np.ndarray] = []
    horizon: list[np.ndarray] = []
    for turn, cutoff in enumerate(day for day in cutoffs if day >= told[0]):
        at = np.flatnonzero(days == cutoff)
        for place, (column, periods) in enumerate(columns.items()):
            if horizons.matures(column, cutoff) > as_of:
                continue
            if cutoff in told and column != "label" and place % _TURNS != turn % _TURNS:
                continue
            value = matrix[column].to_numpy(dtype=np.float64)[at]
            known = ~np.isnan(value)  # null where a source's last_cutoff says that no label is wanted any more
            rows.append(at[known])
            outcome.append(value[known])
            horizon.append(np.full(int(known.sum()), periods))
    told_already = [name for name in SILENT if name in matrix]  # they may tell what was not known yet
    frame = matrix.drop(columns=told_already).iloc[np.concatenate(rows)].reset_index(drop=True)
    frame["label"] = np.concatenate(outcome)
    frame[HORIZON] = np.concatenate(horizon)
    return frame
