"""The risk model: gradient-boosted trees over stacked cut-offs, calibrated out of time; LightGBM text and JSON."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression

from features.catalog import DECLARED
from features.errors import ConfigurationError, ContractError
from models.splits import Split

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
            "force_row_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: calibrated log-odds = intercept + slope x log-odds of the trees."""

    intercept: float = 0.0
    slope: float = 1.0


@dataclass(frozen=True)
class RiskModel:
    """Trees, calibration, and what its matrix must look like (`meta`: features, period, label, cut-offs)."""

    booster: lgb.Booster
    calibration: Calibration
    meta: Mapping[str, Any]

    @property
    def features(self) -> list[str]:
        return list(self.meta["features"])

    def log_odds(self, frame: pd.DataFrame) -> FloatArray:
        """Calibrated log-odds of no order in the horizon: (rows,)."""
        raw = np.asarray(self.booster.predict(self.inputs(frame), raw_score=True), dtype=np.float64)
        return self.calibration.intercept + self.calibration.slope * raw

    def predict(self, frame: pd.DataFrame) -> FloatArray:
        """Probability of no order in the horizon: (rows,)."""
        return 1 / (1 + np.exp(-self.log_odds(frame)))

    @property
    def content_hash(self) -> str:
        """Hash of trees, calibration and meta: the same for the same data, recipe and code."""
        digest = hashlib.sha256(self.booster.model_to_string().encode())
        digest.update(json.dumps([asdict(self.calibration), self.meta], sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write `model.txt` and `model.json` into `folder`, whole or not at all."""
        temporary = folder.with_name(f".{folder.name}.writing")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        self.booster.save_model(str(temporary / MODEL_FILE))
        content = {"calibration": asdict(self.calibration), "hash": self.content_hash, **self.meta}
        (temporary / META_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)

    @classmethod
    def load(cls, folder: Path) -> RiskModel:
        """Read a saved model. Raises ConfigurationError if `folder` holds none."""
        missing = [name for name in (MODEL_FILE, META_FILE) if not (folder / name).exists()]
        if missing:
            raise ConfigurationError(f"{folder} holds no model: {missing[0]} is missing. Run `holdfast train` first.")
        content = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        calibration = Calibration(**content.pop("calibration"))
        content.pop("hash")
        return cls(lgb.Booster(model_file=str(folder / MODEL_FILE)), calibration, content)

    def inputs(self, frame: pd.DataFrame) -> FloatArray:
        """The model's features of the matrix in its order, (rows, features). Raises ContractError if one is missing."""
        missing = [name for name in self.features if name not in frame.columns]
        if missing:
            raise ContractError(
                f"matrix: {len(missing)} of the model's {len(self.features)} features are missing, for example "
                f"{missing[0]!r}. Train again on these tables, or give the tables the model was trained on."
            )
        return frame[self.features].to_numpy(dtype=np.float64)


def fit(
    rows: Callable[[Sequence[date]], pd.DataFrame],
    split: Split,
    features: Sequence[str],
    recipe: Recipe,
    meta: Mapping[str, Any],
) -> RiskModel:
    """Fit the recipe on the matured cut-offs of `split`; `rows` gives the matrix of some cut-offs.

    The calibration is learned from a model that has seen only labels matured before the calibration cut-offs; the
    model kept is then fitted on all.

    Raises ConfigurationError if the training rows hold one class only.
    """
    calibration = Calibration()
    if split.calibration:
        held = rows(split.calibration)
        earlier = _train(rows(split.before_calibration), features, recipe)
        raw = np.asarray(earlier.predict(held[list(features)].to_numpy(dtype=np.float64), raw_score=True))
        if held["label"].nunique() == 2:
            # a faint ridge only, so that a separable sample has a finite slope
            platt = LogisticRegression(C=1e3).fit(raw[:, None], held["label"])
            calibration = Calibration(float(platt.intercept_[0]), float(platt.coef_[0, 0]))
    booster = _train(rows(split.train), features, recipe)
    return RiskModel(
        booster,
        calibration,
        {**meta, "features": list(features), "train_cutoffs": [str(cutoff) for cutoff in split.train]},
    )


def _train(frame: pd.DataFrame, features: Sequence[str], recipe: Recipe) -> lgb.Booster:
    label = frame["label"].to_numpy(dtype=np.float64)
    if len(np.unique(label)) < 2:
        what = "no account was lost" if not label.any() else "every account was lost"
        raise ConfigurationError(
            f"In the {len(label)} training rows {what}, so there is nothing to learn. "
            "Check horizon and cut-offs in params.yaml."
        )
    data = lgb.Dataset(
        frame[list(features)].to_numpy(dtype=np.float64), label, feature_name=list(features), free_raw_data=True
    )
    parameters = recipe.parameters() | {"monotone_constraints": _directions(features)}
    return lgb.train(parameters, data, num_boost_round=recipe.rounds)


def _directions(features: Sequence[str]) -> list[int]:
    """Evidence for a reason may only raise the risk in the direction in which it harms: goods that did *not* come
    back must not be read as a product that no longer fits. Symptoms and context are free."""
    return [
        0 if DECLARED[name].reason in ("symptom", "context") else MONOTONE[DECLARED[name].direction]
        for name in features
    ]
