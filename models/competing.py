"""Learns competing causes (`models/causes.py`) from losses alone: no true reason is ever told.

The trees of all reasons and those of g are boosted in turn by the gradient of the log-likelihood of the losses, so that
each takes up what the others leave; `models/additive.py` has a model of another kind beside them. An account is in the same
bags at every training, so that a month more of data changes little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from features.catalog import DECLARED
from features.periods import Duration
from models import additive
from models.boosting import Ensemble, level
from models.causes import START, CauseModel, CauseRecipe, FloatArray, filled, harm
from models.risk import MONOTONE
from models.sampling import least_rows, uniform

NO_CAUSE = ("symptom", "context")
FEW = 20  # rows that LightGBM puts into a bin of their own for sure
BEYOND = 0.5  # of the way from the usual value to the worst that `min_leaf` rows had: as far as chance goes
BEYOND_LEAST = {  # by unit, beyond the usual value at least
    "share": 0.05,  # that of a whole region or product line hardly varies but by chance
    "events": 0.25,  # severity: the gravest, 5, on a twentieth of what an account buys
}
LEAST_CURVATURE = 1e-5  # keeps a leaf's value finite where a cause is all but absent


def ahead(matrix: pd.DataFrame, period: Duration, lead: int) -> pd.DataFrame:
    """The rows of accounts still buying, with the label of `lead` periods later; without rows whose label is unknown.

    Who bought again after a silence was not lost by it: where a later label of `matrix` says so, the label is 0.
    """
    later = matrix[["account_id", "as_of", "label"]].dropna()
    stayed = later["account_id"].map(later[later["label"] == 0].groupby("account_id")["as_of"].max())
    later.loc[pd.to_datetime(stayed) > pd.to_datetime(later["as_of"]), "label"] = 0.0
    later = later.assign(as_of=[period.before(day, lead) for day in later["as_of"]])
    rows = matrix[~matrix["lapsed"]].drop(columns="label")
    return rows.merge(later, on=["account_id", "as_of"], how="inner", validate="one_to_one")


def fit(
    rows: pd.DataFrame,
    features: Sequence[str],
    recipe: CauseRecipe,
    progress: bool = True,
    weight: FloatArray | None = None,
) -> CauseModel:
    """Learn the hazards of all reasons that `features` are evidence for from `rows` (the output of `ahead`).

    `weight`: for how many rows each stands, (rows,), one where None (`models/sampling.py`).

    Without evidence that varies, or with labels of one kind only, nothing can be told apart: no reason gets a hazard but
    by evidence worse than any here, or a record of the reason itself.
    """
    least = least_rows(recipe.min_leaf, weight)
    by_reason: dict[str, list[str]] = {}
    for name in features:
        by_reason.setdefault(DECLARED[name].reason, []).append(name)
    plain = [name for reason in NO_CAUSE for name in by_reason.pop(reason, [])]
    by_reason = dict(sorted(by_reason.items()))  # as they are read back
    names = [name for of_reason in by_reason.values() for name in of_reason]
    healthy = {name: _healthy(rows[name].to_numpy(dtype=np.float64), name, weight) for name in names}
    tried = {name: value for name in names if (value := _tried(rows[name], least)) is not None}
    values = {reason: filled(rows, of_reason, healthy) for reason, of_reason in by_reason.items()}
    values = {reason: own for reason, own in values.items() if _can_split(own, least)}
    label = rows["label"].to_numpy(dtype=np.float64)
    if not values or len(np.unique(label)) < 2:
        return CauseModel({}, {}, by_reason, healthy, tried, recipe, {})

    counts = np.ones(len(rows)) if weight is None else weight
    taught = replace(recipe, min_leaf=least)
    signs = rows[plain].to_numpy(dtype=np.float64)

    def learned(bag: int) -> Mapping[str, lgb.Booster]:
        chosen = _in_bag(rows["account_id"], recipe, bag)
        market = _Market(label[chosen], counts[chosen], signs[chosen], plain, taught, bag)
        for reason, own in values.items():
            market.add(reason, own[chosen], by_reason[reason])
        return market.learn(bar)

    steps = recipe.bags * (recipe.warm + recipe.rounds) + additive.steps(recipe)
    with tqdm(total=steps, desc="causes", disable=None if progress else True) as bar:
        slopes = additive.fit(
            (harm(rows, [name], healthy)[:, 0] for name in names),
            names,
            lambda: Ensemble(signs, label, taught, recipe.bags, [0] * len(plain), plain),
            label,
            counts,
            recipe,
            bar,
        )
        bags = Parallel(n_jobs=-1, require="sharedmem")(delayed(learned)(bag) for bag in range(recipe.bags))
    boosters = {reason: [bag[reason] for bag in bags] for reason in values if all(reason in bag for bag in bags)}
    return CauseModel(boosters, slopes, by_reason, healthy, tried, recipe, {})


class _Market:
    """The losses of one bag, and the trees that share in them."""

    def __init__(
        self,
        label: FloatArray,
        weight: FloatArray,
        signs: FloatArray,
        names: Sequence[str],
        recipe: CauseRecipe,
        bag: int,
    ) -> None:
        self.label, self.weight, self.recipe, self.bag = label, weight, recipe, bag
        self.signs = Ensemble(signs, label, recipe, bag, [0] * len(names), names)
        self.causes: dict[str, Ensemble] = {}

    def add(self, reason: str, values: FloatArray, names: Sequence[str]) -> None:
        """Let `reason` take part, unless its evidence does not vary among these accounts."""
        if _can_split(values, self.recipe.min_leaf):
            directions = [MONOTONE[DECLARED[name].direction] for name in names]
            self.causes[reason] = Ensemble(values, self.label, self.recipe, self.bag, directions, names)

    def learn(self, bar: tqdm[Any]) -> dict[str, lgb.Booster]:
        """Boost all in turn; the trees of each reason."""
        label, weight, recipe = self.label, self.weight, self.recipe
        start = level(label, weight) - np.log1p(START * len(self.causes))
        hazards = {reason: np.full(len(label), START) for reason in self.causes}
        total = 1 + sum(hazards.values())
        against = np.exp(-(start + self.signs.score))
        for step in range(recipe.warm + recipe.rounds):
            bar.update()
            risk = 1 / (1 + against / total)
            self.signs.boost(weight * (risk - label), weight * risk * (1 - risk))
            against = np.exp(-(start + self.signs.score))
            if step < recipe.warm:
                continue
            for reason, cause in self.causes.items():
                risk, part = 1 / (1 + against / total), hazards[reason] / total
                cause.boost(
                    weight * (risk - label) * part, weight * np.maximum(risk * (1 - risk) * part, LEAST_CURVATURE)
                )
                hazards[reason] = START * np.exp(cause.score)
                total = 1 + sum(hazards.values())
        # as it is read back: LightGBM writes a tree without a split in another way the second time
        return {reason: lgb.Booster(model_str=cause.booster.model_to_string()) for reason, cause in self.causes.items()}


def _can_split(values: FloatArray, least: int) -> bool:
    """Whether some feature has so many values on either side of a split: LightGBM fails where none has."""
    if not len(values):
        return False
    usual = np.sort(values, axis=0)[len(values) // 2]
    return bool(((values != usual).sum(axis=0) >= max(least, FEW)).any())


def _healthy(values: FloatArray, name: str, weight: FloatArray | None) -> float:
    """The good quartile of those who have a value; 0 where nobody has."""
    there = ~np.isnan(values)
    if not there.any():
        return 0.0
    good = 0.25 if DECLARED[name].direction == "rises" else 0.75
    if weight is None:
        return float(np.quantile(values[there], good))
    return float(np.quantile(values[there], good, weights=weight[there], method="inverted_cdf"))


def _tried(values: pd.Series[float], least: int) -> float | None:
    """How far into harm a feature went in training, and half as far again from its usual value: no tree has learned what
    lies beyond. The usual value itself of one that hardly ever left it, or BEYOND_LEAST beyond it; None for one that was
    never known."""
    declared = DECLARED[str(values.name)]
    harm = MONOTONE[declared.direction]
    known = np.sort(values.dropna().to_numpy(dtype=np.float64) * harm)
    if not len(known):
        return None
    usual = known[len(known) // 2]
    worst = max(known[max(len(known) - max(least, FEW), 0)], usual)
    step = BEYOND_LEAST.get(declared.unit, 0.0)
    return float(harm * max(worst + BEYOND * (worst - usual), usual + step))


def _in_bag(accounts: pd.Series[str], recipe: CauseRecipe, bag: int) -> npt.NDArray[np.bool_]:
    """Rows of the accounts in a bag: by a hash of the account alone, and all of them where there is one bag only.

    Every second bag takes first whom the one before leaves, so that all accounts count about as often.
    """
    if recipe.bags == 1:
        return np.ones(len(accounts), dtype=bool)
    codes, names = pd.factorize(accounts)
    draw = uniform(list(names), f"bags {recipe.seed + bag // 2}")
    return np.asarray(((draw if bag % 2 == 0 else 1 - draw) < recipe.bag_share)[codes])
