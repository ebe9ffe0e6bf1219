"""Stage score: risk, rank, money and reasons of every eligible account at one as_of."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import expit

from features.matrix import SILENT
from models import label_free, naming
from models.campaign import Economics
from models.causes import CauseModel
from models.evidence import PAST
from models.profit import contact_profit
from models.risk import RiskModel
from models.tracking import downloaded_model
from pipeline import history
from pipeline.frames import features_at, plan_from, write_frame, write_text
from pipeline.layout import Layout
from pipeline.params import Params

log = logging.getLogger("holdfast")

LOG_ODDS = "log_odds"


@dataclass(frozen=True)
class Scored:
    """A scoring: `scores` in the order of the rank; `rows` features of all cut-offs that it looked at."""

    scores: pd.DataFrame
    rows: pd.DataFrame
    as_of: date

    def features(self, day: date) -> pd.DataFrame:
        """The rows of one cut-off, index account_id."""
        return self.rows[self.rows["as_of"] == day].set_index("account_id")


def run(layout: Layout, params: Params, as_of: date | None, out: Path, model: str | None, everyone: bool) -> None:
    """Write the scores to `out`, Parquet or CSV by its ending, and keep them in the history.

    What the ranking is likely to be worth goes to `live.json`, where `out` is the source's own `scores.parquet`.
    """
    started = perf_counter()
    risk, why = resolve_model(layout, model)
    scored = score(risk, why, layout, params, as_of or params.score.as_of, everyone)
    scores = scored.scores
    write_frame(scores, out)
    if out.resolve() == layout.scores.resolve():
        told = label_free.live(scores, params.evaluate.bootstrap, params.evaluate.level, params.evaluate.seed)
        expected = {"as_of": str(scored.as_of), "model": risk.content_hash, "population": told}
        write_text(json.dumps(expected, indent=1) + "\n", layout.live)
    history.keep(layout, scores, scored.features(scored.as_of)[risk.features], risk, why)
    active = scores[~scores["lapsed"]]
    log.info(
        "score %s: %s accounts at %s, %s of them active, %.0f losses expected; %.1f s; wrote %s",
        layout.source,
        f"{len(scores):,}",
        scored.as_of,
        f"{len(active):,}",
        active["risk"].sum(),
        perf_counter() - started,
        out,
    )


def score(
    model: RiskModel, why: CauseModel, layout: Layout, params: Params, as_of: date | None, everyone: bool = False
) -> Scored:
    """Scores ordered by rank. Reasons are told of the `explain.rank` riskiest active and as many lapsed accounts, or of
    `everyone`.

    Accounts are ranked by risk; equal risks by expected loss, then by account, so that the order is certain.
    """
    plan = plan_from(dict(model.meta), params.featurize.block)
    backs = sorted({*range(why.recipe.lags + 1), 1, PAST})
    rows = features_at(layout, as_of, plan, params.featurize, model.features, backs, partial(_judged, model))
    day: date = max(rows["as_of"])
    frame, rows = rows[rows["as_of"] == day].reset_index(drop=True), rows.drop(columns=_judgement(model))
    log_odds = frame.pop(LOG_ODDS).to_numpy()
    frame["risk"] = expit(log_odds)
    frame["risk_low"], frame["risk_high"] = model.interval(log_odds, params.score.level)
    yearly = frame["amount_12"].clip(lower=0.0)  # who returned more than it bought has nothing to lose
    frame["amount_12"] = yearly
    frame["expected_loss"] = frame["risk"] * yearly
    economics = Economics(**params.money.model_dump())
    active = ~frame["lapsed"].to_numpy(bool)
    value = economics.value(yearly)
    frame["contact_profit"] = np.where(
        active, contact_profit(frame["risk"], value, economics.terms(value[active])), np.nan
    )
    frame = frame.sort_values(
        ["risk", "expected_loss", "account_id"], ascending=[False, False, True], ignore_index=True
    )
    most = len(frame) if everyone or params.explain.rank is None else params.explain.rank
    of_kind = frame.groupby("lapsed").cumcount()  # lapsed accounts, riskier all, would leave no room for active ones
    explained = frame.loc[of_kind < most, "account_id"]
    judged = rows["as_of"].isin([plan.period.before(day, back) for back in range(why.recipe.lags + 1)])
    share = why.shares(rows[judged & rows["account_id"].isin(explained)]).reindex(explained)
    reasons = naming.name(share, naming.least_share(params.explain.precision), params.explain.also)
    told = pd.concat([reasons, share], axis=1).reindex(frame["account_id"]).reset_index(drop=True)
    scores = pd.concat(
        [
            frame[["account_id", "as_of", "lapsed", "risk", "risk_low", "risk_high"]],
            frame[[name for name in SILENT if name in frame]],
            pd.Series(range(1, len(frame) + 1), name="rank"),
            frame[["amount_12", "expected_loss", "contact_profit"]],
            told,
        ],
        axis=1,
    )
    return Scored(scores, rows, day)


def _judged(model: RiskModel, day: date, part: pa.Table) -> pa.Table:
    """The part with log-odds and `silent_<k>` of its rows of `day`: worked out where the part is."""
    now = part["as_of"].to_numpy() == np.datetime64(day)
    values = np.full((1 + int(model.meta["steps"]), part.num_rows), np.nan)
    if now.any():
        frame = part.filter(pa.array(now)).to_pandas()
        values[0, now] = model.log_odds(frame)
        values[1:, now] = model.when(frame).to_numpy().T
    for name, column in zip(_judgement(model), values, strict=True):
        part = part.append_column(name, pa.array(column))
    return part


def _judgement(model: RiskModel) -> list[str]:
    return [LOG_ODDS, *SILENT[: int(model.meta["steps"])]]


def resolve_model(layout: Layout, model: str | None) -> tuple[RiskModel, CauseModel]:
    """The model at a path or behind an alias of the registry, the source's own where None, and that of causes beside."""
    if model is None or Path(model).is_dir():
        folder = layout.model if model is None else Path(model)
        return RiskModel.load(folder), CauseModel.load(folder.parent / layout.causes.name)
    with downloaded_model(layout.source, model) as folder:
        return RiskModel.load(folder), CauseModel.load(folder.parent / layout.causes.name)
