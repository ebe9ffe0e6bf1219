"""Stage explain: the signed contributions of every scored account by reason, and sentences of evidence."""

from __future__ import annotations

import logging
from time import perf_counter

import pandas as pd

from models.attribution import contributions, grouped
from models.reasons import evidence
from models.shap_plots import beeswarm
from pipeline.frames import write_frame
from pipeline.layout import Layout
from pipeline.params import Params
from pipeline.score import resolve_model, score

log = logging.getLogger("holdfast")


def run(layout: Layout, params: Params) -> None:
    """Write `explanations.parquet` (log-odds by reason, adding up to the risk's; evidence) and the SHAP plot."""
    started = perf_counter()
    model, why = resolve_model(layout, None)
    scores, frame = score(model, why, layout, params, params.score.as_of)
    groups = grouped(contributions(model, frame)[0])
    log_odds = model.log_odds(frame)
    reasons = scores[["reason_1", "reason_2", "reason_3"]]
    result = pd.concat(
        [
            scores[["account_id", "as_of"]],
            pd.Series(log_odds, name="log_odds"),
            pd.Series(log_odds - groups.sum(axis=1).to_numpy(), name="base"),
            groups.add_prefix("pushes_"),
            evidence(frame, why.contributions(frame), reasons, scores["as_of"].iloc[0]),
        ],
        axis=1,
    )
    write_frame(result, layout.explanations)
    beeswarm(model, frame.head(params.explain.plot_accounts), layout.plots / "shap.png")
    log.info(
        "explain %s: %s accounts, %s of them with a named reason; %.1f s; wrote %s",
        layout.source,
        f"{len(result):,}",
        f"{int((scores['reason_1'] != 'unexplained').sum()):,}",
        perf_counter() - started,
        layout.explanations,
    )
