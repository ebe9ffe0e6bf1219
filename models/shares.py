"""Shares of the reasons in why an account would be lost: how hazards become chances that are right as often as they say.

The weight of a reason with the hazard h is

    (floor + h) ** power * exp(offset)

and that of what no table shows is a constant. A power below one draws in hazards that trees spread too far; the floor
is what a reason has whose evidence is not in any table, for much that happens is never noted. Both were found on
simulated markets (`holdfast reasons --benchmark` says how well the shares are calibrated on others), where every reason
can be seen: then most of what no table shows, 1 in units of hazard, is documented all the same. The fewer reasons can be
seen, the nearer to 1 the constant stays. The offsets are zero until audited exits have taught them (`models/exits.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.taxonomy import taxonomy

FloatArray = npt.NDArray[np.float64]
OWN_EVIDENCE_ONLY = "natural_end"  # nobody's fault is said of an account only where something shows it
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Weights:
    """What turns hazards into shares; `offsets` by code, of `unexplained` too, 0 for a code that is not in it."""

    power: float
    floor: float
    unexplained: float
    offsets: Mapping[str, float]


def weigh(hazards: pd.DataFrame, weights: Weights) -> tuple[FloatArray, Sequence[str]]:
    """Weight of each documented reason and of `unexplained`, (accounts, codes), and these codes.

    `hazards` holds a column for each reason that can be seen, in units of what no table shows. A reason that cannot be
    seen has the weight NaN; what it may have done counts as unexplained.
    """
    codes = (*taxonomy().codes, UNEXPLAINED)
    result = np.full((len(hazards), len(codes)), np.nan)
    unseen = 0
    for place, code in enumerate(codes[:-1]):
        if code not in hazards.columns:
            unseen += 1
            continue
        hazard = hazards[code].to_numpy()
        result[:, place] = (weights.floor + hazard) ** weights.power
        if code == OWN_EVIDENCE_ONLY:  # the same power of an array, so that no hazard leaves nothing
            result[:, place] -= np.full(len(hazard), weights.floor) ** weights.power
        result[:, place] *= np.exp(weights.offsets.get(code, 0.0))
    rest = weights.unexplained + (1 - weights.unexplained) * unseen / len(taxonomy().codes)
    result[:, -1] = rest * np.exp(weights.offsets.get(UNEXPLAINED, 0.0))
    return result, codes


def shares(hazards: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    """`share_<code>` of each documented reason and `share_unexplained`: (accounts, codes), rows summing to one.

    A reason that cannot be seen is NaN, not 0.
    """
    values, codes = weigh(hazards, weights)
    total = np.nansum(values, axis=1, keepdims=True)
    return pd.DataFrame(values / total, index=hazards.index, columns=[f"share_{code}" for code in codes])
