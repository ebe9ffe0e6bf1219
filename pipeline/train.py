"""Stage train: the risk model and the model of causes on all matured labels, saved and tracked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date
from time import perf_counter

import pandas as pd

from features.errors import ConfigurationError
from features.matrix import KEYS
from models import competing, sufficiency
from models.causes import CauseRecipe
from models.risk import Recipe, RiskModel, fit
from models.splits import split
from pipeline.frames import label_of, meta_of, plan_of, read_matrix
from pipeline.layout import Layout
from pipeline.params import Featurize, Reasons, Train
from pipeline.reasons import in_words, learn_exits, save

log = logging.getLogger("holdfast")


def run(layout: Layout, featurize: Featurize, params: Train, reasons: Reasons) -> None:
    """Write `artifacts/<source>/model` and `causes` and register them in MLflow as challenger."""
    started = perf_counter()
    matrix = read_matrix(layout.matrix)
    matured = matrix.loc[matrix["label"].notna(), "as_of"]
    if matured.empty:
        raise ConfigurationError(
            f"No label of the matrix in {layout.matrix} has matured. Give more history or a shorter horizon."
        )
    now = label_of(featurize).matures(max(matured))
    model = fit_at(matrix, now, featurize, params)
    model.save(layout.model)
    rows = matrix[matrix["as_of"].astype(str).isin(model.meta["train_cutoffs"])]
    recipe = CauseRecipe(**reasons.model_dump())
    why = competing.fit(competing.ahead(matrix, featurize.period, recipe.lead), model.features, recipe)
    why = learn_exits(layout, why, matrix, featurize)
    save(layout, model, why, matrix, featurize, params, reasons)
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


def fit_at(matrix: pd.DataFrame, as_of: date, featurize: Featurize, params: Train) -> RiskModel:
    """The recipe fitted on what had matured at `as_of`.

    Raises ConfigurationError if the rows do not suffice to learn from (`models.sufficiency.require`).
    """
    cutoffs = sorted(set(matrix["as_of"]))
    chosen = split(cutoffs, as_of, label_of(featurize), params.cutoffs, params.calibration_cutoffs)
    features = [name for name in matrix.columns if name not in KEYS]
    recipe = Recipe(**params.model_dump(exclude={"cutoffs", "min_losses", "calibration_cutoffs"}))
    constant = sufficiency.require(rows_of(matrix)(chosen.train), features, params.min_losses)
    meta = meta_of(plan_of(featurize)) | {"constant_features": constant}
    return fit(rows_of(matrix), chosen, features, recipe, meta)


def rows_of(matrix: pd.DataFrame) -> Callable[[Sequence[date]], pd.DataFrame]:
    """A function that gives the rows of some cut-offs whose label is known."""
    return lambda cutoffs: matrix[matrix["as_of"].isin(list(cutoffs)) & matrix["label"].notna()]
