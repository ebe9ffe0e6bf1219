"""The risk model: gradient-boosted trees over stacked cut-offs and horizons; LightGBM text and JSON.

One model tells the risk of no order for any horizon: the horizon is a feature in which risk may only fall. It needs no
calibration afterwards: what cut-offs of late tell of short horizons keeps its level up to date, whereas an error of
labels known a whole horizon ago misleads where there is a season (docs/decisions.md). What last year tells of the season is
added to the trees' log-odds (`models/season.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.catalog import DECLARED
from features.errors import ConfigurationError, ContractError
from features.files import written
from features.versions import version_of
from models.horizons import HORIZON
from models.sampling import least_rows
from models.saved import damaged, read_meta, read_text
from models.season import shifts
from models.spread import interval

FloatArray = npt.NDArray[np.float64]
MONOTONE = {"rises": 1, "falls": -1, "none": 0}
MODEL_FILE = "model.txt"
META_FILE = "model.json"


@dataclass(frozen=True)
class Recipe:
    """What LightGBM is told. Small trees and strong regularisation suit a few thousand accounts."""

    rounds: int
    learning_rate: float
    leaves: int
    min_leaf: int
    feature_fraction: float
    bagging_fraction: float
    l2: float
    seed: int

    def parameters(self) -> dict[str, Any]:
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_leaf,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": self.l2,
            "seed": self.seed,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class RiskModel:
    """Trees, season, and what their matrix must look like.

    `meta`: features, `feature_versions` (of their definitions, by name), period, label, `horizon_periods` (the label's horizon in periods), `steps` (other horizons told, 1
    to so many periods), `season` (shifts of log-odds by day of the year), `spread` (how far off it was at cut-offs held out, `models/spread.py`; None where not measured).
    """

    booster: lgb.Booster
    meta: Mapping[str, Any]

    @property
    def features(self) -> list[str]:
        return list(self.meta["features"])

    def log_odds(self, frame: pd.DataFrame, periods: float | None = None) -> FloatArray:
        """Log-odds of no order in so many periods from `as_of`, the label's horizon where None: (rows,).

        Raises ContractError if a feature or `as_of` is missing.
        """
        return self.log_odds_by_horizon(frame, [self.main if periods is None else periods])[:, 0]

    def log_odds_by_horizon(self, frame: pd.DataFrame, horizons: Sequence[float]) -> FloatArray:
        """`log_odds` for each of some horizons in periods, (rows, horizons); each is worked out once, though asked twice."""
        inputs, season = self.inputs(frame), shifts(self.meta["season"], frame)
        found: dict[float, FloatArray] = {}
        for periods in dict.fromkeys(horizons):
            inputs[:, -1] = periods
            found[periods] = np.asarray(self.booster.predict(inputs, raw_score=True), dtype=np.float64) + season
        return np.column_stack([found[periods] for periods in horizons])

    def predict(self, frame: pd.DataFrame, periods: float | None = None) -> FloatArray:
        """Probability of no order in so many periods, the label's horizon where None: (rows,)."""
        return np.asarray(expit(self.log_odds(frame, periods)), dtype=np.float64)

    @property
    def main(self) -> float:
        """The label's horizon in periods."""
        return float(self.meta["horizon_periods"])

    @property
    def steps(self) -> list[float]:
        """The horizons of `silent_1`, `silent_2`, .. in periods."""
        return [float(step) for step in range(1, int(self.meta["steps"]) + 1)]

    def interval(self, log_odds: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Low and high end of where the share lost among accounts of such a risk lies with certainty `level`.

        NaN where the spread has not been measured.
        """
        spread = self.meta["spread"]
        return interval(log_odds, np.nan if spread is None else spread, level)

    @property
    def content_hash(self) -> str:
        """Hash of trees and meta: the same for the same data, recipe and code."""
        return _hash(self.booster.model_to_string(), self.meta)

    def save(self, folder: Path) -> None:
        """Write `model.txt` and `model.json` into `folder`, whole or not at all."""
        content = {"hash": self.content_hash, **self.meta}
        with written(folder) as temporary:
            (temporary / MODEL_FILE).write_text(self.booster.model_to_string(), encoding="utf-8")
            (temporary / META_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> RiskModel:
        """Read a saved model. Raises ConfigurationError if `folder` holds none, ContractError if it is damaged."""
        missing = [name for name in (MODEL_FILE, META_FILE) if not (folder / name).exists()]
        if missing:
            raise ConfigurationError(f"{folder} holds no model: {missing[0]} is missing. Run `holdfast train` first.")
        saved, content = read_meta(folder / META_FILE)
        if lacking := sorted(
            {"horizon_periods", "steps", "season", "spread", "known_until", "feature_versions"} - set(content)
        ):
            raise ConfigurationError(
                f"{folder / META_FILE} lacks {', '.join(lacking)}: another version made it. Run `holdfast train` again."
            )
        text = read_text(folder / MODEL_FILE)
        if _hash(text, content) != saved:
            raise damaged(
                folder, f"{MODEL_FILE} and {META_FILE} do not have the hash {saved} that they were saved with"
            )
        return cls(lgb.Booster(model_str=text), content)

    def inputs(self, frame: pd.DataFrame) -> FloatArray:
        """The model's features of the matrix in its order, then the label's horizon: (rows, features + 1).

        Raises ContractError if a feature is missing.
        """
        missing = [name for name in self.features if name not in frame.columns]
        if missing:
            raise ContractError(
                f"matrix: {len(missing)} of the model's {len(self.features)} features are missing, for example "
                f"{missing[0]!r}. Train again on these tables, or give the tables the model was trained on."
            )
        matrix = np.empty((len(frame), len(self.features) + 1))
        matrix[:, :-1] = frame[self.features].to_numpy(dtype=np.float64)
        matrix[:, -1] = self.main
        return matrix


def fit(
    rows: pd.DataFrame,
    features: Sequence[str],
    recipe: Recipe,
    meta: Mapping[str, Any],
    season: FloatArray | None = None,
    weight: FloatArray | None = None,
) -> RiskModel:
    """Fit the recipe on `rows`: the features, HORIZON in periods and the outcome at it in `label` (`training_rows`).

    `meta` as RiskModel's, without the features; `season`: shifts of the rows, (rows,), that the trees need not explain;
    `weight`: for how many rows each stands, (rows,), one where None (`models/sampling.py`).
    """
    label = rows["label"].to_numpy(dtype=np.float64)
    names = [*features, HORIZON]
    values = rows[names].to_numpy(dtype=np.float64)
    data = lgb.Dataset(values, label, weight=weight, init_score=season, feature_name=names)
    parameters = recipe.parameters() | {
        "min_data_in_leaf": least_rows(recipe.min_leaf, weight),
        "monotone_constraints": [*_directions(features), -1],
    }
    booster = lgb.train(parameters, data, num_boost_round=recipe.rounds)
    versions = {name: version_of(DECLARED[name]) for name in features}
    return RiskModel(booster, {**meta, "features": list(features), "feature_versions": versions})


def _hash(text: str, meta: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(text.encode())
    digest.update(json.dumps(meta, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _directions(features: Sequence[str]) -> list[int]:
    """Evidence for a reason may only raise the risk in the direction in which it harms: goods that did *not* come
    back must not be read as a product that no longer fits. Symptoms and context are free."""
    return [
        0 if DECLARED[name].reason in ("symptom", "context") else MONOTONE[DECLARED[name].direction]
        for name in features
    ]
