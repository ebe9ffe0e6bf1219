"""Stage score: risk, rank, money and reasons of every eligible account at one as_of."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path
from time import perf_counter

from models import label_free
from pipeline import history
from pipeline.chosen_model import resolve_model
from pipeline.frames import write_frame, write_text
from pipeline.layout import Layout
from pipeline.params import Params
from pipeline.scoring import scoring

log = logging.getLogger("holdfast")


def run(layout: Layout, params: Params, as_of: date | None, out: Path, model: str | None, everyone: bool) -> None:
    """Write the scores to `out`, Parquet or CSV by its ending, and keep them in the history.

    What the ranking is likely to be worth goes to `live.json`, where `out` is the source's own `scores.parquet`.
    """
    started = perf_counter()
    risk, why = resolve_model(layout, model)
    with scoring(risk, why, layout, params, as_of or params.score.as_of, everyone) as scored:
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
