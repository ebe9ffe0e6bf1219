"""How far the share lost among accounts of like risk lies from the risk: measured at cut-offs that were held out.

In each tenth of the accounts by risk at each held-out cut-off, with K lost of accounts of risks p, the risks are shifted in
log-odds by a chance amount of mean 0 and variance s2, so that to first order

    E[(K - sum p)^2] = V + V^2 s2,    V = sum p (1 - p).

Equating moments over all tenths gives s2, to which PRIOR counts as one more cut-off: a few held-out ones that happened to
fit do not make it nothing. Over cut-offs and not accounts: a season or a shock moves them all at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

FloatArray = npt.NDArray[np.float64]

TENTHS = 10
PRIOR = 0.25  # in log-odds: .07 of a risk of a half; assumed, and outweighed by three cut-offs


def interval(log_odds: FloatArray, spread: FloatArray | float, level: float) -> tuple[FloatArray, FloatArray]:
    """Low and high end of where the share lost among accounts of such a risk lies with certainty `level`: (rows,) each."""
    reach = norm.ppf((1 + level) / 2) * np.asarray(spread, dtype=np.float64)
    return np.asarray(expit(log_odds - reach)), np.asarray(expit(log_odds + reach))


def coverage(predictions: pd.DataFrame, level: float) -> dict[str, float | int | None]:
    """How often the interval held: columns as_of, label, risk and spread, NaN where it was not measured.

    Of each tenth of the accounts by risk at each cut-off, whether the share lost lies within the mean interval, widened by the
    chance in so many accounts: "tenths" judged, "within" the share of them that did (None without any), "level" as asked.
    """
    measured = predictions[predictions["spread"].notna()]
    held = []
    for _, rows in measured.groupby("as_of"):
        risk, lost = rows["risk"].to_numpy(np.float64), rows["label"].to_numpy(np.float64)
        low, high = interval(logit(risk), rows["spread"].to_numpy(np.float64), level)
        for part in np.array_split(np.argsort(risk, kind="stable"), TENTHS):
            mean = float(risk[part].mean())
            chance = norm.ppf((1 + level) / 2) ** 2 * float((risk[part] * (1 - risk[part])).mean()) / len(part)
            end = float(high[part].mean() if lost[part].mean() > mean else low[part].mean())
            held.append(abs(float(lost[part].mean()) - mean) <= np.sqrt((end - mean) ** 2 + chance))
    return {"level": level, "tenths": len(held), "within": float(np.mean(held)) if held else None}


def spread(held: Sequence[tuple[FloatArray, FloatArray]]) -> float | None:
    """Standard deviation in log-odds; `held` gives risks and outcomes, (accounts,) each, of each held-out cut-off.

    None where nothing was held out.
    """
    if not held:
        return None
    excess, weight = 0.0, 0.0
    for risk, lost in held:
        for part in np.array_split(np.argsort(risk, kind="stable"), TENTHS):
            variance = float((risk[part] * (1 - risk[part])).sum())
            excess += float((lost[part] - risk[part]).sum()) ** 2 - variance
            weight += variance**2
    one = weight / len(held)
    return float(np.sqrt((max(excess, 0.0) + one * PRIOR**2) / (weight + one))) if weight else None
