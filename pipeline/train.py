"""Stage train: the risk model and the model of causes on all matured labels, saved and tracked."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from time import perf_counter

import pandas as pd

from features.errors import ConfigurationError
from features.matrix import KEYS
from models import competing, sufficiency
from models.causes import CauseModel, CauseRecipe
from models.horizons import Horizons, matured, training_rows
from models.risk import Recipe, RiskModel, fit
from models.sampling import lost_in
from models.season import season
from models.spread import spread
from pipeline.frames import SILENCE, label_of, meta_of, plan_of
from pipeline.layout import Layout
from pipeline.params import Featurize, Reasons, Train
from pipeline.past import Past, ahead, sample_of
from pipeline.reasons import in_words, learn_exits, save

log = logging.getLogger("holdfast")


def run(layout: Layout, featurize: Featurize, params: Train, reasons: Reasons) -> None:
    """Write `artifacts/<source>/model` and `causes` and register them in MLflow as challenger."""
    started = perf_counter()
    past = Past.read(layout.matrix, params)
    matrix = past.rows
    model = with_spread(past, outcomes_until(matrix, featurize), featurize, params)
    rows = matrix[matrix["as_of"].astype(str).isin(model.meta["train_cutoffs"]) & matrix["label"].notna()]
    why = fit_causes(matrix, model.features, featurize, params, reasons)
    why = learn_exits(layout, why, past, featurize)
    # A process that is killed in between leaves no model of causes, never one beside another's model of risks.
    shutil.rmtree(layout.causes, ignore_errors=True)
    model.save(layout.model)
    save(layout, model, why, past, featurize)
    if model.meta["constant_features"]:
        log.warning("train %s: %s", layout.source, sufficiency.in_words(model.meta["constant_features"]))
    log.info("train %s: %s", layout.source, in_words(dict(why.exits)))
    log.info(
        "train %s: %s rows, %s losses, %s cut-offs, %s features; %.1f s; wrote %s (hash %s)",
        layout.source,
        f"{len(rows):,}",
        f"{int(rows['label'].sum()):,}",
        len(model.meta["train_cutoffs"]),
        len(model.features),
        perf_counter() - started,
        layout.model,
        model.content_hash,
    )


def outcomes_until(matrix: pd.DataFrame, featurize: Featurize) -> date:
    """First day on which all outcomes that the matrix tells were known.

    Raises ConfigurationError if no label has matured.
    """
    if matrix["label"].isna().all():
        raise ConfigurationError("No label of the matrix has matured. Give more history or a shorter horizon.")
    horizons = horizons_of(featurize)
    told = {column: matrix.loc[matrix[column].notna(), "as_of"] for column in horizons.columns()}
    return max(horizons.matures(column, max(days)) for column, days in told.items() if len(days))


def horizons_of(featurize: Featurize) -> Horizons:
    """The horizons that a risk is told for, from `params.yaml`: silences tell nothing of losses of another kind."""
    steps = featurize.steps if featurize.label == SILENCE else 0
    return Horizons(label_of(featurize), featurize.period, steps)


def fit_at(matrix: pd.DataFrame, as_of: date, featurize: Featurize, params: Train) -> RiskModel:
    """The recipe fitted on what was known at `as_of`; its spread is not measured.

    `matrix` may hold all accounts, or those that `Past.read` keeps for the same `params`: the result is the same.
    Raises ConfigurationError if the rows do not suffice to learn from (`models.sufficiency.require`).
    """
    horizons, features = horizons_of(featurize), [name for name in matrix.columns if name not in KEYS]
    every = matured(sorted(set(matrix["as_of"])), as_of, horizons.label, len(matrix))
    sample, lost = sample_of(params), lost_in(rows_of(matrix)(every))
    matrix = sample.take(matrix, lost)
    known = rows_of(matrix)(every)
    labelled = known[known["as_of"].isin(every[-params.cutoffs :])]
    constant = sufficiency.require(labelled, features, params.min_losses)
    rows = training_rows(matrix, as_of, horizons, params.cutoffs)
    level = season(known, sample.weights(known["account_id"], lost))
    weight = None if sample.whole else sample.weights(rows["account_id"], lost)
    recipe = recipe_from(params)
    meta = {
        **meta_of(plan_of(featurize)),
        "horizon_periods": horizons.main,
        "steps": horizons.steps,
        "season": level.calendar(),
        "spread": None,
        "known_until": str(as_of),
        "constant_features": constant,
        "recipe": params.model_dump(mode="json"),
        "train_cutoffs": [str(cutoff) for cutoff in sorted(set(rows["as_of"]))],
    }
    return fit(rows, features, recipe, meta, level.shifts(rows["as_of"]), weight)


def recipe_from(params: Train) -> Recipe:
    """How the trees of the risk are grown: what of the parameters does not choose the rows that they learn from."""
    return Recipe(**params.model_dump(exclude={"cutoffs", "held_out", "sample", "min_losses"}))


def fit_causes(
    matrix: pd.DataFrame,
    features: Sequence[str],
    featurize: Featurize,
    params: Train,
    reasons: Reasons,
    progress: bool = True,
) -> CauseModel:
    """The model of causes, of the same accounts as the risk model, from all labels of the matrix."""
    recipe = CauseRecipe(**reasons.model_dump())
    rows, weight = ahead(matrix, featurize, params, recipe.lead)
    return competing.fit(rows, features, recipe, progress, weight)


def with_spread(past: Past, as_of: date, featurize: Featurize, params: Train) -> RiskModel:
    """The same with its spread, of all accounts at the last `held_out` cut-offs whose label has matured: by a model fitted
    on what was known at the first of them. Where that is too little to learn from, the spread stays unknown."""
    model = fit_at(past.rows, as_of, featurize, params)
    if not params.held_out:
        return model
    held = matured(past.cutoffs, as_of, label_of(featurize), params.held_out)
    try:
        earlier = fit_at(past.rows, held[0], featurize, params)
    except ConfigurationError as error:
        log.info("the interval of the risks at %s is not known: %s", as_of, error)
        return model
    frames = (past.labelled([cutoff]) for cutoff in held)
    off = spread([(earlier.predict(frame), frame["label"].to_numpy(dtype=float)) for frame in frames])
    return replace(model, meta={**model.meta, "spread": off})


def rows_of(matrix: pd.DataFrame) -> Callable[[Sequence[date]], pd.DataFrame]:
    """A function that gives the rows of some cut-offs whose label is known."""
    return lambda cutoffs: matrix[matrix["as_of"].isin(list(cutoffs)) & matrix["label"].notna()]
