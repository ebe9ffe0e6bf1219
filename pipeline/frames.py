"""What several stages read and write: the matrix, frames as Parquet or CSV, the features at one as_of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from features import spark
from features.engines import connect, open_tables
from features.errors import ConfigurationError, ContractError
from features.labels import DEFINITIONS, Rules
from features.matrix import Plan, build, features_of
from features.periods import Duration, Label
from pipeline.layout import Layout
from pipeline.params import Featurize

SILENCE = "silent"  # the definition of a loss that needs no name


def plan_of(params: Featurize) -> Plan:
    """How the matrix is built, from `params.yaml`."""
    return Plan(
        params.period, label_of(params), params.block, params.steps, predicts=params.label, rules=rules_of(params)
    )


def label_of(params: Featurize) -> Label:
    """What is predicted, from `params.yaml`."""
    longest = DEFINITIONS[params.label].longest(rules_of(params))
    return Label(params.horizon, params.eligible, params.min_orders, params.booking_lag, longest)


def rules_of(params: Featurize) -> Rules:
    """The numbers in the definitions of a loss, from `params.yaml`."""
    cap = Duration(params.period.count * params.rhythm_cap, params.period.unit)
    return Rules(params.halved, params.rhythm_gaps, cap)


def meta_of(plan: Plan) -> dict[str, Any]:
    """The plan in words, kept with a model so that scoring builds the same matrix; `label` and `longest` are left out
    where it is the silence of all accounts alike."""
    words = {
        "period": str(plan.period),
        "horizon": str(plan.label.horizon),
        "eligible": str(plan.label.eligible),
        "min_orders": plan.label.min_orders,
        "booking_lag": str(plan.label.booking_lag),
    }
    if plan.predicts != SILENCE:
        words |= {"label": plan.predicts, "longest": str(plan.label.longest)}
    return words


def plan_from(meta: dict[str, Any], block: int) -> Plan:
    """The plan that a model was trained with, for scoring: without what happened after the cut-off."""
    label = Label(
        Duration.parse(meta["horizon"]),
        Duration.parse(meta["eligible"]),
        int(meta["min_orders"]),
        Duration.parse(meta["booking_lag"]),
        Duration.parse(meta.get("longest", "0 days")),
    )
    return Plan(Duration.parse(meta["period"]), label, block, steps=0)


@contextmanager
def opened(layout: Layout, params: Featurize) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A connection to the engine of `params.yaml`, and the source's contract tables in it."""
    with TemporaryDirectory(prefix="holdfast-") as spill:
        if params.engine == "spark":
            connection = spark.connect(params.spark.master, params.spark.settings)
        else:
            connection = connect(params.memory, Path(spill))
        try:
            yield connection, open_tables(connection, layout.tables)
        finally:
            connection.disconnect()


def known_until(tables: dict[str, Any]) -> date:
    """First day after the last order of the data: labels that mature later are not known."""
    last = tables["orders"].ordered_at.max().to_pyarrow().as_py()
    if last is None:
        raise ContractError("orders: the table has no rows. Check the extract, then run `holdfast ingest` again.")
    day: date = last.date()
    return day + timedelta(days=1)


def read_matrix(folder: Path, cutoffs: Sequence[date] | None = None) -> pd.DataFrame:
    """The matrix of some cut-offs (all where None), ordered by as_of and account.

    Raises ConfigurationError if there is no matrix, or none of a cut-off asked for.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is missing. Run `holdfast featurize` for this source first.")
    wanted = None if cutoffs is None else ds.field("as_of").isin(list(cutoffs))
    table = ds.dataset(folder, format="parquet").to_table(filter=wanted)
    found = set(table["as_of"].unique().to_pylist())
    lacking = sorted(set(cutoffs or ()) - found)
    if lacking:
        raise ConfigurationError(
            f"The matrix in {folder} has no accounts at the cut-off {lacking[0]}. Cut-offs step by whole periods between "
            "featurize.first_cutoff and last_cutoff in params.yaml; choose among them, then run `holdfast featurize`."
        )
    frame: pd.DataFrame = table.sort_by([("as_of", "ascending"), ("account_id", "ascending")]).to_pandas()
    return frame


def features_at(
    layout: Layout,
    as_of: date | None,
    plan: Plan,
    params: Featurize,
    names: Sequence[str],
    backs: Sequence[int] = (0,),
    finish: Callable[[date, pa.Table], pa.Table] | None = None,
) -> pd.DataFrame:
    """Features, by name, of the accounts eligible at `as_of` (None: the day after the last order) and at the cut-offs
    so many periods before it: rows of account and cut-off, ordered by cut-off and account.

    `backs` holds 0, the as_of itself; `finish`, given the as_of, may add columns to a block, where the engine works. Raises ConfigurationError if nobody is eligible then, ContractError if the tables
    cannot show a feature.
    """
    with opened(layout, params) as (connection, tables):
        shown = {feature.name: feature for feature in features_of(tables)}
        missing = [name for name in names if name not in shown]
        if missing:
            raise ContractError(
                f"tables: {len(missing)} features of the model cannot be built, for example {missing[0]!r}: a table or "
                "column it was trained with is missing. Ingest the same tables, or train again without them."
            )
        until = known_until(tables)
        day = until if as_of is None else as_of
        cutoffs = [plan.period.before(day, back) for back in backs]
        chosen = [shown[name] for name in names]
        added = None if finish is None else partial(finish, day)
        parts = list(build(connection, tables, cutoffs, plan, until, chosen, finish=added))
    rows: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    rows = rows.sort_values(["as_of", "account_id"], ignore_index=True)
    if not (rows["as_of"] == day).any():
        raise ConfigurationError(
            f"Nobody is eligible at {day}: no account ordered in the {plan.label.eligible} before it. "
            f"Orders end on {until - timedelta(days=1)}; choose --as-of accordingly."
        )
    return rows


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet or CSV, by the ending, whole or not at all; the same frame gives the same bytes.

    Raises ConfigurationError for another ending.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise ConfigurationError(f"{path}: the ending must be .parquet or .csv.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    if path.suffix == ".csv":
        frame.to_csv(temporary, index=False, lineterminator="\n")
    else:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), temporary)
    os.replace(temporary, path)


def write_text(text: str, path: Path) -> None:
    """Write a text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
