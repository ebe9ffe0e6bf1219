"""Why an account would be lost: competing causes, each with its own evidence.

A loss shows twice: in its cause, and afterwards in its signs (orders that become rarer and stop). Given that it is under
way, the signs say nothing of the cause. So the log-odds of a loss are

    g(symptoms, context) + log(1 + sum over reasons k of h_k(evidence for k))

where 1 stands for what no table shows and h_k >= 0 is the hazard of reason k in units of it, as in a model of competing
risks (Prentice and others 1978, "The analysis of failure times in the presence of competing risks"). Each log h_k is a
sum of small trees over the evidence for k alone, monotone in the declared harm (`models/competing.py` learns them, in
bags that are averaged); g takes up what is no cause and is then dropped. A part `additive` of each hazard comes from a model
in which the evidence adds up instead (`models/additive.py`).

The decision to leave comes before the silence. So an account is judged by its evidence at the as_of and at the `lags`
cut-offs before it. A value that is missing is no evidence: it counts as that of a healthy peer. Evidence worse than any
the model learned from (a company in its first crisis) cannot have taught anything: where it is present, its reason has a
hazard of `untried` more. A record of the reason itself, such as the day on which an account closed, is too rare to learn
from and needs no learning: it has a hazard of `stated`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalog import DECLARED
from features.errors import ConfigurationError
from features.files import written
from models.risk import MONOTONE
from models.saved import damaged, read_meta, read_text
from models.shares import Weights, shares
from models.treeshap import GroupShap

FloatArray = npt.NDArray[np.float64]
META_FILE = "causes.json"
Slope = tuple[float, float]  # hazard per unit of harm, and the harm beyond which there is no more
START = 0.05  # hazard of each reason before anything is learned, in units of what no table shows


@dataclass(frozen=True)
class CauseRecipe:
    """How causes are learned and weighed.

    Evidence is set against the label `lead` periods later, and an account judged by that of the as_of and of `lags`
    periods before. `bags` models learn from `bag_share` of the accounts each: `warm` rounds for g alone, then `rounds` of
    a tree for g and one for each reason. The trees of a bag have as many leaves as the next of `leaves`, in turn.
    `additive`: part of the hazards by the model in which evidence adds up, the trees have the rest.
    `untried`: hazard of evidence worse than any that was learned from; `stated`: of a record of the reason itself.
    `power`, `floor` and `unexplained` turn hazards into shares (`models/shares.py`).
    """

    lead: int
    lags: int
    bags: int
    bag_share: float
    warm: int
    rounds: int
    learning_rate: float
    leaves: tuple[int, ...]
    min_leaf: int
    l2: float
    additive: float
    untried: float
    stated: float
    power: float
    floor: float
    unexplained: float
    seed: int


@dataclass(frozen=True)
class CauseModel:
    """Trees of log hazards, a booster a bag for each reason, `slopes` by feature, and the `features` of each reason.

    `healthy`: by feature the value that stands for a missing one. `tried`: by feature the value up to which it was seen
    in training, towards harm. `exits`: what recorded losses taught (`models/exits.py`): "offsets" by code, and how they
    were found; empty where nothing was learned. A reason whose evidence hardly varied has features but no trees.
    """

    boosters: Mapping[str, Sequence[lgb.Booster]]
    slopes: Mapping[str, Slope]
    features: Mapping[str, Sequence[str]]
    healthy: Mapping[str, float]
    tried: Mapping[str, float]
    recipe: CauseRecipe
    exits: Mapping[str, Any]

    @property
    def weights(self) -> Weights:
        """What turns hazards into shares."""
        recipe = self.recipe
        return Weights(recipe.power, recipe.floor, recipe.unexplained, self.exits.get("offsets", {}))

    def shares(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Shares of the reasons by account, `share_<code>` and `share_unexplained`, index account_id.

        `rows` holds account_id and features, a row for each cut-off an account is judged by.
        """
        return self.shares_and_learned(rows)[0]

    def shares_and_learned(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The shares by account, and what they would be if evidence worse than any in training had no hazard of its own."""
        return self.shares_of_parts([rows])

    def shares_of_parts(self, parts: Iterable[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """As `shares_and_learned`, of rows that come in parts: the features of one part alone are in memory at a time."""
        accounts: list[pd.Series[str]] = []
        by_row: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
        for rows in parts:
            accounts.append(rows["account_id"])
            by_row[0].append(self.hazards(rows))
            by_row[1].append(self._untried_hazards(rows))
        of = pd.concat(accounts, ignore_index=True)
        hazards, untried = (pd.concat(one, ignore_index=True).groupby(of).mean() for one in by_row)
        return shares(hazards, self.weights), shares((hazards - untried).clip(lower=0.0), self.weights)

    def hazards_by_account(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Mean hazards over the rows of each account: (accounts, reasons), index account_id."""
        return self.hazards(rows).groupby(rows["account_id"]).mean()

    def hazards(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Hazard of each reason in units of what no table shows, above that of healthy evidence: (rows, reasons)."""
        return sum(self.bag_hazards(frame), start=0.0) / self.recipe.bags  # type: ignore[return-value]

    def bag_hazards(self, frame: pd.DataFrame) -> list[pd.DataFrame]:
        """The hazards as each bag of trees alone would have them; the additive part is the same in all."""
        results: list[dict[str, FloatArray]] = [{} for _ in range(self.recipe.bags)]
        added, trees = self._added(frame), 1 - self.recipe.additive
        beside = self._untried_hazards(frame) + self._stated_hazards(frame)
        for reason, names in self.features.items():
            without_trees = beside[reason].to_numpy() + self.recipe.additive * added[list(names)].sum(axis=1).to_numpy()
            absent = np.array([[self.healthy[name] for name in names]])
            values = np.concatenate([absent, self._inputs(reason, frame)])
            for bag, result in enumerate(results):
                result[reason] = without_trees
                if reason in self.boosters:
                    score = np.asarray(self.boosters[reason][bag].predict(values, raw_score=True), dtype=np.float64)
                    learned = np.maximum(START * (np.exp(score[1:]) - np.exp(score[0])), 0.0)
                    result[reason] = without_trees + trees * learned
        return [pd.DataFrame(result, index=frame.index) for result in results]

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What each value adds to its reason's log hazard, (rows, features of all reasons).

        Of the trees the mean SHAP value over bags, of the additive part what it raises the hazard that a reason starts from,
        parted as the values part the hazard; each counts as much as its part of the hazards.
        Evidence worse than any in training adds what raises the hazard that a reason starts from by `untried`, a record of
        the reason itself what raises it by `stated`.
        """
        names = [name for of_reason in self.features.values() for name in of_reason]
        values = pd.DataFrame(0.0, index=frame.index, columns=names)
        for reason, boosters in self.boosters.items():
            own, inputs = list(self.features[reason]), self._inputs(reason, frame)
            for booster in boosters:
                shap = GroupShap.of(booster, range(len(own))).values(inputs)
                values[own] += (1 - self.recipe.additive) * shap / len(boosters)
        added = self._added(frame)
        for reason in self.features:
            own = list(self.features[reason])
            hazard = added[own].sum(axis=1)
            raised = self.recipe.additive * np.log1p(hazard / START)
            values[own] += added[own].mul((raised / hazard).fillna(0.0), axis=0)
            values[own] += np.log1p(self.recipe.untried / START) * self._untried(reason, frame)
            values[own] += np.log1p(self.recipe.stated / START) * self._stated(reason, frame)
        return values

    @property
    def content_hash(self) -> str:
        """Hash of all trees and constants: the same for the same data, recipe and code."""
        return _hash(self._meta(), (item.model_to_string() for of in self.boosters.values() for item in of))

    def taught(self, exits: Mapping[str, Any]) -> CauseModel:
        """The same model with what recorded losses taught."""
        return replace(self, exits=dict(exits))

    def save(self, folder: Path) -> None:
        """Write `<reason>_<bag>.txt` and `causes.json` into `folder`, whole or not at all."""
        content = {"hash": self.content_hash, **self._meta()}
        with written(folder) as temporary:
            for reason, boosters in self.boosters.items():
                for bag, booster in enumerate(boosters):
                    (temporary / _file(reason, bag)).write_text(booster.model_to_string(), encoding="utf-8")
            (temporary / META_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> CauseModel:
        """Read a saved model. Raises ConfigurationError if `folder` holds none, or only part of one, ContractError if it is
        damaged."""
        if not (folder / META_FILE).exists():
            raise ConfigurationError(f"{folder} holds no model of causes. Run `holdfast train` first.")
        saved, content = read_meta(folder / META_FILE)
        try:
            recipe = CauseRecipe(**{**content["recipe"], "leaves": tuple(content["recipe"]["leaves"])})
            files = {reason: [_file(reason, bag) for bag in range(recipe.bags)] for reason in content["learned"]}
            slopes = {name: (float(slope), float(cap)) for name, (slope, cap) in content["slopes"].items()}
            others = (slopes, content["features"], content["healthy"], content["tried"], recipe, content["exits"])
        except (KeyError, TypeError):
            raise ConfigurationError(
                f"{folder} holds a model of causes from another version of Holdfast. Run `holdfast train` again."
            ) from None
        missing = [name for names in files.values() for name in names if not (folder / name).exists()]
        if missing:
            raise ConfigurationError(f"{folder}: {missing[0]} is missing. Run `holdfast train` again.")
        texts = {reason: [read_text(folder / name) for name in names] for reason, names in files.items()}
        if _hash(content, (text for of in texts.values() for text in of)) != saved:
            raise damaged(folder, f"its files do not have the hash {saved} that they were saved with")
        boosters = {reason: [lgb.Booster(model_str=text) for text in of] for reason, of in texts.items()}
        return cls(boosters, *others)

    def _meta(self) -> dict[str, Any]:
        return {
            "features": {reason: list(names) for reason, names in self.features.items()},
            "learned": list(self.boosters),
            "slopes": {name: list(slope) for name, slope in self.slopes.items()},
            "healthy": dict(self.healthy),
            "tried": dict(self.tried),
            "recipe": asdict(self.recipe),
            "exits": dict(self.exits),
        }

    def _inputs(self, reason: str, frame: pd.DataFrame) -> FloatArray:
        return filled(frame, self.features[reason], self.healthy)

    def _added(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What each value adds to its reason's hazard in the additive model: (rows, features of all reasons)."""
        names = [name for of_reason in self.features.values() for name in of_reason]
        slopes = np.array([self.slopes.get(name, (0.0, 0.0)) for name in names]).reshape(-1, 2)
        parts = slopes[:, 0] * np.minimum(harm(frame, names, self.healthy), slopes[:, 1])
        return pd.DataFrame(parts, index=frame.index, columns=names)

    def _untried_hazards(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What `untried` adds to the hazard of each reason: (rows, reasons)."""
        return self._where(self.recipe.untried, self._untried, frame)

    def _stated_hazards(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What `stated` adds to the hazard of each reason: (rows, reasons)."""
        return self._where(self.recipe.stated, self._stated, frame)

    def _where(
        self, hazard: float, shows: Callable[[str, pd.DataFrame], npt.NDArray[np.bool_]], frame: pd.DataFrame
    ) -> pd.DataFrame:
        """The hazard of each reason of which some feature shows it, 0 of the others: (rows, reasons)."""
        added = {reason: hazard * shows(reason, frame).any(axis=1) for reason in self.features}
        return pd.DataFrame(added, index=frame.index, dtype=np.float64)

    def _untried(self, reason: str, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Where a value is worse than those that its feature had in training: (rows, features)."""
        tried = {name: value for name, value in self.tried.items() if not DECLARED[name].states}
        return self._beyond(reason, frame, tried)

    def _stated(self, reason: str, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Where a record of the reason itself is worse than that of a healthy peer: (rows, features)."""
        healthy = {name: value for name, value in self.healthy.items() if DECLARED[name].states}
        return self._beyond(reason, frame, healthy)

    def _beyond(self, reason: str, frame: pd.DataFrame, limits: Mapping[str, float]) -> npt.NDArray[np.bool_]:
        """Where a value lies beyond its limit towards harm, nowhere for a feature without one: (rows, features)."""
        names = self.features[reason]
        limit = np.array([limits.get(name, np.nan) for name in names])
        harm = np.array([MONOTONE[DECLARED[name].direction] for name in names])
        return np.asarray((frame[list(names)].to_numpy(dtype=np.float64) - limit) * harm > 0)


def filled(frame: pd.DataFrame, names: Sequence[str], healthy: Mapping[str, float]) -> FloatArray:
    """The values of some features, (rows, features), with those of a healthy peer where they are missing."""
    values = frame[list(names)].to_numpy(dtype=np.float64)
    return np.where(np.isnan(values), np.array([healthy[name] for name in names]), values)


def harm(frame: pd.DataFrame, names: Sequence[str], healthy: Mapping[str, float]) -> FloatArray:
    """How far the values of some features lie beyond those of a healthy peer towards harm, 0 where they do not or are
    missing: (rows, features)."""
    towards = np.array([MONOTONE[DECLARED[name].direction] for name in names])
    usual = np.array([healthy[name] for name in names])
    return np.asarray(np.maximum((filled(frame, names, healthy) - usual) * towards, 0.0))


def _hash(meta: Mapping[str, Any], texts: Iterable[str]) -> str:
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()[:16]


def _file(reason: str, bag: int) -> str:
    return f"{reason}_{bag}.txt"
