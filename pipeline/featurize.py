"""Stage featurize: contract tables to the matrix of all cut-offs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ConfigurationError
from features.labels import DEFINITIONS, shown
from features.matrix import build, write
from features.periods import Duration, rolling_cutoffs
from pipeline.frames import known_until, label_of, plan_of
from pipeline.layout import Layout
from pipeline.params import Featurize
from pipeline.tables import engine

log = logging.getLogger("holdfast")


def run(layout: Layout, params: Featurize) -> None:
    """Write `data/<source>/matrix`: every eligible account at every cut-off."""
    started = perf_counter()
    with engine(layout, params) as (connection, tables):
        until = known_until(tables)
        labelled = cutoffs_of(params, tables, until)
        cutoffs = labelled + recent_cutoffs(params, labelled[-1], until)
        plan = replace(plan_of(params), last_label=labelled[-1], beside=beside(layout, params, tables))
        before = columns_in(layout.matrix)
        with closing(build(connection, tables, cutoffs, plan, until)) as parts:
            rows = write(parts, layout.matrix)
    if gone := sorted(before - columns_in(layout.matrix)):
        log.warning(
            "featurize %s: %s columns of the matrix before are gone, for the tables do not show them any more: %s",
            layout.source,
            len(gone),
            ", ".join(gone),
        )
    log.info(
        "featurize %s: %s rows at %s cut-offs from %s to %s, labels up to %s; %.1f s; wrote %s",
        layout.source,
        f"{rows:,}",
        len(cutoffs),
        cutoffs[0],
        cutoffs[-1],
        labelled[-1],
        perf_counter() - started,
        layout.matrix,
    )


def columns_in(matrix: Path) -> set[str]:
    """The columns of a matrix; none where there is no matrix, or none that can be read."""
    try:
        return set(pq.read_schema(next(matrix.glob("part-*.parquet"))).names)
    except (StopIteration, pa.ArrowException, OSError):
        return set()


def cutoffs_of(params: Featurize, tables: dict[str, Any], until: date) -> list[date]:
    """Cut-offs with a label: between the first with `history` behind it and the last whose label has matured, unless given."""
    label = replace(label_of(params), longest=Duration(0, "day"))  # one grid, whatever is predicted
    last = params.last_cutoff or label.last_matured(until)
    first = params.first_cutoff
    if first is None:
        first_order: date = tables["orders"].ordered_at.min().to_pyarrow().as_py().date()
        first = params.history.after(first_order)
    return rolling_cutoffs(first, last, params.period)


def recent_cutoffs(params: Featurize, last: date, until: date) -> list[date]:
    """Cut-offs after `last`, by whole periods, while the first period after them is known at `until`.

    With a horizon of three months, data up to 2024-06-14 and `last` 2024-03-15, these are 2024-04-15 and 2024-05-15: of
    the latter it is known who ordered in [2024-05-15, 2024-06-15).
    """
    recent: list[date] = []
    while params.booking_lag.after(params.period.after(last, len(recent) + 2)) <= until:
        recent.append(params.period.after(last, len(recent) + 1))
    return recent


def beside(layout: Layout, params: Featurize, tables: Mapping[str, Any]) -> tuple[str, ...]:
    """The definitions of a loss that the tables can show; a line in the log on each that they cannot.

    Raises ConfigurationError if the one to be predicted is among the latter.
    """
    found = tuple(definition.name for definition in shown(set(tables["orders"].columns)))
    for name in [name for name in DEFINITIONS if name not in found]:
        needed = f"orders.{' and '.join(DEFINITIONS[name].columns)}"
        if name == params.label:
            raise ConfigurationError(
                f"featurize.label is {name}, which needs {needed}. Ingest it, or choose among {', '.join(found)}."
            )
        log.info("featurize %s: without the label %s, which needs %s", layout.source, name, needed)
    return found
