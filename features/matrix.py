"""The matrix: features, label and eligibility of every eligible account at every cut-off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from features.catalog import available, facts_of
from features.declaration import Array, Expression, Feature
from features.fold import Cutoffs, Fold, day_number
from features.orders import ORDER_DAYS
from features.periods import Duration, Label, grids
from features.windows import View

KEYS = ("account_id", "as_of", "label", "lapsed")
THREADS = 2  # NumPy lets go of the interpreter's lock; more blocks at a time would only need more memory


@dataclass(frozen=True)
class Plan:
    """How a matrix is built: period, label and the features, by name where a model asks for its own."""

    period: Duration
    label: Label
    block: int = 4_000


def features_of(tables: Mapping[str, Expression]) -> tuple[Feature, ...]:
    """The declared features that these tables can show."""
    return available({name: set(table.columns) for name, table in tables.items()})


def schema_of(features: Sequence[Feature]) -> pa.Schema:
    """Columns of the matrix: keys, label (1 lost, 0 kept, null not yet known), lapsed, then the features."""
    return pa.schema(
        [("account_id", pa.string()), ("as_of", pa.date32()), ("label", pa.float64()), ("lapsed", pa.bool_())]
        + [(feature.name, pa.float64()) for feature in features]
    )


def build(
    connection: Any,
    tables: Mapping[str, Expression],
    cutoffs: Sequence[date],
    plan: Plan,
    known_until: date,
    features: Sequence[Feature] | None = None,
) -> Iterator[pa.Table]:
    """Yield the matrix in parts, each of one block of accounts, rows ordered by as_of and account.

    `known_until`: first day after the data; a label that matures later is null. Features default to all that the
    tables can show.
    """
    chosen = features_of(tables) if features is None else tuple(features)
    facts = {fact.name: fact for feature in chosen for fact in facts_of(feature)}
    facts[ORDER_DAYS.name] = ORDER_DAYS
    for group in grids(list(cutoffs), plan.period):
        fold = Fold(connection, tables, facts.values(), Cutoffs(group, plan.period, plan.label))
        labels = fold.late_label_days()
        starts = range(0, len(fold.accounts), plan.block)

        def part(start: int, fold: Fold = fold, labels: Any = labels, group: list[date] = group) -> pa.Table:
            return _block(
                fold, start, min(start + plan.block, len(fold.accounts)), group, plan, known_until, chosen, labels
            )

        with ThreadPoolExecutor(THREADS) as pool, tqdm(total=len(starts), desc="blocks", disable=None) as bar:
            for table in pool.map(part, starts):
                bar.update()
                yield table


def write(parts: Iterator[pa.Table], folder: Path) -> int:
    """Write the parts as Parquet files of `folder`, whole or not at all; returns the number of rows."""
    temporary = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    rows = 0
    for number, part in enumerate(parts):
        pq.write_table(part, temporary / f"part-{number:05d}.parquet", compression="lz4", use_dictionary=["account_id"])
        rows += part.num_rows
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return rows


def _block(
    fold: Fold,
    low: int,
    high: int,
    group: Sequence[date],
    plan: Plan,
    known_until: date,
    features: Sequence[Feature],
    label_days: tuple[Any, Any, Any, Any],
) -> pa.Table:
    panel = fold.panel(low, high)
    view = View(panel, fold.grid)
    recency, order_days = view.since_last(ORDER_DAYS), view.days(ORDER_DAYS)
    following = view.until_next(ORDER_DAYS)
    affected, position, cutoff, day = label_days
    inside = affected[(affected >= low) & (affected < high)]
    following[inside - low] = np.inf
    mine = (position >= low) & (position < high)
    following[position[mine] - low, cutoff[mine]] = day[mine] - view.day[cutoff[mine]]

    horizon = np.array([day_number(plan.label.end(as_of)) for as_of in group]) - view.day
    silent = view.day - np.array([day_number(plan.label.horizon.before(as_of)) for as_of in group])
    window = view.day - np.array([day_number(plan.label.eligible.before(as_of)) for as_of in group])
    mature = np.array([plan.label.matures(as_of) <= known_until for as_of in group])
    # NaN recency (never ordered) compares false: not eligible
    eligible = (recency <= window) & (order_days >= plan.label.min_orders)
    label = np.where(mature, (following >= horizon).astype(np.float64), np.nan)

    def values(feature: Feature) -> Array:
        return np.broadcast_to(np.asarray(feature.formula(view), dtype=np.float64), view.shape)

    columns_first = eligible.T  # rows ordered by cut-off, then account
    cutoff_of, account_of = np.nonzero(columns_first)
    ids = pa.array(fold.accounts[low:high]).take(pa.array(account_of))
    dates = pa.array(group, pa.date32()).take(pa.array(cutoff_of))
    label_values = label.T[columns_first]
    arrays: list[pa.Array] = [
        ids,
        dates,
        pa.array(label_values, mask=np.isnan(label_values)),
        pa.array((recency > silent).T[columns_first]),
    ]
    arrays += [pa.array(values(feature).T[columns_first]) for feature in features]
    return pa.Table.from_arrays(arrays, schema=schema_of(features))
