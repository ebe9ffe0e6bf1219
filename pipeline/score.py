"""Stage score, a job: the same as_of, model, data, code and parameters give the same bytes, and are scored once.

What it writes is whole or not there, in this order: the scoring in the history, `live.json`, the scores, the rows of a
table. Each holds its lineage, and so says whether it is of this scoring. A run that finds all of them does nothing; one that
finds the history's, because the run before was killed after it, writes the rest from it; else all is worked out again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from models import label_free
from models.lineage import Lineage, lineage_of, read_lineage, same
from models.risk import RiskModel
from pipeline import history, score_changes, score_table
from pipeline.chosen_model import resolve_model
from pipeline.frames import require_ending, write_frame, write_text
from pipeline.job import alone, scratch
from pipeline.layout import Layout
from pipeline.params import Params
from pipeline.phases import Phases
from pipeline.scoring import Scored, scoring, settled_day

log = logging.getLogger("holdfast")
DONE, COMPLETED, SCORED = "already scored", "completed", "scored"


@dataclass(frozen=True)
class Request:
    """What is asked for: `as_of` None is that of `params.yaml`, `out` None the source's own scores, `model` None its own
    model. `since`: a day or "previous", to write only what changed. `table`: of a database, written besides."""

    as_of: date | None = None
    out: Path | None = None
    model: str | None = None
    everyone: bool = False
    force: bool = False
    since: str | None = None
    table: str | None = None


def run(layout: Layout, params: Params, asked: Request) -> dict[str, Any]:
    """Write the scores, Parquet or CSV by the ending of `out`, and keep them in the history; returns the summary.

    What the ranking is likely to be worth goes to `live.json`, where `out` is the source's own `scores.parquet`.
    """
    out = asked.out or layout.scores
    require_ending(out)
    score_changes.require_place(asked.since, out, layout)
    target = None if asked.table is None else score_table.Target.of(asked.table)
    phases = Phases()
    with alone(layout.artifacts, "score"), scratch(layout.artifacts / ".scoring"):
        phases.begin("prepare")
        history.heal(layout)
        risk, why, version = resolve_model(layout, asked.model)
        day = settled_day(layout, params, asked.as_of or params.score.as_of)
        lineage = lineage_of(layout.tables, risk, why, version, day, deciding(params, asked.everyone))
        before = score_changes.before(layout, asked.since, day)
        written = lineage if before is None else {**lineage, "since": before.meta.get("lineage")}
        own = out.resolve() == layout.scores.resolve()
        kept = None if asked.force else history.at(layout, day)
        if kept is not None and not same(kept.meta.get("lineage"), lineage):
            kept = None
        outputs = [out, *([layout.live] if own else [])]
        done = kept is not None and all(same(read_lineage(path), written) for path in outputs)
        if kept is None:
            with scoring(risk, why, layout, params, day, asked.everyone, phases) as scored:
                phases.begin("keep")
                scores = scored.scores
                history.keep(layout, scores, _inputs(scored, risk), risk, why, lineage)
        else:
            scores = kept.scores
        phases.begin("write")
        told = scores if before is None else score_changes.changed(scores, before.scores, params.score.changed)
        if not done:
            if own:
                phases.begin("outlook")
                _write_live(layout, params, scores, risk, lineage)
                phases.begin("write")
            write_frame(told, out, written)
        if target is not None:
            phases.begin("table")
            target.write(told, written)
        status = DONE if done else SCORED if kept is None else COMPLETED
        return _summary(layout, status, scores, told, lineage, out, phases, asked)


def deciding(params: Params, everyone: bool) -> dict[str, Any]:
    """The parameters that decide what a scoring says; those of the matrix are the model's."""
    return {
        "score": params.score.model_dump(include={"level", "changed"}),
        "money": params.money.model_dump(),
        "explain": params.explain.model_dump(exclude={"plot_accounts"}),
        "evaluate": params.evaluate.model_dump(include={"bootstrap", "level", "seed"}),
        "everyone": everyone,
    }


def _inputs(scored: Scored, model: RiskModel) -> Iterator[pa.Table]:
    """What the model was given, in blocks of accounts."""
    return (part.select(["account_id", *model.features]) for part in scored.rows.blocks(scored.as_of))


def _write_live(layout: Layout, params: Params, scores: pd.DataFrame, model: RiskModel, lineage: Lineage) -> None:
    told = label_free.live(scores, params.evaluate.bootstrap, params.evaluate.level, params.evaluate.seed)
    expected = {"as_of": lineage["as_of"], "model": model.content_hash, "population": told, "lineage": lineage}
    write_text(json.dumps(expected, indent=1) + "\n", layout.live)


def _summary(
    layout: Layout,
    status: str,
    scores: pd.DataFrame,
    told: pd.DataFrame,
    lineage: Lineage,
    out: Path,
    phases: Phases,
    asked: Request,
) -> dict[str, Any]:
    """What a scheduler is told, and the closing line of the log."""
    active = scores[~scores["lapsed"].to_numpy(bool)]
    naming = scores["naming"]
    seconds = phases.seconds
    counts = {
        "accounts": len(scores),
        "active": len(active),
        "lapsed": len(scores) - len(active),
        "with_reasons": int(naming.notna().sum()),
        "named": int((naming == "named").sum()),
        "written": len(told),
    }
    log.info(
        "score %s: %s: %s accounts at %s, %s of them active, %.0f losses expected; %.1f s; wrote %s",
        layout.source,
        status,
        f"{len(scores):,}",
        lineage["as_of"],
        f"{len(active):,}",
        active["risk"].sum(),
        sum(seconds.values()),
        "nothing" if status == DONE else out,
        extra={"as_of": lineage["as_of"], "counts": counts, "seconds": seconds, "lineage": lineage},
    )
    return {
        "status": status,
        "source": layout.source,
        "as_of": lineage["as_of"],
        "since": asked.since,
        "counts": counts,
        "expected_losses": float(active["risk"].sum()),
        "expected_loss": float(active["expected_loss"].sum()),
        "seconds": seconds,
        "processor_seconds": phases.processor,
        "lineage": lineage,
        "paths": {"scores": str(out), "history": str(layout.history / str(lineage["as_of"])), "table": asked.table},
    }
