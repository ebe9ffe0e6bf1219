"""Stage report: one self-contained page."""

from __future__ import annotations

import json
import logging
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from models.campaign import Economics, plan
from models.risk import RiskModel
from models.taxonomy import hypotheses, taxonomy
from models.tracking import code_version, data_hash
from pipeline.frames import write_text
from pipeline.layout import Layout
from pipeline.params import Evaluate, Params
from reports.page import Report, render

log = logging.getLogger("holdfast")


def run(layout: Layout, params: Params) -> None:
    """Write `artifacts/<source>/report.html`."""
    scores = pd.read_parquet(layout.scores)
    metrics = json.loads(layout.metrics.read_text(encoding="utf-8"))
    model = RiskModel.load(layout.model)
    economics = Economics(**params.money.model_dump())
    page = render(
        Report(
            source=layout.source,
            as_of=scores["as_of"].iloc[0],
            horizon=str(model.meta["horizon"]),
            currency=params.report.currency,
            scores=scores,
            evidence=pd.read_parquet(layout.evidence),
            explanations=pd.read_parquet(layout.explanations),
            names=names_of(layout),
            metrics=metrics,
            predictions=pd.read_parquet(layout.predictions),
            economics=economics,
            plan=plan_of(scores, economics, params.evaluate),
            live=json.loads(layout.live.read_text(encoding="utf-8")),
            hypotheses=hypotheses(model.features),
            reason_names={code: names["en"] for code, names in taxonomy().names.items()},
            top=params.report.accounts,
            lineage={
                "model": model.content_hash,
                "data": data_hash(layout.tables),
                "code": code_version(),
                "taxonomy": str(taxonomy().version),
                "champion": ("yes: " if metrics["decision"]["champion"] else "no: ") + metrics["decision"]["why"],
            },
        )
    )
    write_text(page, layout.report)
    log.info("report %s: %.0f kB; wrote %s", layout.source, len(page.encode()) / 1000, layout.report)


def plan_of(scores: pd.DataFrame, economics: Economics, params: Evaluate) -> dict[str, Any]:
    """How many of the active accounts to contact, and what it is expected to earn, with intervals."""
    active = scores[~scores["lapsed"].to_numpy(bool)]
    risk = active["risk"].to_numpy(float)
    value = economics.value((active["expected_loss"] / risk).fillna(0.0))  # of a risk of 0: never worth a contact
    return plan(risk, value, economics.terms(value), params.bootstrap, params.level, params.seed)


def names_of(layout: Layout) -> dict[str, str]:
    """Names of accounts where the accounts table has them."""
    path = layout.tables / "accounts.parquet"
    if not path.exists() or "name" not in pq.read_schema(path).names:
        return {}
    table = pd.read_parquet(path, columns=["account_id", "name"]).dropna()
    return dict(zip(table["account_id"], table["name"], strict=True))
