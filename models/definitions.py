"""How rankings by several definitions of a loss agree, and what each says of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

FloatArray = NDArray[np.float64]
TENTH = 0.1


def ranks(risks: pd.DataFrame) -> pd.DataFrame:
    """Rank of every account in each ranking, 1 the riskiest; equal risks in the order of the rows: like `risks`."""
    return (-risks).rank(method="first").astype(int)


def compare(risks: pd.DataFrame, labels: pd.DataFrame) -> dict[str, Any]:
    """Agreement of the rankings in the columns of `risks` (accounts x definitions).

    `labels` has the same rows and columns: 1 lost, 0 kept, NaN where the definition does not apply. In the result, by
    definition: "lost" (how many accounts it applies to, how many are lost, and their share); and by two definitions,
    "spearman" (correlation of the ranks, -1 to 1), "overlap" (part of the first's riskiest tenth that is in the
    second's, 0 to 1), "auc" (of the first's ranking, against the losses of the second, among those it applies to; 0.5 is
    a coin). None where it cannot be told: of ranks that do not vary, of losses of one kind only.
    """
    names = list(risks.columns)
    placed = ranks(risks)
    tenth = max(int(np.ceil(TENTH * len(risks))), 1)
    first = {name: set(placed.index[placed[name] <= tenth]) for name in names}
    levels = risks.rank()
    spearman = {name: {other: _correlation(levels[name], levels[other]) for other in names} for name in names}
    return {
        "lost": {name: _counted(labels[name]) for name in names},
        "spearman": spearman,
        "overlap": {name: {other: len(first[name] & first[other]) / tenth for other in names} for name in names},
        "auc": {name: {other: _auc(labels[other], risks[name]) for other in names} for name in names},
    }


def moves(risks: pd.DataFrame, base: str, most: int) -> list[dict[str, Any]]:
    """The accounts whose rank moves most from the ranking by `base` to any other: account_id, ranks, and by how much.

    The index of `risks` is the account. An account moves by the largest difference of its rank from the base's.
    """
    placed = ranks(risks)
    values = placed.to_numpy(int)
    distance = np.abs(values - placed[base].to_numpy(int)[:, None]).max(axis=1)
    accounts = [str(account) for account in placed.index]
    order = sorted(np.flatnonzero(distance), key=lambda row: (-distance[row], accounts[row]))[:most]
    return [
        {
            "account_id": accounts[row],
            "moves": int(distance[row]),
            "ranks": dict(zip(placed.columns, map(int, values[row]), strict=True)),
        }
        for row in order
    ]


def two_kinds(label: pd.Series[float]) -> bool:
    """Whether there are losses as well as accounts kept."""
    return label.dropna().nunique() == 2


def _counted(label: pd.Series[float]) -> dict[str, Any]:
    known = label.dropna()
    return {"accounts": len(known), "lost": int(known.sum()), "share": float(known.mean()) if len(known) else None}


def _correlation(one: pd.Series[float], other: pd.Series[float]) -> float | None:
    if one.nunique() < 2 or other.nunique() < 2:
        return None
    return float(np.corrcoef(one.to_numpy(float), other.to_numpy(float))[0, 1])


def _auc(label: pd.Series[float], risk: pd.Series[float]) -> float | None:
    known = label.notna()
    return float(roc_auc_score(label[known], risk[known])) if two_kinds(label) else None
