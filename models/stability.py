"""How far the reasons can be trusted: how often the first one changes between bags, and what a placebo would get."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.catalog import DECLARED
from models.causes import CauseModel, CauseRecipe
from models.competing import fit
from models.sampling import FloatArray
from models.shares import shares

LARGE = 0.5


class Placebo(NamedTuple):
    """The mean share that a reason gets by another account's evidence, and what it would be by what was learned alone:
    evidence worse than any in training has a hazard wherever it lands."""

    share: float
    learned: float


def top_changes(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Share of the rows whose largest share is another in `other` than in `one`, that of what is unexplained among them: of
    all rows, and of those where it exceeds one half in `one` (NaN where it does nowhere). Both: `share_<code>` by row."""
    first, second = one.fillna(0.0).to_numpy(), other.fillna(0.0).to_numpy()
    changed = first.argmax(axis=1) != second.argmax(axis=1)
    large = first.max(axis=1) > LARGE
    return {
        "all": float(changed.mean()) if len(changed) else float("nan"),
        "large": float(changed[large].mean()) if large.any() else float("nan"),
    }


def between_bags(model: CauseModel, rows: pd.DataFrame) -> dict[str, float]:
    """`top_changes` between the bags of a model, the mean over all pairs; `rows` as for `CauseModel.shares`.

    The model itself, their mean, changes less than its bags do.
    """
    by_bag = [shares(hazards.groupby(rows["account_id"]).mean(), model.weights) for hazards in model.bag_hazards(rows)]
    pairs = [top_changes(one, other) for one, other in combinations(by_bag, 2)]
    if not pairs:
        return {"all": float("nan"), "large": float("nan")}
    return {name: _mean([pair[name] for pair in pairs]) for name in ("all", "large")}


def _mean(values: Sequence[float]) -> float:
    """The mean of those that are there; NaN where none is."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def placebo_share(
    matrix: pd.DataFrame,
    rows: pd.DataFrame,
    judged: pd.DataFrame,
    features: Sequence[str],
    recipe: CauseRecipe,
    code: str,
    weight: FloatArray | None = None,
) -> Placebo:
    """The mean share that `code` gets in `judged` when its evidence is another account's: a reason that is none.

    The model learns anew from `rows` (as `competing.fit` takes them, with their `weight`) in which the accounts have swapped
    all evidence for `code` (`swapped`); so have those of `judged`. `matrix` holds whom they may swap with: all accounts at
    the cut-offs of both. What is left is what chance and the floor of the shares give.
    """
    own = [name for name in features if DECLARED[name].reason == code]
    pool = pd.concat([matrix[~matrix["lapsed"]], judged], ignore_index=True).drop_duplicates(["account_id", "as_of"])
    evidence = swapped(pool, own, recipe.seed)

    def foreign(frame: pd.DataFrame) -> pd.DataFrame:
        at = pd.MultiIndex.from_frame(frame[["account_id", "as_of"]])
        return frame.assign(**evidence.loc[at].reset_index(drop=True).set_axis(frame.index))

    model = fit(foreign(rows), features, recipe, progress=False, weight=weight)
    share, learned = model.shares_and_learned(foreign(judged))
    return Placebo(*(float(part[f"share_{code}"].mean()) for part in (share, learned)))


def swapped(rows: pd.DataFrame, columns: Sequence[str], seed: int) -> pd.DataFrame:
    """The `columns` of another account that is there at the same as_of, index account_id and as_of.

    At each as_of everybody takes those of the next in one circle of all accounts, drawn by chance: so each row's values are
    given to exactly one account, and an account keeps its donor from one as_of to the next, as evidence lasts.
    """
    accounts = rows["account_id"].unique()
    place = pd.Series(np.random.default_rng(seed).permutation(len(accounts)), index=accounts)
    circle = rows.assign(place=rows["account_id"].map(place)).sort_values(["as_of", "place"], ignore_index=True)
    position = pd.Series(np.arange(len(circle))).groupby(circle["as_of"])
    donor = position.shift().fillna(position.transform("last")).astype(int)
    values = circle[list(columns)].iloc[donor].reset_index(drop=True)
    return values.set_axis(pd.MultiIndex.from_frame(circle[["account_id", "as_of"]]))
