"""Which reason is named: only one whose share makes the name right as often as was asked; else two candidates, or none.
One that owes such a share to evidence worse than any in training is told as a guess: nobody knows how often it is right.

`naming.json` says how often a name was right on markets with planted reasons, by the least share that was named; it is
written by `holdfast reasons --tune`, from other markets than those on which `docs/reasons.md` measures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import ConfigurationError
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy

CURVE_FILE = Path(__file__).with_name("naming.json")
NAMED = 3  # reasons told of an account, at most
LEAST_SECOND = 0.05  # share of a second candidate: more than a reason gets of which nothing shows
LEAST_NAMES = 100  # of which a precision can be told
CERTAINTY = 0.9  # with which names are right as often as asked, as far as other markets are like those measured
DRAWS = 1000


def least_share(precision: float) -> float:
    """The least share at which a reason is named, so that of the names `precision` are right.

    Raises ConfigurationError if no share was right so often.
    """
    curve = json.loads(CURVE_FILE.read_text(encoding="utf-8"))["curve"]
    for row in curve:
        if row["precision"] >= precision:
            return float(row["least_share"])
    raise ConfigurationError(
        f"explain.precision: {precision} was not reached at any share; the most was {curve[-1]['precision']:.2f}. "
        "Ask for less in params.yaml."
    )


def write_curve(share: pd.DataFrame, reason: pd.Series[str], seed: pd.Series[int], recipe: Mapping[str, Any]) -> None:
    """Write `naming.json` from losses of simulated markets, `seed`: that of each loss' market; `recipe`: the parameters of
    the reasons that gave the shares."""
    seeds = sorted(int(one) for one in seed.unique())
    content = {"losses": len(share), "seeds": seeds, "recipe": recipe, "curve": curve(share, reason, seed)}
    CURVE_FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def of_other_recipe(recipe: Mapping[str, Any]) -> list[str]:
    """The parameters of the reasons that differ from those with which it was measured how often a name is right."""
    measured = json.loads(CURVE_FILE.read_text(encoding="utf-8"))["recipe"]
    given = json.loads(json.dumps(recipe))
    return sorted(name for name in {*measured, *given} if measured.get(name) != given.get(name))


def curve(share: pd.DataFrame, reason: pd.Series[str], seed: pd.Series[int] | None = None) -> list[dict[str, float]]:
    """By least share in steps of .01: the share of losses that get a name, and how many of the names are right.

    `share`: `share_<code>` of losses; `reason`: their true codes. With `seed` the precision is what it exceeds with
    90 % when other seeds are drawn from these: a market met later differs from the mean of those at hand, and markets of
    one seed, in which the same events happen, are alike. It is made
    never to fall with the share (isotonic regression), and ends where fewer than 100 losses get a name.
    """
    from sklearn.isotonic import IsotonicRegression

    codes = np.array(taxonomy().codes)
    values = share[[f"share_{code}" for code in codes]].fillna(0.0).to_numpy()
    top, right = values.max(axis=1), codes[values.argmax(axis=1)] == reason.to_numpy()
    limits = np.arange(0, 1, 0.01).round(2)
    named = np.array([(top >= limit).sum() for limit in limits])
    limits, named = limits[named >= LEAST_NAMES], named[named >= LEAST_NAMES]
    if seed is None:
        places, count = np.zeros(len(top), dtype=np.int64), 1
        weight = np.ones((1, 1), dtype=np.int64)
    else:
        places, count = np.asarray(pd.factorize(seed)[0], dtype=np.int64), seed.nunique()
        weight = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), DRAWS)
    precision = []
    for limit in limits:
        names = np.bincount(places[top >= limit], minlength=count)
        hits = np.bincount(places[(top >= limit) & right], minlength=count)
        drawn = weight @ hits / np.maximum(weight @ names, 1)
        precision.append(float(np.quantile(drawn, 1 - CERTAINTY)))
    rising = IsotonicRegression().fit_transform(limits, precision, sample_weight=named)
    return [
        {"least_share": float(limit), "named": float(count / len(top)), "precision": float(value)}
        for limit, count, value in zip(limits, named, rising, strict=True)
    ]


def name(share: pd.DataFrame, learned: pd.DataFrame, least: float, also: float) -> pd.DataFrame:
    """`naming` and `reason_1 .. reason_3` of each account: (accounts, 4).

    "named": the first reason has a share of `least` or more; others follow that have `also` or more. "untried": the same,
    but by what was learned (`learned`, as `CauseModel.shares_and_learned` gives them) it would have less. "candidates": the
    first two have it together, the second at least .05 of it, and either may be the one. "none": no documented reason
    stands out, `reason_1` is `unexplained`. Equal shares stand in the order of the taxonomy.
    """
    codes = np.array(taxonomy().codes)
    columns = [f"share_{code}" for code in codes]
    values = share[columns].fillna(-1.0).to_numpy()
    order = np.argsort(-values, axis=1, kind="stable")[:, :NAMED]
    top = np.take_along_axis(values, order, axis=1)
    enough = top[:, 0] >= max(least, 1e-12)
    known = np.take_along_axis(learned[columns].fillna(-1.0).to_numpy(), order[:, :1], axis=1)[:, 0]
    named = enough & (known >= max(least, 1e-12))
    either = ~enough & (top[:, 1] >= LEAST_SECOND) & (top[:, 0] + top[:, 1] >= least)
    table = codes[order].astype(object)
    told = top >= max(also, 1e-12)
    told[either] = [True, True, False]
    table[~told] = None
    table[~enough & ~either] = None
    table[~enough & ~either, 0] = UNEXPLAINED
    result = pd.DataFrame(table, index=share.index, columns=[f"reason_{place}" for place in range(1, NAMED + 1)])
    result.insert(0, "naming", np.select([named, enough, either], ["named", "untried", "candidates"], "none"))
    return result.astype("str")  # also where a column holds nothing
