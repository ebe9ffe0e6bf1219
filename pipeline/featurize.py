"""Stage featurize: contract tables to the matrix of all cut-offs."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from features.fold import connect, open_tables
from features.matrix import build, write
from features.periods import rolling_cutoffs
from pipeline.frames import known_until, label_of, plan_of
from pipeline.layout import Layout
from pipeline.params import Featurize

log = logging.getLogger("holdfast")


def run(layout: Layout, params: Featurize) -> None:
    """Write `data/<source>/matrix`: every eligible account at every cut-off."""
    started = perf_counter()
    with TemporaryDirectory(prefix="holdfast-") as spill:
        connection = connect(params.memory, Path(spill))
        tables = open_tables(connection, layout.tables)
        until = known_until(tables)
        cutoffs = cutoffs_of(params, tables, until)
        rows = write(build(connection, tables, cutoffs, plan_of(params), until), layout.matrix)
        connection.disconnect()
    log.info(
        "featurize %s: %s rows at %s cut-offs from %s to %s; %.1f s; wrote %s",
        layout.source,
        f"{rows:,}",
        len(cutoffs),
        cutoffs[0],
        cutoffs[-1],
        perf_counter() - started,
        layout.matrix,
    )


def cutoffs_of(params: Featurize, tables: dict[str, Any], until: date) -> list[date]:
    """Cut-offs between the first with `history` behind it and the last whose label has matured, unless given."""
    last = params.last_cutoff or label_of(params).last_matured(until)
    first = params.first_cutoff
    if first is None:
        first_order: date = tables["orders"].ordered_at.min().to_pyarrow().as_py().date()
        first = params.history.after(first_order)
    return rolling_cutoffs(first, last, params.period)
