"""Why an account would be lost: competing causes, each with its own evidence, learned from losses alone.

A loss shows twice: in its cause, and afterwards in its signs (orders that become rarer and stop). Given that it is under
way, the signs say nothing of the cause. So the log-odds of a loss are

    g(symptoms, context) + log(1 + sum over reasons k of h_k(evidence for k))

where 1 stands for what no table shows and h_k >= 0 is the hazard of reason k in units of it: the share of a reason is
h_k / (1 + sum of all h), as in a model of competing risks (Prentice and others 1978, "The analysis of failure times in
the presence of competing risks"). Each log h_k is a sum of small trees over the evidence for k alone, monotone in the
declared harm, boosted in turn by the gradient of the log-likelihood; g takes up what is no cause and is then dropped.

The decision to leave comes before the silence. So evidence at a cut-off is set against the label `lead` periods later,
and an account is judged by its evidence at the as_of and at the `lags` cut-offs before it. A value that is missing is
no evidence: it counts as that of a healthy peer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from features.catalog import FEATURES
from features.declaration import Feature
from features.errors import ConfigurationError
from features.periods import Duration
from models.risk import MONOTONE
from models.treeshap import GroupShap

FloatArray = npt.NDArray[np.float64]
DECLARED: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}
NO_CAUSE = ("symptom", "context")
META_FILE = "causes.json"
START = 0.05  # hazard of each reason before anything is learned, in units of what no table shows
FEW = 20  # rows that LightGBM puts into a bin of their own for sure
LEAST_CURVATURE = 1e-5  # keeps a leaf's value finite where a cause is all but absent


@dataclass(frozen=True)
class CauseRecipe:
    """How causes are learned: `warm` rounds for g alone, then `rounds` of a tree for g and one for each reason."""

    lead: int
    lags: int
    warm: int
    rounds: int
    learning_rate: float
    leaves: int
    min_leaf: int
    l2: float
    seed: int


@dataclass(frozen=True)
class CauseModel:
    """Trees of log hazards by reason, `features` of each, and by feature the value that stands for a missing one.

    A reason whose evidence hardly ever varied has features but no trees: it is seen, and explains nothing.
    """

    boosters: Mapping[str, lgb.Booster]
    features: Mapping[str, Sequence[str]]
    healthy: Mapping[str, float]
    recipe: CauseRecipe

    def hazards(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Hazard of each reason in units of what no table shows, above that of healthy evidence: (rows, reasons)."""
        result = {reason: np.zeros(len(frame)) for reason in self.features}
        for reason, booster in self.boosters.items():
            absent = np.array([[self.healthy[name] for name in self.features[reason]]])
            values = np.concatenate([absent, self._inputs(reason, frame)])
            hazard = START * np.exp(np.asarray(booster.predict(values, raw_score=True), dtype=np.float64))
            result[reason] = np.maximum(hazard[1:] - hazard[0], 0.0)
        return pd.DataFrame(result, index=frame.index)

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """SHAP values of each reason's log hazard, (rows, features of all reasons)."""
        names = [name for of_reason in self.features.values() for name in of_reason]
        values = pd.DataFrame(0.0, index=frame.index, columns=names)
        for reason, booster in self.boosters.items():
            shap = GroupShap.of(booster, range(len(self.features[reason])))
            values[list(self.features[reason])] = shap.values(self._inputs(reason, frame))
        return values

    @property
    def content_hash(self) -> str:
        """Hash of all trees and constants: the same for the same data, recipe and code."""
        digest = hashlib.sha256(json.dumps(self._meta(), sort_keys=True).encode())
        for booster in self.boosters.values():
            digest.update(booster.model_to_string().encode())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write `<reason>.txt` and `causes.json` into `folder`, whole or not at all."""
        temporary = folder.with_name(f".{folder.name}.writing")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for reason, booster in self.boosters.items():
            booster.save_model(str(temporary / f"{reason}.txt"))
        content = {"hash": self.content_hash, **self._meta()}
        (temporary / META_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)

    @classmethod
    def load(cls, folder: Path) -> CauseModel:
        """Read a saved model. Raises ConfigurationError if `folder` holds none, or only part of one."""
        if not (folder / META_FILE).exists():
            raise ConfigurationError(f"{folder} holds no model of causes. Run `holdfast train` first.")
        content = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        missing = [reason for reason in content["learned"] if not (folder / f"{reason}.txt").exists()]
        if missing:
            raise ConfigurationError(f"{folder}: {missing[0]}.txt is missing. Run `holdfast train` again.")
        boosters = {reason: lgb.Booster(model_file=str(folder / f"{reason}.txt")) for reason in content["learned"]}
        return cls(boosters, content["features"], content["healthy"], CauseRecipe(**content["recipe"]))

    def _meta(self) -> dict[str, Any]:
        return {
            "features": {reason: list(names) for reason, names in self.features.items()},
            "learned": list(self.boosters),
            "healthy": dict(self.healthy),
            "recipe": asdict(self.recipe),
        }

    def _inputs(self, reason: str, frame: pd.DataFrame) -> FloatArray:
        return _filled(frame, self.features[reason], self.healthy)


def ahead(matrix: pd.DataFrame, period: Duration, lead: int) -> pd.DataFrame:
    """The rows of accounts still buying, with the label of `lead` periods later; without rows whose label is unknown."""
    later = matrix[["account_id", "as_of", "label"]].dropna()
    later = later.assign(as_of=[period.before(day, lead) for day in later["as_of"]])
    rows = matrix[~matrix["lapsed"]].drop(columns="label")
    return rows.merge(later, on=["account_id", "as_of"], how="inner", validate="one_to_one")


def fit(rows: pd.DataFrame, features: Sequence[str], recipe: CauseRecipe, progress: bool = True) -> CauseModel:
    """Learn the hazards of all reasons that `features` are evidence for from `rows` (the output of `ahead`).

    Without evidence that varies, or with labels of one kind only, nothing can be told apart: no reason gets a hazard.
    """
    by_reason: dict[str, list[str]] = {}
    for name in features:
        by_reason.setdefault(DECLARED[name].reason, []).append(name)
    plain = [name for reason in NO_CAUSE for name in by_reason.pop(reason, [])]
    by_reason = dict(sorted(by_reason.items()))  # as they are read back
    healthy = {
        name: _healthy(rows[name].to_numpy(dtype=np.float64), name) for names in by_reason.values() for name in names
    }
    label = rows["label"].to_numpy(dtype=np.float64)
    filled = {reason: _filled(rows, names, healthy) for reason, names in by_reason.items()}
    varying = [reason for reason, values in filled.items() if _can_split(values, recipe.min_leaf)]
    if not varying or len(np.unique(label)) < 2:
        return CauseModel({}, by_reason, healthy, recipe)

    signs = _Ensemble(rows[plain].to_numpy(dtype=np.float64), label, recipe, [0] * len(plain), plain)
    causes = {}
    for reason in varying:
        directions = [MONOTONE[DECLARED[name].direction] for name in by_reason[reason]]
        causes[reason] = _Ensemble(filled[reason], label, recipe, directions, by_reason[reason])
    start = np.log(label.mean() / (1 - label.mean())) - np.log1p(START * len(causes))
    hazards = {reason: np.full(len(rows), START) for reason in causes}
    total = 1 + np.sum(list(hazards.values()), axis=0)
    steps = tqdm(range(recipe.warm + recipe.rounds), desc="causes", disable=None if progress else True)
    for step in steps:
        risk = _risk(start + signs.score, total)
        signs.boost(risk - label, risk * (1 - risk))
        if step < recipe.warm:
            continue
        for reason, cause in causes.items():
            risk, part = _risk(start + signs.score, total), hazards[reason] / total
            cause.boost((risk - label) * part, np.maximum(risk * (1 - risk) * part, LEAST_CURVATURE))
            hazards[reason] = START * np.exp(cause.score)
            total = 1 + np.sum(list(hazards.values()), axis=0)
    return CauseModel({reason: cause.booster for reason, cause in causes.items()}, by_reason, healthy, recipe)


class _Ensemble:
    """Trees over some features, boosted by gradients from outside, and their present sum, (rows,)."""

    def __init__(
        self,
        values: FloatArray,
        label: FloatArray,
        recipe: CauseRecipe,
        directions: Sequence[int],
        names: Sequence[str],
    ) -> None:
        self.values, self.score = values, np.zeros(len(values))
        parameters = {
            "objective": "none",
            "learning_rate": recipe.learning_rate,
            "num_leaves": recipe.leaves,
            "min_data_in_leaf": recipe.min_leaf,
            "feature_pre_filter": False,
            "lambda_l2": recipe.l2,
            "feature_fraction": 0.8,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "monotone_constraints": list(directions),
            "seed": recipe.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lgb.Dataset(values, label, feature_name=list(names), params=parameters, free_raw_data=False)
        self.booster = lgb.Booster(parameters, data)

    def boost(self, gradient: FloatArray, curvature: FloatArray) -> None:
        """Add a tree."""
        done = self.booster.current_iteration()
        self.booster.update(fobj=lambda _scores, _data: (gradient, curvature))
        if self.booster.current_iteration() > done:
            tree = self.booster.predict(self.values, start_iteration=done, num_iteration=1, raw_score=True)
            self.score += np.asarray(tree, dtype=np.float64)


def _can_split(values: FloatArray, least: int) -> bool:
    """Whether some feature has so many values on either side of a split: LightGBM fails where none has."""
    if not len(values):
        return False
    usual = np.sort(values, axis=0)[len(values) // 2]
    return bool(((values != usual).sum(axis=0) >= max(least, FEW)).any())


def _risk(signs: FloatArray, total: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-signs) / total), dtype=np.float64)


def _healthy(values: FloatArray, name: str) -> float:
    """The good quartile of those who have a value; 0 where nobody has."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    return float(np.quantile(known, 0.25 if DECLARED[name].direction == "rises" else 0.75))


def _filled(frame: pd.DataFrame, names: Sequence[str], healthy: Mapping[str, float]) -> FloatArray:
    values = frame[list(names)].to_numpy(dtype=np.float64)
    return np.where(np.isnan(values), np.array([healthy[name] for name in names]), values)
