"""What the shares of the reasons are set against in `benchmarks/reasons.py`: simpler ways, and one that is told the truth."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.catalog import DECLARED, FEATURES
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy

CODES = taxonomy().codes
ALL = (*CODES, UNEXPLAINED)
ROUNDS = 60
PARAMETERS = {
    "objective": "multiclass",
    "num_class": len(ALL),
    "learning_rate": 0.05,
    "num_leaves": 4,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def most_common(reasons: pd.Series[str], index: pd.Index[int]) -> pd.DataFrame:
    """The same shares for all: how often each of the true `reasons` was."""
    common = reasons.value_counts(normalize=True)
    return pd.DataFrame({f"share_{code}": common.get(code, 0.0) for code in ALL}, index)


def z_scores(losses: pd.DataFrame, healthy: pd.DataFrame) -> pd.DataFrame:
    """By reason the largest z-score of its features in the direction in which they harm, against all accounts.

    They are no shares: only their order counts.
    """
    result = {}
    for code in CODES:
        own = [feature for feature in FEATURES if feature.reason == code and feature.name in losses]
        sign = np.array([1.0 if feature.direction == "rises" else -1.0 for feature in own])
        names = [feature.name for feature in own]
        spread = healthy[names].std().replace(0, np.nan)
        result[f"share_{code}"] = ((losses[names] - healthy[names].mean()) / spread * sign).max(axis=1).fillna(-np.inf)
    return pd.DataFrame(result)


def of_positive(groups: pd.DataFrame) -> pd.DataFrame:
    """What pushes the risk up, as shares of all that does; symptoms and context count as unexplained.

    Where nothing else does, the order of what is below zero is kept by shares next to nothing.
    """
    values = groups.reindex(columns=list(CODES)).fillna(0.0)
    rest = groups.drop(columns=[code for code in CODES if code in groups]).clip(lower=0.0).sum(axis=1)
    up = values.clip(lower=0.0) + 1e-9 * np.exp(values)
    total = up.sum(axis=1) + rest
    return up.div(total, axis=0).add_prefix("share_").assign(share_unexplained=rest / total)


def told(past: pd.DataFrame, judged: pd.DataFrame, features: Sequence[str], seed: int) -> pd.DataFrame:
    """Shares by a model that learned from the true reasons of past losses, mean over the rows of each `loss`.

    `past`: rows of evidence of losses with their true `reason`; `judged`: rows with the number of a `loss`. One LightGBM
    of all reasons, over the `features` that are evidence for any. On plain and hidden markets of seed 31 it was right as
    often as any other tried or oftener: two or eight leaves, 100 to 150 trees, signs beside the evidence, a monotone model
    for each reason over its own evidence alone (rel7 .68 to .71 hidden, .76 to .78 plain).
    """
    names = [name for name in features if DECLARED[name].reason in CODES]
    number = past["reason"].map({code: place for place, code in enumerate(ALL)})
    data = lgb.Dataset(past[names].to_numpy(dtype=np.float64), number.to_numpy(), feature_name=names)
    model = lgb.train({**PARAMETERS, "seed": seed}, data, ROUNDS)
    chances = np.asarray(model.predict(judged[names].to_numpy(dtype=np.float64)))
    columns = [f"share_{code}" for code in ALL]
    return pd.DataFrame(chances, judged.index, columns).groupby(judged["loss"]).mean()
