"""Simulated markets as matrices, with the truth beside them: what the benchmarks of evidence and of reasons share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.engines import connect, open_tables
from features.matrix import build, features_of
from features.periods import rolling_cutoffs
from market.settings import Settings
from market.simulate import simulate, write
from pipeline.frames import label_of, plan_of
from pipeline.params import Params


@dataclass(frozen=True)
class Simulated:
    """The matrix of a market at all cut-offs whose label has matured, its features, its exits, `market.truth`'s table,
    and `staff`: the tables accounts, assignments and managers."""

    matrix: pd.DataFrame
    cutoffs: Sequence[date]
    features: Sequence[str]
    exits: pd.DataFrame
    truth: pd.DataFrame
    staff: Mapping[str, pd.DataFrame]


Tables = dict[str, pd.DataFrame]


def simulated(
    settings: Settings,
    accounts: int,
    periods: int,
    seed: int,
    params: Params,
    change: Callable[[Tables], Tables] = lambda tables: tables,
) -> Simulated:
    """Simulate a market and build its matrix, rows ordered by as_of and account; `change` is made to its tables."""
    tables = change(simulate(accounts, periods, seed, params.simulate.start, settings))
    label, plan = label_of(params.featurize), plan_of(params.featurize)
    with tempfile.TemporaryDirectory(prefix="holdfast-market-") as name:
        write(tables, Path(name) / "tables", Path(name) / "truth.parquet")
        connection = connect(params.featurize.memory)
        opened = open_tables(connection, Path(name) / "tables")
        until = tables["orders"]["ordered_at"].max().date() + timedelta(days=1)
        first = params.featurize.history.after(params.simulate.start)
        cutoffs = rolling_cutoffs(first, label.last_matured(until).replace(day=1), plan.period)
        features = [feature.name for feature in features_of(opened)]
        matrix = pa.concat_tables(list(build(connection, opened, cutoffs, plan, until, progress=False))).to_pandas()
        connection.disconnect()
    matrix = matrix.sort_values(["as_of", "account_id"], ignore_index=True)
    staff = {name: tables[name] for name in ("accounts", "assignments", "managers")}
    return Simulated(matrix, cutoffs, features, tables["exits"], tables["truth"], staff)
