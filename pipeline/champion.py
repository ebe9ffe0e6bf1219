"""Champion and challenger: the comparison at the test cut-offs, and what a person decides of the two.

One worked example runs through the comments: horizon three months, test cut-offs 2024-08-01, 2024-09-01, 2024-10-01.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
from pydantic import ValidationError

from features.errors import ConfigurationError, HoldfastError
from features.matrix import KEYS
from models import registry, stability
from models.causes import CauseModel
from models.metrics import evaluate
from models.registry import Registered
from models.risk import RiskModel
from pipeline.frames import SILENCE, meta_of, plan_of
from pipeline.layout import Layout
from pipeline.params import Evaluate, Featurize, Train
from pipeline.past import Past, sample_of
from pipeline.reasons import last_rows
from pipeline.train import fit_at
from reports import card

SAME = ("period", "horizon", "label")  # else the two predict other things, from other windows


def compare(
    layout: Layout,
    version: str,
    why: CauseModel,
    past: Past,
    predictions: pd.DataFrame,
    featurize: Featurize,
    train: Train,
    params: Evaluate,
) -> dict[str, Any]:
    """Challenger beside the champion of `version`: "compared" is "models", "recipes" or "nothing", "why" says why so.

    `predictions` are those of the evaluation: "risk" is the challenger's recipe refitted at each test cut-off. Where it
    was possible there are "cutoffs", "population" and "paired" as `models.metrics.evaluate` gives them (of "risk" and
    "champion"), and "reasons": share of the accounts active at the last cut-off whose first reason changes.
    """
    try:
        champion = registry.registered(layout.source, version)
        comparable(champion, past.rows, featurize)
        cutoffs = sorted(set(predictions["as_of"]))
        fair = out_of_time(champion.risk, cutoffs)
        if fair:
            said = {"compared": "models", "why": "of these test cut-offs the champion had seen no label"}
        else:
            fair, said = cutoffs, {"compared": "recipes", "why": "the champion has seen labels of every test cut-off"}
        rows = [past.labelled([day]) for day in fair]
        if said["compared"] == "models":
            others = [champion.risk.predict(frame) for frame in rows]
        else:
            recipe, assumed = recipe_of(champion, train)
            said["why"] += f"; it was told nothing of {', '.join(assumed)}" if assumed else ""
            own = list(champion.risk.features)
            here = list(past.rows.columns)
            keys = [name for name in here if name in KEYS]
            same = recipe == train and own == [name for name in here if name not in KEYS]
            if same:
                said["why"] += "; the recipes are the same"
            learned = past.rows if same or sample_of(recipe) == sample_of(train) else past.sampled(recipe)
            others = [
                predictions.loc[predictions["as_of"] == day, "risk"].to_numpy()
                if same
                else fit_at(learned[[*keys, *own]], day, featurize, recipe).predict(frame)
                for day, frame in zip(fair, rows, strict=True)
            ]
    except HoldfastError as error:
        return {"version": version, "compared": "nothing", "why": str(error)}
    keyed = pd.concat(
        [frame[["account_id", "as_of"]].assign(champion=risk) for frame, risk in zip(rows, others, strict=True)]
    )
    both = predictions[["account_id", "as_of", "label", "lapsed", "risk"]].merge(
        keyed, on=["account_id", "as_of"], how="inner", validate="one_to_one"
    )
    return {
        "version": version,
        "model_hash": champion.risk.content_hash,
        "cause_hash": champion.why.content_hash,
        **said,
        "cutoffs": [str(day) for day in fair],
        **evaluate(both, ["risk", "champion"], params.bootstrap, params.level, params.seed),
        "reasons": changes(champion.why, why, past, featurize),
    }


def comparable(champion: Registered, matrix: pd.DataFrame, featurize: Featurize) -> None:
    """Raise HoldfastError unless the champion predicts the same and this matrix has its features."""
    today = meta_of(plan_of(featurize))
    for name in SAME:
        before, now = (meta.get(name, SILENCE) for meta in (champion.risk.meta, today))
        if before != now:
            raise HoldfastError(f"its {name} is {before}, now it is {now}")
    needed = [*champion.risk.features, *(name for names in champion.why.features.values() for name in names)]
    missing = [name for name in dict.fromkeys(needed) if name not in matrix.columns]
    if missing:
        raise HoldfastError(f"the matrix lacks {len(missing)} of its features, for example {missing[0]!r}")


def out_of_time(champion: RiskModel, cutoffs: Sequence[date]) -> list[date]:
    """The cut-offs of which the champion has seen no label: all that it learned from had matured by then.

    Trained on what was known at 2024-08-01, its predictions for 2024-08-01 and later are out of time.
    """
    seen = date.fromisoformat(champion.meta["known_until"])
    return [cutoff for cutoff in cutoffs if seen <= cutoff]


def recipe_of(champion: Registered, today: Train) -> tuple[Train, list[str]]:
    """The champion's recipe from what its run was told, and the parameters it was not told, taken as they are today."""
    told = {name: champion.params[name] for name in Train.model_fields if name in champion.params}
    try:
        recipe = Train.model_validate({**today.model_dump(), **told})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise HoldfastError(f"its recipe cannot be used: {wrong['loc'][0]}: {wrong['msg']}") from None
    return recipe, [name for name in Train.model_fields if name not in told]


def changes(one: CauseModel, other: CauseModel, past: Past, featurize: Featurize) -> dict[str, Any]:
    """How many of the accounts active at the last cut-off have another largest share in `other` than in `one`."""
    shares = [model.shares(last_rows(model, past, featurize)) for model in (one, other)]
    found = stability.top_changes(shares[0], shares[1].reindex(shares[0].index))
    known = {name: value if math.isfinite(value) else None for name, value in found.items()}
    return {"accounts": len(shares[0]), **known}


def promote(layout: Layout, version: int | None, by: str | None, why: str | None, force: bool) -> str:
    """Make a version champion as a person decides; says what was done."""
    return registry.promote(
        layout.source, None if version is None else str(version), decider(by), why, force, card.render
    )


def rollback(layout: Layout, by: str | None, why: str | None) -> str:
    """Bring back the champion before the present one as a person decides; says what was done."""
    return registry.rollback(layout.source, decider(by), why, card.render)


def decider(by: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Who decides: as given, else the user of the environment. Raises ConfigurationError if nobody is known."""
    name = (by or environ.get("USER") or environ.get("LOGNAME") or "").strip()
    if not name:
        raise ConfigurationError("Who decides? Neither --by was given nor is USER set. Give --by NAME.")
    return name
