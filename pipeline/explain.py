"""Stage explain: of each account with reasons why the model says so, why now, what if, and sentences of evidence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from time import perf_counter

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from tqdm import tqdm

from models import evidence
from models.attribution import contributions, grouped, points
from models.causes import CauseModel
from models.changes import changes
from models.curves import reason_mix
from models.lineage import read_lineage
from models.risk import RiskModel
from models.shap_plots import beeswarm
from models.similar import past_cutoffs, similar
from models.what_if import risk_without
from pipeline import history
from pipeline.artifacts import read_frame
from pipeline.chosen_model import models_of_scores, require_scored_tables
from pipeline.feature_rows import feature_rows
from pipeline.frames import plan_from, read_matrix, write_frame, write_text
from pipeline.layout import Layout
from pipeline.params import Params
from pipeline.scoring import Scored, backs_of
from reports.sentences import with_sentences

log = logging.getLogger("holdfast")
REASONS = ["naming", "reason_1", "reason_2"]


def run(layout: Layout, params: Params) -> None:
    """Write `explanations.parquet`, `evidence.parquet` with its sentences in English, the scoring before as
    `previous.parquet`, and the SHAP plot, of the accounts with reasons in the source's scores."""
    started = perf_counter()
    scores = read_frame(layout.scores)
    model, why = models_of_scores(layout)
    plan = plan_from(dict(model.meta), params.featurize.block)
    backs, versions = backs_of(why), model.meta["feature_versions"]
    day: date = scores["as_of"].iloc[0]
    with feature_rows(layout, day, plan, params.featurize, model.features, backs, versions) as rows:
        require_scored_tables(layout)  # after they were read, so that a damaged one is told as such
        explain(layout, params, model, why, Scored(scores, rows), started)


def explain(layout: Layout, params: Params, model: RiskModel, why: CauseModel, scored: Scored, started: float) -> None:
    """The stage, of a scoring; `started`: since when it takes its time."""
    scores = scored.scores[scored.scores["naming"].notna()]
    now = scored.features(scored.as_of)
    chosen = now.loc[scores["account_id"], [*model.features, "as_of"]]
    values, base = contributions(model, chosen)
    groups = grouped(values)
    without = risk_without(model, chosen, why.healthy)
    loss = chosen["amount_12"].clip(lower=0.0)
    before = scored_before(layout, params, model, scored)
    result = pd.concat(
        [
            scores.set_index("account_id")[["as_of", "risk"]],
            pd.Series(model.log_odds(chosen), index=chosen.index, name="log_odds"),
            pd.Series(base, index=chosen.index, name="base"),
            groups.add_prefix("pushes_"),
            pd.Series(expit(base), index=chosen.index, name="points_base"),
            points(groups, base).add_prefix("points_"),
            without,
            without.mul(loss, axis=0).rename(columns=lambda name: name.replace("risk_", "expected_loss_")),
            why_now(model, chosen, before),
        ],
        axis=1,
    ).rename_axis("account_id")
    lineage = read_lineage(layout.scores)
    write_frame(result.reset_index(), layout.explanations, lineage)
    write_frame(before.table(), layout.previous, lineage)
    label = plan_from(dict(model.meta), params.featurize.block).label
    keys = read_matrix(layout.matrix, columns=["account_id", "as_of", "label"])
    past = read_matrix(layout.matrix, past_cutoffs(keys, scored.as_of, label, params.similar.cutoffs))
    alike = similar(model, chosen.reset_index(), past, label, params.similar.accounts, params.similar.cutoffs)
    write_frame(alike, layout.similar, lineage)
    sentences = with_sentences(told(model, why, params, scored, values[model.features]))
    write_frame(sentences, layout.evidence, lineage)
    write_text(reason_mix(scored.scores).to_csv(index=False), layout.reason_mix)
    beeswarm(model, chosen.head(params.explain.plot_accounts).reset_index(drop=True), layout.plots / "shap.png")
    log.info(
        "explain %s: %s accounts, %s with a reason named, %s with a guess, %s with two candidates, %s sentences; %.1f s; wrote %s",
        layout.source,
        f"{len(result):,}",
        f"{int((scores['naming'] == 'named').sum()):,}",
        f"{int((scores['naming'] == 'untried').sum()):,}",
        f"{int((scores['naming'] == 'candidates').sum()):,}",
        f"{len(sentences):,}",
        perf_counter() - started,
        layout.explanations,
    )


def told(model: RiskModel, why: CauseModel, params: Params, scored: Scored, values: pd.DataFrame) -> pd.DataFrame:
    """The evidence for the reasons and against the loss; `values`: SHAP values by feature."""
    period = plan_from(dict(model.meta), params.featurize.block).period
    past: date = period.before(scored.as_of, evidence.PAST)
    accounts = pd.Series(values.index)

    def of_accounts(day: date) -> pd.DataFrame:
        return scored.features(day, accounts)[model.features].reindex(values.index)

    days = [period.before(scored.as_of, back) for back in range(why.recipe.lags + 1)]
    by_day = {day: of_accounts(day) for day in days}
    before, reasons = of_accounts(past), scored.scores.set_index("account_id").loc[values.index]
    telling = evidence.told_at(reasons, {day: why.hazards(chosen) for day, chosen in by_day.items()})
    parts = []
    for day, chosen in tqdm(by_day.items(), desc="evidence", disable=None):
        if day < scored.as_of and telling[day].isna().all(axis=None):
            continue
        everybody = scored.features(day)
        active = ~everybody["lapsed"].to_numpy(dtype=bool)
        peers = evidence.peer_values(everybody[model.features], active if active.any() else ~active)
        compared = evidence.Compared(
            as_of=day,
            past=past,
            latest=scored.as_of,
            account_id=accounts,
            values=chosen,
            before=before,
            peers=peers.reindex(values.index),
            now=by_day[scored.as_of],
        )
        parts.append(evidence.for_reasons(compared, why.contributions(chosen), telling[day]))
        if day == scored.as_of:
            parts.append(evidence.against_loss(compared, values))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Before:
    """A scoring before: `kept`, or the same accounts a period before by today's model. All of index account_id.

    `reasons`: naming, reason_1 and reason_2 that were told then, nothing where the scoring is not kept.
    """

    day: date
    kept: bool
    features: pd.DataFrame
    lapsed: pd.Series[bool]
    log_odds: pd.Series[float]
    reasons: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """account_id, as_of, kept, lapsed, risk, amount_12: what a change of the money at risk is set against."""
        told = pd.DataFrame(
            {
                "as_of": self.day,
                "kept": self.kept,
                "lapsed": self.lapsed,
                "risk": expit(self.log_odds),
                "amount_12": self.features["amount_12"].clip(lower=0.0),
            },
            index=self.features.index,
        )
        return told.rename_axis("account_id").sort_index().reset_index()


def scored_before(layout: Layout, params: Params, model: RiskModel, scored: Scored) -> Before:
    """The last scoring kept, or one period before by today's model where none is kept that its features allow, or the
    last was of another label or horizon: risks of two things do not change into each other."""
    past = history.last_before(layout, scored.as_of)
    if past is not None and past.speaks_of(model) and set(model.features) <= set(past.features.columns):
        then = past.features.assign(as_of=past.as_of)
        scores = past.scores.set_index("account_id").reindex(then.index)
        risk = scores["risk"].to_numpy(dtype=np.float64)
        odds = pd.Series(logit(risk), index=then.index)
        return Before(past.as_of, True, then, scores["lapsed"].astype(bool), odds, scores[REASONS])
    day = plan_from(dict(model.meta), params.featurize.block).period.before(scored.as_of, 1)
    then = scored.features(day)
    odds = pd.Series(model.log_odds(then), index=then.index)
    nothing = pd.DataFrame(index=then.index, columns=REASONS, dtype="str")
    return Before(day, False, then, then["lapsed"].astype(bool), odds, nothing)


def why_now(model: RiskModel, chosen: pd.DataFrame, before: Before) -> pd.DataFrame:
    """`since`, `kept`, `risk_then`, the reasons told then (`naming_then`, `reason_1_then`, `reason_2_then`) and points of
    probability by what moved the risk; empty where it was not scored then."""
    moved = changes(model, chosen, before.features, before.log_odds)
    told = pd.DataFrame(
        {"since": before.day, "kept": before.kept, "risk_then": expit(before.log_odds.loc[moved.index])},
        index=moved.index,
    )
    reasons = before.reasons.loc[moved.index].add_suffix("_then")
    return pd.concat([told, reasons, moved], axis=1).reindex(chosen.index)
