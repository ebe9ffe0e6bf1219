"""Stage score: risk, rank, money and reasons of every eligible account at one as_of."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from time import perf_counter

import pandas as pd

from models.causes import CauseModel
from models.reasons import named, shares
from models.risk import RiskModel
from models.tracking import download_model
from pipeline.frames import features_at, plan_from, write_frame
from pipeline.layout import Layout
from pipeline.params import Params

log = logging.getLogger("holdfast")


def run(layout: Layout, params: Params, as_of: date | None, out: Path, model: str | None) -> None:
    """Write the scores to `out`, Parquet or CSV by its ending."""
    started = perf_counter()
    scores = score(*resolve_model(layout, model), layout, params, as_of or params.score.as_of)[0]
    write_frame(scores, out)
    active = scores[~scores["lapsed"]]
    log.info(
        "score %s: %s accounts at %s, %s of them active, %.0f losses expected; %.1f s; wrote %s",
        layout.source,
        f"{len(scores):,}",
        scores["as_of"].iloc[0],
        f"{len(active):,}",
        active["risk"].sum(),
        perf_counter() - started,
        out,
    )


def score(
    model: RiskModel, why: CauseModel, layout: Layout, params: Params, as_of: date | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores ordered by rank, with the features of the same rows.

    Accounts are ranked by risk; equal risks by expected loss, then by account, so that the order is certain.
    """
    plan = plan_from(dict(model.meta), params.featurize.block)
    frame, rows = features_at(layout, as_of, plan, params.featurize.memory, model.features, why.recipe.lags)
    frame["risk"] = model.predict(frame)
    frame["expected_loss"] = frame["risk"] * frame["amount_12"].clip(lower=0.0)
    frame = frame.sort_values(
        ["risk", "expected_loss", "account_id"], ascending=[False, False, True], ignore_index=True
    )
    hazards = why.hazards(rows).groupby(rows["account_id"]).mean()
    share = shares(hazards.reindex(frame["account_id"]).reset_index(drop=True))
    scores = pd.concat(
        [
            frame[["account_id", "as_of", "lapsed", "risk"]],
            pd.Series(range(1, len(frame) + 1), name="rank"),
            frame["expected_loss"],
            named(share, params.explain.min_share),
            share,
        ],
        axis=1,
    )
    return scores, frame[model.features]


def resolve_model(layout: Layout, model: str | None) -> tuple[RiskModel, CauseModel]:
    """The model at a path or behind an alias of the registry, the source's own where None, and that of causes beside."""
    if model is None:
        folder = layout.model
    else:
        folder = Path(model) if Path(model).is_dir() else download_model(layout.source, model)
    return RiskModel.load(folder), CauseModel.load(folder.parent / layout.causes.name)
