"""Trees that are boosted by gradients from outside: the parts of a likelihood that several ensembles share."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np

from models.causes import CauseRecipe, FloatArray

FEATURE_FRACTION = 0.5  # of a reason's evidence that a tree may use, so that what tells the same shares the credit


def level(label: FloatArray, weight: FloatArray) -> float:
    """The log-odds of the share lost, from which boosting starts; finite where all or none are. Both: (rows,)."""
    rate = min(max(float(np.average(label, weights=weight)), 1e-6), 1 - 1e-6)
    return float(np.log(rate / (1 - rate)))


class Ensemble:
    """Trees over some features, boosted by gradients from outside, and their present sum, (rows,)."""

    def __init__(
        self,
        values: FloatArray,
        label: FloatArray,
        recipe: CauseRecipe,
        bag: int,
        directions: Sequence[int],
        names: Sequence[str],
    ) -> None:
        self.score = np.zeros(len(values))
        parameters = {
            "objective": "none",
            "learning_rate": recipe.learning_rate,
            "num_leaves": recipe.leaves[bag % len(recipe.leaves)],
            "min_data_in_leaf": recipe.min_leaf,
            "feature_pre_filter": False,
            "lambda_l2": recipe.l2,
            "feature_fraction": FEATURE_FRACTION,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "monotone_constraints": list(directions),
            "seed": recipe.seed + bag,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,  # the bags are learned side by side: threads for a stump would mostly wait for each other
            "verbosity": -1,
        }
        data = lgb.Dataset(values, label, feature_name=list(names), params=parameters)
        self.booster = lgb.Booster(parameters, data)

    def boost(self, gradient: FloatArray, curvature: FloatArray) -> None:
        """Add a tree."""
        self.booster.update(fobj=lambda _scores, _data: (gradient, curvature))
        # LightGBM keeps the sum of its trees over the rows it learns from and shows it to measures alone
        self.booster.eval_train(feval=self._keep)

    def _keep(self, scores: FloatArray, _data: lgb.Dataset) -> tuple[str, float, bool]:
        self.score = np.array(scores, dtype=np.float64)
        return "", 0.0, True
