"""Which cut-offs train and which test: a training label has matured at or before the test cut-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from features.errors import ConfigurationError
from features.periods import Label


@dataclass(frozen=True)
class Split:
    """Cut-offs to learn from at `as_of`: `train` for the model, of which `calibration` are the last, held out once."""

    as_of: date
    train: tuple[date, ...]
    calibration: tuple[date, ...]
    before_calibration: tuple[date, ...]


def split(cutoffs: Sequence[date], as_of: date, label: Label, limit: int, calibration: int) -> Split:
    """The latest `limit` cut-offs whose label has matured at `as_of`, the last `calibration` of them for calibration.

    `before_calibration` are those whose label had matured at the first calibration cut-off: what a model that is to be
    calibrated out of time may learn from. It is empty when there are too few cut-offs.

    Raises ConfigurationError if no label has matured at `as_of`.
    """
    matured = sorted(cutoff for cutoff in set(cutoffs) if label.matures(cutoff) <= as_of)[-limit:]
    if not matured:
        raise ConfigurationError(
            f"No label has matured at {as_of}: it takes {label.horizon} and {label.booking_lag} after a cut-off. "
            "Give more history, a shorter horizon, or later test cut-offs in params.yaml."
        )
    held = matured[-calibration:] if calibration else []
    before = [cutoff for cutoff in matured if held and label.matures(cutoff) <= held[0]]
    return Split(as_of, tuple(matured), tuple(held) if before else (), tuple(before))
