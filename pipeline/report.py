"""Stage report: a static site of the scoring, and its tables as files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd

from features.errors import ConfigurationError
from models.agreement import agreement
from models.campaign import Economics, plan
from models.taxonomy import hypotheses
from pipeline.artifacts import read_frame, read_json, require_same_scoring
from pipeline.chosen_model import lineage_of_scores, models_of_scores
from pipeline.feedback import said, told_before
from pipeline.layout import Layout
from pipeline.params import Params
from reports.site import Site, write

log = logging.getLogger("holdfast")
DECIDED = ("accounts", "history", "worklist", "leavers", "managers", "win_back", "prospects")  # the tables of decide


def run(
    layout: Layout, params: Params, languages: Sequence[str] = (), accounts: Sequence[str] = (), everyone: bool = False
) -> None:
    """Write the site into `artifacts/<source>/report`.

    `languages`: the first at its root, the others beside it; default: `report.languages`. `accounts` have pages whatever
    their risk, `everyone`: all have.
    """
    started = perf_counter()
    site = site_of(layout, params, None if everyone else accounts)
    pages = write(site, layout.report, languages or params.report.languages)
    log.info(
        "report %s: %s pages, %.1f MB; %.1f s; wrote %s",
        layout.source,
        f"{pages:,}",
        sum(file.stat().st_size for file in layout.report.rglob("*") if file.is_file()) / 1e6,
        perf_counter() - started,
        layout.report / "index.html",
    )


def site_of(layout: Layout, params: Params, asked: Sequence[str] | None) -> Site:
    """All that the site shows, read from what the stages wrote.

    Raises ConfigurationError if a stage has not run yet, or an account asked for was not scored.
    """
    for stage, path in _written_by(layout).items():
        if not path.exists():
            raise ConfigurationError(f"{path} is missing. Run `holdfast {stage} --source {layout.source}` first.")
    scores = read_frame(layout.scores)
    explained = (layout.explanations, layout.evidence, layout.previous, layout.similar)
    decided = {name: layout.decisions / f"{name}.parquet" for name in DECIDED}
    require_same_scoring(
        layout.scores, [layout.live, *explained, *decided.values(), layout.decisions / "decisions.json"]
    )
    _known(scores["account_id"], asked or ())
    model, _ = models_of_scores(layout)
    made = lineage_of_scores(layout)
    metrics = read_json(layout.metrics)
    economics = Economics(**params.money.model_dump())
    active = scores[~scores["lapsed"].to_numpy(bool)]
    value = economics.value(active["amount_12"])
    terms = economics.terms(value)
    words = said(layout, params)
    return Site(
        source=layout.source,
        as_of=scores["as_of"].iloc[0],
        horizon=str(model.meta["horizon"]),
        currency=params.report.currency,
        scores=scores,
        evidence=read_frame(layout.evidence),
        explanations=read_frame(layout.explanations),
        previous=read_frame(layout.previous),
        similar=read_frame(layout.similar),
        **{name: read_frame(path) for name, path in decided.items()},
        decided=read_json(layout.decisions / "decisions.json"),
        feedback=words,
        agreement=agreement(words, told_before(layout), params.feedback.level),
        metrics=metrics,
        predictions=read_frame(layout.predictions),
        economics=economics,
        plan=plan(active["risk"], value, terms, params.evaluate.bootstrap, params.evaluate.level, params.evaluate.seed),
        live=read_json(layout.live),
        monitoring=_monitored(layout, scores),
        hypotheses=hypotheses(model.features),
        top=params.report.accounts,
        at_risk=params.report.at_risk,
        asked=asked,
        lineage=(
            ("data", f"{made['data_hash']}, {made['as_of']}"),
            ("model", model.content_hash),
            ("code", made["code_version"]),
            ("reasons.yaml", str(made["taxonomy_version"])),
            ("champion", _standing(metrics, model.content_hash)),
        ),
    )


def _standing(metrics: Mapping[str, Any], model_hash: str) -> str:
    """Whether the evaluation made the model that scored champion: later promotions are in the registry alone."""
    if metrics["model_hash"] != model_hash:
        return f"not known: the evaluation is of the model {metrics['model_hash']}"
    decision = metrics["decision"]
    return f"{'yes' if decision['champion'] else 'no'}, when evaluated: {decision['why']}"


def _monitored(layout: Layout, scores: pd.DataFrame) -> dict[str, Any]:
    """What stage monitor said of this scoring; empty where it has not run since."""
    found = read_json(layout.monitoring) if layout.monitoring.exists() else {}
    return found if found.get("as_of") == str(scores["as_of"].iloc[0]) else {}


def _written_by(layout: Layout) -> dict[str, Path]:
    """The last thing that each stage writes, in the order in which they run."""
    return {
        "train": layout.causes,
        "evaluate": layout.card,
        "score": layout.live,
        "explain": layout.plots,
        "decide": layout.decisions / "decisions.json",
    }


def _known(scored: pd.Series[str], asked: Sequence[str]) -> None:
    """Raise ConfigurationError for an account that was asked for and not scored."""
    known = set(scored)
    for account in asked:
        if account not in known:
            close = get_close_matches(account, known, n=1)
            hint = f" The closest is {close[0]!r}." if close else ""
            raise ConfigurationError(
                f"--account {account!r} was not scored: it has no order in the time that makes one eligible.{hint}"
            )
